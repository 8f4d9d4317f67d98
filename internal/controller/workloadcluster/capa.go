package workloadcluster

import (
	clusterv1beta1 "sigs.k8s.io/cluster-api/api/core/v1beta1" //nolint:staticcheck // deprecated, yet CAPA 2.13's own types are made of it

	"kargo.dev/kargo/api/v1alpha1"
)

// Types of Cluster API's former version that CAPA 2.13 still reports in.
type (
	capaCondition     = clusterv1beta1.Condition
	capaConditionType = clusterv1beta1.ConditionType
	capaEndpoint      = clusterv1beta1.APIEndpoint
)

// capaReady is CAPA's summary.
const capaReady = clusterv1beta1.ReadyCondition

func findCondition(conditions []capaCondition, t capaConditionType) *capaCondition {
	for i := range conditions {
		if conditions[i].Type == t {
			return &conditions[i]
		}
	}
	return nil
}

func reasonOf(c *capaCondition) string {
	if c.Reason == "" {
		return v1alpha1.ReasonProgressing
	}
	return c.Reason
}

func messageOf(c *capaCondition) string {
	if c.Message == "" {
		return reasonOf(c)
	}
	return c.Message
}
