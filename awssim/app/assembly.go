package app

import (
	"context"
	"log/slog"
	"net/http"
	"path/filepath"

	"kargo.dev/kargo/awssim/account"
	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/autoscaling"
	"kargo.dev/kargo/awssim/dataplane"
	"kargo.dev/kargo/awssim/ec2"
	"kargo.dev/kargo/awssim/eks"
	"kargo.dev/kargo/awssim/org"
	"kargo.dev/kargo/awssim/organizations"
	"kargo.dev/kargo/awssim/server"
	"kargo.dev/kargo/awssim/servicequotas"
	"kargo.dev/kargo/awssim/store"
	"kargo.dev/kargo/awssim/sts"
	"kargo.dev/kargo/awssim/tagging"
	"kargo.dev/kargo/internal/engine"
	"kargo.dev/kargo/internal/process"
)

// tokenReviewPath is where clusters' API servers ask whose a token is.
const tokenReviewPath = "/_awssim/tokenreview"

// quotasPath is where quotas are set from outside of AWS's API.
const quotasPath = "/_awssim/quotas"

// assembly is the simulator, put together.
type assembly struct {
	server  *server.Server
	eks     *eks.Service
	account *account.Service
	quotas  *servicequotas.Service
	log     *slog.Logger
	closes  []func() // in the order of making
}

func (a *assembly) close() {
	for i := range a.closes {
		a.closes[len(a.closes)-1-i]()
	}
}

func assemble(ctx context.Context, o Options, st *store.Store, config org.Config, address string) (_ *assembly, err error) {
	a := &assembly{log: o.Log}
	defer func() {
		if err != nil {
			a.close()
		}
	}()
	c, err := newCore(st, config, o.ClockFactor)
	if err != nil {
		return nil, err
	}
	plane, err := a.dataPlane(ctx, o, c.clock, "http://"+address+tokenReviewPath)
	if err != nil {
		return nil, err
	}
	services, err := a.services(c, plane, config.Closures)
	if err != nil {
		return nil, err
	}
	gate := auth.New(auth.Options{Keys: c.keys, Clock: c.clock, Hosts: []string{address}, Closed: a.account.Closed})
	a.server, err = server.New(server.Options{
		Store: st, Services: services, Auth: gate, Organisation: c.organisation, Clock: c.clock, Log: o.Log,
		Authorizer: c.authorizer,
		CallLog:    filepath.Join(o.StateDir, "calls.jsonl"),
		Local: map[string]http.Handler{
			"POST " + tokenReviewPath + "/{account}/{cluster}": plane.TokenReviewHandler(gate, a.eks),
			"GET " + quotasPath:  a.quotas.List(),
			"POST " + quotasPath: a.quotas.Set(),
		},
	})
	return a, err
}

// dataPlane makes what runs clusters, and the supervisor it needs if there is none.
func (a *assembly) dataPlane(ctx context.Context, o Options, clock api.Clock, tokenReviewURL string) (*dataplane.DataPlane, error) {
	found, err := engine.Find(ctx, o.Engine)
	if err != nil {
		return nil, err
	}
	binaries, err := dataplane.FromEngine(found)
	if err != nil {
		return nil, err
	}
	runner, err := a.runner(o)
	if err != nil {
		return nil, err
	}
	plane, err := dataplane.New(dataplane.Options{
		Runner: runner, Binaries: binaries, StateDir: filepath.Join(o.StateDir, "clusters"),
		TokenReviewURL: tokenReviewURL, Clock: clock, Logger: o.Log,
	})
	if err != nil {
		return nil, err
	}
	a.closes = append(a.closes, plane.Close)
	return plane, nil
}

func (a *assembly) runner(o Options) (process.Runner, error) {
	if o.RunnerSocket != "" {
		return process.NewClient(o.RunnerSocket), nil
	}
	supervisor, err := process.NewSupervisor(process.Options{Dir: filepath.Join(o.StateDir, "processes"), Logger: o.Log})
	if err != nil {
		return nil, err
	}
	a.closes = append(a.closes, supervisor.Stop)
	supervisor.Start()
	return supervisor, nil
}

// services makes all simulated services.
func (a *assembly) services(c core, plane eks.DataPlane, closures int) ([]api.Service, error) {
	compute, err := ec2.New(ec2.Options{Store: c.store, Clock: c.clock})
	if err != nil {
		return nil, err
	}
	groups, err := autoscaling.New(autoscaling.Options{Store: c.store, Clock: c.clock})
	if err != nil {
		return nil, err
	}
	a.eks, err = eks.New(eks.Options{
		Store: c.store, Clock: c.clock, DataPlane: plane, Network: compute.ForEKS(), Instances: compute.ForEKS(),
		Groups: groups, Principals: principals{c.iam}, Log: a.log,
	})
	if err != nil {
		return nil, err
	}
	organization, err := organizations.New(organizations.Options{
		Store: c.store, Clock: c.clock, Tree: c.tree, Organisation: c.organisation, IAM: c.iam, Closures: closures,
	})
	if err != nil {
		return nil, err
	}
	a.account, err = account.New(account.Options{Store: c.store, Clock: c.clock, Organisation: c.organisation, Members: organization})
	if err != nil {
		return nil, err
	}
	a.quotas = servicequotas.New(c.quotas)
	tags, err := tagging.New(tagging.Options{Sources: []tagging.Source{compute, groups, a.eks}})
	return []api.Service{
		c.iam, sts.New(sts.Options{Keys: c.keys, Roles: org.Roles{Organisation: c.organisation, IAM: c.iam}, Callers: c.authorizer, Clock: c.clock}),
		organization, a.account, a.quotas, compute, groups, a.eks, tags,
	}, err
}
