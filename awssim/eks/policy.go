package eks

import (
	"slices"
	"strings"
)

// AccessPolicy is one of AWS's access policies, with what it means in a cluster.
type AccessPolicy struct {
	Name string // AmazonEKSViewPolicy
	// ClusterRole holds its rules in every cluster. All but the last are
	// Kubernetes' own; Rules tells of that which the data plane has to make.
	ClusterRole string
	Rules       []PolicyRule
}

// PolicyRule is a rule of a ClusterRole.
type PolicyRule struct {
	APIGroups, Resources, NonResourceURLs, Verbs []string
}

// ARN of the policy.
func (p AccessPolicy) ARN() string { return policyPrefix + p.Name }

// Group is the Kubernetes group of those who have the policy for the whole
// cluster; the data plane binds it to ClusterRole with a ClusterRoleBinding.
func (p AccessPolicy) Group() string { return "eks-access-policy:" + p.Name }

// NamespaceGroup is the group of those who have the policy in one namespace;
// the data plane binds it with a RoleBinding there.
func (p AccessPolicy) NamespaceGroup(namespace string) string {
	return p.Group() + ":namespace:" + namespace
}

const policyPrefix = "arn:aws:eks::aws:cluster-access-policy/"

// AccessPolicies are the policies that can be associated with an access entry,
// https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html.
func AccessPolicies() []AccessPolicy {
	return []AccessPolicy{
		{
			Name: "AmazonEKSAdminViewPolicy", ClusterRole: "eks:admin-view",
			Rules: []PolicyRule{
				{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"get", "list", "watch"}},
				{NonResourceURLs: []string{"*"}, Verbs: []string{"get"}},
			},
		},
		{Name: "AmazonEKSAdminPolicy", ClusterRole: "admin"},
		{Name: "AmazonEKSClusterAdminPolicy", ClusterRole: "cluster-admin"},
		{Name: "AmazonEKSEditPolicy", ClusterRole: "edit"},
		{Name: "AmazonEKSViewPolicy", ClusterRole: "view"},
	}
}

const clusterAdminPolicy = policyPrefix + "AmazonEKSClusterAdminPolicy"

func findPolicy(policyARN string) (AccessPolicy, bool) {
	all := AccessPolicies()
	i := slices.IndexFunc(all, func(p AccessPolicy) bool { return p.ARN() == policyARN })
	if i < 0 {
		return AccessPolicy{}, false
	}
	return all[i], true
}

// PolicyOfNamespaceGroup is the reverse of NamespaceGroup.
func PolicyOfNamespaceGroup(group string) (p AccessPolicy, namespace string, ok bool) {
	name, namespace, ok := strings.Cut(strings.TrimPrefix(group, "eks-access-policy:"), ":namespace:")
	if !ok || !strings.HasPrefix(group, "eks-access-policy:") {
		return AccessPolicy{}, "", false
	}
	p, ok = findPolicy(policyPrefix + name)
	return p, namespace, ok
}
