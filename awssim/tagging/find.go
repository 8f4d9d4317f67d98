package tagging

import (
	"encoding/base64"
	"maps"
	"slices"

	"kargo.dev/kargo/awssim/api"
)

// Bounds of the API.
const (
	largestPage      = 100
	maxTagFilters    = 50
	maxFilterValues  = 20
	maxARNsToFind    = 100
	maxARNsToTag     = 20
	maxTagsToSet     = 50
	reservedTagStart = "aws:"
)

type getResourcesInput struct {
	PaginationToken     string
	TagFilters          []tagFilter
	ResourcesPerPage    int
	ResourceTypeFilters []string
	ResourceARNList     []string
}

// tagFilter matches resources that have the key, with one of the values if there are any.
type tagFilter struct {
	Key    string
	Values []string
}

func (f tagFilter) matches(tags map[string]string) bool {
	value, ok := tags[f.Key]
	return ok && (len(f.Values) == 0 || slices.Contains(f.Values, value))
}

type getResourcesOutput struct {
	PaginationToken        string
	ResourceTagMappingList []mapping
}

// mapping is a resource with its tags.
type mapping struct {
	ResourceARN string
	Tags        []tag
}

type tag struct {
	Key, Value string
}

func newMapping(r api.Resource) mapping {
	m := mapping{ResourceARN: r.ARN}
	for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
		m.Tags = append(m.Tags, tag{key, r.Tags[key]})
	}
	return m
}

func (in *getResourcesInput) check() error {
	if len(in.ResourceARNList) > 0 && (len(in.TagFilters) > 0 || len(in.ResourceTypeFilters) > 0 || in.PaginationToken != "") {
		return invalid("ResourceARNList cannot be combined with TagFilters, ResourceTypeFilters or PaginationToken.")
	}
	if len(in.TagFilters) > maxTagFilters || len(in.ResourceARNList) > maxARNsToFind || len(in.ResourceTypeFilters) > maxARNsToFind {
		return invalid("Too many filters.")
	}
	for _, f := range in.TagFilters {
		if f.Key == "" || len(f.Values) > maxFilterValues {
			return invalid("A tag filter must have a key and at most %d values.", maxFilterValues)
		}
	}
	if in.ResourcesPerPage < 0 || in.ResourcesPerPage > largestPage {
		return invalid("ResourcesPerPage must be between 1 and %d.", largestPage)
	}
	return nil
}

// matches tells whether all filters match a resource.
func (in *getResourcesInput) matches(r api.Resource) bool {
	if len(in.ResourceARNList) > 0 && !slices.Contains(in.ResourceARNList, r.ARN) {
		return false
	}
	if len(in.ResourceTypeFilters) > 0 {
		p, ok := parseARN(r.ARN)
		if !ok || !slices.Contains(in.ResourceTypeFilters, p.service) && !slices.Contains(in.ResourceTypeFilters, p.service+":"+p.resourceType()) {
			return false
		}
	}
	return !slices.ContainsFunc(in.TagFilters, func(f tagFilter) bool { return !f.matches(r.Tags) })
}

func (s *Service) getResources(c *api.Call, in getResourcesInput) (any, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	list := slices.DeleteFunc(s.tagged(c), func(r api.Resource) bool { return !in.matches(r) })
	page, next, err := paginate(list, in.PaginationToken, in.ResourcesPerPage, func(r api.Resource) string { return r.ARN })
	if err != nil {
		return nil, err
	}
	out := getResourcesOutput{PaginationToken: next, ResourceTagMappingList: []mapping{}}
	for _, r := range page {
		out.ResourceTagMappingList = append(out.ResourceTagMappingList, newMapping(r))
	}
	return out, nil
}

// paginate cuts an ordered list. A token names the last element of the page before.
func paginate[T any](list []T, token string, size int, id func(T) string) (page []T, next string, err error) {
	if token != "" {
		last, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return nil, "", invalid("The pagination token is invalid.")
		}
		list = slices.DeleteFunc(list, func(v T) bool { return id(v) <= string(last) })
	}
	if size == 0 {
		size = largestPage
	}
	if len(list) <= size {
		return list, "", nil
	}
	return list[:size], base64.RawURLEncoding.EncodeToString([]byte(id(list[size-1]))), nil
}

type getTagKeysInput struct {
	PaginationToken string
}

type getTagKeysOutput struct {
	PaginationToken string
	TagKeys         []string
}

func (s *Service) getTagKeys(c *api.Call, in getTagKeysInput) (any, error) {
	keys := map[string]bool{}
	for _, r := range s.tagged(c) {
		for key := range r.Tags {
			keys[key] = true
		}
	}
	page, next, err := paginate(slices.Sorted(maps.Keys(keys)), in.PaginationToken, 0, func(key string) string { return key })
	return getTagKeysOutput{next, page}, err
}

type getTagValuesInput struct {
	Key             string
	PaginationToken string
}

type getTagValuesOutput struct {
	PaginationToken string
	TagValues       []string
}

func (s *Service) getTagValues(c *api.Call, in getTagValuesInput) (any, error) {
	if in.Key == "" {
		return nil, invalid("Key is required.")
	}
	values := map[string]bool{}
	for _, r := range s.tagged(c) {
		if value, ok := r.Tags[in.Key]; ok {
			values[value] = true
		}
	}
	page, next, err := paginate(slices.Sorted(maps.Keys(values)), in.PaginationToken, 0, func(value string) string { return value })
	return getTagValuesOutput{next, page}, err
}
