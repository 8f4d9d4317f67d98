package eks

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
)

// TestRoll replaces all nodes, one simulator start per step, and watches every
// state in between.
func TestRoll(t *testing.T) {
	m := newSim(t)
	m.withNodegroup()
	m.must("UpdateClusterVersion", object{"version": "1.35"}, inCluster("shop"), nil)
	m.clusterStatus()
	m.clusterStatus()
	m.plane.setHold(true)
	update := m.must("UpdateNodegroupVersion", object{"version": "1.35"}, inNodegroup("ng1"), nil)
	var sizes []string
	for range 20 {
		sizes = append(sizes, m.versions())
		m.plane.setHold(false)
		status := m.nodegroupStatus()
		m.plane.setHold(true)
		m.restart()
		if status == "ACTIVE" {
			break
		}
	}
	want := []string{"1.34×3", "1.34×3 1.35×1", "1.34×2 1.35×1", "1.34×2 1.35×2", "1.34×1 1.35×2", "1.34×1 1.35×3", "1.35×3"}
	if diff := cmp.Diff(want, slices.Compact(sizes)); diff != "" {
		t.Errorf("new nodes come first, one at a time: -want +got\n%s", diff)
	}
	m.plane.setHold(false)
	ng := m.ng1()
	if get(ng, "status") != "ACTIVE" || get(ng, "version") != "1.35" || get(ng, "releaseVersion") != "1.35.2-20260401" {
		t.Errorf("after the roll: %v", ng)
	}
	m.checkMembers(3)
	if got := m.updateStatus(update, url.Values{"nodegroupName": {"ng1"}}); got != "Successful" {
		t.Errorf("the update is %v", got)
	}
}

