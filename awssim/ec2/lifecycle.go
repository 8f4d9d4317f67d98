package ec2

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"kargo.dev/kargo/awssim/api"
)

// States that resources go through.
const (
	statePending   = "pending"
	stateAvailable = "available"
	stateDeleting  = "deleting"
	stateDeleted   = "deleted"
	stateFailed    = "failed"
	// forgotten is the transition after which nothing tells of a resource.
	forgotten = "forgotten"
)

// How long AWS typically takes, and how long it shows what is no more.
const (
	networkTakes   = 2 * time.Second   // VPCs, subnets, gateways
	natTakes       = 100 * time.Second // pending to available
	natDeleteTakes = 60 * time.Second
	instanceTakes  = 15 * time.Second
	shutdownTakes  = 40 * time.Second
	endpointTakes  = 60 * time.Second
	// tombstoneFor is independent of the clock: clients look for the deleted state.
	tombstoneFor = time.Hour
)

// transition is a change of state that happens by itself. It is written before
// the state it starts from, so that no resource is stuck if the simulator is
// killed between the two; the transition of a resource that is not there is void.
type transition struct {
	ID     string
	Region string
	To     string
	At     time.Time
}

// becomes makes a resource change its state after what lasts d on AWS. A
// resource has one transition at a time; the latest counts.
func (sc scope) becomes(id, to string, d time.Duration) error {
	return sc.becomesAt(id, to, sc.now.Add(sc.clock.Takes(d)))
}

func (sc scope) becomesAt(id, to string, at time.Time) error {
	return sc.transitions.Put(sc.account, sc.region, id, transition{ID: id, Region: sc.region, To: to, At: at})
}

// settle applies the transitions that are due.
func (sc scope) settle() error {
	due := slices.DeleteFunc(sc.transitions.List(sc.account, sc.region), func(t transition) bool { return t.At.After(sc.now) })
	slices.SortStableFunc(due, func(a, b transition) int { return a.At.Compare(b.At) })
	for _, t := range due {
		if err := sc.transitions.Delete(sc.account, sc.region, t.ID); err != nil {
			return err
		}
		if err := sc.apply(t.ID, t.To); err != nil {
			return err
		}
	}
	return nil
}

func (sc scope) apply(id, to string) error {
	for _, k := range sc.kinds {
		if known, err := k.apply(sc, id, to); known || err != nil {
			return err
		}
	}
	return nil
}

// tokenLife is how long AWS remembers a client token.
const tokenLife = 24 * time.Hour

// token is a client token that makes a resource.
type token struct {
	ID      string // of the resource
	Request string // what was asked for
	At      time.Time
}

// once makes a resource at most once per client token: a repeated request gets
// the resource that the first one made. The token is written with the id of the
// resource before the resource is made, so that a killed simulator makes no second one.
func once[T any](r *request, k *kind[T], create func(id string) (*T, error)) (*T, error) {
	clientToken, id := r.text("ClientToken"), k.newID()
	if clientToken == "" {
		return create(id)
	}
	key := r.operation + " " + clientToken
	if t, ok := r.tokens.Get(r.account, r.region, key); ok && r.now.Sub(t.At) < tokenLife {
		if t.Request != r.Encode() {
			return nil, api.Errorf("IdempotentParameterMismatch",
				"The client token '%s' was used before with other parameters", clientToken)
		}
		if v, err := k.get(r.scope, t.ID); err == nil {
			return v, nil
		}
		id = t.ID
	}
	if err := r.tokens.Put(r.account, r.region, key, token{ID: id, Request: r.Encode(), At: r.now}); err != nil {
		return nil, err
	}
	return create(id)
}

// sweep removes what a simulator that was killed in the middle of a call left
// behind: parts of VPCs that do not exist, interfaces of nothing, old tokens.
func (s *Service) sweep() error {
	now := s.clock.Now()
	errs := []error{
		sweepKind(s, s.tables, func(sc scope, t *routeTable) error {
			return unless(sc.hasVPC(t.VPCID), func() error { return s.tables.drop(sc, t.ID) })
		}),
		sweepKind(s, s.groups, func(sc scope, g *securityGroup) error {
			return unless(sc.hasVPC(g.VPCID), func() error { return sc.dropGroup(g.ID) })
		}),
		sweepKind(s, s.rules, func(sc scope, r *securityGroupRule) error {
			_, err := s.groups.get(sc, r.GroupID)
			return unless(err == nil, func() error { return s.rules.drop(sc, r.ID) })
		}),
		sweepKind(s, s.acls, func(sc scope, a *networkACL) error {
			return unless(sc.hasVPC(a.VPCID), func() error { return s.acls.drop(sc, a.ID) })
		}),
		sweepKind(s, s.interfaces, func(sc scope, n *networkInterface) error {
			return unless(sc.hasUser(n), func() error { return sc.dropInterface(n.ID) })
		}),
		sweepKind(s, s.addresses, func(sc scope, a *address) error {
			_, err := s.interfaces.get(sc, a.InterfaceID)
			return unless(a.InterfaceID == "" || err == nil, func() error { return sc.unbind(a) })
		}),
	}
	for key, t := range s.tokens.All() {
		if now.Sub(t.At) >= tokenLife {
			errs = append(errs, s.tokens.Delete(key.Account, key.Region, key.ID))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("sweep the state: %w", err)
	}
	return nil
}

func sweepKind[T any](s *Service, k *kind[T], look func(scope, *T) error) error {
	for key, v := range k.table.All() {
		if err := look(scope{Service: s, account: key.Account, region: key.Region, now: s.clock.Now().UTC()}, &v); err != nil {
			return err
		}
	}
	return nil
}

// unless removes what should not be kept.
func unless(keep bool, remove func() error) error {
	if keep {
		return nil
	}
	return remove()
}
