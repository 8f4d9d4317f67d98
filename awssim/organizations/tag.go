package organizations

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/jsonapi"
)

const maxTags = 50

// tag of a root, unit, account or policy.
type tag struct {
	Key   string
	Value string
}

func (s *Service) tagOperations() []operation {
	return []operation{
		{"TagResource", management, jsonapi.Handle(s.tagResource)},
		{"UntagResource", management, jsonapi.Handle(s.untagResource)},
		{"ListTagsForResource", delegated, jsonapi.Handle(s.listTags)},
	}
}

// newTags are a resource's tags with more of them, checked.
func newTags(have map[string]string, more []tag) (map[string]string, error) {
	tags, given := maps.Clone(have), map[string]bool{}
	if tags == nil {
		tags = map[string]string{}
	}
	for _, t := range more {
		switch {
		case t.Key == "" || len(t.Key) > 128 || len(t.Value) > 256:
			return nil, invalid("INVALID_PATTERN", "You specified an invalid key or value of a tag.")
		case strings.HasPrefix(strings.ToLower(t.Key), "aws:"):
			return nil, invalid("INVALID_SYSTEM_TAGS_PARAMETER", "You specified a tag key that is a system tag. You can't add, edit, or delete system tag keys.")
		case given[t.Key]:
			return nil, invalid("DUPLICATE_TAG_KEY", "Tag keys must be unique among the tags attached to the same entity.")
		}
		given[t.Key] = true
		tags[t.Key] = t.Value
	}
	if len(tags) > maxTags {
		return nil, constraint("MAX_TAG_LIMIT_EXCEEDED", "You have exceeded the number of tags, which is %d.", maxTags)
	}
	return tags, nil
}

func (t *Tree) tagsOf(id string) map[string]string {
	tags, _ := t.tags.Get("", "", id)
	return tags
}

func (t *Tree) putTags(id string, tags map[string]string) error {
	if err := t.tags.Put("", "", id, tags); err != nil {
		return fmt.Errorf("keep the tags of %s: %w", id, err)
	}
	return nil
}

// forget removes what is kept of an id beside what it names.
func (t *Tree) forget(id string) error {
	if err := errors.Join(t.tags.Delete("", "", id), t.attachments.Delete("", "", id)); err != nil {
		return fmt.Errorf("forget %s: %w", id, err)
	}
	return nil
}

type resourceInput struct {
	ID string `json:"ResourceId"`
}

// resource checks that something with tags has that id.
func (s *Service) resource(id string) error {
	if _, ok := s.policies.Get("", "", id); ok {
		return nil
	}
	_, err := s.target(id)
	return err
}

func (s *Service) tagResource(_ *api.Call, in struct {
	resourceInput
	Tags []tag
}) (any, error) {
	if err := s.resource(in.ID); err != nil {
		return nil, err
	}
	tags, err := newTags(s.tagsOf(in.ID), in.Tags)
	if err != nil {
		return nil, err
	}
	return nil, s.putTags(in.ID, tags)
}

func (s *Service) untagResource(_ *api.Call, in struct {
	resourceInput
	TagKeys []string
}) (any, error) {
	if err := s.resource(in.ID); err != nil {
		return nil, err
	}
	tags := maps.Clone(s.tagsOf(in.ID))
	maps.DeleteFunc(tags, func(key, _ string) bool { return slices.Contains(in.TagKeys, key) })
	return nil, s.putTags(in.ID, tags)
}

func (s *Service) listTags(_ *api.Call, in struct {
	resourceInput
	jsonapi.Paging
}) (any, error) {
	if err := s.resource(in.ID); err != nil {
		return nil, err
	}
	list := []tag{}
	for key, value := range s.tagsOf(in.ID) {
		list = append(list, tag{key, value})
	}
	list, next, err := jsonapi.Page(list, func(t tag) string { return t.Key }, in.Paging, jsonapi.Limits{
		Largest: maxTags, Usual: maxTags, // the call has no size
		Token: func(string) error {
			return invalid("INVALID_NEXT_TOKEN", "You specified an invalid value for NextToken.")
		},
	})
	if err != nil {
		return nil, err
	}
	return struct {
		Tags []tag
		jsonapi.Next
	}{list, next}, nil
}
