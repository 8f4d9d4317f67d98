package eks

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"kargo.dev/kargo/awssim/api"
)

const (
	account = "111111111111"
	region  = "eu-west-1"
)

// fakePlane is a data plane without processes: a control plane serves and nodes
// are Ready when the test says so.
type fakePlane struct {
	mu       sync.Mutex
	hold     bool // nothing becomes ready
	clusters map[string]ControlPlane
	nodes    map[string][]Node // by ARN and node group
	told     []string
	// drains makes nodes that go stay Ready until the test empties leaving.
	drains  bool
	leaving map[string][]Node
}

func (p *fakePlane) EnsureCluster(_ context.Context, c ControlPlane) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clusters[c.ARN] = c
	p.told = append(p.told, "cluster "+c.Name+" "+c.Version)
	return nil
}

func (p *fakePlane) Status(clusterARN string) (ControlPlaneStatus, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.clusters[clusterARN]
	if !ok {
		return ControlPlaneStatus{}, false
	}
	if p.hold {
		return ControlPlaneStatus{Message: "held by the test"}, true
	}
	return ControlPlaneStatus{Ready: true, Version: c.Version, Endpoint: "https://127.0.0.1:4711", CA: []byte("pem"), Issuer: "https://127.0.0.1:4712/id"}, true
}

func (p *fakePlane) EnsureNodes(_ context.Context, clusterARN, nodegroup string, nodes []Node) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := clusterARN + " " + nodegroup
	if p.drains {
		for _, old := range p.nodes[key] {
			if !slices.ContainsFunc(nodes, func(n Node) bool { return n.Name == old.Name }) {
				p.leaving[key] = append(p.leaving[key], old)
			}
		}
	}
	p.nodes[key] = slices.Clone(nodes)
	p.told = append(p.told, fmt.Sprintf("nodes %s %d", nodegroup, len(nodes)))
	return nil
}

func (p *fakePlane) NodesReady(clusterARN, nodegroup, version string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hold {
		return 0
	}
	ready := 0
	for _, n := range slices.Concat(p.nodes[clusterARN+" "+nodegroup], p.leaving[clusterARN+" "+nodegroup]) {
		if n.Version == version {
			ready++
		}
	}
	return ready
}

func (p *fakePlane) DeleteCluster(_ context.Context, clusterARN string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.clusters, clusterARN)
	return nil
}

func (p *fakePlane) setHold(hold bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold = hold
}

// fakeEC2 is the network and the instances of one VPC.
type fakeEC2 struct {
	subnets   []Subnet
	groups    map[string]SecurityGroup
	ifaces    map[string]Interface
	instances map[string]InstanceSpec // by id
	fail      error                   // of Run
	made      int
}

func (e *fakeEC2) Subnets(acct, _ string, ids []string) ([]Subnet, error) {
	var list []Subnet
	for _, id := range ids {
		i := slices.IndexFunc(e.subnets, func(n Subnet) bool { return n.ID == id && acct == account })
		if i < 0 {
			return nil, api.Errorf("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", id)
		}
		list = append(list, e.subnets[i])
	}
	return list, nil
}

func (e *fakeEC2) CheckSecurityGroups(_, _, _ string, ids []string) error {
	for _, id := range ids {
		if id != "sg-own" {
			return api.Errorf("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
		}
	}
	return nil
}

func (e *fakeEC2) EnsureSecurityGroup(_, _ string, g SecurityGroup) (string, error) {
	e.groups["sg-"+g.Name] = g
	return "sg-" + g.Name, nil
}

func (e *fakeEC2) DeleteSecurityGroup(_, _, id string) error { delete(e.groups, id); return nil }

func (e *fakeEC2) EnsureInterface(_, _ string, i Interface) (string, error) {
	e.ifaces["eni-"+i.SubnetID] = i
	return "eni-" + i.SubnetID, nil
}

func (e *fakeEC2) DeleteInterface(_, _, id string) error { delete(e.ifaces, id); return nil }

func (e *fakeEC2) Run(_, _ string, i InstanceSpec) (Instance, error) {
	for id, old := range e.instances {
		if old.Token == i.Token {
			return e.describe(id), nil
		}
	}
	if e.fail != nil {
		return Instance{}, e.fail
	}
	e.made++
	id := fmt.Sprintf("i-%d", e.made)
	e.instances[id] = i
	return e.describe(id), nil
}

func (e *fakeEC2) describe(id string) Instance {
	return Instance{ID: id, PrivateIP: "10.0.0." + strings.TrimPrefix(id, "i-")}
}

func (e *fakeEC2) TypeExists(_, instanceType string) bool {
	return slices.Contains([]string{"t3.medium", "t3.large", "m7g.large"}, instanceType)
}

func (e *fakeEC2) Terminate(_, _ string, ids []string) error {
	for _, id := range ids {
		delete(e.instances, id)
	}
	return nil
}

type fakeGroups map[string]Group

func (g fakeGroups) Ensure(_, _ string, group Group) error {
	if old, ok := g[group.Name]; ok {
		group.Tags = old.Tags
	}
	g[group.Name] = group
	return nil
}

func (g fakeGroups) Desired(_, _, name string) (int, bool) {
	group, ok := g[name]
	return group.Desired, ok
}

func (g fakeGroups) Delete(_, _, name string) error { delete(g, name); return nil }

// fakeIAM knows roles by their name; the account is one of two.
type fakeIAM map[string]Role

func (f fakeIAM) Role(acct, name string) (Role, bool) {
	r, ok := f[name]
	return r, ok && strings.HasPrefix(r.ARN, "arn:aws:iam::"+acct+":")
}
func (f fakeIAM) UserExists(acct, name string) bool            { return acct == account && name == "anna" }
func (f fakeIAM) EnsureServiceLinkedRole(string, string) error { return nil }

func roleARN(name string) string { return "arn:aws:iam::" + account + ":role/" + name }
