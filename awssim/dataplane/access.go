package dataplane

import (
	"context"
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kargo.dev/kargo/awssim/eks"
)

// Real EKS authorizes access policies in a webhook of its own. Here a login
// carries a group per policy and scope, and RBAC binds those groups.

// clusterPolicies are the objects that give access policies their meaning in
// the whole cluster.
func clusterPolicies() []any {
	var res []any
	for _, p := range eks.AccessPolicies() {
		if len(p.Rules) > 0 {
			res = append(res, clusterRole(p))
		}
		res = append(res, &rbacv1.ClusterRoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"},
			ObjectMeta: metav1.ObjectMeta{Name: p.Group()},
			RoleRef:    roleRef(p), Subjects: groupSubject(p.Group()),
		})
	}
	return res
}

func clusterRole(p eks.AccessPolicy) *rbacv1.ClusterRole {
	role := &rbacv1.ClusterRole{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"},
		ObjectMeta: metav1.ObjectMeta{Name: p.ClusterRole},
	}
	for _, r := range p.Rules {
		role.Rules = append(role.Rules, rbacv1.PolicyRule{
			APIGroups: r.APIGroups, Resources: r.Resources, NonResourceURLs: r.NonResourceURLs, Verbs: r.Verbs,
		})
	}
	return role
}

func roleRef(p eks.AccessPolicy) rbacv1.RoleRef {
	return rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: p.ClusterRole}
}

func groupSubject(name string) []rbacv1.Subject {
	return []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: name}}
}

// bindNamespaces makes the RoleBindings that a login's groups need, where the
// namespaces exist. A namespace made later gets its binding at the next login.
func (c *cluster) bindNamespaces(ctx context.Context, groups []string) error {
	for _, group := range groups {
		p, namespace, ok := eks.PolicyOfNamespaceGroup(group)
		if !ok {
			continue
		}
		err := c.apply(ctx, &rbacv1.RoleBinding{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
			ObjectMeta: metav1.ObjectMeta{Name: p.Group(), Namespace: namespace},
			RoleRef:    roleRef(p), Subjects: groupSubject(group),
		})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("bind %s: %w", group, err)
		}
	}
	return nil
}
