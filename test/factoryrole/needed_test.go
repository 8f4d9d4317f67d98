package factoryrole

import (
	"strings"
	"testing"

	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/internal/aws/session"
	"kargo.dev/kargo/internal/factoryrole"
	"kargo.dev/kargo/internal/preflight"
)

func questions() []preflight.ActionRequest {
	return factoryrole.Needed(session.Target{AccountID: accountID, Region: region, RoleARN: role().ARN()})
}

// unanswered is a question that AWS's simulator would answer with no.
func unanswered(s policy.Set) (need, bool) {
	for _, q := range questions() {
		context := policy.Context{}
		for key, value := range q.Context {
			context[strings.ToLower(key)] = []string{value}
		}
		for _, action := range q.Actions {
			for _, resource := range q.Resources {
				if !allows(s, policy.Request{Action: action, Resource: resource, Context: context}) {
					return need{Action: action, Resource: resource, Context: context}, true
				}
			}
		}
	}
	return need{}, false
}

// TestPreflightAsksForAll: the preflight of an account passes with the policy, and
// with no part of it left out.
func TestPreflightAsksForAll(t *testing.T) {
	if n, found := unanswered(set(t, policies(t))); found {
		t.Errorf("preflight asks for %s, which the policy denies", n)
	}
	for _, c := range changes(t, false) {
		t.Run(c.name, func(t *testing.T) {
			if _, found := unanswered(set(t, c.policies)); !found {
				t.Errorf("preflight does not see that %s is left out", c.name)
			}
		})
	}
	raised := set(t, nil)
	raised.Identity = []policy.Source{administrator(t)}
	if n, found := unanswered(raised); found {
		t.Errorf("preflight asks for %s, which even an administrator is denied", n)
	}
}

// TestPreflightAsksForWhatIsDone: it asks for the actions on the types of
// resources that calls need them on, and for no others.
func TestPreflightAsksForWhatIsDone(t *testing.T) {
	pair := func(action, resource string) string {
		if strings.HasPrefix(action, "iam:") || resource == "*" {
			return action // by name, or without a resource
		}
		kind := strings.SplitN(resource, ":", 6)[5]
		return action + " on " + kind[:max(0, strings.IndexAny(kind, "/:"))]
	}
	look := func(action string) bool { // has no resource, or all
		name := action[strings.Index(action, ":")+1:]
		return strings.HasPrefix(name, "Describe") || strings.HasPrefix(name, "List")
	}
	done, asked := map[string]bool{}, map[string]bool{}
	for _, n := range needs(t) {
		if !look(n.Action) {
			done[pair(n.Action, n.Resource)] = true
		}
	}
	for _, q := range questions() {
		for _, action := range q.Actions {
			for _, resource := range q.Resources {
				if p := pair(action, resource); !look(action) {
					asked[p] = true
				}
			}
		}
	}
	for p := range done {
		if !asked[p] {
			t.Errorf("preflight does not ask for %s", p)
		}
	}
	for p := range asked {
		if !done[p] {
			t.Errorf("preflight asks for %s, which nothing needs", p)
		}
	}
}
