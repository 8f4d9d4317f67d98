// Package policy reads IAM policy documents and evaluates requests against
// them. It knows no store: who asks hands in documents and the request's facts.
// See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html.
package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Document is a policy.
type Document struct {
	Version    string
	ID         string
	Statements []Statement
}

// Statement is one rule. Of each pair (Action, NotAction), ... at most one is set.
type Statement struct {
	Sid          string
	Allow        bool // Effect
	Principal    *Principals
	NotPrincipal *Principals
	Action       []string
	NotAction    []string
	Resource     []string
	NotResource  []string
	Conditions   []Condition
}

// Principals are who a statement of a resource policy is about.
type Principals struct {
	Any       bool     // "*"
	AWS       []string // ARNs, account ids or "*"
	Service   []string
	Federated []string
}

// Parse reads a policy document. Errors say what AWS would call malformed.
func Parse(document string) (*Document, error) {
	var raw struct {
		Version   string
		ID        string `json:"Id"`
		Statement json.RawMessage
	}
	if err := decode([]byte(document), &raw); err != nil {
		return nil, fmt.Errorf("this policy contains invalid Json: %w", err)
	}
	if err := checkUnique(json.NewDecoder(strings.NewReader(document))); err != nil {
		return nil, fmt.Errorf("this policy contains invalid Json: %w", err)
	}
	if raw.Version != "" && raw.Version != "2012-10-17" && raw.Version != "2008-10-17" {
		return nil, fmt.Errorf("the policy must contain a valid version string, not %q", raw.Version)
	}
	statements, err := oneOrMany[json.RawMessage](raw.Statement)
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	if len(statements) == 0 {
		return nil, errors.New("the policy has no statement")
	}
	doc := &Document{Version: raw.Version, ID: raw.ID}
	for i, s := range statements {
		statement, err := parseStatement(s)
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		doc.Statements = append(doc.Statements, statement)
	}
	return doc, nil
}

func parseStatement(document json.RawMessage) (Statement, error) {
	var raw struct {
		Sid, Effect                              string
		Principal, NotPrincipal                  json.RawMessage
		Action, NotAction, Resource, NotResource json.RawMessage
		Condition                                map[string]map[string]json.RawMessage
	}
	if err := decode(document, &raw); err != nil {
		return Statement{}, err
	}
	s := Statement{Sid: raw.Sid, Allow: raw.Effect == "Allow"}
	if raw.Effect != "Allow" && raw.Effect != "Deny" {
		return s, fmt.Errorf("invalid effect %q", raw.Effect)
	}
	lists := []struct {
		name string
		raw  json.RawMessage
		into *[]string
	}{
		{"Action", raw.Action, &s.Action}, {"NotAction", raw.NotAction, &s.NotAction},
		{"Resource", raw.Resource, &s.Resource}, {"NotResource", raw.NotResource, &s.NotResource},
	}
	for _, l := range lists {
		list, err := oneOrMany[string](l.raw)
		if err != nil {
			return s, fmt.Errorf("%s: %w", l.name, err)
		}
		*l.into = list
	}
	if (len(s.Action) == 0) == (len(s.NotAction) == 0) {
		return s, errors.New("a statement has either Action or NotAction")
	}
	if len(s.Resource) > 0 && len(s.NotResource) > 0 {
		return s, errors.New("a statement has at most one of Resource and NotResource")
	}
	var err error
	if s.Principal, err = parsePrincipals(raw.Principal); err != nil {
		return s, err
	}
	if s.NotPrincipal, err = parsePrincipals(raw.NotPrincipal); err != nil {
		return s, err
	}
	if s.Principal != nil && s.NotPrincipal != nil {
		return s, errors.New("a statement has at most one of Principal and NotPrincipal")
	}
	s.Conditions, err = parseConditions(raw.Condition)
	return s, err
}

func parsePrincipals(raw json.RawMessage) (*Principals, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var star string
	if json.Unmarshal(raw, &star) == nil {
		if star != "*" {
			return nil, fmt.Errorf("invalid principal %q", star)
		}
		return &Principals{Any: true}, nil
	}
	var byKind map[string]json.RawMessage
	if err := decode(raw, &byKind); err != nil {
		return nil, fmt.Errorf("principal: %w", err)
	}
	p := &Principals{}
	for kind, values := range byKind {
		list, err := oneOrMany[string](values)
		if err != nil {
			return nil, fmt.Errorf("principal %s: %w", kind, err)
		}
		switch kind {
		case "AWS":
			p.AWS = list
		case "Service":
			p.Service = list
		case "Federated":
			p.Federated = list
		default:
			return nil, fmt.Errorf("invalid kind of principal %q", kind)
		}
	}
	return p, nil
}

// decode refuses elements that a policy does not have, and what follows the
// value: an element that is read over is a restriction that is not in force.
func decode(document []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the policy")
	}
	return nil
}

// checkUnique refuses objects in which a name occurs twice, of which encoding/json
// would take the last one. Names of a policy know no case.
func checkUnique(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for d.More() {
		if delim == '{' {
			name, err := d.Token()
			if err != nil {
				return err
			}
			folded := strings.ToLower(fmt.Sprint(name))
			if seen[folded] {
				return fmt.Errorf("%q occurs twice", name)
			}
			seen[folded] = true
		}
		if err := checkUnique(d); err != nil {
			return err
		}
	}
	_, err = d.Token() // the closing delimiter
	return err
}

// oneOrMany reads a value that may stand alone or in a list.
func oneOrMany[T any](raw json.RawMessage) ([]T, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if strings.HasPrefix(strings.TrimSpace(string(raw)), "[") {
		var list []T
		err := json.Unmarshal(raw, &list)
		return list, err
	}
	var one T
	if err := json.Unmarshal(raw, &one); err != nil {
		return nil, err
	}
	return []T{one}, nil
}
