package autoscaling

import (
	"slices"
	"strconv"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/query"
)

// resourceType of groups in tags and the inventory.
const resourceType = "auto-scaling-group"

// maxTags of a group.
const maxTags = 50

// tag of a group as it is stored and answered.
type tag struct {
	Key          string `xml:"Key"`
	Value        string `xml:"Value"`
	Propagate    bool   `xml:"PropagateAtLaunch"`
	GroupName    string `xml:"ResourceId"`
	ResourceType string `xml:"ResourceType"`
}

func (g *group) tagMap() map[string]string {
	m := make(map[string]string, len(g.Tags))
	for _, t := range g.Tags {
		m[t.Key] = t.Value
	}
	return m
}

// setTag sets one tag, keeping the order by key.
func (g *group) setTag(t tag) {
	i, ok := slices.BinarySearchFunc(g.Tags, t.Key, func(o tag, key string) int { return strings.Compare(o.Key, key) })
	if ok {
		g.Tags[i] = t
		return
	}
	g.Tags = slices.Insert(g.Tags, i, t)
}

// editTags reads the call's tags and changes the group of each.
func (s *Service) editTags(c *api.Call, edit func(*group, tag) error) (any, error) {
	asked := query.Members(c.Params, "Tags")
	if len(asked) == 0 {
		return nil, validation("1 validation error detected: Value null at 'tags' failed to satisfy constraint: Member must not be null")
	}
	changed := map[string]group{}
	for _, m := range asked {
		name := m["ResourceId"]
		g, ok := changed[name]
		if !ok {
			if g, ok = s.groups.Get(c.Caller.AccountID, c.Region, name); !ok {
				return nil, validation("The resource %s does not exist.", name)
			}
		}
		propagate, _ := strconv.ParseBool(m["PropagateAtLaunch"])
		t := tag{Key: m["Key"], Value: m["Value"], Propagate: propagate, GroupName: name, ResourceType: resourceType}
		if err := edit(&g, t); err != nil {
			return nil, err
		}
		changed[name] = g
	}
	for _, g := range changed {
		if _, err := s.save(c, g); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (s *Service) createOrUpdateTags(c *api.Call) (any, error) {
	return s.editTags(c, func(g *group, t tag) error {
		if t.Key == "" || strings.HasPrefix(strings.ToLower(t.Key), "aws:") {
			return validation("Tag key %q is empty or starts with the reserved prefix aws:", t.Key)
		}
		g.setTag(t)
		if len(g.Tags) > maxTags {
			return api.Errorf("LimitExceeded", "A group can have at most %d tags.", maxTags)
		}
		return nil
	})
}

func (s *Service) deleteTags(c *api.Call) (any, error) {
	return s.editTags(c, func(g *group, t tag) error {
		g.Tags = slices.DeleteFunc(g.Tags, func(o tag) bool { return o.Key == t.Key })
		return nil
	})
}

// EditTags sets and removes tags of a group by its ARN, for the tagging API.
func (s *Service) EditTags(account, region, arn string, set map[string]string, remove []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, g := range s.groups.List(account, region) {
		if g.ARN != arn {
			continue
		}
		g.Tags = slices.DeleteFunc(g.Tags, func(t tag) bool { return slices.Contains(remove, t.Key) })
		for key, value := range set {
			g.setTag(tag{Key: key, Value: value, GroupName: g.Name, ResourceType: resourceType})
		}
		return s.groups.Put(account, region, g.Name, g)
	}
	return validation("The resource %s does not exist.", arn)
}

// filter is one of a call's filters: it matches what has one of the values.
type filter struct {
	name   string
	values []string
}

func filters(c *api.Call) []filter {
	var list []filter
	for _, m := range query.Members(c.Params, "Filters") {
		f := filter{name: m["Name"]}
		for field, value := range m {
			if strings.HasPrefix(field, "Values.member.") {
				f.values = append(f.values, value)
			}
		}
		list = append(list, f)
	}
	return list
}

type describeTagsResult struct {
	Tags []tag  `xml:"Tags>member"`
	Next string `xml:"NextToken,omitempty"`
}

func (s *Service) describeTags(c *api.Call) (any, error) {
	var list []tag
	for _, g := range s.groups.List(c.Caller.AccountID, c.Region) {
		list = append(list, g.Tags...)
	}
	for _, f := range filters(c) {
		field, ok := map[string]func(tag) string{
			"auto-scaling-group":  func(t tag) string { return t.GroupName },
			"key":                 func(t tag) string { return t.Key },
			"value":               func(t tag) string { return t.Value },
			"propagate-at-launch": func(t tag) string { return strconv.FormatBool(t.Propagate) },
		}[f.name]
		if !ok {
			return nil, validation("Filter type %s is not correct. Allowed Filter types are: "+
				"[auto-scaling-group, key, value, propagate-at-launch]", f.name)
		}
		list = slices.DeleteFunc(list, func(t tag) bool { return !slices.Contains(f.values, field(t)) })
	}
	position := func(t tag) string { return t.GroupName + "\x00" + t.Key }
	slices.SortFunc(list, func(a, b tag) int { return strings.Compare(position(a), position(b)) })
	page, next, err := paginate(c, list, position)
	return describeTagsResult{page, next}, err
}
