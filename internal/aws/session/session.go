// Package session gives credentials for the AWS accounts of the fleet. There is
// one way into an account: the factory's role in it, with the external id issued
// for that account.
package session

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// name of the factory's sessions, as CloudTrail of the team's account shows it.
const name = "kargo-manager"

// refreshBefore is how long before their end credentials are renewed, so that no
// request is under way when they expire.
const refreshBefore = 5 * time.Minute

// Target is an account and the way into it.
type Target struct {
	// AccountID is 12 digits, Region like eu-central-1.
	AccountID, Region string
	// RoleARN is the factory's role in the account, ExternalID what its trust policy demands.
	RoleARN, ExternalID string
}

// Sessions keeps one session for each target. Its methods may be called at once.
type Sessions struct {
	base aws.Config

	mu sync.Mutex
	// The whole target is the key. CAPA joins parts of it to a string, in which two
	// different targets can read the same; a changed role must be a new session.
	configs map[Target]aws.Config
}

// Load makes Sessions with the manager's own credentials, found as every AWS
// program finds them: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html.
func Load(ctx context.Context) (*Sessions, error) {
	base, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("the manager's AWS credentials: %w", err)
	}
	return New(base), nil
}

// New makes Sessions with given credentials of the factory.
func New(base aws.Config) *Sessions {
	return &Sessions{base: base, configs: map[Target]aws.Config{}}
}

// Factory is the factory's own account in a region.
func (s *Sessions) Factory(region string) aws.Config {
	cfg := s.base.Copy()
	cfg.Region = region
	return cfg
}

// Config is for clients that act in the target's account.
func (s *Sessions) Config(t Target) aws.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cfg, ok := s.configs[t]; ok {
		return cfg
	}
	cfg := s.Factory(t.Region)
	assume := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), t.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = name
		o.ExternalID = aws.String(t.ExternalID)
	})
	cfg.Credentials = aws.NewCredentialsCache(assume, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = refreshBefore })
	// Each account has a budget of retries of its own: one that throttles slows no other.
	cfg.Retryer = func() aws.Retryer { return retry.NewAdaptiveMode() }
	s.configs[t] = cfg
	return cfg
}

// WithoutExternalID tries the target's role without its external id. It returns
// nil if the role lets anyone of the factory's account in like that, which it must not.
func (s *Sessions) WithoutExternalID(ctx context.Context, t Target) error {
	_, err := sts.NewFromConfig(s.Factory(t.Region)).AssumeRole(ctx, &sts.AssumeRoleInput{
		RoleArn: aws.String(t.RoleARN), RoleSessionName: aws.String(name),
	})
	return err
}
