//go:build e2e

// Package e2e runs the whole local platform and uses it as its users would: with
// kargoctl, kubectl, git, helm and the aws command line. One platform is started
// for the suite; the tests run in the order of the files' names and leave it as
// they found it.
package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

	"kargo.dev/kargo/test/platform"
)

// suite is the platform the tests share.
var suite *platform.Platform

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	p, err := platform.New()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		return 1
	}
	suite = p
	code := 1
	started := time.Now()
	if r := p.Try("up"); r.Code != 0 {
		fmt.Fprintf(os.Stderr, "kargoctl up failed with %d after %s:\n%s\n%s\n", r.Code, time.Since(started), r.Stdout, r.Stderr)
	} else {
		fmt.Printf("kargoctl up took %s\n", time.Since(started).Round(time.Second))
		code = m.Run()
	}
	if os.Getenv("KARGO_E2E_KEEP") != "" {
		fmt.Println("kept: KARGO_HOME=" + p.Home)
		return code
	}
	if code != 0 {
		p.SaveLogs()
	}
	if r := p.Try("down", "--purge"); r.Code != 0 {
		fmt.Fprintln(os.Stderr, "kargoctl down:", r.Stderr)
	}
	return code
}
