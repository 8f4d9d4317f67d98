package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/blueprint"
	"kargo.dev/kargo/internal/controller/fleet"
	catalog "kargo.dev/kargo/internal/fleet"
	"kargo.dev/kargo/internal/gitrepo"
)

const interval = 5 * time.Minute

// git is a mirror whose upstream the test plays.
type git struct {
	mu      sync.Mutex
	fetched gitrepo.Fetched
	fetches int
	err     error             // of the next fetches
	heads   map[string]string // commit by ref
	takes   time.Duration     // of a fetch
}

func (g *git) Fetch(context.Context) error {
	g.mu.Lock()
	g.fetches++
	takes := g.takes
	g.mu.Unlock()
	time.Sleep(takes)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.err == nil:
		g.fetched = gitrepo.Fetched{At: time.Now()}
	case g.fetched.Err == nil:
		g.fetched.FailingSince = time.Now()
	}
	g.fetched.Err = g.err
	return g.err
}

func (g *git) Fetched() gitrepo.Fetched {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fetched
}

func (g *git) Resolve(ref gitrepo.Ref) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if commit, ok := g.heads[ref.String()]; ok {
		return commit, nil
	}
	return "", fmt.Errorf("%s: %w", ref, gitrepo.ErrNotFound)
}

func (g *git) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

func (g *git) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fetches
}

// Get plays the blueprints: each commit is a fleet of its name; "broken" is none.
func (g *git) Get(_ context.Context, ref gitrepo.Ref) (*blueprint.Blueprint, error) {
	commit, err := g.Resolve(ref)
	if err != nil {
		return nil, err
	}
	if commit == "broken" {
		return nil, &blueprint.BrokenError{Commit: commit, Err: errors.New("flavors/standard/flavor.yaml:1: no YAML")}
	}
	return &blueprint.Blueprint{Commit: commit, Catalog: &catalog.Catalog{Name: commit, Schema: []byte("{}")}}, nil
}

func cluster(name, branch, release, commit string) *v1alpha1.WorkloadCluster {
	return &v1alpha1.WorkloadCluster{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       v1alpha1.WorkloadClusterSpec{Branch: branch, Release: release},
		Status:     v1alpha1.WorkloadClusterStatus{Commit: commit},
	}
}

func newClient(t *testing.T, funcs interceptor.Funcs, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme), sourcev1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).WithInterceptorFuncs(funcs).Build()
}

// following is a tracker that runs.
type following struct {
	*fleet.Tracker
	told, logged notes
}

// notes are what has come since they were last read.
type notes struct {
	mu    *sync.Mutex
	lines *[]string
}

func newNotes() notes { return notes{&sync.Mutex{}, new([]string)} }

func (n notes) add(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	*n.lines = append(*n.lines, line)
}

// read waits until nothing moves any more.
func (n notes) read() []string {
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	got := *n.lines
	slices.Sort(got)
	*n.lines = nil
	return got
}

// follow runs a tracker in a bubble of virtual time until the test's function returns.
func follow(t *testing.T, g *git, c client.Client, test func(t *testing.T, f following)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := following{told: newNotes(), logged: newNotes(), Tracker: fleet.New(fleet.Options{
			Client: c, Repository: g, Blueprints: g, Branch: "main", Interval: interval, Namespace: "kargo-system",
			Source: client.ObjectKey{Namespace: "flux-system", Name: "fleet"}, Now: time.Now,
		})}
		logger := funcr.New(func(_, line string) { f.logged.add(line) }, funcr.Options{})
		ctx, cancel := context.WithCancel(log.IntoContext(t.Context(), logger))
		done := make(chan error, 1)
		go func() { done <- f.Start(ctx) }()
		go func() {
			for {
				select {
				case e := <-f.Events():
					f.told.add(e.Object.GetName())
				case <-ctx.Done():
					return
				}
			}
		}()
		test(t, f)
		cancel()
		if err := <-done; err != nil {
			t.Error("Start:", err)
		}
	})
}

func push(tracker http.Handler) int {
	w := httptest.NewRecorder()
	tracker.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/hooks/fleet", strings.NewReader("anything")))
	return w.Code
}

// TestClustersAreTold plays a day: each step changes what the Git server has and says.
func TestClustersAreTold(t *testing.T) {
	refused := errors.New("fetch http://git/fleet.git: dial tcp 10.0.0.1:80: connect: connection refused")
	type step struct {
		reason string
		err    error
		main   string // the commit that main is at
		told   []string
		outage string
	}
	all := []string{"follows", "lost", "pinned"}
	steps := []step{
		{"the branch moved; the pinned one stays; one whose branch is gone may be mended", nil, "c2", []string{"follows", "lost"}, ""},
		{"an outage concerns all, and nothing moves", refused, "c3", all, "the fleet repository cannot be read since 2000-01-01T00:02:02Z: " + refused.Error()},
		{"an outage that goes on is told once", refused, "c3", nil, "the fleet repository cannot be read since 2000-01-01T00:02:02Z: " + refused.Error()},
		{"another cause is news, yet the outage the same", errors.New("authentication required"), "c3", all, "the fleet repository cannot be read since 2000-01-01T00:02:02Z: authentication required"},
		{"its end concerns all", nil, "c3", all, ""},
		{"and is told once", nil, "c3", []string{"follows", "lost"}, ""},
	}
	g := &git{heads: map[string]string{"refs/heads/main": "c1", "refs/tags/v1.0.0": "t1"}}
	c := newClient(t, interceptor.Funcs{}, cluster("follows", "main", "", "c1"), cluster("pinned", "", "v1.0.0", "t1"), cluster("lost", "gone", "", "c0"))
	follow(t, g, c, func(t *testing.T, f following) {
		if diff := cmp.Diff([]string{"lost"}, f.told.read()); diff != "" {
			t.Errorf("at the start, the one that is not where it should be: -want, +got:\n%s", diff)
		}
		for _, s := range steps {
			time.Sleep(61 * time.Second) // virtual; no fetch is due just then
			g.set(func() { g.err, g.heads["refs/heads/main"] = s.err, s.main })
			push(f)
			if diff := cmp.Diff(s.told, f.told.read()); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", s.reason, diff)
			}
			if diff := cmp.Diff(s.outage, f.Outage()); diff != "" {
				t.Errorf("%s: outage: -want, +got:\n%s", s.reason, diff)
			}
		}
	})
}

