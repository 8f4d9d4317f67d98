package contract_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"

	"kargo.dev/kargo/awssim/api"
)

// crowd is a service that counts who is in its only operation at once.
type crowd struct {
	mu       sync.Mutex
	inside   map[string]int
	most     atomic.Int32  // of one account
	together chan struct{} // closed when two accounts are inside
	awaiting chan struct{} // gets one for each call that awaits
}

func (*crowd) Name() string                    { return "autoscaling" }
func (*crowd) Protocol() api.Protocol          { return api.Query }
func (*crowd) XMLNamespace() string            { return "urn:crowd" }
func (*crowd) Inventory(string) []api.Resource { return nil }

func (s *crowd) Operations() []api.Operation {
	return []api.Operation{{Name: "DescribeTags", Handle: s.handle, Await: func(context.Context, *api.Call) { s.awaiting <- struct{}{} }}}
}

func (s *crowd) handle(ctx context.Context, c *api.Call) (any, error) {
	s.enter(c.Caller.AccountID)
	defer s.leave(c.Caller.AccountID)
	select {
	case <-s.together:
		return struct{}{}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *crowd) enter(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside[account]++
	s.most.Store(max(s.most.Load(), int32(s.inside[account])))
	if s.inside[shopID] > 0 && s.inside[bankID] > 0 {
		select {
		case <-s.together:
		default:
			close(s.together)
		}
	}
}

func (s *crowd) leave(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inside[account]--
}

// TestTurns lets calls of two accounts wait for each other inside: they run in
// parallel, while calls of one account come one after the other, though all may await.
func TestTurns(t *testing.T) {
	const each = 5
	service := &crowd{inside: map[string]int{}, together: make(chan struct{}), awaiting: make(chan struct{}, 2*each)}
	s := start(t, func(*testing.T, core) api.Service { return service })
	var calls sync.WaitGroup
	for _, config := range []aws.Config{s.account(t, shopID), s.account(t, bankID)} {
		for range each {
			calls.Go(func() {
				if _, err := autoscaling.NewFromConfig(config).DescribeTags(t.Context(), &autoscaling.DescribeTagsInput{}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	calls.Wait()
	if most := service.most.Load(); most != 1 {
		t.Errorf("%d calls of one account at once", most)
	}
	if awaited := len(service.awaiting); awaited != 2*each {
		t.Errorf("%d of %d calls were awaited", awaited, 2*each)
	}
}
