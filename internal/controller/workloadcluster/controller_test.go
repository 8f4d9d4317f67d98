package workloadcluster_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ekscontrolplanev1 "sigs.k8s.io/cluster-api-provider-aws/v2/controlplane/eks/api/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/cluster-api/controllers/clustercache"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/charts"
	"kargo.dev/kargo/internal/blueprint"
	"kargo.dev/kargo/internal/controller/networkclaims"
	"kargo.dev/kargo/internal/controller/workloadcluster"
	"kargo.dev/kargo/internal/gitrepo"
	"kargo.dev/kargo/internal/testenv"
	"kargo.dev/kargo/template"
)

var env *testenv.Env

func TestMain(m *testing.M) { testenv.Main(m, func(e *testenv.Env) { env = e }) }

// repository is a fleet repository without Git: each branch is a commit of files.
type repository struct{ commits map[string]fs.FS }

func (r *repository) Resolve(ref gitrepo.Ref) (string, error) {
	if _, ok := r.commits[ref.Branch]; !ok {
		return "", fmt.Errorf("%s: %w", ref, gitrepo.ErrNotFound)
	}
	return ref.Branch, nil
}

func (r *repository) Files(_ context.Context, commit string, _ func(string) bool) (fs.FS, error) {
	return r.commits[commit], nil
}

func (r *repository) Fetched() gitrepo.Fetched { return gitrepo.Fetched{At: time.Unix(1, 0)} }

func (r *repository) Forget(map[string]bool) error { return nil }

// fleet is the template's fleet repository, with changes to its files.
func fleet(t *testing.T, changes map[string]string) fs.FS {
	t.Helper()
	dir := t.TempDir()
	if err := errors.Join(os.CopyFS(dir, template.Fleet()), os.CopyFS(filepath.Join(dir, "charts", "cluster"), charts.Cluster())); err != nil {
		t.Fatal(err)
	}
	for name, text := range changes {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return os.DirFS(dir)
}

func (r *repository) LastChange(commit, _ string) (string, error) { return commit, nil }

// unconnected knows no workload cluster: what is inside them is tested end to end.
type unconnected struct{}

func (unconnected) GetReader(context.Context, client.ObjectKey) (client.Reader, error) {
	return nil, clustercache.ErrClusterNotConnected
}

func (unconnected) GetUncachedClient(context.Context, client.ObjectKey) (client.Client, error) {
	return nil, clustercache.ErrClusterNotConnected
}

func (unconnected) GetRESTConfig(context.Context, client.ObjectKey) (*rest.Config, error) {
	return nil, clustercache.ErrClusterNotConnected
}

func (unconnected) Watch(context.Context, client.ObjectKey, clustercache.Watcher) error {
	return clustercache.ErrClusterNotConnected
}

// start runs the controller until the test ends.
func start(t *testing.T) *outage {
	t.Helper()
	outages := &outage{events: make(chan event.GenericEvent)}
	mgr, err := ctrl.NewManager(env.Config, ctrl.Options{Scheme: env.Scheme, Metrics: server.Options{BindAddress: "0"}, Controller: testenv.ControllerConfig()})
	if err != nil {
		t.Fatal(err)
	}
	repo := &repository{commits: map[string]fs.FS{
		"main":   fleet(t, nil),
		"broken": fleet(t, map[string]string{"flavors/standard/flavor.yaml": "settings: ["}),
	}}
	r := &workloadcluster.Reconciler{
		Client: mgr.GetClient(), Blueprints: blueprint.NewStore(repo), Fleet: outages, Clusters: unconnected{}, Now: time.Now,
		Network: &networkclaims.Store{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Namespace: "default"},
	}
	none := make(chan event.GenericEvent)
	err = r.SetupWithManager(mgr, workloadcluster.Sources{
		Connections: func(string, func(context.Context, client.Object) []ctrl.Request) source.Source {
			return source.Channel(none, &handler.EnqueueRequestForObject{})
		},
		Fleet: source.Channel(outages.events, &handler.EnqueueRequestForObject{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- mgr.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error("manager:", err)
		}
	})
	return outages
}

// account makes a team and a ready account of it, as their controllers would.
func account(t *testing.T, team, id, cidr string) {
	t.Helper()
	acct := &v1alpha1.Account{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: "prod"}, Spec: v1alpha1.AccountSpec{
		ID: id, Environment: "prod", Region: "eu-central-1", Network: v1alpha1.AccountNetwork{CIDR: cidr},
	}}
	for _, o := range []client.Object{
		&v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Name: team}, Spec: v1alpha1.TeamSpec{Owners: []v1alpha1.Subject{{Kind: "Group", Name: "x"}}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a" + id}},
		acct,
	} {
		if err := env.Client.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	acct.Status.FactoryNamespace = "a" + id
	conditions.MarkTrue(acct, v1alpha1.ConditionClaimed, "Succeeded", "mine")
	conditions.MarkTrue(acct, v1alpha1.ConditionReady, "Succeeded", "fine")
	if err := env.Client.Status().Update(t.Context(), acct); err != nil {
		t.Fatal(err)
	}
}

func newCluster(team, name string, change func(*v1alpha1.WorkloadClusterSpec)) *v1alpha1.WorkloadCluster {
	w := &v1alpha1.WorkloadCluster{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: name}, Spec: v1alpha1.WorkloadClusterSpec{
		AccountRef: v1alpha1.AccountReference{Name: "prod"}, Branch: "main", KubernetesVersion: "1.34",
	}}
	if change != nil {
		change(&w.Spec)
	}
	return w
}

// condition waits until the cluster's condition is so.
func condition(t *testing.T, w *v1alpha1.WorkloadCluster, conditionType, status, reason string) {
	t.Helper()
	testenv.Eventually(t, 20*time.Second, func() error {
		if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(w), w); err != nil {
			return err
		}
		c := conditions.Get(w, conditionType)
		if c == nil || string(c.Status) != status || c.Reason != reason || c.ObservedGeneration != w.Generation {
			return fmt.Errorf("%s of %s is %+v, want %s %s", conditionType, w.Name, c, status, reason)
		}
		return nil
	})
}

