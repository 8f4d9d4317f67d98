package server

import (
	"errors"
	"net/http"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/authz"
	"kargo.dev/kargo/awssim/policy"
)

// authorize asks whether the caller may do what the call is for, and keeps for the
// record what that takes. The error is AWS's.
func (x *exchange) authorize() error {
	var err error
	x.authz, err = x.server.authz.Authorize(&x.call, permissions(x.service.Service, &x.call))
	var denial *authz.Denial
	if !errors.As(err, &denial) {
		return err
	}
	if denial.Permission.Resource == "*" && x.protocol() == api.EC2Query {
		// EC2 does not name a resource that is none.
		return accessDenied(x.protocol(), denial.Message(denial.Caller, denial.Permission.Action, ""))
	}
	return accessDenied(x.protocol(), denial.Error())
}

// permissions are what a call needs by its service's word.
func permissions(s api.Service, c *api.Call) []policy.Permission {
	if guarded, ok := s.(api.Guarded); ok {
		return guarded.Permissions(c)
	}
	return []policy.Permission{{Action: s.Name() + ":" + c.Operation, Resource: "*"}}
}

// accessDenied is how a service says that a caller may not do something.
func accessDenied(p api.Protocol, message string) *api.Error {
	switch p {
	case api.EC2Query:
		return &api.Error{Code: "UnauthorizedOperation", Message: "You are not authorized to perform this operation. " + message, HTTPStatus: http.StatusForbidden}
	case api.Query:
		return &api.Error{Code: "AccessDenied", Message: message, HTTPStatus: http.StatusForbidden}
	case api.JSON11:
		return api.Errorf("AccessDeniedException", "%s", message)
	case api.RESTJSON:
	}
	return &api.Error{Code: "AccessDeniedException", Message: message, HTTPStatus: http.StatusForbidden}
}
