package server

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"kargo.dev/kargo/awssim/api"
)

// The kinds of faults.
const (
	faultThrottle     = "throttle"     // the service's throttling error; nothing done
	fault5xx          = "5xx"          // its internal error; nothing done
	faultAccessDenied = "accessdenied" // its authorisation error; nothing done
	faultQuota        = "quota"        // its limit error; nothing done
	faultTimeout      = "timeout"      // held for Seconds, then the connection breaks; nothing done
	faultLostAnswer   = "lostanswer"   // done, but the connection breaks instead of an answer
	faultEventual     = "eventual"     // reads lag behind writes by up to Seconds
)

// Rule injects a fault into the calls it fits; empty fields fit all.
type Rule struct {
	ID        int    `json:"id"`
	Kind      string `json:"kind"`
	Service   string `json:"service,omitempty"`
	Operation string `json:"operation,omitempty"`
	Account   string `json:"account,omitempty"`
	Region    string `json:"region,omitempty"`
	// Count is how often the fault strikes; 0 is until the rule is removed.
	Count int `json:"count,omitempty"`
	// Probability that it strikes a call that fits, 0 < p <= 1; 0 is always.
	Probability float64 `json:"probability,omitempty"`
	// Seconds a timeout holds (60 if 0), or reads lag (5 if 0).
	Seconds float64 `json:"seconds,omitempty"`
	// Code and Status replace what the kind would answer.
	Code   string `json:"code,omitempty"`
	Status int    `json:"status,omitempty"`
	// Hits is how often it struck.
	Hits int `json:"hits"`
}

func (r *Rule) validate() error {
	kinds := []string{faultThrottle, fault5xx, faultAccessDenied, faultQuota, faultTimeout, faultLostAnswer, faultEventual}
	switch {
	case !slices.Contains(kinds, r.Kind):
		return fmt.Errorf("kind %q is none of %s", r.Kind, strings.Join(kinds, ", "))
	case r.Count < 0 || r.Seconds < 0 || r.Probability < 0 || r.Probability > 1:
		return fmt.Errorf("count and seconds must not be negative, and probability is between 0 and 1")
	case r.Status != 0 && (r.Status < 400 || r.Status > 599):
		return fmt.Errorf("status %d is no error", r.Status)
	}
	return nil
}

func (r *Rule) fits(c *api.Call) bool {
	is := func(want, got string) bool { return want == "" || want == got }
	return is(r.Service, c.Service) && is(r.Operation, c.Operation) && is(r.Account, c.Caller.AccountID) && is(r.Region, c.Region) &&
		(r.Count == 0 || r.Hits < r.Count) && (r.Kind != faultEventual || isRead(c))
}

func (r *Rule) lasts(otherwise float64) time.Duration {
	if r.Seconds > 0 {
		otherwise = r.Seconds
	}
	return time.Duration(otherwise * float64(time.Second))
}

// faults are the rules in force. They are forgotten at a restart.
type faults struct {
	mu    sync.Mutex
	last  int
	rules []*Rule
	lag   lag
}

func newFaults() *faults { return &faults{lag: newLag()} }

func (f *faults) add(r Rule) Rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last++
	r.ID, r.Hits = f.last, 0
	f.rules = append(f.rules, &r)
	return r
}

// remove removes a rule, or all if id is 0, and tells whether there was one.
func (f *faults) remove(id int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := len(f.rules)
	f.rules = slices.DeleteFunc(f.rules, func(r *Rule) bool { return id == 0 || r.ID == id })
	if id == 0 {
		f.lag = newLag()
	}
	return id == 0 || len(f.rules) < before
}

func (f *faults) list() []Rule {
	f.mu.Lock()
	defer f.mu.Unlock()
	rules := make([]Rule, 0, len(f.rules))
	for _, r := range f.rules {
		rules = append(rules, *r)
	}
	return rules
}

// pick finds the first rule that strikes a call. Lagging reads count themselves.
func (f *faults) pick(c *api.Call) (Rule, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if r.fits(c) && (r.Probability == 0 || rand.Float64() < r.Probability) {
			if r.Kind != faultEventual {
				r.Hits++
			}
			return *r, true
		}
	}
	return Rule{}, false
}

