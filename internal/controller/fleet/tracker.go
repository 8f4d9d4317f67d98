// Package fleet follows the fleet repository: it fetches when the Git server's
// hook says so and every now and then, tells the clusters whose commit moved,
// and publishes the catalogue that the CLI checks input against.
package fleet

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/log"

	fluxmeta "github.com/fluxcd/pkg/apis/meta"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/blueprint"
	"kargo.dev/kargo/internal/gitrepo"
)

// Repository is the mirror that the tracker keeps up to date.
type Repository interface {
	Fetch(ctx context.Context) error
	Fetched() gitrepo.Fetched
	Resolve(ref gitrepo.Ref) (string, error)
}

// Blueprints gives the parsed fleet repository.
type Blueprints interface {
	Get(ctx context.Context, ref gitrepo.Ref) (*blueprint.Blueprint, error)
}

// Options of a Tracker.
type Options struct {
	Client     client.Client
	Repository Repository
	Blueprints Blueprints
	// Branch whose catalogue is published and that the management cluster's own Flux follows.
	Branch string
	// Interval between fetches that no hook asked for.
	Interval time.Duration
	// Namespace of the catalogue.
	Namespace string
	// Source is the management cluster's GitRepository that is told of a push.
	Source client.ObjectKey
	Now    func() time.Time
}

// Tracker follows the fleet repository. It is a manager.Runnable.
type Tracker struct {
	opts   Options
	wake   chan struct{}
	events chan event.GenericEvent
	told   string // the outage that all clusters were told of
}

// New makes a Tracker.
func New(opts Options) *Tracker {
	return &Tracker{opts: opts, wake: make(chan struct{}, 1), events: make(chan event.GenericEvent)}
}

// Events tells of the WorkloadClusters whose commit moved, and of all of them
// when an outage begins or ends.
func (t *Tracker) Events() <-chan event.GenericEvent { return t.events }

// ServeHTTP takes the Git server's hook: any POST means "something was pushed".
// It believes nothing that the request says, so it needs no secret; many at once
// cost one fetch.
func (t *Tracker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		http.Error(w, "POST tells the manager that the fleet repository was pushed to", http.StatusMethodNotAllowed)
		return
	}
	select {
	case t.wake <- struct{}{}:
	default: // a fetch is already due
	}
	w.WriteHeader(http.StatusAccepted)
}

// NeedLeaderElection implements manager.LeaderElectionRunnable: one manager fetches for its controllers.
func (t *Tracker) NeedLeaderElection() bool { return true }

// retry is how long after a failed fetch the next one is, if the interval is longer.
const retry = 15 * time.Second

// Start follows the repository until the context ends.
func (t *Tracker) Start(ctx context.Context) error {
	for {
		if err := t.refresh(ctx); err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "the fleet repository is not up to date; clusters stay as they are")
		}
		pause := t.opts.Interval
		if t.opts.Repository.Fetched().Err != nil {
			pause = min(pause, retry)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.wake:
		case <-time.After(pause):
		}
	}
}

// refresh fetches and tells of what came. A fetch that fails tells of nothing but
// of the outage, and of that once.
func (t *Tracker) refresh(ctx context.Context) error {
	fetchErr := t.opts.Repository.Fetch(ctx)
	outage, concerns := t.Outage(), t.moved
	if outage != t.told {
		concerns = func(*v1alpha1.WorkloadCluster) bool { return true }
	} else if fetchErr != nil {
		return fetchErr
	}
	err := t.notifyClusters(ctx, concerns)
	if err == nil {
		t.told = outage
	}
	if fetchErr != nil {
		return errors.Join(fetchErr, err)
	}
	return errors.Join(err, t.publish(ctx), t.notifySource(ctx))
}

// moved says whether the cluster's branch or tag is not at the commit its status names.
func (t *Tracker) moved(c *v1alpha1.WorkloadCluster) bool {
	commit, err := t.opts.Repository.Resolve(gitrepo.Ref{Branch: c.Spec.Branch, Tag: c.Spec.Release})
	return err != nil || commit != c.Status.Commit
}

// notifyClusters sends an event for each cluster that is concerned.
func (t *Tracker) notifyClusters(ctx context.Context, concerns func(*v1alpha1.WorkloadCluster) bool) error {
	var clusters v1alpha1.WorkloadClusterList
	if err := t.opts.Client.List(ctx, &clusters); err != nil {
		return fmt.Errorf("list clusters: %w", err)
	}
	for i := range clusters.Items {
		if !concerns(&clusters.Items[i]) {
			continue
		}
		select {
		case t.events <- event.GenericEvent{Object: &clusters.Items[i]}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// notifySource makes the management cluster's Flux look at the repository now,
// when the branch is not at the revision it has.
func (t *Tracker) notifySource(ctx context.Context) error {
	repo := &sourcev1.GitRepository{}
	err := t.opts.Client.Get(ctx, t.opts.Source, repo)
	if apierrors.IsNotFound(err) || apimeta.IsNoMatchError(err) {
		return nil // a factory may run without management/ in Git, and without Flux
	}
	if err != nil {
		return fmt.Errorf("get GitRepository %s: %w", t.opts.Source, err)
	}
	commit, err := t.opts.Repository.Resolve(gitrepo.Ref{Branch: t.opts.Branch})
	if err != nil || repo.Status.Artifact.HasRevision(t.opts.Branch+"@sha1:"+commit) {
		return err
	}
	before := repo.DeepCopy()
	if repo.Annotations == nil {
		repo.Annotations = map[string]string{}
	}
	repo.Annotations[fluxmeta.ReconcileRequestAnnotation] = t.opts.Now().Format(time.RFC3339Nano)
	return t.opts.Client.Patch(ctx, repo, client.MergeFrom(before), client.FieldOwner("kargo-fleet"))
}
