package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Condition is one operator on one key.
type Condition struct {
	Operator string // without its prefix and suffix: StringEquals
	Key      string // as it is written: aws:RequestTag/Team
	Values   []string
	IfExists bool // a key that is missing satisfies it
	// ForAll and ForAny are the set operators' prefixes.
	ForAll, ForAny bool

	key     string // in lower case: keys know no case
	test    test   // nil for Null
	negated bool
}

func parseConditions(raw map[string]map[string]json.RawMessage) ([]Condition, error) {
	known := operators()
	var conditions []Condition
	for _, written := range slices.Sorted(maps.Keys(raw)) {
		base, err := parseOperator(written, known)
		if err != nil {
			return nil, err
		}
		for _, key := range slices.Sorted(maps.Keys(raw[written])) {
			c := base
			if c.Values, err = scalars(raw[written][key]); err != nil {
				return nil, fmt.Errorf("condition %s %s: %w", written, key, err)
			}
			if err := c.checkValues(); err != nil {
				return nil, fmt.Errorf("condition %s %s: %w", written, key, err)
			}
			c.Key, c.key = key, strings.ToLower(key)
			conditions = append(conditions, c)
		}
	}
	return conditions, nil
}

// parseOperator takes ForAnyValue:StringNotEqualsIfExists apart.
func parseOperator(written string, known map[string]test) (Condition, error) {
	c := Condition{Operator: written}
	c.Operator, c.ForAll = strings.CutPrefix(c.Operator, "ForAllValues:")
	c.Operator, c.ForAny = strings.CutPrefix(c.Operator, "ForAnyValue:")
	if c.Operator == operatorNull && !c.ForAll && !c.ForAny {
		return c, nil
	}
	c.Operator, c.IfExists = strings.CutSuffix(c.Operator, "IfExists")
	var plain string
	plain, c.negated = positive(c.Operator)
	c.test = known[plain]
	if c.test == nil || (c.ForAll && c.ForAny) {
		return c, fmt.Errorf("invalid condition operator %q", written)
	}
	return c, nil
}

// checkValues refuses values that the operator could never compare: a condition
// that cannot be met, or that is always met, is a mistake.
func (c Condition) checkValues() error {
	if len(c.Values) == 0 {
		return fmt.Errorf("there is no value to compare with")
	}
	plain, _ := positive(c.Operator)
	for _, v := range c.Values {
		valid := true
		switch {
		case plain == operatorNull || plain == "Bool":
			valid = strings.EqualFold(v, "true") || strings.EqualFold(v, "false")
		case strings.HasPrefix(plain, "Numeric"):
			_, err := strconv.ParseFloat(v, 64)
			valid = err == nil
		case strings.HasPrefix(plain, "Date"):
			_, valid = parseDate(v)
		case strings.HasPrefix(plain, "Arn"):
			valid = strings.Contains(v, "${") || isARN(v)
		case plain == "IpAddress":
			_, prefixErr := netip.ParsePrefix(v)
			_, err := netip.ParseAddr(v)
			valid = prefixErr == nil || err == nil
		}
		if !valid {
			return fmt.Errorf("the value %q is invalid for the operator", v)
		}
	}
	return nil
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
func (c Condition) holds(context map[string][]string, expand func(string) (string, bool)) bool {
	got := context[c.key]
	exists := len(got) > 0
	if c.Operator == operatorNull {
		return slices.ContainsFunc(c.Values, func(v string) bool { return strings.EqualFold(v, strconv.FormatBool(!exists)) })
	}
	if !exists {
		// A missing key satisfies negated operators, and ForAllValues; so AWS.
		return c.IfExists || c.ForAll || (c.negated && !c.ForAny)
	}
	wanted := make([]string, len(c.Values))
	for i, v := range c.Values {
		var known bool
		if wanted[i], known = expand(v); !known {
			return false // whatever the operator says of it
		}
	}
	one := func(value string) bool {
		hit := slices.ContainsFunc(wanted, func(want string) bool { return c.test(want, value) })
		return hit != c.negated
	}
	if c.ForAny {
		return slices.ContainsFunc(got, one)
	}
	return !slices.ContainsFunc(got, func(v string) bool { return !one(v) })
}
