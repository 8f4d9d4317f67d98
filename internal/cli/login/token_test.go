package login_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	clientauthenticationv1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	testclock "k8s.io/utils/clock/testing"

	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/login"
	"kargo.dev/kargo/internal/eksauth"
)

var now = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)

// sts answers AssumeRole and notes what it was asked.
func sts(t *testing.T) (url string, asked *[]string) {
	t.Helper()
	asked = &[]string{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		*asked = append(*asked, r.Form.Get("Action")+" "+r.Form.Get("RoleArn")+" as "+r.Form.Get("RoleSessionName"))
		_, _ = w.Write([]byte(`<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>`))
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func awsEnvironment(t *testing.T, endpoint string) {
	t.Helper()
	dir := t.TempDir()
	credentials := filepath.Join(dir, "credentials")
	if err := os.WriteFile(credentials, []byte("[shop-prod]\naws_access_key_id = AKIDUSER\naws_secret_access_key = s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": endpoint, "AWS_SHARED_CREDENTIALS_FILE": credentials, "AWS_CONFIG_FILE": filepath.Join(dir, "none"),
		"AWS_PROFILE": "shop-prod", "AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
	} {
		t.Setenv(name, value)
	}
}

func TestToken(t *testing.T) {
	tests := map[string]struct {
		args   []string
		asked  []string
		signer string
	}{
		"OwnCredentials": {[]string{"--cluster-name", "shop-prod", "--region", "eu-central-1"}, nil, "AKIDUSER/20260801/eu-central-1/sts"},
		"Role": {
			[]string{"--cluster-name", "shop-prod", "--region", "eu-central-1", "--role-arn", "arn:aws:iam::111111111111:role/team-viewer"},
			[]string{"AssumeRole arn:aws:iam::111111111111:role/team-viewer as kargoctl"}, "ASIAROLE/20260801/eu-central-1/sts",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			endpoint, asked := sts(t)
			awsEnvironment(t, endpoint)
			streams, _, out, _ := command.TestIO()
			f := command.New(streams, "test")
			f.Clock = testclock.NewFakeClock(now)
			cmd := login.NewCmdToken(f, nil)
			cmd.SetArgs(tt.args)
			if err := cmd.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.asked, *asked, cmp.Transformer("empty", func(s []string) string { return strings.Join(s, "\n") })); diff != "" {
				t.Errorf("STS was asked (-want +got):\n%s", diff)
			}
			var got clientauthenticationv1.ExecCredential
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if got.APIVersion != "client.authentication.k8s.io/v1" || got.Kind != "ExecCredential" {
				t.Errorf("kubectl wants another kind than %s %s", got.APIVersion, got.Kind)
			}
			if want := now.Add(14 * time.Minute); !got.Status.ExpirationTimestamp.Time.Equal(want) {
				t.Errorf("expires %v, want %v", got.Status.ExpirationTimestamp, want)
			}
			token, err := decode(got.Status.Token)
			if err != nil {
				t.Fatal(err)
			}
			if signer := token.Query().Get("X-Amz-Credential"); !strings.HasPrefix(signer, tt.signer) {
				t.Errorf("signed by %s, want %s", signer, tt.signer)
			}
		})
	}
}

func TestTokenErrors(t *testing.T) {
	broken := func(context.Context, string, string) (eksauth.Presigner, error) {
		return nil, errors.New("no credentials")
	}
	tests := map[string]struct {
		opts login.TokenOptions
		code int
		want string
	}{
		"NoCluster":     {login.TokenOptions{}, command.ExitUsage, "--cluster-name"},
		"NoCredentials": {login.TokenOptions{ClusterName: "x", Presigner: broken}, command.ExitFailed, "no credentials"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			streams, _, out, _ := command.TestIO()
			tt.opts.IO, tt.opts.Clock, tt.opts.Timeout = streams, testclock.NewFakeClock(now), time.Minute
			err := tt.opts.Run(t.Context())
			if command.ExitCode(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want exit code %d with %q", err, tt.code, tt.want)
			}
			if out.Len() != 0 {
				t.Errorf("kubectl would take this for a credential: %s", out)
			}
		})
	}
}

// decode reads the presigned URL of a token.
func decode(token string) (*url.URL, error) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, eksauth.Prefix))
	if err != nil {
		return nil, err
	}
	return url.Parse(string(raw))
}