func TestBadInputIsStalled(t *testing.T) {
	start(t)
	account(t, "input", "111111111111", "10.0.0.0/16")
	raw := func(s string) *apiextensionsv1.JSON { return &apiextensionsv1.JSON{Raw: []byte(s)} }
	tests := map[string]struct {
		reason string
		change func(*v1alpha1.WorkloadClusterSpec)
		want   string
	}{
		"unknown-account":  {reason: "the account is not the team's", change: func(s *v1alpha1.WorkloadClusterSpec) { s.AccountRef.Name = "other" }, want: v1alpha1.ReasonAccountNotFound},
		"unknown-flavor":   {reason: "the release has no such flavor", change: func(s *v1alpha1.WorkloadClusterSpec) { s.Flavor = "standrd" }, want: v1alpha1.ReasonFlavorNotFound},
		"unknown-branch":   {reason: "the repository has no such branch", change: func(s *v1alpha1.WorkloadClusterSpec) { s.Branch = "nowhere" }, want: v1alpha1.ReasonRevisionNotFound},
		"untested-version": {reason: "the flavor is not tested with it", change: func(s *v1alpha1.WorkloadClusterSpec) { s.KubernetesVersion = "1.99" }, want: v1alpha1.ReasonVersionNotTested},
		"unknown-setting":  {reason: "the schema has no such key", change: func(s *v1alpha1.WorkloadClusterSpec) { s.Settings = raw(`{"nodePool":{}}`) }, want: v1alpha1.ReasonSettingsInvalid},
		"own-setting":      {reason: "who the cluster is, is no setting", change: func(s *v1alpha1.WorkloadClusterSpec) { s.Settings = raw(`{"cluster":{"accountID":"222222222222"}}`) }, want: v1alpha1.ReasonSettingsInvalid},
		"broken-branch":    {reason: "the commit cannot be read", change: func(s *v1alpha1.WorkloadClusterSpec) { s.Branch = "broken" }, want: v1alpha1.ReasonFleetUnreadable},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			w := newCluster("input", name, tc.change)
			if err := env.Client.Create(t.Context(), w); err != nil {
				t.Fatal(err)
			}
			condition(t, w, v1alpha1.ConditionStalled, "True", tc.want)
			var made clusterv1.ClusterList
			if err := env.Client.List(t.Context(), &made, client.InNamespace("a111111111111")); err != nil || len(made.Items) != 0 {
				t.Errorf("%s, yet Cluster API got %d clusters, %v", tc.reason, len(made.Items), err)
			}
		})
	}
}

