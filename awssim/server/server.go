// Package server is the HTTP front of all simulated services on one address: it
// checks who calls, finds the operation, keeps an account's calls in order,
// answers in the service's protocol, records every call and watches that no
// account touches what is another's.
package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/authz"
	"kargo.dev/kargo/awssim/org"
	"kargo.dev/kargo/awssim/store"
)

const (
	// maxBody is more than any request to these services may be long.
	maxBody = 4 << 20
	// maxHandling bounds how long an operation may hold its answer.
	maxHandling = 60 * time.Second
)

// Options of a Server.
type Options struct {
	Store    *store.Store
	Services []api.Service
	Auth     *auth.Authenticator
	// Authorizer decides on every call before it is handled.
	Authorizer *authz.Authorizer
	// Organisation is what the simulator's own endpoints tell of.
	Organisation *org.Organisation
	Clock        api.Clock
	// CallLog is the file calls are appended to, as JSON lines; "" for none.
	CallLog string
	// Local are further endpoints, by http.ServeMux pattern below /_awssim/, that
	// answer to this machine only.
	Local map[string]http.Handler
	Log   *slog.Logger
}

// Server answers all AWS requests and the simulator's own.
type Server struct {
	services map[string]*service
	auth     *auth.Authenticator
	authz    *authz.Authorizer
	org      *org.Organisation
	clock    api.Clock
	log      *slog.Logger
	admin    http.Handler
	calls    *recorder
	faults   *faults
	border   *border
	turns    sync.Map // account → *sync.Mutex
	done     chan struct{}
	started  time.Time
}

// New returns a server. Close it to end held requests and the call log.
func New(o Options) (*Server, error) {
	s := &Server{
		services: map[string]*service{}, auth: o.Auth, authz: o.Authorizer, org: o.Organisation, clock: o.Clock, log: o.Log,
		faults: newFaults(), border: newBorder(o.Store), done: make(chan struct{}), started: o.Clock.Now(),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	for _, svc := range o.Services {
		wrapped, err := newService(svc)
		if err != nil {
			return nil, err
		}
		if s.services[svc.Name()] != nil {
			return nil, fmt.Errorf("two services are called %s", svc.Name())
		}
		s.services[svc.Name()] = wrapped
	}
	var err error
	if s.calls, err = openRecorder(o.CallLog); err != nil {
		return nil, err
	}
	s.admin = s.adminRoutes(o.Local)
	return s, nil
}

// Close releases requests that a fault holds and closes the call log.
func (s *Server) Close() error {
	close(s.done)
	return s.calls.close()
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_awssim/") {
		s.admin.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "request body: "+err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	began := time.Now()
	x := &exchange{server: s, request: r, body: body}
	x.call.ID, x.call.Now, x.call.UserAgent = requestID(), s.clock.Now(), r.UserAgent()
	x.call.SourceIP, _, _ = net.SplitHostPort(r.RemoteAddr)
	answer := x.run()
	s.calls.record(x.entry(answer, time.Since(began)))
	if answer.lost {
		// The only way to end a connection without an answer.
		panic(http.ErrAbortHandler)
	}
	answer.write(w, x.call.ID)
}

// serviceNames lists the services in order.
func (s *Server) serviceNames() []string { return slices.Sorted(maps.Keys(s.services)) }

// exchange is one request on its way through the server.
type exchange struct {
	server     *Server
	request    *http.Request
	body       []byte
	service    *service // nil if unknown
	op         *operation
	call       api.Call
	fault      string // the kind of fault that was injected
	violations int    // how many foreign things the call names
	authz      authz.Record
}

// run does what a request asks for.
func (x *exchange) run() answer {
	s := x.server
	scope, authErr := s.auth.Authenticate(x.request, x.body)
	x.call.Service, x.call.Region, x.call.Caller = scope.Service, scope.Region, scope.Caller
	x.service = s.services[scope.Service]
	routeErr := x.route()
	var refused *auth.Error
	switch {
	case errors.As(authErr, &refused):
		return x.fail(authFailure(x.protocol(), scope.Service, refused))
	case authErr != nil:
		return x.fail(authErr)
	case routeErr != nil:
		s.log.Warn("unknown operation", "service", x.call.Service, "operation", x.call.Operation,
			"method", x.request.Method, "path", x.request.URL.Path, "caller", x.call.Caller.ARN)
		return x.fail(routeErr)
	}
	x.violations = s.border.check(&x.call, s.calls.next())
	if err := x.authorize(); err != nil {
		return x.fail(err)
	}
	return x.withFaults()
}

// handle runs the operation in its account's turn.
func (x *exchange) handle() answer {
	ctx, cancel := context.WithTimeout(x.request.Context(), maxHandling)
	defer cancel()
	if x.op.Await != nil {
		x.op.Await(ctx, &x.call)
	}
	turn, _ := x.server.turns.LoadOrStore(x.call.Caller.AccountID, &sync.Mutex{})
	mu := turn.(*sync.Mutex)
	mu.Lock()
	defer mu.Unlock()
	result, err := x.op.Handle(ctx, &x.call)
	if err != nil {
		return x.fail(err)
	}
	body, err := marshal(x.service, &x.call, result)
	if err != nil {
		return x.fail(err)
	}
	return answer{status: http.StatusOK, contentType: contentType(x.protocol()), body: body}
}

// fail makes the answer of an error; one that is not AWS's is the simulator's own fault.
func (x *exchange) fail(err error) answer {
	var failure *api.Error
	if !errors.As(err, &failure) {
		x.server.log.Error("the simulator failed", "service", x.call.Service, "operation", x.call.Operation, "error", err)
		failure = internalFailure(x.protocol())
	}
	namespace := ""
	if x.service != nil {
		namespace = x.service.XMLNamespace()
	}
	return failureAnswer(x.protocol(), namespace, x.call.ID, failure)
}

// protocol is the service's, or what the request looks like.
func (x *exchange) protocol() api.Protocol {
	switch {
	case x.service != nil:
		return x.service.Protocol()
	case x.request.Header.Get("X-Amz-Target") != "":
		return api.JSON11
	case x.request.URL.Path == "/" || x.request.URL.Path == "":
		return api.Query
	}
	return api.RESTJSON
}

// answer is what is sent back.
type answer struct {
	status      int
	contentType string
	errorType   string // REST-JSON: x-amzn-ErrorType
	code        string // AWS's error code, "" on success
	body        []byte
	lost        bool // no answer at all: the connection breaks
}

func (a answer) write(w http.ResponseWriter, id string) {
	h := w.Header()
	h.Set("X-Amzn-Requestid", id)
	h.Set("Content-Type", a.contentType)
	if a.errorType != "" {
		h.Set("X-Amzn-Errortype", a.errorType)
	}
	w.WriteHeader(cmp.Or(a.status, http.StatusOK))
	_, _ = w.Write(a.body) // the client may be gone
}

// requestID is a random UUID, as AWS's request ids are.
func requestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
