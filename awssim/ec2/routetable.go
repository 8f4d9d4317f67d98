package ec2

import (
	"slices"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

// routeTable as it is stored and answered.
type routeTable struct {
	ID           string             `xml:"routeTableId"`
	VPCID        string             `xml:"vpcId"`
	OwnerID      string             `xml:"ownerId"`
	Routes       []route            `xml:"routeSet>item"`
	Associations []tableAssociation `xml:"associationSet>item"`
	Tags         Tags               `xml:"tagSet>item"`
}

// tableAssociation binds a route table to a subnet, or makes it a VPC's main one.
type tableAssociation struct {
	ID       string    `xml:"routeTableAssociationId"`
	TableID  string    `xml:"routeTableId"`
	SubnetID string    `xml:"subnetId,omitempty"`
	Main     bool      `xml:"main"`
	State    cidrState `xml:"associationState"`
}

func (t *routeTable) main() bool {
	return slices.ContainsFunc(t.Associations, func(a tableAssociation) bool { return a.Main })
}

func routeTableKind() kind[routeTable] {
	return kind[routeTable]{
		resourceType: "route-table", prefix: "rtb", idParam: "RouteTableId", set: "routeTableSet",
		notFound: "InvalidRouteTableID.NotFound", noun: "routeTable ID",
		id:      func(t *routeTable) string { return t.ID },
		tags:    func(t *routeTable) *Tags { return &t.Tags },
		builtin: (*routeTable).main,
		show:    scope.showRoutes,
		filters: routeTableFilters(),
	}
}

func routeTableFilters() map[string]func(*routeTable) []string {
	ofRoutes := func(f func(route) string) func(*routeTable) []string {
		return func(t *routeTable) []string { return each(t.Routes, f) }
	}
	return map[string]func(*routeTable) []string{
		"route-table-id": one(func(t *routeTable) string { return t.ID }),
		"vpc-id":         one(func(t *routeTable) string { return t.VPCID }),
		"owner-id":       one(func(t *routeTable) string { return t.OwnerID }),
		"association.main": func(t *routeTable) []string {
			if t.main() {
				return []string{"true"}
			}
			return []string{"false"}
		},
		"association.subnet-id": func(t *routeTable) []string {
			return each(t.Associations, func(a tableAssociation) string { return a.SubnetID })
		},
		"association.route-table-id": func(t *routeTable) []string {
			return each(t.Associations, func(a tableAssociation) string { return a.TableID })
		},
		"association.route-table-association-id": func(t *routeTable) []string {
			return each(t.Associations, func(a tableAssociation) string { return a.ID })
		},
		"route.destination-cidr-block":      ofRoutes(func(r route) string { return r.Destination }),
		"route.destination-ipv6-cidr-block": ofRoutes(func(r route) string { return r.DestinationIPv6 }),
		"route.gateway-id":                  ofRoutes(func(r route) string { return r.GatewayID }),
		"route.nat-gateway-id":              ofRoutes(func(r route) string { return r.NATGatewayID }),
		"route.state":                       ofRoutes(func(r route) string { return r.State }),
		"route.origin":                      ofRoutes(func(r route) string { return r.Origin }),
		"route.egress-only-internet-gateway-id": ofRoutes(func(r route) string {
			return r.EgressOnlyGatewayID
		}),
	}
}

func (s *Service) routeTableOperations() map[string]handler {
	return map[string]handler{
		"CreateRouteTable":             (*request).createRouteTable,
		"DeleteRouteTable":             (*request).deleteRouteTable,
		"DescribeRouteTables":          s.tables.describe,
		"AssociateRouteTable":          (*request).associateRouteTable,
		"DisassociateRouteTable":       (*request).disassociateRouteTable,
		"ReplaceRouteTableAssociation": (*request).replaceRouteTableAssociation,
		"CreateRoute":                  (*request).createRoute,
		"ReplaceRoute":                 (*request).replaceRoute,
		"DeleteRoute":                  (*request).deleteRoute,
	}
}

// showRoutes finds out which routes lead nowhere.
func (sc scope) showRoutes(t *routeTable) {
	for i := range t.Routes {
		t.Routes[i].State = sc.routeState(&t.Routes[i])
	}
}

// newTable makes a table with the VPC's local routes, still to be written.
func (sc scope) newTable(v *vpc) routeTable {
	t := routeTable{VPCID: v.ID, OwnerID: sc.account}
	for _, a := range v.CIDRs {
		t.Routes = append(t.Routes, route{Destination: a.CIDR, GatewayID: localGateway, State: routeActive, Origin: originTable})
	}
	for _, a := range v.IPv6CIDRs {
		t.Routes = append(t.Routes, route{DestinationIPv6: a.CIDR, GatewayID: localGateway, State: routeActive, Origin: originTable})
	}
	return t
}

func newTableAssociation(tableID, subnetID string) tableAssociation {
	return tableAssociation{
		ID: newID("rtbassoc"), TableID: tableID, SubnetID: subnetID, Main: subnetID == "", State: cidrState{"associated"},
	}
}

func (sc scope) makeMainRouteTable(v *vpc) error {
	t := sc.newTable(v)
	t.ID = sc.tables.newID()
	t.Associations = []tableAssociation{newTableAssociation(t.ID, "")}
	return sc.tables.put(sc, &t)
}

func (r *request) createRouteTable() (any, error) {
	v, err := r.vpcs.need(r, "VpcId")
	if err != nil {
		return nil, err
	}
	tags, err := r.newTags("route-table")
	if err != nil {
		return nil, err
	}
	t, err := once(r, r.tables, func(id string) (*routeTable, error) {
		if r.tables.count(r.scope, func(t *routeTable) bool { return t.VPCID == v.ID }) >= r.limit(quota.RouteTablesPerVPC) {
			return nil, api.Errorf("RouteTableLimitExceeded", "The maximum number of route tables has been reached.")
		}
		t := r.newTable(v)
		t.ID, t.Tags = id, tags
		return &t, r.tables.put(r.scope, &t)
	})
	if err != nil {
		return nil, err
	}
	return answer{{"routeTable", *t}, {"clientToken", r.text("ClientToken")}}, nil
}

func (r *request) deleteRouteTable() (any, error) {
	t, err := r.tables.need(r, "RouteTableId")
	if err != nil {
		return nil, err
	}
	endpoint := r.endpoints.any(r.scope, func(e *vpcEndpoint) bool { return !e.gone() && slices.Contains(e.RouteTableIDs, t.ID) })
	if len(t.Associations) > 0 || endpoint {
		return nil, api.Errorf("DependencyViolation", "The routeTable '%s' has dependencies and cannot be deleted.", t.ID)
	}
	if err := r.tables.drop(r.scope, t.ID); err != nil {
		return nil, err
	}
	return done()
}

func (r *request) associateRouteTable() (any, error) {
	t, err := r.tables.need(r, "RouteTableId")
	if err != nil {
		return nil, err
	}
	s, err := r.subnets.need(r, "SubnetId")
	if err != nil {
		return nil, err
	}
	if s.VPCID != t.VPCID {
		return nil, api.Errorf("InvalidParameterValue", "Route table %s and subnet %s belong to different networks", t.ID, s.ID)
	}
	for _, o := range r.tables.where(r.scope, func(o *routeTable) bool { return o.VPCID == t.VPCID }) {
		for _, a := range o.Associations {
			switch {
			case a.SubnetID != s.ID:
			case o.ID == t.ID: // AWS answers the association that exists
				return answer{{"associationId", a.ID}, {"associationState", a.State}}, nil
			default:
				return nil, api.Errorf("Resource.AlreadyAssociated",
					"the specified association for route table %s conflicts with an existing association", t.ID)
			}
		}
	}
	a := newTableAssociation(t.ID, s.ID)
	t.Associations = append(t.Associations, a)
	return answer{{"associationId", a.ID}, {"associationState", a.State}}, r.tables.put(r.scope, t)
}

// association finds an association of a route table.
func (r *request) association() (*routeTable, int, error) {
	id, err := r.need("AssociationId")
	if err != nil {
		return nil, 0, err
	}
	for _, t := range r.tables.where(r.scope, func(*routeTable) bool { return true }) {
		if i := slices.IndexFunc(t.Associations, func(a tableAssociation) bool { return a.ID == id }); i >= 0 {
			return &t, i, nil
		}
	}
	return nil, 0, api.Errorf("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", id)
}

func (r *request) disassociateRouteTable() (any, error) {
	t, i, err := r.association()
	if err != nil {
		return nil, err
	}
	if t.Associations[i].Main {
		return nil, api.Errorf("InvalidParameterValue", "cannot disassociate the main route table association %s", t.Associations[i].ID)
	}
	t.Associations = slices.Delete(t.Associations, i, i+1)
	if err := r.tables.put(r.scope, t); err != nil {
		return nil, err
	}
	return done()
}

func (r *request) replaceRouteTableAssociation() (any, error) {
	from, i, err := r.association()
	if err != nil {
		return nil, err
	}
	to, err := r.tables.need(r, "RouteTableId")
	if err != nil {
		return nil, err
	}
	if from.VPCID != to.VPCID {
		return nil, api.Errorf("InvalidParameterValue", "Route tables %s and %s belong to different networks", from.ID, to.ID)
	}
	a := newTableAssociation(to.ID, from.Associations[i].SubnetID)
	body := answer{{"newAssociationId", a.ID}, {"associationState", a.State}}
	from.Associations = slices.Delete(from.Associations, i, i+1)
	if from.ID == to.ID {
		to = from
	}
	to.Associations = append(to.Associations, a)
	if err := r.tables.put(r.scope, from); err != nil {
		return nil, err
	}
	return body, r.tables.put(r.scope, to)
}

// disassociateSubnet removes a subnet that is being deleted from its route table.
func (sc scope) disassociateSubnet(subnetID string) error {
	of := func(a tableAssociation) bool { return a.SubnetID == subnetID }
	for _, t := range sc.tables.where(sc, func(t *routeTable) bool { return slices.ContainsFunc(t.Associations, of) }) {
		t.Associations = slices.DeleteFunc(t.Associations, of)
		if err := sc.tables.put(sc, &t); err != nil {
			return err
		}
	}
	return nil
}
