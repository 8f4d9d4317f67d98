package gitserver

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"kargo.dev/kargo/internal/local/profile"
)

// Credential lets its holder push.
type Credential struct {
	Username, Password string
}

// pusher is the name that goes with the password.
const pusher = "kargo"

// EnsureCredential returns the credential whose password lies in a file, made
// if there is none.
func EnsureCredential(passwordFile string) (Credential, error) {
	c, err := ReadCredential(passwordFile)
	if !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	c = Credential{Username: pusher, Password: rand.Text()}
	return c, profile.WriteFile(passwordFile, []byte(c.Password+"\n"), 0o600)
}

// ReadCredential reads the credential that EnsureCredential made.
func ReadCredential(passwordFile string) (Credential, error) {
	b, err := os.ReadFile(passwordFile)
	if err != nil {
		return Credential{}, fmt.Errorf("read the password for pushing: %w", err)
	}
	password := strings.TrimSpace(string(b))
	if password == "" {
		return Credential{}, fmt.Errorf("%s is empty: remove it to get a new password for pushing", passwordFile)
	}
	return Credential{Username: pusher, Password: password}, nil
}

// WriteStore writes a file for `git -c credential.helper="store --file=..."`,
// which lets Git push to the server at base. Git rewrites the file in a
// spelling of its own and erases what was refused, so it is only ever written.
func (c Credential) WriteStore(path, base string) error {
	u, err := url.Parse(base)
	if err != nil {
		return fmt.Errorf("git server's URL %q: %w", base, err)
	}
	line := url.URL{Scheme: u.Scheme, Host: u.Host, User: url.UserPassword(c.Username, c.Password)}
	return profile.WriteFile(path, []byte(line.String()+"\n"), 0o600)
}
