// Package testenv starts a real kube-apiserver for the tests of a package, with
// the CRDs of KARGO, Cluster API, CAPA and Flux and with KARGO's admission
// policies. It is imported by tests only.
package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	infrav1 "sigs.k8s.io/cluster-api-provider-aws/v2/api/v1beta2"
	ekscontrolplanev1 "sigs.k8s.io/cluster-api-provider-aws/v2/controlplane/eks/api/v1beta2"
	expinfrav1 "sigs.k8s.io/cluster-api-provider-aws/v2/exp/api/v1beta2"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/fluxcd/pkg/ssa/utils"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/engine"
)

// Env is a running kube-apiserver.
type Env struct {
	Config *rest.Config
	Scheme *kruntime.Scheme
	// Client of a cluster administrator, without a cache.
	Client client.Client

	env *envtest.Environment
}

// Main runs a package's tests with an Env that start receives before. Without
// the engine's binaries it says so and skips them: `make engine` builds them.
func Main(m *testing.M, start func(*Env)) {
	code, err := Run(m, start)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(code)
}

// Run is Main for a package that does more in its TestMain, and returns the exit code.
func Run(m interface{ Run() int }, start func(*Env)) (code int, err error) {
	e, missing, err := newEnv()
	if missing != nil {
		fmt.Println("SKIPPED, no test of this package ran:", missing)
		return 0, nil
	}
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, e.env.Stop()) }()
	start(e)
	return m.Run(), nil
}

// Start is Main for a single test of a package whose others need no Env.
func Start(t *testing.T) *Env {
	t.Helper()
	e, missing, err := newEnv()
	if missing != nil {
		t.Skip("SKIPPED: ", missing)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.env.Stop(); err != nil {
			t.Error("stop kube-apiserver:", err)
		}
	})
	return e
}

// newEnv starts an Env, unless the engine's binaries are missing, which CI does not forgive.
func newEnv() (e *Env, missing *engine.MissingError, err error) {
	binaries, err := engine.Find(context.Background(), engine.SearchFromEnv("", os.Getenv))
	if errors.As(err, &missing) && os.Getenv("CI") == "" {
		return nil, missing, nil
	}
	if err != nil {
		return nil, nil, err
	}
	ctrl.SetLogger(logr.Discard()) // a controller's errors show in the objects the tests look at
	e, err = startEnv(binaries)
	return e, nil, err
}

func startEnv(binaries *engine.Binaries) (*Env, error) {
	s, err := newScheme()
	if err != nil {
		return nil, err
	}
	crds, err := crds(binaries)
	if err != nil {
		return nil, err
	}
	e := &Env{Scheme: s, env: &envtest.Environment{
		BinaryAssetsDirectory:    filepath.Dir(binaries.Etcd),
		Scheme:                   s,
		CRDs:                     crds,
		ControlPlaneStartTimeout: time.Minute,
	}}
	if e.Config, err = e.env.Start(); err != nil {
		return nil, fmt.Errorf("start kube-apiserver: %w", err)
	}
	if e.Client, err = client.New(e.Config, client.Options{Scheme: s}); err != nil {
		return nil, err
	}
	return e, e.installPolicies()
}

func newScheme() (*kruntime.Scheme, error) {
	s := kruntime.NewScheme()
	var errs []error
	for _, add := range []func(*kruntime.Scheme) error{
		scheme.AddToScheme, apiextensionsv1.AddToScheme, v1alpha1.AddToScheme, clusterv1.AddToScheme,
		infrav1.AddToScheme, ekscontrolplanev1.AddToScheme, expinfrav1.AddToScheme, sourcev1.AddToScheme,
	} {
		errs = append(errs, add(s))
	}
	return s, errors.Join(errs...)
}

// crds of KARGO, Cluster API and CAPA; without conversion, as no webhook runs here.
func crds(binaries *engine.Binaries) ([]*apiextensionsv1.CustomResourceDefinition, error) {
	files := []string{binaries.Manifest(engine.ManifestClusterAPICRDs), binaries.Manifest(engine.ManifestClusterAPIAWSCRDs)}
	own, err := filepath.Glob(filepath.Join(root(), "charts", "kargo", "crds", "*.yaml"))
	if err != nil {
		return nil, err
	}
	var out []*apiextensionsv1.CustomResourceDefinition
	for _, file := range append(files, own...) {
		objects, err := Read(file)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			crd := &apiextensionsv1.CustomResourceDefinition{}
			if err := kruntime.DefaultUnstructuredConverter.FromUnstructured(o.Object, crd); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", file, o.GetName(), err)
			}
			crd.Spec.Conversion = nil
			out = append(out, crd)
		}
	}
	return out, nil
}

// installPolicies applies charts/kargo's admission policies and waits until they are in force.
func (e *Env) installPolicies() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	files, err := filepath.Glob(filepath.Join(root(), "charts", "kargo", "templates", "admission", "*.yaml"))
	if err != nil {
		return err
	}
	for _, file := range files {
		objects, err := Read(file)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if err := e.Client.Create(ctx, o); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return e.policiesInForce(ctx)
}

// policiesInForce creates what the policies refuse until it is refused.
func (e *Env) policiesInForce(ctx context.Context) error {
	for {
		probe := &infrav1.AWSClusterStaticIdentity{}
		probe.Name = "probe"
		probe.Spec.SecretRef = "probe"
		if err := e.Client.Create(ctx, probe, client.DryRunAll); apierrors.IsInvalid(err) || apierrors.IsForbidden(err) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("the admission policies are not in force after a minute")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Read reads the objects of a YAML file.
func Read(file string) ([]*unstructured.Unstructured, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	objects, err := utils.ReadObjects(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return objects, nil
}

// root is the project's root: this file lies in internal/testenv.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}
