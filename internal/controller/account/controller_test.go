package account_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/fluxcd/pkg/runtime/conditions"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	infrav1 "sigs.k8s.io/cluster-api-provider-aws/v2/api/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"kargo.dev/kargo/api/v1alpha1"
	accountid "kargo.dev/kargo/internal/account"
	"kargo.dev/kargo/internal/controller/account"
	"kargo.dev/kargo/internal/controller/networkclaims"
	"kargo.dev/kargo/internal/controller/team"
	"kargo.dev/kargo/internal/testenv"
)

var env *testenv.Env

func TestMain(m *testing.M) {
	testenv.Main(m, func(e *testenv.Env) { env = e })
}

const factoryPrincipal = "arn:aws:iam::100000000000:role/kargo"

// start runs the team and account controllers until the test ends.
func start(t *testing.T) { startWith(t, &fakeAWS{}) }

func startWith(t *testing.T, aws account.AWS) {
	t.Helper()
	mgr, err := ctrl.NewManager(env.Config, ctrl.Options{Scheme: env.Scheme, Metrics: server.Options{BindAddress: "0"},
		Controller: testenv.ControllerConfig()})
	if err != nil {
		t.Fatal(err)
	}
	if err := (&team.Reconciler{Client: mgr.GetClient()}).SetupWithManager(mgr); err != nil {
		t.Fatal(err)
	}
	claims := &networkclaims.Store{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Namespace: "default"}
	r := &account.Reconciler{Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Network: claims, FactoryID: "test", AWS: aws,
		Principal: func(context.Context, string) (string, error) { return factoryPrincipal, nil }}
	if err := r.SetupWithManager(mgr); err != nil {
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
}

func create(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, o := range objects {
		if err := env.Client.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

func newTeam(name string) *v1alpha1.Team {
	return &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.TeamSpec{Owners: []v1alpha1.Subject{{Kind: "Group", Name: name + "-admins"}}}}
}

func newAccount(team, name, id, cidr string) *v1alpha1.Account {
	return &v1alpha1.Account{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: name}, Spec: v1alpha1.AccountSpec{
		ID: id, Environment: "prod", Region: "eu-central-1", Network: v1alpha1.AccountNetwork{CIDR: cidr},
	}}
}

// eventually polls until check returns nil.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	testenv.Eventually(t, 20*time.Second, check)
}

func condition(t *testing.T, o interface {
	client.Object
	conditions.Getter
}, conditionType, status, reason string) {
	t.Helper()
	eventually(t, func() error {
		if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			return err
		}
		c := conditions.Get(o, conditionType)
		if c == nil || string(c.Status) != status || c.Reason != reason || c.ObservedGeneration != o.GetGeneration() {
			return fmt.Errorf("%s of %s is %+v, want %s %s", conditionType, o.GetName(), c, status, reason)
		}
		return nil
	})
}

func namespaceOf(t *testing.T, team string) {
	t.Helper()
	eventually(t, func() error { return env.Client.Get(t.Context(), client.ObjectKey{Name: team}, &corev1.Namespace{}) })
}

