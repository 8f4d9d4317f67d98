package command

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/local/profile"
)

// FieldManager is the name kargoctl's writes are booked under.
const FieldManager = "kargoctl"

// Factory makes what commands need, when they need it: a command that prints
// its help never reaches for a cluster.
type Factory struct {
	IO    *IOStreams
	Clock clock.WithTicker
	// Executable is the path of this program, for kubeconfigs that call it.
	Executable string
	// Version of this program.
	Version string

	// Config is how the management cluster is reached.
	Config func() (*rest.Config, error)
	// Client talks to the management cluster.
	Client func() (client.WithWatch, error)

	flags globalFlags
}

// globalFlags are the flags every command has.
type globalFlags struct {
	profile       string
	kubeconfig    string
	context       string
	namespace     string
	allNamespaces bool
}

// New returns the factory of a kargoctl process.
func New(streams *IOStreams, version string) *Factory {
	f := &Factory{
		IO:         streams,
		Clock:      clock.RealClock{},
		Executable: executable(),
		Version:    version,
	}
	f.Config = sync.OnceValues(f.restConfig)
	f.Client = sync.OnceValues(f.newClient)
	return f
}

// AddGlobalFlags adds the flags that say which management cluster is meant.
func (f *Factory) AddGlobalFlags(fs *pflag.FlagSet) {
	fs.StringVar(&f.flags.profile, "profile", "",
		`local platform to use; its management cluster is found by itself (env KARGO_PROFILE, "`+profile.Default+`" if both are empty)`)
	fs.StringVar(&f.flags.kubeconfig, "kubeconfig", "", "kubeconfig file of the management cluster, instead of a profile's")
	fs.StringVar(&f.flags.context, "context", "", "context of the kubeconfig to use")
	fs.StringVarP(&f.flags.namespace, "namespace", "n", "", "namespace to act in: the team's name")
	fs.BoolVarP(&f.flags.allNamespaces, "all-namespaces", "A", false, "act in all namespaces")
}

// Profile is the local platform that is meant; it need not exist.
func (f *Factory) Profile() (profile.Profile, error) {
	p, err := profile.Open(cmp.Or(f.flags.profile, os.Getenv("KARGO_PROFILE"), profile.Default))
	if err != nil {
		return profile.Profile{}, Usagef("%w", err)
	}
	return p, nil
}

// Namespace is what -n said, else "".
func (f *Factory) Namespace() string { return f.flags.namespace }

// Scope is the namespace a command that lists should look in: what -n says, else
// the kubeconfig context's, else "" for all of them; -A always means all.
func (f *Factory) Scope() (string, error) {
	switch {
	case f.flags.allNamespaces && f.flags.namespace != "":
		return "", Usagef("-A and -n contradict each other")
	case f.flags.allNamespaces:
		return "", nil
	case f.flags.namespace != "":
		return f.flags.namespace, nil
	}
	loader, err := f.loader()
	if err != nil {
		return "", err
	}
	ns, explicit, err := loader.Namespace()
	if err != nil || !explicit && ns == corev1.NamespaceDefault {
		return "", nil // a kubeconfig that cannot be read is reported by Client
	}
	return ns, nil
}

// Scheme knows the kinds that commands read and write as Go types.
func Scheme() (*runtime.Scheme, error) {
	s := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(s), v1alpha1.AddToScheme(s)); err != nil {
		return nil, fmt.Errorf("cannot register the API's kinds: %w", err)
	}
	return s, nil
}

func (f *Factory) newClient() (client.WithWatch, error) {
	cfg, err := f.Config()
	if err != nil {
		return nil, err
	}
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	c, err := client.NewWithWatch(cfg, client.Options{Scheme: scheme, FieldOwner: FieldManager})
	if err != nil {
		return nil, fmt.Errorf("cannot make a client for the management cluster: %w", err)
	}
	return interceptor.NewClient(c, deadlines()), nil
}

func (f *Factory) restConfig() (*rest.Config, error) {
	loader, err := f.loader()
	if err != nil {
		return nil, err
	}
	cfg, err := loader.ClientConfig()
	if err != nil {
		return nil, WithHint(fmt.Errorf("cannot find the management cluster: %w", err),
			"start the local platform with `kargoctl up`, or name a cluster with --profile, --kubeconfig or --context")
	}
	cfg.UserAgent = "kargoctl/" + f.Version
	cfg.WarningHandler = rest.NewWarningWriter(f.IO.ErrOut, rest.WarningWriterOptions{Deduplicate: true})
	// A person waits for the answers: no client-side throttling, the server has its own.
	cfg.QPS = -1
	return cfg, nil
}

// loader chooses the kubeconfig. A profile's is taken when a profile is named,
// or when the default one exists and neither --kubeconfig nor --context says that
// the user's own kubeconfig is meant. So a shell whose KUBECONFIG points to a
// workload cluster still finds the local platform.
func (f *Factory) loader() (clientcmd.ClientConfig, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	overrides := &clientcmd.ConfigOverrides{CurrentContext: f.flags.context}
	config := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	if f.flags.kubeconfig != "" {
		rules.ExplicitPath = f.flags.kubeconfig
		return config, nil
	}
	platform, err := f.Platform()
	switch {
	case err == nil && (f.profileNamed() || f.flags.context == ""):
		rules.ExplicitPath = platform.Addresses.Kubeconfig
	case err != nil && (f.profileNamed() || !errors.Is(err, profile.ErrNoPlatform)):
		return nil, err
	}
	return config, nil
}

// Platform is the local platform that is meant, or profile.ErrNoPlatform.
func (f *Factory) Platform() (*profile.Platform, error) {
	p, err := f.Profile()
	if err != nil {
		return nil, err
	}
	return p.Load()
}

// UsesPlatform says whether the management cluster that commands talk to is
// that of a local platform, and of which.
func (f *Factory) UsesPlatform() (*profile.Platform, bool) {
	if f.flags.kubeconfig != "" || f.flags.context != "" && !f.profileNamed() {
		return nil, false
	}
	platform, err := f.Platform()
	return platform, err == nil
}

func (f *Factory) profileNamed() bool {
	return f.flags.profile != "" || os.Getenv("KARGO_PROFILE") != ""
}

func executable() string {
	path, err := os.Executable()
	if err != nil {
		return "kargoctl"
	}
	return path
}

// RequestTimeout is how long one call to the management cluster may take.
const RequestTimeout = 30 * time.Second
