// Package api is what every simulated AWS service has in common: the
// authenticated call, the error, and the way a service lists its operations.
// It knows no service and no transport; package server turns HTTP into Calls.
package api

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"kargo.dev/kargo/awssim/policy"
)

// Protocol is one of the wire protocols AWS services speak.
// See https://smithy.io/2.0/aws/protocols/index.html.
type Protocol int

const (
	// EC2Query is the query protocol with EC2's flat lists and its own envelope.
	EC2Query Protocol = iota
	// Query is the query protocol of IAM, STS and Auto Scaling.
	Query
	// RESTJSON is the protocol of EKS: method, path and a JSON body.
	RESTJSON
	// JSON11 is the protocol of the tagging API: a JSON body and X-Amz-Target.
	JSON11
)

// Identity is who signed a call, as sts:GetCallerIdentity would answer.
type Identity struct {
	AccountID   string // 12 digits
	ARN         string // arn:aws:iam::ID:user/NAME or arn:aws:sts::ID:assumed-role/ROLE/SESSION
	UserID      string // AIDA... or AROA...:SESSION
	AccessKeyID string
}

// Call is one authenticated request to an AWS API.
type Call struct {
	ID        string // the request id that is answered
	Service   string // signing name: ec2, iam, sts, eks, autoscaling, tagging
	Operation string // AWS's name of it: CreateVpc
	Region    string // from the signature's scope
	Caller    Identity
	Params    url.Values        // query protocols: the form; REST-JSON: the query string
	Path      map[string]string // REST-JSON: the labels of the path
	Body      []byte            // JSON protocols
	Now       time.Time         // the simulator's clock when the call came in
	SourceIP  string            // where it came from
	UserAgent string
}

// Operation binds an AWS operation to its simulation.
type Operation struct {
	Name string
	// Method and Path (with {labels}) route REST-JSON calls; other protocols carry the name in the request.
	Method, Path string
	// Handle answers the call with a value that the service's protocol
	// marshals (encoding/xml or encoding/json tags), or with an *Error.
	// Calls of one account are handled one at a time; a handler must not block.
	Handle func(ctx context.Context, c *Call) (any, error)
	// Await, if set, is called before Handle and outside of the account's turn.
	// It may block (within ctx) until the answer is worth giving: EKS's waiters
	// look at once and then sleep 30 s, so a Describe that comes seconds before a
	// control plane serves is better answered late. It changes nothing itself
	// that Handle would not find.
	Await func(ctx context.Context, c *Call)
}

// Resource is a line of an account's inventory.
type Resource struct {
	Service string            `json:"service"`
	Type    string            `json:"type"` // vpc, nat-gateway, cluster, role, ...
	ID      string            `json:"id"`   // AWS's id or name
	ARN     string            `json:"arn,omitempty"`
	State   string            `json:"state,omitempty"`
	Region  string            `json:"region,omitempty"`
	Tags    map[string]string `json:"tags,omitempty"`
	// Builtin marks what exists in an account before anybody made anything (the
	// seeded roles, the default security group of a VPC); deleting a cluster leaves it.
	Builtin bool `json:"builtin,omitempty"`
}

// Service is one simulated AWS API.
type Service interface {
	// Name is the signing name: ec2, iam, sts, eks, autoscaling, tagging.
	Name() string
	Protocol() Protocol
	// XMLNamespace is the xmlns of answers in the query protocols, else "".
	XMLNamespace() string
	Operations() []Operation
	// Inventory lists all that exists in an account, ordered by type and id.
	Inventory(account string) []Resource
}

// Guarded is a Service that says what a call needs to be allowed. Of others, the
// call needs the action SERVICE:OPERATION on all resources.
type Guarded interface {
	Service
	// Permissions lists all that a call needs, after AWS's Service Authorization
	// Reference; nothing for what everybody may do. It is asked before the call is
	// handled and out of the account's turn, whatever is wrong with the call, and
	// changes nothing. Keys that every call has (who, when, where) are not its business.
	Permissions(c *Call) []policy.Permission
}

// Error is an error in AWS's form.
type Error struct {
	Code       string // AWS's code: InvalidVpcID.NotFound, ResourceNotFoundException
	Message    string
	HTTPStatus int // 0 means 400
	// Details are further members of the error in the JSON protocols: its Reason.
	Details map[string]string
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Status is the HTTP status to answer.
func (e *Error) Status() int {
	if e.HTTPStatus == 0 {
		return http.StatusBadRequest
	}
	return e.HTTPStatus
}

// Errorf makes an error in AWS's form with HTTP status 400.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// NotFoundf makes an error in AWS's form with HTTP status 404.
func NotFoundf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), HTTPStatus: http.StatusNotFound}
}