func TestLifeOfAnAccount(t *testing.T) {
	start(t)
	shop := newTeam("shop")
	create(t, shop)
	condition(t, shop, "Ready", "True", "Succeeded")
	prod := newAccount("shop", "prod", "111111111111", "10.16.0.0/16")
	create(t, prod)
	condition(t, prod, "Ready", "True", "Succeeded")

	want := v1alpha1.AccountStatus{
		ObservedGeneration: 1, FactoryNamespace: "a111111111111",
		RoleARN: "arn:aws:iam::111111111111:role/kargo-factory", ExternalID: accountid.ExternalID("test", "111111111111"),
		FactoryPrincipal: factoryPrincipal,
	}
	got := prod.Status
	got.Conditions = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("status: -want, +got:\n%s", diff)
	}
	identity := &infrav1.AWSClusterRoleIdentity{}
	if err := env.Client.Get(t.Context(), client.ObjectKey{Name: "a111111111111"}, identity); err != nil {
		t.Fatal(err)
	}
	if identity.Spec.ExternalID != want.ExternalID || identity.Spec.RoleArn != want.RoleARN {
		t.Errorf("identity %+v does not assume the account's role with its external id", identity.Spec)
	}

	if err := env.Client.Delete(t.Context(), shop); err != nil {
		t.Fatal(err)
	}
	condition(t, shop, "Ready", "False", "Deleting") // its account remains
	if err := env.Client.Delete(t.Context(), prod); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if err := env.Client.Get(t.Context(), client.ObjectKey{Name: "a111111111111"}, identity); !apierrors.IsNotFound(err) {
			return fmt.Errorf("identity still there: %w", err)
		}
		ns := &corev1.Namespace{}
		if err := env.Client.Get(t.Context(), client.ObjectKey{Name: "a111111111111"}, ns); err != nil {
			return client.IgnoreNotFound(err)
		}
		if ns.DeletionTimestamp.IsZero() {
			return fmt.Errorf("factory namespace is not being deleted: %v", ns.Annotations)
		}
		return nil // nothing ends a namespace here: no kube-controller-manager runs
	})
}

func TestAccountClaimedTwice(t *testing.T) {
	start(t)
	create(t, newTeam("first"), newTeam("second"))
	namespaceOf(t, "first")
	namespaceOf(t, "second")
	mine := newAccount("first", "prod", "222222222222", "10.32.0.0/16")
	create(t, mine)
	condition(t, mine, "Ready", "True", "Succeeded")
	theirs := newAccount("second", "prod", "222222222222", "10.33.0.0/16")
	create(t, theirs)
	condition(t, theirs, "Stalled", "True", v1alpha1.ReasonAccountTaken)
	if got := conditions.GetMessage(theirs, "Ready"); got != "Claimed: AWS account 222222222222 is claimed by account prod of team first" {
		t.Errorf("message %q does not name the holder", got)
	}
	if theirs.Status.ExternalID != "" {
		t.Error("an account that is not claimed got an external id")
	}
}

func TestNetworkOverlap(t *testing.T) {
	start(t)
	create(t, newTeam("wide"), newTeam("narrow"))
	namespaceOf(t, "wide")
	namespaceOf(t, "narrow")
	wide := newAccount("wide", "prod", "333333333333", "10.64.0.0/12")
	create(t, wide)
	condition(t, wide, "Ready", "True", "Succeeded")
	narrow := newAccount("narrow", "prod", "444444444444", "10.65.0.0/16")
	create(t, narrow)
	condition(t, narrow, "Stalled", "True", v1alpha1.ReasonNetworkOverlap)
}

func TestConcurrentClaims(t *testing.T) {
	start(t)
	create(t, newTeam("racing"))
	namespaceOf(t, "racing")
	var accounts []*v1alpha1.Account
	for i := range 12 { // four ranges, each wanted by three accounts at once
		accounts = append(accounts, newAccount("racing", fmt.Sprintf("acct-%d", i), fmt.Sprintf("5555555555%02d", i), fmt.Sprintf("10.%d.0.0/16", 100+i%4)))
	}
	create(t, func() []client.Object {
		var out []client.Object
		for _, a := range accounts {
			out = append(out, a)
		}
		return out
	}()...)
	eventually(t, func() error {
		ready, stalled := 0, 0
		for _, a := range accounts {
			if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(a), a); err != nil {
				return err
			}
			if conditions.IsReady(a) {
				ready++
			}
			if conditions.GetReason(a, "Stalled") == v1alpha1.ReasonNetworkOverlap {
				stalled++
			}
		}
		if ready != 4 || stalled != 8 {
			return fmt.Errorf("%d ready and %d overlapping, want 4 and 8", ready, stalled)
		}
		return nil
	})
}

func TestNamespaceTaken(t *testing.T) {
	start(t)
	create(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "foreign"}})
	foreign := newTeam("foreign")
	create(t, foreign)
	condition(t, foreign, "Stalled", "True", v1alpha1.ReasonNamespaceTaken)
}
