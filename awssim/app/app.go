// Package app puts the simulator together from its parts and runs it.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/authz"
	"kargo.dev/kargo/awssim/iam"
	"kargo.dev/kargo/awssim/org"
	"kargo.dev/kargo/awssim/organizations"
	"kargo.dev/kargo/awssim/quota"
	"kargo.dev/kargo/awssim/store"
	"kargo.dev/kargo/internal/engine"
)

// Options of the simulator.
type Options struct {
	// Listen is the address of all services, 127.0.0.1:PORT. It must stay the
	// same over restarts: clusters' API servers know it.
	Listen string
	// StateDir keeps all state; the same directory brings everything back.
	StateDir string
	// Config is the file with the accounts, see org.Config.
	Config string
	// ClockFactor is the simulator's pace: 0 is as fast as possible, 1 as slow as AWS.
	ClockFactor float64
	// RunnerSocket is where a supervisor runs processes for others, so that
	// clusters outlive the simulator; "" to run them itself.
	RunnerSocket string
	// Engine is where the Kubernetes programs are found.
	Engine engine.Search
	Log    *slog.Logger
}

// shutdownTimeout is how long running requests get when the simulator ends.
const shutdownTimeout = 5 * time.Second

// Run runs the simulator until ctx is done.
func Run(ctx context.Context, o Options) (err error) {
	if o.StateDir, err = filepath.Abs(o.StateDir); err != nil {
		return fmt.Errorf("find the state directory: %w", err)
	}
	if err := os.MkdirAll(o.StateDir, 0o700); err != nil {
		return fmt.Errorf("make the state directory: %w", err)
	}
	config, err := org.ReadConfig(o.Config)
	if err != nil {
		return err
	}
	st, err := store.Open(filepath.Join(o.StateDir, "state.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()

	listener, err := listen(ctx, o.Listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }() // closed by the HTTP server already, if that was started
	a, err := assemble(ctx, o, st, config, listener.Addr().String())
	if err != nil {
		return err
	}
	defer a.close()
	return a.serve(ctx, listener)
}

// listen binds to an address of this machine: the simulator hands out keys.
func listen(ctx context.Context, address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("listen on %q: want an address of this machine only, such as 127.0.0.1:4566", address)
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s (give another --listen if it is in use): %w", address, err)
	}
	return l, nil
}

// core are the parts that all services share.
type core struct {
	store        *store.Store
	clock        api.Clock
	keys         *auth.Keys
	iam          *iam.Service
	organisation *org.Organisation
	tree         *organizations.Tree
	quotas       *quota.Book
	authorizer   *authz.Authorizer
}

func newCore(st *store.Store, config org.Config, factor float64) (core, error) {
	c := core{store: st, clock: api.Clock{Now: time.Now, Factor: factor}}
	c.keys = auth.NewKeys(st, c.clock)
	c.organisation = org.New(org.Options{Store: st, Keys: c.keys, Clock: c.clock})
	var err error
	if c.tree, err = organizations.OpenTree(st, c.organisation); err != nil {
		return c, err
	}
	if c.iam, err = iam.New(iam.Options{Store: st, Clock: c.clock, Keys: c.keys, Accounts: c.organisation, Control: c.tree}); err != nil {
		return c, err
	}
	if c.quotas, err = quota.Open(st, c.clock); err != nil {
		return c, err
	}
	c.authorizer = authz.New(authz.Options{Keys: c.keys, Principals: c.iam, Membership: c.tree})
	return c, errors.Join(c.organisation.Seed(config, c.iam), c.quotas.Declare(config.Quotas))
}

// serve answers requests until ctx is done.
func (a *assembly) serve(ctx context.Context, l net.Listener) error {
	a.eks.Start(ctx)
	front := &http.Server{Handler: a.server, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn)}
	failed := make(chan error, 1)
	go func() { failed <- front.Serve(l) }()
	a.log.Info("simulated AWS serves", "endpoint", "http://"+l.Addr().String())
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	closeErr := a.server.Close() // releases what faults hold
	timeout, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := front.Shutdown(timeout); err != nil {
		a.log.Warn("requests were cut off", "error", err)
		_ = front.Close()
	}
	a.eks.Wait()
	return closeErr
}
