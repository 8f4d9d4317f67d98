package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"kargo.dev/kargo/internal/engine"
	"kargo.dev/kargo/internal/local/components"
	"kargo.dev/kargo/internal/local/gitserver"
	"kargo.dev/kargo/internal/local/ports"
	"kargo.dev/kargo/internal/local/profile"
	"kargo.dev/kargo/internal/process"
)

// minFreeBytes is the disk space Up insists on: etcd's data, logs and Flux's
// artifacts of a few clusters take about half of it.
const minFreeBytes = 3 << 30

// check looks at everything the platform needs of the machine before it changes anything.
func (u *up) check(ctx context.Context) error {
	return errors.Join(u.checkEngine(ctx), checkPrograms(u.Programs), checkGit(), checkDisk(u.Profile.Dir, minFreeBytes))
}

func (u *up) checkEngine(ctx context.Context) error {
	bin, err := engine.Find(ctx, u.Search)
	if err != nil {
		return err
	}
	u.layout = components.Layout{Profile: u.Profile, Engine: bin, Programs: u.Programs, Search: u.Search}
	return nil
}

func checkPrograms(p components.Programs) error {
	var errs []error
	for _, path := range []string{p.Kargoctl, p.Manager, p.AWSSim} {
		if info, err := os.Stat(path); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			errs = append(errs, fmt.Errorf("no program at %s: kargoctl expects its siblings beside itself; build them with `make build`", path))
		}
	}
	return errors.Join(errs...)
}

func checkGit() error {
	if _, err := exec.LookPath("git"); err != nil {
		return errors.New("git is not installed: install it, the fleet repository is a Git repository")
	}
	return gitserver.Check()
}

func checkDisk(dir string, want uint64) error {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return fmt.Errorf("look at the free disk space of %s: %w", dir, err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < want {
		return fmt.Errorf("%s has %.1f GiB of free disk space, the platform wants %.1f GiB: free some, or set KARGO_HOME to another disk",
			dir, gib(free), gib(want))
	}
	return nil
}

func gib(b uint64) float64 { return float64(b) / (1 << 30) }

// checkVersion refuses data of a newer Kubernetes: a kube-apiserver cannot read
// what a newer one stored.
func (u *up) checkVersion() error {
	minors := u.layout.Engine.Minors()
	if len(minors) == 0 {
		return errors.New("the engine has no kube-apiserver: run `make engine`")
	}
	newest, have := minors[len(minors)-1], u.platform.KubernetesVersion
	if have != "" && minorNumber(newest) < minorNumber(have) {
		return fmt.Errorf("profile %s was last run with Kubernetes %s, this engine has %s: use the newer engine, or forget the data with `kargoctl down --purge`", u.Profile.Name, have, newest)
	}
	u.platform.KubernetesVersion = newest
	return nil
}

// minorNumber of "1.36" is 36; 0 if it is none.
func minorNumber(version string) int {
	var n int
	_, _ = fmt.Sscanf(version, "1.%d", &n)
	return n
}

// assignPorts gives every port a number: those of last time where they can be had.
func (u *up) assignPorts(ctx context.Context) error {
	list, err := u.runner.List(ctx, "")
	if err != nil {
		return err
	}
	running := map[string]bool{}
	for _, s := range list {
		running[s.Name] = s.State == process.StateRunning || s.State == process.StateStarting && s.PID != 0
	}
	inUse := func(port string) bool {
		owner, _, _ := strings.Cut(port, "/")
		return running[owner]
	}
	assigned, moved, err := ports.New(u.othersPorts()).Assign(components.Ports(), u.platform.Ports, inUse)
	if err != nil {
		return err
	}
	for _, m := range moved {
		u.Progress.Note("port %d is taken by another program: %s is now at %d", m.From, m.Name, m.To)
	}
	u.platform.Ports, u.layout.Ports = assigned, assigned
	return nil
}

// othersPorts are the ports that other profiles remember, running or not.
func (u *up) othersPorts() map[int]bool {
	res := map[int]bool{}
	names, err := profile.List()
	if err != nil {
		return res // an unreadable neighbour is no reason not to start
	}
	for _, name := range names {
		if name == u.Profile.Name {
			continue
		}
		pl, err := profile.Load(name)
		if err != nil {
			continue
		}
		for _, p := range pl.Ports {
			res[p] = true
		}
	}
	return res
}
