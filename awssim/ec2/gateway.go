package ec2

import (
	"slices"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

// attachment of a gateway to a VPC.
type attachment struct {
	State string `xml:"state"`
	VPCID string `xml:"vpcId"`
}

// internetGateway as it is stored and answered.
type internetGateway struct {
	ID          string       `xml:"internetGatewayId"`
	OwnerID     string       `xml:"ownerId"`
	Attachments []attachment `xml:"attachmentSet>item"`
	Tags        Tags         `xml:"tagSet>item"`
}

// egressOnlyGateway as it is stored and answered.
type egressOnlyGateway struct {
	ID          string       `xml:"egressOnlyInternetGatewayId"`
	Attachments []attachment `xml:"attachmentSet>item"`
	Tags        Tags         `xml:"tagSet>item"`
}

// carrierGateway as it is stored and answered.
type carrierGateway struct {
	ID      string `xml:"carrierGatewayId"`
	OwnerID string `xml:"ownerId"`
	VPCID   string `xml:"vpcId"`
	State   string `xml:"state"`
	Tags    Tags   `xml:"tagSet>item"`
}

func attached(list []attachment, vpcID string) bool {
	return slices.ContainsFunc(list, func(a attachment) bool { return a.VPCID == vpcID })
}

func (g *internetGateway) attachedTo(vpcID string) bool   { return attached(g.Attachments, vpcID) }
func (g *egressOnlyGateway) attachedTo(vpcID string) bool { return attached(g.Attachments, vpcID) }

func internetGatewayKind() kind[internetGateway] {
	return kind[internetGateway]{
		resourceType: "internet-gateway", prefix: "igw", idParam: "InternetGatewayId", set: "internetGatewaySet",
		notFound: "InvalidInternetGatewayID.NotFound", noun: "internetGateway ID",
		id:   func(g *internetGateway) string { return g.ID },
		tags: func(g *internetGateway) *Tags { return &g.Tags },
		filters: map[string]func(*internetGateway) []string{
			"internet-gateway-id": one(func(g *internetGateway) string { return g.ID }),
			"owner-id":            one(func(g *internetGateway) string { return g.OwnerID }),
			"attachment.vpc-id": func(g *internetGateway) []string {
				return each(g.Attachments, func(a attachment) string { return a.VPCID })
			},
			"attachment.state": func(g *internetGateway) []string {
				return each(g.Attachments, func(a attachment) string { return a.State })
			},
		},
	}
}

func egressOnlyGatewayKind() kind[egressOnlyGateway] {
	return kind[egressOnlyGateway]{
		resourceType: "egress-only-internet-gateway", prefix: "eigw",
		idParam: "EgressOnlyInternetGatewayId", set: "egressOnlyInternetGatewaySet",
		notFound: "InvalidEgressOnlyInternetGatewayID.NotFound", noun: "egressOnlyInternetGateway ID",
		id:   func(g *egressOnlyGateway) string { return g.ID },
		tags: func(g *egressOnlyGateway) *Tags { return &g.Tags },
	}
}

func carrierGatewayKind() kind[carrierGateway] {
	return kind[carrierGateway]{
		resourceType: "carrier-gateway", prefix: "cagw", idParam: "CarrierGatewayId", set: "carrierGatewaySet",
		notFound: "InvalidCarrierGatewayID.NotFound", noun: "carrierGateway ID",
		id:    func(g *carrierGateway) string { return g.ID },
		tags:  func(g *carrierGateway) *Tags { return &g.Tags },
		state: func(g *carrierGateway) string { return g.State },
		filters: map[string]func(*carrierGateway) []string{
			"carrier-gateway-id": one(func(g *carrierGateway) string { return g.ID }),
			"owner-id":           one(func(g *carrierGateway) string { return g.OwnerID }),
			"state":              one(func(g *carrierGateway) string { return g.State }),
			"vpc-id":             one(func(g *carrierGateway) string { return g.VPCID }),
		},
	}
}

func (s *Service) gatewayOperations() map[string]handler {
	return map[string]handler{
		"CreateInternetGateway":              (*request).createInternetGateway,
		"AttachInternetGateway":              (*request).attachInternetGateway,
		"DetachInternetGateway":              (*request).detachInternetGateway,
		"DeleteInternetGateway":              (*request).deleteInternetGateway,
		"DescribeInternetGateways":           s.igws.describe,
		"CreateEgressOnlyInternetGateway":    (*request).createEgressOnlyGateway,
		"DeleteEgressOnlyInternetGateway":    (*request).deleteEgressOnlyGateway,
		"DescribeEgressOnlyInternetGateways": s.eigws.describe,
		"CreateCarrierGateway":               (*request).createCarrierGateway,
		"DeleteCarrierGateway":               (*request).deleteCarrierGateway,
		"DescribeCarrierGateways":            s.cagws.describe,
	}
}

func (r *request) createInternetGateway() (any, error) {
	tags, err := r.newTags("internet-gateway")
	if err != nil {
		return nil, err
	}
	if r.igws.count(r.scope, func(*internetGateway) bool { return true }) >= r.limit(quota.InternetGateways) {
		return nil, api.Errorf("InternetGatewayLimitExceeded", "The maximum number of internet gateways has been reached.")
	}
	g := internetGateway{ID: r.igws.newID(), OwnerID: r.account, Tags: tags}
	return answer{{"internetGateway", g}}, r.igws.put(r.scope, &g)
}

// gatewayAndVPC are what Attach- and DetachInternetGateway name.
func (r *request) gatewayAndVPC() (*internetGateway, *vpc, error) {
	g, err := r.igws.need(r, "InternetGatewayId")
	if err != nil {
		return nil, nil, err
	}
	v, err := r.vpcs.need(r, "VpcId")
	return g, v, err
}

func (r *request) attachInternetGateway() (any, error) {
	g, v, err := r.gatewayAndVPC()
	if err != nil {
		return nil, err
	}
	if len(g.Attachments) > 0 {
		return nil, api.Errorf("Resource.AlreadyAssociated",
			"resource %s is already attached to network %s", g.ID, g.Attachments[0].VPCID)
	}
	if r.vpcHasGateway(v.ID) {
		return nil, api.Errorf("InvalidParameterValue", "Network %s already has an internet gateway attached", v.ID)
	}
	g.Attachments = []attachment{{stateAvailable, v.ID}}
	if err := r.igws.put(r.scope, g); err != nil {
		return nil, err
	}
	return done()
}

func (sc scope) vpcHasGateway(vpcID string) bool {
	return sc.igws.any(sc, func(g *internetGateway) bool { return g.attachedTo(vpcID) })
}

func (r *request) detachInternetGateway() (any, error) {
	g, v, err := r.gatewayAndVPC()
	if err != nil {
		return nil, err
	}
	if !g.attachedTo(v.ID) {
		return nil, api.Errorf("Gateway.NotAttached", "resource %s is not attached to network %s", g.ID, v.ID)
	}
	if r.interfaces.any(r.scope, func(n *networkInterface) bool { return n.VPCID == v.ID && n.Association != nil }) {
		return nil, api.Errorf("DependencyViolation",
			"Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", v.ID)
	}
	g.Attachments = nil
	if err := r.igws.put(r.scope, g); err != nil {
		return nil, err
	}
	return done()
}

func (r *request) deleteInternetGateway() (any, error) {
	g, err := r.igws.need(r, "InternetGatewayId")
	if err != nil {
		return nil, err
	}
	if len(g.Attachments) > 0 {
		return nil, api.Errorf("DependencyViolation",
			"The internetGateway '%s' has dependencies and cannot be deleted.", g.ID)
	}
	if err := r.igws.drop(r.scope, g.ID); err != nil {
		return nil, err
	}
	return done()
}

func (r *request) createEgressOnlyGateway() (any, error) {
	v, err := r.vpcs.need(r, "VpcId")
	if err != nil {
		return nil, err
	}
	tags, err := r.newTags("egress-only-internet-gateway")
	if err != nil {
		return nil, err
	}
	g, err := once(r, r.eigws, func(id string) (*egressOnlyGateway, error) {
		if r.eigws.count(r.scope, func(*egressOnlyGateway) bool { return true }) >= r.limit(quota.EgressOnlyGateways) {
			return nil, api.Errorf("EgressOnlyInternetGatewayLimitExceeded",
				"The maximum number of egress-only internet gateways has been reached.")
		}
		if r.eigws.any(r.scope, func(g *egressOnlyGateway) bool { return g.attachedTo(v.ID) }) {
			return nil, api.Errorf("InvalidParameterValue", "Network %s already has an egress-only internet gateway attached", v.ID)
		}
		g := &egressOnlyGateway{ID: id, Attachments: []attachment{{"attached", v.ID}}, Tags: tags}
		return g, r.eigws.put(r.scope, g)
	})
	if err != nil {
		return nil, err
	}
	return answer{{"clientToken", r.text("ClientToken")}, {"egressOnlyInternetGateway", *g}}, nil
}

func (r *request) deleteEgressOnlyGateway() (any, error) {
	g, err := r.eigws.need(r, "EgressOnlyInternetGatewayId")
	if err != nil {
		return nil, err
	}
	return answer{{"returnCode", true}}, r.eigws.drop(r.scope, g.ID)
}

func (r *request) createCarrierGateway() (any, error) {
	v, err := r.vpcs.need(r, "VpcId")
	if err != nil {
		return nil, err
	}
	tags, err := r.newTags("carrier-gateway")
	if err != nil {
		return nil, err
	}
	g, err := once(r, r.cagws, func(id string) (*carrierGateway, error) {
		g := &carrierGateway{ID: id, OwnerID: r.account, VPCID: v.ID, State: stateAvailable, Tags: tags}
		return g, r.cagws.put(r.scope, g)
	})
	if err != nil {
		return nil, err
	}
	return answer{{"carrierGateway", *g}}, nil
}

func (r *request) deleteCarrierGateway() (any, error) {
	g, err := r.cagws.need(r, "CarrierGatewayId")
	if err != nil {
		return nil, err
	}
	g.State = stateDeleted
	return answer{{"carrierGateway", *g}}, r.cagws.drop(r.scope, g.ID)
}
