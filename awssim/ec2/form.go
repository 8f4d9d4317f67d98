package ec2

import (
	"net/url"
	"strconv"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

// form reads the parameters of a call in EC2's query protocol: lists are
// numbered from 1 (SubnetId.1), structures are dotted (EnableDnsSupport.Value).
type form struct{ url.Values }

// text is a parameter, "" if it is missing.
func (f form) text(name string) string { return f.Get(name) }

// need is a parameter that must be there.
func (f form) need(name string) (string, error) {
	if v := f.Get(name); v != "" {
		return v, nil
	}
	return "", api.Errorf("MissingParameter", "The request must contain the parameter %s", name)
}

// flag is a boolean parameter, false if it is missing.
func (f form) flag(name string) bool {
	v, _ := strconv.ParseBool(f.Get(name))
	return v
}

// number is an integer parameter, or the default if it is missing.
func (f form) number(name string, missing int) (int, error) {
	v := f.Get(name)
	if v == "" {
		return missing, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, api.Errorf("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Expecting a number.", v, name)
	}
	return n, nil
}

// list is a numbered list of plain values.
func (f form) list(name string) []string {
	var values []string
	for i := 1; ; i++ {
		key := name + "." + strconv.Itoa(i)
		if !f.Has(key) {
			return values
		}
		values = append(values, f.Get(key))
	}
}

// structs is a numbered list of structures; each is a form of its own members.
func (f form) structs(name string) []form {
	var members []form
	for i := 1; ; i++ {
		m := f.member(name + "." + strconv.Itoa(i))
		if len(m.Values) == 0 {
			return members
		}
		members = append(members, m)
	}
}

// member is a structure's members as a form.
func (f form) member(name string) form {
	m := url.Values{}
	for key, v := range f.Values {
		if rest, ok := strings.CutPrefix(key, name+"."); ok {
			m[rest] = v
		}
	}
	return form{m}
}
