package workloadcluster

import (
	"context"
	"errors"
	"fmt"

	"github.com/fluxcd/pkg/runtime/conditions"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/blueprint"
	"kargo.dev/kargo/internal/gitrepo"
	"kargo.dev/kargo/internal/phase"
)

// resolve finds all that the cluster refers to, and checks that it fits together.
func (r *Reconciler) resolve(ctx context.Context, s *scope) (string, error) {
	accountErr := r.resolveAccount(ctx, s)
	if s.cluster.Status.FactoryNamespace != "" {
		// What is there is observed even when its account is in trouble.
		if err := r.observe(ctx, s); err != nil {
			return "", err
		}
	}
	if accountErr != nil {
		return "", accountErr
	}
	if c := s.observed.cluster; c != nil && helmMade(c) && !adopts(s.cluster) {
		return "", phase.Terminal(v1alpha1.ReasonNameTaken,
			"Helm made a bare cluster %s in this account; take it over with `kargoctl adopt cluster %s`, or choose another name", c.Name, c.Name)
	}
	// The outage is asked for first: one that ends meanwhile tells the cluster again.
	outage := r.Fleet.Outage()
	message, err := r.resolveDesign(ctx, s, outage)
	if outage == "" {
		return message, err
	}
	return message + "; " + outage, alsoSay(err, outage)
}

// resolveDesign finds out what the cluster should be made of, from the mirror of
// the fleet repository as it was last fetched.
func (r *Reconciler) resolveDesign(ctx context.Context, s *scope, outage string) (string, error) {
	print, err := r.Blueprints.Get(ctx, ref(s.cluster))
	if outage != "" && errors.Is(err, gitrepo.ErrNotFound) {
		// It may have been pushed since: unreadable is not empty.
		return "", phase.Waiting(v1alpha1.ReasonFleetUnreadable, "%s as it was last read; the cluster stays as it is", err)
	}
	if err != nil {
		return "", blueprintError(s.cluster, err)
	}
	s.cluster.Status.Commit = print.Commit
	s.design, err = newDesign(print, s)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("flavor %s at %s, commit %s", s.cluster.Spec.Flavor, ref(s.cluster), short(print.Commit)), nil
}

// alsoSay adds the outage to what a person reads of an error: what they have
// pushed to mend it may not have arrived.
func alsoSay(err error, outage string) error {
	var waiting *phase.WaitingError
	var terminal *phase.TerminalError
	switch {
	case errors.As(err, &waiting):
		return phase.Waiting(waiting.Reason, "%s; %s", waiting.Message, outage).After(waiting.RetryAfter)
	case errors.As(err, &terminal):
		return phase.Terminal(terminal.Reason, "%s; %s", terminal.Message, outage)
	}
	return err
}

// ref is what the cluster follows.
func ref(w *v1alpha1.WorkloadCluster) gitrepo.Ref {
	return gitrepo.Ref{Branch: w.Spec.Branch, Tag: w.Spec.Release}
}

// resolveAccount reads team and account, and records in the status where the cluster lives.
func (r *Reconciler) resolveAccount(ctx context.Context, s *scope) error {
	team := &v1alpha1.Team{}
	err := r.Client.Get(ctx, client.ObjectKey{Name: s.cluster.Namespace}, team)
	if apierrors.IsNotFound(err) {
		return phase.Terminal(v1alpha1.ReasonNotATeamNamespace, "namespace %s belongs to no Team: create clusters in a team's namespace", s.cluster.Namespace)
	}
	if err != nil {
		return fmt.Errorf("get team %s: %w", s.cluster.Namespace, err)
	}
	account := &v1alpha1.Account{}
	name := s.cluster.Spec.AccountRef.Name
	err = r.Client.Get(ctx, client.ObjectKey{Namespace: s.cluster.Namespace, Name: name}, account)
	if apierrors.IsNotFound(err) {
		return phase.Terminal(v1alpha1.ReasonAccountNotFound, "team %s has no account %s; `kargoctl get accounts -n %s` lists those it has", team.Name, name, team.Name)
	}
	if err != nil {
		return fmt.Errorf("get account %s: %w", name, err)
	}
	s.team, s.account = team, account
	if !conditions.IsTrue(account, v1alpha1.ConditionClaimed) {
		return phase.Waiting(v1alpha1.ReasonAccountNotReady, "account %s: %s", name, readyMessage(account))
	}
	status := &s.cluster.Status
	status.AccountID, status.Environment, status.Region = account.Spec.ID, account.Spec.Environment, account.Spec.Region
	status.FactoryNamespace = account.Status.FactoryNamespace
	if !conditions.IsReady(account) {
		return phase.Waiting(v1alpha1.ReasonAccountNotReady, "account %s: %s", name, readyMessage(account))
	}
	return nil
}

func readyMessage(account *v1alpha1.Account) string {
	if m := conditions.GetMessage(account, v1alpha1.ConditionReady); m != "" {
		return m
	}
	return "not ready yet"
}

// blueprintError says what a repository that cannot be used means for the
// cluster: it keeps what it has. A later push mends it and tells the manager.
func blueprintError(cluster *v1alpha1.WorkloadCluster, err error) error {
	var broken *blueprint.BrokenError
	switch {
	case errors.Is(err, blueprint.ErrNotFetched):
		return phase.Waiting(v1alpha1.ReasonFleetUnreadable, "%s; the cluster stays as it is", err).After(remoteRetry)
	case errors.Is(err, gitrepo.ErrNotFound):
		return phase.Terminal(v1alpha1.ReasonRevisionNotFound, "%s: push it, or change the cluster's release or branch; the cluster stays as it is", err)
	case errors.As(err, &broken):
		return phase.Terminal(v1alpha1.ReasonFleetUnreadable, "%s; the cluster stays as it is", broken)
	}
	return fmt.Errorf("read the fleet repository at %s: %w", ref(cluster), err)
}
