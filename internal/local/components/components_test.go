package components

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"kargo.dev/kargo/internal/engine"
	"kargo.dev/kargo/internal/local/profile"
)

func testLayout() Layout {
	ports := map[string]int{}
	for i, name := range Ports() {
		ports[name] = 20000 + i
	}
	bin := &engine.Binaries{
		Etcd: "/engine/etcd", KubeControllerManager: "/engine/kcm", ClusterAPI: "/engine/capi", ClusterAPIAWS: "/engine/capa",
		SourceController: "/engine/source", KustomizeController: "/engine/kustomize", HelmController: "/engine/helm",
		APIServers: map[string]string{"1.34": "/engine/old", "1.36": "/engine/new"},
	}
	return Layout{
		Profile: profile.Profile{Name: "p", Dir: "/data/p"}, Engine: bin, Ports: ports,
		Programs: Programs{Kargoctl: "/bin/kargoctl", Manager: "/bin/kargo-manager", AWSSim: "/bin/awssim"},
		Search:   engine.Search{Dir: "/engine"},
	}
}

func TestSpecsAreValid(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range testLayout().Specs() {
		if err := s.Validate(); err != nil {
			t.Error(err)
		}
		if seen[s.Name] {
			t.Errorf("two processes are named %s", s.Name)
		}
		seen[s.Name] = true
		if s.ReadyURL == "" {
			t.Errorf("%s: nothing tells when it serves", s.Name)
		}
	}
}

// TestListenAddresses: what can be told an address listens on 127.0.0.1 only,
// and no two processes were given one port.
func TestListenAddresses(t *testing.T) {
	l := testLayout()
	owner := map[string]string{}
	for name, port := range l.Ports {
		process, _, _ := strings.Cut(name, "/")
		owner[fmt.Sprint(port)] = process
	}
	listens := regexp.MustCompile(`^--[a-z-]*(addr|address|listen)[a-z-]*=(.*)$`)
	webhook := regexp.MustCompile(`^--webhook-port=`)
	for _, s := range l.Specs() {
		for _, arg := range s.Args {
			if webhook.MatchString(arg) {
				continue // Cluster API's webhook servers know no address
			}
			m := listens.FindStringSubmatch(arg)
			if m == nil || m[2] == "" {
				continue
			}
			addr := strings.TrimPrefix(strings.TrimPrefix(m[2], "http://"), "https://")
			if !strings.HasPrefix(addr, "127.0.0.1") {
				t.Errorf("%s: %s is not on 127.0.0.1", s.Name, arg)
			}
			if _, port, ok := strings.Cut(addr, ":"); ok && port != "0" && owner[port] != s.Name {
				t.Errorf("%s: %s takes a port of %q", s.Name, arg, owner[port])
			}
		}
	}
}

// TestFactoryLaws: the flags of CAPA that laws 8 and 11 demand.
func TestFactoryLaws(t *testing.T) {
	args := strings.Join(testLayout().clusterAPIAWS().Args, " ")
	for _, want := range []string{"AutoControllerIdentityCreator=false", "--awscluster-concurrency=10", "--instance-state-concurrency=10"} {
		if !strings.Contains(args, want) {
			t.Errorf("CAPA runs without %s: %s", want, args)
		}
	}
}

func TestNewestAPIServerIsTheManagementClusters(t *testing.T) {
	if got := testLayout().apiServer().Path; got != "/engine/new" {
		t.Errorf("the management cluster runs %s", got)
	}
}
