// Package tagging simulates the AWS Resource Groups Tagging API: it finds and
// tags the resources of all simulated services. It keeps nothing itself, but
// asks the services for what they have.
package tagging

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

// serviceName is the signing name.
const serviceName = "tagging"

// globalRegion is where AWS answers for resources that are in no region.
const globalRegion = "us-east-1"

// Source is a service whose resources are found.
type Source interface {
	// Name is the service's part of ARNs: ec2, eks, autoscaling.
	Name() string
	// Inventory lists all that exists in an account.
	Inventory(account string) []api.Resource
}

// Editor is a Source whose resources can be tagged here.
type Editor interface {
	// EditTags sets and removes tags of the resource with an ARN.
	EditTags(account, region, arn string, set map[string]string, remove []string) error
}

// Options are what the service needs.
type Options struct {
	// Sources are the services whose resources are found; those that are
	// Editors can be tagged, too.
	Sources []Source
}

// Service is the simulated tagging API. It is safe for concurrent use.
type Service struct {
	sources []Source
}

var _ api.Service = (*Service)(nil)

// New returns the service over its sources.
func New(o Options) (*Service, error) { return &Service{sources: slices.Clone(o.Sources)}, nil }

// Name implements api.Service.
func (s *Service) Name() string { return serviceName }

// Protocol implements api.Service.
func (s *Service) Protocol() api.Protocol { return api.JSON11 }

// XMLNamespace implements api.Service.
func (s *Service) XMLNamespace() string { return "" }

// Inventory implements api.Service: the service has nothing of its own.
func (s *Service) Inventory(string) []api.Resource { return nil }

// Operations implements api.Service.
func (s *Service) Operations() []api.Operation {
	return []api.Operation{
		{Name: "GetResources", Handle: handle(s.getResources)},
		{Name: "GetTagKeys", Handle: handle(s.getTagKeys)},
		{Name: "GetTagValues", Handle: handle(s.getTagValues)},
		{Name: "TagResources", Handle: handle(s.tagResources)},
		{Name: "UntagResources", Handle: handle(s.untagResources)},
	}
}

// handle decodes a call's body for a handler.
func handle[In any](f func(*api.Call, In) (any, error)) func(context.Context, *api.Call) (any, error) {
	return func(_ context.Context, c *api.Call) (any, error) {
		var in In
		if len(c.Body) > 0 {
			if err := json.Unmarshal(c.Body, &in); err != nil {
				return nil, api.Errorf("SerializationException", "%v", err)
			}
		}
		return f(c, in)
	}
}

func invalid(format string, args ...any) error {
	return api.Errorf("InvalidParameterException", format, args...)
}

// tagged lists the account's resources in the call's region that have tags, ordered by ARN.
func (s *Service) tagged(c *api.Call) []api.Resource {
	var list []api.Resource
	for _, source := range s.sources {
		for _, r := range source.Inventory(c.Caller.AccountID) {
			if len(r.Tags) > 0 && r.ARN != "" && cmp.Or(r.Region, globalRegion) == c.Region {
				list = append(list, r)
			}
		}
	}
	slices.SortFunc(list, func(a, b api.Resource) int { return cmp.Compare(a.ARN, b.ARN) })
	return slices.CompactFunc(list, func(a, b api.Resource) bool { return a.ARN == b.ARN })
}

// parts of an ARN: arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE.
type parts struct {
	service, region, account, resource string
}

func parseARN(arn string) (parts, bool) {
	p := strings.SplitN(arn, ":", 6)
	if len(p) != 6 || p[0] != "arn" || p[2] == "" || p[5] == "" {
		return parts{}, false
	}
	return parts{p[2], p[3], p[4], p[5]}, true
}

// resourceType is the resource's type as it is part of the ARN: instance of instance/i-0a.
func (p parts) resourceType() string {
	if i := strings.IndexAny(p.resource, "/:"); i >= 0 {
		return p.resource[:i]
	}
	return p.resource
}