// TestNobodyIsForgotten: while the management cluster does not answer, an outage
// stays untold, and is told later.
func TestNobodyIsForgotten(t *testing.T) {
	var mu sync.Mutex
	down := true
	g := &git{err: errors.New("down"), heads: map[string]string{"refs/heads/main": "c1"}}
	c := newClient(t, interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
		mu.Lock()
		defer mu.Unlock()
		if down {
			return errors.New("the API server is down")
		}
		return c.List(ctx, list, opts...)
	}}, cluster("follows", "main", "", "c1"))
	follow(t, g, c, func(t *testing.T, f following) {
		if got := f.told.read(); got != nil {
			t.Errorf("told %v, although the clusters could not be listed", got)
		}
		mu.Lock()
		down = false
		mu.Unlock()
		push(f)
		if diff := cmp.Diff([]string{"follows"}, f.told.read()); diff != "" {
			t.Errorf("-want, +got:\n%s", diff)
		}
	})
}

// TestWhenItFetches: without a hook it is the interval, in trouble sooner.
func TestWhenItFetches(t *testing.T) {
	g := &git{heads: map[string]string{"refs/heads/main": "c1"}}
	follow(t, g, newClient(t, interceptor.Funcs{}), func(t *testing.T, f following) {
		check := func(reason string, after time.Duration, want int) {
			t.Helper()
			before := g.count()
			time.Sleep(after)
			synctest.Wait()
			if got := g.count() - before; got != want {
				t.Errorf("%s: %d fetches in %s, want %d", reason, got, after, want)
			}
		}
		check("at the start", 0, 1)
		check("before the interval is over", interval-time.Second, 0)
		g.set(func() { g.err = errors.New("down") })
		check("the interval is over", time.Second, 1)
		check("an outage is looked at again soon", time.Minute, 4)
		g.set(func() { g.err = nil })
		check("and it ends", 15*time.Second, 1)
		check("then it is the interval again", interval-time.Second, 0)
	})
}

func TestHook(t *testing.T) {
	g := &git{heads: map[string]string{"refs/heads/main": "c1"}, takes: time.Minute}
	follow(t, g, newClient(t, interceptor.Funcs{}), func(t *testing.T, f following) {
		synctest.Wait() // the first fetch hangs
		for range 10 {
			if code := push(f); code != http.StatusAccepted {
				t.Fatalf("a push is answered %d, want 202 at once, whatever the fetch does", code)
			}
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if got := g.count(); got != 2 {
			t.Errorf("%d fetches, want 2: the one that was under way may have missed the pushes, and one more sees them all", got)
		}
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete} {
			w := httptest.NewRecorder()
			f.ServeHTTP(w, httptest.NewRequest(method, "/hooks/fleet", nil))
			if w.Code != http.StatusMethodNotAllowed {
				t.Errorf("%s is answered %d, want 405", method, w.Code)
			}
		}
		synctest.Wait()
		if got := g.count(); got != 2 {
			t.Errorf("looking at the hook's address fetched: %d", got)
		}
	})
}

func TestOnlyTheLeaderFollows(t *testing.T) {
	if !fleet.New(fleet.Options{}).NeedLeaderElection() {
		t.Error("every manager would fetch and publish")
	}
}

func TestOutageIsStable(t *testing.T) {
	tests := map[string]struct {
		reason string
		err    error
		want   string
	}{
		"SourcePort": {
			reason: "the near end of a connection is another one each time",
			err:    errors.New("fetch http://git/f.git: read tcp 127.0.0.1:40124->127.0.0.1:80: read: connection reset by peer"),
			want:   "fetch http://git/f.git: read tcp 127.0.0.1:80: read: connection reset by peer",
		},
		"SourcePortIPv6": {
			reason: "likewise",
			err:    errors.New("read udp [fd00::1]:40124->[fd00::2]:53: i/o timeout"),
			want:   "read udp [fd00::2]:53: i/o timeout",
		},
		"Lines": {reason: "a condition's message is a line", err: errors.New("first\nsecond"), want: "first"},
		"Long":  {reason: "an answer may be a page of HTML", err: errors.New(strings.Repeat("é", 1000)), want: strings.Repeat("é", 300) + "..."},
		"Binary": {
			reason: "the API server takes UTF-8 only",
			err:    errors.New("answer \xff\xfe"), want: "answer ?",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			g := &git{fetched: gitrepo.Fetched{Err: tc.err, FailingSince: time.Date(2026, 11, 22, 11, 0, 0, 0, time.FixedZone("CET", 3600))}}
			want := "the fleet repository cannot be read since 2026-11-22T10:00:00Z: " + tc.want
			if diff := cmp.Diff(want, fleet.New(fleet.Options{Repository: g}).Outage()); diff != "" {
				t.Errorf("%s: -want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}
