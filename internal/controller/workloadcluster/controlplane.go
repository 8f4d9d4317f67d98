package workloadcluster

import (
	"context"
	"net"
	"strconv"
	"strings"

	ekscontrolplanev1 "sigs.k8s.io/cluster-api-provider-aws/v2/controlplane/eks/api/v1beta2"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/phase"
	"kargo.dev/kargo/internal/upgrade"
)

// observeControlPlane reports EKS as CAPA sees it: ready means that it serves
// the version that is wanted in the end, not only the next step.
func (r *Reconciler) observeControlPlane(ctx context.Context, s *scope) (string, error) {
	plane := s.observed.controlPlane
	if plane == nil {
		return "", phase.Waiting(v1alpha1.ReasonWaiting, "the control plane object does not exist yet")
	}
	status := &s.cluster.Status.ControlPlane
	if host := plane.Spec.ControlPlaneEndpoint; host.Host != "" {
		status.Endpoint = endpoint(host)
	}
	if plane.Status.Version != nil {
		if minor, err := upgrade.Parse(*plane.Status.Version); err == nil {
			status.Version = minor.String()
		}
	}
	if config, err := r.Clusters.GetRESTConfig(ctx, s.key()); err == nil {
		status.CertificateAuthority = config.CAData
	} // else not connected: what was found out before stays true, EKS keeps its CA
	if plane.Status.FailureMessage != nil {
		return "", phase.Waiting(v1alpha1.ReasonFailed, "CAPA: %s", *plane.Status.FailureMessage)
	}
	if !plane.Status.Ready {
		return "", phase.Waiting(v1alpha1.ReasonProgressing, "%s", controlPlaneMessage(plane))
	}
	if s.design != nil && status.Version != s.design.wanted.String() {
		return "", phase.Waiting(v1alpha1.ReasonUpgradingPlane, "EKS serves %s on the way to %s", status.Version, s.design.wanted)
	}
	return "EKS " + status.Version + " at " + status.Endpoint, nil
}

// endpoint spells CAPA's host and port as a URL; CAPA puts a whole URL into the host.
func endpoint(e capaEndpoint) string {
	if strings.Contains(e.Host, "://") {
		return e.Host
	}
	if _, _, err := net.SplitHostPort(e.Host); err == nil || e.Port == 0 || e.Port == 443 {
		return "https://" + e.Host
	}
	return "https://" + net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port)))
}

// controlPlaneMessage is CAPA's own word on why the control plane is not ready.
func controlPlaneMessage(plane *ekscontrolplanev1.AWSManagedControlPlane) string {
	for _, t := range []capaConditionType{
		ekscontrolplanev1.IAMControlPlaneRolesReadyCondition, ekscontrolplanev1.EKSControlPlaneReadyCondition, capaReady,
	} {
		if c := findCondition(plane.Status.Conditions, t); c != nil && c.Status != "True" && c.Message != "" {
			return string(t) + ": " + c.Message
		}
	}
	return "CAPA makes the EKS control plane"
}
