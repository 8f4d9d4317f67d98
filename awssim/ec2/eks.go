package ec2

import (
	"errors"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/eks"
)

// ForEKS is what EKS does in the customer's network: it makes security groups
// and network interfaces of control planes, and runs nodes. Calls of it need no
// permission and count as AWS's own.
type ForEKS struct {
	service *Service
}

var (
	_ eks.Network   = ForEKS{}
	_ eks.Instances = ForEKS{}
)

// ForEKS returns the service as EKS uses it.
func (s *Service) ForEKS() ForEKS { return ForEKS{s} }

// do runs f in the account's turn.
func (e ForEKS) do(account, region string, f func(sc scope) error) error {
	sc, done, err := e.service.enter(account, region, e.service.clock.Now())
	if err != nil {
		return err
	}
	defer done()
	return f(sc)
}

// Subnets implements eks.Network.
func (e ForEKS) Subnets(account, region string, ids []string) (list []eks.Subnet, err error) {
	err = e.do(account, region, func(sc scope) error {
		for _, id := range ids {
			s, err := sc.subnets.get(sc, id)
			if err != nil {
				return err
			}
			list = append(list, eks.Subnet{ID: s.ID, VPCID: s.VPCID, Zone: s.Zone, ZoneID: s.ZoneID, CIDR: s.CIDR})
		}
		return nil
	})
	return list, err
}

// CheckSecurityGroups implements eks.Network.
func (e ForEKS) CheckSecurityGroups(account, region, vpcID string, ids []string) error {
	return e.do(account, region, func(sc scope) error {
		for _, id := range ids {
			g, err := sc.groups.get(sc, id)
			if err != nil {
				return err
			}
			if g.VPCID != vpcID {
				return api.Errorf("InvalidParameter", "Security group %s is not in the vpc %s", id, vpcID)
			}
		}
		return nil
	})
}

// EnsureSecurityGroup implements eks.Network.
func (e ForEKS) EnsureSecurityGroup(account, region string, g eks.SecurityGroup) (id string, err error) {
	err = e.do(account, region, func(sc scope) error {
		if _, err := sc.vpcs.get(sc, g.VPCID); err != nil {
			return err
		}
		for _, o := range sc.groups.where(sc, func(o *securityGroup) bool { return o.VPCID == g.VPCID && o.Name == g.Name }) {
			id = o.ID
			return nil
		}
		n := securityGroup{ID: sc.groups.newID(), Name: g.Name, Description: g.Description, VPCID: g.VPCID, Tags: newTags(g.Tags)}
		id = n.ID
		return sc.makeGroup(&n, sc.membersRule(n.ID))
	})
	return id, err
}

// DeleteSecurityGroup implements eks.Network. A group that does not exist is no
// error; one in use is a DependencyViolation.
func (e ForEKS) DeleteSecurityGroup(account, region, id string) error {
	return e.do(account, region, func(sc scope) error {
		if _, err := sc.groups.get(sc, id); err != nil {
			return nil
		}
		if sc.groupInUse(id) {
			return api.Errorf("DependencyViolation", "resource %s has a dependent object", id)
		}
		return sc.dropGroup(id)
	})
}

// EnsureInterface implements eks.Network.
func (e ForEKS) EnsureInterface(account, region string, i eks.Interface) (id string, err error) {
	err = e.do(account, region, func(sc scope) error {
		s, err := sc.subnets.get(sc, i.SubnetID)
		if err != nil {
			return err
		}
		user := clusterUser + i.Description
		for _, n := range sc.interfaces.where(sc, func(n *networkInterface) bool { return n.SubnetID == s.ID && n.User == user }) {
			id = n.ID
			return nil
		}
		groups, err := sc.interfaceGroups(s.VPCID, i.SecurityGroupIDs)
		if err != nil {
			return err
		}
		ip, err := sc.freeAddress(s)
		if err != nil {
			return err
		}
		n := sc.newInterface(s, ip, interfaceUse{
			User: user, Type: "interface", Description: i.Description, Requester: "amazon-eks", Groups: groups, Tags: newTags(i.Tags),
		})
		id = n.ID
		return sc.interfaces.put(sc, &n)
	})
	return id, err
}

// DeleteInterface implements eks.Network. One that does not exist is no error.
func (e ForEKS) DeleteInterface(account, region, id string) error {
	return e.do(account, region, func(sc scope) error { return sc.dropInterface(id) })
}

// Run implements eks.Instances.
func (e ForEKS) Run(account, region string, i eks.InstanceSpec) (started eks.Instance, err error) {
	err = e.do(account, region, func(sc scope) error {
		v, err := sc.runNode(i)
		if err != nil {
			return err
		}
		started = eks.Instance{ID: v.ID, PrivateIP: v.PrivateIP, PrivateDNSName: v.PrivateDNS}
		return nil
	})
	return started, err
}

// runNode starts an instance once per token.
func (sc scope) runNode(i eks.InstanceSpec) (*instance, error) {
	for _, v := range sc.instances.where(sc, func(v *instance) bool { return i.Token != "" && v.ClientToken == i.Token }) {
		return &v, nil
	}
	s, err := sc.subnets.get(sc, i.SubnetID)
	if err != nil {
		return nil, err
	}
	groups, err := sc.interfaceGroups(s.VPCID, i.SecurityGroupIDs)
	if err != nil {
		return nil, err
	}
	return sc.launch(launch{
		ID: sc.instances.newID(), ReservationID: newID("r"), Subnet: s, Type: i.InstanceType, ImageID: i.ImageID,
		ClientToken: i.Token, Groups: groups, Spot: i.Spot, Tags: newTags(i.Tags),
	})
}

// TypeExists implements eks.Instances. The simulator offers its types in all regions it knows.
func (e ForEKS) TypeExists(region, instanceType string) bool {
	_, ok := e.service.world.instanceType(instanceType)
	return ok && len(e.service.world.zones(region)) > 0
}

// Terminate implements eks.Instances.
func (e ForEKS) Terminate(account, region string, ids []string) error {
	return e.do(account, region, func(sc scope) error {
		var errs []error
		for _, id := range ids {
			if i, err := sc.instances.get(sc, id); err == nil {
				errs = append(errs, sc.terminate(i))
			}
		}
		return errors.Join(errs...)
	})
}
