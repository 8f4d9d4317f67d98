package team

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	rbacv1ac "k8s.io/client-go/applyconfigurations/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/phase"
)

// reconcileNamespace makes the team's namespace and binds its people to the
// ClusterRoles kargo-team-owner and kargo-team-viewer, which charts/kargo brings.
func (r *Reconciler) reconcileNamespace(ctx context.Context, team *v1alpha1.Team) (string, error) {
	if err := r.ownNamespace(ctx, team); err != nil {
		return "", err
	}
	team.Status.Namespace = team.Name
	for role, people := range map[string][]v1alpha1.Subject{"owner": team.Spec.Owners, "viewer": team.Spec.Viewers} {
		if err := r.Client.Apply(ctx, roleBinding(team.Name, role, people), client.FieldOwner(FieldOwner), client.ForceOwnership); err != nil {
			return "", fmt.Errorf("bind the team's %ss in namespace %s: %w", role, team.Name, err)
		}
	}
	return "namespace " + team.Name, nil
}

// ownNamespace creates the namespace, or finds that it is the team's already. A
// namespace that somebody else made is never taken over.
func (r *Reconciler) ownNamespace(ctx context.Context, team *v1alpha1.Team) error {
	ns := &corev1.Namespace{}
	err := r.Client.Get(ctx, client.ObjectKey{Name: team.Name}, ns)
	switch {
	case apierrors.IsNotFound(err):
		ns = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: team.Name, Labels: map[string]string{v1alpha1.LabelTeam: team.Name},
		}}
		if err := r.Client.Create(ctx, ns, client.FieldOwner(FieldOwner)); err != nil {
			return fmt.Errorf("create namespace %s: %w", team.Name, err)
		}
	case err != nil:
		return fmt.Errorf("get namespace %s: %w", team.Name, err)
	case ns.Labels[v1alpha1.LabelTeam] != team.Name:
		return phase.Terminal(v1alpha1.ReasonNamespaceTaken,
			"namespace %s exists and is no team's; choose another team name, or label it %s=%s to hand it over", team.Name, v1alpha1.LabelTeam, team.Name)
	case !ns.DeletionTimestamp.IsZero():
		return phase.Waiting(v1alpha1.ReasonWaiting, "namespace %s is being deleted", team.Name)
	}
	protected := corev1ac.Namespace(team.Name).WithAnnotations(map[string]string{v1alpha1.AnnotationDeletionProtection: "true"})
	return r.Client.Apply(ctx, protected, client.FieldOwner(FieldOwner), client.ForceOwnership)
}

func roleBinding(team, role string, people []v1alpha1.Subject) *rbacv1ac.RoleBindingApplyConfiguration {
	binding := rbacv1ac.RoleBinding("kargo-team-"+role, team).
		WithLabels(map[string]string{v1alpha1.LabelTeam: team}).
		WithRoleRef(rbacv1ac.RoleRef().WithAPIGroup(rbacv1.GroupName).WithKind("ClusterRole").WithName("kargo-team-" + role))
	for _, p := range people {
		binding.WithSubjects(rbacv1ac.Subject().WithAPIGroup(rbacv1.GroupName).WithKind(p.Kind).WithName(p.Name))
	}
	return binding
}
