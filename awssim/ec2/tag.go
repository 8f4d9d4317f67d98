package ec2

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

// Tag is a key and a value on a resource.
type Tag struct {
	Key   string `xml:"key"`
	Value string `xml:"value"`
}

// Tags of a resource, ordered by key.
type Tags []Tag

// reservedTags is the prefix of tags that only AWS itself sets.
const reservedTags = "aws:"

// newTags makes Tags of a map.
func newTags(m map[string]string) Tags {
	var t Tags
	for _, key := range slices.Sorted(maps.Keys(m)) {
		t = append(t, Tag{key, m[key]})
	}
	return t
}

func (t Tags) get(key string) (string, bool) {
	i, ok := t.find(key)
	if !ok {
		return "", false
	}
	return t[i].Value, true
}

func (t Tags) find(key string) (int, bool) {
	return slices.BinarySearchFunc(t, key, func(tag Tag, key string) int { return cmp.Compare(tag.Key, key) })
}

// with returns the tags with one set.
func (t Tags) with(tag Tag) Tags {
	i, ok := t.find(tag.Key)
	if ok {
		t[i] = tag
		return t
	}
	return slices.Insert(t, i, tag)
}

func (t Tags) asMap() map[string]string {
	if len(t) == 0 {
		return nil
	}
	m := make(map[string]string, len(t))
	for _, tag := range t {
		m[tag.Key] = tag.Value
	}
	return m
}

// checkTag applies AWS's rules for a tag that a user sets.
func checkTag(t Tag) error {
	switch {
	case t.Key == "":
		return api.Errorf("InvalidParameterValue", "Tag keys cannot be empty.")
	case strings.HasPrefix(strings.ToLower(t.Key), reservedTags):
		return api.Errorf("InvalidParameterValue",
			"Value ( %s ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use", t.Key)
	case len([]rune(t.Key)) > 127:
		return api.Errorf("InvalidParameterValue", "Tag key exceeds the maximum length of 127 characters.")
	case len([]rune(t.Value)) > 255:
		return api.Errorf("InvalidParameterValue", "Tag value exceeds the maximum length of 255 characters.")
	}
	return nil
}

// add returns the tags with more set, by a user.
func (sc scope) addTags(t Tags, more []Tag) (Tags, error) {
	for _, tag := range more {
		if err := checkTag(tag); err != nil {
			return nil, err
		}
		t = t.with(tag)
	}
	own := 0
	for _, tag := range t {
		if !strings.HasPrefix(tag.Key, reservedTags) {
			own++
		}
	}
	if own > maxTagsPerResource {
		return nil, api.Errorf("TagLimitExceeded", "The maximum number of Tags for a resource has been reached.")
	}
	return t, nil
}

// newTags of a resource that the request makes, from its TagSpecification list.
func (r *request) newTags(resourceType string) (Tags, error) {
	var tags Tags
	for _, spec := range r.structs("TagSpecification") {
		if spec.text("ResourceType") != resourceType {
			return nil, api.Errorf("InvalidParameterValue",
				"'%s' is not a valid taggable resource type for this operation.", spec.text("ResourceType"))
		}
		var err error
		if tags, err = r.addTags(tags, spec.tags()); err != nil {
			return nil, err
		}
	}
	return tags, nil
}

// tags of the form's Tag list.
func (f form) tags() []Tag {
	return each(f.structs("Tag"), func(t form) Tag { return Tag{t.text("Key"), t.text("Value")} })
}

func tagOperations() map[string]handler {
	return map[string]handler{
		"CreateTags":   (*request).createTags,
		"DeleteTags":   (*request).deleteTags,
		"DescribeTags": (*request).describeTags,
	}
}

func (r *request) createTags() (any, error) {
	tags := r.tags()
	if len(tags) == 0 {
		return nil, api.Errorf("MissingParameter", "The request must contain the parameter Tag")
	}
	return r.editTags(func(t Tags) (Tags, error) { return r.addTags(t, tags) })
}

func (r *request) deleteTags() (any, error) {
	asked := r.structs("Tag")
	return r.editTags(func(t Tags) (Tags, error) {
		return slices.DeleteFunc(t, func(tag Tag) bool {
			if strings.HasPrefix(tag.Key, reservedTags) {
				return false
			}
			return len(asked) == 0 || slices.ContainsFunc(asked, func(f form) bool {
				return f.text("Key") == tag.Key && (!f.Has("Value") || f.text("Value") == tag.Value)
			})
		}), nil
	})
}

// editTags changes the tags of all resources of the request, or of none if one is missing.
func (r *request) editTags(edit func(Tags) (Tags, error)) (any, error) {
	ids := r.list("ResourceId")
	if len(ids) == 0 {
		return nil, api.Errorf("MissingParameter", "The request must contain the parameter resourceIdSet")
	}
	check := func(t Tags) (Tags, error) {
		_, err := edit(slices.Clone(t))
		return t, err
	}
	for _, pass := range []func(Tags) (Tags, error){check, edit} {
		for _, id := range ids {
			if err := r.scope.editTags(id, pass); err != nil {
				return nil, err
			}
		}
	}
	return done()
}

// editTags changes the tags of one resource of any kind.
func (sc scope) editTags(id string, edit func(Tags) (Tags, error)) error {
	for _, k := range sc.kinds {
		if k.owns(id) {
			return k.editTags(sc, id, edit)
		}
	}
	return api.Errorf("InvalidID", "The ID '%s' is not valid", id)
}

// tagDescription is a line of DescribeTags.
type tagDescription struct {
	ResourceID   string `xml:"resourceId"`
	ResourceType string `xml:"resourceType"`
	Key          string `xml:"key"`
	Value        string `xml:"value"`
}

func (r *request) describeTags() (any, error) {
	var list []tagDescription
	for _, k := range r.kinds {
		k.eachTags(r.scope, func(id string, tags Tags) {
			for _, t := range tags {
				list = append(list, tagDescription{id, k.typeName(), t.Key, t.Value})
			}
		})
	}
	position := func(t *tagDescription) string { return t.ResourceID + " " + t.Key }
	slices.SortFunc(list, func(a, b tagDescription) int { return cmp.Compare(position(&a), position(&b)) })
	filters := map[string]func(*tagDescription) []string{
		"resource-id":   one(func(t *tagDescription) string { return t.ResourceID }),
		"resource-type": one(func(t *tagDescription) string { return t.ResourceType }),
		"key":           one(func(t *tagDescription) string { return t.Key }),
		"value":         one(func(t *tagDescription) string { return t.Value }),
	}
	list, err := applyFilters(r.filters(), list, func(name string) func(*tagDescription) []string {
		if key, ok := strings.CutPrefix(name, "tag:"); ok {
			return func(t *tagDescription) []string {
				if t.Key != key {
					return nil
				}
				return []string{t.Value}
			}
		}
		return filters[name]
	})
	if err != nil {
		return nil, err
	}
	page, next, err := paginate(r, list, position, 5)
	if err != nil {
		return nil, err
	}
	return answer{{"tagSet", page}, {"nextToken", next}}, nil
}
