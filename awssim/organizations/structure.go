package organizations

import (
	"fmt"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/jsonapi"
)

func (s *Service) treeOperations() []operation {
	return []operation{
		{"ListParents", delegated, jsonapi.Handle(s.listParents)},
		{"ListChildren", delegated, jsonapi.Handle(s.listChildren)},
		{"MoveAccount", management, jsonapi.Handle(s.moveAccount)},
	}
}

// nodeJSON is what is above or below something.
type nodeJSON struct {
	ID   string `json:"Id"`
	Type string
}

func (s *Service) listParents(_ *api.Call, in struct {
	ChildID string `json:"ChildId"`
	jsonapi.Paging
}) (any, error) {
	n, ok := s.node(in.ChildID)
	if !ok || n.Kind == kindRoot {
		return nil, api.Errorf("ChildNotFoundException", "You specified a child that doesn't exist.")
	}
	above, _ := s.node(s.parentOf(n))
	list, next, err := page([]nodeJSON{{above.ID, above.Kind}}, func(n nodeJSON) string { return n.ID }, in.Paging)
	if err != nil {
		return nil, err
	}
	return struct {
		Parents []nodeJSON
		jsonapi.Next
	}{list, next}, nil
}

func (s *Service) listChildren(_ *api.Call, in struct {
	parentInput
	ChildType string
}) (any, error) {
	above, err := s.parent(in.ParentID)
	if err != nil {
		return nil, err
	}
	if in.ChildType != kindAccount && in.ChildType != kindUnit {
		return nil, invalid("INVALID_ENUM", "You specified an invalid value for ChildType.")
	}
	list, next, err := page(s.children(above.ID, in.ChildType), func(n node) string { return n.ID }, in.Paging)
	if err != nil {
		return nil, err
	}
	answer := struct {
		Children []nodeJSON
		jsonapi.Next
	}{[]nodeJSON{}, next}
	for _, n := range list {
		answer.Children = append(answer.Children, nodeJSON{n.ID, n.Kind})
	}
	return answer, nil
}

func (s *Service) moveAccount(_ *api.Call, in struct {
	AccountID string `json:"AccountId"`
	Source    string `json:"SourceParentId"`
	To        string `json:"DestinationParentId"`
}) (any, error) {
	n, ok := s.node(in.AccountID)
	if !ok || n.Kind != kindAccount {
		return nil, notFound()
	}
	if _, err := s.parent(in.Source); err != nil {
		return nil, api.Errorf("SourceParentNotFoundException", "You specified a source parent that doesn't exist.")
	}
	to, err := s.parent(in.To)
	switch {
	case err != nil:
		return nil, api.Errorf("DestinationParentNotFoundException", "You specified a destination parent that doesn't exist.")
	case s.parentOf(n) == to.ID:
		return nil, api.Errorf("DuplicateAccountException", "The account is already in the specified destination.")
	case s.parentOf(n) != in.Source:
		return nil, notFound()
	}
	if err := s.parents.Put("", "", n.ID, to.ID); err != nil {
		return nil, fmt.Errorf("move account %s: %w", n.ID, err)
	}
	return nil, nil
}

func notFound() error {
	return api.Errorf("AccountNotFoundException", "You specified an account that doesn't exist.")
}
