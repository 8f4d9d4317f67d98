package factoryrole

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// JSON writes the role for scripts and the AWS CLI: its name, its trust policy,
// and its inline policies by name.
func (r Role) JSON() ([]byte, error) {
	inline, err := r.checked()
	if err != nil {
		return nil, err
	}
	policies := map[string]Document{}
	for _, p := range inline {
		policies[p.Name] = p.Document
	}
	raw, err := encode(map[string]any{"roleName": r.Name, "description": description, "trust": r.Trust(), "policies": policies})
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, append(raw, '\n'), "", "  ")
	return b.Bytes(), err
}

func (r Role) checked() ([]Policy, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return r.Policies()
}

// stack is a CloudFormation template:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-role.html
type stack struct {
	Version     string                   `yaml:"AWSTemplateFormatVersion"`
	Description string                   `yaml:"Description"`
	Resources   map[string]stackResource `yaml:"Resources"`
	Outputs     map[string]any           `yaml:"Outputs"`
}

type stackResource struct {
	Type           string    `yaml:"Type"`
	DeletionPolicy string    `yaml:"DeletionPolicy"`
	ReplacePolicy  string    `yaml:"UpdateReplacePolicy"`
	Properties     stackRole `yaml:"Properties"`
}

type stackRole struct {
	RoleName    string        `yaml:"RoleName"`
	Description string        `yaml:"Description"`
	Trust       commented     `yaml:"AssumeRolePolicyDocument"`
	Policies    []stackPolicy `yaml:"Policies"`
}

type stackPolicy struct {
	Name     string    `yaml:"PolicyName"`
	Document commented `yaml:"PolicyDocument"`
}

// CloudFormation writes the role as a template without parameters. The role stays
// when the stack is deleted: without it nobody could delete the clusters.
func (r Role) CloudFormation() ([]byte, error) {
	policies, err := r.checked()
	if err != nil {
		return nil, err
	}
	role := stackRole{RoleName: r.Name, Description: description, Trust: commented{r.Trust()}}
	for _, p := range policies {
		role.Policies = append(role.Policies, stackPolicy{Name: p.Name, Document: commented{p.Document}})
	}
	const name = "FactoryRole"
	template := stack{
		Version:     "2010-09-09",
		Description: fmt.Sprintf("The role that KARGO's cluster factory assumes in account %s, region %s", r.AccountID, r.Region),
		Resources:   map[string]stackResource{name: {Type: "AWS::IAM::Role", DeletionPolicy: "Retain", ReplacePolicy: "Retain", Properties: role}},
		Outputs: map[string]any{"RoleArn": map[string]any{
			"Description": "The role's ARN", "Value": map[string][]string{"Fn::GetAtt": {name, "Arn"}},
		}},
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(template); err != nil {
		return nil, fmt.Errorf("write the CloudFormation template: %w", err)
	}
	return b.Bytes(), e.Close()
}

// commented is a document that has the reason of each statement above it.
type commented struct{ Document }

// MarshalYAML implements yaml.Marshaler.
func (c commented) MarshalYAML() (any, error) {
	statements := &yaml.Node{Kind: yaml.SequenceNode}
	for _, s := range c.Statements {
		n := &yaml.Node{}
		if err := n.Encode(s); err != nil {
			return nil, err
		}
		n.HeadComment = "# " + s.Reason
		statements.Content = append(statements.Content, n)
	}
	return struct {
		Version   string     `yaml:"Version"`
		Statement *yaml.Node `yaml:"Statement"`
	}{c.Version, statements}, nil
}
