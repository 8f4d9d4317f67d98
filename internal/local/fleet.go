package local

import (
	"context"
	"os"
	"path/filepath"

	"kargo.dev/kargo/charts"
	"kargo.dev/kargo/internal/local/components"
	"kargo.dev/kargo/internal/local/gitserver"
)

// repository makes the fleet repository, the first time, and serves it.
func (u *up) repository(ctx context.Context) error {
	repository := u.Profile.FleetRepository()
	created, err := gitserver.EnsureRepository(ctx, repository, func(dir string) error { return fillFleet(ctx, dir) })
	if err != nil {
		return err
	}
	if created {
		u.Progress.Note("made the fleet repository %s", u.layout.FleetURL())
	}
	if err := gitserver.InstallHook(repository, u.Programs.Kargoctl, u.layout.HookURL()); err != nil {
		return err
	}
	return u.run(ctx, components.Git)
}

func fillFleet(_ context.Context, dir string) error {
	return os.CopyFS(filepath.Join(dir, "charts", "cluster"), charts.Cluster())
}
