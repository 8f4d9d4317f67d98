package cli_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/release/common"
	releasev1 "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage"
	"helm.sh/helm/v4/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/charts"
	"kargo.dev/kargo/internal/cli"
	"kargo.dev/kargo/internal/cli/command"
)

// kargoctl runs a command line in this process.
func kargoctl(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	streams, _, out, errOut := command.TestIO()
	f := command.New(streams, "test")
	f.Config = func() (*rest.Config, error) { return rest.CopyConfig(env.Config), nil }
	root := cli.NewCmdRoot(f)
	root.SetArgs(args)
	err := root.ExecuteContext(t.Context())
	if err != nil {
		command.PrintError(errOut, err)
	}
	return out.String(), errOut.String(), command.ExitCode(err)
}

func create(t *testing.T, objs ...client.Object) {
	t.Helper()
	for _, obj := range objs {
		if err := env.Client.Create(t.Context(), obj); err != nil {
			t.Fatal(err)
		}
	}
}

// install keeps a record as `helm upgrade --install` does, and makes the Cluster it renders.
func install(t *testing.T, name string, values map[string]any) *storage.Storage {
	t.Helper()
	var files []*archive.BufferedFile
	err := fs.WalkDir(charts.Cluster(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(charts.Cluster(), name)
		files = append(files, &archive.BufferedFile{Name: name, Data: data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	chart, err := loader.LoadFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	set, err := kubernetes.NewForConfig(env.Config)
	if err != nil {
		t.Fatal(err)
	}
	records := storage.Init(driver.NewSecrets(set.CoreV1().Secrets("default")))
	for version, status := range map[int]common.Status{1: common.StatusSuperseded, 2: common.StatusDeployed} {
		err := records.Create(&releasev1.Release{
			Name: name, Namespace: "default", Version: version, Chart: chart, Config: values, Info: &releasev1.Info{Status: status},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return records
}

// TestAdopt takes a bare cluster over. It is no script: no helm is at hand to make one.
func TestAdopt(t *testing.T) {
	publishCatalogue(t)
	startManager(t)
	create(t,
		&v1alpha1.Team{ObjectMeta: metav1.ObjectMeta{Name: "adopta"}, Spec: v1alpha1.TeamSpec{Owners: []v1alpha1.Subject{{Kind: "Group", Name: "x"}}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "adopta"}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "a900000000001"}},
		&v1alpha1.Account{ObjectMeta: metav1.ObjectMeta{Namespace: "adopta", Name: "prod"}, Spec: v1alpha1.AccountSpec{
			ID: "900000000001", Environment: "prod", Region: "eu-central-1", Network: v1alpha1.AccountNetwork{CIDR: "10.0.0.0/14"}}},
	)
	cluster := &clusterv1.Cluster{ObjectMeta: metav1.ObjectMeta{Namespace: "a900000000001", Name: "bare", Annotations: map[string]string{
		"meta.helm.sh/release-name": "bare", "meta.helm.sh/release-namespace": "default",
	}}}
	cluster.Spec.Paused = new(bool)
	create(t, cluster)
	values := map[string]any{
		"cluster":           map[string]any{"team": "adopta", "accountID": "900000000001", "environment": "prod", "region": "eu-central-1"},
		"kubernetesVersion": "1.35",
		"nodePools": map[string]any{
			"default": map[string]any{"instanceType": "m7i.xlarge", "minSize": 1, "maxSize": 3, "version": "1.35"},
		},
		"accessEntries": map[string]any{"ops": map[string]any{"role": "ops", "policy": "AmazonEKSViewPolicy"}},
	}
	records := install(t, "bare", values)

	t.Run("Refused", func(t *testing.T) {
		tests := map[string]struct {
			args []string
			code int
			want string
		}{
			"NoAccount":      {[]string{"bare", "--team", "adopta"}, command.ExitUsage, "Give --account"},
			"NoSuchCluster":  {[]string{"none", "--team", "adopta", "--account", "prod"}, command.ExitFailed, "has no Cluster none in its factory namespace a900000000001"},
			"UnknownAccount": {[]string{"bare", "--team", "adopta", "--account", "prd"}, command.ExitFailed, "did you mean prod"},
		}
		for name, tt := range tests {
			t.Run(name, func(t *testing.T) {
				_, stderr, code := kargoctl(t, append([]string{"adopt", "cluster"}, tt.args...)...)
				if code != tt.code || !strings.Contains(stderr, tt.want) {
					t.Errorf("exit code %d, want %d with %q:\n%s", code, tt.code, tt.want, stderr)
				}
			})
		}
	})

	args := []string{"adopt", "cluster", "bare", "--team", "adopta", "--account", "prod", "--branch", "instant"}
	stdout, stderr, code := kargoctl(t, append(args, "--dry-run")...)
	if code != command.ExitDone || stdout != "workloadcluster.kargo.dev/bare adopted (dry run)\n" {
		t.Fatalf("dry run: exit code %d\n%s%s", code, stdout, stderr)
	}
	if _, err := records.Last("bare"); err != nil {
		t.Fatal("the dry run touched the Helm release:", err)
	}
	stdout, stderr, code = kargoctl(t, args...)
	if code != command.ExitDone || stdout != "workloadcluster.kargo.dev/bare adopted\n" {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{
		"made by Helm release default/bare (revision 2",
		"values.nodePools.default.labels.kargo.dev/pool: (unset) → default",
		"values.accessEntries.administrators.role: (unset) → team-admin",
		"the record of Helm release default/bare (2 revisions) is removed",
	} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, stderr)
		}
	}
	if strings.Contains(stderr, "network.cidr") {
		t.Errorf("the network stays, but the diff says:\n%s", stderr)
	}
	checkAdopted(t)
	if history, err := records.History("bare"); err == nil {
		t.Errorf("%d records of the Helm release remain", len(history))
	}
	if stdout, _, code = kargoctl(t, args...); code != command.ExitDone || !strings.Contains(stdout, "adopted already") {
		t.Errorf("again: exit code %d, %s", code, stdout)
	}
}

func checkAdopted(t *testing.T) {
	t.Helper()
	w := &v1alpha1.WorkloadCluster{}
	if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: "adopta", Name: "bare"}, w); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(w.Annotations); got != "map[kargo.dev/adopt:true]" {
		t.Errorf("annotations %s", got)
	}
	want := `{"accessEntries":{"ops":{"policy":"AmazonEKSViewPolicy","role":"ops"}},` +
		`"nodePools":{"default":{"instanceType":"m7i.xlarge","maxSize":3,"minSize":1}}}`
	if got := string(w.Spec.Settings.Raw); got != want {
		t.Errorf("settings are what the schema leaves to clusters:\ngot  %s\nwant %s", got, want)
	}
	if w.Spec.KubernetesVersion != "1.35" || !w.Protected() {
		t.Errorf("version %s, protected %t: want those of the Helm release", w.Spec.KubernetesVersion, w.Protected())
	}
}
