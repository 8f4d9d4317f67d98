package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Schema says which settings exist and what they may be. It is the cluster
// chart's values.schema.json.
type Schema struct {
	raw      json.RawMessage
	root     *node
	complete *jsonschema.Schema // all that is required must be there
	partial  *jsonschema.Schema // nothing is required
}

// node is a part of the schema, as far as KARGO itself reads it. The JSON schema
// library judges values; a node tells names, descriptions and what is KARGO's own.
type node struct {
	types       []string
	description string
	value       any // default
	hasDefault  bool
	readOnly    bool
	required    map[string]bool
	keys        []string // of properties, in the order of the file
	properties  map[string]*node
	patterns    []pattern
	items       *node
	enum        []any
	examples    []any
	constraint  string // pattern
	min, max    string // of a number
}

type pattern struct {
	expression *regexp.Regexp
	node       *node
}

// ParseSchema parses a values.schema.json. It may not refer to other files.
func ParseSchema(data []byte) (*Schema, error) {
	if len(data) > MaxDocumentBytes {
		return nil, fmt.Errorf("values.schema.json: larger than %d bytes", MaxDocumentBytes)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("values.schema.json: %w", err)
	}
	tree, ok := document.(map[string]any)
	if !ok {
		return nil, errors.New("values.schema.json: not an object")
	}
	s := &Schema{raw: slices.Clone(data)}
	if s.complete, err = compile(tree); err != nil {
		return nil, fmt.Errorf("values.schema.json: %w", err)
	}
	if s.partial, err = compile(withoutRequired(tree).(map[string]any)); err != nil {
		return nil, fmt.Errorf("values.schema.json: %w", err)
	}
	// JSON is YAML, and the YAML parser keeps the order of the keys.
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return nil, fmt.Errorf("values.schema.json: %w", err)
	}
	if s.root, err = parseNode(root.Content[0], 0); err != nil {
		return nil, fmt.Errorf("values.schema.json: %w", err)
	}
	return s, nil
}

// Raw is the schema as JSON.
func (s *Schema) Raw() json.RawMessage { return slices.Clone(s.raw) }

// NarrowAddons narrows the sub-tree addons of a values.schema.json to the settings
// that have a default: the chart allows any, the flavors of a fleet say which
// there are.
func NarrowAddons(schema []byte, defaults map[string]any) ([]byte, error) {
	var tree map[string]any
	if err := json.Unmarshal(schema, &tree); err != nil {
		return nil, fmt.Errorf("values.schema.json: %w", err)
	}
	properties, ok := tree["properties"].(map[string]any)
	if !ok {
		return nil, errors.New("values.schema.json: no properties")
	}
	old, _ := properties["addons"].(map[string]any)
	addons, err := addonSchema(defaults)
	if err != nil {
		return nil, err
	}
	if old["description"] != nil {
		addons["description"] = old["description"]
	}
	properties["addons"] = addons
	return json.Marshal(tree)
}

// addonPattern is what a text may hold that is substituted into YAML.
const addonPattern = `^[A-Za-z0-9 _./:@*,=+-]*$`

func addonSchema(defaults map[string]any) (map[string]any, error) {
	properties := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(defaults)) {
		var property map[string]any
		switch value := defaults[key].(type) {
		case map[string]any:
			below, err := addonSchema(value)
			if err != nil {
				return nil, err
			}
			property = below
		case string:
			property = map[string]any{"type": "string", "pattern": addonPattern, "maxLength": 1024, "default": value}
		case bool:
			property = map[string]any{"type": "boolean", "default": value}
		case int64:
			property = map[string]any{"type": "integer", "default": value}
		default:
			return nil, fmt.Errorf("addons.%s: a setting of an add-on is a text, a whole number or a boolean, not %T", key, value)
		}
		properties[key] = property
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}, nil
}

