package ec2

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

// route of a route table: one destination, one target.
type route struct {
	Destination         string `xml:"destinationCidrBlock,omitempty"`
	DestinationIPv6     string `xml:"destinationIpv6CidrBlock,omitempty"`
	PrefixListID        string `xml:"destinationPrefixListId,omitempty"`
	GatewayID           string `xml:"gatewayId,omitempty"`
	NATGatewayID        string `xml:"natGatewayId,omitempty"`
	EgressOnlyGatewayID string `xml:"egressOnlyInternetGatewayId,omitempty"`
	CarrierGatewayID    string `xml:"carrierGatewayId,omitempty"`
	InterfaceID         string `xml:"networkInterfaceId,omitempty"`
	TransitGatewayID    string `xml:"transitGatewayId,omitempty"`
	PeeringID           string `xml:"vpcPeeringConnectionId,omitempty"`
	State               string `xml:"state"`
	Origin              string `xml:"origin"`
}

// Values of a route's fields.
const (
	localGateway = "local"
	routeActive  = "active"
	// blackhole is the state of a route whose target is no more.
	blackhole   = "blackhole"
	originTable = "CreateRouteTable"
	originRoute = "CreateRoute"
)

// key is the destination, which is unique in a table.
func (r *route) key() string { return cmp.Or(r.Destination, r.DestinationIPv6, r.PrefixListID) }

// target is where the route leads.
func (r *route) target() string {
	return cmp.Or(r.GatewayID, r.NATGatewayID, r.EgressOnlyGatewayID, r.CarrierGatewayID, r.InterfaceID, r.TransitGatewayID, r.PeeringID)
}

// routeState tells whether the target of a route exists. Transit gateways and
// peerings are not simulated: their routes are active.
func (sc scope) routeState(r *route) string {
	alive := true
	id := r.target()
	switch {
	case sc.igws.owns(id):
		alive = sc.igws.any(sc, func(g *internetGateway) bool { return g.ID == id && len(g.Attachments) > 0 })
	case sc.nats.owns(id):
		alive = sc.nats.any(sc, func(n *natGateway) bool { return n.ID == id && !n.gone() })
	case sc.eigws.owns(id):
		alive = sc.eigws.any(sc, func(g *egressOnlyGateway) bool { return g.ID == id })
	case sc.cagws.owns(id):
		alive = sc.cagws.any(sc, func(g *carrierGateway) bool { return g.ID == id })
	case sc.interfaces.owns(id):
		alive = sc.interfaces.any(sc, func(n *networkInterface) bool { return n.ID == id })
	}
	if !alive {
		return blackhole
	}
	return routeActive
}

// routeOf reads a route from the request and checks that its target can be used in the table.
func (r *request) routeOf(t *routeTable) (route, error) {
	n := route{
		Destination: r.text("DestinationCidrBlock"), DestinationIPv6: r.text("DestinationIpv6CidrBlock"),
		PrefixListID: r.text("DestinationPrefixListId"), GatewayID: r.text("GatewayId"), NATGatewayID: r.text("NatGatewayId"),
		EgressOnlyGatewayID: r.text("EgressOnlyInternetGatewayId"), CarrierGatewayID: r.text("CarrierGatewayId"),
		InterfaceID: r.text("NetworkInterfaceId"), TransitGatewayID: r.text("TransitGatewayId"),
		PeeringID: r.text("VpcPeeringConnectionId"), State: routeActive, Origin: originRoute,
	}
	if r.flag("LocalTarget") {
		n.GatewayID = localGateway
	}
	if err := n.normalise(); err != nil {
		return n, err
	}
	if n.target() == "" {
		return n, api.Errorf("MissingParameter", "The request must contain exactly one of gatewayId, natGatewayId, networkInterfaceId, "+
			"vpcPeeringConnectionId, egressOnlyInternetGatewayId, transitGatewayId, localGatewayId or carrierGatewayId")
	}
	return n, r.checkTarget(&n, t)
}

// normalise checks the destination and zeroes its host bits.
func (r *route) normalise() error {
	for _, block := range []*string{&r.Destination, &r.DestinationIPv6} {
		if *block == "" {
			continue
		}
		p, err := netip.ParsePrefix(*block)
		if err != nil || p.Addr().Is4() != (block == &r.Destination) {
			return api.Errorf("InvalidParameterValue",
				"Value (%s) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block.", *block)
		}
		*block = p.Masked().String()
	}
	if r.key() == "" {
		return api.Errorf("MissingParameter", "The request must contain the parameter destinationCidrBlock or destinationIpv6CidrBlock")
	}
	return nil
}

