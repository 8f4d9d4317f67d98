// Command kargo-manager reconciles teams, accounts and clusters in the management cluster.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"kargo.dev/kargo/internal/manager"
)

func main() {
	var opts manager.Options
	logging := zap.Options{}
	flag.StringVar(&opts.FleetURL, "fleet-url", "", "address of the fleet repository")
	flag.StringVar(&opts.ClusterFleetURL, "fleet-cluster-url", "", "its address as workload clusters reach it, if another")
	flag.StringVar(&opts.FleetBranch, "fleet-branch", "main", "branch whose catalogue the CLI checks input against")
	flag.DurationVar(&opts.FleetInterval, "fleet-interval", 5*time.Minute, "time between fetches that no hook asked for")
	flag.StringVar(&opts.DataDir, "data-dir", os.TempDir()+"/kargo-manager", "directory for the mirror of the fleet repository")
	flag.StringVar(&opts.FactoryID, "factory-id", "", "name of this factory, which goes into external ids")
	flag.StringVar(&opts.Namespace, "namespace", "kargo-system", "namespace of the manager's own objects")
	flag.StringVar(&opts.HookAddr, "hook-addr", ":9440", "address that takes the Git server's hook, POST /hooks/fleet")
	flag.StringVar(&opts.HealthAddr, "health-addr", ":9441", "address of /healthz and /readyz")
	flag.StringVar(&opts.MetricsAddr, "metrics-addr", ":9442", "address of /metrics, 0 for none")
	flag.BoolVar(&opts.LeaderElect, "leader-elect", false, "let only one of several managers work")
	logging.BindFlags(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))

	if err := manager.Run(ctrl.SetupSignalHandler(), opts); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}
