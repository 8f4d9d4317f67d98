package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
)

// maxSpecBytes bounds a request body.
const maxSpecBytes = 1 << 20

// Handler serves the supervisor to Clients:
//
//	GET    /processes?prefix=P   200, JSON array of Status
//	PUT    /processes            204; body: a Spec
//	DELETE /processes?name=N     204 when the process has ended
//	POST   /stop                 204 when all have ended
//
// Errors are 4xx/5xx with the message as text. Whoever reaches it can run any
// program, so it belongs on a socket only its owner may open: see ListenUnix.
func (s *Supervisor) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /processes", func(w http.ResponseWriter, r *http.Request) {
		list, err := s.List(r.Context(), r.URL.Query().Get("prefix"))
		if err != nil {
			answer(w, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list)
	})
	mux.HandleFunc("PUT /processes", func(w http.ResponseWriter, r *http.Request) {
		var spec Spec
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxSpecBytes)).Decode(&spec); err != nil {
			http.Error(w, fmt.Sprintf("decode the spec: %v", err), http.StatusBadRequest)
			return
		}
		if err := spec.Validate(); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		answer(w, s.Ensure(r.Context(), spec))
	})
	mux.HandleFunc("DELETE /processes", func(w http.ResponseWriter, r *http.Request) {
		answer(w, s.Remove(r.Context(), r.URL.Query().Get("name")))
	})
	mux.HandleFunc("POST /stop", func(w http.ResponseWriter, _ *http.Request) {
		s.Stop()
		answer(w, nil)
	})
	return mux
}

func answer(w http.ResponseWriter, err error) {
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, ErrStopping):
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// ListenUnix opens a socket that only this user can connect to. A socket file
// left over by a dead process is replaced; the directory is made with 0700.
func ListenUnix(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the socket's directory: %w", err)
	}
	if conn, err := net.Dial("unix", path); err == nil {
		_ = conn.Close()
		return nil, fmt.Errorf("listen on %s: another process serves there; stop it first", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the old socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on %s (a socket's path may have 107 bytes): %w", path, err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("restrict the socket: %w", err)
	}
	return l, nil
}
