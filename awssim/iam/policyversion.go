package iam

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

// maxVersions is how many versions of a policy are kept.
const maxVersions = 5

type versionXML struct {
	Document         string `xml:",omitempty"`
	VersionId        string
	IsDefaultVersion bool
	CreateDate       timestamp
}

func (p Policy) versionXML(v PolicyVersion) versionXML {
	return versionXML{encodeDocument(v.Document), v.ID, v.ID == p.Version, timestamp(v.Created)}
}

// version finds the version that the call names.
func (p Policy) version(c *api.Call) (PolicyVersion, error) {
	id, versions := c.Params.Get("VersionId"), p.versions()
	i := slices.IndexFunc(versions, func(v PolicyVersion) bool { return v.ID == id })
	if i < 0 || versions[i].Document == "" {
		return PolicyVersion{}, api.NotFoundf("NoSuchEntity", "Policy %s version %s does not exist or is not attachable.", p.ARN, id)
	}
	return versions[i], nil
}

func (s *Service) getPolicyVersion(c *api.Call) (any, error) {
	p, err := s.findPolicy(c.Caller.AccountID, c.Params.Get("PolicyArn"))
	if err != nil {
		return nil, err
	}
	v, err := p.version(c)
	if err != nil {
		return nil, err
	}
	return struct{ PolicyVersion versionXML }{p.versionXML(v)}, nil
}

func (s *Service) createPolicyVersion(c *api.Call) (any, error) {
	p, err := s.ownPolicy(c, c.Params.Get("PolicyArn"))
	if err != nil {
		return nil, err
	}
	document := c.Params.Get("PolicyDocument")
	if err := checkManagedPolicy(document); err != nil {
		return nil, err
	}
	p.Versions = p.versions()
	if len(p.Versions) >= maxVersions {
		return nil, &api.Error{Code: "LimitExceeded", HTTPStatus: 409, Message: fmt.Sprintf(
			"A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", maxVersions)}
	}
	last, err := strconv.Atoi(strings.TrimPrefix(p.Versions[len(p.Versions)-1].ID, "v"))
	if err != nil {
		return nil, fmt.Errorf("policy %s: %w", p.ARN, err)
	}
	v := PolicyVersion{ID: fmt.Sprintf("v%d", last+1), Document: document, Created: s.now()}
	p.Versions = append(p.Versions, v)
	if c.Params.Get("SetAsDefault") == "true" {
		p.Version, p.Document = v.ID, v.Document
	}
	x := p.versionXML(v)
	x.Document = "" // it is not answered
	return struct{ PolicyVersion versionXML }{x}, s.putPolicy(c.Caller.AccountID, p)
}

func (s *Service) setDefaultPolicyVersion(c *api.Call) (any, error) {
	p, err := s.ownPolicy(c, c.Params.Get("PolicyArn"))
	if err != nil {
		return nil, err
	}
	v, err := p.version(c)
	if err != nil {
		return nil, err
	}
	p.Version, p.Document = v.ID, v.Document
	return nil, s.putPolicy(c.Caller.AccountID, p)
}

func (s *Service) deletePolicyVersion(c *api.Call) (any, error) {
	p, err := s.ownPolicy(c, c.Params.Get("PolicyArn"))
	if err != nil {
		return nil, err
	}
	v, err := p.version(c)
	if err != nil {
		return nil, err
	}
	if v.ID == p.Version {
		return nil, &api.Error{Code: "DeleteConflict", Message: "Cannot delete the default version of a policy.", HTTPStatus: 409}
	}
	p.Versions = slices.DeleteFunc(p.versions(), func(o PolicyVersion) bool { return o.ID == v.ID })
	return nil, s.putPolicy(c.Caller.AccountID, p)
}

func (s *Service) listPolicyVersions(c *api.Call) (any, error) {
	p, err := s.findPolicy(c.Caller.AccountID, c.Params.Get("PolicyArn"))
	if err != nil {
		return nil, err
	}
	var list []versionXML
	for _, v := range p.versions() {
		x := p.versionXML(v)
		x.Document = "" // it is not answered
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b versionXML) int { return strings.Compare(a.VersionId, b.VersionId) })
	list, info, err := page(c.Params, list, func(v versionXML) string { return v.VersionId })
	if err != nil {
		return nil, err
	}
	return struct {
		Versions []versionXML `xml:"Versions>member"`
		pageInfo
	}{list, info}, nil
}

// listEntitiesForPolicy answers all at once: an account has few here.
func (s *Service) listEntitiesForPolicy(c *api.Call) (any, error) {
	p, err := s.findPolicy(c.Caller.AccountID, c.Params.Get("PolicyArn"))
	if err != nil {
		return nil, err
	}
	type role struct{ RoleName, RoleId string }
	type user struct{ UserName, UserId string }
	var answer struct {
		PolicyRoles []role `xml:"PolicyRoles>member"`
		PolicyUsers []user `xml:"PolicyUsers>member"`
		pageInfo
	}
	boundary := c.Params.Get("PolicyUsageFilter") == "PermissionsBoundary"
	filter := c.Params.Get("EntityFilter")
	for _, e := range s.entities(c.Caller.AccountID) {
		used := (!boundary && slices.Contains(e.attached, p.ARN)) || (c.Params.Get("PolicyUsageFilter") != "PermissionsPolicy" && e.boundary == p.ARN)
		switch {
		case !used || (filter != "" && filter != e.kind):
		case e.kind == "Role":
			answer.PolicyRoles = append(answer.PolicyRoles, role{e.name, e.id})
		default:
			answer.PolicyUsers = append(answer.PolicyUsers, user{e.name, e.id})
		}
	}
	return answer, nil
}
