package eks

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"time"

	"kargo.dev/kargo/awssim/api"
)

// How long AWS takes, typically; the clock scales it.
const (
	createClusterTakes  = 10 * time.Minute
	versionUpdateTakes  = 9 * time.Minute
	configUpdateTakes   = 4 * time.Minute
	deleteClusterTakes  = 5 * time.Minute
	unseenUpdateExpires = time.Minute // not scaled: whoever began it looks at once or never
	// givesUp is when EKS takes a control plane that does not serve for failed. Not
	// scaled either: it is the data plane's real work that fails.
	givesUp = 30 * time.Minute
)

// settleCluster takes the step that is due for a cluster, if any, and stores it.
// It may be called at any time and again after any failure.
func (s *Service) settleCluster(ctx context.Context, rec *cluster, now time.Time) error {
	switch rec.Cluster.Status {
	case statusCreating:
		return s.settleCreating(ctx, rec, now)
	case statusUpdating:
		return s.settleUpdating(ctx, rec, now)
	case statusDeleting:
		return s.settleDeleting(ctx, rec, now)
	case statusFailed:
		return nil
	default:
		return s.ensureControlPlane(ctx, rec, rec.Cluster.Version)
	}
}

// moveCluster is settleCluster for whoever only looks: a step that cannot be taken
// now is taken later.
func (s *Service) moveCluster(ctx context.Context, rec *cluster, now time.Time) {
	if err := s.settleCluster(ctx, rec, now); err != nil {
		s.log.Warn("cluster does not move on", "cluster", rec.Cluster.ARN, "error", err)
	}
}

// passed tells whether something that began at since has lasted as long as it
// does on AWS.
func (s *Service) passed(since Time, now time.Time, takes time.Duration) bool {
	return now.Sub(since.Time) >= s.clock.Takes(takes)
}

func (s *Service) settleCreating(ctx context.Context, rec *cluster, now time.Time) error {
	if err := s.ensureNetwork(rec); err != nil {
		return err
	}
	if err := s.ensureControlPlane(ctx, rec, rec.Cluster.Version); err != nil {
		return err
	}
	st, ok := s.plane.Status(rec.Cluster.ARN)
	if !ok || !st.Ready {
		return s.failCreating(rec, st.Message, now)
	}
	if !s.passed(rec.Since, now, createClusterTakes) {
		return nil
	}
	rec.Cluster.Endpoint = st.Endpoint
	rec.Cluster.CertificateAuthority.Data = base64.StdEncoding.EncodeToString(st.CA)
	rec.Cluster.Identity = &Identity{OIDC: OIDC{Issuer: st.Issuer}}
	rec.Cluster.Status, rec.Since = statusActive, at(now)
	return s.saveCluster(rec)
}

// failCreating gives up on a control plane that does not come.
func (s *Service) failCreating(rec *cluster, why string, now time.Time) error {
	if now.Sub(rec.Since.Time) < givesUp+s.clock.Takes(createClusterTakes) {
		return nil
	}
	rec.Cluster.Health.Issues = []Issue{{Code: "InternalFailure", Message: why, ResourceIDs: []string{rec.Cluster.Name}}}
	rec.Cluster.Status, rec.Since = statusFailed, at(now)
	return s.saveCluster(rec)
}

func (s *Service) settleUpdating(ctx context.Context, rec *cluster, now time.Time) error {
	version, takes := rec.Cluster.Version, configUpdateTakes
	if rec.Running.Version != "" {
		version, takes = rec.Running.Version, versionUpdateTakes
	}
	if err := s.ensureControlPlane(ctx, rec, version); err != nil {
		return err
	}
	st, ok := s.plane.Status(rec.Cluster.ARN)
	if version != rec.Cluster.Version && (!ok || !st.Ready || st.Version != version) {
		if now.Sub(rec.Since.Time) < givesUp+s.clock.Takes(versionUpdateTakes) {
			return nil
		}
		return s.endUpdate(rec, now, updateFailed, st.Message) // the next step goes back to the old version
	}
	if !rec.Running.Seen && now.Sub(rec.Since.Time) < unseenUpdateExpires {
		return nil
	}
	if !s.passed(rec.Since, now, takes) {
		return nil
	}
	if v, ok := findVersion(version); ok {
		rec.Cluster.Version, rec.Cluster.PlatformVersion = v.Name, v.Platform
	}
	return s.endUpdate(rec, now, updateSuccessful, "")
}

