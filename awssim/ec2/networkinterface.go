package ec2

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

// networkInterface as it is stored and answered.
type networkInterface struct {
	ID               string                `xml:"networkInterfaceId"`
	SubnetID         string                `xml:"subnetId"`
	VPCID            string                `xml:"vpcId"`
	Zone             string                `xml:"availabilityZone"`
	Description      string                `xml:"description"`
	OwnerID          string                `xml:"ownerId"`
	RequesterID      string                `xml:"requesterId,omitempty"`
	RequesterManaged bool                  `xml:"requesterManaged"`
	Status           string                `xml:"status"`
	Type             string                `xml:"interfaceType"`
	MAC              string                `xml:"macAddress"`
	PrivateIP        string                `xml:"privateIpAddress"`
	PrivateIPs       []interfaceIP         `xml:"privateIpAddressesSet>item"`
	PrivateDNS       string                `xml:"privateDnsName"`
	SourceDestCheck  bool                  `xml:"sourceDestCheck"`
	Groups           []groupName           `xml:"groupSet>item"`
	Attachment       *interfaceAttachment  `xml:"attachment"`
	Association      *interfaceAssociation `xml:"association"`
	Tags             Tags                  `xml:"tagSet>item"`

	// User is the id of what AWS made the interface for, "eks:NAME" for a cluster; "" for a user's own.
	User string `xml:"-"`
}

type interfaceIP struct {
	IP      string `xml:"privateIpAddress"`
	DNS     string `xml:"privateDnsName"`
	Primary bool   `xml:"primary"`
}

// groupName refers to a security group.
type groupName struct {
	ID   string `xml:"groupId"`
	Name string `xml:"groupName"`
}

type interfaceAttachment struct {
	ID                  string    `xml:"attachmentId"`
	InstanceID          string    `xml:"instanceId,omitempty"`
	InstanceOwner       string    `xml:"instanceOwnerId"`
	DeviceIndex         int       `xml:"deviceIndex"`
	Status              string    `xml:"status"`
	AttachTime          time.Time `xml:"attachTime"`
	DeleteOnTermination bool      `xml:"deleteOnTermination"`
}

type interfaceAssociation struct {
	PublicIP      string `xml:"publicIp"`
	OwnerID       string `xml:"ipOwnerId"`
	AllocationID  string `xml:"allocationId"`
	AssociationID string `xml:"associationId"`
}

// clusterUser is the User of an EKS cluster's interfaces.
const clusterUser = "eks:"

func networkInterfaceKind() kind[networkInterface] {
	return kind[networkInterface]{
		resourceType: "network-interface", prefix: "eni", idParam: "NetworkInterfaceId", set: "networkInterfaceSet",
		notFound: "InvalidNetworkInterfaceID.NotFound", noun: "networkInterface ID",
		id:    func(n *networkInterface) string { return n.ID },
		tags:  func(n *networkInterface) *Tags { return &n.Tags },
		state: func(n *networkInterface) string { return n.Status },
		filters: map[string]func(*networkInterface) []string{
			"network-interface-id": one(func(n *networkInterface) string { return n.ID }),
			"subnet-id":            one(func(n *networkInterface) string { return n.SubnetID }),
			"vpc-id":               one(func(n *networkInterface) string { return n.VPCID }),
			"availability-zone":    one(func(n *networkInterface) string { return n.Zone }),
			"description":          one(func(n *networkInterface) string { return n.Description }),
			"owner-id":             one(func(n *networkInterface) string { return n.OwnerID }),
			"requester-id":         one(func(n *networkInterface) string { return n.RequesterID }),
			"requester-managed":    yesNo(func(n *networkInterface) bool { return n.RequesterManaged }),
			"status":               one(func(n *networkInterface) string { return n.Status }),
			"interface-type":       one(func(n *networkInterface) string { return n.Type }),
			"private-ip-address":   one(func(n *networkInterface) string { return n.PrivateIP }),
			"addresses.private-ip-address": func(n *networkInterface) []string {
				return each(n.PrivateIPs, func(a interfaceIP) string { return a.IP })
			},
			"group-id":   func(n *networkInterface) []string { return each(n.Groups, func(g groupName) string { return g.ID }) },
			"group-name": func(n *networkInterface) []string { return each(n.Groups, func(g groupName) string { return g.Name }) },
			"attachment.instance-id": func(n *networkInterface) []string {
				if n.Attachment == nil {
					return nil
				}
				return []string{n.Attachment.InstanceID}
			},
			"association.public-ip": func(n *networkInterface) []string {
				if n.Association == nil {
					return nil
				}
				return []string{n.Association.PublicIP}
			},
		},
	}
}

func (s *Service) networkInterfaceOperations() map[string]handler {
	return map[string]handler{
		"CreateNetworkInterface":    (*request).createNetworkInterface,
		"DeleteNetworkInterface":    (*request).deleteNetworkInterface,
		"DescribeNetworkInterfaces": s.interfaces.describe,
	}
}

// interfaceUse is what a network interface is for.
type interfaceUse struct {
	User        string
	Type        string // interface, nat_gateway, vpc_endpoint
	Description string
	Requester   string // AWS's service that manages it, "" for a user
	Instance    string
	Groups      []groupName
	Tags        Tags
}

