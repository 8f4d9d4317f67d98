package server

import (
	"encoding/json"
	"regexp"

	"kargo.dev/kargo/awssim/api"
)

// secret matches names of parameters that are not to be recorded.
var secret = regexp.MustCompile(`(?i)(secret|password|sessiontoken|security-token|securitytoken|userdata|privatekey|private_key|tokencode)`)

const (
	removed = "(removed)"
	// longest is how much of a value is recorded.
	longest = 2048
)

// redacted are the parameters of a call as they are recorded: form, path labels,
// query and the JSON body's fields, side by side.
func redacted(c *api.Call) map[string]any {
	params := map[string]any{}
	var body map[string]any
	if json.Unmarshal(c.Body, &body) == nil {
		for k, v := range body {
			params[k] = v
		}
	}
	for k, v := range c.Params {
		if len(v) == 1 {
			params[k] = v[0]
		} else {
			params[k] = v
		}
	}
	for k, v := range c.Path {
		params[k] = v
	}
	return clean(params).(map[string]any)
}

func clean(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, item := range v {
			if secret.MatchString(k) {
				v[k] = removed
			} else {
				v[k] = clean(item)
			}
		}
	case []any:
		for i, item := range v {
			v[i] = clean(item)
		}
	case string:
		if len(v) > longest {
			return v[:longest] + "..."
		}
	}
	return v
}