func (s *Service) endUpdate(rec *cluster, now time.Time, status, why string) error {
	done := rec.Running.ID
	rec.Cluster.Status, rec.Since, rec.Running = statusActive, at(now), nil
	if err := s.saveCluster(rec); err != nil {
		return err
	}
	return s.finishUpdate(rec.Account, rec.Region, done, status, why)
}

func (s *Service) settleDeleting(ctx context.Context, rec *cluster, now time.Time) error {
	if err := s.stopControlPlane(ctx, rec); err != nil {
		return err
	}
	if _, runs := s.plane.Status(rec.Cluster.ARN); runs || !s.passed(rec.Since, now, deleteClusterTakes) {
		return nil
	}
	for len(rec.Interfaces) > 0 {
		if err := s.network.DeleteInterface(rec.Account, rec.Region, rec.Interfaces[0]); err != nil {
			return fmt.Errorf("delete the control plane's network interface: %w", err)
		}
		rec.Interfaces = rec.Interfaces[1:]
		if err := s.saveCluster(rec); err != nil {
			return err
		}
	}
	if id := rec.Cluster.ResourcesVPCConfig.ClusterSecurityGroupID; id != "" {
		// AWS leaves a group that something else still uses, and so do we.
		if err := s.network.DeleteSecurityGroup(rec.Account, rec.Region, id); err != nil {
			s.log.Info("cluster security group stays", "cluster", rec.Cluster.ARN, "group", id, "error", err)
		}
	}
	if err := s.forgetParts(rec); err != nil {
		return err
	}
	s.told.Delete(rec.Cluster.ARN)
	return s.clusters.Delete(rec.Account, rec.Region, rec.Cluster.Name)
}

// forgetParts removes the records that go with a cluster.
func (s *Service) forgetParts(rec *cluster) error {
	name := rec.Cluster.Name
	for _, v := range s.addonsOf(rec) {
		if err := s.addons.Delete(rec.Account, rec.Region, partID(name, v.AddonName)); err != nil {
			return err
		}
	}
	for _, v := range s.entriesOf(rec.Account, rec.Region, name) {
		if err := s.entries.Delete(rec.Account, rec.Region, partID(name, v.PrincipalARN)); err != nil {
			return err
		}
	}
	for _, v := range s.associationsOf(rec) {
		if err := s.associations.Delete(rec.Account, rec.Region, partID(name, v.AssociationID)); err != nil {
			return err
		}
	}
	for _, v := range s.providersOf(rec) {
		if err := s.providers.Delete(rec.Account, rec.Region, partID(name, v.IdentityProviderConfigName)); err != nil {
			return err
		}
	}
	for _, v := range s.updates.List(rec.Account, rec.Region) {
		if v.Cluster != name {
			continue
		}
		if err := s.updates.Delete(rec.Account, rec.Region, v.Update.ID); err != nil {
			return err
		}
	}
	return nil
}

// partID keys the record of something that belongs to a cluster.
func partID(clusterName, id string) string { return clusterName + "/" + id }

