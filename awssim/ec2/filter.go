package ec2

import (
	"slices"
	"strconv"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

// filter is one of a Describe call's filters: it matches what has one of the
// values. All filters of a call must match.
type filter struct {
	name   string
	values []string
}

// filters of the request (Filter.1.Name, Filter.1.Value.1, ...).
func (r *request) filters() []filter {
	var list []filter
	for _, f := range r.structs("Filter") {
		list = append(list, filter{name: f.text("Name"), values: f.list("Value")})
	}
	return list
}

// matches tells whether one of the values matches one of the filter's patterns.
func (f filter) matches(values []string) bool {
	return slices.ContainsFunc(f.values, func(pattern string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return wildcard(pattern, v) })
	})
}

// wildcard matches * (any characters) and ? (one character); \ takes the next
// character literally. Matching is case-sensitive, as AWS's is.
func wildcard(pattern, s string) bool {
	// What to go back to when the text after the last star does not match: that
	// star takes one character more. Only the last star ever has to.
	afterStar, rest, starred := "", "", false
	for pattern != "" || s != "" {
		if strings.HasPrefix(pattern, "*") {
			pattern = pattern[1:]
			afterStar, rest, starred = pattern, s, true
			continue
		}
		if next, ok := matchOne(pattern, s); ok {
			pattern, s = next, s[1:]
			continue
		}
		if !starred || rest == "" {
			return false
		}
		rest = rest[1:]
		pattern, s = afterStar, rest
	}
	return true
}

// matchOne matches the pattern's first character, which is no star, with that
// of s, and returns the pattern's rest. A backslash takes the next one as it is.
func matchOne(pattern, s string) (rest string, ok bool) {
	if pattern == "" || s == "" {
		return "", false
	}
	if pattern[0] == '\\' && len(pattern) > 1 {
		return pattern[2:], pattern[1] == s[0]
	}
	return pattern[1:], pattern[0] == '?' || pattern[0] == s[0]
}

// filter keeps what the request's filters match.
func (k *kind[T]) filter(r *request, list []T) ([]T, error) {
	return applyFilters(r.filters(), list, func(name string) func(*T) []string {
		if values, ok := k.filters[name]; ok {
			return values
		}
		return tagFilter(name, k.tags)
	})
}

// applyFilters keeps the elements that all filters match. The lookup returns how to
// read an element's values for a filter, or nil for a filter that AWS does not know.
func applyFilters[T any](filters []filter, list []T, lookup func(name string) func(*T) []string) ([]T, error) {
	for _, f := range filters {
		values := lookup(f.name)
		if values == nil {
			return nil, api.Errorf("InvalidParameterValue", "The filter '%s' is invalid", f.name)
		}
		list = slices.DeleteFunc(list, func(v T) bool { return !f.matches(values(&v)) })
	}
	return list, nil
}

// tagFilter reads the values for tag:KEY, tag-key and tag-value.
func tagFilter[T any](name string, tags func(*T) *Tags) func(*T) []string {
	if key, ok := strings.CutPrefix(name, "tag:"); ok {
		return func(v *T) []string {
			value, ok := tags(v).get(key)
			if !ok {
				return nil
			}
			return []string{value}
		}
	}
	switch name {
	case "tag-key":
		return func(v *T) []string { return each(*tags(v), func(t Tag) string { return t.Key }) }
	case "tag-value":
		return func(v *T) []string { return each(*tags(v), func(t Tag) string { return t.Value }) }
	}
	return nil
}

// one makes a filter of a single text.
func one[T any](text func(*T) string) func(*T) []string {
	return func(v *T) []string { return []string{text(v)} }
}

// yesNo makes a filter of a boolean.
func yesNo[T any](b func(*T) bool) func(*T) []string {
	return func(v *T) []string { return []string{strconv.FormatBool(b(v))} }
}

// each maps a slice.
func each[S ~[]E, E, R any](s S, f func(E) R) []R {
	out := make([]R, 0, len(s))
	for _, e := range s {
		out = append(out, f(e))
	}
	return out
}

// keep drops what does not match.
func keep[T any](list []T, match func(T) bool) []T {
	return slices.DeleteFunc(list, func(v T) bool { return !match(v) })
}
