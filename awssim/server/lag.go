package server

import (
	"maps"
	"slices"
	"strings"
	"time"

	"kargo.dev/kargo/awssim/api"
)

// lag makes reads eventually consistent while a rule of that kind is in force: a
// read answers what the same read answered before, and what was just created is
// not found by its id.
type lag struct {
	answers map[string]lagging   // by the read
	fresh   map[string]time.Time // ACCOUNT/ID → when it was created
}

type lagging struct {
	answer answer
	at     time.Time
}

func newLag() lag { return lag{answers: map[string]lagging{}, fresh: map[string]time.Time{}} }

func isRead(c *api.Call) bool {
	for _, prefix := range []string{"Describe", "List", "Get"} {
		if strings.HasPrefix(c.Operation, prefix) {
			return c.Service != "sts"
		}
	}
	return false
}

func creates(c *api.Call) bool {
	for _, prefix := range []string{"Create", "Allocate", "Run"} {
		if strings.HasPrefix(c.Operation, prefix) {
			return true
		}
	}
	return false
}

// readKey is the same for the same question by the same account.
func readKey(c *api.Call) string {
	parts := []string{c.Caller.AccountID, c.Region, c.Service, c.Operation, c.Params.Encode(), string(c.Body)}
	for _, label := range slices.Sorted(maps.Keys(c.Path)) {
		parts = append(parts, label+"="+c.Path[label])
	}
	return strings.Join(parts, "\x00")
}

// handleObserved handles the call and remembers what it created, if reads lag.
func (x *exchange) handleObserved() answer {
	a := x.handle()
	if creates(&x.call) && a.code == "" {
		x.server.faults.created(&x.call, a)
	}
	return a
}

// created remembers the ids in an answer that were not in the request.
func (f *faults) created(c *api.Call, a answer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lagging := false
	for _, r := range f.rules {
		lagging = lagging || r.Kind == faultEventual
	}
	if !lagging {
		return
	}
	given := map[string]bool{c.ID: true}
	for _, text := range texts(c) {
		given[text] = true
	}
	for _, id := range ids.FindAllString(string(a.body), -1) {
		if !given[id] {
			f.lag.fresh[c.Caller.AccountID+"/"+id] = c.Now
		}
	}
	if name := c.Params.Get("RoleName"); name != "" {
		f.lag.fresh[c.Caller.AccountID+"/"+name] = c.Now
	}
}

// handleLagging answers a read as it was a while ago.
func (x *exchange) handleLagging(rule Rule) answer {
	f, window := x.server.faults, rule.lasts(5)
	if e := f.notYet(&x.call, window); e != nil {
		f.count(rule.ID)
		return x.fail(e)
	}
	key := readKey(&x.call)
	f.mu.Lock()
	old, ok := f.lag.answers[key]
	f.mu.Unlock()
	if ok && x.call.Now.Sub(old.at) < window {
		f.count(rule.ID)
		return old.answer
	}
	x.fault = "" // answered as things are
	a := x.handle()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lag.answers[key] = lagging{a, x.call.Now}
	for k, l := range f.lag.answers {
		if x.call.Now.Sub(l.at) > 2*window {
			delete(f.lag.answers, k)
		}
	}
	return a
}

// notYet is the error of a read that names what was created a moment ago.
func (f *faults) notYet(c *api.Call, window time.Duration) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, text := range texts(c) {
		if born, ok := f.lag.fresh[c.Caller.AccountID+"/"+text]; ok && c.Now.Sub(born) < window {
			return notFound(c, text)
		}
	}
	return nil
}

func notFound(c *api.Call, id string) error {
	switch c.Service {
	case "ec2":
		codes := map[string]string{
			"vpc": "InvalidVpcID.NotFound", "subnet": "InvalidSubnetID.NotFound", "igw": "InvalidInternetGatewayID.NotFound",
			"rtb": "InvalidRouteTableID.NotFound", "sg": "InvalidGroup.NotFound", "nat": "NatGatewayNotFound",
			"eipalloc": "InvalidAllocationID.NotFound", "eni": "InvalidNetworkInterfaceID.NotFound", "i": "InvalidInstanceID.NotFound",
			"lt": "InvalidLaunchTemplateId.NotFound", "vpce": "InvalidVpcEndpointId.NotFound",
		}
		prefix, _, _ := strings.Cut(id, "-")
		if code := codes[prefix]; code != "" {
			return api.Errorf(code, "The ID '%s' does not exist", id)
		}
		return api.Errorf("InvalidParameterValue", "The ID '%s' does not exist", id)
	case "iam":
		return api.NotFoundf("NoSuchEntity", "The role with name %s cannot be found.", id)
	}
	return api.NotFoundf("ResourceNotFoundException", "%s does not exist", id)
}
