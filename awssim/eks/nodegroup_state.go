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

// How long AWS takes, typically; the clock scales it.
const (
	createNodegroupTakes = 3 * time.Minute
	updateNodegroupTakes = time.Minute
	deleteNodegroupTakes = 4 * time.Minute
	// nodeStepTakes is how long new nodes take to boot, or old ones to drain.
	nodeStepTakes = 90 * time.Second
)

// settleNodegroup takes the steps that are due for a node group, if any, and
// stores each. It may be called at any time and again after any failure.
func (s *Service) settleNodegroup(ctx context.Context, n *nodegroup, now time.Time) error {
	if n.Nodegroup.Status == statusDeleting {
		return s.settleNodegroupDeleting(ctx, n, now)
	}
	if err := s.reportLaunch(n, s.finishMembers(ctx, n)); err != nil {
		return err
	}
	if !s.passed(n.Moved, now, nodeStepTakes) {
		return nil
	}
	if err := s.followGroup(n); err != nil {
		return err
	}
	next := plan(n.Members, n.Generation, n.Nodegroup.ScalingConfig.DesiredSize, n.batch(), n.Nodegroup.UpdateConfig.UpdateStrategy == "MINIMAL", s.ready(n))
	if next.launch == 0 && len(next.remove) == 0 {
		return s.finishNodegroup(n, now)
	}
	n.Moved = at(now)
	n.addMembers(next.launch)
	if err := s.dropMembers(ctx, n, next.remove); err != nil {
		return err
	}
	return s.reportLaunch(n, s.finishMembers(ctx, n))
}

// followGroup takes over a capacity that somebody, such as an autoscaler, asked
// the autoscaling group for.
func (s *Service) followGroup(n *nodegroup) error {
	desired, ok := s.groups.Desired(n.Account, n.Region, n.Group)
	sizes := &n.Nodegroup.ScalingConfig
	if !ok || n.Nodegroup.Status != statusActive || desired == sizes.DesiredSize || desired < sizes.MinSize || desired > sizes.MaxSize {
		return nil
	}
	sizes.DesiredSize = desired
	return s.saveNodegroup(n)
}

// finishNodegroup ends what is in progress once all nodes are Ready.
func (s *Service) finishNodegroup(n *nodegroup, now time.Time) error {
	takes := createNodegroupTakes
	switch n.Nodegroup.Status {
	case statusActive:
		return nil
	case statusUpdating:
		takes = updateNodegroupTakes
	}
	if !s.ready(n) || !s.passed(n.Since, now, takes) {
		return nil
	}
	done := n.Running
	n.Nodegroup.Version, n.Nodegroup.ReleaseVersion = n.goal()
	if done != nil && done.LaunchTemplate != nil {
		n.Nodegroup.LaunchTemplate = done.LaunchTemplate
	}
	n.Running = nil
	n.setStatus(statusActive, now)
	if err := s.saveNodegroup(n); err != nil || done == nil {
		return err
	}
	return s.finishUpdate(n.Account, n.Region, done.ID, updateSuccessful, "")
}

func (s *Service) settleNodegroupDeleting(ctx context.Context, n *nodegroup, now time.Time) error {
	if err := s.dropMembers(ctx, n, allOf(n.Members)); err != nil {
		return err
	}
	if !s.passed(n.Since, now, deleteNodegroupTakes) {
		return nil
	}
	if err := s.groups.Delete(n.Account, n.Region, n.Group); err != nil {
		return fmt.Errorf("delete the autoscaling group %s: %w", n.Group, err)
	}
	for _, u := range s.updates.List(n.Account, n.Region) {
		if u.Cluster == n.Nodegroup.ClusterName && u.Nodegroup == n.Nodegroup.NodegroupName {
			if err := s.updates.Delete(n.Account, n.Region, u.Update.ID); err != nil {
				return err
			}
		}
	}
	s.told.Delete(n.Nodegroup.NodegroupARN)
	s.told.Delete(n.Group)
	return s.nodegroups.Delete(n.Account, n.Region, partID(n.Nodegroup.ClusterName, n.Nodegroup.NodegroupName))
}

// batch is how many nodes are replaced at a time.
func (n *nodegroup) batch() int {
	if percent := n.Nodegroup.UpdateConfig.MaxUnavailablePercentage; percent > 0 {
		return max(1, n.Nodegroup.ScalingConfig.DesiredSize*percent/100)
	}
	return max(1, n.Nodegroup.UpdateConfig.MaxUnavailable)
}

// step is what is to be done next to the members of a node group.
type step struct {
	launch int
	remove []int // indexes of members
}

