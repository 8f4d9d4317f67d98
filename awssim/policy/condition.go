package policy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Condition is one operator on one key.
type Condition struct {
	Operator string // without its prefix and suffix: StringEquals
	Key      string // lower case
	Values   []string
	IfExists bool // a key that is missing satisfies it
	// ForAll and ForAny are the set operators' prefixes.
	ForAll, ForAny bool
}

// test compares a value of the request with one of the policy.
type test func(want, got string) bool

// operators returns the tests by operator. Each negated operator ("Not") is the
// positive one's opposite and is looked up without the Not.
func operators() map[string]test {
	ordered := func(accept func(int) bool) test {
		return func(want, got string) bool {
			w, errW := strconv.ParseFloat(want, 64)
			g, errG := strconv.ParseFloat(got, 64)
			return errW == nil && errG == nil && accept(cmp.Compare(g, w))
		}
	}
	dated := func(accept func(int) bool) test {
		return func(want, got string) bool {
			w, okW := parseDate(want)
			g, okG := parseDate(got)
			return okW && okG && accept(g.Compare(w))
		}
	}
	less, lessEq := func(c int) bool { return c < 0 }, func(c int) bool { return c <= 0 }
	greater, greaterEq := func(c int) bool { return c > 0 }, func(c int) bool { return c >= 0 }
	equal := func(c int) bool { return c == 0 }
	return map[string]test{
		"StringEquals":             func(w, g string) bool { return w == g },
		"StringEqualsIgnoreCase":   strings.EqualFold,
		"StringLike":               func(w, g string) bool { return match(w, g, false) },
		"ArnEquals":                matchARN, // the same as ArnLike, says AWS
		"ArnLike":                  matchARN,
		"Bool":                     strings.EqualFold,
		"BinaryEquals":             func(w, g string) bool { return w == g },
		"NumericEquals":            ordered(equal),
		"NumericLessThan":          ordered(less),
		"NumericLessThanEquals":    ordered(lessEq),
		"NumericGreaterThan":       ordered(greater),
		"NumericGreaterThanEquals": ordered(greaterEq),
		"DateEquals":               dated(equal),
		"DateLessThan":             dated(less),
		"DateLessThanEquals":       dated(lessEq),
		"DateGreaterThan":          dated(greater),
		"DateGreaterThanEquals":    dated(greaterEq),
		"IpAddress":                inNetwork,
	}
}

// positive returns the operator that a negated one negates.
func positive(operator string) (string, bool) {
	if operator == "NotIpAddress" {
		return "IpAddress", true
	}
	for _, kind := range []string{"String", "Arn", "Numeric", "Date"} {
		if rest, ok := strings.CutPrefix(operator, kind+"Not"); ok {
			return kind + rest, true
		}
	}
	return operator, false
}

func parseConditions(raw map[string]map[string]json.RawMessage) ([]Condition, error) {
	known := operators()
	var conditions []Condition
	for _, operator := range slices.Sorted(maps.Keys(raw)) {
		base := Condition{Operator: operator}
		base.Operator, base.ForAll = strings.CutPrefix(base.Operator, "ForAllValues:")
		base.Operator, base.ForAny = strings.CutPrefix(base.Operator, "ForAnyValue:")
		base.Operator, base.IfExists = strings.CutSuffix(base.Operator, "IfExists")
		plain, _ := positive(base.Operator)
		if known[plain] == nil && base.Operator != "Null" {
			return nil, fmt.Errorf("invalid condition operator %q", operator)
		}
		for _, key := range slices.Sorted(maps.Keys(raw[operator])) {
			values, err := scalars(raw[operator][key])
			if err != nil {
				return nil, fmt.Errorf("condition %s %s: %w", operator, key, err)
			}
			c := base
			c.Key, c.Values = strings.ToLower(key), values
			conditions = append(conditions, c)
		}
	}
	return conditions, nil
}

// scalars reads one or many strings, numbers or booleans as strings.
func scalars(raw json.RawMessage) ([]string, error) {
	list, err := oneOrMany[json.RawMessage](raw)
	if err != nil {
		return nil, err
	}
	values := make([]string, 0, len(list))
	for _, item := range list {
		var s string
		text := strings.TrimSpace(string(item))
		switch {
		case json.Unmarshal(item, &s) == nil && text != "null":
			values = append(values, s)
		case text == "null" || strings.HasPrefix(text, "{") || strings.HasPrefix(text, "["):
			return nil, fmt.Errorf("%s is no value to compare with", text)
		default:
			values = append(values, text)
		}
	}
	return values, nil
}

// holds tells whether the request satisfies the condition. Values of one key are
// alternatives; for a negated operator none of them may match.
func (c Condition) holds(context map[string][]string, expand func(string) string) bool {
	got, exists := context[c.Key]
	exists = exists && len(got) > 0
	if c.Operator == "Null" {
		return slices.ContainsFunc(c.Values, func(v string) bool { return strings.EqualFold(v, strconv.FormatBool(!exists)) })
	}
	operator, negated := positive(c.Operator)
	if !exists {
		// A missing key satisfies negated operators, and ForAllValues; so AWS.
		return c.IfExists || c.ForAll || (negated && !c.ForAny)
	}
	test := operators()[operator]
	one := func(value string) bool {
		hit := slices.ContainsFunc(c.Values, func(want string) bool { return test(expand(want), value) })
		return hit != negated
	}
	if c.ForAny {
		return slices.ContainsFunc(got, one)
	}
	return !slices.ContainsFunc(got, func(v string) bool { return !one(v) })
}

func inNetwork(want, got string) bool {
	address, err := netip.ParseAddr(got)
	if err != nil {
		return false
	}
	if network, err := netip.ParsePrefix(want); err == nil {
		return network.Contains(address)
	}
	single, err := netip.ParseAddr(want)
	return err == nil && single == address
}

func parseDate(s string) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, true
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(seconds, 0), err == nil
}