func planeOf(t *testing.T, namespace, name string) *ekscontrolplanev1.AWSManagedControlPlane {
	t.Helper()
	plane := &ekscontrolplanev1.AWSManagedControlPlane{}
	if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, plane); err != nil {
		t.Fatal(err)
	}
	return plane
}

// shape is what a test compares of the Cluster API objects.
type shape struct {
	Plane, Pool string
	CIDR        string
	Identity    string
	Protected   string
	Entries     int
}

func shapeOf(t *testing.T, namespace, name string) (shape, error) {
	t.Helper()
	plane := &ekscontrolplanev1.AWSManagedControlPlane{}
	if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, plane); err != nil {
		return shape{}, err
	}
	pool := &clusterv1.MachinePool{}
	if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name + "-default"}, pool); err != nil {
		return shape{}, err
	}
	return shape{
		Plane: ptr.Deref(plane.Spec.Version, ""), Pool: pool.Spec.Template.Spec.Version, CIDR: plane.Spec.NetworkSpec.VPC.CidrBlock,
		Identity: plane.Spec.IdentityRef.Name, Protected: plane.Annotations[v1alpha1.AnnotationDeletionProtection], Entries: len(plane.Spec.AccessEntries),
	}, nil
}

func wantShape(t *testing.T, namespace, name string, want shape) {
	t.Helper()
	testenv.Eventually(t, 20*time.Second, func() error {
		got, err := shapeOf(t, namespace, name)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return fmt.Errorf("-want, +got:\n%s", diff)
		}
		return nil
	})
}

// TestUpgradeInSteps plays CAPA: it says which version the control plane serves.
func TestUpgradeInSteps(t *testing.T) {
	start(t)
	account(t, "steps", "222222222222", "10.1.0.0/16")
	w := newCluster("steps", "one", nil)
	if err := env.Client.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	want := shape{Plane: "v1.34.0", Pool: "v1.34.0", CIDR: "10.1.0.0/18", Identity: "a222222222222", Protected: "true", Entries: 2}
	wantShape(t, "a222222222222", "one", want)
	serves(t, "a222222222222", "one", "v1.34.0")
	condition(t, w, v1alpha1.ConditionControlPlaneReady, "True", "Succeeded")

	upgrade := client.MergeFrom(w.DeepCopy())
	w.Spec.KubernetesVersion = "1.35"
	if err := env.Client.Patch(t.Context(), w, upgrade); err != nil {
		t.Fatal(err)
	}
	want.Plane = "v1.35.0" // the pool waits for the control plane
	wantShape(t, "a222222222222", "one", want)
	condition(t, w, v1alpha1.ConditionControlPlaneReady, "False", v1alpha1.ReasonUpgradingPlane)
	if got, err := shapeOf(t, "a222222222222", "one"); err != nil || got.Pool != "v1.34.0" {
		t.Errorf("the pool moved before the control plane: %+v, %v", got, err)
	}
	serves(t, "a222222222222", "one", "v1.35.0")
	want.Pool = "v1.35.0"
	wantShape(t, "a222222222222", "one", want)
}

// serves makes CAPA's object say that EKS serves a version.
func serves(t *testing.T, namespace, name, version string) {
	t.Helper()
	testenv.Eventually(t, 10*time.Second, func() error {
		plane := &ekscontrolplanev1.AWSManagedControlPlane{}
		if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, plane); err != nil {
			return err
		}
		plane.Status.Ready, plane.Status.Version = true, ptr.To(version)
		return env.Client.Status().Update(t.Context(), plane)
	})
}