// plan decides on the next step towards desired members of one generation. Old
// members are replaced batch by batch: new ones first, and only when all are
// Ready the next ones go; the MINIMAL strategy lets old ones go first. It looks
// at nothing but the members, so that it goes on where a killed simulator stopped.
func plan(members []member, generation, desired, batch int, minimal, ready bool) step {
	var old, all []int
	for i, m := range members {
		all = append(all, i)
		if m.Generation < generation {
			old = append(old, i)
		}
	}
	if len(old) == 0 {
		if len(all) > desired {
			return step{remove: pick(members, all, len(all)-desired)}
		}
		return step{launch: desired - len(all)}
	}
	if !ready {
		return step{}
	}
	surge, excess := batch, len(all)-desired
	if minimal {
		surge = 0
		if excess == 0 {
			excess = batch
		}
	}
	if missing := desired - (len(all) - len(old)); len(all) < desired+surge && missing > 0 {
		return step{launch: min(desired+surge-len(all), missing)}
	}
	return step{remove: pick(members, old, min(excess, len(old)))}
}

// pick chooses k of the candidates: oldest first, from the fullest subnet.
func pick(members []member, candidates []int, k int) []int {
	load := map[string]int{}
	for _, m := range members {
		load[m.Place.ID]++
	}
	candidates = slices.Clone(candidates)
	var chosen []int
	for len(chosen) < k {
		best := 0
		for i, c := range candidates {
			if load[members[c].Place.ID] > load[members[candidates[best]].Place.ID] {
				best = i
			}
		}
		c := candidates[best]
		load[members[c].Place.ID]--
		chosen = append(chosen, c)
		candidates = slices.Delete(candidates, best, best+1)
	}
	return chosen
}

func allOf(members []member) []int {
	all := make([]int, len(members))
	for i := range all {
		all[i] = i
	}
	return all
}

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

// finishMembers starts the instances of planned members, ends those of leaving
// ones, and tells the autoscaling group and the data plane.
func (s *Service) finishMembers(ctx context.Context, n *nodegroup) error {
	for i := range n.Members {
		m := &n.Members[i]
		if m.InstanceID != "" || m.Leaving {
			continue
		}
		if err := s.saveNodegroup(n); err != nil { // the token first
			return err
		}
		run, err := s.instances.Run(n.Account, n.Region, s.instanceSpec(n, m))
		if err != nil {
			return fmt.Errorf("run an instance for node group %s: %w", n.Nodegroup.NodegroupName, err)
		}
		m.InstanceID, m.Name = run.ID, nodeName(n.Region, run)
		if err := s.saveNodegroup(n); err != nil {
			return err
		}
	}
	leaving := slices.ContainsFunc(n.Members, func(m member) bool { return m.Leaving })
	if leaving {
		return s.dropMembers(ctx, n, nil)
	}
	return s.tellMembers(ctx, n)
}

// dropMembers makes members leave: their Nodes first, then their instances.
func (s *Service) dropMembers(ctx context.Context, n *nodegroup, which []int) error {
	for _, i := range which {
		n.Members[i].Leaving = true
	}
	var ids []string
	for _, m := range n.Members {
		if m.Leaving && m.InstanceID != "" {
			ids = append(ids, m.InstanceID)
		}
	}
	if err := s.saveNodegroup(n); err != nil {
		return err
	}
	if err := s.tellMembers(ctx, n); err != nil {
		return err
	}
	if len(ids) > 0 {
		if err := s.instances.Terminate(n.Account, n.Region, ids); err != nil {
			return fmt.Errorf("end instances of node group %s: %w", n.Nodegroup.NodegroupName, err)
		}
	}
	// A member without an instance may have one that the simulator was killed
	// before it could note; starting it by its token finds it.
	for i := range n.Members {
		m := &n.Members[i]
		if !m.Leaving || m.InstanceID != "" {
			continue
		}
		run, err := s.instances.Run(n.Account, n.Region, s.instanceSpec(n, m))
		if err != nil {
			continue // it never started
		}
		if err := s.instances.Terminate(n.Account, n.Region, []string{run.ID}); err != nil {
			return fmt.Errorf("end an instance of node group %s: %w", n.Nodegroup.NodegroupName, err)
		}
	}
	n.Members = slices.DeleteFunc(n.Members, func(m member) bool { return m.Leaving })
	return s.saveNodegroup(n)
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
// are, unless they were already told so since the simulator started.
func (s *Service) tellMembers(ctx context.Context, n *nodegroup) error {
	group := Group{Name: n.Group, Min: n.Nodegroup.ScalingConfig.MinSize, Max: n.Nodegroup.ScalingConfig.MaxSize, SubnetIDs: n.Nodegroup.Subnets, Tags: n.groupTags()}
	nodes := []Node{}
	for _, m := range n.Members {
		if m.Leaving || m.InstanceID == "" {
			continue
		}
		group.Instances = append(group.Instances, GroupInstance{ID: m.InstanceID, Zone: m.Place.Zone, InstanceType: m.InstanceType})
		nodes = append(nodes, n.node(m))
	}
	group.Desired = len(group.Instances)
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
		if m.InstanceID == "" || m.Leaving {
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
