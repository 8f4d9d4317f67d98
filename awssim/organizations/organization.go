package organizations

import (
	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/jsonapi"
)

func (s *Service) organizationOperations() []operation {
	return []operation{
		{"DescribeOrganization", member, jsonapi.Handle(s.describeOrganization)},
		{"ListRoots", delegated, jsonapi.Handle(s.listRoots)},
	}
}

// policyType is a type of policy and whether it is in force.
type policyType struct {
	Type   string
	Status string
}

// enabledTypes: service control policies are enabled from the beginning.
func enabledTypes() []policyType { return []policyType{{serviceControlPolicy, "ENABLED"}} }

func (s *Service) describeOrganization(*api.Call, struct{}) (any, error) {
	type organization struct {
		ID                   string `json:"Id"`
		ARN                  string `json:"Arn"`
		FeatureSet           string
		MasterAccountARN     string `json:"MasterAccountArn"`
		MasterAccountID      string `json:"MasterAccountId"`
		MasterAccountEmail   string
		AvailablePolicyTypes []policyType
	}
	id := s.org.Management()
	a, _ := s.org.Account(id)
	return struct{ Organization organization }{organization{
		ID: s.identity.Organization, ARN: s.arn("organization/" + s.identity.Organization), FeatureSet: "ALL",
		MasterAccountARN: s.accountARN(id), MasterAccountID: id, MasterAccountEmail: a.Address(), AvailablePolicyTypes: enabledTypes(),
	}}, nil
}

func (s *Service) listRoots(_ *api.Call, in jsonapi.Paging) (any, error) {
	type root struct {
		ID          string `json:"Id"`
		ARN         string `json:"Arn"`
		Name        string
		PolicyTypes []policyType
	}
	n, _ := s.node(s.identity.Root)
	list, next, err := page([]root{{n.ID, n.ARN, n.Name, enabledTypes()}}, func(r root) string { return r.ID }, in)
	if err != nil {
		return nil, err
	}
	return struct {
		Roots []root
		jsonapi.Next
	}{list, next}, nil
}