// checkTarget checks that the target exists and is in the table's VPC.
func (sc scope) checkTarget(n *route, t *routeTable) error {
	differentNetworks := api.Errorf("InvalidParameterValue", "route table %s and network gateway %s belong to different networks", t.ID, n.target())
	switch {
	case n.GatewayID == localGateway:
		return nil
	case strings.HasPrefix(n.GatewayID, "nat-"): // AWS is forgiving
		n.GatewayID, n.NATGatewayID = "", n.GatewayID
		return sc.checkTarget(n, t)
	case n.GatewayID != "":
		g, err := sc.igws.get(sc, n.GatewayID)
		if err != nil {
			return api.Errorf("InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", n.GatewayID)
		}
		if !g.attachedTo(t.VPCID) {
			return differentNetworks
		}
	case n.NATGatewayID != "":
		g, err := sc.nats.get(sc, n.NATGatewayID)
		if err != nil || g.gone() {
			return api.Errorf("InvalidNatGatewayID.NotFound", "The natGateway ID '%s' does not exist", n.NATGatewayID)
		}
		if g.VPCID != t.VPCID {
			return differentNetworks
		}
	case n.EgressOnlyGatewayID != "":
		g, err := sc.eigws.get(sc, n.EgressOnlyGatewayID)
		if err != nil {
			return err
		}
		if !g.attachedTo(t.VPCID) {
			return differentNetworks
		}
	case n.CarrierGatewayID != "":
		_, err := sc.cagws.get(sc, n.CarrierGatewayID)
		return err
	case n.InterfaceID != "":
		_, err := sc.interfaces.get(sc, n.InterfaceID)
		return err
	}
	return nil
}

func (r *request) createRoute() (any, error) {
	t, err := r.tables.need(r, "RouteTableId")
	if err != nil {
		return nil, err
	}
	n, err := r.routeOf(t)
	if err != nil {
		return nil, err
	}
	for _, o := range t.Routes {
		switch {
		case o.key() != n.key():
		case o.target() == n.target(): // AWS answers a repetition with success
			return done()
		default:
			return nil, api.Errorf("RouteAlreadyExists", "The route identified by %s already exists.", n.key())
		}
	}
	if len(t.Routes) >= r.limit(quota.RoutesPerTable) {
		return nil, api.Errorf("RouteLimitExceeded", "The maximum number of routes has been reached.")
	}
	t.Routes = append(t.Routes, n)
	if err := r.tables.put(r.scope, t); err != nil {
		return nil, err
	}
	return done()
}

// routeIn finds the route that the request's destination names.
func (r *request) routeIn(t *routeTable) (int, error) {
	n := route{
		Destination: r.text("DestinationCidrBlock"), DestinationIPv6: r.text("DestinationIpv6CidrBlock"),
		PrefixListID: r.text("DestinationPrefixListId"),
	}
	if err := n.normalise(); err != nil {
		return 0, err
	}
	i := slices.IndexFunc(t.Routes, func(o route) bool { return o.key() == n.key() })
	if i < 0 {
		return 0, api.Errorf("InvalidRoute.NotFound",
			"no route with destination-cidr-block %s in route table %s", n.key(), t.ID)
	}
	return i, nil
}

func (r *request) replaceRoute() (any, error) {
	t, err := r.tables.need(r, "RouteTableId")
	if err != nil {
		return nil, err
	}
	i, err := r.routeIn(t)
	if err != nil {
		return nil, err
	}
	n, err := r.routeOf(t)
	if err != nil {
		return nil, err
	}
	n.Origin = t.Routes[i].Origin
	t.Routes[i] = n
	if err := r.tables.put(r.scope, t); err != nil {
		return nil, err
	}
	return done()
}

func (r *request) deleteRoute() (any, error) {
	t, err := r.tables.need(r, "RouteTableId")
	if err != nil {
		return nil, err
	}
	i, err := r.routeIn(t)
	if err != nil {
		return nil, err
	}
	if t.Routes[i].GatewayID == localGateway {
		return nil, api.Errorf("InvalidParameterValue", "cannot remove local route %s in route table %s", t.Routes[i].key(), t.ID)
	}
	t.Routes = slices.Delete(t.Routes, i, i+1)
	if err := r.tables.put(r.scope, t); err != nil {
		return nil, err
	}
	return done()
}

// extendLocalRoutes adds the local route of a VPC's new block to all of its tables.
func (sc scope) extendLocalRoutes(vpcID string, local route) error {
	local.State, local.Origin = routeActive, originTable
	for _, t := range sc.tables.where(sc, func(t *routeTable) bool { return t.VPCID == vpcID }) {
		t.Routes = append(t.Routes, local)
		if err := sc.tables.put(sc, &t); err != nil {
			return err
		}
	}
	return nil
}
