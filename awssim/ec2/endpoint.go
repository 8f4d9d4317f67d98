package ec2

import (
	"cmp"
	"slices"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

// vpcEndpoint as it is stored and answered.
type vpcEndpoint struct {
	ID            string      `xml:"vpcEndpointId"`
	Type          string      `xml:"vpcEndpointType"`
	VPCID         string      `xml:"vpcId"`
	ServiceName   string      `xml:"serviceName"`
	State         string      `xml:"state"`
	Policy        string      `xml:"policyDocument,omitempty"`
	RouteTableIDs []string    `xml:"routeTableIdSet>item"`
	SubnetIDs     []string    `xml:"subnetIdSet>item"`
	Groups        []groupName `xml:"groupSet>item"`
	InterfaceIDs  []string    `xml:"networkInterfaceIdSet>item"`
	PrivateDNS    bool        `xml:"privateDnsEnabled"`
	Managed       bool        `xml:"requesterManaged"`
	Created       time.Time   `xml:"creationTimestamp"`
	OwnerID       string      `xml:"ownerId"`
	Tags          Tags        `xml:"tagSet>item"`
}

// Types of endpoints.
const (
	gatewayEndpoint   = "Gateway"
	interfaceEndpoint = "Interface"
)

func (e *vpcEndpoint) gone() bool { return e.State == stateDeleted }

func vpcEndpointKind() kind[vpcEndpoint] {
	return kind[vpcEndpoint]{
		resourceType: "vpc-endpoint", prefix: "vpce", idParam: "VpcEndpointId", set: "vpcEndpointSet",
		notFound: "InvalidVpcEndpointId.NotFound", noun: "Vpc Endpoint Id", smallestPage: 1,
		id:    func(e *vpcEndpoint) string { return e.ID },
		tags:  func(e *vpcEndpoint) *Tags { return &e.Tags },
		state: func(e *vpcEndpoint) string { return e.State },
		gone:  (*vpcEndpoint).gone,
		move: func(sc scope, e *vpcEndpoint, to string) error {
			e.State = to
			if to != stateDeleted {
				return nil
			}
			if err := sc.becomesAt(e.ID, forgotten, sc.now.Add(tombstoneFor)); err != nil {
				return err
			}
			return sc.dropInterfacesOf(e.ID)
		},
		filters: map[string]func(*vpcEndpoint) []string{
			"vpc-endpoint-id":    one(func(e *vpcEndpoint) string { return e.ID }),
			"vpc-endpoint-type":  one(func(e *vpcEndpoint) string { return e.Type }),
			"vpc-endpoint-state": one(func(e *vpcEndpoint) string { return e.State }),
			"service-name":       one(func(e *vpcEndpoint) string { return e.ServiceName }),
			"vpc-id":             one(func(e *vpcEndpoint) string { return e.VPCID }),
		},
	}
}

func (s *Service) endpointOperations() map[string]handler {
	return map[string]handler{
		"CreateVpcEndpoint":    (*request).createVPCEndpoint,
		"ModifyVpcEndpoint":    (*request).modifyVPCEndpoint,
		"DeleteVpcEndpoints":   (*request).deleteVPCEndpoints,
		"DescribeVpcEndpoints": s.endpoints.describe,
	}
}

func (r *request) createVPCEndpoint() (any, error) {
	v, err := r.vpcs.need(r, "VpcId")
	if err != nil {
		return nil, err
	}
	service, err := r.need("ServiceName")
	if err != nil {
		return nil, err
	}
	tags, err := r.newTags("vpc-endpoint")
	if err != nil {
		return nil, err
	}
	e := &vpcEndpoint{
		Type: cmp.Or(r.text("VpcEndpointType"), gatewayEndpoint), VPCID: v.ID, ServiceName: service, State: stateAvailable,
		Policy: r.text("PolicyDocument"), RouteTableIDs: r.list("RouteTableId"), SubnetIDs: r.list("SubnetId"),
		PrivateDNS: r.flag("PrivateDnsEnabled"), Created: r.stamp(), OwnerID: r.account, Tags: tags,
	}
	if err := r.checkEndpoint(e); err != nil {
		return nil, err
	}
	e, err = once(r, r.endpoints, func(id string) (*vpcEndpoint, error) {
		e.ID = id
		return e, r.makeEndpoint(e)
	})
	if err != nil {
		return nil, err
	}
	return answer{{"vpcEndpoint", *e}, {"clientToken", r.text("ClientToken")}}, nil
}

// checkEndpoint checks what a new endpoint refers to, and its quota.
func (r *request) checkEndpoint(e *vpcEndpoint) error {
	for _, id := range e.RouteTableIDs {
		t, err := r.tables.get(r.scope, id)
		if err != nil {
			return err
		}
		if t.VPCID != e.VPCID {
			return api.Errorf("InvalidParameter", "Route table %s is not in the vpc %s", id, e.VPCID)
		}
	}
	for _, id := range e.SubnetIDs {
		s, err := r.subnets.get(r.scope, id)
		if err != nil {
			return err
		}
		if s.VPCID != e.VPCID {
			return api.Errorf("InvalidParameter", "Subnet %s is not in the vpc %s", id, e.VPCID)
		}
	}
	alive := func(o *vpcEndpoint) bool { return !o.gone() && o.Type == e.Type }
	switch e.Type {
	case gatewayEndpoint:
		if r.endpoints.any(r.scope, func(o *vpcEndpoint) bool {
			return alive(o) && o.VPCID == e.VPCID && o.ServiceName == e.ServiceName && slices.ContainsFunc(o.RouteTableIDs, func(id string) bool {
				return slices.Contains(e.RouteTableIDs, id)
			})
		}) {
			return api.Errorf("RouteAlreadyExists", "route table already has a route for the service %s", e.ServiceName)
		}
		if r.endpoints.count(r.scope, alive) >= r.limit(quota.GatewayEndpoints) {
			return api.Errorf("VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached.")
		}
	case interfaceEndpoint:
		groups, err := r.interfaceGroups(e.VPCID, r.list("SecurityGroupId"))
		if err != nil {
			return err
		}
		e.Groups = groups
		if r.endpoints.count(r.scope, func(o *vpcEndpoint) bool { return alive(o) && o.VPCID == e.VPCID }) >= r.limit(quota.InterfaceEndpoints) {
			return api.Errorf("VpcEndpointLimitExceeded", "The maximum number of VPC endpoints has been reached.")
		}
	default:
		return api.Errorf("InvalidParameter", "The VPC endpoint type %s is not simulated.", e.Type)
	}
	return nil
}

// makeEndpoint writes an endpoint; that of type Interface has an interface in
// each subnet and takes a while to become available.
func (sc scope) makeEndpoint(e *vpcEndpoint) error {
	var enis []networkInterface
	for _, id := range e.SubnetIDs {
		if e.Type != interfaceEndpoint {
			break
		}
		s, err := sc.subnets.get(sc, id)
		if err != nil {
			return err
		}
		ip, err := sc.freeAddress(s)
		if err != nil {
			return err
		}
		eni := sc.newInterface(s, ip, interfaceUse{
			User: e.ID, Type: "vpc_endpoint", Description: "VPC Endpoint Interface " + e.ID, Requester: "amazon-aws", Groups: e.Groups,
		})
		e.InterfaceIDs = append(e.InterfaceIDs, eni.ID)
		enis = append(enis, eni)
	}
	if e.Type == interfaceEndpoint {
		e.State = statePending
		if err := sc.becomes(e.ID, stateAvailable, endpointTakes); err != nil {
			return err
		}
	}
	for _, eni := range enis {
		if err := sc.interfaces.put(sc, &eni); err != nil {
			return err
		}
	}
	return sc.endpoints.put(sc, e)
}

// modifyVPCEndpoint changes policy, private DNS and route tables; changes of
// the subnets and groups of an Interface endpoint are refused.
func (r *request) modifyVPCEndpoint() (any, error) {
	e, err := r.endpoints.need(r, "VpcEndpointId")
	if err != nil {
		return nil, err
	}
	for _, param := range []string{"AddSubnetId", "RemoveSubnetId", "AddSecurityGroupId", "RemoveSecurityGroupId"} {
		if len(r.list(param)) > 0 {
			return nil, api.Errorf("InvalidParameter", "The simulator does not support the parameter %s.", param)
		}
	}
	for _, id := range r.list("AddRouteTableId") {
		if _, err := r.tables.get(r.scope, id); err != nil {
			return nil, err
		}
		if !slices.Contains(e.RouteTableIDs, id) {
			e.RouteTableIDs = append(e.RouteTableIDs, id)
		}
	}
	removed := r.list("RemoveRouteTableId")
	e.RouteTableIDs = keep(e.RouteTableIDs, func(id string) bool { return !slices.Contains(removed, id) })
	if r.flag("ResetPolicy") {
		e.Policy = ""
	}
	e.Policy = cmp.Or(r.text("PolicyDocument"), e.Policy)
	if r.Has("PrivateDnsEnabled") {
		e.PrivateDNS = r.flag("PrivateDnsEnabled")
	}
	if err := r.endpoints.put(r.scope, e); err != nil {
		return nil, err
	}
	return done()
}

// unsuccessful is what an operation on many resources could not do.
type unsuccessful struct {
	ID    string    `xml:"resourceId"`
	Error itemError `xml:"error"`
}

type itemError struct {
	Code    string `xml:"code"`
	Message string `xml:"message"`
}

func (r *request) deleteVPCEndpoints() (any, error) {
	var failed []unsuccessful
	for _, id := range r.list("VpcEndpointId") {
		e, err := r.endpoints.get(r.scope, id)
		if err != nil {
			failed = append(failed, unsuccessful{id, itemError{"InvalidVpcEndpoint.NotFound", "The Vpc Endpoint Id '" + id + "' does not exist"}})
			continue
		}
		e.State = stateDeleting
		if err := r.becomes(e.ID, stateDeleted, endpointTakes); err != nil {
			return nil, err
		}
		if err := r.endpoints.put(r.scope, e); err != nil {
			return nil, err
		}
	}
	return answer{{"unsuccessful", failed}}, nil
}
