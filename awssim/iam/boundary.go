package iam

import "kargo.dev/kargo/awssim/api"

// boundary reads PermissionsBoundary: the ARN of a managed policy that exists.
func (s *Service) boundary(c *api.Call) (string, error) {
	arn := c.Params.Get("PermissionsBoundary")
	if arn == "" {
		return "", invalid("PermissionsBoundary", arn, "Member must have length greater than or equal to 20")
	}
	if _, err := s.findPolicy(c.Caller.AccountID, arn); err != nil {
		return "", api.NotFoundf("NoSuchEntity", "Scope ARN: %s does not exist or is not attachable.", arn)
	}
	return arn, nil
}

func (s *Service) putRoleBoundary(c *api.Call) (any, error) {
	r, err := s.modifiable(c)
	if err != nil {
		return nil, err
	}
	if r.Boundary, err = s.boundary(c); err != nil {
		return nil, err
	}
	return nil, s.putRole(r)
}

func (s *Service) deleteRoleBoundary(c *api.Call) (any, error) {
	r, err := s.modifiable(c)
	if err != nil {
		return nil, err
	}
	if r.Boundary == "" {
		return nil, api.NotFoundf("NoSuchEntity", "Role %s does not have a permissions boundary.", r.Name)
	}
	r.Boundary = ""
	return nil, s.putRole(r)
}
