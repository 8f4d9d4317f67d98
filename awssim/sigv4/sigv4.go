// Package sigv4 reads and recomputes AWS Signature Version 4, of headers and of
// presigned URLs. It knows no keys and no clock: package auth has both.
// See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Algorithm is the only one AWS clients use for these services.
const Algorithm = "AWS4-HMAC-SHA256"

// TimeFormat is the format of X-Amz-Date.
const TimeFormat = "20060102T150405Z"

// ErrMissing says that a request carries no signature at all.
var ErrMissing = errors.New("the request is not signed")

// incompleteError says what is wrong with a signature, in AWS's words, which are
// answered as they are.
type incompleteError string

func (e incompleteError) Error() string { return string(e) }

func incomplete(format string, args ...any) error {
	return incompleteError(fmt.Sprintf(format, args...))
}

// Signature is what a signed request claims.
type Signature struct {
	AccessKeyID   string
	Date          string // the scope's day, YYYYMMDD
	Region        string
	Service       string
	SignedHeaders []string // lower case, in the order given
	Signature     string   // hex
	Time          time.Time
	Presigned     bool
	Expires       time.Duration // presigned: how long it is valid
	SessionToken  string
}

// scope is the credential scope that is signed.
func (s *Signature) scope() string {
	return strings.Join([]string{s.Date, s.Region, s.Service, "aws4_request"}, "/")
}

// Signed tells whether a header (lower case) is under the signature.
func (s *Signature) Signed(header string) bool { return slices.Contains(s.SignedHeaders, header) }

// Parse reads the signature of a request. It returns ErrMissing if there is
// none; other errors say what is incomplete, in AWS's words.
func Parse(r *http.Request) (*Signature, error) {
	if h := r.Header.Get("Authorization"); h != "" {
		return parseHeader(h, r.Header)
	}
	query := r.URL.Query()
	if query.Get("X-Amz-Algorithm") != "" || query.Get("X-Amz-Signature") != "" {
		return parseQuery(query)
	}
	return nil, ErrMissing
}

func parseHeader(authorization string, header http.Header) (*Signature, error) {
	rest, ok := strings.CutPrefix(authorization, Algorithm)
	if !ok {
		return nil, incomplete("Authorization header requires 'Credential' parameter. Authorization=%s", authorization)
	}
	fields := map[string]string{}
	for _, field := range strings.FieldsFunc(rest, func(r rune) bool { return r == ',' || r == ' ' }) {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return nil, incomplete("'%s' not a valid key=value pair (missing equal-sign) in Authorization header", field)
		}
		fields[key] = value
	}
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if fields[name] == "" {
			return nil, incomplete("Authorization header requires '%s' parameter.", name)
		}
	}
	s := &Signature{Signature: fields["Signature"], SessionToken: header.Get("X-Amz-Security-Token")}
	if err := s.setScope(fields["Credential"]); err != nil {
		return nil, err
	}
	if err := s.setHeaders(fields["SignedHeaders"]); err != nil {
		return nil, err
	}
	date := header.Get("X-Amz-Date")
	if date == "" {
		if t, err := http.ParseTime(header.Get("Date")); err == nil {
			date = t.UTC().Format(TimeFormat)
		}
	}
	return s, s.setTime(date)
}

func parseQuery(query url.Values) (*Signature, error) {
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date"} {
		if query.Get(name) == "" {
			return nil, incomplete("AWS query-string parameters must include '%s'. Re-examine the query-string parameters.", name)
		}
	}
	if a := query.Get("X-Amz-Algorithm"); a != Algorithm {
		return nil, incomplete("Unsupported AWS 'algorithm': '%s'.", a)
	}
	s := &Signature{
		Presigned:    true,
		Signature:    query.Get("X-Amz-Signature"),
		SessionToken: query.Get("X-Amz-Security-Token"),
	}
	if err := s.setScope(query.Get("X-Amz-Credential")); err != nil {
		return nil, err
	}
	if err := s.setHeaders(query.Get("X-Amz-SignedHeaders")); err != nil {
		return nil, err
	}
	seconds, err := strconv.Atoi(query.Get("X-Amz-Expires"))
	if err != nil || seconds < 0 || seconds > 7*24*3600 {
		return nil, incomplete("X-Amz-Expires must be a number of seconds between 0 and 604800, not %q", query.Get("X-Amz-Expires"))
	}
	s.Expires = time.Duration(seconds) * time.Second
	return s, s.setTime(query.Get("X-Amz-Date"))
}

func (s *Signature) setScope(credential string) error {
	parts := strings.Split(credential, "/")
	if len(parts) != 5 || parts[4] != "aws4_request" || slices.Contains(parts, "") {
		return incomplete("Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '%s'", credential)
	}
	s.AccessKeyID, s.Date, s.Region, s.Service = parts[0], parts[1], parts[2], parts[3]
	return nil
}

func (s *Signature) setHeaders(list string) error {
	s.SignedHeaders = strings.Split(strings.ToLower(list), ";")
	if !s.Signed("host") {
		return incomplete("'Host' must be a 'SignedHeader' in the AWS Authorization.")
	}
	return nil
}

func (s *Signature) setTime(date string) error {
	t, err := time.Parse(TimeFormat, date)
	if err != nil {
		return incomplete("Date must be in ISO-8601 'basic format'. Got '%s'. See http://en.wikipedia.org/wiki/ISO_8601", date)
	}
	if !strings.HasPrefix(date, s.Date) {
		return incomplete("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.", s.Date, date[:8], date)
	}
	s.Time = t
	return nil
}

// Matches recomputes the signature of a request with a secret and compares.
func (s *Signature) Matches(r *http.Request, body []byte, secret string) bool {
	payload := sha256.Sum256(body)
	canonical := sha256.Sum256([]byte(s.canonicalRequest(r, hex.EncodeToString(payload[:]))))
	toSign := strings.Join([]string{Algorithm, s.Time.Format(TimeFormat), s.scope(), hex.EncodeToString(canonical[:])}, "\n")
	key := []byte("AWS4" + secret)
	for _, part := range []string{s.Date, s.Region, s.Service, "aws4_request", toSign} {
		key = sum(key, part)
	}
	return hmac.Equal([]byte(hex.EncodeToString(key)), []byte(s.Signature))
}

func sum(key []byte, data string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(data))
	return h.Sum(nil)
}
