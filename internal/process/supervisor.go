package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// defaultMaxLogBytes is the size at which a log is rotated.
const defaultMaxLogBytes = 16 << 20

// ErrStopping is answered to Ensure once the supervisor stops.
var ErrStopping = errors.New("the supervisor is stopping")

// Options of a Supervisor.
type Options struct {
	// Dir holds the list of processes, their logs (logs/NAME.log) and a lock.
	Dir string
	// Backoff between restarts; 0.5 s to 30 s, reset after 60 s, where 0.
	Backoff Backoff
	// MaxLogBytes of a log before it is rotated once; 16 MiB if 0.
	MaxLogBytes int64
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Logger is told what is started and stopped; silent if nil.
	Logger *slog.Logger
}

// Supervisor runs processes as children of this one. They die with it, even
// when it is killed (a grandchild that outlives its own parent may not).
type Supervisor struct {
	opts  Options
	store store
	lock  *os.File

	mu       sync.Mutex
	children []*child // in order of first start
	stopping bool
	stopped  chan struct{}
}

var _ Runner = (*Supervisor)(nil)

// NewSupervisor opens a directory and reads which processes ran in it. Start
// starts them; Ensure starts single ones.
func NewSupervisor(o Options) (*Supervisor, error) {
	o.MaxLogBytes = cmp.Or(o.MaxLogBytes, defaultMaxLogBytes)
	o.Backoff = o.Backoff.withDefaults()
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the supervisor's directory: %w", err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Supervisor{opts: o, store: store{path: filepath.Join(o.Dir, "processes.json")}, lock: lock, stopped: make(chan struct{})}
	specs, err := s.store.load()
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	for _, spec := range specs {
		c := s.newChild(spec)
		c.status.State = StateStopped
		close(c.done)
		s.children = append(s.children, c)
	}
	return s, nil
}

// Start starts all processes that were known when the supervisor last ran, in
// the order they were first started in. They are not waited for.
func (s *Supervisor) Start() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return
	}
	for i, c := range s.children {
		if c.ended() && !c.removed {
			s.replaceLocked(i, c.spec)
		}
	}
}

// Ensure implements Runner. It returns once the spec is recorded; List tells
// how far the process has come. The status of a changed spec starts anew, and
// its process starts when the former one has ended.
func (s *Supervisor) Ensure(_ context.Context, spec Spec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopping {
		return fmt.Errorf("start %s: %w", spec.Name, ErrStopping)
	}
	i := s.indexLocked(spec.Name)
	if i < 0 {
		s.children = append(s.children, nil)
		i = len(s.children) - 1
	} else if c := s.children[i]; !c.ended() && !c.removed && c.spec.Equal(spec) {
		return nil
	}
	s.replaceLocked(i, spec)
	return s.saveLocked()
}

// Remove implements Runner. The log is removed too.
func (s *Supervisor) Remove(ctx context.Context, name string) error {
	s.mu.Lock()
	i := s.indexLocked(name)
	if i < 0 {
		s.mu.Unlock()
		return nil
	}
	c := s.children[i]
	if !c.removed {
		c.removed = true
		c.end()
		go s.forget(c)
	}
	err := s.saveLocked()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case <-c.gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for %s to end: %w", name, ctx.Err())
	}
}

// forget drops a removed process when it has ended, unless Ensure put a new one in its place.
func (s *Supervisor) forget(c *child) {
	<-c.done
	s.mu.Lock()
	defer s.mu.Unlock()
	defer close(c.gone)
	if i := s.indexLocked(c.spec.Name); i >= 0 && s.children[i] == c {
		s.children = slices.Delete(s.children, i, i+1)
		c.log.remove(s.logDir())
		s.opts.Logger.Info("process removed", "name", c.spec.Name)
	}
}

// List implements Runner.
func (s *Supervisor) List(_ context.Context, prefix string) ([]Status, error) {
	s.mu.Lock()
	children := slices.Clone(s.children)
	s.mu.Unlock()
	res := []Status{}
	for _, c := range children {
		if strings.HasPrefix(c.spec.Name, prefix) {
			res = append(res, c.snapshot())
		}
	}
	slices.SortFunc(res, func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
	return res, nil
}

// Stop ends all processes, the last started first, and keeps their specs for
// the next supervisor. It may be called more than once; Stopped tells the end.
func (s *Supervisor) Stop() {
	s.mu.Lock()
	first := !s.stopping
	s.stopping = true
	children := slices.Clone(s.children)
	s.mu.Unlock()
	if !first {
		<-s.stopped
		return
	}
	for _, c := range slices.Backward(children) {
		c.end()
		<-c.done
	}
	_ = s.lock.Close()
	close(s.stopped)
}

// Stopped is closed when Stop has ended all processes.
func (s *Supervisor) Stopped() <-chan struct{} { return s.stopped }

func (s *Supervisor) logDir() string { return filepath.Join(s.opts.Dir, "logs") }

func (s *Supervisor) newChild(spec Spec) *child {
	path := filepath.Join(s.logDir(), filepath.FromSlash(spec.Name)+".log")
	return &child{
		spec: spec, backoff: s.opts.Backoff, now: s.opts.Now,
		log:    &logFile{path: path, max: s.opts.MaxLogBytes},
		stop:   make(chan struct{}),
		done:   make(chan struct{}),
		gone:   make(chan struct{}),
		status: Status{Name: spec.Name, State: StateStarting, LogFile: path},
	}
}

// replaceLocked puts a new process at place i, to start once the former one there has ended.
func (s *Supervisor) replaceLocked(i int, spec Spec) {
	c := s.newChild(spec)
	if former := s.children[i]; former != nil {
		former.end()
		c.after = former.done
	}
	s.children[i] = c
	s.opts.Logger.Info("process starts", "name", spec.Name, "path", spec.Path)
	go c.run()
}

func (s *Supervisor) indexLocked(name string) int {
	return slices.IndexFunc(s.children, func(c *child) bool { return c.spec.Name == name })
}

// saveLocked records all processes but those being removed.
func (s *Supervisor) saveLocked() error {
	specs := []Spec{}
	for _, c := range s.children {
		if !c.removed {
			specs = append(specs, c.spec)
		}
	}
	return s.store.save(specs)
}

func (c *child) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}
