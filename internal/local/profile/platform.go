package profile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Schema is the version of platform.json and of the profile's layout.
const Schema = 1

// ErrNoPlatform is answered for a profile in which no platform was ever started.
var ErrNoPlatform = errors.New("no local platform in this profile: start one with `kargoctl up`")

// Platform is what is known of a local platform whether it runs or not. It lies
// in the profile's platform.json, from which kargoctl finds the platform.
type Platform struct {
	Schema  int    `json:"schema"`
	Profile string `json:"profile"`
	// KubernetesVersion of the management cluster that last wrote the data.
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	// EngineDir holds the binaries the platform last ran with.
	EngineDir  string     `json:"engineDir,omitempty"`
	Addresses  Addresses  `json:"addresses"`
	Supervisor Supervisor `json:"supervisor"`
	// Ports by purpose; they are kept over restarts.
	Ports map[string]int `json:"ports,omitempty"`
	// Example tells that the example clusters were created; they are not
	// created again when somebody deleted them.
	Example bool `json:"example,omitempty"`
}

// Addresses of the platform.
type Addresses struct {
	Kubeconfig string `json:"kubeconfig"` // path, administrator of the management cluster
	Git        Git    `json:"git"`
	AWSSim     string `json:"awssim"` // base URL of the simulated AWS
	Hook       string `json:"hook"`   // URL that is told of pushes
	AWS        AWS    `json:"aws"`
}

// Git is where the fleet repository is.
type Git struct {
	URL string `json:"url"` // clone URL, without a credential
	// Credentials is the path of the write credential, for
	// `git -c credential.helper="store --file=PATH" push`.
	Credentials string `json:"credentials"`
}

// AWS holds the paths for AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE.
type AWS struct {
	ConfigFile      string `json:"configFile"`
	CredentialsFile string `json:"credentialsFile"`
}

// Supervisor is the process that runs all others.
type Supervisor struct {
	Socket string `json:"socket"`
	PID    int    `json:"pid,omitempty"`
}

// Load reads what is known of the platform in a profile. It is ErrNoPlatform
// if there never was one.
func Load(name string) (*Platform, error) {
	p, err := Open(name)
	if err != nil {
		return nil, err
	}
	return p.Load()
}

// Load reads what is known of the platform in the profile.
func (p Profile) Load() (*Platform, error) {
	path := p.Path("platform.json")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("profile %s: %w", p.Name, ErrNoPlatform)
	}
	if err != nil {
		return nil, fmt.Errorf("read the profile: %w", err)
	}
	var pl Platform
	if err := json.Unmarshal(b, &pl); err != nil {
		return nil, fmt.Errorf("read %s (`kargoctl down --purge` forgets the platform): %w", path, err)
	}
	if pl.Schema != Schema {
		return nil, fmt.Errorf("profile %s was written by another version of kargoctl (schema %d, this one knows %d): use that version, or forget the data with `kargoctl down --purge`", p.Name, pl.Schema, Schema)
	}
	return &pl, nil
}

// Save replaces platform.json at once.
func (p Profile) Save(pl *Platform) error {
	pl.Schema, pl.Profile = Schema, p.Name
	b, err := json.MarshalIndent(pl, "", "  ")
	if err != nil {
		return fmt.Errorf("encode platform.json: %w", err)
	}
	return WriteFile(p.Path("platform.json"), append(b, '\n'), 0o600)
}

// WriteFile replaces a file at once, so that nobody reads half of it, and makes its directory.
func WriteFile(path string, data []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the directory of %s: %w", filepath.Base(path), err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }()
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Chmod(mode), tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
