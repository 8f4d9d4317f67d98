package eks

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// nodes are the Nodes of the node group as the data plane knows them.
func (m *sim) nodes() []Node {
	return m.plane.nodes[arn(account, region, "cluster/shop")+" ng1"]
}

// group is the one autoscaling group.
func (m *sim) group() Group {
	m.t.Helper()
	if len(m.groups) != 1 {
		m.t.Fatalf("there are %d autoscaling groups", len(m.groups))
	}
	for _, g := range m.groups {
		return g
	}
	return Group{}
}

// checkMembers compares all that knows the nodes.
func (m *sim) checkMembers(want int) {
	m.t.Helper()
	nodes, group := m.nodes(), m.group()
	if len(nodes) != want || len(group.Instances) != want || group.Desired != want || len(m.ec2.instances) != want {
		m.t.Fatalf("%d Nodes, %d in the group (desired %d), %d instances; want %d", len(nodes), len(group.Instances), group.Desired, len(m.ec2.instances), want)
	}
	for i, n := range nodes {
		if g := group.Instances[i]; g.ID != n.InstanceID || g.Zone != n.Zone {
			m.t.Errorf("node %s is instance %s in %s, the group says %s in %s", n.Name, n.InstanceID, n.Zone, g.ID, g.Zone)
		}
		if _, ok := m.ec2.instances[n.InstanceID]; !ok {
			m.t.Errorf("node %s has no instance", n.Name)
		}
	}
}

func TestNodegroupLife(t *testing.T) {
	m := newSim(t)
	m.withCluster()
	m.plane.setHold(true)
	created := m.must("CreateNodegroup", nodegroupBody(), inCluster("shop"), nil)
	if got := get(created, "nodegroup", "status"); got != "CREATING" {
		t.Errorf("CreateNodegroup answers %v", got)
	}
	if got := m.nodegroupStatus(); got != "CREATING" {
		t.Errorf("without Ready nodes it is %s", got)
	}
	m.checkMembers(3)
	m.plane.setHold(false)
	ng := m.ng1()
	for key, want := range map[string]any{
		"status": "ACTIVE", "version": "1.34", "releaseVersion": "1.34.4-20260224", "capacityType": "ON_DEMAND", "diskSize": 20.0,
		"nodeRepairConfig": object{"enabled": false},
		"updateConfig":     object{"maxUnavailable": 1.0},
		"scalingConfig":    object{"minSize": 1.0, "maxSize": 5.0, "desiredSize": 3.0},
		"labels":           object{"role": "worker"},
	} {
		if diff := cmp.Diff(want, get(ng, key)); diff != "" {
			t.Errorf("nodegroup.%s: -want +got\n%s", key, diff)
		}
	}
	var zones []string
	for _, n := range m.nodes() {
		zones = append(zones, n.Zone)
	}
	if diff := cmp.Diff([]string{"eu-west-1a", "eu-west-1b", "eu-west-1a"}, zones); diff != "" {
		t.Errorf("zones: -want +got\n%s", diff)
	}
	want := Node{
		Name: "ip-10-0-0-1.eu-west-1.compute.internal", InstanceID: "i-1", Zone: "eu-west-1a", InstanceType: "t3.large", Version: "1.34",
		Taints: []Taint{{Key: "gpu", Value: "yes", Effect: "NO_SCHEDULE"}},
		Labels: map[string]string{
			"role": "worker", "eks.amazonaws.com/nodegroup": "ng1", "eks.amazonaws.com/capacityType": "ON_DEMAND",
			"eks.amazonaws.com/nodegroup-image": imageID(region, "AL2023_x86_64_STANDARD", "1.34.4-20260224"),
			"topology.kubernetes.io/region":     region, "topology.kubernetes.io/zone": "eu-west-1a", "topology.k8s.aws/zone-id": "euw1-az1",
			"node.kubernetes.io/instance-type": "t3.large", "beta.kubernetes.io/instance-type": "t3.large",
			"kubernetes.io/hostname": "ip-10-0-0-1.eu-west-1.compute.internal",
			"kubernetes.io/os":       "linux", "beta.kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "beta.kubernetes.io/arch": "amd64",
		},
	}
	if diff := cmp.Diff(want, m.nodes()[0]); diff != "" {
		t.Errorf("node: -want +got\n%s", diff)
	}
	if got := m.ec2.instances["i-1"].SecurityGroupIDs; len(got) != 1 || !strings.HasPrefix(got[0], "sg-eks-cluster-sg-shop-") {
		t.Errorf("instances have the security groups %v", got)
	}
	entry := m.must("DescribeAccessEntry", nil, map[string]string{"clusterName": "shop", "principalArn": roleARN("node")}, nil)
	if got := get(entry, "accessEntry", "type"); got != "EC2_LINUX" {
		t.Errorf("the node role's entry is of type %v", got)
	}

	m.must("DeleteNodegroup", nil, inNodegroup("ng1"), nil)
	if _, err := m.try("DescribeNodegroup", nil, inNodegroup("ng1"), nil); code(err) != "ResourceNotFoundException" {
		t.Errorf("after DeleteNodegroup: %v", err)
	}
	if n := len(m.ec2.instances) + len(m.groups) + len(m.nodes()); n != 0 {
		t.Errorf("left: %v %v %v", m.ec2.instances, m.groups, m.nodes())
	}
}

