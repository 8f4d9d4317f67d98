package factoryrole

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kargo.dev/kargo/internal/aws/session"
	"kargo.dev/kargo/internal/preflight"
)

// sample stands for anything: a name, an id, a tag's value.
const sample = "kargo-preflight"

// Needed are questions to IAM's policy simulator, one for each statement and kind
// of resource. All are answered with yes if, and only if, the role of the target
// may do all that it has to, whatever else it may do.
func Needed(t session.Target) []preflight.ActionRequest {
	role := Role{AccountID: t.AccountID, Region: t.Region, Name: t.RoleARN[strings.LastIndex(t.RoleARN, "/")+1:]}
	policies, err := role.Policies()
	if err != nil {
		panic(fmt.Sprintf("the embedded description of the factory's role: %v", err)) // seen by every test
	}
	var list []preflight.ActionRequest
	for _, p := range policies {
		for _, s := range p.Statements {
			if s.Effect == allow {
				list = append(list, s.questions(t.Region)...)
			}
		}
	}
	return list
}

// questions are the statement's, in a region. The calls that it allows have all
// keys that it asks for: it is asked for each of their values.
func (s Statement) questions(region string) []preflight.ActionRequest {
	contexts := []map[string]string{{"aws:RequestedRegion": region}}
	for _, operator := range slices.Sorted(maps.Keys(s.Conditions)) {
		for _, key := range slices.Sorted(maps.Keys(s.Conditions[operator])) {
			if operator != "Null" { // a key that is not there
				contexts = combine(contexts, key, s.Conditions[operator][key])
			}
		}
	}
	var list []preflight.ActionRequest
	for _, context := range contexts {
		if len(s.On) == 0 {
			list = append(list, preflight.ActionRequest{Actions: s.Actions, Resources: samples(s.Resources), Context: context})
		}
		for _, kind := range slices.Sorted(maps.Keys(s.On)) {
			list = append(list, preflight.ActionRequest{Actions: s.On[kind], Resources: samplesOf(kind, s.Resources), Context: context})
		}
	}
	return list
}

// combine makes of each context one for each value of the key.
func combine(contexts []map[string]string, key string, values Values) []map[string]string {
	var list []map[string]string
	for _, c := range contexts {
		for _, v := range values {
			one := maps.Clone(c)
			one[key] = example(v)
			list = append(list, one)
		}
	}
	return list
}

// example is something that a pattern matches.
func example(pattern string) string {
	return strings.ReplaceAll(strings.ReplaceAll(pattern, "?*", sample), "*", sample)
}

// samples are resources by ARN. AWS has no resource for what is allowed on all.
func samples(patterns Values) []string {
	var list []string
	for _, p := range patterns {
		if p != "*" {
			p = example(p)
		}
		list = append(list, p)
	}
	return list
}

// samplesOf are resources of a kind: arn:aws:ec2:REGION:ACCOUNT:KIND/...
func samplesOf(kind string, patterns Values) []string {
	var list []string
	for _, p := range patterns {
		parts := strings.SplitN(p, ":", 6)
		parts[5] = kind + "/" + sample
		list = append(list, strings.Join(parts, ":"))
	}
	return slices.Compact(list)
}
