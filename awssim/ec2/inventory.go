package ec2

import (
	"cmp"
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

// Inventory implements api.Service. What AWS still shows of deleted resources
// is left out.
func (s *Service) Inventory(account string) []api.Resource {
	now := s.clock.Now()
	regions := each(s.transitions.List(account, ""), func(t transition) string { return t.Region })
	for _, region := range slices.Compact(slices.Sorted(slices.Values(regions))) {
		if _, done, err := s.enter(account, region, now); err == nil {
			done()
		}
	}
	var lines []api.Resource
	for _, k := range s.kinds {
		lines = append(lines, k.inventory(account)...)
	}
	slices.SortStableFunc(lines, func(a, b api.Resource) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.ID, b.ID))
	})
	return lines
}

// EditTags sets and removes tags of the resource with an ARN, for the tagging API.
func (s *Service) EditTags(account, region, arn string, set map[string]string, remove []string) error {
	sc, done, err := s.enter(account, region, s.clock.Now())
	if err != nil {
		return err
	}
	defer done()
	id := arn[strings.LastIndex(arn, "/")+1:]
	return sc.editTags(id, func(t Tags) (Tags, error) {
		t = slices.DeleteFunc(t, func(tag Tag) bool {
			return slices.Contains(remove, tag.Key) && !strings.HasPrefix(tag.Key, reservedTags)
		})
		return sc.addTags(t, newTags(set))
	})
}
