package factoryrole

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// The names in the Terraform module.
const (
	resourceRole   = "aws_iam_role"
	resourcePolicy = "aws_iam_role_policy"
	dataDocument   = "aws_iam_policy_document"
	factory        = "kargo_factory"
)

// Terraform writes the role in HCL, without variables: a file to put into a root
// module that has the AWS provider for this account.
func (r Role) Terraform() ([]byte, error) {
	policies, err := r.checked()
	if err != nil {
		return nil, err
	}
	file := hclwrite.NewEmptyFile()
	m := module{file.Body()}
	comment(m.Body, "The role that KARGO's cluster factory assumes in account "+r.AccountID+", region "+r.Region+".")
	role := m.block("resource", resourceRole, factory)
	role.SetAttributeValue("name", cty.StringVal(r.Name))
	role.SetAttributeValue("description", cty.StringVal(description))
	role.SetAttributeTraversal("assume_role_policy", reference("data", dataDocument, factory+"_trust", "json"))
	role.AppendNewline()
	comment(role, "Without it nobody could delete the clusters.")
	role.AppendNewBlock("lifecycle", nil).Body().SetAttributeValue("prevent_destroy", cty.True)
	m.document(factory+"_trust", r.Trust())
	for _, p := range policies {
		name := strings.ReplaceAll(p.Name, "-", "_")
		policy := m.block("resource", resourcePolicy, name)
		policy.SetAttributeValue("name", cty.StringVal(p.Name))
		policy.SetAttributeTraversal("role", reference(resourceRole, factory, "id"))
		policy.SetAttributeTraversal("policy", reference("data", dataDocument, name, "json"))
		m.document(name, p.Document)
	}
	m.block("output", "kargo_factory_role_arn").SetAttributeTraversal("value", reference(resourceRole, factory, "arn"))
	return hclwrite.Format(file.Bytes()), nil
}

// module is the body of a file.
type module struct{ *hclwrite.Body }

func (m module) block(kind string, labels ...string) *hclwrite.Body {
	m.AppendNewline()
	return m.AppendNewBlock(kind, labels).Body()
}

// document writes a policy document as Terraform's data source of that kind.
func (m module) document(name string, d Document) {
	body := m.block("data", dataDocument, name)
	for i, s := range d.Statements {
		if i > 0 {
			body.AppendNewline()
		}
		comment(body, s.Reason)
		writeStatement(body.AppendNewBlock("statement", nil).Body(), s)
	}
}

func writeStatement(body *hclwrite.Body, s Statement) {
	body.SetAttributeValue("sid", cty.StringVal(s.Sid))
	if s.Effect != allow { // the data source's default
		body.SetAttributeValue("effect", cty.StringVal(s.Effect))
	}
	for _, list := range []struct {
		name string
		Values
	}{{"actions", s.Actions}, {"not_actions", s.NotActions}, {"resources", s.Resources}} {
		if len(list.Values) > 0 {
			body.SetAttributeRaw(list.name, lines(list.Values))
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(s.Principal)) {
		principals := body.AppendNewBlock("principals", nil).Body()
		principals.SetAttributeValue("type", cty.StringVal(kind))
		principals.SetAttributeRaw("identifiers", lines(Values{s.Principal[kind]}))
	}
	for _, operator := range slices.Sorted(maps.Keys(s.Conditions)) {
		for _, key := range slices.Sorted(maps.Keys(s.Conditions[operator])) {
			condition := body.AppendNewBlock("condition", nil).Body()
			condition.SetAttributeValue("test", cty.StringVal(operator))
			condition.SetAttributeValue("variable", cty.StringVal(key))
			condition.SetAttributeRaw("values", lines(s.Conditions[operator][key]))
		}
	}
}

// lines is a list of strings, one on each line if there are several.
func lines(list Values) hclwrite.Tokens {
	newline := &hclwrite.Token{Type: hclsyntax.TokenNewline, Bytes: []byte("\n")}
	tokens := hclwrite.Tokens{{Type: hclsyntax.TokenOBrack, Bytes: []byte("[")}}
	for _, v := range list {
		if len(list) > 1 {
			tokens = append(tokens, newline)
		}
		tokens = append(tokens, hclwrite.TokensForValue(cty.StringVal(v))...)
		if len(list) > 1 {
			tokens = append(tokens, &hclwrite.Token{Type: hclsyntax.TokenComma, Bytes: []byte(",")})
		}
	}
	if len(list) > 1 {
		tokens = append(tokens, newline)
	}
	return append(tokens, &hclwrite.Token{Type: hclsyntax.TokenCBrack, Bytes: []byte("]")})
}

func comment(body *hclwrite.Body, text string) {
	body.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte("# " + text + "\n")}})
}

func reference(root string, names ...string) hcl.Traversal {
	t := hcl.Traversal{hcl.TraverseRoot{Name: root}}
	for _, n := range names {
		t = append(t, hcl.TraverseAttr{Name: n})
	}
	return t
}
