package authz

import (
	"reflect"
	"slices"
	"time"

	"kargo.dev/kargo/awssim/policy"
)

// Record is what is kept of a call's authorization: enough to decide on it again
// with other policies.
type Record struct {
	// Permissions are all that the call needed, each once.
	Permissions []policy.Permission `json:"permissions,omitempty"`
	// Decision is allowed, implicitDeny or explicitDeny; "" if it did not come to one.
	Decision string `json:"decision,omitempty"`
	// Context are the condition keys that all permissions share, but for those that
	// follow from the call's account, region and time.
	Context policy.Context `json:"context,omitempty"`
}

func newRecord(shared policy.Context, needs []policy.Permission) Record {
	r := Record{Context: policy.Context{}}
	for _, p := range needs {
		if !slices.ContainsFunc(r.Permissions, func(o policy.Permission) bool { return reflect.DeepEqual(o, p) }) {
			r.Permissions = append(r.Permissions, p)
		}
	}
	if len(needs) == 0 {
		return r
	}
	derived := policy.Context{}
	addDerived(derived, "", "", time.Time{})
	for key, values := range shared {
		// Who calls is of interest; with which program is not.
		if _, ok := derived[key]; !ok && key != "aws:UserAgent" && key != "aws:SourceIp" {
			r.Context[key] = values
		}
	}
	return r
}

// Requests are the recorded permissions as they were asked for, to be decided on
// with other policies: Evaluate or Set.Decide.
func (r Record) Requests(account, region string, at time.Time) []policy.Request {
	shared := policy.Context{}
	for key, values := range r.Context {
		shared[key] = values
	}
	addDerived(shared, account, region, at)
	var requests []policy.Request
	for _, p := range r.Permissions {
		request := p.Request(shared)
		request.Context["aws:resourceaccount"] = []string{resourceAccount(p.Resource, account)}
		requests = append(requests, request)
	}
	return requests
}
