package ec2

import (
	"crypto/rand"
	"fmt"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

// address is an Elastic IP address as it is stored and answered.
type address struct {
	AllocationID  string `xml:"allocationId"`
	PublicIP      string `xml:"publicIp"`
	Domain        string `xml:"domain"`
	Pool          string `xml:"publicIpv4Pool"`
	BorderGroup   string `xml:"networkBorderGroup"`
	AssociationID string `xml:"associationId,omitempty"`
	InterfaceID   string `xml:"networkInterfaceId,omitempty"`
	InterfaceOwns string `xml:"networkInterfaceOwnerId,omitempty"`
	InstanceID    string `xml:"instanceId,omitempty"`
	PrivateIP     string `xml:"privateIpAddress,omitempty"`
	Tags          Tags   `xml:"tagSet>item"`
}

func addressKind() kind[address] {
	return kind[address]{
		resourceType: "elastic-ip", prefix: "eipalloc", idParam: "AllocationId", set: "addressesSet",
		notFound: "InvalidAllocationID.NotFound", noun: "allocation ID",
		id:   func(a *address) string { return a.AllocationID },
		tags: func(a *address) *Tags { return &a.Tags },
		filters: map[string]func(*address) []string{
			"allocation-id":              one(func(a *address) string { return a.AllocationID }),
			"association-id":             one(func(a *address) string { return a.AssociationID }),
			"public-ip":                  one(func(a *address) string { return a.PublicIP }),
			"domain":                     one(func(a *address) string { return a.Domain }),
			"instance-id":                one(func(a *address) string { return a.InstanceID }),
			"network-interface-id":       one(func(a *address) string { return a.InterfaceID }),
			"network-interface-owner-id": one(func(a *address) string { return a.InterfaceOwns }),
			"private-ip-address":         one(func(a *address) string { return a.PrivateIP }),
			"network-border-group":       one(func(a *address) string { return a.BorderGroup }),
		},
	}
}

func (s *Service) addressOperations() map[string]handler {
	return map[string]handler{
		"AllocateAddress":     (*request).allocateAddress,
		"AssociateAddress":    (*request).associateAddress,
		"DisassociateAddress": (*request).disassociateAddress,
		"ReleaseAddress":      (*request).releaseAddress,
		"DescribeAddresses":   (*request).describeAddresses,
	}
}

// associate binds the address to an interface; both are still to be written.
func (a *address) associate(id string, eni *networkInterface) {
	a.AssociationID, a.InterfaceID, a.InterfaceOwns, a.PrivateIP = id, eni.ID, eni.OwnerID, eni.PrivateIP
	if eni.Attachment != nil {
		a.InstanceID = eni.Attachment.InstanceID
	}
	eni.Association = &interfaceAssociation{
		PublicIP: a.PublicIP, OwnerID: eni.OwnerID, AllocationID: a.AllocationID, AssociationID: id,
	}
}

// release unbinds the address from its interface.
func (a *address) release() {
	a.AssociationID, a.InterfaceID, a.InterfaceOwns, a.PrivateIP, a.InstanceID = "", "", "", "", ""
}

func (r *request) allocateAddress() (any, error) {
	tags, err := r.newTags("elastic-ip")
	if err != nil {
		return nil, err
	}
	if d := r.text("Domain"); d != "" && d != "vpc" {
		return nil, api.Errorf("InvalidParameterValue", "Value (%s) for parameter domain is invalid. Only vpc is supported.", d)
	}
	if r.addresses.count(r.scope, func(*address) bool { return true }) >= r.limit(quota.ElasticIPs) {
		return nil, api.Errorf("AddressLimitExceeded", "The maximum number of addresses has been reached.")
	}
	a := address{
		AllocationID: r.addresses.newID(), PublicIP: r.newPublicIP(), Domain: "vpc",
		Pool: "amazon", BorderGroup: r.region, Tags: tags,
	}
	if err := r.addresses.put(r.scope, &a); err != nil {
		return nil, err
	}
	return answer{
		{"allocationId", a.AllocationID}, {"publicIp", a.PublicIP}, {"domain", a.Domain},
		{"publicIpv4Pool", a.Pool}, {"networkBorderGroup", a.BorderGroup},
	}, nil
}

// newPublicIP is a random address out of 198.18.0.0/15, which is nobody's
// (RFC 2544), so that no simulated address is ever a real host's.
func (sc scope) newPublicIP() string {
	for {
		var b [3]byte
		_, _ = rand.Read(b[:]) // never fails, see its documentation
		ip := fmt.Sprintf("198.%d.%d.%d", 18+b[0]%2, b[1], b[2])
		if !sc.addresses.any(sc, func(a *address) bool { return a.PublicIP == ip }) {
			return ip
		}
	}
}

func (r *request) associateAddress() (any, error) {
	a, err := r.addresses.need(r, "AllocationId")
	if err != nil {
		return nil, err
	}
	interfaceID := r.text("NetworkInterfaceId")
	if id := r.text("InstanceId"); id != "" {
		i, err := r.instances.get(r.scope, id)
		if err != nil {
			return nil, err
		}
		interfaceID = i.InterfaceID
	}
	eni, err := r.interfaces.get(r.scope, interfaceID)
	if err != nil {
		return nil, err
	}
	if a.AssociationID != "" && !r.flag("AllowReassociation") {
		return nil, api.Errorf("Resource.AlreadyAssociated",
			"resource %s is already associated with associate-id %s", a.AllocationID, a.AssociationID)
	}
	if !r.vpcHasGateway(eni.VPCID) {
		return nil, api.Errorf("Gateway.NotAttached", "Network %s is not attached to any internet gateway", eni.VPCID)
	}
	if err := r.unbind(a); err != nil {
		return nil, err
	}
	a.associate(newID("eipassoc"), eni)
	if err := r.interfaces.put(r.scope, eni); err != nil {
		return nil, err
	}
	return answer{{"return", true}, {"associationId", a.AssociationID}}, r.addresses.put(r.scope, a)
}

// unbind removes the association of an address from both ends.
func (sc scope) unbind(a *address) error {
	if eni, err := sc.interfaces.get(sc, a.InterfaceID); err == nil {
		eni.Association = nil
		if err := sc.interfaces.put(sc, eni); err != nil {
			return err
		}
	}
	a.release()
	return sc.addresses.put(sc, a)
}

func (r *request) disassociateAddress() (any, error) {
	id, err := r.need("AssociationId")
	if err != nil {
		return nil, err
	}
	bound := r.addresses.where(r.scope, func(a *address) bool { return a.AssociationID == id })
	if len(bound) == 0 {
		return nil, api.Errorf("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", id)
	}
	eni, err := r.interfaces.get(r.scope, bound[0].InterfaceID)
	if err == nil && eni.RequesterManaged {
		return nil, api.Errorf("AuthFailure", "You do not have permission to access the specified resource.")
	}
	if err := r.unbind(&bound[0]); err != nil {
		return nil, err
	}
	return done()
}

func (r *request) releaseAddress() (any, error) {
	a, err := r.addresses.need(r, "AllocationId")
	if err != nil {
		return nil, err
	}
	if a.AssociationID != "" {
		return nil, api.Errorf("InvalidIPAddress.InUse", "Address %s is in use.", a.PublicIP)
	}
	if err := r.addresses.drop(r.scope, a.AllocationID); err != nil {
		return nil, err
	}
	return done()
}

// describeAddresses may also name addresses by IP; it has no pages.
func (r *request) describeAddresses() (any, error) {
	for _, ip := range r.list("PublicIp") {
		if !r.addresses.any(r.scope, func(a *address) bool { return a.PublicIP == ip }) {
			return nil, api.Errorf("InvalidAddress.NotFound", "Address '%s' not found.", ip)
		}
	}
	list, _, err := r.addresses.find(r)
	if err != nil {
		return nil, err
	}
	if ips := r.list("PublicIp"); len(ips) > 0 {
		byIP := filter{values: ips}
		list = keep(list, func(a address) bool { return byIP.matches([]string{a.PublicIP}) })
	}
	return answer{{"addressesSet", list}}, nil
}