// TestHandEditIsUndone: what KARGO declares belongs to it.
func TestHandEditIsUndone(t *testing.T) {
	start(t)
	account(t, "edits", "333333333333", "10.2.0.0/16")
	w := newCluster("edits", "one", nil)
	if err := env.Client.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	condition(t, w, v1alpha1.ConditionApplied, "True", "Succeeded")
	pool := &clusterv1.MachinePool{}
	key := client.ObjectKey{Namespace: "a333333333333", Name: "one-default"}
	if err := env.Client.Get(t.Context(), key, pool); err != nil {
		t.Fatal(err)
	}
	want := *pool.Spec.Replicas
	edit := client.MergeFrom(pool.DeepCopy())
	pool.Spec.Replicas = ptr.To(want + 3)
	if err := env.Client.Patch(t.Context(), pool, edit); err != nil {
		t.Fatal(err)
	}
	testenv.Eventually(t, 20*time.Second, func() error {
		if err := env.Client.Get(t.Context(), key, pool); err != nil {
			return err
		}
		if *pool.Spec.Replicas != want {
			return fmt.Errorf("%d replicas, want %d", *pool.Spec.Replicas, want)
		}
		return nil
	})
}

// TestBareClusterIsNotTakenOver without being asked for.
func TestBareClusterIsNotTakenOver(t *testing.T) {
	start(t)
	account(t, "bare", "444444444444", "10.3.0.0/16")
	bare := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "a444444444444", Name: "one",
		Labels:      map[string]string{v1alpha1.LabelTeam: "bare", v1alpha1.LabelCluster: "one"},
		Annotations: map[string]string{"meta.helm.sh/release-name": "one", "meta.helm.sh/release-namespace": "a444444444444"}}}
	bare.Spec.InfrastructureRef = clusterv1.ContractVersionedObjectReference{APIGroup: "infrastructure.cluster.x-k8s.io", Kind: "AWSManagedCluster", Name: "one"}
	if err := env.Client.Create(t.Context(), bare); err != nil {
		t.Fatal(err)
	}
	w := newCluster("bare", "one", nil)
	if err := env.Client.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	condition(t, w, v1alpha1.ConditionStalled, "True", v1alpha1.ReasonNameTaken)
	adopt := client.MergeFrom(w.DeepCopy())
	w.Annotations = map[string]string{v1alpha1.AnnotationAdopt: "true"}
	if err := env.Client.Patch(t.Context(), w, adopt); err != nil {
		t.Fatal(err)
	}
	condition(t, w, v1alpha1.ConditionApplied, "True", "Succeeded")
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(bare), bare); err != nil || bare.Annotations["meta.helm.sh/release-name"] != "" {
		t.Errorf("an adopted cluster is still Helm's: %v, %v", bare.Annotations, err)
	}
}

// TestProtectedClusterIsNotDeleted, not even when admission let the deletion through.
func TestProtectedClusterIsNotDeleted(t *testing.T) {
	start(t)
	account(t, "guarded", "555555555555", "10.4.0.0/16")
	w := newCluster("guarded", "one", func(s *v1alpha1.WorkloadClusterSpec) { s.DeletionProtection = ptr.To(false) })
	if err := env.Client.Create(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	condition(t, w, v1alpha1.ConditionApplied, "True", "Succeeded")
	cluster := &clusterv1.Cluster{}
	key := client.ObjectKey{Namespace: "a555555555555", Name: "one"}
	if err := env.Client.Get(t.Context(), key, cluster); err != nil {
		t.Fatal(err)
	}
	hold := client.MergeFrom(cluster.DeepCopy())
	cluster.Finalizers = append(cluster.Finalizers, "test.kargo.dev/hold") // as Cluster API's own would
	if err := env.Client.Patch(t.Context(), cluster, hold); err != nil {
		t.Fatal(err)
	}
	if err := env.Client.Delete(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	condition(t, w, v1alpha1.ConditionReady, "False", v1alpha1.ReasonDeleting)
	testenv.Eventually(t, 10*time.Second, func() error {
		if err := env.Client.Get(t.Context(), key, cluster); err != nil {
			return err
		}
		if cluster.DeletionTimestamp.IsZero() {
			return errors.New("the Cluster is not being deleted")
		}
		return nil
	})
}
