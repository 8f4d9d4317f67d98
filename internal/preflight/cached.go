package preflight

import (
	"context"
	"sync"
	"time"

	"kargo.dev/kargo/internal/aws/session"
)

// timeout of one question, AWS's retries included: an account that does not
// answer holds nobody up for longer.
const timeout = 30 * time.Second

// Cached asks a Probe and remembers its answers for a while, so that reconciling
// an account often costs no AWS calls.
type Cached struct {
	Probe *Probe
	// Good is how long an answer counts, Bad how long an error does.
	Good, Bad time.Duration
	// Now is the clock.
	Now func() time.Time

	mu      sync.Mutex
	answers map[session.Target]map[string]answer
}

type answer struct {
	value any
	err   error
	until time.Time
}

// Forget makes the next questions about the target go to AWS.
func (c *Cached) Forget(t session.Target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.answers, t)
}

// Identity is Probe.Identity.
func (c *Cached) Identity(ctx context.Context, t session.Target) (string, error) {
	return ask(ctx, c, t, "identity", c.Probe.Identity)
}

// OpenToAll is Probe.OpenToAll.
func (c *Cached) OpenToAll(ctx context.Context, t session.Target) (bool, error) {
	return ask(ctx, c, t, "open", c.Probe.OpenToAll)
}

// Region is Probe.Region.
func (c *Cached) Region(ctx context.Context, t session.Target) (Region, error) {
	return ask(ctx, c, t, "region", c.Probe.Region)
}

// Denied is Probe.Denied.
func (c *Cached) Denied(ctx context.Context, t session.Target) ([]Denial, error) {
	return ask(ctx, c, t, "denied", c.Probe.Denied)
}

// Usages is Probe.Usages.
func (c *Cached) Usages(ctx context.Context, t session.Target) ([]Usage, error) {
	return ask(ctx, c, t, "usages", c.Probe.Usages)
}

func ask[T any](ctx context.Context, c *Cached, t session.Target, question string, f func(context.Context, session.Target) (T, error)) (T, error) {
	c.mu.Lock()
	known, ok := c.answers[t][question]
	c.mu.Unlock()
	if ok && c.Now().Before(known.until) {
		value, _ := known.value.(T)
		return value, known.err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	value, err := f(ctx, t)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil {
		c.answers = map[session.Target]map[string]answer{}
	}
	if c.answers[t] == nil {
		c.answers[t] = map[string]answer{}
	}
	until := c.Now().Add(c.Good)
	if err != nil {
		until = c.Now().Add(c.Bad)
	}
	c.answers[t][question] = answer{value, err, until}
	return value, err
}
