package iam

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
)

// findPolicy finds a managed policy, AWS's or the account's.
func (s *Service) findPolicy(account, arn string) (Policy, error) {
	if p, ok := s.managed[arn]; ok {
		return p, nil
	}
	// Policies of another account are not found: the ARN is the key, under the caller's account.
	if p, ok := s.policies.Get(account, "", arn); ok {
		return p, nil
	}
	if !strings.HasPrefix(arn, "arn:") {
		return Policy{}, api.Errorf("ValidationError", "ARN %s is not valid.", arn)
	}
	return Policy{}, api.NotFoundf("NoSuchEntity", "Policy %s does not exist or is not attachable.", arn)
}

func (s *Service) policyXML(account string, p Policy) policyXML {
	x := policyXML{
		PolicyName: p.Name, PolicyId: p.ID, Arn: p.ARN, Path: p.Path, DefaultVersionId: p.Version,
		IsAttachable: true, Description: p.Description, CreateDate: timestamp(p.Created), UpdateDate: timestamp(p.updated()), Tags: tagsXML(p.Tags),
	}
	for _, e := range s.entities(account) {
		if slices.Contains(e.attached, p.ARN) {
			x.AttachmentCount++
		}
		if e.boundary == p.ARN {
			x.PermissionsBoundaryUsageCount++
		}
	}
	return x
}

// entity is a role or user with what is attached to it.
type entity struct {
	kind, name, id string // kind is Role or User
	attached       []string
	boundary       string
}

func (s *Service) entities(account string) []entity {
	var list []entity
	for _, r := range s.roles.List(account, "") {
		list = append(list, entity{"Role", r.Name, r.ID, r.Attached, r.Boundary})
	}
	for _, u := range s.users.List(account, "") {
		list = append(list, entity{"User", u.Name, u.ID, u.Attached, u.Boundary})
	}
	return list
}

type policyAnswer struct {
	Policy policyXML
}

func (s *Service) createPolicy(c *api.Call) (any, error) {
	policyName, err := name(c, "PolicyName", maxPolicyName)
	if err != nil {
		return nil, err
	}
	policyPath, err := path(c)
	if err != nil {
		return nil, err
	}
	t, err := tags(c)
	if err != nil {
		return nil, err
	}
	p := Policy{Name: policyName, Path: policyPath, ID: auth.NewID("ANPA", 17), Description: c.Params.Get("Description"),
		Document: c.Params.Get("PolicyDocument"), Version: "v1", Created: s.now(), Tags: t}
	p.ARN = "arn:aws:iam::" + c.Caller.AccountID + ":policy" + policyPath + policyName
	if err := checkManagedPolicy(p.Document); err != nil {
		return nil, err
	}
	for _, other := range s.policies.List(c.Caller.AccountID, "") {
		if strings.EqualFold(other.Name, p.Name) {
			return nil, &api.Error{Code: "EntityAlreadyExists", HTTPStatus: 409,
				Message: fmt.Sprintf("A policy called %s already exists. Duplicate names are not allowed.", p.Name)}
		}
	}
	return policyAnswer{s.policyXML(c.Caller.AccountID, p)}, s.putPolicy(c.Caller.AccountID, p)
}

func (s *Service) getPolicy(c *api.Call) (any, error) {
	p, err := s.findPolicy(c.Caller.AccountID, c.Params.Get("PolicyArn"))
	if err != nil {
		return nil, err
	}
	return policyAnswer{s.policyXML(c.Caller.AccountID, p)}, nil
}

func (s *Service) deletePolicy(c *api.Call) (any, error) {
	arn := c.Params.Get("PolicyArn")
	p, err := s.ownPolicy(c, arn)
	if err != nil {
		return nil, err
	}
	x := s.policyXML(c.Caller.AccountID, p)
	conflict := ""
	switch {
	case x.AttachmentCount > 0 || x.PermissionsBoundaryUsageCount > 0:
		conflict = "Cannot delete a policy attached to entities."
	case len(p.versions()) > 1:
		conflict = "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. " +
			"The default version is deleted with the policy."
	}
	if conflict != "" {
		return nil, &api.Error{Code: "DeleteConflict", Message: conflict, HTTPStatus: 409}
	}
	if err := s.policies.Delete(c.Caller.AccountID, "", arn); err != nil {
		return nil, fmt.Errorf("delete policy %s: %w", arn, err)
	}
	return nil, nil
}

// ownPolicy finds a policy that the account may change, which AWS's are not.
func (s *Service) ownPolicy(c *api.Call, arn string) (Policy, error) {
	if strings.HasPrefix(arn, awsPrefix) {
		return Policy{}, &api.Error{Code: "AccessDenied", HTTPStatus: 403,
			Message: fmt.Sprintf("User: %s is not authorized to perform: iam:%s on resource: policy %s", c.Caller.ARN, c.Operation, arn)}
	}
	return s.findPolicy(c.Caller.AccountID, arn)
}

func (s *Service) putPolicy(account string, p Policy) error {
	if err := s.policies.Put(account, "", p.ARN, p); err != nil {
		return fmt.Errorf("keep policy %s: %w", p.ARN, err)
	}
	return nil
}

func (s *Service) listPolicies(c *api.Call) (any, error) {
	byARN := map[string]Policy{}
	scope := c.Params.Get("Scope")
	if scope != "Local" {
		maps.Copy(byARN, s.managed)
	}
	if scope != "AWS" {
		for _, p := range s.policies.List(c.Caller.AccountID, "") {
			byARN[p.ARN] = p
		}
	}
	var list []policyXML
	for _, arn := range slices.Sorted(maps.Keys(byARN)) {
		x := s.policyXML(c.Caller.AccountID, byARN[arn])
		x.Tags, x.Description = nil, "" // lists do not answer them
		if strings.HasPrefix(x.Path, c.Params.Get("PathPrefix")) && (c.Params.Get("OnlyAttached") != "true" || x.AttachmentCount > 0) {
			list = append(list, x)
		}
	}
	list, info, err := page(c.Params, list, func(p policyXML) string { return p.Arn })
	if err != nil {
		return nil, err
	}
	return struct {
		Policies []policyXML `xml:"Policies>member"`
		pageInfo
	}{list, info}, nil
}
