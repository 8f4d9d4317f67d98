package tagging

import (
	"encoding/json"
	"slices"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/policy"
)

var _ api.Guarded = (*Service)(nil)

// Permissions implements api.Guarded. Tagging needs, beside the action of this API,
// that of the service whose resource it is. AWS would report each resource that
// lacks the latter; here the call is refused as a whole.
func (s *Service) Permissions(c *api.Call) []policy.Permission {
	list := []policy.Permission{{Action: "tag:" + c.Operation, Resource: "*"}}
	actions := map[string]map[string]string{
		"TagResources":   {"ec2": "ec2:CreateTags", "eks": "eks:TagResource", "autoscaling": "autoscaling:CreateOrUpdateTags"},
		"UntagResources": {"ec2": "ec2:DeleteTags", "eks": "eks:UntagResource", "autoscaling": "autoscaling:DeleteTags"},
	}[c.Operation]
	if actions == nil {
		return list
	}
	var in struct {
		ResourceARNList []string
		Tags            map[string]string
		TagKeys         []string
	}
	_ = json.Unmarshal(c.Body, &in) // what is wrong with it is the handler's business
	for _, arn := range in.ResourceARNList {
		p, ok := parseARN(arn)
		if !ok || actions[p.service] == "" {
			continue // the handler refuses it
		}
		need := policy.Permission{Action: actions[p.service], Resource: arn, Context: policy.Context{}}
		need.Context.RequestTags(in.Tags)
		need.Context.Set("aws:TagKeys", slices.Concat(need.Context["aws:TagKeys"], in.TagKeys)...)
		need.Context.ResourceTags(p.service, s.tagsOf(c, arn))
		list = append(list, need)
	}
	return list
}

// tagsOf are the tags that a resource has.
func (s *Service) tagsOf(c *api.Call, arn string) map[string]string {
	for _, r := range s.tagged(c) {
		if r.ARN == arn {
			return r.Tags
		}
	}
	return nil
}