func (f *faults) count(id int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.rules {
		if r.ID == id {
			r.Hits++
		}
	}
}

// withFaults handles the call, or lets a fault strike.
func (x *exchange) withFaults() answer {
	rule, struck := x.server.faults.pick(&x.call)
	if !struck {
		return x.handleObserved()
	}
	x.fault = rule.Kind
	switch rule.Kind {
	case faultTimeout:
		hold := time.NewTimer(rule.lasts(60))
		defer hold.Stop()
		select {
		case <-hold.C:
		case <-x.request.Context().Done():
		case <-x.server.done:
		}
		return answer{lost: true}
	case faultLostAnswer:
		a := x.handleObserved()
		a.lost = true
		return a
	case faultEventual:
		return x.handleLagging(rule)
	}
	return x.fail(injected(rule, x.protocol(), &x.call))
}

// injected is the error of a fault in the service's own words.
func injected(r Rule, p api.Protocol, c *api.Call) *api.Error {
	var e *api.Error
	switch r.Kind {
	case faultThrottle:
		e = throttled(p, c.Service)
	case faultAccessDenied:
		e = accessDenied(p, fmt.Sprintf("User: %s is not authorized to perform: %s:%s", c.Caller.ARN, c.Service, c.Operation))
	case faultQuota:
		e = overQuota(p, c)
	default:
		e = internalFailure(p)
		switch c.Service {
		case "iam":
			e.Code = "ServiceFailure"
		case "eks":
			e.Code = "ServerException"
		case "organizations", "servicequotas":
			e.Code = "ServiceException"
		case "account":
			e.Code = "InternalServerException"
		}
	}
	if r.Code != "" {
		e.Code = r.Code
	}
	if r.Status != 0 {
		e.HTTPStatus = r.Status
	}
	return e
}

func throttled(p api.Protocol, service string) *api.Error {
	switch {
	case p == api.EC2Query:
		return &api.Error{Code: "RequestLimitExceeded", Message: "Request limit exceeded.", HTTPStatus: http.StatusServiceUnavailable}
	case p == api.Query:
		return api.Errorf("Throttling", "Rate exceeded")
	case service == "tagging":
		return api.Errorf("ThrottledException", "Rate exceeded")
	case service == "organizations" || service == "servicequotas":
		return api.Errorf("TooManyRequestsException", "Rate exceeded")
	case service == "account":
		return &api.Error{Code: "TooManyRequestsException", Message: "Rate exceeded", HTTPStatus: http.StatusTooManyRequests}
	}
	return &api.Error{Code: "ThrottlingException", Message: "Rate exceeded", HTTPStatus: http.StatusTooManyRequests}
}

func overQuota(p api.Protocol, c *api.Call) *api.Error {
	ec2 := map[string]string{
		"CreateVpc": "VpcLimitExceeded", "AllocateAddress": "AddressLimitExceeded", "CreateNatGateway": "NatGatewayLimitExceeded",
		"CreateInternetGateway": "InternetGatewayLimitExceeded", "CreateSubnet": "SubnetLimitExceeded", "CreateRouteTable": "RouteTableLimitExceeded",
		"CreateRoute": "RouteLimitExceeded", "CreateSecurityGroup": "SecurityGroupLimitExceeded", "RunInstances": "InstanceLimitExceeded",
		"AuthorizeSecurityGroupIngress": "RulesPerSecurityGroupLimitExceeded",
	}
	const message = "The maximum number of resources of this kind has been reached."
	switch {
	case p == api.EC2Query && ec2[c.Operation] != "":
		return api.Errorf(ec2[c.Operation], message)
	case p == api.EC2Query:
		return api.Errorf("ResourceLimitExceeded", message)
	case c.Service == "iam":
		return &api.Error{Code: "LimitExceeded", Message: message, HTTPStatus: http.StatusConflict}
	case p == api.Query:
		return api.Errorf("LimitExceeded", message)
	case c.Service == "organizations":
		return api.Errorf("ConstraintViolationException", message)
	case c.Service == "servicequotas":
		return api.Errorf("QuotaExceededException", message)
	}
	return api.Errorf("ResourceLimitExceededException", message)
}
