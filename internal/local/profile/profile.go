// Package profile knows where a local platform keeps its files and what other
// commands must know of it. Several platforms may run side by side on a
// machine, each in a profile of its own.
package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// Default is the profile that is used when none is named.
const Default = "default"

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,30}$`)

// Profile is the directory of one local platform.
type Profile struct {
	Name string
	Dir  string
}

// Home is the directory that holds all profiles: $KARGO_HOME/profiles, where
// KARGO_HOME is ~/.local/share/kargo if unset.
func Home() (string, error) {
	if home := os.Getenv("KARGO_HOME"); home != "" {
		abs, err := filepath.Abs(home)
		if err != nil {
			return "", fmt.Errorf("resolve KARGO_HOME %q: %w", home, err)
		}
		return filepath.Join(abs, "profiles"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the home directory (set KARGO_HOME to a directory for KARGO's data): %w", err)
	}
	return filepath.Join(home, ".local", "share", "kargo", "profiles"), nil
}

// Open names the profile; its directory need not exist yet.
func Open(name string) (Profile, error) {
	if name == "" {
		name = Default
	}
	if !nameForm.MatchString(name) {
		return Profile{}, fmt.Errorf("profile name %q: want at most 31 lower-case letters, digits and hyphens", name)
	}
	home, err := Home()
	if err != nil {
		return Profile{}, err
	}
	return Profile{Name: name, Dir: filepath.Join(home, name)}, nil
}

// List names all profiles that exist, sorted.
func List() ([]string, error) {
	home, err := Home()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(home)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list profiles: %w", err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && nameForm.MatchString(e.Name()) {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

// Path joins elements to the profile's directory.
func (p Profile) Path(elem ...string) string {
	return filepath.Join(append([]string{p.Dir}, elem...)...)
}

// Kubeconfig is the administrator's kubeconfig of the management cluster.
func (p Profile) Kubeconfig() string { return p.Path("admin.kubeconfig") }

// ComponentKubeconfig is the kubeconfig of one component of the platform.
func (p Profile) ComponentKubeconfig(component string) string {
	return p.Path("kubeconfigs", component+".kubeconfig")
}

// PKI holds the certificates and keys of the platform.
func (p Profile) PKI() string { return p.Path("pki") }

// SupervisorDir holds the list of processes and their logs.
func (p Profile) SupervisorDir() string { return p.Path("supervisor") }

// SupervisorLog is what the supervisor itself says.
func (p Profile) SupervisorLog() string { return p.Path("supervisor.log") }

// maxSocketPath is the longest path of a unix socket on Linux (sun_path holds 108 bytes with its end).
const maxSocketPath = 107

// Socket is where the supervisor listens. A profile in a deep directory has it
// in the temporary directory, since the path of a socket is limited.
func (p Profile) Socket() string {
	if s := p.Path("supervisor.sock"); len(s) <= maxSocketPath {
		return s
	}
	sum := sha256.Sum256([]byte(p.Dir))
	return filepath.Join("/tmp", fmt.Sprintf("kargo-%d-%s", os.Getuid(), hex.EncodeToString(sum[:8])), "supervisor.sock")
}

// GitRoot holds the repositories that the Git server serves.
func (p Profile) GitRoot() string { return p.Path("git", "repositories") }

// FleetRepository is the bare fleet repository.
func (p Profile) FleetRepository() string { return filepath.Join(p.GitRoot(), "fleet.git") }

// GitCredentials is the write credential of the Git server, in the format of git-credential-store.
func (p Profile) GitCredentials() string { return p.Path("git", "credentials") }

// GitPassword is the password of the write credential, as the Git server knows it.
func (p Profile) GitPassword() string { return p.Path("git", "password") }

// AWSConfig is for AWS clients, with a section per account of the simulated organisation.
func (p Profile) AWSConfig() string { return p.Path("aws", "config") }

// AWSCredentials are an administrator's keys of each account, to go with AWSConfig.
func (p Profile) AWSCredentials() string { return p.Path("aws", "credentials") }
