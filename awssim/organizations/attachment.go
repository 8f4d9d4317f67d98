package organizations

import (
	"fmt"
	"slices"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/jsonapi"
)

// maxAttached is how many service control policies a target may have; it needs one at least.
const maxAttached = 5

func (s *Service) attachmentOperations() []operation {
	return []operation{
		{"AttachPolicy", delegated, jsonapi.Handle(s.attachPolicy)},
		{"DetachPolicy", delegated, jsonapi.Handle(s.detachPolicy)},
		{"ListPoliciesForTarget", delegated, jsonapi.Handle(s.listPoliciesForTarget)},
		{"ListTargetsForPolicy", delegated, jsonapi.Handle(s.listTargets)},
	}
}

// attached are the ids of the policies at a target.
func (t *Tree) attached(target string) []string {
	if ids, ok := t.attachments.Get("", "", target); ok {
		return ids
	}
	return []string{fullAccess}
}

// targets are the roots, units and accounts that a policy is attached to.
func (t *Tree) targets(policyID string) []node {
	ids := []string{t.identity.Root}
	for _, u := range t.units.List("", "") {
		ids = append(ids, u.ID)
	}
	for _, a := range t.accounts() {
		ids = append(ids, a.ID)
	}
	var list []node
	for _, id := range ids {
		if n, ok := t.node(id); ok && slices.Contains(t.attached(id), policyID) {
			list = append(list, n)
		}
	}
	return list
}

func (t *Tree) attach(target string, policies []string) error {
	if err := t.attachments.Put("", "", target, policies); err != nil {
		return fmt.Errorf("keep the policies of %s: %w", target, err)
	}
	return nil
}

func (s *Service) target(id string) (node, error) {
	n, ok := s.node(id)
	if !ok {
		return n, api.Errorf("TargetNotFoundException", "You specified a target that doesn't exist.")
	}
	return n, nil
}

type attachmentInput struct {
	policyInput
	TargetID string `json:"TargetId"`
}

func (s *Service) attachPolicy(_ *api.Call, in attachmentInput) (any, error) {
	p, err := s.findPolicy(in.ID)
	if err != nil {
		return nil, err
	}
	n, err := s.target(in.TargetID)
	if err != nil {
		return nil, err
	}
	ids := s.attached(n.ID)
	switch {
	case slices.Contains(ids, p.ID):
		return nil, api.Errorf("DuplicatePolicyAttachmentException", "The selected policy is already attached to the specified target.")
	case len(ids) >= maxAttached:
		return nil, constraint("MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", "You have exceeded the number of policies attached to a target, which is %d.", maxAttached)
	}
	return nil, s.attach(n.ID, append(ids, p.ID))
}

func (s *Service) detachPolicy(_ *api.Call, in attachmentInput) (any, error) {
	p, err := s.findPolicy(in.ID)
	if err != nil {
		return nil, err
	}
	n, err := s.target(in.TargetID)
	if err != nil {
		return nil, err
	}
	ids := s.attached(n.ID)
	switch {
	case !slices.Contains(ids, p.ID):
		return nil, api.Errorf("PolicyNotAttachedException", "The policy isn't attached to the specified target in the specified root.")
	case len(ids) == 1:
		return nil, constraint("MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED", "You can't detach the last policy of a target.")
	}
	return nil, s.attach(n.ID, slices.DeleteFunc(ids, func(id string) bool { return id == p.ID }))
}

func (s *Service) listPoliciesForTarget(_ *api.Call, in struct {
	TargetID string `json:"TargetId"`
	policiesInput
}) (any, error) {
	n, err := s.target(in.TargetID)
	if err != nil {
		return nil, err
	}
	var list []controlPolicy
	for _, id := range s.attached(n.ID) {
		if p, ok := s.policy(id); ok {
			list = append(list, p)
		}
	}
	return s.answerPolicies(list, in.policiesInput)
}

// targetJSON is a target of a policy as it is answered.
type targetJSON struct {
	TargetID string `json:"TargetId"`
	ARN      string `json:"Arn"`
	Name     string
	Type     string
}

func (s *Service) listTargets(_ *api.Call, in struct {
	policyInput
	jsonapi.Paging
}) (any, error) {
	p, err := s.findPolicy(in.ID)
	if err != nil {
		return nil, err
	}
	list, next, err := page(s.targets(p.ID), func(n node) string { return n.ID }, in.Paging)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Targets []targetJSON
		jsonapi.Next
	}{[]targetJSON{}, next}
	for _, n := range list {
		answer.Targets = append(answer.Targets, targetJSON{n.ID, n.ARN, n.Name, n.Kind})
	}
	return answer, nil
}
