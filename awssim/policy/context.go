package policy

import (
	"maps"
	"slices"
)

// Set sets a key to the values that are not empty; without any it stays missing.
func (c Context) Set(key string, values ...string) {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
	if len(values) > 0 {
		c[key] = values
	}
}

// RequestTags sets the keys of tags that a call gives to a resource.
func (c Context) RequestTags(tags map[string]string) {
	for key, value := range tags {
		c["aws:RequestTag/"+key] = []string{value}
	}
	c.Set("aws:TagKeys", slices.Sorted(maps.Keys(tags))...)
}

// ResourceTags sets the keys of tags that a resource has: AWS's general ones, and
// those of the service if it has its own.
func (c Context) ResourceTags(service string, tags map[string]string) {
	for key, value := range tags {
		c["aws:ResourceTag/"+key] = []string{value}
		if service != "" {
			c[service+":ResourceTag/"+key] = []string{value}
		}
	}
}
