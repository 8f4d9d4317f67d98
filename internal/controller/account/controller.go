// Package account reconciles Accounts: the claim on the AWS account, its network
// range, and the identity CAPA reaches it with.
package account

import (
	"context"
	"net/netip"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	infrav1 "sigs.k8s.io/cluster-api-provider-aws/v2/api/v1beta2"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/account"
	"kargo.dev/kargo/internal/aws/session"
	"kargo.dev/kargo/internal/phase"
	"kargo.dev/kargo/internal/preflight"
)

// FieldOwner is the field manager of what this controller applies.
const FieldOwner = "kargo-account"

// NetworkClaims keeps network ranges from overlapping.
type NetworkClaims interface {
	Reserve(ctx context.Context, claimant string, want netip.Prefix) error
	Release(ctx context.Context, claimant string) error
}

// AWS answers what preflight asks of an account.
type AWS interface {
	Identity(ctx context.Context, t session.Target) (accountID string, err error)
	OpenToAll(ctx context.Context, t session.Target) (bool, error)
	Region(ctx context.Context, t session.Target) (preflight.Region, error)
	Denied(ctx context.Context, t session.Target) ([]preflight.Denial, error)
	Usages(ctx context.Context, t session.Target) ([]preflight.Usage, error)
	// Forget makes the next answers new ones.
	Forget(t session.Target)
}

// recheck is how often an account's preflight is repeated, and recheckFailed how
// often one that does not hold: what was mended in AWS tells nobody here.
const (
	recheck       = 10 * time.Minute
	recheckFailed = 30 * time.Second
)

// Reconciler reconciles Accounts.
type Reconciler struct {
	Client client.Client
	// Reader reads past the cache where a claim is decided.
	Reader  client.Reader
	Network NetworkClaims
	AWS     AWS
	// FactoryID tells this factory from others; it goes into external ids.
	FactoryID string
	// Principal is the ARN of the factory's own IAM role or user, asked for in a region.
	Principal func(ctx context.Context, region string) (arn string, err error)
}

// SetupWithManager registers the controller.
func (r *Reconciler) SetupWithManager(mgr ctrl.Manager) error {
	owned := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		team, name := o.GetLabels()[v1alpha1.LabelTeam], o.GetLabels()[v1alpha1.LabelAccount]
		if team == "" || name == "" {
			return nil
		}
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: team, Name: name}}}
	})
	inNamespace := handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, o client.Object) []reconcile.Request {
		var accounts v1alpha1.AccountList
		if err := r.Client.List(ctx, &accounts, client.InNamespace(o.GetName())); err != nil {
			return nil
		}
		return requests(accounts.Items)
	})
	byCluster := handler.EnqueueRequestsFromMapFunc(func(_ context.Context, o client.Object) []reconcile.Request {
		wc, ok := o.(*v1alpha1.WorkloadCluster)
		if !ok {
			return nil
		}
		return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: wc.Namespace, Name: wc.Spec.AccountRef.Name}}}
	})
	return ctrl.NewControllerManagedBy(mgr).
		Named("account").
		For(&v1alpha1.Account{}).
		Watches(&corev1.Namespace{}, owned).
		Watches(&infrav1.AWSClusterRoleIdentity{}, owned).
		Watches(&v1alpha1.Team{}, inNamespace).
		Watches(&v1alpha1.WorkloadCluster{}, byCluster).
		Complete(r)
}

func requests(accounts []v1alpha1.Account) []reconcile.Request {
	out := make([]reconcile.Request, 0, len(accounts))
	for i := range accounts {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&accounts[i])})
	}
	return out
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (result ctrl.Result, err error) {
	acct := &v1alpha1.Account{}
	if err := r.Client.Get(ctx, req.NamespacedName, acct); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	patcher := phase.NewPatcher(r.Client, FieldOwner, acct)
	defer func() {
		acct.Status.ObservedGeneration = acct.Generation
		result, err = phase.Finish(result, err, patcher.Patch(ctx, acct))
	}()
	if !acct.DeletionTimestamp.IsZero() {
		return r.finalize(ctx, acct)
	}
	if controllerutil.AddFinalizer(acct, v1alpha1.Finalizer) {
		if err := patcher.Patch(ctx, acct); err != nil {
			return ctrl.Result{}, err
		}
	}
	run := func(f func(context.Context, *v1alpha1.Account) (string, error)) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) { return f(ctx, acct) }
	}
	if wanted := acct.Annotations[v1alpha1.AnnotationCheck]; wanted != acct.Status.Checked {
		r.AWS.Forget(r.target(acct))
		acct.Status.Checked = wanted
	}
	result, err = phase.Run(ctx, acct, []phase.Phase{
		{Condition: v1alpha1.ConditionClaimed, Run: run(r.claim)},
		{Condition: v1alpha1.ConditionNetworkReserved, Needs: []string{v1alpha1.ConditionClaimed}, Run: run(r.reserveNetwork)},
		{Condition: v1alpha1.ConditionIdentityReady, Needs: []string{v1alpha1.ConditionClaimed}, Run: run(r.reconcileIdentity)},
		{Condition: v1alpha1.ConditionRoleAssumable, Needs: []string{v1alpha1.ConditionIdentityReady}, Run: run(r.assumeRole)},
		{Condition: v1alpha1.ConditionExternalIDDemanded, Needs: []string{v1alpha1.ConditionIdentityReady}, Run: run(r.demandExternalID)},
		{Condition: v1alpha1.ConditionRegionEnabled, Needs: []string{v1alpha1.ConditionRoleAssumable}, Run: run(r.enableRegion)},
		{Condition: v1alpha1.ConditionActionsAllowed, Needs: []string{v1alpha1.ConditionRoleAssumable}, Run: run(r.allowActions)},
		{Condition: v1alpha1.ConditionQuotasSuffice, Needs: []string{v1alpha1.ConditionRoleAssumable}, Run: run(r.checkQuotas)},
	})
	if err == nil && result.RequeueAfter == 0 {
		result.RequeueAfter = recheck
		if !conditions.IsReady(acct) {
			result.RequeueAfter = recheckFailed
		}
	}
	return result, err
}

// target is the way into the account.
func (r *Reconciler) target(acct *v1alpha1.Account) session.Target {
	return session.Target{
		AccountID: acct.Spec.ID, Region: acct.Spec.Region,
		RoleARN:    account.RoleARN(acct.Spec.ID, acct.Spec.FactoryRole),
		ExternalID: account.ExternalID(r.FactoryID, acct.Spec.ID),
	}
}