func TestScale(t *testing.T) {
	m := newSim(t)
	m.withNodegroup()
	for _, desired := range []int{5, 2, 1, 4} {
		m.plane.setHold(desired > 4)
		m.must("UpdateNodegroupConfig", object{"scalingConfig": object{"minSize": 1, "maxSize": 5, "desiredSize": desired}}, inNodegroup("ng1"), nil)
		if desired > 4 {
			if got := m.nodegroupStatus(); got != "UPDATING" {
				t.Errorf("while new nodes are not Ready: %s", got)
			}
			m.plane.setHold(false)
		}
		if got := m.nodegroupStatus(); got != "ACTIVE" {
			t.Fatalf("scaled to %d it is %s", desired, got)
		}
		m.checkMembers(desired)
		perZone := map[string]int{}
		for _, n := range m.nodes() {
			perZone[n.Zone]++
		}
		if diff := perZone["eu-west-1a"] - perZone["eu-west-1b"]; diff < -1 || diff > 1 {
			t.Errorf("scaled to %d the zones hold %v", desired, perZone)
		}
	}
}

func TestAutoscalerScales(t *testing.T) {
	m := newSim(t)
	m.withNodegroup()
	group := m.group()
	group.Desired = 5
	m.groups[group.Name] = group
	m.settleAll(t.Context())
	m.checkMembers(5)
	ng := m.ng1()
	if got := get(ng, "scalingConfig", "desiredSize"); got != 5.0 {
		t.Errorf("the node group tells of %v", got)
	}
}

func TestLabelsReachNodesInPlace(t *testing.T) {
	m := newSim(t)
	m.withNodegroup()
	before := m.nodes()[0]
	m.must("UpdateNodegroupConfig", object{
		"labels": object{"addOrUpdateLabels": object{"tier": "web"}, "removeLabels": []string{"role"}},
		"taints": object{"removeTaints": []object{{"key": "gpu", "effect": "NO_SCHEDULE"}}},
	}, inNodegroup("ng1"), nil)
	after := m.nodes()[0]
	if after.InstanceID != before.InstanceID || after.Labels["tier"] != "web" || after.Labels["role"] != "" || len(after.Taints) != 0 {
		t.Errorf("node before %v and after %v", before, after)
	}
	if got := m.nodegroupStatus(); got != "ACTIVE" {
		t.Errorf("it is %s", got)
	}
}

