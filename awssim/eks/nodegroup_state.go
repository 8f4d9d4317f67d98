package eks

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// How long AWS takes, typically; the clock scales it.
const (
	createNodegroupTakes = 3 * time.Minute
	updateNodegroupTakes = time.Minute
	deleteNodegroupTakes = 4 * time.Minute
	// nodeStepTakes is how long new nodes take to boot, or old ones to drain.
	nodeStepTakes = 90 * time.Second
	// drainTakesAtMost is EKS's patience with pods that do not go. It is not
	// scaled: the pods are real enough to need their time.
	drainTakesAtMost = 15 * time.Minute
)

// settleNodegroup takes the steps that are due for a node group, if any, and
// stores each. It may be called at any time and again after any failure.
func (s *Service) settleNodegroup(ctx context.Context, n *nodegroup, now time.Time) error {
	if n.Nodegroup.Status == statusDeleting {
		return s.settleNodegroupDeleting(ctx, n, now)
	}
	if err := s.reportLaunch(n, s.finishMembers(ctx, n, now)); err != nil {
		return err
	}
	if n.draining() || !s.passed(n.Moved, now, nodeStepTakes) {
		return nil
	}
	if err := s.followGroup(n); err != nil {
		return err
	}
	minimal := n.Nodegroup.UpdateConfig.UpdateStrategy == "MINIMAL"
	next := plan(n.Members, n.Generation, n.Nodegroup.ScalingConfig.DesiredSize, n.batch(), minimal, s.ready(n))
	if next.launch == 0 && len(next.remove) == 0 {
		return s.finishNodegroup(n, now)
	}
	n.Moved = at(now)
	n.addMembers(next.launch)
	n.sendAway(next.remove, now)
	if err := s.saveNodegroup(n); err != nil { // tokens and leaves first
		return err
	}
	return s.reportLaunch(n, s.finishMembers(ctx, n, now))
}

// moveNodegroup is settleNodegroup for whoever only looks: a step that cannot be
// taken now is taken later.
func (s *Service) moveNodegroup(ctx context.Context, n *nodegroup, now time.Time) {
	if err := s.settleNodegroup(ctx, n, now); err != nil {
		s.log.Warn("node group does not move on", "nodegroup", n.Nodegroup.NodegroupARN, "error", err)
	}
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
	if err := s.finishMembers(ctx, n, now); err != nil {
		return err
	}
	if len(n.Members) > 0 || !s.passed(n.Since, now, deleteNodegroupTakes) {
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