func compile(tree map[string]any) (*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(jsonschema.SchemeURLLoader{}) // nothing is fetched
	if err := compiler.AddResource("mem:///values.schema.json", tree); err != nil {
		return nil, err
	}
	schema, err := compiler.Compile("mem:///values.schema.json")
	var invalid *jsonschema.SchemaValidationError
	var cause *jsonschema.ValidationError
	if errors.As(err, &invalid) && errors.As(invalid.Err, &cause) {
		return nil, errors.New(firstOf(cause))
	}
	return schema, err
}

// firstOf is the first thing wrong with a schema, by its place, in one line; the
// library tells all on as many lines, in another order each time.
func firstOf(err *jsonschema.ValidationError) string {
	if len(err.Causes) == 0 {
		return fmt.Sprintf("at /%s: %s", strings.Join(err.InstanceLocation, "/"), err.ErrorKind.LocalizedString(message.NewPrinter(language.English)))
	}
	first := firstOf(err.Causes[0])
	for _, cause := range err.Causes[1:] {
		first = min(first, firstOf(cause))
	}
	return first
}

// withoutRequired drops what only a complete set of values must fulfil.
func withoutRequired(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, below := range v {
			_, isList := below.([]any)
			_, isNumber := below.(json.Number)
			if (key == "required" && isList) || (key == "minProperties" && isNumber) {
				continue
			}
			out[key] = withoutRequired(below)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = withoutRequired(v[i])
		}
		return out
	default:
		return v
	}
}

func parseNode(y *yaml.Node, depth int) (*node, error) {
	if y.Kind != yaml.MappingNode || depth > maxDepth {
		return nil, &LineError{y.Line, errors.New("a schema is an object, and not too deep")}
	}
	n := &node{properties: map[string]*node{}, required: map[string]bool{}}
	for i := 0; i+1 < len(y.Content); i += 2 {
		if err := n.keyword(y.Content[i].Value, y.Content[i+1], depth); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func (n *node) keyword(name string, value *yaml.Node, depth int) error {
	switch name {
	case "type":
		if value.Kind == yaml.ScalarNode {
			n.types = []string{value.Value}
			return nil
		}
		return value.Decode(&n.types)
	case "description":
		n.description = value.Value
	case "pattern":
		n.constraint = value.Value
	case "minimum":
		n.min = value.Value
	case "maximum":
		n.max = value.Value
	case "readOnly":
		return value.Decode(&n.readOnly)
	case "default":
		n.hasDefault = true
		if err := value.Decode(&n.value); err != nil {
			return err
		}
		n.value = normalize(n.value)
	case "enum":
		return value.Decode(&n.enum)
	case "examples":
		return value.Decode(&n.examples)
	case "required":
		var keys []string
		if err := value.Decode(&keys); err != nil {
			return err
		}
		for _, key := range keys {
			n.required[key] = true
		}
	case "items":
		below, err := parseNode(value, depth+1)
		n.items = below
		return err
	case "properties", "patternProperties":
		return n.children(name, value, depth)
	}
	return nil
}

func (n *node) children(name string, value *yaml.Node, depth int) error {
	for i := 0; i+1 < len(value.Content); i += 2 {
		key := value.Content[i].Value
		below, err := parseNode(value.Content[i+1], depth+1)
		if err != nil {
			return err
		}
		if name == "properties" {
			n.keys = append(n.keys, key)
			n.properties[key] = below
			continue
		}
		expression, err := regexp.Compile(key)
		if err != nil {
			return err
		}
		n.patterns = append(n.patterns, pattern{expression, below})
	}
	return nil
}

// below is the node of a key, nil if there is none.
func (n *node) below(key string) *node {
	if n == nil {
		return nil
	}
	if below, ok := n.properties[key]; ok {
		return below
	}
	for _, p := range n.patterns {
		if p.expression.MatchString(key) {
			return p.node
		}
	}
	return nil
}

func (n *node) element() *node {
	if n == nil {
		return nil
	}
	return n.items
}