// newInterface makes an interface, still to be written.
func (sc scope) newInterface(s *subnet, ip string, use interfaceUse) networkInterface {
	dns := sc.privateDNS(ip)
	n := networkInterface{
		ID: sc.interfaces.newID(), SubnetID: s.ID, VPCID: s.VPCID, Zone: s.Zone, Description: use.Description, OwnerID: sc.account,
		RequesterID: use.Requester, RequesterManaged: use.Requester != "", Status: stateAvailable, Type: use.Type, MAC: newMAC(),
		PrivateIP: ip, PrivateIPs: []interfaceIP{{ip, dns, true}}, PrivateDNS: dns,
		SourceDestCheck: use.Type != "nat_gateway", Groups: use.Groups, Tags: use.Tags, User: use.User,
	}
	if use.User != "" {
		owner := use.Requester
		if use.Instance != "" {
			owner = sc.account
		}
		n.Status = "in-use"
		n.Attachment = &interfaceAttachment{
			ID: newID("eni-attach"), InstanceID: use.Instance, InstanceOwner: owner,
			Status: "attached", AttachTime: sc.stamp(), DeleteOnTermination: true,
		}
	}
	return n
}

func newMAC() string {
	var b [5]byte
	_, _ = rand.Read(b[:]) // never fails, see its documentation
	return fmt.Sprintf("0a:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4])
}

// privateDNS is the name that AWS gives an address: ip-10-0-1-23.REGION.compute.internal.
func (sc scope) privateDNS(ip string) string {
	domain := sc.region + ".compute.internal"
	if sc.region == "us-east-1" {
		domain = "ec2.internal"
	}
	return "ip-" + strings.ReplaceAll(ip, ".", "-") + "." + domain
}

// hasUser tells whether what an interface is for exists. Of clusters EC2 knows nothing.
func (sc scope) hasUser(n *networkInterface) bool {
	var err error
	switch {
	case sc.nats.owns(n.User):
		_, err = sc.nats.get(sc, n.User)
	case sc.instances.owns(n.User):
		_, err = sc.instances.get(sc, n.User)
	case sc.endpoints.owns(n.User):
		_, err = sc.endpoints.get(sc, n.User)
	}
	return err == nil
}

// dropInterface removes an interface and frees its public address.
func (sc scope) dropInterface(id string) error {
	for _, a := range sc.addresses.where(sc, func(a *address) bool { return a.InterfaceID == id }) {
		a.release()
		if err := sc.addresses.put(sc, &a); err != nil {
			return err
		}
	}
	return sc.interfaces.drop(sc, id)
}

// dropInterfacesOf removes all interfaces made for something.
func (sc scope) dropInterfacesOf(user string) error {
	for _, n := range sc.interfaces.where(sc, func(n *networkInterface) bool { return n.User == user }) {
		if err := sc.dropInterface(n.ID); err != nil {
			return err
		}
	}
	return nil
}

// interfaceGroups resolves security group ids for interfaces in a VPC; the
// VPC's default group if there are none.
func (sc scope) interfaceGroups(vpcID string, ids []string) ([]groupName, error) {
	if len(ids) == 0 {
		for _, g := range sc.groups.where(sc, func(g *securityGroup) bool { return g.VPCID == vpcID && g.Name == defaultGroup }) {
			return []groupName{{g.ID, g.Name}}, nil
		}
	}
	if len(ids) > sc.limit(quota.GroupsPerInterface) {
		return nil, api.Errorf("SecurityGroupsPerInterfaceLimitExceeded",
			"The maximum number of security groups per interface has been reached.")
	}
	var groups []groupName
	for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
		g, err := sc.groups.get(sc, id)
		if err != nil {
			return nil, err
		}
		if g.VPCID != vpcID {
			return nil, api.Errorf("InvalidParameter", "Security group %s and subnet belong to different networks.", id)
		}
		groups = append(groups, groupName{g.ID, g.Name})
	}
	return groups, nil
}

func (r *request) createNetworkInterface() (any, error) {
	s, err := r.subnets.need(r, "SubnetId")
	if err != nil {
		return nil, err
	}
	tags, err := r.newTags("network-interface")
	if err != nil {
		return nil, err
	}
	groups, err := r.interfaceGroups(s.VPCID, r.list("SecurityGroupId"))
	if err != nil {
		return nil, err
	}
	n, err := once(r, r.interfaces, func(id string) (*networkInterface, error) {
		ip, err := r.freeAddress(s)
		if err != nil {
			return nil, err
		}
		n := r.newInterface(s, ip, interfaceUse{Type: "interface", Description: r.text("Description"), Groups: groups, Tags: tags})
		n.ID = id
		return &n, r.interfaces.put(r.scope, &n)
	})
	if err != nil {
		return nil, err
	}
	return answer{{"clientToken", r.text("ClientToken")}, {"networkInterface", *n}}, nil
}

func (r *request) deleteNetworkInterface() (any, error) {
	n, err := r.interfaces.need(r, "NetworkInterfaceId")
	if err != nil {
		return nil, err
	}
	if n.User != "" {
		return nil, api.Errorf("InvalidNetworkInterface.InUse", "Network interface '%s' is currently in use.", n.ID)
	}
	if err := r.dropInterface(n.ID); err != nil {
		return nil, err
	}
	return done()
}
