package eks

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

func TestClusterLife(t *testing.T) {
	m := newSim(t)
	m.plane.setHold(true)
	created := m.must("CreateCluster", clusterBody(), nil, nil)
	if got := get(created, "cluster", "status"); got != "CREATING" {
		t.Errorf("CreateCluster answers status %v", got)
	}
	if got := m.clusterStatus(); got != "CREATING" {
		t.Errorf("a control plane that does not serve is %s", got)
	}
	m.plane.setHold(false)
	cluster := m.shop()
	for key, want := range map[string]any{
		"status": "ACTIVE", "version": "1.34", "endpoint": "https://127.0.0.1:4711", "arn": "arn:aws:eks:eu-west-1:111111111111:cluster/shop",
		"certificateAuthority":    object{"data": "cGVt"},
		"identity":                object{"oidc": object{"issuer": "https://127.0.0.1:4712/id"}},
		"kubernetesNetworkConfig": object{"serviceIpv4Cidr": "172.20.0.0/16", "ipFamily": "ipv4"},
		"upgradePolicy":           object{"supportType": "EXTENDED"},
		"accessConfig":            object{"authenticationMode": "API_AND_CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": true},
		"logging":                 object{"clusterLogging": []any{object{"enabled": false, "types": []any{"api", "audit", "authenticator", "controllerManager", "scheduler"}}}},
	} {
		if diff := cmp.Diff(want, get(cluster, key)); diff != "" {
			t.Errorf("cluster.%s: -want +got\n%s", key, diff)
		}
	}
	if want := (ControlPlane{ARN: "arn:aws:eks:eu-west-1:111111111111:cluster/shop", Name: "shop", AccountID: account, Region: region, Version: "1.34", ServiceCIDR: "172.20.0.0/16"}); want != m.plane.clusters[want.ARN] {
		t.Errorf("the data plane was told %+v", m.plane.clusters)
	}
	group, _ := get(cluster, "resourcesVpcConfig", "clusterSecurityGroupId").(string)
	if got := m.ec2.groups[group].Tags["aws:eks:cluster-name"]; got != "shop" {
		t.Errorf("the cluster security group %q is tagged %q", group, got)
	}
	if len(m.ec2.ifaces) != 2 {
		t.Errorf("the control plane has %d network interfaces, want 2", len(m.ec2.ifaces))
	}
	entries := m.must("ListAccessEntries", nil, inCluster("shop"), nil)
	if diff := cmp.Diff([]any{"arn:aws:iam::111111111111:role/kargo/factory"}, get(entries, "accessEntries")); diff != "" {
		t.Errorf("entries of a new cluster: -want +got\n%s", diff)
	}

	if got := get(m.must("DeleteCluster", nil, inCluster("shop"), nil), "cluster", "status"); got != "DELETING" {
		t.Errorf("DeleteCluster answers status %v", got)
	}
	_, err := m.try("DescribeCluster", nil, inCluster("shop"), nil)
	var failure *api.Error
	if !errors.As(err, &failure) || failure.Code != "ResourceNotFoundException" || failure.Status() != 404 {
		t.Errorf("after DeleteCluster: %v", err)
	}
	if n := len(m.ec2.groups) + len(m.ec2.ifaces) + len(m.plane.clusters) + len(m.Inventory(account)); n != 0 {
		t.Errorf("%d things are left: %v %v %v %v", n, m.ec2.groups, m.ec2.ifaces, m.plane.clusters, m.Inventory(account))
	}
}

func TestClusterTakesAWSTime(t *testing.T) {
	m := newSim(t)
	m.factor = 0.5
	m.restart()
	m.must("CreateCluster", clusterBody(), nil, nil)
	m.now = m.now.Add(4*time.Minute + 59*time.Second)
	if got := m.clusterStatus(); got != "CREATING" {
		t.Errorf("after half of AWS's ten minutes less a second: %s", got)
	}
	m.now = m.now.Add(time.Second)
	if got := m.clusterStatus(); got != "ACTIVE" {
		t.Errorf("after half of AWS's ten minutes: %s", got)
	}
}

