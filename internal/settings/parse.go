package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"go.yaml.in/yaml/v3"
)

// Bounds of a document: far above what people write, far below what hurts.
const (
	MaxDocumentBytes = 256 << 10
	maxDepth         = 16
	maxNodes         = 20_000
)

// Document is a parsed YAML document of settings.
type Document struct {
	Values map[string]any
	// Lines of the keys, by path; the first line is 1.
	Lines map[string]int
}

// Line of the key at a path, or of the nearest key above it.
func (d Document) Line(path string) int {
	keys := Split(path)
	for n := len(keys); n > 0; n-- {
		at := ""
		for _, key := range keys[:n] {
			at = Join(at, key)
		}
		if line, ok := d.Lines[at]; ok {
			return line
		}
	}
	return 1
}

// LineError is an error at a line of a document.
type LineError struct {
	Line int
	Err  error
}

// Error implements error.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap gives the error without its line.
func (e *LineError) Unwrap() error { return e.Err }

// ParseYAML parses one YAML document; an empty one holds no settings.
func ParseYAML(data []byte) (Document, error) {
	if len(data) > MaxDocumentBytes {
		return Document{}, fmt.Errorf("larger than %d bytes", MaxDocumentBytes)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var root yaml.Node
	if err := decoder.Decode(&root); err != nil {
		if errors.Is(err, io.EOF) {
			return FromNode(nil)
		}
		return Document{}, err
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Document{}, errors.New("more than one YAML document: settings are one")
	}
	return FromNode(root.Content[0])
}

// FromNode takes settings from a part of a YAML document. A nil or null node
// holds no settings.
func FromNode(node *yaml.Node) (Document, error) {
	d := Document{Values: map[string]any{}, Lines: map[string]int{}}
	if node == nil || node.Kind == 0 || node.Tag == "!!null" {
		return d, nil
	}
	nodes := 0
	value, err := d.value(node, "", 0, &nodes)
	if err != nil {
		return Document{}, err
	}
	tree, ok := value.(map[string]any)
	if !ok {
		return Document{}, &LineError{node.Line, errors.New("settings are a map of keys and values")}
	}
	d.Values = tree
	return d, nil
}

func (d Document) value(node *yaml.Node, path string, depth int, nodes *int) (any, error) {
	if *nodes++; depth > maxDepth || *nodes > maxNodes {
		return nil, &LineError{node.Line, fmt.Errorf("deeper than %d levels or more than %d values", maxDepth, maxNodes)}
	}
	switch node.Kind {
	case yaml.MappingNode:
		return d.mapping(node, path, depth, nodes)
	case yaml.SequenceNode:
		list := make([]any, 0, len(node.Content))
		for i, item := range node.Content {
			value, err := d.value(item, fmt.Sprintf("%s[%d]", path, i), depth+1, nodes)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		return list, nil
	case yaml.ScalarNode:
		return scalar(node)
	default:
		return nil, &LineError{node.Line, errors.New("anchors and aliases are not allowed in settings: write the value out")}
	}
}

func (d Document) mapping(node *yaml.Node, path string, depth int, nodes *int) (any, error) {
	out := make(map[string]any, len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" || key.Value == "" {
			return nil, &LineError{key.Line, errors.New("a key must be a word")}
		}
		if _, ok := out[key.Value]; ok {
			return nil, &LineError{key.Line, fmt.Errorf("%s is given twice", Join(path, key.Value))}
		}
		at := Join(path, key.Value)
		d.Lines[at] = key.Line
		value, err := d.value(node.Content[i+1], at, depth+1, nodes)
		if err != nil {
			return nil, err
		}
		out[key.Value] = value
	}
	return out, nil
}

func scalar(node *yaml.Node) (any, error) {
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, &LineError{node.Line, err}
	}
	switch v := value.(type) {
	case int:
		return int64(v), nil
	case uint64, time.Time:
		// A number beyond int64 is no number anybody counts with; a date is text.
		return node.Value, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, &LineError{node.Line, fmt.Errorf("%s is no number that can be used", node.Value)}
		}
		return v, nil
	case nil, string, bool, int64:
		return v, nil
	default:
		return nil, &LineError{node.Line, fmt.Errorf("a value of YAML type %s is not allowed", node.Tag)}
	}
}

// ParseJSON parses settings from JSON, such as spec.settings of a cluster.
func ParseJSON(data []byte) (map[string]any, error) {
	if len(data) > MaxDocumentBytes {
		return nil, fmt.Errorf("settings larger than %d bytes", MaxDocumentBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var tree map[string]any
	if err := decoder.Decode(&tree); err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("settings: more than one JSON value")
	}
	return Normalize(tree), nil
}

// Normalize gives a copy of a tree with int64 and float64 as its only numbers.
func Normalize(tree map[string]any) map[string]any {
	out := make(map[string]any, len(tree))
	for key, value := range tree {
		out[key] = normalize(value)
	}
	return out
}

func normalize(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return Normalize(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = normalize(v[i])
		}
		return out
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case int:
		return int64(v)
	case int32:
		return int64(v)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
		return v
	default:
		return v
	}
}
