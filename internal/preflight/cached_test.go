package preflight

import (
	"context"
	"errors"
	"testing"
	"time"

	"kargo.dev/kargo/internal/aws/session"
)

// TestCached: good answers count for long, errors shortly, each target for itself.
func TestCached(t *testing.T) {
	now := time.Unix(0, 0)
	c := &Cached{Good: 5 * time.Minute, Bad: 15 * time.Second, Now: func() time.Time { return now }}
	asked := 0
	var failure error
	one, other := session.Target{AccountID: "111111111111"}, session.Target{AccountID: "222222222222"}
	question := func(target session.Target) (int, error) {
		return ask(t.Context(), c, target, "question", func(ctx context.Context, _ session.Target) (int, error) {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("a question to AWS has no deadline")
			}
			asked++
			return asked, failure
		})
	}
	steps := []struct {
		reason  string
		after   time.Duration
		target  session.Target
		failure error
		forget  bool
		want    int
	}{
		{"the first question goes to AWS", 0, one, nil, false, 1},
		{"an answer counts for a while", 5*time.Minute - 1, one, nil, false, 1},
		{"another account is asked for itself", 0, other, nil, false, 2},
		{"then it is asked again", 1, one, nil, false, 3},
		{"what is forgotten is asked again", 0, one, nil, true, 4},
		{"an error is an answer too", 5 * time.Minute, one, errors.New("throttled"), false, 5},
		{"for a short while", 15*time.Second - 1, one, nil, false, 5},
		{"and then asked again", 1, one, nil, false, 6},
	}
	for _, s := range steps {
		now, failure = now.Add(s.after), s.failure
		if s.forget {
			c.Forget(s.target)
		}
		if got, _ := question(s.target); got != s.want {
			t.Errorf("%s: answer %d, want %d", s.reason, got, s.want)
		}
	}
}
