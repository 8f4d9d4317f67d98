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

// EnsureCredential reads the credential from a file in the format of
// git-credential-store, or makes one. base is the server's URL, which the file
// names too; the file follows when it changes.
func EnsureCredential(path, base string) (Credential, error) {
	c, err := ReadCredential(path)
	if errors.Is(err, fs.ErrNotExist) {
		c = Credential{Username: "kargo", Password: rand.Text()}
	} else if err != nil {
		return Credential{}, err
	}
	u, err := url.Parse(base)
	if err != nil {
		return Credential{}, fmt.Errorf("git server's URL %q: %w", base, err)
	}
	line := (&url.URL{Scheme: u.Scheme, Host: u.Host, User: url.UserPassword(c.Username, c.Password)}).String()
	return c, profile.WriteFile(path, []byte(line+"\n"), 0o600)
}

// ReadCredential reads the credential that EnsureCredential wrote.
func ReadCredential(path string) (Credential, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Credential{}, fmt.Errorf("read the write credential: %w", err)
	}
	u, err := url.Parse(strings.TrimSpace(string(b)))
	if err != nil || u.User == nil {
		return Credential{}, fmt.Errorf("the write credential in %s is not of the form http://user:password@host; remove the file to get a new one", path)
	}
	password, _ := u.User.Password()
	return Credential{Username: u.User.Username(), Password: password}, nil
}
