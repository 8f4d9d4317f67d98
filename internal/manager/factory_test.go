package manager

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"kargo.dev/kargo/internal/aws/session"
)

// TestFactoryPrincipal: AWS is asked until it answers, and then never again.
func TestFactoryPrincipal(t *testing.T) {
	asked, arn := 0, ""
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		if arn == "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		_, _ = fmt.Fprintf(w, `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>%s</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`, arn)
	}))
	defer sts.Close()
	f := &factory{sessions: session.New(aws.Config{BaseEndpoint: &sts.URL, Credentials: credentials.NewStaticCredentialsProvider("k", "s", "")})}
	steps := []struct{ says, want, reason string }{
		{"", "", "AWS refuses"},
		{"arn:aws:iam::100000000000:root", "", "no team should trust a whole account"},
		{"arn:aws:sts::100000000000:assumed-role/kargo/manager", "arn:aws:iam::100000000000:role/kargo", "the role of the session"},
		{"arn:aws:iam::100000000000:user/other", "arn:aws:iam::100000000000:role/kargo", "known already"},
	}
	for _, s := range steps {
		arn = s.says
		got, err := f.principal(t.Context(), "eu-central-1")
		if got != s.want || (err == nil) != (s.want != "") {
			t.Errorf("%q, %v; want %q: %s", got, err, s.want, s.reason)
		}
	}
	if asked != 3 {
		t.Errorf("AWS was asked %d times, want 3", asked)
	}
}
