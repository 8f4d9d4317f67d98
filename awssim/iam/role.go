package iam

import (
	"fmt"
	"strconv"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/query"
)

// Bounds of a role's sessions, in seconds.
const (
	minSession = 3600
	maxSession = 43200
)

type roleAnswer struct {
	Role roleXML
}

// Role finds a role by its account and name.
func (s *Service) Role(account, name string) (Role, bool) { return s.roles.Get(account, "", name) }

// role reads RoleName and finds the role.
func (s *Service) role(c *api.Call) (Role, error) {
	n, err := name(c, "RoleName", maxRoleName)
	if err != nil {
		return Role{}, err
	}
	r, ok := s.Role(c.Caller.AccountID, n)
	if !ok {
		return Role{}, api.NotFoundf("NoSuchEntity", "The role with name %s cannot be found.", n)
	}
	return r, nil
}

// modifiable is role for calls that service-linked roles refuse.
func (s *Service) modifiable(c *api.Call) (Role, error) {
	r, err := s.role(c)
	if err == nil && r.serviceLinked() {
		return r, api.Errorf("UnmodifiableEntity", "Cannot perform the operation on the protected role '%s' - this role is only modifiable by AWS", r.Name)
	}
	return r, err
}

func (s *Service) putRole(r Role) error {
	if err := s.roles.Put(r.Account, "", r.Name, r); err != nil {
		return fmt.Errorf("keep role %s: %w", r.ARN(), err)
	}
	return nil
}

func (s *Service) createRole(c *api.Call) (any, error) {
	r := Role{Account: c.Caller.AccountID, ID: auth.NewID("AROA", 17), Created: s.now(),
		Description: c.Params.Get("Description"), MaxSessionDuration: minSession}
	var err error
	if r.Name, err = name(c, "RoleName", maxRoleName); err != nil {
		return nil, err
	}
	if r.Path, err = path(c); err != nil {
		return nil, err
	}
	if strings.HasPrefix(r.Path, "/aws-service-role/") {
		return nil, &api.Error{Code: "AccessDenied", Message: "Cannot create a role in the reserved path /aws-service-role/.", HTTPStatus: 403}
	}
	if r.Tags, err = tags(c); err != nil {
		return nil, err
	}
	if r.Tags, err = mergeTags(nil, r.Tags); err != nil {
		return nil, err
	}
	if v := c.Params.Get("MaxSessionDuration"); v != "" {
		if r.MaxSessionDuration, err = sessionDuration(v); err != nil {
			return nil, err
		}
	}
	r.Trust = c.Params.Get("AssumeRolePolicyDocument")
	if err := s.checkTrust(r.Trust); err != nil {
		return nil, err
	}
	if c.Params.Has("PermissionsBoundary") {
		if r.Boundary, err = s.boundary(c); err != nil {
			return nil, err
		}
	}
	if s.roleNameTaken(r.Account, r.Name) {
		return nil, &api.Error{Code: "EntityAlreadyExists", Message: fmt.Sprintf("Role with name %s already exists.", r.Name), HTTPStatus: 409}
	}
	return roleAnswer{r.full()}, s.putRole(r)
}

// roleNameTaken compares as AWS does: names are unique without regard to case.
func (s *Service) roleNameTaken(account, name string) bool {
	for _, r := range s.roles.List(account, "") {
		if strings.EqualFold(r.Name, name) {
			return true
		}
	}
	return false
}

func sessionDuration(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < minSession || n > maxSession {
		return 0, invalid("MaxSessionDuration", v, fmt.Sprintf("Member must have value between %d and %d", minSession, maxSession))
	}
	return n, nil
}

func (s *Service) getRole(c *api.Call) (any, error) {
	r, err := s.role(c)
	if err != nil {
		return nil, err
	}
	return roleAnswer{r.full()}, nil
}

func (s *Service) deleteRole(c *api.Call) (any, error) {
	r, err := s.modifiable(c)
	if err != nil {
		return nil, err
	}
	conflict := func(what string) error {
		return &api.Error{Code: "DeleteConflict", Message: "Cannot delete entity, must " + what + " first.", HTTPStatus: 409}
	}
	switch {
	case len(r.Attached) > 0:
		return nil, conflict("detach all policies")
	case len(r.Inline) > 0:
		return nil, conflict("delete policies")
	}
	if err := s.keys.RevokeSessions(r.Account, r.ID); err != nil {
		return nil, err
	}
	if err := s.roles.Delete(r.Account, "", r.Name); err != nil {
		return nil, fmt.Errorf("delete role %s: %w", r.ARN(), err)
	}
	return nil, nil
}

func (s *Service) listRoles(c *api.Call) (any, error) {
	var list []Role
	for _, r := range s.roles.List(c.Caller.AccountID, "") {
		if strings.HasPrefix(r.Path, c.Params.Get("PathPrefix")) {
			list = append(list, r)
		}
	}
	list, info, err := page(c.Params, list, func(r Role) string { return r.Name })
	if err != nil {
		return nil, err
	}
	var answer struct {
		Roles []roleXML `xml:"Roles>member"`
		pageInfo
	}
	for _, r := range list {
		answer.Roles = append(answer.Roles, r.listed())
	}
	answer.pageInfo = info
	return answer, nil
}

func (s *Service) updateRole(c *api.Call) (any, error) {
	r, err := s.modifiable(c)
	if err != nil {
		return nil, err
	}
	if c.Params.Has("Description") {
		r.Description = c.Params.Get("Description")
	}
	if v := c.Params.Get("MaxSessionDuration"); v != "" {
		if r.MaxSessionDuration, err = sessionDuration(v); err != nil {
			return nil, err
		}
	}
	return struct{}{}, s.putRole(r)
}

func (s *Service) updateAssumeRolePolicy(c *api.Call) (any, error) {
	r, err := s.modifiable(c)
	if err != nil {
		return nil, err
	}
	document := c.Params.Get("PolicyDocument")
	if err := s.checkTrust(document); err != nil {
		return nil, err
	}
	r.Trust = document
	return nil, s.putRole(r)
}

func (s *Service) tagRole(c *api.Call) (any, error) {
	r, err := s.modifiable(c)
	if err != nil {
		return nil, err
	}
	add, err := tags(c)
	if err != nil {
		return nil, err
	}
	if r.Tags, err = mergeTags(r.Tags, add); err != nil {
		return nil, err
	}
	return nil, s.putRole(r)
}

func (s *Service) untagRole(c *api.Call) (any, error) {
	r, err := s.modifiable(c)
	if err != nil {
		return nil, err
	}
	for _, key := range query.Strings(c.Params, "TagKeys") {
		delete(r.Tags, key)
	}
	return nil, s.putRole(r)
}

func (s *Service) listRoleTags(c *api.Call) (any, error) {
	r, err := s.role(c)
	if err != nil {
		return nil, err
	}
	list, info, err := page(c.Params, tagsXML(r.Tags), func(t tagXML) string { return t.Key })
	if err != nil {
		return nil, err
	}
	return struct {
		Tags []tagXML `xml:"Tags>member"`
		pageInfo
	}{list, info}, nil
}

// listInstanceProfilesForRole always answers none: instance profiles are not simulated.
func (s *Service) listInstanceProfilesForRole(c *api.Call) (any, error) {
	if _, err := s.role(c); err != nil {
		return nil, err
	}
	return struct {
		InstanceProfiles struct{}
		pageInfo
	}{}, nil
}
