package factoryrole

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"sigs.k8s.io/yaml"
)

// fromJSON is the trust policy and the policies as -o json has them.
func fromJSON(t *testing.T) (trust any, policies map[string]any) {
	t.Helper()
	raw, err := exampleRole().JSON()
	if err != nil {
		t.Fatal(err)
	}
	plain := struct {
		Trust    any
		Policies map[string]any
	}{}
	if err := json.Unmarshal(raw, &plain); err != nil {
		t.Fatal(err)
	}
	return plain.Trust, plain.Policies
}

func TestCloudFormationSaysTheSame(t *testing.T) {
	raw, err := exampleRole().CloudFormation()
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources map[string]struct {
			DeletionPolicy string
			Properties     struct {
				AssumeRolePolicyDocument any
				Policies                 []struct {
					PolicyName     string
					PolicyDocument any
				}
			}
		}
	}
	if err := yaml.Unmarshal(raw, &template); err != nil {
		t.Fatal(err)
	}
	role := template.Resources["FactoryRole"]
	policies := map[string]any{}
	for _, p := range role.Properties.Policies {
		policies[p.PolicyName] = p.PolicyDocument
	}
	trust, want := fromJSON(t)
	if diff := cmp.Diff(want, policies); diff != "" {
		t.Errorf("policies differ from the JSON's (-json +cloudformation):\n%s", diff)
	}
	if diff := cmp.Diff(trust, role.Properties.AssumeRolePolicyDocument); diff != "" {
		t.Errorf("trust differs from the JSON's (-json +cloudformation):\n%s", diff)
	}
	if role.DeletionPolicy != "Retain" {
		t.Errorf("deletion policy %q: without the role nobody could delete the clusters", role.DeletionPolicy)
	}
}

// TestTerraformSaysTheSame reads the HCL as Terraform does, and makes the policy
// documents of it as its data source does.
func TestTerraformSaysTheSame(t *testing.T) {
	raw, err := exampleRole().Terraform()
	if err != nil {
		t.Fatal(err)
	}
	file, diags := hclsyntax.ParseConfig(raw, "role.tf", hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	documents := map[string]any{}
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		if block.Type == "data" {
			documents[block.Labels[1]] = document(t, block.Body)
		}
	}
	trust, policies := fromJSON(t)
	want := map[string]any{"kargo_factory_trust": trust}
	for name, p := range policies {
		want[strings.ReplaceAll(name, "-", "_")] = p
	}
	if diff := cmp.Diff(want, documents); diff != "" {
		t.Errorf("policies differ from the JSON's (-json +terraform):\n%s", diff)
	}
}

// document is what the data source aws_iam_policy_document makes of its body.
func document(t *testing.T, body *hclsyntax.Body) any {
	t.Helper()
	d := Document{Version: policyVersion}
	for _, block := range body.Blocks {
		s := Statement{
			Sid: text(t, block.Body, "sid"), Effect: text(t, block.Body, "effect"),
			Actions: list(t, block.Body, "actions"), NotActions: list(t, block.Body, "not_actions"), Resources: list(t, block.Body, "resources"),
		}
		if s.Effect == "" {
			s.Effect = allow
		}
		for _, inner := range block.Body.Blocks {
			switch inner.Type {
			case "principals":
				s.Principal = map[string]string{text(t, inner.Body, "type"): list(t, inner.Body, "identifiers")[0]}
			case "condition":
				operator, key := text(t, inner.Body, "test"), text(t, inner.Body, "variable")
				if s.Conditions == nil {
					s.Conditions = map[string]map[string]Values{}
				}
				if s.Conditions[operator] == nil {
					s.Conditions[operator] = map[string]Values{}
				}
				s.Conditions[operator][key] = list(t, inner.Body, "values")
			}
		}
		d.Statements = append(d.Statements, s)
	}
	raw, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := json.Unmarshal(raw, &plain); err != nil {
		t.Fatal(err)
	}
	return plain
}

func value(t *testing.T, body *hclsyntax.Body, name string) cty.Value {
	t.Helper()
	attribute, ok := body.Attributes[name]
	if !ok {
		return cty.NilVal
	}
	v, diags := attribute.Expr.Value(nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return v
}

func text(t *testing.T, body *hclsyntax.Body, name string) string {
	t.Helper()
	if v := value(t, body, name); v != cty.NilVal {
		return v.AsString()
	}
	return ""
}

func list(t *testing.T, body *hclsyntax.Body, name string) Values {
	t.Helper()
	v := value(t, body, name)
	if v == cty.NilVal {
		return nil
	}
	var all Values
	for _, one := range v.AsValueSlice() {
		all = append(all, one.AsString())
	}
	return all
}
