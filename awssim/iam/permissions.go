package iam

import (
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/awssim/query"
)

var _ api.Guarded = (*Service)(nil)

// Permissions implements api.Guarded, after
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html.
// Tags that are given to what is made need the permission to tag it, too.
func (s *Service) Permissions(c *api.Call) []policy.Permission {
	p := policy.Permission{Action: "iam:" + c.Operation, Resource: "*", Context: policy.Context{}}
	tagging := ""
	switch c.Operation {
	case "ListRoles", "ListPolicies", "ListUsers", "ListOpenIDConnectProviders", "ListAccountAliases", "SimulateCustomPolicy":
	case "SimulatePrincipalPolicy":
		p.Resource = orAll(c.Params.Get("PolicySourceArn"))
	case "GetUser":
		p.Resource = s.userARN(c)
	case "CreatePolicy":
		p.Resource, tagging = "arn:aws:iam::"+c.Caller.AccountID+":policy"+pathOf(c)+c.Params.Get("PolicyName"), "iam:TagPolicy"
	case "GetPolicy", "GetPolicyVersion", "DeletePolicy", "CreatePolicyVersion", "DeletePolicyVersion", "ListPolicyVersions",
		"SetDefaultPolicyVersion", "ListEntitiesForPolicy":
		s.aboutPolicy(c, &p)
	case "CreateOpenIDConnectProvider":
		p.Resource, tagging = Provider{Account: c.Caller.AccountID, URL: strings.TrimPrefix(c.Params.Get("Url"), "https://")}.arn(), "iam:TagOpenIDConnectProvider"
	case "GetOpenIDConnectProvider", "DeleteOpenIDConnectProvider", "TagOpenIDConnectProvider":
		p.Resource = orAll(c.Params.Get("OpenIDConnectProviderArn"))
		if provider, err := s.provider(c); err == nil {
			p.Context.ResourceTags("iam", provider.Tags)
		}
	case "CreateServiceLinkedRole":
		service := c.Params.Get("AWSServiceName")
		p.Resource, _ = s.ServiceLinkedRole(c.Caller.AccountID, service)
		p.Context.Set("iam:AWSServiceName", service)
	case "CreateRole":
		p.Resource, tagging = Role{Account: c.Caller.AccountID, Path: pathOf(c), Name: c.Params.Get("RoleName")}.ARN(), "iam:TagRole"
		p.Context.Set("iam:PermissionsBoundary", c.Params.Get("PermissionsBoundary"))
	default:
		s.aboutRole(c, &p)
	}
	p.Context.RequestTags(givenTags(c))
	if keys := query.Strings(c.Params, "TagKeys"); len(keys) > 0 {
		p.Context.Set("aws:TagKeys", keys...)
	}
	list := []policy.Permission{p}
	if tags := givenTags(c); tagging != "" && len(tags) > 0 {
		also := policy.Permission{Action: tagging, Resource: p.Resource, Context: policy.Context{}}
		also.Context.RequestTags(tags)
		list = append(list, also)
	}
	return list
}

// aboutRole is for operations on a role that exists. The boundary that counts is
// the role's own, but for the operation that sets it.
func (s *Service) aboutRole(c *api.Call, p *policy.Permission) {
	name := c.Params.Get("RoleName")
	r, ok := s.Role(c.Caller.AccountID, name)
	if !ok {
		r = Role{Account: c.Caller.AccountID, Path: "/", Name: name}
	}
	p.Resource = r.ARN()
	p.Context.ResourceTags("iam", r.Tags)
	switch c.Operation {
	case "PutRolePermissionsBoundary":
		p.Context.Set("iam:PermissionsBoundary", c.Params.Get("PermissionsBoundary"))
	case "AttachRolePolicy", "DetachRolePolicy":
		p.Context.Set("iam:PolicyARN", c.Params.Get("PolicyArn"))
		fallthrough
	case "PutRolePolicy", "DeleteRolePolicy", "DeleteRole", "DeleteRolePermissionsBoundary", "GetRole", "UpdateRole", "UpdateAssumeRolePolicy":
		p.Context.Set("iam:PermissionsBoundary", r.Boundary)
	}
}

func (s *Service) aboutPolicy(c *api.Call, p *policy.Permission) {
	arn := c.Params.Get("PolicyArn")
	p.Resource = orAll(arn)
	if found, ok := s.policies.Get(c.Caller.AccountID, "", orAll(arn)); ok {
		p.Context.ResourceTags("iam", found.Tags)
	}
}

// userARN is the ARN of the user that is asked for, or the caller's own.
func (s *Service) userARN(c *api.Call) string {
	name := c.Params.Get("UserName")
	if name == "" {
		return c.Caller.ARN
	}
	if u, ok := s.users.Get(c.Caller.AccountID, "", name); ok {
		return u.ARN()
	}
	return User{Account: c.Caller.AccountID, Path: "/", Name: name}.ARN()
}

func pathOf(c *api.Call) string {
	if p := c.Params.Get("Path"); p != "" {
		return p
	}
	return "/"
}

func orAll(arn string) string {
	if arn == "" {
		return "*"
	}
	return arn
}

func givenTags(c *api.Call) map[string]string {
	tags := map[string]string{}
	for _, m := range query.Members(c.Params, "Tags") {
		tags[m["Key"]] = m["Value"]
	}
	return tags
}
