package iam

import (
	"cmp"
	"fmt"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/awssim/query"
)

// maxSimulations bounds the actions × resources of one call.
const maxSimulations = 5000

// simulation is a question to the policy simulator.
type simulation struct {
	set                policy.Set
	context            policy.Context
	actions, resources []string
	controlled         bool // service control policies are part of the question
}

func (s *Service) simulatePrincipal(c *api.Call) (any, error) {
	sim, err := readSimulation(c)
	if err != nil {
		return nil, err
	}
	source := c.Params.Get("PolicySourceArn")
	principal, err := s.simulated(c, source)
	if err != nil {
		return nil, err
	}
	given, boundary := sim.set.Identity, sim.set.Boundary
	sim.set, sim.controlled = principal, principal.Control != nil
	sim.set.Identity = append(sim.set.Identity, given...)
	if boundary != nil { // it stands for the principal's own
		sim.set.Boundary = boundary
	}
	sim.know("aws:PrincipalArn", cmp.Or(c.Params.Get("CallerArn"), source))
	sim.know("aws:PrincipalAccount", c.Caller.AccountID)
	if _, name, ok := strings.Cut(source, ":user/"); ok {
		sim.know("aws:username", name[strings.LastIndex(name, "/")+1:])
		sim.know("aws:PrincipalType", "User")
	}
	return sim.answer(c)
}

// simulateCustom asks only the policies that are given.
func (s *Service) simulateCustom(c *api.Call) (any, error) {
	sim, err := readSimulation(c)
	if err != nil {
		return nil, err
	}
	if len(sim.set.Identity) == 0 {
		return nil, invalid("PolicyInputList", "", "Member must not be null")
	}
	return sim.answer(c)
}

// simulated finds the policies of the role or user of an ARN.
func (s *Service) simulated(c *api.Call, arn string) (policy.Set, error) {
	account := c.Caller.AccountID
	prefix := "arn:aws:iam::" + account + ":"
	kind, path, _ := strings.Cut(strings.TrimPrefix(arn, prefix), "/")
	name := path[strings.LastIndex(path, "/")+1:]
	switch {
	case arn == "":
		return policy.Set{}, invalid("PolicySourceArn", "", "Member must not be null")
	case !strings.HasPrefix(arn, prefix) && strings.HasPrefix(arn, "arn:aws:iam::"):
		return policy.Set{}, api.NotFoundf("NoSuchEntity", "The entity %s cannot be found in account %s.", arn, account)
	case kind == "role":
		if r, ok := s.Role(account, name); ok && r.ARN() == arn {
			return s.RolePolicies(account, name)
		}
		return policy.Set{}, api.NotFoundf("NoSuchEntity", "The role with name %s cannot be found.", name)
	case kind == "user":
		if u, ok := s.users.Get(account, "", name); ok && u.ARN() == arn {
			return s.UserPolicies(account, name)
		}
		return policy.Set{}, api.NotFoundf("NoSuchEntity", "The user with name %s cannot be found.", name)
	}
	return policy.Set{}, api.Errorf("InvalidInput", "Invalid Entity Arn: %s does not clearly define entity type and name.", arn)
}

// readSimulation reads what both operations have in common.
func readSimulation(c *api.Call) (*simulation, error) {
	for _, param := range []string{"ResourcePolicy", "ResourceHandlingOption"} {
		if c.Params.Has(param) {
			return nil, api.Errorf("InvalidInput", "The simulator does not know the parameter %s.", param)
		}
	}
	sim := &simulation{actions: query.Strings(c.Params, "ActionNames"), resources: query.Strings(c.Params, "ResourceArns"), context: policy.Context{}}
	if len(sim.resources) == 0 {
		sim.resources = []string{"*"}
	}
	if len(sim.actions) == 0 {
		return nil, invalid("ActionNames", "", "Member must not be null")
	}
	if len(sim.actions)*len(sim.resources) > maxSimulations {
		return nil, api.Errorf("InvalidInput", "More than %d combinations of actions and resources.", maxSimulations)
	}
	for _, action := range sim.actions {
		if service, name, ok := strings.Cut(action, ":"); !ok || service == "" || name == "" || strings.ContainsAny(action, "*? ") {
			return nil, api.Errorf("InvalidInput", "Invalid action name: %s", action)
		}
	}
	for _, resource := range sim.resources {
		if resource != "*" && len(strings.SplitN(resource, ":", 6)) != 6 {
			return nil, api.Errorf("InvalidInput", "Invalid resource ARN: %s", resource)
		}
	}
	for _, entry := range query.Members(c.Params, "ContextEntries") {
		key := entry["ContextKeyName"]
		for i := 1; ; i++ {
			value, ok := entry[fmt.Sprintf("ContextKeyValues.member.%d", i)]
			if !ok {
				break
			}
			sim.context[key] = append(sim.context[key], value)
		}
	}
	var err error
	if sim.set.Identity, err = givenPolicies(c, "PolicyInputList"); err != nil {
		return nil, err
	}
	sim.set.Boundary, err = givenPolicies(c, "PermissionsBoundaryPolicyInputList")
	return sim, err
}

