package eks

import (
	"context"
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

func (s *Service) associateAccessPolicy(_ context.Context, c *api.Call) (any, error) {
	var in struct {
		PolicyARN   string      `json:"policyArn"`
		AccessScope accessScope `json:"accessScope"`
	}
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	rec, e, err := s.entryOf(c)
	if err != nil {
		return nil, err
	}
	if e.Type != typeStandard {
		return nil, invalidRequest("You cannot associate a policy with an access entry of type %s.", e.Type)
	}
	if _, ok := findPolicy(in.PolicyARN); !ok {
		return nil, invalidParameter("The policyArn parameter format is not valid")
	}
	if err := checkScope(&in.AccessScope); err != nil {
		return nil, err
	}
	p := associatedPolicy{PolicyARN: in.PolicyARN, AccessScope: in.AccessScope, AssociatedAt: at(c.Now), ModifiedAt: at(c.Now)}
	if i := slices.IndexFunc(e.Policies, func(o associatedPolicy) bool { return o.PolicyARN == in.PolicyARN }); i >= 0 {
		p.AssociatedAt = e.Policies[i].AssociatedAt
		e.Policies[i] = p
	} else {
		e.Policies = append(e.Policies, p)
	}
	return struct {
		ClusterName  string           `json:"clusterName"`
		PrincipalARN string           `json:"principalArn"`
		Policy       associatedPolicy `json:"associatedAccessPolicy"`
	}{rec.Cluster.Name, e.PrincipalARN, p}, s.saveEntry(rec, e)
}

// checkScope refuses what EKS refuses, and patterns of namespaces: a
// RoleBinding, which stands for AWS's authorizer here, knows none.
func checkScope(scope *accessScope) error {
	switch scope.Type {
	case "cluster":
		if len(scope.Namespaces) > 0 {
			return invalidParameter("The access scope type cluster takes no namespaces.")
		}
		scope.Namespaces = []string{}
	case "namespace":
		if len(scope.Namespaces) == 0 {
			return invalidParameter("The access scope type namespace needs namespaces.")
		}
		for _, n := range scope.Namespaces {
			if n == "" || strings.Contains(n, "*") {
				return invalidParameter("The namespace '%s' is not valid: the simulator knows no patterns of namespaces.", n)
			}
		}
	default:
		return invalidParameter("The access scope type '%s' is not valid. It is cluster or namespace.", scope.Type)
	}
	return nil
}

func (s *Service) disassociateAccessPolicy(_ context.Context, c *api.Call) (any, error) {
	rec, e, err := s.entryOf(c)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(e.Policies, func(o associatedPolicy) bool { return o.PolicyARN == c.Path["policyArn"] })
	if i < 0 {
		return nil, notFound("The specified policyArn could not be found. You can view your available policies with 'list-associated-access-policies'.")
	}
	e.Policies = slices.Delete(e.Policies, i, i+1)
	return struct{}{}, s.saveEntry(rec, e)
}

func (s *Service) listAssociatedAccessPolicies(_ context.Context, c *api.Call) (any, error) {
	rec, e, err := s.entryOf(c)
	if err != nil {
		return nil, err
	}
	list, next, err := queryPage(c, func(p associatedPolicy) string { return p.PolicyARN }, e.Policies)
	if err != nil {
		return nil, err
	}
	return struct {
		ClusterName  string             `json:"clusterName"`
		PrincipalARN string             `json:"principalArn"`
		NextToken    string             `json:"nextToken,omitempty"`
		Policies     []associatedPolicy `json:"associatedAccessPolicies"`
	}{rec.Cluster.Name, e.PrincipalARN, next, list}, nil
}

func (s *Service) listAccessPolicies(_ context.Context, c *api.Call) (any, error) {
	type policy struct {
		Name string `json:"name"`
		ARN  string `json:"arn"`
	}
	var list []policy
	for _, p := range AccessPolicies() {
		list = append(list, policy{p.Name, p.ARN()})
	}
	return listAnswer(c, "accessPolicies", func(p policy) string { return p.Name }, list)
}