func TestClusterFails(t *testing.T) {
	m := newSim(t)
	m.plane.setHold(true)
	m.must("CreateCluster", clusterBody(), nil, nil)
	m.now = m.now.Add(31 * time.Minute)
	if got := m.clusterStatus(); got != "FAILED" {
		t.Fatalf("a control plane that never serves is %s", got)
	}
	m.must("DeleteCluster", nil, inCluster("shop"), nil)
	if _, err := m.try("DescribeCluster", nil, inCluster("shop"), nil); code(err) != "ResourceNotFoundException" {
		t.Errorf("a failed cluster cannot be deleted: %v", err)
	}
}

func TestDeleteWhileCreating(t *testing.T) {
	m := newSim(t)
	m.plane.setHold(true)
	m.must("CreateCluster", clusterBody(object{"deletionProtection": true}), nil, nil)
	m.must("DeleteCluster", nil, inCluster("shop"), nil)
	m.settleAll(t.Context())
	if n := len(m.ec2.groups) + len(m.ec2.ifaces) + len(m.Inventory(account)); n != 0 {
		t.Errorf("%d things are left: %v %v %v", n, m.ec2.groups, m.ec2.ifaces, m.Inventory(account))
	}
}

func TestCreateClusterRefuses(t *testing.T) {
	vpc := func(subnets ...string) object { return object{"resourcesVpcConfig": object{"subnetIds": subnets}} }
	tests := map[string]struct {
		reason  string
		change  object
		code    string
		message string
	}{
		"BadName":         {"EKS's law for names", object{"name": "-shop"}, "InvalidParameterException", "cluster name"},
		"LongName":        {"at most 100 characters", object{"name": strings.Repeat("a", 101)}, "InvalidParameterException", "cluster name"},
		"OldVersion":      {"only versions EKS offers", object{"version": "1.20"}, "InvalidParameterException", "unsupported Kubernetes version"},
		"PatchVersion":    {"EKS knows minors only", object{"version": "1.34.1"}, "InvalidParameterException", "unsupported Kubernetes version"},
		"NoRole":          {"the role must exist", object{"roleArn": roleARN("nobody")}, "InvalidParameterException", "could not be assumed"},
		"UntrustedRole":   {"the role must trust EKS", object{"roleArn": roleARN("untrusted")}, "InvalidParameterException", "could not be assumed"},
		"RoleElsewhere":   {"no role of another account", object{"roleArn": "arn:aws:iam::222222222222:role/stranger"}, "AccessDeniedException", "Cross-account"},
		"NotARole":        {"an ARN of a role", object{"roleArn": "cluster"}, "InvalidParameterException", "Invalid role arn"},
		"NoSubnets":       {"two subnets at least", vpc(), "InvalidParameterException", "Subnets"},
		"OneZone":         {"two zones at least", vpc("subnet-a", "subnet-a2"), "InvalidParameterException", "two different AZs"},
		"TwoVPCs":         {"one VPC only", vpc("subnet-a", "subnet-other"), "InvalidParameterException", "same VPC"},
		"UnknownSubnet":   {"subnets of the account only", vpc("subnet-a", "subnet-x"), "InvalidParameterException", "InvalidSubnetID.NotFound"},
		"UnknownGroup":    {"groups of the VPC only", object{"resourcesVpcConfig": object{"subnetIds": []string{"subnet-a", "subnet-b"}, "securityGroupIds": []string{"sg-x"}}}, "InvalidParameterException", "InvalidGroup.NotFound"},
		"ServicesInVPC":   {"services must not meet the VPC", object{"kubernetesNetworkConfig": object{"serviceIpv4Cidr": "10.0.0.0/16"}}, "InvalidParameterException", "overlaps"},
		"PublicServices":  {"services are private", object{"kubernetesNetworkConfig": object{"serviceIpv4Cidr": "8.8.0.0/16"}}, "InvalidParameterException", "serviceIpv4Cidr"},
		"IPv6":            {"not simulated, and said so", object{"kubernetesNetworkConfig": object{"ipFamily": "ipv6"}}, "InvalidParameterException", "ipv6"},
		"BadMode":         {"three authentication modes", object{"accessConfig": object{"authenticationMode": "LDAP"}}, "InvalidParameterException", "authentication mode"},
		"BadLogType":      {"five kinds of logs", object{"logging": object{"clusterLogging": []object{{"enabled": true, "types": []string{"mail"}}}}}, "InvalidParameterException", "log type"},
		"BadSupportType":  {"two support types", object{"upgradePolicy": object{"supportType": "FOREVER"}}, "InvalidParameterException", "supportType"},
		"ReservedTag":     {"aws: is AWS's", object{"tags": object{"aws:x": "y"}}, "InvalidParameterException", "reserved"},
		"EncryptEvery":    {"only secrets can be encrypted", object{"encryptionConfig": []object{{"resources": []string{"pods"}, "provider": object{"keyArn": "k"}}}}, "InvalidParameterException", "secrets"},
		"NotJSON":         {"a body that does not fit", object{"name": 7}, "SerializationException", "CreateCluster"},
		"PublicEndpoints": {"CIDRs must be ones", object{"resourcesVpcConfig": object{"subnetIds": []string{"subnet-a", "subnet-b"}, "publicAccessCidrs": []string{"here"}}}, "InvalidParameterException", "publicAccessCidrs"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newSim(t)
			_, err := m.try("CreateCluster", clusterBody(tt.change), nil, nil)
			wantRefusal(t, tt.reason, err, tt.code, tt.message)
			if left := m.Inventory(account); len(left) != 0 {
				t.Errorf("%s: a refused call left %v", tt.reason, left)
			}
		})
	}
}

