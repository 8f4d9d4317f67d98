package ec2

import (
	"encoding/xml"
	"errors"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/eks"
	"kargo.dev/kargo/awssim/store"
)

const (
	testAccount = "111111111111"
	testRegion  = "eu-central-1"
)

// lab is a service with a clock that stands still unless it is put forward.
type lab struct {
	*Service
	t     *testing.T
	store *store.Store
	path  string
	now   time.Time
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{t: t, path: filepath.Join(t.TempDir(), "state.db"), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	l.open()
	t.Cleanup(func() { _ = l.store.Close() })
	return l
}

func (l *lab) open() {
	l.t.Helper()
	var err error
	if l.store, err = store.Open(l.path); err != nil {
		l.t.Fatal(err)
	}
	if l.Service, err = New(Options{Store: l.store, Clock: api.Clock{Now: func() time.Time { return l.now }}}); err != nil {
		l.t.Fatal(err)
	}
}

// restart opens the state anew, as a simulator that was killed does.
func (l *lab) restart() {
	l.t.Helper()
	if err := l.store.Close(); err != nil {
		l.t.Fatal(err)
	}
	l.open()
}

// call calls an operation and decodes its answer.
func call[T any](l *lab, operation string, params ...string) (T, error) {
	l.t.Helper()
	var out T
	form := url.Values{}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	for _, op := range l.Operations() {
		if op.Name != operation {
			continue
		}
		v, err := op.Handle(l.t.Context(), &api.Call{
			Operation: operation, Region: testRegion, Caller: api.Identity{AccountID: testAccount}, Params: form, Now: l.now,
		})
		if err != nil {
			return out, err
		}
		body, err := xml.Marshal(v)
		if err != nil {
			l.t.Fatal(err)
		}
		return out, xml.Unmarshal(body, &out)
	}
	l.t.Fatalf("there is no operation %s", operation)
	return out, nil
}

func ok[T any](l *lab) func(T, error) T {
	l.t.Helper()
	return func(v T, err error) T {
		l.t.Helper()
		if err != nil {
			l.t.Fatal(err)
		}
		return v
	}
}

type nothing struct{}

func code(err error) string {
	var e *api.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// network makes a VPC with one subnet.
func (l *lab) network() (vpcID, subnetID string) {
	l.t.Helper()
	v := ok[struct {
		VPC vpc `xml:"vpc"`
	}](l)(call[struct {
		VPC vpc `xml:"vpc"`
	}](l, "CreateVpc", "CidrBlock", "10.0.0.0/16"))
	s := ok[struct {
		Subnet subnet `xml:"subnet"`
	}](l)(call[struct {
		Subnet subnet `xml:"subnet"`
	}](l, "CreateSubnet", "VpcId", v.VPC.ID, "CidrBlock", "10.0.1.0/24"))
	return v.VPC.ID, s.Subnet.ID
}

// made lists what somebody made.
func (l *lab) made() (types []string) {
	for _, r := range l.Inventory(testAccount) {
		if !r.Builtin {
			types = append(types, r.Type)
		}
	}
	return types
}

func TestForEKS(t *testing.T) {
	l := newLab(t)
	vpcID, subnetID := l.network()
	e := l.ForEKS()
	subnets := ok[[]eks.Subnet](l)(e.Subnets(testAccount, testRegion, []string{subnetID}))
	want := []eks.Subnet{{ID: subnetID, VPCID: vpcID, Zone: "eu-central-1a", ZoneID: "euc1-az1", CIDR: "10.0.1.0/24"}}
	if diff := cmp.Diff(want, subnets); diff != "" {
		t.Errorf("subnets: -want +got\n%s", diff)
	}
	group := eks.SecurityGroup{VPCID: vpcID, Name: "eks-cluster-sg-c1-1", Description: "EKS", Tags: map[string]string{"aws:eks:cluster-name": "c1"}}
	sg := ok[string](l)(e.EnsureSecurityGroup(testAccount, testRegion, group))
	if again := ok[string](l)(e.EnsureSecurityGroup(testAccount, testRegion, group)); again != sg {
		t.Errorf("a second security group %s beside %s", again, sg)
	}
	eni := eks.Interface{SubnetID: subnetID, Description: "Amazon EKS c1", SecurityGroupIDs: []string{sg}}
	id := ok[string](l)(e.EnsureInterface(testAccount, testRegion, eni))
	if again := ok[string](l)(e.EnsureInterface(testAccount, testRegion, eni)); again != id {
		t.Errorf("a second interface %s beside %s", again, id)
	}
	spec := eks.InstanceSpec{Token: "ng1-0", SubnetID: subnetID, InstanceType: "t3.large", SecurityGroupIDs: []string{sg}, Tags: map[string]string{"a": "b"}}
	node := ok[eks.Instance](l)(e.Run(testAccount, testRegion, spec))
	l.restart()
	e = l.ForEKS()
	if again := ok[eks.Instance](l)(e.Run(testAccount, testRegion, spec)); again != node {
		t.Errorf("a second instance %+v beside %+v", again, node)
	}
	if want := "ip-10-0-1-5.eu-central-1.compute.internal"; node.PrivateDNSName != want {
		t.Errorf("the node is called %s, want %s", node.PrivateDNSName, want)
	}
	for name, tc := range map[string]struct {
		reason string
		err    error
		want   string
	}{
		"Subnet":    {"a subnet with the control plane's interface", second(call[nothing](l, "DeleteSubnet", "SubnetId", subnetID)), "DependencyViolation"},
		"Group":     {"a group that interfaces use", e.DeleteSecurityGroup(testAccount, testRegion, sg), "DependencyViolation"},
		"Interface": {"an interface that EKS manages", second(call[nothing](l, "DeleteNetworkInterface", "NetworkInterfaceId", id)), "InvalidNetworkInterface.InUse"},
		"Type":      {"an unknown instance type", second(e.Run(testAccount, testRegion, eks.InstanceSpec{Token: "x", SubnetID: subnetID, InstanceType: "t3.colossal"})), "InvalidParameterValue"},
		"Region":    {"another region has nothing of it", e.CheckSecurityGroups(testAccount, "us-east-1", vpcID, []string{sg}), "InvalidGroup.NotFound"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := code(tc.err); got != tc.want {
				t.Errorf("%s: got %v, want %s", tc.reason, tc.err, tc.want)
			}
		})
	}
	for _, err := range []error{
		e.Terminate(testAccount, testRegion, []string{node.ID, "i-0"}),
		e.DeleteInterface(testAccount, testRegion, id),
		e.DeleteInterface(testAccount, testRegion, id),
		e.DeleteSecurityGroup(testAccount, testRegion, sg),
		e.DeleteSecurityGroup(testAccount, testRegion, sg),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{"subnet", "vpc"}, l.made()); diff != "" {
		t.Errorf("what is left: -want +got\n%s", diff)
	}
}

// second is the error of two results.
func second[T any](_ T, err error) error { return err }

func TestTerminatedInstancesAreShownForAnHour(t *testing.T) {
	l := newLab(t)
	_, subnetID := l.network()
	node := ok[eks.Instance](l)(l.ForEKS().Run(testAccount, testRegion, eks.InstanceSpec{Token: "t", SubnetID: subnetID, InstanceType: "t3.large"}))
	if err := l.ForEKS().Terminate(testAccount, testRegion, []string{node.ID}); err != nil {
		t.Fatal(err)
	}
	type described struct {
		States []string `xml:"reservationSet>item>instancesSet>item>instanceState>name"`
	}
	for _, step := range []struct {
		forward time.Duration
		want    []string
	}{{0, []string{"terminated"}}, {59 * time.Minute, []string{"terminated"}}, {2 * time.Minute, nil}} {
		l.now = l.now.Add(step.forward)
		got := ok[described](l)(call[described](l, "DescribeInstances"))
		if diff := cmp.Diff(step.want, got.States); diff != "" {
			t.Errorf("after %s more: -want +got\n%s", step.forward, diff)
		}
	}
}

func TestSweep(t *testing.T) {
	l := newLab(t)
	_, subnetID := l.network()
	sc := scope{Service: l.Service, account: testAccount, region: testRegion, now: l.now}
	s := ok[*subnet](l)(l.subnets.get(sc, subnetID))
	// What calls leave behind that are killed just before their last write.
	lost := vpc{ID: "vpc-lost", CIDRs: []cidrAssociation{{CIDR: "10.1.0.0/16"}}}
	if err := errors.Join(sc.makeMainRouteTable(&lost), sc.makeDefaultACL(lost.ID), sc.makeDefaultGroup(lost.ID)); err != nil {
		t.Fatal(err)
	}
	ip := address{AllocationID: "eipalloc-0", PublicIP: "198.18.0.1"}
	eni := sc.newInterface(s, "10.0.1.9", interfaceUse{User: "nat-lost"})
	ip.associate("eipassoc-0", &eni)
	half := sc.newInterface(s, "10.0.1.10", interfaceUse{User: "i-lost"})
	if err := errors.Join(l.addresses.put(sc, &ip), l.interfaces.put(sc, &eni), l.interfaces.put(sc, &half)); err != nil {
		t.Fatal(err)
	}
	before := len(l.Inventory(testAccount))
	l.restart()
	after := map[string]int{}
	for _, r := range l.Inventory(testAccount) {
		after[r.Type]++
	}
	want := map[string]int{"dhcp-options": 1, "elastic-ip": 1, "network-acl": 1, "route-table": 1, "security-group": 1, "subnet": 1, "vpc": 1}
	if diff := cmp.Diff(want, after); diff != "" {
		t.Errorf("of %d resources are left: -want +got\n%s", before, diff)
	}
	sc.Service = l.Service
	if a := ok[*address](l)(l.addresses.get(sc, "eipalloc-0")); a.AssociationID != "" {
		t.Errorf("the address is still associated: %+v", a)
	}
}

func TestWorld(t *testing.T) {
	w := newLab(t).world
	seen := map[string]bool{}
	for _, r := range w.regions {
		if len(r.zones) < 2 || seen[r.zones[0].ID] {
			t.Errorf("%s has too few zones, or their ids are another region's", r.Name)
		}
		seen[r.zones[0].ID] = true
	}
	// The kubelet's limits as AWS publishes them (eni-max-pods.txt of amazon-eks-ami).
	for name, want := range map[string]int{"t3.small": 11, "t3.medium": 17, "t3.large": 35, "m5.large": 29, "m5.xlarge": 58, "c6g.medium": 8, "m5.24xlarge": 250} {
		v, ok := w.instanceType(name)
		if !ok || v.MaxPods() != want {
			t.Errorf("%s runs %d pods, want %d", name, v.MaxPods(), want)
		}
	}
}
