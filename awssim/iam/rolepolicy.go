package iam

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"kargo.dev/kargo/awssim/api"
)

func (s *Service) attachRolePolicy(c *api.Call) (any, error) {
	r, err := s.modifiable(c)
	if err != nil {
		return nil, err
	}
	arn := c.Params.Get("PolicyArn")
	if _, err := s.findPolicy(r.Account, arn); err != nil {
		return nil, err
	}
	if slices.Contains(r.Attached, arn) {
		return nil, nil
	}
	if len(r.Attached) >= 10 { // the default quota
		return nil, &api.Error{Code: "LimitExceeded", Message: "Cannot exceed quota for PoliciesPerRole: 10", HTTPStatus: 409}
	}
	r.Attached = append(r.Attached, arn)
	return nil, s.putRole(r)
}

func (s *Service) detachRolePolicy(c *api.Call) (any, error) {
	r, err := s.modifiable(c)
	if err != nil {
		return nil, err
	}
	arn := c.Params.Get("PolicyArn")
	i := slices.Index(r.Attached, arn)
	if i < 0 {
		return nil, api.NotFoundf("NoSuchEntity", "Policy %s was not found.", arn)
	}
	r.Attached = slices.Delete(r.Attached, i, i+1)
	return nil, s.putRole(r)
}

func (s *Service) listAttachedRolePolicies(c *api.Call) (any, error) {
	r, err := s.role(c)
	if err != nil {
		return nil, err
	}
	type attached struct {
		PolicyName string
		PolicyArn  string
	}
	var list []attached
	for _, arn := range slices.Sorted(slices.Values(r.Attached)) {
		policyPath := arn[strings.Index(arn, ":policy/")+len(":policy"):]
		if strings.HasPrefix(policyPath, c.Params.Get("PathPrefix")) {
			list = append(list, attached{arn[strings.LastIndex(arn, "/")+1:], arn})
		}
	}
	list, info, err := page(c.Params, list, func(a attached) string { return a.PolicyArn })
	if err != nil {
		return nil, err
	}
	return struct {
		AttachedPolicies []attached `xml:"AttachedPolicies>member"`
		pageInfo
	}{list, info}, nil
}

func (s *Service) putRolePolicy(c *api.Call) (any, error) {
	r, err := s.modifiable(c)
	if err != nil {
		return nil, err
	}
	policyName, err := name(c, "PolicyName", maxPolicyName)
	if err != nil {
		return nil, err
	}
	document := c.Params.Get("PolicyDocument")
	if err := checkIdentityPolicy(document); err != nil {
		return nil, err
	}
	if r.Inline == nil {
		r.Inline = map[string]string{}
	}
	r.Inline[policyName] = document
	size := 0
	for _, d := range r.Inline {
		size += policySize(d)
	}
	if size > maxInline {
		return nil, &api.Error{Code: "LimitExceeded", Message: fmt.Sprintf("Maximum policy size of %d bytes exceeded for role %s", maxInline, r.Name), HTTPStatus: 409}
	}
	return nil, s.putRole(r)
}

// inline reads PolicyName and finds the role's inline policy.
func (s *Service) inline(c *api.Call, r Role) (string, string, error) {
	policyName, err := name(c, "PolicyName", maxPolicyName)
	if err != nil {
		return "", "", err
	}
	document, ok := r.Inline[policyName]
	if !ok {
		return "", "", api.NotFoundf("NoSuchEntity", "The role policy with name %s cannot be found.", policyName)
	}
	return policyName, document, nil
}

func (s *Service) getRolePolicy(c *api.Call) (any, error) {
	r, err := s.role(c)
	if err != nil {
		return nil, err
	}
	policyName, document, err := s.inline(c, r)
	if err != nil {
		return nil, err
	}
	return struct {
		RoleName       string
		PolicyName     string
		PolicyDocument string
	}{r.Name, policyName, encodeDocument(document)}, nil
}

func (s *Service) deleteRolePolicy(c *api.Call) (any, error) {
	r, err := s.modifiable(c)
	if err != nil {
		return nil, err
	}
	policyName, _, err := s.inline(c, r)
	if err != nil {
		return nil, err
	}
	delete(r.Inline, policyName)
	return nil, s.putRole(r)
}

func (s *Service) listRolePolicies(c *api.Call) (any, error) {
	r, err := s.role(c)
	if err != nil {
		return nil, err
	}
	list, info, err := page(c.Params, slices.Sorted(maps.Keys(r.Inline)), itself)
	if err != nil {
		return nil, err
	}
	return struct {
		PolicyNames []string `xml:"PolicyNames>member"`
		pageInfo
	}{list, info}, nil
}

// checkIdentityPolicy refuses what IAM refuses in a policy of an identity.
func checkIdentityPolicy(document string) error {
	doc, err := parseDocument(document)
	if err != nil {
		return err
	}
	if err := doc.CheckIdentity(); err != nil {
		return malformed(err.Error())
	}
	return nil
}

// checkManagedPolicy is checkIdentityPolicy with the size of a managed policy.
func checkManagedPolicy(document string) error {
	if err := checkIdentityPolicy(document); err != nil {
		return err
	}
	if policySize(document) > maxManaged {
		return &api.Error{Code: "LimitExceeded", Message: fmt.Sprintf("Cannot exceed quota for PolicySize: %d", maxManaged), HTTPStatus: 409}
	}
	return nil
}

// Quotas of the sizes of policies in characters,
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html.
const (
	maxManaged = 6144
	maxInline  = 10240 // all of a role together
	maxTrust   = 2048
)

// policySize is how long a policy is in AWS's count: without white space.
func policySize(document string) int {
	size := 0
	for _, r := range document {
		if !unicode.IsSpace(r) {
			size++
		}
	}
	return size
}
