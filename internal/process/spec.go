package process

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// defaultStopGrace is how long a process has between SIGTERM and SIGKILL.
const defaultStopGrace = 5 * time.Second

var (
	// nameForm keeps names usable as relative paths of log files.
	nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,199}(/[A-Za-z0-9][A-Za-z0-9._-]{0,199})*$`)
	// secretEnv matches the names of environment variables that hold a secret
	// themselves, rather than the file it lies in (AWS_SHARED_CREDENTIALS_FILE).
	secretEnv = regexp.MustCompile(`(?i)(SECRET|SECRET_ACCESS_KEY|PASSWORD|PASSWD|TOKEN|PRIVATE_KEY|API_KEY)$`)
)

// Validate says what is wrong with a spec. Specs are written to disk and
// listed, so values of variables that look like secrets are refused: give the
// process a file to read instead.
func (s Spec) Validate() error {
	var errs []error
	if !nameForm.MatchString(s.Name) {
		errs = append(errs, fmt.Errorf("name %q: want segments of letters, digits, '.', '_', '-' joined by '/'", s.Name))
	}
	if !filepath.IsAbs(s.Path) {
		errs = append(errs, fmt.Errorf("path %q: want the absolute path of a binary", s.Path))
	}
	for _, e := range s.Env {
		name, value, ok := strings.Cut(e, "=")
		switch {
		case !ok || name == "":
			errs = append(errs, fmt.Errorf("environment %q: want NAME=VALUE", name))
		case value != "" && secretEnv.MatchString(name):
			errs = append(errs, fmt.Errorf("environment variable %s: specs are kept on disk and hold no secrets; pass a file", name))
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("process %q: %w", s.Name, errors.Join(errs...))
	}
	return nil
}

// Equal tells whether two specs describe the same process.
func (s Spec) Equal(o Spec) bool {
	return s.Name == o.Name && s.Path == o.Path && s.Dir == o.Dir &&
		s.ReadyURL == o.ReadyURL && s.ReadyCAFile == o.ReadyCAFile && s.StopGrace == o.StopGrace &&
		slices.Equal(s.Args, o.Args) && slices.Equal(s.Env, o.Env)
}

func (s Spec) stopGrace() time.Duration {
	if s.StopGrace <= 0 {
		return defaultStopGrace
	}
	return s.StopGrace
}
