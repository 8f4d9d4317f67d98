package eksauth_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/internal/eksauth"
)

var now = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

func presigner(endpoint *string) *sts.PresignClient {
	return sts.NewPresignClient(sts.New(sts.Options{
		Region:       "eu-central-1",
		BaseEndpoint: endpoint,
		Credentials:  credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "session"),
	}))
}

func decode(t *testing.T, token string) *url.URL {
	t.Helper()
	encoded, ok := strings.CutPrefix(token, "k8s-aws-v1.")
	if !ok {
		t.Fatalf("token %q does not start with k8s-aws-v1.", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatalf("token is not unpadded base64url: %v", err)
	}
	u, err := url.Parse(string(raw))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestNew(t *testing.T) {
	tests := map[string]struct {
		endpoint *string
		host     string
		reason   string
	}{
		"AWS":       {host: "https://sts.eu-central-1.amazonaws.com", reason: "EKS verifies at the regional STS"},
		"Simulator": {endpoint: aws.String("http://127.0.0.1:4566"), host: "http://127.0.0.1:4566", reason: "AWS_ENDPOINT_URL replaces AWS only, not the token's form"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			token, err := eksauth.New(t.Context(), presigner(tt.endpoint), "shop-prod", now)
			if err != nil {
				t.Fatal(err)
			}
			u := decode(t, token.Value)
			if got := u.Scheme + "://" + u.Host; got != tt.host {
				t.Errorf("%s: got host %s, want %s", tt.reason, got, tt.host)
			}
			if want := now.Add(14 * time.Minute); !token.Expires.Equal(want) {
				t.Errorf("expires %v, want %v", token.Expires, want)
			}
			query := u.Query()
			if query.Get("X-Amz-Signature") == "" {
				t.Error("the URL is not signed")
			}
			query.Del("X-Amz-Signature")
			want := url.Values{
				"Action":               {"GetCallerIdentity"},
				"Version":              {"2011-06-15"},
				"X-Amz-Algorithm":      {"AWS4-HMAC-SHA256"},
				"X-Amz-Credential":     {"AKIDEXAMPLE/20260801/eu-central-1/sts/aws4_request"},
				"X-Amz-Date":           {"20260801T120000Z"},
				"X-Amz-Expires":        {"60"},
				"X-Amz-Security-Token": {"session"},
				"X-Amz-SignedHeaders":  {"host;x-k8s-aws-id"},
			}
			if diff := cmp.Diff(want, query); diff != "" {
				t.Errorf("%s: query (-want +got):\n%s", tt.reason, diff)
			}
		})
	}
}

func TestNewBindsTheCluster(t *testing.T) {
	signature := func(cluster string) string {
		token, err := eksauth.New(t.Context(), presigner(nil), cluster, now)
		if err != nil {
			t.Fatal(err)
		}
		return decode(t, token.Value).Query().Get("X-Amz-Signature")
	}
	first, again := signature("shop-prod"), signature("shop-prod")
	if first != again {
		t.Error("the signature depends on something else than the inputs")
	}
	if first == signature("shop-nonprod") {
		t.Error("tokens for two clusters bear the same signature")
	}
	if _, err := eksauth.New(t.Context(), presigner(nil), "", now); err == nil {
		t.Error("a token without a cluster is no error")
	}
}