func TestCreateClusterIsIdempotent(t *testing.T) {
	m := newSim(t)
	m.withCluster()
	again := m.must("CreateCluster", clusterBody(), nil, nil)
	if got := get(again, "cluster", "status"); got != "ACTIVE" {
		t.Errorf("the same call again answers %v", again)
	}
	_, err := m.try("CreateCluster", clusterBody(object{"clientRequestToken": "another"}), nil, nil)
	if code(err) != "ResourceInUseException" || !strings.Contains(err.Error(), "Cluster already exists with name: shop") {
		t.Errorf("another call of the same name: %v", err)
	}
}

func TestClusterQuota(t *testing.T) {
	m := newSim(t)
	if err := m.quotas.Set(quota.Setting{Account: account, Code: quota.Clusters, Value: 1}); err != nil {
		t.Fatal(err)
	}
	if err := m.clusters.Put(account, region, "c1", cluster{Cluster: Cluster{Name: "c1"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.try("CreateCluster", clusterBody(), nil, nil); code(err) != "ResourceLimitExceededException" {
		t.Errorf("one cluster too many: %v", err)
	}
}

func TestDeleteClusterRefuses(t *testing.T) {
	tests := map[string]struct {
		reason  string
		prepare func(m *sim)
		code    string
		message string
	}{
		"Nodegroups": {
			"node groups go first", func(m *sim) { m.must("CreateNodegroup", nodegroupBody(), inCluster("shop"), nil) },
			"ResourceInUseException", "Cluster has nodegroups attached",
		},
		"Updating": {
			"an update ends first",
			func(m *sim) { m.must("UpdateClusterVersion", object{"version": "1.35"}, inCluster("shop"), nil) },
			"ResourceInUseException", "update in progress",
		},
		"Protected": {
			"deletion protection is switched off first",
			func(m *sim) {
				m.must("UpdateClusterConfig", object{"deletionProtection": true}, inCluster("shop"), nil)
				m.clusterStatus()
				m.clusterStatus()
			},
			"InvalidRequestException", "deletion protection",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newSim(t)
			m.withCluster()
			tt.prepare(m)
			_, err := m.try("DeleteCluster", nil, inCluster("shop"), nil)
			wantRefusal(t, tt.reason, err, tt.code, tt.message)
		})
	}
}

func TestOtherAccountsSeeNothing(t *testing.T) {
	m := newSim(t)
	m.withCluster()
	m.caller = api.Identity{AccountID: "222222222222", ARN: "arn:aws:iam::222222222222:user/bob"}
	if _, err := m.try("DescribeCluster", nil, inCluster("shop"), nil); code(err) != "ResourceNotFoundException" {
		t.Errorf("another account's DescribeCluster: %v", err)
	}
	if got := get(m.must("ListClusters", nil, nil, nil), "clusters"); len(got.([]any)) != 0 {
		t.Errorf("another account lists %v", got)
	}
	arn := map[string]string{"resourceArn": "arn:aws:eks:eu-west-1:111111111111:cluster/shop"}
	if _, err := m.try("TagResource", object{"tags": object{"a": "b"}}, arn, nil); code(err) != "AccessDeniedException" {
		t.Errorf("another account tags: %v", err)
	}
}
