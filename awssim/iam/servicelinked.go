package iam

import (
	"fmt"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
)

// serviceLinkedRoles are the names AWS gives to services' own roles.
func serviceLinkedRoles() map[string]string {
	return map[string]string{
		"eks.amazonaws.com":                  "AWSServiceRoleForAmazonEKS",
		"eks-nodegroup.amazonaws.com":        "AWSServiceRoleForAmazonEKSNodegroup",
		"eks-fargate.amazonaws.com":          "AWSServiceRoleForAmazonEKSForFargate",
		"autoscaling.amazonaws.com":          "AWSServiceRoleForAutoScaling",
		"elasticloadbalancing.amazonaws.com": "AWSServiceRoleForElasticLoadBalancing",
		"spot.amazonaws.com":                 "AWSServiceRoleForEC2Spot",
		"transitgateway.amazonaws.com":       "AWSServiceRoleForVPCTransitGateway",
	}
}

func (s *Service) createServiceLinkedRole(c *api.Call) (any, error) {
	service := c.Params.Get("AWSServiceName")
	roleName, ok := serviceLinkedRoles()[service]
	if !ok {
		return nil, api.Errorf("InvalidInput", "Service linked roles are not supported for %s", service)
	}
	if suffix := c.Params.Get("CustomSuffix"); suffix != "" {
		if service != "autoscaling.amazonaws.com" {
			return nil, api.Errorf("InvalidInput", "Custom suffix is not allowed for %s", service)
		}
		roleName += "_" + suffix
	}
	if s.roleNameTaken(c.Caller.AccountID, roleName) {
		return nil, api.Errorf("InvalidInput", "Service role name %s has been taken in this account, please try a different suffix.", roleName)
	}
	r, err := s.makeServiceLinkedRole(c.Caller.AccountID, service, roleName)
	if err != nil {
		return nil, err
	}
	if d := c.Params.Get("Description"); d != "" {
		r.Description = d
		if err := s.putRole(r); err != nil {
			return nil, err
		}
	}
	return roleAnswer{r.full()}, nil
}

// ServiceLinkedRole tells the ARN of a service's own role, and whether it exists.
func (s *Service) ServiceLinkedRole(account, service string) (arn string, exists bool) {
	roleName := serviceLinkedRoles()[service]
	r := Role{Account: account, Name: roleName, Path: "/aws-service-role/" + service + "/"}
	_, exists = s.Role(account, roleName)
	return r.ARN(), exists
}

// EnsureServiceLinkedRole makes a service's own role in an account, as AWS
// services do at their first use.
func (s *Service) EnsureServiceLinkedRole(account, service string) error {
	roleName, ok := serviceLinkedRoles()[service]
	if !ok {
		return fmt.Errorf("no service-linked role is known for %s", service)
	}
	if s.roleNameTaken(account, roleName) {
		return nil
	}
	_, err := s.makeServiceLinkedRole(account, service, roleName)
	return err
}

func (s *Service) makeServiceLinkedRole(account, service, roleName string) (Role, error) {
	base, _, _ := strings.Cut(roleName, "_")
	r := Role{
		Account: account, Name: roleName, Path: "/aws-service-role/" + service + "/", ID: auth.NewID("AROA", 17), Created: s.now(),
		Trust:              `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`,
		MaxSessionDuration: minSession,
		Policies: Policies{
			Attached: []string{"arn:aws:iam::aws:policy/aws-service-role/" + strings.TrimPrefix(base, "AWSServiceRoleFor") + "ServiceRolePolicy"},
		},
	}
	return r, s.putRole(r)
}
