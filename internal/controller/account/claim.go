package account

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/phase"
)

// claim makes the factory namespace a<account id>. Its existence is the claim
// on the AWS account: creating it is the compare-and-swap that only one Account
// of all teams can win.
func (r *Reconciler) claim(ctx context.Context, acct *v1alpha1.Account) (string, error) {
	team := &v1alpha1.Team{}
	err := r.Client.Get(ctx, client.ObjectKey{Name: acct.Namespace}, team)
	switch {
	case apierrors.IsNotFound(err):
		return "", phase.Terminal(v1alpha1.ReasonNotATeamNamespace, "namespace %s belongs to no Team; create the Team first", acct.Namespace)
	case err != nil:
		return "", fmt.Errorf("get team %s: %w", acct.Namespace, err)
	}
	name := v1alpha1.FactoryNamespace(acct.Spec.ID)
	ns := &corev1.Namespace{}
	err = r.Reader.Get(ctx, client.ObjectKey{Name: name}, ns)
	if apierrors.IsNotFound(err) {
		ns = factoryNamespace(acct)
		err = r.Client.Create(ctx, ns, client.FieldOwner(FieldOwner))
		if apierrors.IsAlreadyExists(err) {
			return "", phase.Waiting(v1alpha1.ReasonWaiting, "another Account is claiming AWS account %s right now", acct.Spec.ID).After(retrySoon)
		}
	}
	if err != nil {
		return "", fmt.Errorf("factory namespace %s: %w", name, err)
	}
	if !ns.DeletionTimestamp.IsZero() {
		return "", phase.Waiting(v1alpha1.ReasonWaiting, "factory namespace %s of a former claim is being deleted", name)
	}
	if !claimedBy(ns, acct) {
		return "", phase.Terminal(v1alpha1.ReasonAccountTaken, "AWS account %s is claimed by %s", acct.Spec.ID, holder(ns))
	}
	acct.Status.FactoryNamespace = name
	return "AWS account " + acct.Spec.ID + " is claimed by " + acct.Namespace + "/" + acct.Name, nil
}

// factoryNamespace carries the claim in its labels: team and account name. They
// and not the Account's UID decide, so that a restored management cluster,
// whose objects all have new UIDs, keeps its claims.
func factoryNamespace(acct *v1alpha1.Account) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:        v1alpha1.FactoryNamespace(acct.Spec.ID),
		Labels:      map[string]string{v1alpha1.LabelTeam: acct.Namespace, v1alpha1.LabelAccount: acct.Name},
		Annotations: map[string]string{v1alpha1.AnnotationDeletionProtection: "true"},
	}}
}

func claimedBy(ns *corev1.Namespace, acct *v1alpha1.Account) bool {
	return ns.Labels[v1alpha1.LabelTeam] == acct.Namespace && ns.Labels[v1alpha1.LabelAccount] == acct.Name
}

func holder(ns *corev1.Namespace) string {
	team, name := ns.Labels[v1alpha1.LabelTeam], ns.Labels[v1alpha1.LabelAccount]
	if team == "" || name == "" {
		return "namespace " + ns.Name + ", which was not made by KARGO"
	}
	return "account " + name + " of team " + team
}
