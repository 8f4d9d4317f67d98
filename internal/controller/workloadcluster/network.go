package workloadcluster

import (
	"context"
	"net/netip"

	"sigs.k8s.io/cluster-api-provider-aws/v2/api/v1beta2"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/controller/networkclaims"
	"kargo.dev/kargo/internal/phase"
)

// reserveNetwork takes the cluster's VPC range out of its account's range. A
// cluster that is given a VPC needs none; one that has its VPC already, because
// Helm made it, keeps that range.
func (r *Reconciler) reserveNetwork(ctx context.Context, s *scope) (string, error) {
	if s.design.givenVPC() {
		return "the cluster uses a given VPC", nil
	}
	pool, err := netip.ParsePrefix(s.account.Spec.Network.CIDR)
	if err != nil {
		return "", phase.Terminal(v1alpha1.ReasonNetworkExhausted, "network.cidr of account %s: %s", s.account.Name, err)
	}
	claimant := networkclaims.ForCluster(s.account.Spec.ID, s.cluster.Name)
	if held, ok := s.observed.vpcRange(); ok {
		if err := r.Network.Reserve(ctx, claimant, held); err != nil {
			return "", err
		}
		s.cluster.Status.Network.CIDR = held.String()
		return "VPC range " + held.String(), nil
	}
	bits := max(int(s.account.Spec.Network.ClusterPrefixLength), pool.Bits())
	got, err := r.Network.Allocate(ctx, claimant, pool, bits)
	if err != nil {
		return "", err
	}
	s.cluster.Status.Network.CIDR = got.String()
	return "VPC range " + got.String(), nil
}

// vpcRange is the range of the VPC that exists or is being made.
func (o observed) vpcRange() (netip.Prefix, bool) {
	if o.controlPlane == nil {
		return netip.Prefix{}, false
	}
	held, err := netip.ParsePrefix(o.controlPlane.Spec.NetworkSpec.VPC.CidrBlock)
	return held, err == nil
}

// networkConditions are CAPA's, in the order it works.
var networkConditions = []capaConditionType{
	v1beta2.VpcReadyCondition, v1beta2.SubnetsReadyCondition, v1beta2.InternetGatewayReadyCondition,
	v1beta2.NatGatewaysReadyCondition, v1beta2.RouteTablesReadyCondition, v1beta2.ClusterSecurityGroupsReadyCondition,
}

// observeNetwork reports VPC, subnets and gateways as CAPA sees them.
func (r *Reconciler) observeNetwork(_ context.Context, s *scope) (string, error) {
	plane := s.observed.controlPlane
	if plane == nil {
		return "", phase.Waiting(v1alpha1.ReasonWaiting, "the control plane object does not exist yet")
	}
	s.cluster.Status.Network.VPCID = plane.Spec.NetworkSpec.VPC.ID
	seen := false
	for _, t := range networkConditions {
		c := findCondition(plane.Status.Conditions, t)
		if c == nil {
			continue // CAPA does not report what a given VPC has already
		}
		seen = true
		if c.Status != "True" {
			return "", phase.Waiting(reasonOf(c), "%s: %s", t, messageOf(c))
		}
	}
	if !seen || (findCondition(plane.Status.Conditions, v1beta2.RouteTablesReadyCondition) == nil && !plane.Status.Ready) {
		return "", phase.Waiting(v1alpha1.ReasonProgressing, "CAPA makes the network")
	}
	return "VPC " + plane.Spec.NetworkSpec.VPC.ID, nil
}
