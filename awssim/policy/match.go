package policy

import "strings"

// A variable's value is taken literally, so its wildcards are quoted: as bytes
// that no ARN, tag or name can have.
const (
	quotedStar     = '\x01'
	quotedQuestion = '\x02'
)

func quoted(s string) string {
	return strings.NewReplacer("*", string(quotedStar), "?", string(quotedQuestion)).Replace(s)
}

func unquoted(s string) string {
	if !strings.ContainsAny(s, "\x01\x02") {
		return s
	}
	return strings.NewReplacer(string(quotedStar), "*", string(quotedQuestion), "?").Replace(s)
}

// literal is the character that a byte of a pattern stands for.
func literal(b byte) byte {
	switch b {
	case quotedStar:
		return '*'
	case quotedQuestion:
		return '?'
	}
	return b
}

// match compares with wildcards: * for any characters, ? for one.
func match(pattern, value string, fold bool) bool {
	if fold {
		pattern, value = strings.ToLower(pattern), strings.ToLower(value)
	}
	// The position after the last *, to go back to.
	star, from := -1, 0
	p, v := 0, 0
	for v < len(value) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, v
			p++
		case p < len(pattern) && (pattern[p] == '?' || literal(pattern[p]) == value[v]):
			p++
			v++
		case star >= 0:
			from++
			p, v = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// arnParts is how many parts an ARN has; the last one may hold colons.
const arnParts = 6

func isARN(s string) bool {
	return strings.HasPrefix(s, "arn:") && len(strings.SplitN(s, ":", arnParts)) == arnParts
}

// matchARN compares ARNs part by part, so that a wildcard does not reach over a colon
// except in the last part.
func matchARN(pattern, value string) bool {
	patterns, values := strings.SplitN(pattern, ":", arnParts), strings.SplitN(value, ":", arnParts)
	if len(patterns) != arnParts || len(values) != arnParts {
		return false
	}
	for i := range patterns {
		if !match(patterns[i], values[i], false) {
			return false
		}
	}
	return true
}

// matchResource compares an element of Resource with what is asked for: "*" is all,
// and the only one that fits a request that names no resource.
func matchResource(pattern, resource string) bool {
	return pattern == "*" || matchARN(pattern, resource)
}

// substitute replaces policy variables: ${aws:username}, ${aws:username, 'default'}, ${*}.
// It tells whether all of them are in the request: what holds one that is not
// matches nothing.
func substitute(pattern string, context map[string][]string) (string, bool) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(pattern, "${")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		name, after, closed := strings.Cut(rest, "}")
		value, known := variable(name, context)
		if !closed || !known {
			return "", false
		}
		b.WriteString(quoted(value))
		pattern = after
	}
}

func variable(name string, context map[string][]string) (string, bool) {
	if name == "*" || name == "?" || name == "$" {
		return name, true
	}
	key, fallback, hasFallback := strings.Cut(name, ",")
	values := context[strings.ToLower(strings.TrimSpace(key))]
	switch {
	case len(values) == 1:
		return values[0], true
	case hasFallback:
		return strings.Trim(strings.TrimSpace(fallback), "'"), true
	}
	return "", false
}
