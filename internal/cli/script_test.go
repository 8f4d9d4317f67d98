package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/charts"
	"kargo.dev/kargo/internal/cli"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/fleet"
	"kargo.dev/kargo/internal/testenv"
	"kargo.dev/kargo/template"
)

var env *testenv.Env

// TestMain is kargoctl itself when a script calls it.
func TestMain(m *testing.M) {
	testscript.Main(withEnv{m}, map[string]func(){
		"kargoctl": func() { os.Exit(cli.Main(context.Background(), command.SystemIO(), os.Args[1:])) },
	})
}

type withEnv struct{ m *testing.M }

func (w withEnv) Run() int {
	code, err := testenv.Run(w.m, func(e *testenv.Env) { env = e })
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// TestScripts runs testdata/script against a real kube-apiserver. No manager
// runs but the one of manager_test.go; scripts write statuses themselves.
func TestScripts(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	writeKubeconfig(t, kubeconfig)
	publishCatalogue(t)
	startManager(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("KUBECONFIG", kubeconfig)
			e.Setenv("KARGO_HOME", filepath.Join(e.WorkDir, "kargo"))
			e.Setenv("HOME", e.WorkDir)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":   cmdExits,
			"team":    cmdTeam,
			"account": cmdAccount,
			"status":  cmdStatus,
			"apply":   cmdApply,
			"event":   cmdEvent,
		},
	})
}

// publishCatalogue does what the manager does with the fleet repository: that of the template.
func publishCatalogue(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, template.Fleet()); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "charts", "cluster"), charts.Cluster()); err != nil {
		t.Fatal(err)
	}
	f, err := fleet.Load(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(f.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	for _, obj := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kargo-system"}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kargo-system", Name: "fleet-catalog"},
			Data: map[string]string{"catalog.json": string(data)}},
	} {
		if err := env.Client.Create(t.Context(), obj); client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
	}
}

// cmdExits runs a program and checks its exit code: exits CODE PROGRAM [ARG...].
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// cmdTeam makes a team and its namespace: team NAME.
func cmdTeam(ts *testscript.TestScript, _ bool, args []string) {
	t := &v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Name: args[0]}, Spec: v1alpha1.TeamSpec{
		Owners: []v1alpha1.Subject{{Kind: "Group", Name: args[0] + "-admins"}},
	}}
	ts.Check(env.Client.Create(context.Background(), t))
	ts.Check(env.Client.Create(context.Background(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: args[0]}}))
}

// cmdAccount makes an account: account TEAM NAME ID CIDR.
func cmdAccount(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(env.Client.Create(context.Background(), &v1alpha1.Account{
		ObjectMeta: metav1.ObjectMeta{Namespace: args[0], Name: args[1]},
		Spec: v1alpha1.AccountSpec{ID: args[2], Environment: "prod", Region: "eu-central-1",
			Network: v1alpha1.AccountNetwork{CIDR: args[3]}},
	}))
}

// cmdApply makes objects as an administrator: apply FILE.
func cmdApply(ts *testscript.TestScript, _ bool, args []string) {
	objs, err := testenv.Read(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, o := range objs {
		ts.Check(env.Client.Create(context.Background(), o))
	}
}

// cmdStatus merges a status into an object, at its present generation:
// status cluster|account|team NAMESPACE/NAME FILE.
func cmdStatus(ts *testscript.TestScript, _ bool, args []string) {
	kinds := map[string]conditioned{"cluster": &v1alpha1.WorkloadCluster{}, "account": &v1alpha1.Account{}, "team": &v1alpha1.Team{}}
	obj := kinds[args[0]]
	namespace, name := filepath.Split(args[1])
	key := client.ObjectKey{Namespace: filepath.Clean(namespace), Name: name}
	if args[0] == "team" {
		key.Namespace = ""
	}
	ts.Check(judged(key, obj))
	before := obj.DeepCopyObject().(client.Object)
	conditions := slices.Clone(obj.GetConditions())
	ts.Check(yaml.Unmarshal([]byte(ts.ReadFile(args[2])), obj))
	for _, c := range obj.GetConditions() {
		c.ObservedGeneration = obj.GetGeneration()
		apimeta.SetStatusCondition(&conditions, c)
	}
	obj.SetConditions(conditions)
	ts.Check(env.Client.Status().Patch(context.Background(), obj, client.MergeFrom(before)))
}

// judged reads an object once the manager has judged it, so that both do not
// write its status at the same time.
func judged(key client.ObjectKey, obj conditioned) error {
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	return wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if err := env.Client.Get(ctx, key, obj); err != nil {
			return false, err
		}
		c := apimeta.FindStatusCondition(obj.GetConditions(), v1alpha1.ConditionReady)
		return c != nil && c.ObservedGeneration == obj.GetGeneration(), nil
	})
}

type conditioned interface {
	client.Object
	GetConditions() []metav1.Condition
	SetConditions([]metav1.Condition)
}

// writeKubeconfig writes the administrator's kubeconfig of the test's API server.
func writeKubeconfig(t *testing.T, path string) {
	t.Helper()
	cfg := env.Config
	err := clientcmd.WriteToFile(clientcmdapi.Config{
		CurrentContext: "test",
		Clusters:       map[string]*clientcmdapi.Cluster{"test": {Server: cfg.Host, CertificateAuthorityData: cfg.CAData}},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{"test": {ClientCertificateData: cfg.CertData, ClientKeyData: cfg.KeyData}},
		Contexts:       map[string]*clientcmdapi.Context{"test": {Cluster: "test", AuthInfo: "test"}},
	}, path)
	if err != nil {
		t.Fatal(err)
	}
}

// deadline is how long a test may wait for something that should happen at once.
const deadline = 30 * time.Second

// cmdEvent tells of a cluster: event NAMESPACE/NAME REASON MESSAGE.
func cmdEvent(ts *testscript.TestScript, _ bool, args []string) {
	namespace, name := filepath.Split(args[0])
	w := &v1alpha1.WorkloadCluster{}
	ts.Check(env.Client.Get(context.Background(), client.ObjectKey{Namespace: filepath.Clean(namespace), Name: name}, w))
	ts.Check(env.Client.Create(context.Background(), &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: w.Namespace, GenerateName: name},
		InvolvedObject: corev1.ObjectReference{Kind: "WorkloadCluster", Namespace: w.Namespace, Name: w.Name, UID: w.UID},
		Type:           corev1.EventTypeWarning, Reason: args[1], Message: args[2], LastTimestamp: metav1.Now(),
	}))
}
