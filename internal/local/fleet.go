package local

import (
	"context"

	"kargo.dev/kargo/internal/local/components"
	"kargo.dev/kargo/internal/local/gitserver"
	"kargo.dev/kargo/internal/scaffold"
)

// repository makes the fleet repository, the first time, and serves it.
func (u *up) repository(ctx context.Context) error {
	repository := u.Profile.FleetRepository()
	created, err := gitserver.EnsureRepository(ctx, repository, func(dir string) error {
		_, err := scaffold.InitFleet(ctx, scaffold.Options{
			Dir: dir, Local: true, Example: true, Source: scaffold.SourceAuto,
			Progress: func(line string) { u.Progress.Note("%s", line) },
		})
		return err
	})
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
