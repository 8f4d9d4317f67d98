// Package awserr tells apart what the errors of AWS mean for a reconciler.
package awserr

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
)

// Code is AWS's code of the error, or "" if AWS did not answer with one.
func Code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// Message is AWS's own sentence without the SDK's frame of request ids, which
// would make every message a new one.
func Message(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode() + ": " + api.ErrorMessage()
	}
	return err.Error()
}

// Denied says that a policy forbids the call.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func Denied(err error) bool {
	return slices.Contains([]string{"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Client.UnauthorizedOperation"}, Code(err))
}

// NotFound says that what was asked for does not exist. Every service, and in
// EC2 every kind, has its own code for it.
func NotFound(err error) bool {
	code := Code(err)
	return code == "NoSuchEntity" || code == "NoSuchEntityException" || code == "ResourceNotFoundException" ||
		strings.HasSuffix(code, ".NotFound") || strings.HasSuffix(code, "NotFoundException")
}

// Throttled says that AWS asks to call less often.
func Throttled(err error) bool {
	_, ok := retry.DefaultThrottleErrorCodes[Code(err)]
	return ok
}

// Unreachable says that no answer came: whether the call was carried out is not known.
func Unreachable(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded)
}
