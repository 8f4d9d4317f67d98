package autoscaling

import (
	"fmt"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/awssim/query"
)

var _ api.Guarded = (*Service)(nil)

// Permissions implements api.Guarded, after
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2autoscaling.html.
func (s *Service) Permissions(c *api.Call) []policy.Permission {
	action := "autoscaling:" + c.Operation
	switch c.Operation {
	case "SetDesiredCapacity", "UpdateAutoScalingGroup":
		p := s.about(c, action, c.Params.Get("AutoScalingGroupName"))
		if c.Operation == "UpdateAutoScalingGroup" {
			p.Context.Set("autoscaling:MinSize", c.Params.Get("MinSize"))
			p.Context.Set("autoscaling:MaxSize", c.Params.Get("MaxSize"))
		}
		return []policy.Permission{p}
	case "CreateOrUpdateTags", "DeleteTags":
		tags := map[string]map[string]string{} // by group
		var names []string
		for _, m := range query.Members(c.Params, "Tags") {
			name := m["ResourceId"]
			if tags[name] == nil {
				tags[name] = map[string]string{}
				names = append(names, name)
			}
			tags[name][m["Key"]] = m["Value"]
		}
		var list []policy.Permission
		for _, name := range names {
			p := s.about(c, action, name)
			p.Context.RequestTags(tags[name])
			list = append(list, p)
		}
		if len(list) > 0 {
			return list
		}
	}
	return []policy.Permission{{Action: action, Resource: "*"}}
}

// about is the permission for a group.
func (s *Service) about(c *api.Call, action, name string) policy.Permission {
	p := policy.Permission{
		Action: action, Context: policy.Context{},
		Resource: fmt.Sprintf("arn:aws:autoscaling:%s:%s:autoScalingGroup:*:autoScalingGroupName/%s", c.Region, c.Caller.AccountID, name),
	}
	if g, ok := s.groups.Get(c.Caller.AccountID, c.Region, name); ok {
		p.Resource = g.ARN
		p.Context.ResourceTags(serviceName, g.tagMap())
	}
	return p
}
