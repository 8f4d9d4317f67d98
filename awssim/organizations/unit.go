package organizations

import (
	"fmt"
	"regexp"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/jsonapi"
)

// Bounds of the tree (https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html).
const (
	maxUnits = 2000
	maxDepth = 5 // of units below the root
)

var unitName = regexp.MustCompile(`^[\s\S]{1,128}$`)

// unit is an organisational unit.
type unit struct {
	ID     string // ou-ROOT-...
	Name   string
	Parent string // its root or unit
}

func (s *Service) unitOperations() []operation {
	return []operation{
		{"CreateOrganizationalUnit", management, jsonapi.Handle(s.createUnit)},
		{"DescribeOrganizationalUnit", delegated, jsonapi.Handle(s.describeUnit)},
		{"UpdateOrganizationalUnit", management, jsonapi.Handle(s.updateUnit)},
		{"DeleteOrganizationalUnit", management, jsonapi.Handle(s.deleteUnit)},
		{"ListOrganizationalUnitsForParent", delegated, jsonapi.Handle(s.listUnits)},
	}
}

// unitJSON is a unit as it is answered.
type unitJSON struct {
	ID   string `json:"Id"`
	ARN  string `json:"Arn"`
	Name string
	Path string
}

func (s *Service) unitJSON(n node) unitJSON { return unitJSON{n.ID, n.ARN, n.Name, s.pathText(n)} }

type unitAnswer struct{ OrganizationalUnit unitJSON }

func (s *Service) unit(id string) (node, error) {
	n, ok := s.node(id)
	if !ok || n.Kind != kindUnit {
		return n, api.Errorf("OrganizationalUnitNotFoundException", "You specified an organizational unit that doesn't exist.")
	}
	return n, nil
}

func (s *Service) createUnit(_ *api.Call, in struct {
	ParentID string `json:"ParentId"`
	Name     string
	Tags     []tag
}) (any, error) {
	above, err := s.parent(in.ParentID)
	if err != nil {
		return nil, err
	}
	tags, err := newTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	if err := s.checkUnitName(above.ID, in.Name); err != nil {
		return nil, err
	}
	switch {
	case len(s.path(above)) > maxDepth:
		return nil, constraint("OU_DEPTH_LIMIT_EXCEEDED", "You have exceeded the maximum depth of organizational units, which is %d.", maxDepth)
	case len(s.units.List("", "")) >= maxUnits:
		return nil, constraint("OU_NUMBER_LIMIT_EXCEEDED", "You have exceeded the number of organizational units, which is %d.", maxUnits)
	}
	u := unit{ID: newID("ou-"+s.identity.Root[len("r-"):]+"-", 8), Name: in.Name, Parent: above.ID}
	if err := s.putTags(u.ID, tags); err != nil {
		return nil, err
	}
	if err := s.putUnit(u); err != nil {
		return nil, err
	}
	return s.describeUnit(nil, unitInput{u.ID})
}

func (s *Service) putUnit(u unit) error {
	if err := s.units.Put("", "", u.ID, u); err != nil {
		return fmt.Errorf("keep unit %s: %w", u.ID, err)
	}
	return nil
}

// checkUnitName refuses names that are malformed or a sibling's.
func (s *Service) checkUnitName(parent, name string) error {
	if !unitName.MatchString(name) {
		return invalid("INVALID_PATTERN", "You specified an invalid name for an organizational unit.")
	}
	for _, sibling := range s.children(parent, kindUnit) {
		if sibling.Name == name {
			return api.Errorf("DuplicateOrganizationalUnitException", "An OU with the same name already exists.")
		}
	}
	return nil
}

type unitInput struct {
	ID string `json:"OrganizationalUnitId"`
}

func (s *Service) describeUnit(_ *api.Call, in unitInput) (any, error) {
	n, err := s.unit(in.ID)
	if err != nil {
		return nil, err
	}
	return unitAnswer{s.unitJSON(n)}, nil
}

func (s *Service) updateUnit(_ *api.Call, in struct {
	unitInput
	Name string
}) (any, error) {
	n, err := s.unit(in.ID)
	if err != nil {
		return nil, err
	}
	u, _ := s.units.Get("", "", n.ID)
	if in.Name != "" && in.Name != u.Name {
		if err := s.checkUnitName(u.Parent, in.Name); err != nil {
			return nil, err
		}
		u.Name = in.Name
	}
	if err := s.putUnit(u); err != nil {
		return nil, err
	}
	return s.describeUnit(nil, in.unitInput)
}

func (s *Service) deleteUnit(_ *api.Call, in unitInput) (any, error) {
	n, err := s.unit(in.ID)
	if err != nil {
		return nil, err
	}
	if len(s.children(n.ID, kindUnit)) > 0 || len(s.children(n.ID, kindAccount)) > 0 {
		return nil, api.Errorf("OrganizationalUnitNotEmptyException", "The specified OU is not empty. Move all accounts to another root or to other OUs, remove all child OUs, and try the operation again.")
	}
	if err := s.units.Delete("", "", n.ID); err != nil {
		return nil, fmt.Errorf("delete unit %s: %w", n.ID, err)
	}
	return nil, s.forget(n.ID)
}

// parentInput asks for what is below a root or unit.
type parentInput struct {
	ParentID string `json:"ParentId"`
	jsonapi.Paging
}

func (s *Service) listUnits(_ *api.Call, in parentInput) (any, error) {
	above, err := s.parent(in.ParentID)
	if err != nil {
		return nil, err
	}
	list, next, err := page(s.children(above.ID, kindUnit), func(n node) string { return n.ID }, in.Paging)
	if err != nil {
		return nil, err
	}
	answer := struct {
		OrganizationalUnits []unitJSON
		jsonapi.Next
	}{[]unitJSON{}, next}
	for _, n := range list {
		answer.OrganizationalUnits = append(answer.OrganizationalUnits, s.unitJSON(n))
	}
	return answer, nil
}
