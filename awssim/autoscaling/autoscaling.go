// Package autoscaling simulates Amazon EC2 Auto Scaling as far as EKS's managed
// node groups need it: EKS keeps the groups (Ensure, Delete), clients look at
// them and tag them. The simulator itself starts no instances for a group.
package autoscaling

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/eks"
	"kargo.dev/kargo/awssim/store"
)

// serviceName is the signing name and the service's part of an ARN.
const serviceName = "autoscaling"

// Options are what the service needs.
type Options struct {
	Store *store.Store
	Clock api.Clock
}

// Service is the simulated Auto Scaling. It is safe for concurrent use.
type Service struct {
	clock api.Clock

	mu     sync.Mutex // held from reading a group until it is written
	groups *store.Table[group]
}

var (
	_ api.Service = (*Service)(nil)
	_ eks.Groups  = (*Service)(nil)
)

// New returns the service on the state in the store.
func New(o Options) (*Service, error) {
	if o.Store == nil {
		return nil, errors.New("autoscaling: Options.Store is required")
	}
	if o.Clock.Now == nil {
		o.Clock.Now = time.Now
	}
	return &Service{clock: o.Clock, groups: store.NewTable[group](o.Store, "autoscaling-groups")}, nil
}

// Name implements api.Service.
func (s *Service) Name() string { return serviceName }

// Protocol implements api.Service.
func (s *Service) Protocol() api.Protocol { return api.Query }

// XMLNamespace implements api.Service.
func (s *Service) XMLNamespace() string { return "http://autoscaling.amazonaws.com/doc/2011-01-01/" }

// Operations implements api.Service.
func (s *Service) Operations() []api.Operation {
	var ops []api.Operation
	for name, h := range map[string]handler{
		"DescribeAutoScalingGroups":    s.describeGroups,
		"DescribeAutoScalingInstances": s.describeInstances,
		"SetDesiredCapacity":           s.setDesiredCapacity,
		"UpdateAutoScalingGroup":       s.updateGroup,
		"CreateOrUpdateTags":           s.createOrUpdateTags,
		"DeleteTags":                   s.deleteTags,
		"DescribeTags":                 s.describeTags,
		"DescribeLifecycleHooks":       s.describeLifecycleHooks,
		"DescribeScalingActivities":    s.describeScalingActivities,
	} {
		ops = append(ops, api.Operation{Name: name, Handle: func(_ context.Context, c *api.Call) (any, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			return h(c)
		}})
	}
	return ops
}

// handler answers a call.
type handler func(*api.Call) (any, error)

// group is an autoscaling group as it is stored and answered.
type group struct {
	Name              string          `xml:"AutoScalingGroupName"`
	ARN               string          `xml:"AutoScalingGroupARN"`
	Min               int             `xml:"MinSize"`
	Max               int             `xml:"MaxSize"`
	Desired           int             `xml:"DesiredCapacity"`
	Cooldown          int             `xml:"DefaultCooldown"`
	Zones             []string        `xml:"AvailabilityZones>member"`
	Subnets           string          `xml:"VPCZoneIdentifier"` // joined by commas
	HealthCheck       string          `xml:"HealthCheckType"`
	HealthGrace       int             `xml:"HealthCheckGracePeriod"`
	Instances         []groupInstance `xml:"Instances>member"`
	Created           time.Time       `xml:"CreatedTime"`
	Policies          []string        `xml:"TerminationPolicies>member"`
	ScaleInProtection bool            `xml:"NewInstancesProtectedFromScaleIn"`
	Rebalance         bool            `xml:"CapacityRebalance"`
	Role              string          `xml:"ServiceLinkedRoleARN"`
	Tags              []tag           `xml:"Tags>member"`
}

// groupInstance is an instance of a group.
type groupInstance struct {
	ID        string `xml:"InstanceId"`
	Type      string `xml:"InstanceType"`
	Zone      string `xml:"AvailabilityZone"`
	State     string `xml:"LifecycleState"`
	Health    string `xml:"HealthStatus"`
	Protected bool   `xml:"ProtectedFromScaleIn"`
}

// Ensure implements eks.Groups.
func (s *Service) Ensure(account, region string, g eks.Group) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.groups.Get(account, region, g.Name)
	if !ok {
		v = group{
			Name:     g.Name,
			ARN:      fmt.Sprintf("arn:aws:autoscaling:%s:%s:autoScalingGroup:%s:autoScalingGroupName/%s", region, account, uuid(), g.Name),
			Cooldown: 300, HealthCheck: "EC2", HealthGrace: 15, Created: s.clock.Now().UTC().Truncate(time.Millisecond), Rebalance: true,
			Policies: []string{"AllocationStrategy", "OldestLaunchTemplate", "OldestInstance"},
			Role:     fmt.Sprintf("arn:aws:iam::%s:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling", account),
		}
		for _, key := range slices.Sorted(maps.Keys(g.Tags)) {
			v.Tags = append(v.Tags, tag{Key: key, Value: g.Tags[key], Propagate: true, GroupName: g.Name, ResourceType: resourceType})
		}
	}
	v.Min, v.Max, v.Desired, v.Instances, v.Zones = g.Min, g.Max, g.Desired, nil, nil
	v.setSubnets(g.SubnetIDs)
	for _, i := range g.Instances {
		v.Instances = append(v.Instances, groupInstance{ID: i.ID, Type: i.InstanceType, Zone: i.Zone, State: "InService", Health: "Healthy"})
		if !slices.Contains(v.Zones, i.Zone) {
			v.Zones = append(v.Zones, i.Zone)
		}
	}
	slices.Sort(v.Zones)
	return s.groups.Put(account, region, v.Name, v)
}

// Delete implements eks.Groups. A group that does not exist is no error.
func (s *Service) Delete(account, region, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groups.Delete(account, region, name)
}

// Desired is the capacity that a group is asked to have, by its keeper or by a
// client's SetDesiredCapacity since.
func (s *Service) Desired(account, region, name string) (capacity int, ok bool) {
	v, ok := s.groups.Get(account, region, name)
	return v.Desired, ok
}

// Inventory implements api.Service.
func (s *Service) Inventory(account string) []api.Resource {
	var list []api.Resource
	for key, v := range s.groups.All() {
		if key.Account != account {
			continue
		}
		list = append(list, api.Resource{
			Service: serviceName, Type: resourceType, ID: v.Name, ARN: v.ARN, Region: key.Region, Tags: v.tagMap(),
		})
	}
	slices.SortStableFunc(list, func(a, b api.Resource) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// uuid is a random UUID of version 4.
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see its documentation
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
