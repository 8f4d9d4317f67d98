package autoscaling

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/query"
)

func (g *group) setSubnets(ids []string) { g.Subnets = strings.Join(ids, ",") }

// validation is AWS's answer to parameters that make no sense.
func validation(format string, args ...any) error {
	return api.Errorf("ValidationError", format, args...)
}

// find returns the group that the call names.
func (s *Service) find(c *api.Call) (group, error) {
	name := c.Params.Get("AutoScalingGroupName")
	v, ok := s.groups.Get(c.Caller.AccountID, c.Region, name)
	if !ok {
		return v, validation("AutoScalingGroup name not found - null")
	}
	return v, nil
}

func (s *Service) save(c *api.Call, v group) (any, error) {
	return nil, s.groups.Put(c.Caller.AccountID, c.Region, v.Name, v)
}

type describeGroupsResult struct {
	Groups []group `xml:"AutoScalingGroups>member"`
	Next   string  `xml:"NextToken,omitempty"`
}

// describeGroups leaves out groups that do not exist, as AWS does.
func (s *Service) describeGroups(c *api.Call) (any, error) {
	list := s.groups.List(c.Caller.AccountID, c.Region)
	if names := query.Strings(c.Params, "AutoScalingGroupNames"); len(names) > 0 {
		list = slices.DeleteFunc(list, func(v group) bool { return !slices.Contains(names, v.Name) })
	}
	for _, f := range filters(c) {
		match, ok := groupFilter(f)
		if !ok {
			return nil, validation("Filter type %s is not correct. Allowed Filter types are: [tag-key, tag-value, tag:<key>]", f.name)
		}
		list = slices.DeleteFunc(list, func(v group) bool { return !slices.ContainsFunc(v.Tags, match) })
	}
	if c.Params.Get("IncludeInstances") == "false" {
		for i := range list {
			list[i].Instances = nil
		}
	}
	page, next, err := paginate(c, list, func(v group) string { return v.Name })
	return describeGroupsResult{page, next}, err
}

// groupFilter makes a condition on a group's tags.
func groupFilter(f filter) (match func(tag) bool, ok bool) {
	key, ofKey := strings.CutPrefix(f.name, "tag:")
	switch {
	case ofKey:
		return func(t tag) bool { return t.Key == key && slices.Contains(f.values, t.Value) }, true
	case f.name == "tag-key":
		return func(t tag) bool { return slices.Contains(f.values, t.Key) }, true
	case f.name == "tag-value":
		return func(t tag) bool { return slices.Contains(f.values, t.Value) }, true
	}
	return nil, false
}

// instanceDetails is a line of DescribeAutoScalingInstances.
type instanceDetails struct {
	groupInstance
	Group string `xml:"AutoScalingGroupName"`
}

type describeInstancesResult struct {
	Instances []instanceDetails `xml:"AutoScalingInstances>member"`
	Next      string            `xml:"NextToken,omitempty"`
}

func (s *Service) describeInstances(c *api.Call) (any, error) {
	ids := query.Strings(c.Params, "InstanceIds")
	var list []instanceDetails
	for _, v := range s.groups.List(c.Caller.AccountID, c.Region) {
		for _, i := range v.Instances {
			if len(ids) == 0 || slices.Contains(ids, i.ID) {
				list = append(list, instanceDetails{i, v.Name})
			}
		}
	}
	slices.SortFunc(list, func(a, b instanceDetails) int { return strings.Compare(a.ID, b.ID) })
	page, next, err := paginate(c, list, func(i instanceDetails) string { return i.ID })
	return describeInstancesResult{page, next}, err
}

func (s *Service) setDesiredCapacity(c *api.Call) (any, error) {
	v, err := s.find(c)
	if err != nil {
		return nil, err
	}
	desired, err := strconv.Atoi(c.Params.Get("DesiredCapacity"))
	if err != nil {
		return nil, validation("DesiredCapacity must be a number")
	}
	switch {
	case desired > v.Max:
		return nil, validation("New SetDesiredCapacity value %d is above max value %d for the AutoScalingGroup.", desired, v.Max)
	case desired < v.Min:
		return nil, validation("New SetDesiredCapacity value %d is below min value %d for the AutoScalingGroup.", desired, v.Min)
	}
	v.Desired = desired
	return s.save(c, v)
}

// updateGroup changes sizes and subnets; other parameters are read over.
func (s *Service) updateGroup(c *api.Call) (any, error) {
	v, err := s.find(c)
	if err != nil {
		return nil, err
	}
	_, desiredAsked := c.Params["DesiredCapacity"]
	for param, value := range map[string]*int{"MinSize": &v.Min, "MaxSize": &v.Max, "DesiredCapacity": &v.Desired} {
		text := c.Params.Get(param)
		if text == "" {
			continue
		}
		if *value, err = strconv.Atoi(text); err != nil || *value < 0 {
			return nil, validation("%s must be a number that is not negative", param)
		}
	}
	if subnets := c.Params.Get("VPCZoneIdentifier"); subnets != "" {
		v.Subnets = subnets
	}
	if !desiredAsked { // AWS moves it into the new bounds
		v.Desired = min(max(v.Desired, v.Min), v.Max)
	}
	switch {
	case v.Min > v.Max:
		return nil, validation("Max bound, %d, must be greater than or equal to min bound, %d", v.Max, v.Min)
	case v.Desired < v.Min || v.Desired > v.Max:
		return nil, validation("Desired capacity:%d must be between the specified min size:%d and max size:%d", v.Desired, v.Min, v.Max)
	}
	return s.save(c, v)
}

type describeLifecycleHooksResult struct {
	Hooks struct{} `xml:"LifecycleHooks"`
}

// describeLifecycleHooks: there are none, as no operation makes them.
func (s *Service) describeLifecycleHooks(c *api.Call) (any, error) {
	_, err := s.find(c)
	return describeLifecycleHooksResult{}, err
}

type describeScalingActivitiesResult struct {
	Activities struct{} `xml:"Activities"`
}

// describeScalingActivities: the simulator keeps no history of a group.
func (s *Service) describeScalingActivities(*api.Call) (any, error) {
	return describeScalingActivitiesResult{}, nil
}

// Sizes of a page.
const (
	usualPage   = 50
	largestPage = 100
)

// paginate cuts a list ordered by id. A token names the last id of the page before.
func paginate[T any](c *api.Call, list []T, id func(T) string) (page []T, next string, err error) {
	if token := c.Params.Get("NextToken"); token != "" {
		last, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil {
			return nil, "", api.Errorf("InvalidNextToken", "The token '%s' is invalid.", token)
		}
		list = slices.DeleteFunc(list, func(v T) bool { return id(v) <= string(last) })
	}
	size := usualPage
	if text := c.Params.Get("MaxRecords"); text != "" {
		if size, err = strconv.Atoi(text); err != nil || size < 1 || size > largestPage {
			return nil, "", validation("MaxRecords must be between 1 and %d", largestPage)
		}
	}
	if len(list) <= size {
		return list, "", nil
	}
	return list[:size], base64.RawURLEncoding.EncodeToString([]byte(id(list[size-1]))), nil
}
