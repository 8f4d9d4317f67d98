// Package query reads lists of the AWS query protocol, in which
// Tags.member.2.Key is the Key of the second tag.
package query

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Members returns the elements of a list parameter in order. An element is a
// map of its fields; that of a list of plain values has the one field "".
// Gaps in the numbering are closed; malformed names are ignored.
func Members(form url.Values, list string) []map[string]string {
	prefix := list + ".member."
	byIndex := map[int]map[string]string{}
	for name, values := range form {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok || len(values) == 0 {
			continue
		}
		number, field, _ := strings.Cut(rest, ".")
		index, err := strconv.Atoi(number)
		if err != nil || index < 1 {
			continue
		}
		if byIndex[index] == nil {
			byIndex[index] = map[string]string{}
		}
		byIndex[index][field] = values[0]
	}
	members := make([]map[string]string, 0, len(byIndex))
	for _, index := range slices.Sorted(maps.Keys(byIndex)) {
		members = append(members, byIndex[index])
	}
	return members
}

// Strings returns the elements of a list of plain values.
func Strings(form url.Values, list string) []string {
	var values []string
	for _, m := range Members(form, list) {
		if v, ok := m[""]; ok {
			values = append(values, v)
		}
	}
	return values
}
