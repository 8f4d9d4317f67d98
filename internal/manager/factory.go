package manager

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"kargo.dev/kargo/internal/aws/session"
	"kargo.dev/kargo/internal/factoryrole"
)

// stsTimeout of the question who the factory is, AWS's retries included.
const stsTimeout = 30 * time.Second

// factory knows who the manager is in AWS. It asks until it is told, and then
// never again: a process does not change its role.
type factory struct {
	sessions *session.Sessions

	mu  sync.Mutex
	arn string
}

// principal is the ARN that a team's trust policy names. Any region can be asked.
func (f *factory) principal(ctx context.Context, region string) (string, error) {
	if known := f.known(""); known != "" {
		return known, nil
	}
	ctx, cancel := context.WithTimeout(ctx, stsTimeout)
	defer cancel()
	me, err := sts.NewFromConfig(f.sessions.Factory(region)).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", fmt.Errorf("ask AWS for the manager's identity: %w", err)
	}
	principal, err := factoryrole.Principal(aws.ToString(me.Arn))
	if err != nil {
		return "", err
	}
	return f.known(principal), nil
}

// known remembers an ARN if there is one, and returns what is remembered.
func (f *factory) known(arn string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if arn != "" {
		f.arn = arn
	}
	return f.arn
}
