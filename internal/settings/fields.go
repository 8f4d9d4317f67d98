package settings

import "iter"

// Placeholder stands for a name of one's own choice in the path of a Field:
// nodePools.<name>.maxSize.
const Placeholder = "<name>"

// Field is one setting that exists, or a map of settings.
type Field struct {
	Path        string
	Types       []string
	Description string
	Default     any
	HasDefault  bool
	// ReadOnly fields are set by KARGO itself.
	ReadOnly bool
	// Required where the map it is in exists.
	Required           bool
	Enum               []any
	Examples           []any
	Pattern            string
	Minimum, Maximum   string
	Children, Elements bool // has keys below it; is a list
}

// Fields lists all settings in the order of the schema, a map before its keys.
func (s *Schema) Fields() iter.Seq[Field] {
	return func(yield func(Field) bool) { s.root.walk("", yield) }
}

func (n *node) walk(parent string, yield func(Field) bool) bool {
	for _, key := range n.keys {
		if !n.properties[key].emit(Join(parent, key), n.required[key], yield) {
			return false
		}
	}
	for _, p := range n.patterns {
		if !p.node.emit(Join(parent, Placeholder), false, yield) {
			return false
		}
	}
	return true
}

func (n *node) emit(path string, required bool, yield func(Field) bool) bool {
	field := Field{
		Path: path, Types: n.types, Description: n.description,
		Default: n.value, HasDefault: n.hasDefault, ReadOnly: n.readOnly, Required: required,
		Enum: n.enum, Examples: n.examples, Pattern: n.constraint, Minimum: n.min, Maximum: n.max,
		Children: len(n.keys)+len(n.patterns) > 0, Elements: n.items != nil,
	}
	if !yield(field) {
		return false
	}
	if n.items != nil && !n.items.walk(path+"[]", yield) {
		return false
	}
	return n.walk(path, yield)
}
