// Package gitserver serves bare Git repositories over HTTP through Git's own
// http-backend: to everybody for reading, with a credential for pushing.
package gitserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Options of the server.
type Options struct {
	// Root is the directory of the bare repositories: ROOT/fleet.git is served as /fleet.git.
	Root string
	// Credential that pushing needs.
	Credential Credential
	// Logger is told of requests that failed; silent if nil.
	Logger *slog.Logger
}

// Handler serves repositories. GET /healthz answers 200.
func Handler(o Options) (http.Handler, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Credential.Password == "" {
		return nil, errors.New("serve git: the write credential has no password")
	}
	backend, err := backendPath()
	if err != nil {
		return nil, err
	}
	s := &server{opts: o, backend: backend}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.Handle("/", s)
	return mux, nil
}

// backendPath finds git-http-backend, which some systems package apart from git.
func backendPath() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "git", "--exec-path").Output()
	if err != nil {
		return "", fmt.Errorf("run git (install it: the fleet repository is a Git repository): %w", err)
	}
	path := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return "", fmt.Errorf("git-http-backend is not at %s: install the complete git package of your system (some split it into git-daemon)", path)
	}
	return path, nil
}

// Check tells whether what the server needs of the machine is there.
func Check() error {
	_, err := backendPath()
	return err
}

type server struct {
	opts    Options
	backend string
}

// ServeHTTP implements http.Handler.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, given := r.BasicAuth()
	allowed := given && s.matches(user, password)
	if (given && !allowed) || (isPush(r) && !allowed) {
		s.opts.Logger.Warn("refused", "path", r.URL.Path, "credential", given)
		w.Header().Set("WWW-Authenticate", `Basic realm="fleet repository: pushing needs the platform's credential"`)
		http.Error(w, "pushing needs the platform's credential (`kargoctl status` says where it lies)", http.StatusUnauthorized)
		return
	}
	env := []string{
		"GIT_PROJECT_ROOT=" + s.opts.Root,
		"GIT_HTTP_EXPORT_ALL=1",
		// The user's own Git settings must not change what is served.
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		// git-http-backend runs as whoever owns the repository; say so to newer versions of Git.
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
	}
	if allowed {
		env = append(env, "REMOTE_USER="+s.opts.Credential.Username) // lets http-backend accept a push
	}
	h := &cgi.Handler{
		Path: s.backend, Root: "/", Dir: s.opts.Root, Env: env,
		InheritEnv: []string{"PATH", "HOME", "TMPDIR"},
		Logger:     slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelWarn),
		Stderr:     logWriter{s.opts.Logger},
	}
	h.ServeHTTP(w, forBackend(r))
}

// forBackend hides the credential from Git and its hooks, and hands on a body
// of unknown length (Git sends pushes over 1 MiB chunked, which CGI does not
// know; http-backend reads such a body to its end).
func forBackend(r *http.Request) *http.Request {
	r = r.Clone(r.Context())
	r.Header.Del("Authorization")
	if len(r.TransferEncoding) > 0 {
		r.TransferEncoding = nil
		r.ContentLength = -1
	}
	return r
}

func isPush(r *http.Request) bool {
	return r.URL.Query().Get("service") == "git-receive-pack" || strings.HasSuffix(r.URL.Path, "/git-receive-pack")
}

func (s *server) matches(user, password string) bool {
	given := sha256.Sum256([]byte(user + "\x00" + password))
	want := sha256.Sum256([]byte(s.opts.Credential.Username + "\x00" + s.opts.Credential.Password))
	return subtle.ConstantTimeCompare(given[:], want[:]) == 1
}

// logWriter logs what the backend writes to its standard error.
type logWriter struct{ log *slog.Logger }

func (l logWriter) Write(p []byte) (int, error) {
	if text := strings.TrimSpace(string(p)); text != "" {
		l.log.Warn("git", "stderr", text)
	}
	return len(p), nil
}
