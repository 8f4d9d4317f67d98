package policy

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// operatorNull asks whether a key is missing.
const operatorNull = "Null"

// test compares a value of the policy, with its variables replaced, with one of the request.
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
	equals := func(w, g string) bool { return unquoted(w) == g }
	fold := func(w, g string) bool { return strings.EqualFold(unquoted(w), g) }
	less, lessEq := func(c int) bool { return c < 0 }, func(c int) bool { return c <= 0 }
	greater, greaterEq := func(c int) bool { return c > 0 }, func(c int) bool { return c >= 0 }
	equal := func(c int) bool { return c == 0 }
	return map[string]test{
		"StringEquals":             equals,
		"StringEqualsIgnoreCase":   fold,
		"StringLike":               func(w, g string) bool { return match(w, g, false) },
		"ArnEquals":                matchARN, // the same as ArnLike, says AWS
		"ArnLike":                  matchARN,
		"Bool":                     fold,
		"BinaryEquals":             equals,
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
