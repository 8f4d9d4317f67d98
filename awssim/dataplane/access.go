package dataplane

import (
	"context"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// policyGroup is what a login's groups for access policies begin with:
// eks-access-policy:POLICY for the whole cluster,
// eks-access-policy:POLICY:namespace:NAMESPACE for one namespace. Real EKS
// authorizes in a webhook of its own; RBAC bindings come to the same.
const policyGroup = "eks-access-policy:"

// AccessPolicy is an EKS access policy and the ClusterRole that has its
// permissions, https://docs.aws.amazon.com/eks/latest/userguide/access-policy-permissions.html.
type AccessPolicy struct {
	Name string // AmazonEKSViewPolicy
	Role string
}

// AccessPolicies are the policies a cluster knows. A group of another policy grants nothing.
func AccessPolicies() []AccessPolicy {
	return []AccessPolicy{
		{Name: "AmazonEKSClusterAdminPolicy", Role: "cluster-admin"},
		{Name: "AmazonEKSAdminPolicy", Role: "admin"},
		{Name: "AmazonEKSAdminViewPolicy", Role: "eks:admin-view"},
		{Name: "AmazonEKSEditPolicy", Role: "edit"},
		{Name: "AmazonEKSViewPolicy", Role: "view"},
	}
}

func (p AccessPolicy) roleRef() rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: p.Role}
}

func groupSubject(name string) []rbacv1.Subject {
	return []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}}
}

func (p AccessPolicy) clusterRoleBinding() *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: policyGroup + p.Name},
		RoleRef:    p.roleRef(), Subjects: groupSubject(policyGroup + p.Name),
	}
}

func (p AccessPolicy) roleBinding(namespace string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: policyGroup + p.Name, Namespace: namespace},
		RoleRef:    p.roleRef(), Subjects: groupSubject(policyGroup + p.Name + ":namespace:" + namespace),
	}
}

// bindNamespaces makes the RoleBindings that a login's groups need, where the
// namespaces exist. A namespace made later gets its binding at the next login.
func (c *cluster) bindNamespaces(ctx context.Context, groups []string) error {
	c.bindings.Lock()
	defer c.bindings.Unlock()
	for _, group := range groups {
		name, namespace, ok := strings.Cut(strings.TrimPrefix(group, policyGroup), ":namespace:")
		i := slices.IndexFunc(AccessPolicies(), func(p AccessPolicy) bool { return p.Name == name })
		if !ok || i < 0 || !strings.HasPrefix(group, policyGroup) {
			continue
		}
		admin, up := c.client()
		if !up {
			return fmt.Errorf("bind %s: the cluster's API is not up", group)
		}
		if _, err := admin.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{}); err != nil {
			continue // most likely it does not exist; the login itself is good
		}
		if err := c.apply(ctx, AccessPolicies()[i].roleBinding(namespace)); err != nil {
			return err
		}
	}
	return nil
}
