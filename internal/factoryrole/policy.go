package factoryrole

import (
	"bytes"
	_ "embed" // of role.yaml
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:generate go run kargo.dev/kargo/hack/roledocs ../../docs/reference/factory-role.md

//go:embed role.yaml
var described []byte

const (
	policyVersion = "2012-10-17"
	allow         = "Allow"
	deny          = "Deny"
)

// Policy is an inline policy of the role.
type Policy struct {
	Name string
	Document
}

// Document is a policy document. Its JSON is what IAM takes.
type Document struct {
	Version    string      `json:"Version" yaml:"Version"`
	Statements []Statement `json:"Statement" yaml:"Statement"`
}

// Statement of a policy document.
type Statement struct {
	Sid        string                       `json:"Sid" yaml:"Sid"`
	Effect     string                       `json:"Effect" yaml:"Effect"`
	Principal  map[string]string            `json:"Principal,omitempty" yaml:"Principal,omitempty"`
	Actions    Values                       `json:"Action,omitempty" yaml:"Action,omitempty"`
	NotActions Values                       `json:"NotAction,omitempty" yaml:"NotAction,omitempty"`
	Resources  Values                       `json:"Resource,omitempty" yaml:"Resource,omitempty"`
	Conditions map[string]map[string]Values `json:"Condition,omitempty" yaml:"Condition,omitempty"`
	// Reason says why the role needs it, for those who have to agree to it.
	Reason string `json:"-" yaml:"-"`
	// On are the actions by the type of resource, where there are several.
	On map[string]Values `json:"-" yaml:"-"`
}

// Values are written as one where there is only one, as AWS does.
type Values []string

// MarshalJSON implements json.Marshaler.
func (v Values) MarshalJSON() ([]byte, error) { return json.Marshal(v.plain()) }

// MarshalYAML implements yaml.Marshaler. Patterns are quoted: not every parser of
// YAML takes ?* for a string.
func (v Values) MarshalYAML() (any, error) {
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for _, one := range v {
		n := &yaml.Node{}
		n.SetString(one)
		if strings.HasPrefix(one, "?") {
			n.Style = yaml.DoubleQuotedStyle
		}
		list.Content = append(list.Content, n)
	}
	if len(v) == 1 {
		return list.Content[0], nil
	}
	return list, nil
}

func (v Values) plain() any {
	if len(v) == 1 {
		return v[0]
	}
	return []string(v)
}

// roleDescription is the form of role.yaml.
type roleDescription struct {
	Policies []struct {
		Name       string                 `yaml:"name"`
		Statements []statementDescription `yaml:"statements"`
	} `yaml:"policies"`
}

type statementDescription struct {
	Sid        string                         `yaml:"sid"`
	Reason     string                         `yaml:"reason"`
	Deny       bool                           `yaml:"deny"`
	Actions    []string                       `yaml:"actions"`
	On         map[string]Values              `yaml:"on"`
	NotActions []string                       `yaml:"notActions"`
	Resources  []string                       `yaml:"resources"`
	Conditions map[string]map[string][]string `yaml:"conditions"`
}

// Policies are the role's inline policies.
func (r Role) Policies() ([]Policy, error) {
	d := yaml.NewDecoder(bytes.NewReader(described))
	d.KnownFields(true)
	var role roleDescription
	if err := d.Decode(&role); err != nil {
		return nil, fmt.Errorf("role.yaml: %w", err)
	}
	var policies []Policy
	for _, p := range role.Policies {
		policy := Policy{Name: p.Name, Document: Document{Version: policyVersion}}
		for _, s := range p.Statements {
			policy.Statements = append(policy.Statements, r.statement(s))
		}
		policies = append(policies, policy)
	}
	return policies, nil
}

func (r Role) statement(d statementDescription) Statement {
	s := Statement{
		Sid: d.Sid, Effect: allow, Reason: d.Reason,
		Actions: d.Actions, On: d.On, NotActions: d.NotActions, Resources: r.fill(d.Resources),
	}
	if d.Deny {
		s.Effect = deny
	}
	for _, actions := range d.On {
		s.Actions = append(s.Actions, actions...)
	}
	slices.Sort(s.Actions)
	s.Actions = slices.Compact(s.Actions)
	for operator, keys := range d.Conditions {
		for key, wanted := range keys {
			if s.Conditions == nil {
				s.Conditions = map[string]map[string]Values{}
			}
			if s.Conditions[operator] == nil {
				s.Conditions[operator] = map[string]Values{}
			}
			s.Conditions[operator][key] = r.fill(wanted)
		}
	}
	return s
}

// issuers is the only placeholder that stands for several values.
const issuers = "{issuers}"

// fill puts the account's facts in for the placeholders.
func (r Role) fill(patterns []string) Values {
	facts := strings.NewReplacer("{account}", r.AccountID, "{region}", r.Region, "{role}", r.Name)
	var filled Values
	for _, p := range patterns {
		p = facts.Replace(p)
		if !strings.Contains(p, issuers) {
			filled = append(filled, p)
			continue
		}
		for _, issuer := range append([]string{"oidc.eks." + r.Region + ".amazonaws.com/id/*"}, r.LocalIssuers...) {
			filled = append(filled, strings.ReplaceAll(p, issuers, issuer))
		}
	}
	return filled
}

// Inline are the role's policies by name, as JSON.
func (r Role) Inline() (map[string]json.RawMessage, error) {
	policies, err := r.Policies()
	if err != nil {
		return nil, err
	}
	inline := map[string]json.RawMessage{}
	for _, p := range policies {
		if inline[p.Name], err = encode(p.Document); err != nil {
			return nil, fmt.Errorf("policy %s: %w", p.Name, err)
		}
	}
	return inline, nil
}

// encode writes a document without escaping what only HTML would need escaped.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
