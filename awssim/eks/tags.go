package eks

import (
	"context"
	"maps"
	"net/http"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

func (s *Service) tagOperations() []api.Operation {
	const path = "/tags/{resourceArn}"
	return []api.Operation{
		{Name: "TagResource", Method: http.MethodPost, Path: path, Handle: s.tagResource},
		{Name: "UntagResource", Method: http.MethodDelete, Path: path, Handle: s.untagResource},
		{Name: "ListTagsForResource", Method: http.MethodGet, Path: path, Handle: s.listTags},
	}
}

// tagged finds the tags of what the path's ARN names, and how to write them.
func (s *Service) tagged(c *api.Call) (tags map[string]string, save func(map[string]string) error, err error) {
	resourceARN := c.Path["resourceArn"]
	parts := strings.SplitN(resourceARN, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != serviceName {
		return nil, nil, api.Errorf("BadRequestException", "Invalid resource ARN: %s", resourceARN)
	}
	if parts[4] != c.Caller.AccountID || parts[3] != c.Region {
		return nil, nil, accessDenied("User: %s is not authorized to perform: eks:%s on resource: %s", c.Caller.ARN, c.Operation, resourceARN)
	}
	return s.taggedResource(parts[4], parts[3], parts[5], resourceARN)
}

// EditTags sets and removes tags for the tagging API.
func (s *Service) EditTags(account, region, resourceARN string, set map[string]string, remove []string) error {
	defer s.turn(account)()
	parts := strings.SplitN(resourceARN, ":", 6)
	if len(parts) != 6 {
		return api.Errorf("BadRequestException", "Invalid resource ARN: %s", resourceARN)
	}
	tags, save, err := s.taggedResource(account, region, parts[5], resourceARN)
	if err != nil {
		return err
	}
	tags = maps.Clone(tags)
	maps.Copy(tags, set)
	for _, key := range remove {
		delete(tags, key)
	}
	if err := checkTags(tags); err != nil {
		return err
	}
	return save(tags)
}

// taggedResource is tagged for KIND/NAME... of an account.
func (s *Service) taggedResource(account, region, resource, resourceARN string) (tags map[string]string, save func(map[string]string) error, err error) {
	kind, rest, _ := strings.Cut(resource, "/")
	names := strings.Split(rest, "/")
	switch {
	case kind == "cluster":
		if v, ok := s.clusters.Get(account, region, rest); ok {
			return v.Cluster.Tags, func(t map[string]string) error { v.Cluster.Tags = t; return s.saveCluster(&v) }, nil
		}
	case kind == "nodegroup" && len(names) == 3:
		if v, ok := s.nodegroups.Get(account, region, partID(names[0], names[1])); ok && v.Nodegroup.NodegroupARN == resourceARN {
			return v.Nodegroup.Tags, func(t map[string]string) error { v.Nodegroup.Tags = t; return s.saveNodegroup(&v) }, nil
		}
	case kind == "addon" && len(names) == 3:
		if v, ok := s.addons.Get(account, region, partID(names[0], names[1])); ok && v.AddonARN == resourceARN {
			return v.Tags, func(t map[string]string) error { v.Tags = t; return s.saveAddon(&v) }, nil
		}
	case kind == "identityproviderconfig" && len(names) == 4:
		if v, ok := s.providers.Get(account, region, partID(names[0], names[2])); ok && v.IdentityProviderConfigARN == resourceARN {
			return v.Tags, func(t map[string]string) error { v.Tags = t; return s.saveProvider(&v) }, nil
		}
	case kind == "podidentityassociation" && len(names) == 2:
		if v, ok := s.associations.Get(account, region, rest); ok {
			return v.Tags, func(t map[string]string) error {
				v.Tags = t
				return s.associations.Put(account, region, rest, v)
			}, nil
		}
	case kind == "access-entry" && len(names) > 1:
		for _, v := range s.entriesOf(account, region, names[0]) {
			if v.AccessEntryARN == resourceARN {
				return v.Tags, func(t map[string]string) error {
					v.Tags = t
					return s.entries.Put(account, region, partID(v.ClusterName, v.PrincipalARN), v)
				}, nil
			}
		}
	}
	return nil, nil, api.NotFoundf("NotFoundException", "Resource was not found for resource ARN: %s", resourceARN)
}

func (s *Service) tagResource(_ context.Context, c *api.Call) (any, error) {
	var in struct {
		Tags map[string]string `json:"tags"`
	}
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	tags, save, err := s.tagged(c)
	if err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	all := map[string]string{}
	maps.Copy(all, tags)
	maps.Copy(all, in.Tags)
	if err := checkTags(all); err != nil {
		return nil, err
	}
	return struct{}{}, save(all)
}

func (s *Service) untagResource(_ context.Context, c *api.Call) (any, error) {
	tags, save, err := s.tagged(c)
	if err != nil {
		return nil, err
	}
	for _, key := range c.Params["tagKeys"] {
		delete(tags, key)
	}
	return struct{}{}, save(tags)
}

func (s *Service) listTags(_ context.Context, c *api.Call) (any, error) {
	tags, _, err := s.tagged(c)
	if err != nil {
		return nil, err
	}
	return struct {
		Tags map[string]string `json:"tags"`
	}{tags}, nil
}
