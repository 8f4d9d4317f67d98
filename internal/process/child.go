package process

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// pssAge is how long a measured PSS is answered again: the kernel walks all mappings for it.
const pssAge = 10 * time.Second

// child keeps one process running until it is told to stop.
type child struct {
	spec    Spec
	log     *logFile
	backoff Backoff
	now     func() time.Time
	removed bool            // guarded by the supervisor's lock
	after   <-chan struct{} // the former process of this name has ended; nil if there is none

	stop     chan struct{} // closed: end the process and do not start it again
	stopOnce sync.Once
	done     chan struct{} // closed: the process has ended for good
	gone     chan struct{} // closed: removed, and forgotten by the supervisor

	mu         sync.Mutex
	status     Status
	wasReady   bool // since the last start
	measuredAt time.Time
}

// inherited are the variables that a process gets from the supervisor's environment unless its spec sets them.
func inherited() []string { return []string{"PATH", "HOME", "TMPDIR"} }

func (c *child) end() { c.stopOnce.Do(func() { close(c.stop) }) }

func (c *child) stopping() bool {
	select {
	case <-c.stop:
		return true
	default:
		return false
	}
}

// run starts the process, and again whenever it ends, until stop is closed.
func (c *child) run() {
	defer close(c.done)
	defer c.log.close()
	defer c.update(func(s *Status) { s.State, s.PID = StateStopped, 0 })
	if c.after != nil {
		<-c.after
	}
	for failures := 0; !c.stopping(); failures++ {
		started := c.now()
		killed := c.once()
		if c.stopping() {
			return
		}
		if c.now().Sub(started) >= c.backoff.Reset {
			failures = 0
		}
		delay := c.backoff.delay(failures, killed)
		c.update(func(s *Status) { s.State, s.PID = StateBackOff, 0 })
		_, _ = fmt.Fprintf(c.log, "=== %s: %s; restart in %s\n", c.spec.Name, c.snapshot().LastExit, delay)
		timer := time.NewTimer(delay)
		select {
		case <-c.stop:
			timer.Stop()
			return
		case <-timer.C:
		}
		c.update(func(s *Status) { s.Restarts++ })
	}
}

// once runs the process to its end and tells whether it was killed by a signal after it had been ready.
func (c *child) once() (killedWell bool) {
	cmd := exec.Command(c.spec.Path, c.spec.Args...)
	cmd.Dir = c.spec.Dir
	cmd.Env = environment(c.spec.Env)
	cmd.Stdout, cmd.Stderr = c.log, c.log
	cmd.WaitDelay = time.Second // a grandchild that keeps stdout open does not keep us waiting
	// An own process group, so that a signal reaches descendants too; SIGKILL
	// if the supervisor dies, so that nothing is ever started beside a survivor.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(ended)
		// Pdeathsig fires when the *thread* that forked ends, so it has to live as long as the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // the outcome is in cmd.ProcessState
		}
	}()
	if err := <-started; err != nil {
		c.update(func(s *Status) { s.LastExit = fmt.Sprintf("not started: %v", err) })
		return false
	}
	pid := cmd.Process.Pid
	_, _ = fmt.Fprintf(c.log, "=== %s: started pid %d at %s\n", c.spec.Name, pid, c.now().UTC().Format(time.RFC3339))
	c.update(func(s *Status) { s.State, s.PID, s.StartedAt = StateStarting, pid, c.now() })

	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() { c.watchReady(ctx) })
	select {
	case <-ended:
	case <-c.stop:
		c.terminate(pid, ended)
	}
	cancel()
	watching.Wait()
	_ = syscall.Kill(-pid, syscall.SIGKILL) // descendants left in the group
	c.update(func(s *Status) { s.LastExit = cmd.ProcessState.String() })
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	c.mu.Lock()
	defer c.mu.Unlock()
	return ok && status.Signaled() && c.wasReady
}

func (c *child) terminate(pid int, ended <-chan struct{}) {
	_ = syscall.Kill(-pid, syscall.SIGTERM)
	grace := time.NewTimer(c.spec.stopGrace())
	defer grace.Stop()
	select {
	case <-ended:
		return
	case <-grace.C:
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	<-ended
}

func (c *child) watchReady(ctx context.Context) {
	report := func(ready bool) {
		state := StateStarting
		if ready {
			state = StateRunning
		}
		c.update(func(s *Status) { s.State = state })
		if ready {
			c.mu.Lock()
			c.wasReady = true
			c.mu.Unlock()
		}
	}
	c.mu.Lock()
	c.wasReady = false
	c.mu.Unlock()
	if c.spec.ReadyURL == "" {
		report(true)
		return
	}
	(&prober{url: c.spec.ReadyURL, caFile: c.spec.ReadyCAFile}).watch(ctx, report)
}

func (c *child) update(change func(*Status)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.status)
	if c.status.PID == 0 {
		c.status.MemoryBytes, c.measuredAt = 0, time.Time{}
	}
}

func (c *child) snapshot() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status.PID != 0 && c.now().Sub(c.measuredAt) >= pssAge {
		c.status.MemoryBytes, c.measuredAt = proportionalSetSize(c.status.PID), c.now()
	}
	return c.status
}

func environment(env []string) []string {
	res := slices.Clone(env)
	for _, name := range inherited() {
		set := slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		if value, ok := os.LookupEnv(name); ok && !set {
			res = append(res, name+"="+value)
		}
	}
	return res
}

// Backoff is how long a process that ended waits for its restart: First, then
// twice as long each time up to Max; a process that ran for Reset starts anew.
type Backoff struct {
	First, Max, Reset time.Duration
}

func (b Backoff) withDefaults() Backoff {
	return Backoff{
		First: cmp.Or(b.First, 500*time.Millisecond),
		Max:   cmp.Or(b.Max, 30*time.Second),
		Reset: cmp.Or(b.Reset, time.Minute),
	}
}

// delay before the restart after a number of failures in a row. A process that
// served and was killed from outside is not at fault: its first restart comes at once.
func (b Backoff) delay(failures int, killedWell bool) time.Duration {
	if failures == 0 && killedWell {
		return 0
	}
	d := b.First
	for range failures {
		if d *= 2; d >= b.Max {
			return b.Max
		}
	}
	return min(d, b.Max)
}