// versions counts the nodes by version: "1.34×3 1.35×1".
func (m *sim) versions() string {
	count := map[string]int{}
	for _, n := range m.nodes() {
		count[n.Version]++
	}
	var list []string
	for v, n := range count {
		list = append(list, fmt.Sprintf("%s×%d", v, n))
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func TestImageRoll(t *testing.T) {
	m := newSim(t)
	m.withNodegroup(object{"releaseVersion": "1.34.1-20251112"})
	old := m.nodes()[0].InstanceID
	m.must("UpdateNodegroupVersion", object{"releaseVersion": "1.34.4-20260224"}, inNodegroup("ng1"), nil)
	for range 10 {
		m.nodegroupStatus()
	}
	if got := m.nodegroupStatus(); got != "ACTIVE" {
		t.Errorf("it is %s", got)
	}
	m.checkMembers(3)
	if slices.ContainsFunc(m.nodes(), func(n Node) bool { return n.InstanceID == old }) {
		t.Errorf("%s was not replaced", old)
	}
	m.must("UpdateNodegroupVersion", object{"releaseVersion": "1.34.4-20260224"}, inNodegroup("ng1"), nil)
	before := m.nodes()[0].InstanceID
	if m.nodegroupStatus(); m.nodes()[0].InstanceID != before {
		t.Error("an update to what it has already replaced nodes")
	}
}

func TestNodesAreDrainedBeforeInstancesEnd(t *testing.T) {
	tests := map[string]struct {
		reason  string
		emptied bool
		wait    time.Duration
		want    int
	}{
		"Draining": {"what drains keeps its instance", false, time.Minute, 3},
		"Drained":  {"then the instance ends", true, 0, 1},
		"Stuck":    {"EKS's patience ends", false, drainTakesAtMost, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newSim(t)
			m.withNodegroup()
			m.plane.drains = true
			m.must("UpdateNodegroupConfig", object{"scalingConfig": object{"desiredSize": 1}}, inNodegroup("ng1"), nil)
			if got := m.nodegroupStatus(); got != "UPDATING" || m.group().Desired != 1 {
				t.Errorf("%s: while nodes drain it is %s, the group wants %d", tt.reason, got, m.group().Desired)
			}
			if tt.emptied {
				clear(m.plane.leaving)
			}
			m.now = m.now.Add(tt.wait)
			m.restart()
			m.settleAll(t.Context())
			if len(m.ec2.instances) != tt.want || len(m.group().Instances) != tt.want || len(m.nodes()) != 1 {
				t.Errorf("%s: %d instances, %d in the group, %d Nodes; want %d, %d, 1", tt.reason,
					len(m.ec2.instances), len(m.group().Instances), len(m.nodes()), tt.want, tt.want)
			}
			wantStatus := "ACTIVE"
			if tt.want == 3 {
				wantStatus = "UPDATING"
			}
			if got := m.nodegroupStatus(); got != wantStatus {
				t.Errorf("%s: it is %s, want %s", tt.reason, got, wantStatus)
			}
		})
	}
}

func TestIdleWritesNothing(t *testing.T) {
	m := newSim(t)
	m.withNodegroup()
	before, _ := m.nodegroupsTable("ng1")
	if err := m.store.Close(); err != nil {
		t.Fatal(err)
	}
	m.settleAll(t.Context()) // would log, and change what is kept in memory
	rec, _ := m.nodegroupsTable("ng1")
	if err := m.settleNodegroup(t.Context(), &rec, m.now); err != nil {
		t.Errorf("a look at an idle node group wrote: %v", err)
	}
	c, _ := m.clusters.Get(account, region, "shop")
	if err := m.settleCluster(t.Context(), &c, m.now); err != nil {
		t.Errorf("a look at an idle cluster wrote: %v", err)
	}
	if diff := cmp.Diff(before, rec); diff != "" {
		t.Errorf("an idle node group changed: -before +after\n%s", diff)
	}
}

func TestStartTellsTheDataPlane(t *testing.T) {
	m := newSim(t)
	m.withNodegroup()
	m.must("DescribeCluster", nil, inCluster("shop"), nil)
	m.plane.told = nil
	m.settleAll(t.Context())
	if len(m.plane.told) != 0 {
		t.Errorf("the data plane was told twice: %v", m.plane.told)
	}
	m.restart()
	m.settleAll(t.Context())
	if diff := cmp.Diff([]string{"cluster shop 1.34", "nodes ng1 3"}, m.plane.told); diff != "" {
		t.Errorf("after a start: -want +got\n%s", diff)
	}
}

// TestKilledWhileLaunching kills the simulator between starting an instance and
// noting its id.
func TestKilledWhileLaunching(t *testing.T) {
	m := newSim(t)
	m.withCluster()
	m.ec2.fail = api.Errorf("InsufficientFreeAddressesInSubnet", "no address is free")
	m.must("CreateNodegroup", nodegroupBody(), inCluster("shop"), nil)
	ng := m.ng1()
	if got := string(mustJSON(t, get(ng, "health"))); !strings.Contains(got, "InsufficientFreeAddresses") {
		t.Errorf("the node group's health is %s", got)
	}
	m.ec2.fail = nil
	rec, _ := m.nodegroupsTable("ng1")
	run, err := m.ec2.Run(account, region, m.instanceSpec(&rec, &rec.Members[0]))
	if err != nil {
		t.Fatal(err)
	}
	m.restart()
	m.settleAll(t.Context())
	m.checkMembers(3)
	if m.nodes()[0].InstanceID != run.ID {
		t.Errorf("the instance %s was forgotten", run.ID)
	}
	if got := get(m.ng1(), "health", "issues"); len(got.([]any)) != 0 {
		t.Errorf("the issue stays: %v", got)
	}
}

func (m *sim) nodegroupsTable(name string) (nodegroup, bool) {
	return m.nodegroups.Get(account, region, partID("shop", name))
}

func TestRollTakesAWSTime(t *testing.T) {
	m := newSim(t)
	m.withNodegroup(object{"releaseVersion": "1.34.1-20251112"})
	m.factor = 1
	m.restart()
	began := m.now
	m.must("UpdateNodegroupVersion", object{}, inNodegroup("ng1"), nil)
	for m.nodegroupStatus() != "ACTIVE" {
		m.now = m.now.Add(10 * time.Second)
		if m.now.Sub(began) > time.Hour {
			t.Fatal("the roll does not end")
		}
	}
	if took := m.now.Sub(began); took < 6*nodeStepTakes {
		t.Errorf("three nodes were replaced in %v", took)
	}
}
