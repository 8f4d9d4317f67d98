package account

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	infrav1 "sigs.k8s.io/cluster-api-provider-aws/v2/api/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/account"
)

// SourceIdentity is CAPA's name of the factory's own credentials, from which the
// role in an account is assumed. No cluster may use it directly: admission
// refuses every identityRef but the role identity of the namespace's account.
const SourceIdentity = "default"

// sessionDuration is how long CAPA's session in the account lasts, in seconds:
// an hour, the most that role chaining allows.
const sessionDuration = 3600

// reconcileIdentity makes the identity with which CAPA, from the factory
// namespace only, assumes the factory's role in the account.
func (r *Reconciler) reconcileIdentity(ctx context.Context, acct *v1alpha1.Account) (string, error) {
	acct.Status.RoleARN = account.RoleARN(acct.Spec.ID, acct.Spec.FactoryRole)
	acct.Status.ExternalID = account.ExternalID(r.FactoryID, acct.Spec.ID)
	identity, err := runtime.DefaultUnstructuredConverter.ToUnstructured(roleIdentity(acct))
	if err != nil {
		return "", fmt.Errorf("identity of account %s: %w", acct.Name, err)
	}
	obj := client.ApplyConfigurationFromUnstructured(&unstructured.Unstructured{Object: identity})
	if err := r.Client.Apply(ctx, obj, client.FieldOwner(FieldOwner), client.ForceOwnership); err != nil {
		return "", fmt.Errorf("apply AWSClusterRoleIdentity %s: %w", acct.Status.FactoryNamespace, err)
	}
	principal, err := r.Principal(ctx, acct.Spec.Region)
	if err != nil {
		return "", fmt.Errorf("who the factory is in AWS: %w", err)
	}
	acct.Status.FactoryPrincipal = principal
	return "CAPA assumes " + acct.Status.RoleARN, nil
}

func roleIdentity(acct *v1alpha1.Account) *infrav1.AWSClusterRoleIdentity {
	name := acct.Status.FactoryNamespace
	return &infrav1.AWSClusterRoleIdentity{
		TypeMeta: metav1.TypeMeta{APIVersion: infrav1.GroupVersion.String(), Kind: "AWSClusterRoleIdentity"},
		ObjectMeta: metav1.ObjectMeta{
			Name:   name,
			Labels: map[string]string{v1alpha1.LabelTeam: acct.Namespace, v1alpha1.LabelAccount: acct.Name},
		},
		Spec: infrav1.AWSClusterRoleIdentitySpec{
			AWSClusterIdentitySpec: infrav1.AWSClusterIdentitySpec{
				AllowedNamespaces: &infrav1.AllowedNamespaces{NamespaceList: []string{name}},
			},
			AWSRoleSpec: infrav1.AWSRoleSpec{
				RoleArn:         acct.Status.RoleARN,
				SessionName:     "kargo-" + name,
				DurationSeconds: sessionDuration,
			},
			ExternalID:        acct.Status.ExternalID,
			SourceIdentityRef: &infrav1.AWSIdentityReference{Kind: infrav1.ControllerIdentityKind, Name: SourceIdentity},
		},
	}
}
