// Package eksauth makes the bearer tokens that EKS clusters accept: a presigned
// STS GetCallerIdentity request, which proves who calls without carrying a secret.
// The format is aws-iam-authenticator's:
// https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster.
package eksauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const (
	// Prefix marks a token of this kind.
	Prefix = "k8s-aws-v1."
	// ClusterHeader is signed with the request, so that a token for one cluster
	// is worth nothing at another.
	ClusterHeader = "x-k8s-aws-id"
	// Lifetime is how long a token may be used: EKS accepts it for 15 minutes
	// after it was signed, a minute is kept back for clocks that differ.
	Lifetime = 14 * time.Minute

	// expires is what X-Amz-Expires says, in seconds; the authenticator demands
	// at most 900 and counts its own 15 minutes from X-Amz-Date.
	expires = "60"
)

// Token is a bearer token for one cluster.
type Token struct {
	Value string
	// Expires is when a new one is needed.
	Expires time.Time
}

// Presigner signs a GetCallerIdentity request; *sts.PresignClient does.
type Presigner interface {
	PresignGetCallerIdentity(ctx context.Context, in *sts.GetCallerIdentityInput, opts ...func(*sts.PresignOptions)) (*v4.PresignedHTTPRequest, error)
}

// New signs a token for a cluster at a time.
func New(ctx context.Context, p Presigner, clusterName string, now time.Time) (Token, error) {
	if clusterName == "" {
		return Token{}, errors.New("a token needs a cluster's name")
	}
	signed, err := p.PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
		o.Presigner = clusterSigner{cluster: clusterName, now: now, next: o.Presigner}
	})
	if err != nil {
		return Token{}, fmt.Errorf("cannot sign a token for cluster %s: %w", clusterName, err)
	}
	return Token{
		Value:   Prefix + base64.RawURLEncoding.EncodeToString([]byte(signed.URL)),
		Expires: now.Add(Lifetime),
	}, nil
}

// clusterSigner adds what EKS wants to the request before it is signed.
type clusterSigner struct {
	cluster string
	now     time.Time
	next    sts.HTTPPresignerV4
}

// PresignHTTP implements sts.HTTPPresignerV4.
func (s clusterSigner) PresignHTTP(ctx context.Context, creds aws.Credentials, r *http.Request, payloadHash, service, region string, _ time.Time, opts ...func(*v4.SignerOptions)) (string, http.Header, error) {
	r = r.Clone(ctx)
	r.Header.Set(ClusterHeader, s.cluster)
	query := r.URL.Query()
	query.Set("X-Amz-Expires", expires)
	r.URL.RawQuery = query.Encode()
	return s.next.PresignHTTP(ctx, creds, r, payloadHash, service, region, s.now, opts...)
}
