package iam

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/query"
)

var (
	nameFormat = regexp.MustCompile(`^[\w+=,.@-]+$`)
	pathFormat = regexp.MustCompile(`^/$|^/[\x21-\x7E]*/$`)
)

const (
	maxRoleName   = 64
	maxPolicyName = 128
	maxTags       = 50
	maxTagKey     = 128
	maxTagValue   = 256
)

// invalid is what IAM answers if a parameter breaks the model's constraints.
func invalid(param, value, constraint string) *api.Error {
	return api.Errorf("ValidationError", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s",
		value, strings.ToLower(param[:1])+param[1:], constraint)
}

// name reads a required name.
func name(c *api.Call, param string, longest int) (string, error) {
	value := c.Params.Get(param)
	switch {
	case value == "":
		return "", invalid(param, value, "Member must not be null")
	case len(value) > longest:
		return "", invalid(param, value, fmt.Sprintf("Member must have length less than or equal to %d", longest))
	case !nameFormat.MatchString(value):
		return "", api.Errorf("ValidationError", "The specified value for %s is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-",
			strings.ToLower(param[:1])+param[1:])
	}
	return value, nil
}

// path reads an optional path.
func path(c *api.Call) (string, error) {
	value := c.Params.Get("Path")
	switch {
	case value == "":
		return "/", nil
	case len(value) > 512 || !pathFormat.MatchString(value):
		return "", api.Errorf("ValidationError", "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.")
	}
	return value, nil
}

// tags reads and checks the tags of a request.
func tags(c *api.Call) (map[string]string, error) {
	list := map[string]string{}
	for _, m := range query.Members(c.Params, "Tags") {
		key, value := m["Key"], m["Value"]
		switch {
		case key == "" || len(key) > maxTagKey:
			return nil, invalid("Tags", key, fmt.Sprintf("Member must have length between 1 and %d", maxTagKey))
		case len(value) > maxTagValue:
			return nil, invalid("Tags", value, fmt.Sprintf("Member must have length less than or equal to %d", maxTagValue))
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, api.Errorf("InvalidInput", "Tag keys must not begin with 'aws:'.")
		}
		if _, twice := list[key]; twice {
			return nil, api.Errorf("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		list[key] = value
	}
	return list, nil
}

// mergeTags adds tags to those a resource has.
func mergeTags(have, add map[string]string) (map[string]string, error) {
	merged := map[string]string{}
	for _, m := range []map[string]string{have, add} {
		for k, v := range m {
			merged[k] = v
		}
	}
	if len(merged) > maxTags {
		return nil, &api.Error{Code: "LimitExceeded", Message: fmt.Sprintf("The number of tags has reached the maximum limit of %d.", maxTags), HTTPStatus: 409}
	}
	return merged, nil
}

// pageInfo ends every list.
type pageInfo struct {
	IsTruncated bool
	Marker      string `xml:",omitempty"`
}

// page cuts the part of a list, ordered by key, that Marker and MaxItems ask for.
func page[T any](params url.Values, items []T, key func(T) string) ([]T, pageInfo, error) {
	limit := 100
	if v := params.Get("MaxItems"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 1000 {
			return nil, pageInfo{}, invalid("MaxItems", v, "Member must have value between 1 and 1000")
		}
		limit = n
	}
	if marker := params.Get("Marker"); marker != "" {
		last, err := base64.RawURLEncoding.DecodeString(marker)
		if err != nil {
			return nil, pageInfo{}, api.Errorf("ValidationError", "Invalid Marker.")
		}
		start, _ := slices.BinarySearchFunc(items, string(last)+"\x00", func(item T, target string) int { return strings.Compare(key(item), target) })
		items = items[start:]
	}
	if len(items) <= limit {
		return items, pageInfo{}, nil
	}
	items = items[:limit]
	return items, pageInfo{IsTruncated: true, Marker: base64.RawURLEncoding.EncodeToString([]byte(key(items[limit-1])))}, nil
}

func itself(s string) string { return s }
