package awserr

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/aws/smithy-go"
)

func TestClasses(t *testing.T) {
	api := func(code string) error {
		return fmt.Errorf("operation error: %w", &smithy.GenericAPIError{Code: code, Message: "no"})
	}
	type classes struct{ denied, notFound, throttled, unreachable bool }
	cases := map[string]struct {
		reason string
		err    error
		want   classes
	}{
		"EC2Denied":  {"EC2 has its own word for it", api("UnauthorizedOperation"), classes{denied: true}},
		"STSDenied":  {"the query services say AccessDenied", api("AccessDenied"), classes{denied: true}},
		"EKSDenied":  {"JSON services say AccessDeniedException", api("AccessDeniedException"), classes{denied: true}},
		"NoVPC":      {"EC2's codes name the kind", api("InvalidVpcID.NotFound"), classes{notFound: true}},
		"NoCluster":  {"EKS", api("ResourceNotFoundException"), classes{notFound: true}},
		"NoRole":     {"IAM", api("NoSuchEntity"), classes{notFound: true}},
		"Throttled":  {"EC2's word of the many", api("RequestLimitExceeded"), classes{throttled: true}},
		"NoAnswer":   {"a deadline says nothing about the call", fmt.Errorf("x: %w", context.DeadlineExceeded), classes{unreachable: true}},
		"Other":      {"all else is none of them", api("ValidationError"), classes{}},
		"NotFromAWS": {"an error of ours has no code", errors.New("bug"), classes{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := classes{Denied(c.err), NotFound(c.err), Throttled(c.err), Unreachable(c.err)}
			if got != c.want {
				t.Errorf("%s: %+v, want %+v", c.reason, got, c.want)
			}
		})
	}
	if got := Message(api("AccessDenied")); got != "AccessDenied: no" {
		t.Errorf("message %q holds more than AWS's own words", got)
	}
}
