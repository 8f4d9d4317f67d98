package eks

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

// handler answers a call.
type handler = func(context.Context, *api.Call) (any, error)

// Error codes of EKS, see https://docs.aws.amazon.com/eks/latest/APIReference/CommonErrors.html
// and the pages of its operations.
const (
	codeNotFound         = "ResourceNotFoundException"
	codeInUse            = "ResourceInUseException"
	codeInvalidParameter = "InvalidParameterException"
	codeInvalidRequest   = "InvalidRequestException"
	codeLimit            = "ResourceLimitExceededException"
	codeAccessDenied     = "AccessDeniedException"
)

func invalidParameter(format string, args ...any) error {
	return api.Errorf(codeInvalidParameter, format, args...)
}

func invalidRequest(format string, args ...any) error {
	return api.Errorf(codeInvalidRequest, format, args...)
}

func notFound(format string, args ...any) error {
	return api.NotFoundf(codeNotFound, format, args...)
}

func inUse(format string, args ...any) error {
	return &api.Error{Code: codeInUse, Message: fmt.Sprintf(format, args...), HTTPStatus: http.StatusConflict}
}

func accessDenied(format string, args ...any) error {
	return &api.Error{Code: codeAccessDenied, Message: fmt.Sprintf(format, args...), HTTPStatus: http.StatusForbidden}
}

// decode reads the body of a call. Members that the simulator does not know
// are passed over, as AWS passes over those it does not know.
func decode(c *api.Call, into any) error {
	if len(bytes.TrimSpace(c.Body)) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.Body, into); err != nil {
		return api.Errorf("SerializationException", "the body of %s cannot be read: %v", c.Operation, err)
	}
	return nil
}

// namePattern is EKS's law for the names of clusters.
var namePattern = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$`)

// nodegroupPattern is EKS's law for the names of node groups.
var nodegroupPattern = regexp.MustCompile(`^[0-9A-Za-z][A-Za-z0-9_-]{0,62}$`)

func checkName(what, name string, pattern *regexp.Regexp) error {
	if !pattern.MatchString(name) {
		return invalidParameter("The %s name '%s' is not valid. It must match %s.", what, name, pattern)
	}
	return nil
}

// Limits of AWS for the tags of one resource.
const maxTags = 50

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalidParameter("A resource can have at most %d tags.", maxTags)
	}
	for key, value := range tags {
		if key == "" || len(key) > 128 || len(value) > 256 {
			return invalidParameter("The tag '%s' is not valid: keys have 1 to 128 and values up to 256 characters.", key)
		}
		if strings.HasPrefix(strings.ToLower(key), "aws:") {
			return invalidParameter("The tag key '%s' is not valid: the prefix aws: is reserved.", key)
		}
	}
	return nil
}

// copyTags answers no nil map: AWS shows no tags as {}.
func copyTags(tags map[string]string) map[string]string {
	copied := map[string]string{}
	maps.Copy(copied, tags)
	return copied
}

// page cuts a sorted list to what maxResults and nextToken ask for. The token
// names the last item answered, so that it stays good when items come and go.
func page[T any](c *api.Call, maxResults int, nextToken string, key func(T) string, all []T) (items []T, next string, err error) {
	size := 100
	if maxResults != 0 {
		size = maxResults
	}
	if size < 1 || size > 100 {
		return nil, "", invalidParameter("maxResults must be between 1 and 100.")
	}
	slices.SortStableFunc(all, func(a, b T) int { return cmp.Compare(key(a), key(b)) })
	if nextToken != "" {
		last, err := base64.RawURLEncoding.DecodeString(nextToken)
		if err != nil {
			return nil, "", invalidParameter("Invalid nextToken for %s.", c.Operation)
		}
		all = slices.DeleteFunc(all, func(v T) bool { return key(v) <= string(last) })
	}
	if len(all) > size {
		all = all[:size]
		next = base64.RawURLEncoding.EncodeToString([]byte(key(all[size-1])))
	}
	return append(make([]T, 0, len(all)), all...), next, nil
}

// queryPage is page for operations that carry maxResults and nextToken in the query.
func queryPage[T any](c *api.Call, key func(T) string, all []T) ([]T, string, error) {
	size, err := strconv.Atoi(cmp.Or(c.Params.Get("maxResults"), "0"))
	if err != nil || (size == 0 && c.Params.Has("maxResults")) {
		return nil, "", invalidParameter("maxResults must be between 1 and 100.")
	}
	return page(c, size, c.Params.Get("nextToken"), key, all)
}

// listAnswer is the answer of an operation that lists nothing but items, as the
// member that AWS calls them.
func listAnswer[T any](c *api.Call, member string, key func(T) string, all []T) (any, error) {
	items, next, err := queryPage(c, key, all)
	if err != nil {
		return nil, err
	}
	answer := map[string]any{member: items}
	if next != "" {
		answer["nextToken"] = next
	}
	return answer, nil
}

func itself(s string) string { return s }

// arn of something of EKS.
func arn(account, region, resource string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", serviceName, region, account, resource)
}

// newUUID makes a random (version 4) UUID.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails, see its documentation
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// newToken makes n random hexadecimal digits.
func newToken(n int) string {
	b := make([]byte, (n+1)/2)
	_, _ = rand.Read(b) // never fails, see its documentation
	return hex.EncodeToString(b)[:n]
}
