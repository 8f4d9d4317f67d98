// Package manager assembles kargo-manager: its caches, controllers and servers.
package manager

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	ctrlmanager "sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"kargo.dev/kargo/internal/aws/session"
	"kargo.dev/kargo/internal/blueprint"
	"kargo.dev/kargo/internal/controller/account"
	"kargo.dev/kargo/internal/controller/fleet"
	"kargo.dev/kargo/internal/controller/networkclaims"
	"kargo.dev/kargo/internal/controller/team"
	"kargo.dev/kargo/internal/controller/workloadcluster"
	"kargo.dev/kargo/internal/factoryrole"
	"kargo.dev/kargo/internal/flux"
	"kargo.dev/kargo/internal/gitrepo"
	"kargo.dev/kargo/internal/preflight"

	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Options of the manager.
type Options struct {
	// FleetURL is the fleet repository as the manager reaches it; ClusterFleetURL
	// as workload clusters do, FleetURL if empty.
	FleetURL, ClusterFleetURL string
	// FleetBranch is the branch whose catalogue is published.
	FleetBranch string
	// FleetInterval is the time between fetches that no hook asked for.
	FleetInterval time.Duration
	// DataDir holds the mirror of the fleet repository; it may be lost.
	DataDir string
	// FactoryID tells this factory from others; it goes into external ids.
	FactoryID string
	// Namespace of the manager's own objects.
	Namespace string
	// HookAddr serves POST /hooks/fleet; HealthAddr /healthz and /readyz;
	// MetricsAddr /metrics, "0" for none.
	HookAddr, HealthAddr, MetricsAddr string
	LeaderElect                       bool
}

// check tells all that is missing at once.
func (o Options) check() error {
	var errs []error
	if o.FleetURL == "" {
		errs = append(errs, errors.New("no fleet repository: give its address with --fleet-url"))
	}
	if o.FleetBranch == "" {
		errs = append(errs, errors.New("no branch of the fleet repository: give one with --fleet-branch"))
	}
	if o.FleetInterval < time.Second {
		errs = append(errs, fmt.Errorf("the fleet repository cannot be fetched every %s: give at least 1s with --fleet-interval", o.FleetInterval))
	}
	if o.FactoryID == "" {
		errs = append(errs, errors.New("no factory id: give one with --factory-id; the external ids of all accounts depend on it, so it never changes"))
	}
	if o.Namespace == "" {
		errs = append(errs, errors.New("no namespace for the manager's own objects: give one with --namespace"))
	}
	return errors.Join(errs...)
}

// Run runs the manager until the context ends.
func Run(ctx context.Context, opts Options) error {
	if err := opts.check(); err != nil {
		return err
	}
	scheme, err := newScheme()
	if err != nil {
		return err
	}
	config, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("no management cluster: %w; set KUBECONFIG or run in the cluster", err)
	}
	config.QPS, config.Burst = 100, 200
	mgr, err := ctrl.NewManager(config, ctrl.Options{
		Scheme:                        scheme,
		Cache:                         cacheOptions(),
		Client:                        clientOptions(),
		Metrics:                       metricsserver.Options{BindAddress: opts.MetricsAddr},
		HealthProbeBindAddress:        opts.HealthAddr,
		LeaderElection:                opts.LeaderElect,
		LeaderElectionID:              "kargo-manager",
		LeaderElectionNamespace:       opts.Namespace,
		LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return fmt.Errorf("management cluster %s: %w", config.Host, err)
	}
	for _, check := range []func(string, healthz.Checker) error{mgr.AddHealthzCheck, mgr.AddReadyzCheck} {
		if err := check("ping", healthz.Ping); err != nil {
			return err
		}
	}
	if err := setup(ctx, mgr, opts); err != nil {
		return err
	}
	return mgr.Start(ctx)
}

// An answer of AWS to a preflight counts for a few minutes; what went wrong is
// asked again soon, as somebody is about to mend it.
const (
	preflightGood = 5 * time.Minute
	preflightBad  = 15 * time.Second
)

// setup wires the controllers.
func setup(ctx context.Context, mgr ctrl.Manager, opts Options) error {
	repo, err := gitrepo.Open(gitrepo.Options{URL: opts.FleetURL, Dir: opts.DataDir})
	if err != nil {
		return err
	}
	if err := metrics.Registry.Register(lastFetch(repo)); err != nil {
		return err
	}
	blueprints := blueprint.NewStore(repo)
	tracker := fleet.New(fleet.Options{
		Client: mgr.GetClient(), Repository: repo, Blueprints: blueprints,
		Branch: opts.FleetBranch, Interval: opts.FleetInterval, Namespace: opts.Namespace,
		Source: client.ObjectKey{Namespace: "flux-system", Name: "fleet"}, Now: time.Now,
	})
	if err := mgr.Add(tracker); err != nil {
		return err
	}
	if err := mgr.Add(hookServer(opts.HookAddr, tracker)); err != nil {
		return err
	}
	clusters, err := clusterCache(ctx, mgr)
	if err != nil {
		return err
	}
	sessions, err := session.Load(ctx)
	if err != nil {
		return err
	}
	claims := &networkclaims.Store{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Namespace: opts.Namespace}
	if err := (&team.Reconciler{Client: mgr.GetClient()}).SetupWithManager(mgr); err != nil {
		return err
	}
	if err := (&account.Reconciler{
		Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Network: claims, FactoryID: opts.FactoryID,
		AWS: &preflight.Cached{
			Probe: &preflight.Probe{Sessions: sessions, Needed: factoryrole.Needed}, Good: preflightGood, Bad: preflightBad, Now: time.Now,
		},
		Principal: (&factory{sessions: sessions}).principal,
	}).SetupWithManager(mgr); err != nil {
		return err
	}
	installation, err := workloadcluster.NewFlux(flux.Options{})
	if err != nil {
		return err
	}
	clusterURL := opts.ClusterFleetURL
	if clusterURL == "" {
		clusterURL = opts.FleetURL
	}
	return (&workloadcluster.Reconciler{
		Client: mgr.GetClient(), Blueprints: blueprints, Fleet: tracker, Network: claims, Clusters: clusters,
		Flux: installation, FleetURL: clusterURL, Now: time.Now,
	}).SetupWithManager(mgr, workloadcluster.Sources{
		Connections: clusters.source,
		Fleet:       source.Channel(tracker.Events(), &handler.EnqueueRequestForObject{}),
	})
}

// hookServer serves the Git server's hook.
func hookServer(addr string, fleet http.Handler) *ctrlmanager.Server {
	mux := http.NewServeMux()
	mux.Handle("/hooks/fleet", fleet)
	return &ctrlmanager.Server{
		Name:   "hooks",
		Server: &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: 5 * time.Second},
	}
}

// lastFetch is a metric to alert on: a fleet repository that cannot be read stops all change.
func lastFetch(repo interface{ Fetched() gitrepo.Fetched }) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "kargo_fleet_last_fetch_timestamp_seconds",
		Help: "When the fleet repository was last fetched, in seconds since 1970; 0 if it was not since the manager started.",
	}, func() float64 {
		at := repo.Fetched().At
		if at.IsZero() {
			return 0
		}
		return float64(at.UnixMilli()) / 1000
	})
}
