package server

import (
	"net/http"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
)

// authFailure is how a service says that a request's signature is not accepted.
// The codes are those of each service's "Common Errors" page; EC2 has its own
// (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html).
func authFailure(p api.Protocol, service string, e *auth.Error) *api.Error {
	failure := &api.Error{Message: e.Message, HTTPStatus: http.StatusForbidden}
	switch {
	case service == "ec2":
		return ec2AuthFailure(e)
	case p == api.Query || p == api.EC2Query:
		failure.Code = map[auth.Reason]string{
			auth.Missing: "MissingAuthenticationToken", auth.Incomplete: "IncompleteSignature", auth.UnknownKey: "InvalidClientTokenId",
			auth.ExpiredKey: "ExpiredToken", auth.Expired: "SignatureDoesNotMatch", auth.Mismatch: "SignatureDoesNotMatch",
		}[e.Reason]
		if service == "" && e.Reason == auth.Expired {
			failure.Code = "RequestExpired"
		}
	default:
		failure.Code = map[auth.Reason]string{
			auth.Missing: "MissingAuthenticationTokenException", auth.Incomplete: "IncompleteSignatureException", auth.UnknownKey: "UnrecognizedClientException",
			auth.ExpiredKey: "ExpiredTokenException", auth.Expired: "InvalidSignatureException", auth.Mismatch: "InvalidSignatureException",
		}[e.Reason]
	}
	if e.Reason == auth.Incomplete || (p == api.JSON11 && e.Reason != auth.Missing) {
		failure.HTTPStatus = http.StatusBadRequest
	}
	return failure
}

func ec2AuthFailure(e *auth.Error) *api.Error {
	switch e.Reason {
	case auth.Expired, auth.ExpiredKey:
		return &api.Error{Code: "RequestExpired", Message: "Request has expired."}
	case auth.Incomplete:
		return &api.Error{Code: "IncompleteSignature", Message: e.Message}
	case auth.Missing, auth.UnknownKey, auth.Mismatch:
	}
	return &api.Error{Code: "AuthFailure", Message: "AWS was not able to validate the provided access credentials", HTTPStatus: http.StatusUnauthorized}
}

// internalFailure is AWS's word for its own bugs.
func internalFailure(p api.Protocol) *api.Error {
	code := "InternalFailure"
	if p == api.EC2Query {
		code = "InternalError"
	}
	return &api.Error{Code: code, Message: "An internal error has occurred", HTTPStatus: http.StatusInternalServerError}
}
