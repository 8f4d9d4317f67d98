package settings

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Problem is something wrong with a setting, for the person who wrote it.
type Problem struct {
	// Path of the setting, nodePools.default.maxSize; "" where it is about none.
	Path    string `json:"path,omitempty"`
	Message string `json:"message"`
}

// String is the problem in one line.
func (p Problem) String() string {
	if p.Path == "" {
		return p.Message
	}
	return p.Path + ": " + p.Message
}

// CheckSettings checks what a person or a layer sets: each key must exist and
// hold what the schema allows, and none may be KARGO's own. Nothing is required.
func (s *Schema) CheckSettings(values map[string]any) []Problem {
	problems := s.root.ownedByKARGO(values, "")
	return sorted(append(problems, s.problems(s.partial.Validate(values))...))
}

// CheckValues checks a complete set of values, as the cluster chart gets them.
func (s *Schema) CheckValues(values map[string]any) []Problem {
	return sorted(s.problems(s.complete.Validate(values)))
}

func sorted(problems []Problem) []Problem {
	slices.SortFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(problems)
}

// ownedByKARGO finds the keys that are marked readOnly.
func (n *node) ownedByKARGO(value any, path string) []Problem {
	if n == nil || value == nil {
		return nil
	}
	if n.readOnly {
		return []Problem{{path, "KARGO sets this itself, it is no setting. " + n.description}}
	}
	below, ok := value.(map[string]any)
	if !ok {
		return nil
	}
	var problems []Problem
	for key, inner := range below {
		problems = append(problems, n.below(key).ownedByKARGO(inner, Join(path, key))...)
	}
	return problems
}

func (s *Schema) problems(err error) []Problem {
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return []Problem{{Message: err.Error()}}
	}
	var problems []Problem
	s.collect(invalid, &problems)
	return problems
}

func (s *Schema) collect(err *jsonschema.ValidationError, problems *[]Problem) {
	path := pathOf(err.InstanceLocation)
	add := func(at, format string, args ...any) {
		*problems = append(*problems, Problem{at, fmt.Sprintf(format, args...)})
	}
	switch k := err.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, key := range k.Properties {
			add(Join(path, key), "%s", s.unknown(err.InstanceLocation, key))
		}
	case *kind.PropertyNames:
		add(Join(schemaPath(err.SchemaURL), k.Property), "this name is not allowed here")
	case *kind.Required:
		for _, key := range k.Missing {
			add(Join(path, key), "is missing")
		}
	case *kind.Type:
		add(path, "%s", typeMessage(k))
	case *kind.Enum:
		add(path, "must be one of %s, not %v", list(k.Want), k.Got)
	case *kind.Pattern:
		add(path, "%q does not match %s%s", k.Got, k.Want, s.example(err.InstanceLocation))
	case *kind.Minimum:
		add(path, "must be at least %s, not %s", k.Want.RatString(), k.Got.RatString())
	case *kind.Maximum:
		add(path, "must be at most %s, not %s", k.Want.RatString(), k.Got.RatString())
	case *kind.Not:
		add(path, "this value is not allowed%s", s.example(err.InstanceLocation))
	default:
		if len(err.Causes) == 0 {
			add(path, "%s", err.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
		}
		for _, cause := range err.Causes {
			s.collect(cause, problems)
		}
	}
}

func typeMessage(k *kind.Type) string {
	if k.Got == "null" {
		return errBlank.Error()
	}
	text := fmt.Sprintf("must be %s, not %s", strings.Join(k.Want, " or "), k.Got)
	if slices.Contains(k.Want, "string") && (k.Got == "number" || k.Got == "integer" || k.Got == "boolean") {
		text += `: write it in quotes`
	}
	return text
}

// unknown says why a key is not allowed, and what may have been meant.
func (s *Schema) unknown(location []string, key string) string {
	at := s.root.at(location)
	if at != nil && len(at.patterns) > 0 && len(at.keys) == 0 {
		return fmt.Sprintf("this name is not allowed here: it must match %s", at.patterns[0].expression)
	}
	path := append(slices.Clone(location), key)
	if suggestion := s.suggest(path); suggestion != "" {
		return fmt.Sprintf("unknown setting: did you mean %s?", suggestion)
	}
	if at != nil && len(at.keys) > 0 && len(at.keys) <= 12 {
		return fmt.Sprintf("unknown setting: there are %s", strings.Join(slices.Sorted(slices.Values(at.keys)), ", "))
	}
	return "unknown setting"
}

func (s *Schema) example(location []string) string {
	n := s.root.at(location)
	if n == nil || len(n.examples) == 0 {
		return ""
	}
	return fmt.Sprintf(" (an example: %v)", n.examples[0])
}

// schemaPath is the path of the map whose names are wrong: the library reports
// their place in the schema only, .../properties/tags/propertyNames.
func schemaPath(url string) string {
	_, pointer, _ := strings.Cut(url, "#/")
	keys := strings.Split(pointer, "/")
	path := ""
	for i := 0; i+1 < len(keys); i += 2 {
		path = Join(path, keys[i+1])
	}
	return path
}

func (n *node) at(location []string) *node {
	for _, key := range location {
		if _, err := strconv.Atoi(key); err == nil && n != nil && n.items != nil {
			n = n.items
			continue
		}
		n = n.below(key)
	}
	return n
}

func pathOf(location []string) string {
	path := ""
	for _, key := range location {
		if _, err := strconv.Atoi(key); err == nil && path != "" {
			path += "[" + key + "]"
			continue
		}
		path = Join(path, key)
	}
	return path
}

func list(values []any) string {
	texts := make([]string, len(values))
	for i, value := range values {
		texts[i] = fmt.Sprint(value)
	}
	return strings.Join(texts, ", ")
}