// ensureNetwork makes the cluster security group and the control plane's
// network interfaces, recording each id before it goes on.
func (s *Service) ensureNetwork(rec *cluster) error {
	vpc := &rec.Cluster.ResourcesVPCConfig
	name := rec.Cluster.Name
	if vpc.ClusterSecurityGroupID == "" {
		id, err := s.network.EnsureSecurityGroup(rec.Account, rec.Region, SecurityGroup{
			VPCID: vpc.VPCID, Name: rec.SecurityGroup,
			Description: "EKS created security group applied to ENI that is attached to EKS Control Plane master nodes, as well as any managed workloads.",
			Tags: map[string]string{
				"Name":                          rec.SecurityGroup,
				"aws:eks:cluster-name":          name,
				"kubernetes.io/cluster/" + name: "owned",
			},
		})
		if err != nil {
			return fmt.Errorf("make the cluster security group: %w", err)
		}
		vpc.ClusterSecurityGroupID = id
		if err := s.saveCluster(rec); err != nil {
			return err
		}
	}
	subnets, err := s.network.Subnets(rec.Account, rec.Region, vpc.SubnetIDs)
	if err != nil {
		return fmt.Errorf("look at the cluster's subnets: %w", err)
	}
	homes := controlPlaneSubnets(subnets)
	for len(rec.Interfaces) < len(homes) {
		id, err := s.network.EnsureInterface(rec.Account, rec.Region, Interface{
			SubnetID: homes[len(rec.Interfaces)].ID, Description: "Amazon EKS " + name,
			SecurityGroupIDs: append([]string{vpc.ClusterSecurityGroupID}, vpc.SecurityGroupIDs...),
			Tags:             map[string]string{"cluster.k8s.amazonaws.com/name": name},
		})
		if err != nil {
			return fmt.Errorf("make the control plane's network interface: %w", err)
		}
		rec.Interfaces = append(rec.Interfaces, id)
		if err := s.saveCluster(rec); err != nil {
			return err
		}
	}
	return nil
}

// controlPlaneSubnets are the first subnets of two zones: EKS places two to
// four network interfaces.
func controlPlaneSubnets(subnets []Subnet) []Subnet {
	var homes []Subnet
	for _, n := range subnets {
		if len(homes) < 2 && !slices.ContainsFunc(homes, func(h Subnet) bool { return h.Zone == n.Zone }) {
			homes = append(homes, n)
		}
	}
	return homes
}

// ensureControlPlane tells the data plane to serve a version, once per start of
// the simulator and version.
func (s *Service) ensureControlPlane(ctx context.Context, rec *cluster, version string) error {
	if told, ok := s.told.Load(rec.Cluster.ARN); ok && told == version {
		return nil
	}
	err := s.plane.EnsureCluster(ctx, ControlPlane{
		ARN: rec.Cluster.ARN, Name: rec.Cluster.Name, AccountID: rec.Account, Region: rec.Region,
		Version: version, ServiceCIDR: rec.Cluster.KubernetesNetworkConfig.ServiceIPv4CIDR,
	})
	if err != nil {
		return fmt.Errorf("run the control plane at %s: %w", version, err)
	}
	s.told.Store(rec.Cluster.ARN, version)
	return nil
}

// deleted marks what the data plane was told to stop.
const deleted = "deleted"

func (s *Service) stopControlPlane(ctx context.Context, rec *cluster) error {
	if told, ok := s.told.Load(rec.Cluster.ARN); ok && told == deleted {
		return nil
	}
	if err := s.plane.DeleteCluster(ctx, rec.Cluster.ARN); err != nil {
		return fmt.Errorf("stop the control plane: %w", err)
	}
	s.told.Store(rec.Cluster.ARN, deleted)
	return nil
}

const (
	// longestAwait bounds how long a Describe is held.
	longestAwait = 25 * time.Second
	awaitTick    = 50 * time.Millisecond
)

// await holds a Describe, with the fast clock only, while only the data plane's
// real work is missing: EKS's waiters look at once and then sleep 30 s.
func (s *Service) await(ctx context.Context, c *api.Call, waits func() bool) {
	if s.clock.Factor != 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, longestAwait)
	defer cancel()
	ticker := time.NewTicker(awaitTick)
	defer ticker.Stop()
	for waits() {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			s.settleAccount(ctx, c.Caller.AccountID)
			c.Now = s.clock.Now()
		}
	}
}

// awaitCluster holds DescribeCluster; an update is held only after it was seen.
func (s *Service) awaitCluster(ctx context.Context, c *api.Call) {
	s.await(ctx, c, func() bool {
		rec, err := s.clusterOf(c)
		switch {
		case err != nil:
			return false
		case rec.Cluster.Status == statusUpdating:
			return rec.Running.Seen
		default:
			return rec.Cluster.Status != statusActive
		}
	})
}
