package testenv

import (
	"testing"
	"time"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/config"
)

// Eventually polls check until it returns nil, and fails the test with its last
// error when that takes longer than timeout.
func Eventually(t *testing.T, timeout time.Duration, check func() error) {
	t.Helper()
	deadline := time.Now().Add(timeout)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %v", timeout, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// ControllerConfig lets several tests of a process run a controller of the same name.
func ControllerConfig() config.Controller {
	return config.Controller{SkipNameValidation: ptr.To(true)}
}
