package organizations

import (
	"encoding/json"
	"maps"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/policy"
)

// named is all that the calls of this service name.
type named struct {
	ParentID, ChildID, AccountID, SourceParentID, DestinationParentID string
	OrganizationalUnitID, PolicyID, TargetID, ResourceID              string
	Filter, Type, ServicePrincipal                                    string
	Tags                                                              []tag
	TagKeys                                                           []string
}

// Permissions implements api.Guarded, after
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsorganizations.html:
// a call needs its action on everything that it names.
func (s *Service) Permissions(c *api.Call) []policy.Permission {
	var in named
	_ = json.Unmarshal(c.Body, &in) // a body that is malformed names nothing, and is refused later
	action := serviceName + ":" + c.Operation
	keys := policy.Context{}
	keys.Set("organizations:ServicePrincipal", in.ServicePrincipal)
	keys.Set("aws:TagKeys", in.TagKeys...)
	tags := map[string]string{}
	for _, t := range in.Tags {
		tags[t.Key] = t.Value
	}
	if len(tags) > 0 {
		keys.RequestTags(tags)
	}
	var list []policy.Permission
	for _, id := range []string{in.ParentID, in.ChildID, in.AccountID, in.SourceParentID, in.DestinationParentID,
		in.OrganizationalUnitID, in.PolicyID, in.TargetID, in.ResourceID} {
		if id != "" {
			list = append(list, policy.Permission{Action: action, Resource: s.resourceARN(id), Context: s.about(keys, id, in)})
		}
	}
	if len(list) == 0 {
		list = append(list, policy.Permission{Action: action, Resource: "*", Context: s.about(keys, "", in)})
	}
	if c.Operation != "TagResource" && len(tags) > 0 { // what is made with tags
		list = append(list, policy.Permission{Action: serviceName + ":TagResource", Resource: "*", Context: keys})
	}
	return list
}

// about adds the keys of what an id names to those of the call.
func (s *Service) about(call policy.Context, id string, in named) policy.Context {
	keys := maps.Clone(call)
	for key, value := range s.tagsOf(id) {
		keys["aws:ResourceTag/"+key] = []string{value}
	}
	if _, ok := s.policy(id); ok || in.Filter != "" || in.Type != "" {
		keys.Set("organizations:PolicyType", serviceControlPolicy)
	}
	return keys
}

// resourceARN is the ARN of what an id names; "*" of what does not exist.
func (s *Service) resourceARN(id string) string {
	if n, ok := s.node(id); ok {
		return n.ARN
	}
	if _, ok := s.policy(id); ok {
		return s.policyARN(id)
	}
	return "*"
}
