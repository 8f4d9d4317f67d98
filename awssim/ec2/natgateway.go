package ec2

import (
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

// natGateway as it is stored and answered.
type natGateway struct {
	ID             string       `xml:"natGatewayId"`
	VPCID          string       `xml:"vpcId"`
	SubnetID       string       `xml:"subnetId"`
	State          string       `xml:"state"`
	Connectivity   string       `xml:"connectivityType"`
	Created        time.Time    `xml:"createTime"`
	Deleted        *time.Time   `xml:"deleteTime"`
	FailureCode    string       `xml:"failureCode,omitempty"`
	FailureMessage string       `xml:"failureMessage,omitempty"`
	Addresses      []natAddress `xml:"natGatewayAddressSet>item"`
	Tags           Tags         `xml:"tagSet>item"`

	Zone string `xml:"-"`
}

type natAddress struct {
	AllocationID  string `xml:"allocationId,omitempty"`
	AssociationID string `xml:"associationId,omitempty"`
	InterfaceID   string `xml:"networkInterfaceId,omitempty"`
	PrivateIP     string `xml:"privateIp,omitempty"`
	PublicIP      string `xml:"publicIp,omitempty"`
	Primary       bool   `xml:"isPrimary"`
	Status        string `xml:"status"`
}

// Values of natGateway.Connectivity.
const (
	natPublic  = "public"
	natPrivate = "private"
)

// gone tells whether only a trace of the gateway is shown.
func (n *natGateway) gone() bool { return n.State == stateDeleted || n.State == stateFailed }

func natGatewayKind() kind[natGateway] {
	return kind[natGateway]{
		resourceType: "natgateway", label: "nat-gateway", prefix: "nat", idParam: "NatGatewayId", set: "natGatewaySet",
		notFound: "NatGatewayNotFound", noun: "Nat Gateway",
		id:    func(n *natGateway) string { return n.ID },
		tags:  func(n *natGateway) *Tags { return &n.Tags },
		state: func(n *natGateway) string { return n.State },
		gone:  (*natGateway).gone,
		move:  scope.moveNATGateway,
		filters: map[string]func(*natGateway) []string{
			"nat-gateway-id": one(func(n *natGateway) string { return n.ID }),
			"state":          one(func(n *natGateway) string { return n.State }),
			"subnet-id":      one(func(n *natGateway) string { return n.SubnetID }),
			"vpc-id":         one(func(n *natGateway) string { return n.VPCID }),
		},
	}
}

func (s *Service) natGatewayOperations() map[string]handler {
	return map[string]handler{
		"CreateNatGateway":    (*request).createNATGateway,
		"DeleteNatGateway":    (*request).deleteNATGateway,
		"DescribeNatGateways": s.nats.describe,
	}
}

func (r *request) createNATGateway() (any, error) {
	s, err := r.subnets.need(r, "SubnetId")
	if err != nil {
		return nil, err
	}
	tags, err := r.newTags("natgateway")
	if err != nil {
		return nil, err
	}
	var ip *address
	n := natGateway{VPCID: s.VPCID, SubnetID: s.ID, State: statePending, Connectivity: natPublic, Created: r.stamp(), Tags: tags, Zone: s.Zone}
	if r.text("ConnectivityType") == natPrivate {
		n.Connectivity = natPrivate
	} else if ip, err = r.addresses.need(r, "AllocationId"); err != nil {
		return nil, err
	}
	made, err := once(r, r.nats, func(id string) (*natGateway, error) {
		n.ID = id
		return &n, r.makeNATGateway(&n, s, ip)
	})
	if err != nil {
		return nil, err
	}
	return answer{{"clientToken", r.text("ClientToken")}, {"natGateway", *made}}, nil
}

// makeNATGateway writes the gateway and what it uses. As on AWS, some mistakes
// are found only while it is pending: it becomes failed.
func (sc scope) makeNATGateway(n *natGateway, s *subnet, ip *address) error {
	inZone := sc.nats.count(sc, func(o *natGateway) bool { return o.Zone == s.Zone && !o.gone() })
	if inZone >= sc.limit(quota.NATGatewaysPerZone) {
		return api.Errorf("NatGatewayLimitExceeded",
			"Performing this operation would exceed the limit of %d NAT gateways", sc.limit(quota.NATGatewaysPerZone))
	}
	n.Addresses = []natAddress{{Primary: true, Status: "associating"}}
	if ip != nil {
		n.Addresses[0].AllocationID = ip.AllocationID
		if n.FailureCode, n.FailureMessage = sc.natFailure(s.VPCID, ip); n.FailureCode != "" {
			if err := sc.becomes(n.ID, stateFailed, networkTakes); err != nil {
				return err
			}
			return sc.nats.put(sc, n)
		}
	}
	private, err := sc.freeAddress(s)
	if err != nil {
		return err
	}
	eni := sc.newInterface(s, private, interfaceUse{
		User: n.ID, Type: "nat_gateway", Description: "Interface for NAT Gateway " + n.ID, Requester: "amazon-nat-gateway",
	})
	a := &n.Addresses[0]
	a.InterfaceID, a.PrivateIP, a.Status = eni.ID, private, "succeeded"
	if err := sc.becomes(n.ID, stateAvailable, natTakes); err != nil {
		return err
	}
	if ip != nil {
		ip.associate(newID("eipassoc"), &eni)
		a.AssociationID, a.PublicIP = ip.AssociationID, ip.PublicIP
		if err := sc.addresses.put(sc, ip); err != nil {
			return err
		}
	}
	if err := sc.interfaces.put(sc, &eni); err != nil {
		return err
	}
	// The gateway goes last: sweep frees what an interface without its gateway holds.
	return sc.nats.put(sc, n)
}

// natFailure is why a public gateway in the VPC cannot work with the address.
func (sc scope) natFailure(vpcID string, ip *address) (code, message string) {
	switch {
	case !sc.vpcHasGateway(vpcID):
		return "Gateway.NotAttached", "Network " + vpcID + " has no Internet gateway attached"
	case ip.AssociationID != "":
		return "Resource.AlreadyAssociated", "Elastic IP address [" + ip.AllocationID + "] is already associated"
	}
	return "", ""
}

func (r *request) deleteNATGateway() (any, error) {
	n, err := r.nats.need(r, "NatGatewayId")
	if err != nil {
		return nil, err
	}
	if n.State == statePending || n.State == stateAvailable {
		n.State = stateDeleting
		if err := r.becomes(n.ID, stateDeleted, natDeleteTakes); err != nil {
			return nil, err
		}
		if err := r.nats.put(r.scope, n); err != nil {
			return nil, err
		}
	}
	return answer{{"natGatewayId", n.ID}}, nil
}

// moveNATGateway applies a due transition. A gateway that is deleted gives its
// interface and address back, and is shown for another hour.
func (sc scope) moveNATGateway(n *natGateway, to string) error {
	n.State = to
	if !n.gone() {
		return nil
	}
	if to == stateDeleted {
		deleted := sc.stamp()
		n.Deleted = &deleted
	}
	if err := sc.becomesAt(n.ID, forgotten, sc.now.Add(tombstoneFor)); err != nil {
		return err
	}
	return sc.dropInterfacesOf(n.ID)
}
