package organizations

import (
	"cmp"
	"fmt"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/jsonapi"
	"kargo.dev/kargo/awssim/policy"
)

// serviceControlPolicy is the one type of policy that is simulated.
const serviceControlPolicy = "SERVICE_CONTROL_POLICY"

// Bounds of service control policies (https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html).
const (
	maxPolicies      = 2000
	maxPolicyContent = 5120 // bytes
)

// fullAccess is AWS's policy that allows all, attached everywhere from the beginning.
const fullAccess = "p-FullAWSAccess"

// controlPolicy is a service control policy.
type controlPolicy struct {
	ID          string // p-...
	Name        string
	Description string
	Content     string
}

func (p controlPolicy) managed() bool { return p.ID == fullAccess }

// policy finds a policy, AWS's own included.
func (t *Tree) policy(id string) (controlPolicy, bool) {
	if id == fullAccess {
		return controlPolicy{ID: id, Name: "FullAWSAccess", Description: "Allows access to every operation",
			Content: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`}, true
	}
	return t.policies.Get("", "", id)
}

func (t *Tree) policyARN(id string) string {
	if id == fullAccess {
		return "arn:aws:organizations::aws:policy/service_control_policy/" + id
	}
	return t.arn("policy/" + t.identity.Organization + "/service_control_policy/" + id)
}

func (s *Service) policyOperations() []operation {
	return []operation{
		{"CreatePolicy", delegated, jsonapi.Handle(s.createPolicy)},
		{"DescribePolicy", delegated, jsonapi.Handle(s.describePolicy)},
		{"UpdatePolicy", delegated, jsonapi.Handle(s.updatePolicy)},
		{"DeletePolicy", delegated, jsonapi.Handle(s.deletePolicy)},
		{"ListPolicies", delegated, jsonapi.Handle(s.listPolicies)},
	}
}

// summaryJSON is a policy as it is listed.
type summaryJSON struct {
	ID          string `json:"Id"`
	ARN         string `json:"Arn"`
	Name        string
	Description string
	Type        string
	AWSManaged  bool `json:"AwsManaged"`
}

func (t *Tree) summary(p controlPolicy) summaryJSON {
	return summaryJSON{p.ID, t.policyARN(p.ID), p.Name, p.Description, serviceControlPolicy, p.managed()}
}

type policyJSON struct {
	PolicySummary summaryJSON
	Content       string
}

type policyAnswer struct{ Policy policyJSON }

func (s *Service) answerPolicy(p controlPolicy) any {
	return policyAnswer{policyJSON{s.summary(p), p.Content}}
}

type policyInput struct {
	ID string `json:"PolicyId"`
}

// findPolicy returns a policy or AWS's not-found error.
func (s *Service) findPolicy(id string) (controlPolicy, error) {
	p, ok := s.policy(id)
	if !ok {
		return p, api.Errorf("PolicyNotFoundException", "You specified a policy that doesn't exist.")
	}
	return p, nil
}

// ownPolicy is findPolicy for what AWS's own policies refuse.
func (s *Service) ownPolicy(id string) (controlPolicy, error) {
	p, err := s.findPolicy(id)
	if err == nil && p.managed() {
		return p, invalid("IMMUTABLE_POLICY", "You specified a policy that is managed by AWS and can't be modified.")
	}
	return p, err
}

// allPolicies there are, AWS's own included.
func (s *Service) allPolicies() []controlPolicy {
	own, _ := s.policy(fullAccess)
	return append(s.policies.List("", ""), own)
}

func (s *Service) putPolicy(p controlPolicy) error {
	if err := s.policies.Put("", "", p.ID, p); err != nil {
		return fmt.Errorf("keep policy %s: %w", p.ID, err)
	}
	return nil
}

// checkPolicy refuses a policy that AWS would refuse, or whose name another one has.
func (s *Service) checkPolicy(p controlPolicy) error {
	if p.Name == "" || len(p.Name) > 128 || len(p.Description) > 512 {
		return invalid("INVALID_PATTERN", "You specified an invalid name or description of a policy.")
	}
	for _, other := range s.allPolicies() {
		if other.Name == p.Name && other.ID != p.ID {
			return api.Errorf("DuplicatePolicyException", "A policy with the same name already exists.")
		}
	}
	if len(p.Content) > maxPolicyContent {
		return constraint("POLICY_CONTENT_LIMIT_EXCEEDED", "You have exceeded the size of a policy, which is %d bytes.", maxPolicyContent)
	}
	document, err := policy.Parse(p.Content)
	if err == nil {
		err = document.CheckIdentity()
	}
	if err != nil {
		return api.Errorf("MalformedPolicyDocumentException", "The provided policy document does not meet the requirements of the specified policy type: %v", err)
	}
	return nil
}

// checkType refuses types of policies that AWS has, and that are not enabled here.
func checkType(given string) error {
	if given == serviceControlPolicy {
		return nil
	}
	return api.Errorf("PolicyTypeNotEnabledException", "The specified policy type %s isn't currently enabled in this root.", given)
}

func (s *Service) createPolicy(_ *api.Call, in struct {
	Name, Description, Content, Type string
	Tags                             []tag
}) (any, error) {
	if err := checkType(in.Type); err != nil {
		return nil, err
	}
	tags, err := newTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	p := controlPolicy{ID: newID("p-", 10), Name: in.Name, Description: in.Description, Content: in.Content}
	if err := s.checkPolicy(p); err != nil {
		return nil, err
	}
	if len(s.policies.List("", "")) >= maxPolicies {
		return nil, constraint("POLICY_NUMBER_LIMIT_EXCEEDED", "You have exceeded the number of policies, which is %d.", maxPolicies)
	}
	if err := s.putTags(p.ID, tags); err != nil {
		return nil, err
	}
	return s.answerPolicy(p), s.putPolicy(p)
}

func (s *Service) describePolicy(_ *api.Call, in policyInput) (any, error) {
	p, err := s.findPolicy(in.ID)
	if err != nil {
		return nil, err
	}
	return s.answerPolicy(p), nil
}

func (s *Service) updatePolicy(_ *api.Call, in struct {
	policyInput
	Name, Content string
	Description   *string
}) (any, error) {
	p, err := s.ownPolicy(in.ID)
	if err != nil {
		return nil, err
	}
	p.Name, p.Content = cmp.Or(in.Name, p.Name), cmp.Or(in.Content, p.Content)
	if in.Description != nil {
		p.Description = *in.Description
	}
	if err := s.checkPolicy(p); err != nil {
		return nil, err
	}
	return s.answerPolicy(p), s.putPolicy(p)
}

func (s *Service) deletePolicy(_ *api.Call, in policyInput) (any, error) {
	p, err := s.ownPolicy(in.ID)
	if err != nil {
		return nil, err
	}
	if len(s.targets(p.ID)) > 0 {
		return nil, api.Errorf("PolicyInUseException", "The policy is attached to one or more entities. You must detach it from all roots, OUs, and accounts before performing this operation.")
	}
	if err := s.policies.Delete("", "", p.ID); err != nil {
		return nil, fmt.Errorf("delete policy %s: %w", p.ID, err)
	}
	return nil, s.forget(p.ID)
}

type policiesInput struct {
	Filter string
	jsonapi.Paging
}

func (s *Service) listPolicies(_ *api.Call, in policiesInput) (any, error) {
	return s.answerPolicies(s.allPolicies(), in)
}

func (s *Service) answerPolicies(list []controlPolicy, in policiesInput) (any, error) {
	if in.Filter != serviceControlPolicy {
		list = nil // there are none of other types
	}
	list, next, err := page(list, func(p controlPolicy) string { return p.ID }, in.Paging)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Policies []summaryJSON
		jsonapi.Next
	}{[]summaryJSON{}, next}
	for _, p := range list {
		answer.Policies = append(answer.Policies, s.summary(p))
	}
	return answer, nil
}
