package server

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"kargo.dev/kargo/awssim/api"
)

// adminRoutes are the simulator's own endpoints. They hand out keys, so they
// answer only to this machine, and only under its own name (a web page that
// resolves a name of its to 127.0.0.1 is refused by the Host).
func (s *Server) adminRoutes(more map[string]http.Handler) http.Handler {
	mux := http.NewServeMux()
	for pattern, handler := range more {
		mux.Handle(pattern, handler)
	}
	mux.HandleFunc("GET /_awssim/health", s.health)
	mux.HandleFunc("GET /_awssim/healthz", s.health) // as Kubernetes' programs call it
	mux.HandleFunc("GET /_awssim/calls", s.listCalls)
	mux.HandleFunc("GET /_awssim/inventory", s.inventory)
	mux.HandleFunc("GET /_awssim/violations", s.violations)
	mux.HandleFunc("GET /_awssim/credentials", s.credentials)
	mux.HandleFunc("GET /_awssim/faults", s.listFaults)
	mux.HandleFunc("POST /_awssim/faults", s.addFault)
	mux.HandleFunc("DELETE /_awssim/faults", s.removeFaults)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.RemoteAddr) || !isLoopback(r.Host) {
			http.Error(w, "the simulator's own endpoints answer to this machine only", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// isLoopback tells whether host or host:port is this machine.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // the client may be gone
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	reply(w, map[string]any{"status": "ok", "accounts": len(s.org.Accounts()), "services": len(s.services),
		"startedAt": s.started.UTC(), "clockFactor": s.clock.Factor})
}

func (s *Server) listCalls(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := filter{account: q.Get("account"), service: q.Get("service"), operation: q.Get("operation")}
	if v := q.Get("since"); v != "" {
		var err error
		if f.since, err = strconv.ParseInt(v, 10, 64); err != nil {
			http.Error(w, fmt.Sprintf("since=%q is not the number of a call", v), http.StatusBadRequest)
			return
		}
	}
	calls, last := s.calls.find(f)
	reply(w, struct {
		Count int               `json:"count"`
		Last  int64             `json:"last"`  // for the next since
		Items []json.RawMessage `json:"items"` // of Entry
	}{len(calls), last, calls})
}

// accountInventory is what exists in an account.
type accountInventory struct {
	Account   string         `json:"account"`
	Name      string         `json:"name"`
	Resources []api.Resource `json:"resources"`
}

func (s *Server) inventory(w http.ResponseWriter, r *http.Request) {
	wanted := r.URL.Query().Get("account")
	all := []accountInventory{}
	for _, a := range s.org.Accounts() {
		if wanted != "" && a.ID != wanted {
			continue
		}
		inventory := accountInventory{Account: a.ID, Name: a.Name, Resources: []api.Resource{}}
		for _, name := range s.serviceNames() {
			inventory.Resources = append(inventory.Resources, s.services[name].Inventory(a.ID)...)
		}
		all = append(all, inventory)
	}
	switch {
	case wanted == "":
		reply(w, map[string]any{"accounts": all})
	case len(all) == 0:
		http.Error(w, fmt.Sprintf("no account %q", wanted), http.StatusNotFound)
	default:
		reply(w, all[0])
	}
}

func (s *Server) violations(w http.ResponseWriter, _ *http.Request) {
	count, items := s.border.list()
	reply(w, struct {
		Count int64       `json:"count"`
		Items []Violation `json:"items"` // the last ones
	}{count, items})
}

func (s *Server) credentials(w http.ResponseWriter, _ *http.Request) {
	keys, err := s.org.TestKeys()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	reply(w, keys)
}

func (s *Server) listFaults(w http.ResponseWriter, _ *http.Request) {
	rules := s.faults.list()
	reply(w, map[string]any{"count": len(rules), "items": rules})
}

func (s *Server) addFault(w http.ResponseWriter, r *http.Request) {
	var rule Rule
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16))
	d.DisallowUnknownFields()
	if err := d.Decode(&rule); err != nil {
		http.Error(w, "the body is no fault rule: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := rule.validate(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	reply(w, s.faults.add(rule))
}

func (s *Server) removeFaults(w http.ResponseWriter, r *http.Request) {
	id := 0
	if v := r.URL.Query().Get("id"); v != "" {
		var err error
		if id, err = strconv.Atoi(v); err != nil || id < 1 {
			http.Error(w, fmt.Sprintf("id=%q is not the id of a rule", v), http.StatusBadRequest)
			return
		}
	}
	if !s.faults.remove(id) {
		http.Error(w, fmt.Sprintf("no rule %d", id), http.StatusNotFound)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