func TestNodegroupRefuses(t *testing.T) {
	tests := map[string]refusal{
		"SameName":      {"names are unique in a cluster", "CreateNodegroup", nodegroupBody(object{"clientRequestToken": "x"}), "ResourceInUseException", "already exists"},
		"BadName":       {"EKS's law for names", "CreateNodegroup", nodegroupBody(object{"nodegroupName": "a b"}), "InvalidParameterException", "nodegroup name"},
		"Newer":         {"not newer than the control plane", "CreateNodegroup", nodegroupBody(object{"nodegroupName": "n2", "version": "1.35"}), "InvalidParameterException", "newer"},
		"WrongRelease":  {"a release of that version", "CreateNodegroup", nodegroupBody(object{"nodegroupName": "n2", "releaseVersion": "1.33.3-20250920"}), "InvalidParameterException", "Requested release version 1.33.3-20250920 is not valid for kubernetes version 1.34."},
		"OldImage":      {"CAPA's default is too old for 1.33 and later", "CreateNodegroup", nodegroupBody(object{"nodegroupName": "n2", "amiType": "AL2_x86_64"}), "InvalidParameterException", "only supported for kubernetes versions 1.32 or earlier"},
		"NoSuchType":    {"EC2's instance types", "CreateNodegroup", nodegroupBody(object{"nodegroupName": "n2", "instanceTypes": []string{"t9.huge"}}), "InvalidParameterException", "do not exist"},
		"WrongArch":     {"the image fits the type", "CreateNodegroup", nodegroupBody(object{"nodegroupName": "n2", "instanceTypes": []string{"m7g.large"}}), "InvalidParameterException", "not a valid instance type"},
		"OtherVPC":      {"subnets of the cluster's VPC", "CreateNodegroup", nodegroupBody(object{"nodegroupName": "n2", "subnets": []string{"subnet-other"}}), "InvalidParameterException", "not in the VPC"},
		"TooMany":       {"desired within max", "CreateNodegroup", nodegroupBody(object{"nodegroupName": "n2", "scalingConfig": object{"minSize": 1, "maxSize": 2, "desiredSize": 3}}), "InvalidParameterException", "desired size 3"},
		"ReservedLabel": {"labels of Kubernetes' own", "CreateNodegroup", nodegroupBody(object{"nodegroupName": "n2", "labels": object{"kubernetes.io/x": "y"}}), "InvalidParameterException", "reserved"},
		"BadTaint":      {"EKS's effects", "CreateNodegroup", nodegroupBody(object{"nodegroupName": "n2", "taints": []object{{"key": "a", "effect": "NoSchedule"}}}), "InvalidParameterException", "taint"},
		"BothBatches":   {"a number or a percentage", "CreateNodegroup", nodegroupBody(object{"nodegroupName": "n2", "updateConfig": object{"maxUnavailable": 1, "maxUnavailablePercentage": 10}}), "InvalidParameterException", "Only one of"},
		"WrongRole":     {"the role must trust EC2", "CreateNodegroup", nodegroupBody(object{"nodegroupName": "n2", "nodeRole": roleARN("cluster")}), "InvalidParameterException", "could not be assumed"},
		"ConfigTooFew":  {"desired within min", "UpdateNodegroupConfig", object{"scalingConfig": object{"desiredSize": 0}}, "InvalidParameterException", "Minimum capacity 1"},
		"ConfigNothing": {"something to change", "UpdateNodegroupConfig", object{}, "InvalidParameterException", "No changes"},
		"VersionNewer":  {"not newer than the control plane", "UpdateNodegroupVersion", object{"version": "1.35"}, "InvalidParameterException", "newer"},
		"VersionDown":   {"never down", "UpdateNodegroupVersion", object{"version": "1.33"}, "InvalidParameterException", "downgraded"},
		"NoTemplate":    {"no launch template to update", "UpdateNodegroupVersion", object{"launchTemplate": object{"id": "lt-1", "version": "2"}}, "InvalidParameterException", "launch template"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newSim(t)
			m.withNodegroup()
			m.refuses(tt, inNodegroup("ng1"))
			if got := m.nodegroupStatus(); got != "ACTIVE" || len(m.groups) != 1 {
				t.Errorf("%s: a refused call left it %s, groups %v", tt.reason, got, m.groups)
			}
		})
	}
}

func TestNodegroupOneUpdateAtATime(t *testing.T) {
	m := newSim(t)
	m.withNodegroup()
	m.plane.setHold(true)
	scale := object{"scalingConfig": object{"desiredSize": 4}, "clientRequestToken": "a"}
	first := m.must("UpdateNodegroupConfig", scale, inNodegroup("ng1"), nil)
	if again := m.must("UpdateNodegroupConfig", scale, inNodegroup("ng1"), nil); get(again, "update", "id") != get(first, "update", "id") {
		t.Error("the same call again began another update")
	}
	scale["clientRequestToken"] = "b"
	if _, err := m.try("UpdateNodegroupConfig", scale, inNodegroup("ng1"), nil); code(err) != "ResourceInUseException" {
		t.Errorf("a second update: %v", err)
	}
	m.must("DeleteNodegroup", nil, inNodegroup("ng1"), nil)
	m.settleAll(t.Context())
	if len(m.ec2.instances)+len(m.groups) != 0 {
		t.Errorf("deleted during an update, left: %v %v", m.ec2.instances, m.groups)
	}
}

func TestSkewStopsTheControlPlane(t *testing.T) {
	m := newSim(t)
	m.withCluster(object{"version": "1.33"})
	m.must("CreateNodegroup", nodegroupBody(), inCluster("shop"), nil)
	for _, v := range []string{"1.34", "1.35", "1.36"} {
		m.must("UpdateClusterVersion", object{"version": v}, inCluster("shop"), nil)
		m.clusterStatus()
		m.clusterStatus()
	}
	rec, _ := m.clusters.Get(account, region, "shop")
	if err := m.checkSkew(&rec, "1.37"); code(err) != "InvalidRequestException" || !strings.Contains(err.Error(), "Nodegroups ng1 must be updated") {
		t.Errorf("four minors ahead of the nodes: %v", err)
	}
}
