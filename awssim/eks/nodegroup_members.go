package eks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"kargo.dev/kargo/awssim/api"
)

// addMembers plans k new nodes, each in the emptiest subnet.
func (n *nodegroup) addMembers(k int) {
	version, release := n.goal()
	for range k {
		load := map[string]int{}
		for _, m := range n.Members {
			load[m.Place.ID]++
		}
		place := slices.MinFunc(n.Places, func(a, b Subnet) int { return load[a.ID] - load[b.ID] })
		n.Members = append(n.Members, member{
			Token: newUUID(), Place: place, InstanceType: n.Nodegroup.InstanceTypes[0],
			Version: version, Release: release, Generation: n.Generation,
		})
	}
}

// sendAway makes members leave. They stay until their Nodes are drained.
func (n *nodegroup) sendAway(which []int, now time.Time) {
	for _, i := range which {
		if m := &n.Members[i]; m.LeftAt == nil {
			left := at(now)
			m.LeftAt = &left
		}
	}
}

// draining tells whether members are on their way out.
func (n *nodegroup) draining() bool {
	return slices.ContainsFunc(n.Members, func(m member) bool { return m.LeftAt != nil })
}

// finishMembers starts the instances of new members, tells the autoscaling
// group and the data plane, and ends the instances of those that have left.
func (s *Service) finishMembers(ctx context.Context, n *nodegroup, now time.Time) error {
	for i := range n.Members {
		m := &n.Members[i]
		if m.InstanceID != "" {
			continue
		}
		// Also a member that leaves already: the simulator may have been killed
		// after its instance was started, and the token finds that.
		run, err := s.instances.Run(n.Account, n.Region, s.instanceSpec(n, m))
		switch {
		case err == nil:
			m.InstanceID, m.Name = run.ID, nodeName(n.Region, run)
		case m.LeftAt == nil:
			return fmt.Errorf("run an instance for node group %s: %w", n.Nodegroup.NodegroupName, err)
		default:
			continue
		}
		if err := s.saveNodegroup(n); err != nil {
			return err
		}
	}
	if err := s.tellMembers(ctx, n); err != nil {
		return err
	}
	if !n.draining() || !s.drained(n, now) {
		return nil
	}
	return s.endLeft(ctx, n)
}

// drained tells whether the Nodes of members that left are gone: no more Nodes
// are Ready than members stay. The data plane drains them, but EKS does not
// wait for a cluster that does not answer.
func (s *Service) drained(n *nodegroup, now time.Time) bool {
	stay := map[string]int{}
	left := now
	for _, m := range n.Members {
		if m.LeftAt == nil {
			stay[m.Version]++
			continue
		}
		stay[m.Version] += 0
		left = m.LeftAt.Time
	}
	if now.Sub(left) >= drainTakesAtMost {
		return true
	}
	for version, count := range stay {
		if s.plane.NodesReady(n.clusterARN(), n.Nodegroup.NodegroupName, version) > count {
			return false
		}
	}
	return true
}

// endLeft ends the instances of members that left.
func (s *Service) endLeft(ctx context.Context, n *nodegroup) error {
	var ids []string
	for _, m := range n.Members {
		if m.LeftAt != nil && m.InstanceID != "" {
			ids = append(ids, m.InstanceID)
		}
	}
	if err := s.instances.Terminate(n.Account, n.Region, ids); err != nil {
		return fmt.Errorf("end instances of node group %s: %w", n.Nodegroup.NodegroupName, err)
	}
	n.Members = slices.DeleteFunc(n.Members, func(m member) bool { return m.LeftAt != nil })
	if err := s.saveNodegroup(n); err != nil {
		return err
	}
	return s.tellMembers(ctx, n)
}

// reportLaunch shows in the node group's health why no instance starts.
func (s *Service) reportLaunch(n *nodegroup, err error) error {
	issues := []Issue{}
	var e *api.Error
	if errors.As(err, &e) {
		issues = append(issues, Issue{Code: launchIssue(e.Code), Message: e.Message, ResourceIDs: []string{n.Group}})
	}
	if len(issues) == 0 && len(n.Nodegroup.Health.Issues) == 0 {
		return err
	}
	n.Nodegroup.Health.Issues = issues
	return errors.Join(err, s.saveNodegroup(n))
}

