package settings

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"helm.sh/helm/v4/pkg/strvals"
)

const maxExpressionBytes = 4096

var largeIndex = regexp.MustCompile(`\[\s*[0-9]{4,}`)

// ParseSet parses `--set` expressions as Helm does: key.path=value, several in
// one with commas between, {a,b} for a list, a backslash before a dot or comma
// that is meant. Later ones win.
func ParseSet(expressions ...string) (map[string]any, error) {
	return parseSet(strvals.ParseInto, expressions)
}

// ParseSet parses `--set` expressions like the function of that name, and takes
// a value as text where the schema wants text: --set tags.costCentre=4711.
func (s *Schema) ParseSet(expressions ...string) (map[string]any, error) {
	typed, err := parseSet(strvals.ParseInto, expressions)
	if err != nil {
		return nil, err
	}
	texts, err := parseSet(strvals.ParseIntoString, expressions)
	if err != nil {
		return nil, err
	}
	return s.root.retype(typed, texts).(map[string]any), nil
}

func parseSet(parse func(string, map[string]any) error, expressions []string) (map[string]any, error) {
	tree := map[string]any{}
	for _, expression := range expressions {
		if len(expression) > maxExpressionBytes || largeIndex.MatchString(expression) {
			return nil, fmt.Errorf("--set %.40q...: too long, or a list index over 999", expression)
		}
		if key, _, ok := strings.Cut(expression, "="); !ok || strings.TrimSpace(key) == "" {
			return nil, fmt.Errorf("--set %q: write it as key=value, for example nodePools.default.maxSize=5", expression)
		}
		if err := parse(expression, tree); err != nil {
			return nil, fmt.Errorf("--set %q: %w", expression, err)
		}
	}
	if path, ok := blank(tree, ""); ok {
		return nil, fmt.Errorf("--set %s: %w", path, errBlank)
	}
	return tree, nil
}

var errBlank = errors.New("blank: give it a value, or leave it out to keep the value from below")

// blank finds a null.
func blank(value any, path string) (string, bool) {
	switch v := value.(type) {
	case nil:
		return path, true
	case map[string]any:
		for key, below := range v {
			if at, ok := blank(below, Join(path, key)); ok {
				return at, true
			}
		}
	case []any:
		for i, below := range v {
			if at, ok := blank(below, fmt.Sprintf("%s[%d]", path, i)); ok {
				return at, true
			}
		}
	}
	return "", false
}

// retype takes from two readings of the same expressions, one with types and
// one with texts only, the one the schema wants. A nil node wants nothing.
func (n *node) retype(typed, text any) any {
	switch v := typed.(type) {
	case map[string]any:
		texts, ok := text.(map[string]any)
		if !ok {
			return typed
		}
		for key := range v {
			v[key] = n.below(key).retype(v[key], texts[key])
		}
		return v
	case []any:
		texts, ok := text.([]any)
		if !ok || len(texts) != len(v) {
			return typed
		}
		for i := range v {
			v[i] = n.element().retype(v[i], texts[i])
		}
		return v
	case int64, bool:
		if n != nil && len(n.types) == 1 && n.types[0] == "string" {
			return text
		}
	}
	return typed
}
