package sigv4_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"kargo.dev/kargo/awssim/sigv4"
)

var (
	now   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	creds = aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", SessionToken: "token=="}
)

// seen returns what a server sees of a signed request.
func seen(t *testing.T, r *http.Request) (*http.Request, []byte) {
	t.Helper()
	var got *http.Request
	var body []byte
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		got = r
	}))
	defer s.Close()
	host := r.URL.Host
	u, _ := url.Parse(s.URL)
	r.URL.Host, r.Host = u.Host, host
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return got, body
}

// TestAgainstSDK lets the SDK's signer sign and compares after the wire.
func TestAgainstSDK(t *testing.T) {
	cases := map[string]struct {
		method, url, body string
		header            http.Header
		reason            string
	}{
		"form":          {method: "POST", url: "http://127.0.0.1:1/", body: "Action=GetCallerIdentity&Version=2011-06-15", reason: "the query protocol"},
		"json":          {method: "POST", url: "http://127.0.0.1:1/clusters", body: `{"name":"c"}`, reason: "REST-JSON"},
		"escaped path":  {method: "GET", url: "http://127.0.0.1:1/tags/arn%3Aaws%3Aeks%3Aeu-west-1%3A111111111111%3Acluster%2Fc", reason: "paths are escaped twice"},
		"query":         {method: "GET", url: "http://127.0.0.1:1/?b=2&a=1&a=0&a-b=%20x%2By&empty=", reason: "sorting and escaping"},
		"spaces":        {method: "GET", url: "http://127.0.0.1:1/", header: http.Header{"X-Amz-Meta": {"  a   b "}}, reason: "blanks are folded"},
		"unicode":       {method: "GET", url: "http://127.0.0.1:1/?a=%C3%A9~", reason: "UTF-8 is escaped bytewise"},
		"delete method": {method: "DELETE", url: "http://127.0.0.1:1/clusters/c", reason: "a method without a body"},
	}
	for name, tc := range cases {
		for _, presigned := range []bool{false, true} {
			t.Run(name+map[bool]string{true: " presigned", false: ""}[presigned], func(t *testing.T) {
				r, err := http.NewRequestWithContext(t.Context(), tc.method, tc.url, bytes.NewReader([]byte(tc.body)))
				if err != nil {
					t.Fatal(err)
				}
				for k, v := range tc.header {
					r.Header[k] = v
				}
				sign(t, r, tc.body, presigned)
				got, body := seen(t, r)
				s, err := sigv4.Parse(got)
				if err != nil {
					t.Fatal(err)
				}
				if s.AccessKeyID != creds.AccessKeyID || s.Service != "eks" || s.Region != "eu-west-1" || !s.Time.Equal(now) ||
					s.Presigned != presigned || s.SessionToken != creds.SessionToken {
					t.Errorf("parsed %+v", s)
				}
				if !s.Matches(got, body, creds.SecretAccessKey) {
					t.Errorf("the SDK's signature does not match (%s)", tc.reason)
				}
				if s.Matches(got, body, "another secret") {
					t.Error("matches with another secret")
				}
				if s.Matches(got, append(body, '!'), creds.SecretAccessKey) {
					t.Error("matches with another body")
				}
				got.URL.RawQuery += "&c=3"
				if s.Matches(got, body, creds.SecretAccessKey) {
					t.Error("matches with another query")
				}
			})
		}
	}
}

func sign(t *testing.T, r *http.Request, body string, presigned bool) {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	if !presigned {
		if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, hash, "eks", "eu-west-1", now); err != nil {
			t.Fatal(err)
		}
		return
	}
	q := r.URL.Query()
	q.Set("X-Amz-Expires", "60")
	r.URL.RawQuery = q.Encode()
	signed, header, err := v4.NewSigner().PresignHTTP(t.Context(), creds, r, hash, "eks", "eu-west-1", now)
	if err != nil {
		t.Fatal(err)
	}
	if r.URL, err = url.Parse(signed); err != nil {
		t.Fatal(err)
	}
	for k, v := range header {
		r.Header[k] = v
	}
}

func TestParseRefuses(t *testing.T) {
	const good = "AWS4-HMAC-SHA256 Credential=AK/20260301/eu-west-1/ec2/aws4_request, SignedHeaders=host;x-amz-date, Signature=00"
	cases := map[string]struct {
		authorization, date, query string
		want                       string
	}{
		"other algorithm":  {authorization: "Bearer x", want: "requires 'Credential'"},
		"no signature":     {authorization: strings.Replace(good, "Signature=00", "", 1), date: "20260301T120000Z", want: "requires 'Signature'"},
		"no equal sign":    {authorization: "AWS4-HMAC-SHA256 Credential", want: "missing equal-sign"},
		"short scope":      {authorization: strings.Replace(good, "/ec2", "", 1), date: "20260301T120000Z", want: "exactly 5"},
		"host unsigned":    {authorization: strings.Replace(good, "host;", "", 1), date: "20260301T120000Z", want: "'Host' must"},
		"no date":          {authorization: good, want: "ISO-8601"},
		"another day":      {authorization: good, date: "20260302T120000Z", want: "does not match"},
		"query incomplete": {query: "X-Amz-Algorithm=AWS4-HMAC-SHA256", want: "must include 'X-Amz-Credential'"},
		"expires too long": {query: "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK/20260301/r/ec2/aws4_request&X-Amz-Signature=0&X-Amz-SignedHeaders=host&X-Amz-Date=20260301T120000Z&X-Amz-Expires=604801", want: "X-Amz-Expires"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/?"+tc.query, nil)
			if tc.authorization != "" {
				r.Header.Set("Authorization", tc.authorization)
			}
			if tc.date != "" {
				r.Header.Set("X-Amz-Date", tc.date)
			}
			_, err := sigv4.Parse(r)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want it to say %q", err, tc.want)
			}
		})
	}
	if _, err := sigv4.Parse(httptest.NewRequest(http.MethodGet, "/", nil)); !errors.Is(err, sigv4.ErrMissing) {
		t.Errorf("unsigned: %v, want ErrMissing", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add("AWS4-HMAC-SHA256 Credential=AK/20260301/eu-west-1/ec2/aws4_request, SignedHeaders=host, Signature=00", "20260301T120000Z", "a=b")
	f.Add("", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=%zz")
	f.Add("AWS4-HMAC-SHA256 =,=", "2026", "%")
	f.Fuzz(func(t *testing.T, authorization, date, query string) {
		r := &http.Request{Method: http.MethodGet, Host: "h", URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{
			"Authorization": {authorization}, "X-Amz-Date": {date}}}
		s, err := sigv4.Parse(r)
		if err == nil && s.Matches(r, nil, "secret") {
			t.Errorf("accepted without the secret: %q, date %q, query %q", authorization, date, query)
		}
	})
}
