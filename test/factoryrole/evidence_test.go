// Package factoryrole holds the policy of the factory's role to what the factory
// does: nothing that it needs is denied, nothing is allowed that it does not need,
// and what it must never do is denied. Package awssim/policy decides.
package factoryrole

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kargo.dev/kargo/awssim/authz"
	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/internal/factoryrole"
)

// calls are records of what was done with the simulator, made by runs of the local
// platform: the end-to-end tests' calls.jsonl, say.
var calls = flag.String("calls", "", "write testdata/recorded.json from these call records (files, separated by commas)")

const (
	accountID = "111111111111"
	region    = "eu-central-1"
	roleName  = "kargo-factory"
)

func role() factoryrole.Role {
	return factoryrole.Role{
		AccountID: accountID, Region: region, Name: roleName,
		Principal: "arn:aws:iam::100000000000:user/kargo-factory", ExternalID: "kargo-0",
	}
}

// need is something that the role has to be allowed.
type need struct {
	Action   string         `json:"action"`
	Resource string         `json:"resource"`
	Context  policy.Context `json:"context,omitempty"`
	// Calls are the operations that were seen to need it.
	Calls []string `json:"calls,omitempty"`
	// Why says where a need comes from that no run of the simulator shows.
	Why string `json:"why,omitempty"`
}

func (n need) String() string {
	context, err := json.Marshal(n.Context)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s on %s %s", n.Action, n.Resource, context)
}

func (n need) compare(o need) int {
	return cmp.Or(strings.Compare(n.Action, o.Action), strings.Compare(n.Resource, o.Resource), strings.Compare(n.String(), o.String()))
}

// request is the need as AWS is asked for it, in a region.
func (n need) request(region string) policy.Request {
	if strings.HasPrefix(n.Action, "iam:") {
		region = "us-east-1" // where IAM is for everybody
	}
	record := authz.Record{
		Permissions: []policy.Permission{{Action: n.Action, Resource: n.Resource, Context: n.Context}},
		Context:     policy.Context{"aws:PrincipalArn": {role().ARN()}, "aws:PrincipalType": {"AssumedRole"}},
	}
	return record.Requests(accountID, region, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC))[0]
}

// needs are all that is known: seen in runs, and read in CAPA's and KARGO's code.
func needs(t *testing.T) []need {
	t.Helper()
	var all []need
	for _, name := range []string{"recorded.json", "read.json"} {
		raw, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		var list []need
		if err := json.Unmarshal(raw, &list); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, list...)
	}
	return all
}

// policies are the role's; a test may change them.
func policies(t *testing.T) []factoryrole.Policy {
	t.Helper()
	list, err := role().Policies()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// set is policies as the simulator takes them.
func set(t *testing.T, list []factoryrole.Policy) policy.Set {
	t.Helper()
	var s policy.Set
	for _, p := range list {
		if len(p.Statements) == 0 {
			continue
		}
		raw, err := json.Marshal(p.Document)
		if err != nil {
			t.Fatal(err)
		}
		document, err := policy.Parse(string(raw))
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		if err := document.CheckIdentity(); err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		s.Identity = append(s.Identity, policy.Source{Name: p.Name, Document: document})
	}
	return s
}

func allows(s policy.Set, r policy.Request) bool { return s.Decide(r).Decision == policy.Allow }

// denied is the first need that the policies do not allow.
func denied(s policy.Set, list []need) (need, bool) {
	i := slices.IndexFunc(list, func(n need) bool { return !allows(s, n.request(region)) })
	if i < 0 {
		return need{}, false
	}
	return list[i], true
}

func TestWhatIsNeededIsAllowed(t *testing.T) {
	s := set(t, policies(t))
	for _, n := range needs(t) {
		if v := s.Decide(n.request(region)); v.Decision != policy.Allow {
			t.Errorf("%s: %s %v", n, v.Decision.Name(), v.Matched)
		}
	}
}

// TestNothingIsSuperfluous leaves out, one at a time, each statement that allows
// something, and each of its actions, resources and values: then something that
// is needed must be denied.
func TestNothingIsSuperfluous(t *testing.T) {
	all := needs(t)
	for _, c := range changes(t, false) {
		t.Run(c.name, func(t *testing.T) {
			if _, found := denied(set(t, c.policies), all); !found {
				t.Errorf("%s can be left out of role.yaml: nothing in testdata needs it", c.name)
			}
		})
	}
}

// change is the role's policies without a part of them.
type change struct {
	name     string
	policies []factoryrole.Policy
}

// changes are all ways to leave something out of the statements that allow, or of
// those that deny.
func changes(t *testing.T, denying bool) []change {
	t.Helper()
	var list []change
	for i, p := range policies(t) {
		for j, s := range p.Statements {
			if (s.Effect == "Deny") != denying {
				continue
			}
			add := func(what string, edit func(*factoryrole.Statement)) {
				changed := policies(t)
				edit(&changed[i].Statements[j])
				list = append(list, change{strings.TrimSpace(s.Sid + " " + what), changed})
			}
			without := policies(t)
			without[i].Statements = slices.Delete(without[i].Statements, j, j+1)
			list = append(list, change{s.Sid, without})
			// One of one is the whole statement.
			for k, v := range several(s.Actions) {
				add(v, func(s *factoryrole.Statement) { s.Actions = slices.Delete(s.Actions, k, k+1) })
			}
			for k, v := range several(s.Resources) {
				add(v, func(s *factoryrole.Statement) { s.Resources = slices.Delete(s.Resources, k, k+1) })
			}
			for operator, keys := range s.Conditions {
				for key, values := range keys {
					for k, v := range several(values) {
						add(key+" "+v, func(s *factoryrole.Statement) {
							s.Conditions[operator][key] = slices.Delete(s.Conditions[operator][key], k, k+1)
						})
					}
				}
			}
		}
	}
	return list
}

func several(list factoryrole.Values) factoryrole.Values {
	if len(list) < 2 {
		return nil
	}
	return list
}

// TestRecord sees to it that the distilled record still has all that the policies ask for.
func TestRecord(t *testing.T) {
	if *calls != "" {
		writeRecord(t, strings.Split(*calls, ","))
	}
	for _, p := range policies(t) {
		for _, s := range p.Statements {
			for _, keys := range s.Conditions {
				for key := range maps.Keys(keys) {
					if key != "aws:RequestedRegion" && !kept(key) {
						t.Errorf("%s asks for %s, which distilling leaves out: see kept", s.Sid, key)
					}
				}
			}
		}
	}
}
