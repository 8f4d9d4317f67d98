package server

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

// operation is an api.Operation, and its path split at slashes.
type operation struct {
	api.Operation
	segments []string
}

// service is an api.Service with its operations at hand.
type service struct {
	api.Service
	byName map[string]*operation
}

func newService(svc api.Service) (*service, error) {
	s := &service{Service: svc, byName: map[string]*operation{}}
	for _, op := range svc.Operations() {
		if s.byName[op.Name] != nil {
			return nil, fmt.Errorf("service %s has two operations %s", svc.Name(), op.Name)
		}
		if op.Handle == nil || (svc.Protocol() == api.RESTJSON && (op.Method == "" || op.Path == "")) {
			return nil, fmt.Errorf("operation %s of %s lacks its handler, method or path", op.Name, svc.Name())
		}
		s.byName[op.Name] = &operation{Operation: op, segments: split(op.Path)}
	}
	return s, nil
}

func split(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }

// route finds the operation of a request and fills in the call. As much as can be
// told is filled in even if there is an error, for the record.
func (x *exchange) route() error {
	switch x.protocol() {
	case api.EC2Query, api.Query:
		return x.routeQuery()
	case api.JSON11:
		return x.routeTarget()
	case api.RESTJSON:
	}
	return x.routePath()
}

func (x *exchange) routeQuery() error {
	form := x.request.URL.Query()
	if x.request.Method == http.MethodPost {
		posted, err := url.ParseQuery(string(x.body))
		if err != nil {
			return api.Errorf("MalformedQueryString", "The query string contains a syntax error.")
		}
		for name, values := range posted {
			form[name] = values
		}
	}
	x.call.Operation = form.Get("Action")
	form.Del("Action")
	form.Del("Version")
	for name := range form {
		if strings.HasPrefix(name, "X-Amz-") {
			form.Del(name)
		}
	}
	x.call.Params = form
	return x.find(api.Errorf("InvalidAction", "The action %s is not valid for this web service.", x.call.Operation))
}

func (x *exchange) routeTarget() error {
	target := x.request.Header.Get("X-Amz-Target")
	x.call.Operation = target[strings.LastIndex(target, ".")+1:]
	x.call.Body = x.body
	return x.find(api.Errorf("UnknownOperationException", "Operation %s is not known", target))
}

func (x *exchange) find(unknown error) error {
	if x.service != nil {
		x.op = x.service.byName[x.call.Operation]
	}
	if x.op == nil {
		return unknown
	}
	return nil
}

// routePath takes the operation whose path fits with the fewest labels.
func (x *exchange) routePath() error {
	x.call.Body = x.body
	x.call.Params = x.request.URL.Query()
	path := x.request.URL.EscapedPath()
	if x.service != nil {
		segments := split(path)
		for _, op := range x.service.byName {
			if op.Method != x.request.Method {
				continue
			}
			labels, ok := match(op.segments, segments)
			if ok && (x.op == nil || len(labels) < len(x.call.Path)) {
				x.op, x.call.Path, x.call.Operation = op, labels, op.Name
			}
		}
	}
	if x.op == nil {
		x.call.Operation = x.request.Method + " " + x.request.URL.Path
		return api.NotFoundf("UnknownOperationException", "Unknown operation %s %s", x.request.Method, x.request.URL.Path)
	}
	return nil
}

// match compares a path with an operation's and returns the labels' values.
func match(pattern, segments []string) (map[string]string, bool) {
	if len(pattern) != len(segments) {
		return nil, false
	}
	labels := map[string]string{}
	for i, p := range pattern {
		value, err := url.PathUnescape(segments[i])
		if err != nil {
			return nil, false
		}
		label, isLabel := strings.CutPrefix(p, "{")
		switch {
		case isLabel && value != "":
			labels[strings.TrimSuffix(label, "}")] = value
		case isLabel || value != p:
			return nil, false
		}
	}
	return labels, true
}