func givenPolicies(c *api.Call, list string) ([]policy.Source, error) {
	var sources []policy.Source
	for i, text := range query.Strings(c.Params, list) {
		if err := checkIdentityPolicy(text); err != nil {
			return nil, api.Errorf("InvalidInput", "%s.member.%d: %v", list, i+1, err)
		}
		doc, err := policy.Parse(text)
		if err != nil {
			return nil, err
		}
		sources = append(sources, policy.Source{Name: fmt.Sprintf("%s.%d", list, i+1), Document: doc})
	}
	return sources, nil
}

// know sets a key that the question does not set itself.
func (sim *simulation) know(key, value string) {
	for given := range sim.context {
		if strings.EqualFold(given, key) {
			return
		}
	}
	sim.context[key] = []string{value}
}

type statementXML struct {
	SourcePolicyId   string
	SourcePolicyType string
}

type controlDecision struct {
	AllowedByOrganizations bool
}

type boundaryDecision struct {
	AllowedByPermissionsBoundary bool
}

type evaluationXML struct {
	EvalActionName                    string
	EvalResourceName                  string
	EvalDecision                      string
	MatchedStatements                 []statementXML `xml:"MatchedStatements>member"`
	MissingContextValues              []string       `xml:"MissingContextValues>member"`
	OrganizationsDecisionDetail       *controlDecision
	PermissionsBoundaryDecisionDetail *boundaryDecision
	ResourceSpecificResults           []resourceEvaluationXML `xml:"ResourceSpecificResults>member"`

	position string // in the list
}

type resourceEvaluationXML struct {
	EvalResourceName                  string
	EvalResourceDecision              string
	MatchedStatements                 []statementXML `xml:"MatchedStatements>member"`
	MissingContextValues              []string       `xml:"MissingContextValues>member"`
	PermissionsBoundaryDecisionDetail *boundaryDecision
}

// answer evaluates each action with each resource.
func (sim *simulation) answer(c *api.Call) (any, error) {
	var all []evaluationXML
	for _, action := range sim.actions {
		for _, resource := range sim.resources {
			x := sim.evaluate(action, resource)
			x.position = fmt.Sprintf("%06d", len(all))
			all = append(all, x)
		}
	}
	list, info, err := page(c.Params, all, func(x evaluationXML) string { return x.position })
	if err != nil {
		return nil, err
	}
	return struct {
		EvaluationResults []evaluationXML `xml:"EvaluationResults>member"`
		pageInfo
	}{list, info}, nil
}

func (sim *simulation) evaluate(action, resource string) evaluationXML {
	r := policy.Permission{Action: action, Resource: resource}.Request(sim.context)
	v, missing := sim.set.Decide(r), sim.set.MissingKeys(r)
	x := evaluationXML{EvalActionName: action, EvalResourceName: resource, EvalDecision: v.Decision.Name()}
	for _, name := range v.Matched {
		x.MatchedStatements = append(x.MatchedStatements, statementXML{name, sourceType(v)})
	}
	if sim.controlled {
		x.OrganizationsDecisionDetail = &controlDecision{v.AllowedByControl}
	}
	if sim.set.Boundary != nil {
		x.PermissionsBoundaryDecisionDetail = &boundaryDecision{v.AllowedByBoundary}
	}
	if resource == "*" {
		x.MissingContextValues = missing
		return x
	}
	// With resources named, AWS tells of missing keys here only.
	x.ResourceSpecificResults = []resourceEvaluationXML{{resource, x.EvalDecision, x.MatchedStatements, missing, x.PermissionsBoundaryDecisionDetail}}
	return x
}

// sourceType is AWS's word for the kind of policy that decided.
func sourceType(v policy.Verdict) string {
	if v.Decision == policy.Allow || v.Layer == policy.IdentityLayer {
		return "IAM Policy"
	}
	return "none"
}