// launchIssue is EKS's code for an error of EC2.
func launchIssue(code string) string {
	switch code {
	case "InsufficientFreeAddressesInSubnet":
		return "InsufficientFreeAddresses"
	case "VcpuLimitExceeded", "InstanceLimitExceeded":
		return "InstanceLimitExceeded"
	case "InvalidSubnetID.NotFound":
		return "Ec2SubnetNotFound"
	case "InvalidGroup.NotFound":
		return "Ec2SecurityGroupNotFound"
	default:
		return "AsgInstanceLaunchFailures"
	}
}

// tellMembers makes the autoscaling group and the Nodes be what the members
// are, unless they were already told so since the simulator started. Members
// that leave stay in the group until their instances end, as on AWS.
func (s *Service) tellMembers(ctx context.Context, n *nodegroup) error {
	sizes := n.Nodegroup.ScalingConfig
	group := Group{Name: n.Group, Min: sizes.MinSize, Max: sizes.MaxSize, SubnetIDs: n.Nodegroup.Subnets, Tags: n.groupTags()}
	nodes := []Node{}
	for _, m := range n.Members {
		if m.InstanceID == "" {
			continue
		}
		group.Instances = append(group.Instances, GroupInstance{ID: m.InstanceID, Zone: m.Place.Zone, InstanceType: m.InstanceType})
		if m.LeftAt == nil {
			nodes = append(nodes, n.node(m))
		}
	}
	group.Desired = len(nodes)
	group.Max = max(group.Max, group.Desired) // while nodes are replaced
	if err := s.tellOnce(n.Group, group, func() error { return s.groups.Ensure(n.Account, n.Region, group) }); err != nil {
		return fmt.Errorf("keep the autoscaling group %s: %w", n.Group, err)
	}
	err := s.tellOnce(n.Nodegroup.NodegroupARN, nodes, func() error {
		return s.plane.EnsureNodes(ctx, n.clusterARN(), n.Nodegroup.NodegroupName, nodes)
	})
	if err != nil {
		return fmt.Errorf("keep the nodes of %s: %w", n.Nodegroup.NodegroupName, err)
	}
	return nil
}

// tellOnce calls tell unless it has succeeded before with the same value.
func (s *Service) tellOnce(key string, value any, tell func() error) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	if told, ok := s.told.Load(key); ok && told == string(raw) {
		return nil
	}
	if err := tell(); err != nil {
		return err
	}
	s.told.Store(key, string(raw))
	return nil
}

func (n *nodegroup) clusterARN() string {
	return arn(n.Account, n.Region, "cluster/"+n.Nodegroup.ClusterName)
}

// ready tells whether all members are Ready Nodes of their version.
func (s *Service) ready(n *nodegroup) bool {
	wanted := map[string]int{}
	for _, m := range n.Members {
		if m.InstanceID == "" || m.LeftAt != nil {
			return false
		}
		wanted[m.Version]++
	}
	for version, count := range wanted {
		if s.plane.NodesReady(n.clusterARN(), n.Nodegroup.NodegroupName, version) < count {
			return false
		}
	}
	return true
}

// instanceSpec is what a member's instance is started with.
func (s *Service) instanceSpec(n *nodegroup, m *member) InstanceSpec {
	spec := InstanceSpec{
		Token: m.Token, SubnetID: m.Place.ID, InstanceType: m.InstanceType,
		ImageID: imageID(n.Region, n.Nodegroup.AMIType, m.Release),
		Spot:    n.Nodegroup.CapacityType == "SPOT", Tags: n.instanceTags(),
	}
	if rec, ok := s.clusters.Get(n.Account, n.Region, n.Nodegroup.ClusterName); ok {
		if id := rec.Cluster.ResourcesVPCConfig.ClusterSecurityGroupID; id != "" {
			spec.SecurityGroupIDs = []string{id}
		}
	}
	return spec
}
