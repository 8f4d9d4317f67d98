package iam

import (
	"fmt"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/policy"
)

// checkTrust refuses what IAM refuses in a role's trust policy, dangling
// principals included.
func (s *Service) checkTrust(document string) error {
	doc, err := parseDocument(document)
	if err != nil {
		return err
	}
	if policySize(document) > maxTrust {
		return &api.Error{Code: "LimitExceeded", Message: fmt.Sprintf("Cannot exceed quota for ACLSizePerRole: %d", maxTrust), HTTPStatus: 409}
	}
	if err := doc.CheckKeys(); err != nil {
		return malformed(err.Error())
	}
	for _, st := range doc.Statements {
		switch {
		case len(st.Resource) > 0 || len(st.NotResource) > 0:
			return malformed("Has prohibited field Resource")
		case st.Principal == nil && st.NotPrincipal == nil:
			return malformed("Missing required field Principal")
		}
		for _, action := range append(st.Action, st.NotAction...) {
			if action != "*" && !strings.HasPrefix(strings.ToLower(action), "sts:") {
				return malformed("AssumeRole policy may only specify STS AssumeRole actions.")
			}
		}
		for _, p := range []*policy.Principals{st.Principal, st.NotPrincipal} {
			if p == nil {
				continue
			}
			for _, arn := range p.AWS {
				if !s.principalExists(arn) {
					return malformed(`Invalid principal in policy: "AWS":"` + arn + `"`)
				}
			}
		}
	}
	return nil
}

// parseDocument reads a policy document of a request.
func parseDocument(document string) (*policy.Document, error) {
	if document == "" {
		return nil, invalid("PolicyDocument", "", "Member must have length greater than or equal to 1")
	}
	doc, err := policy.Parse(document)
	if err != nil {
		return nil, malformed(err.Error())
	}
	return doc, nil
}

func malformed(message string) error { return api.Errorf("MalformedPolicyDocument", "%s", message) }

// principalExists tells whether what a trust policy names under AWS exists: any
// account of the organisation, or a role, user or session of one.
func (s *Service) principalExists(principal string) bool {
	if principal == "*" {
		return true
	}
	parts := strings.SplitN(principal, ":", 6)
	if len(parts) == 1 {
		_, ok := s.accounts.Alias(principal)
		return ok
	}
	if len(parts) != 6 || parts[0] != "arn" || parts[3] != "" {
		return false
	}
	account, resource := parts[4], parts[5]
	if _, ok := s.accounts.Alias(account); !ok {
		return false
	}
	kind, rest, _ := strings.Cut(resource, "/")
	segments := strings.Split(rest, "/")
	last := segments[len(segments)-1]
	switch {
	case parts[2] == "iam" && resource == "root":
		return true
	case parts[2] == "iam" && kind == "role":
		r, ok := s.Role(account, last)
		return ok && r.ARN() == principal
	case parts[2] == "iam" && kind == "user":
		u, ok := s.users.Get(account, "", last)
		return ok && u.ARN() == principal
	case parts[2] == "sts" && kind == "assumed-role" && len(segments) == 2:
		_, ok := s.Role(account, segments[0])
		return ok
	}
	return false
}
