package contract_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	gocmp "github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
	asgsim "kargo.dev/kargo/awssim/autoscaling"
	ec2sim "kargo.dev/kargo/awssim/ec2"
	ekssim "kargo.dev/kargo/awssim/eks"
	iamsim "kargo.dev/kargo/awssim/iam"
	"kargo.dev/kargo/awssim/policy"
)

// plane is a data plane without processes: control planes serve after a while,
// nodes are Ready at once.
type plane struct {
	starts time.Duration

	mu       sync.Mutex
	clusters map[string]ekssim.ControlPlane
	since    map[string]time.Time
	nodes    map[string][]ekssim.Node
}

func (p *plane) EnsureCluster(_ context.Context, c ekssim.ControlPlane) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clusters[c.ARN], p.since[c.ARN] = c, time.Now()
	return nil
}

func (p *plane) Status(arn string) (ekssim.ControlPlaneStatus, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.clusters[arn]
	if !ok || time.Since(p.since[arn]) < p.starts {
		return ekssim.ControlPlaneStatus{}, ok
	}
	return ekssim.ControlPlaneStatus{Ready: true, Version: c.Version, Endpoint: "https://127.0.0.1:6443", CA: []byte("pem"), Issuer: "https://127.0.0.1:6444"}, true
}

func (p *plane) EnsureNodes(_ context.Context, arn, nodegroup string, nodes []ekssim.Node) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nodes[arn+nodegroup] = slices.Clone(nodes)
	return nil
}

func (p *plane) NodesReady(arn, nodegroup, version string) (ready int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.nodes[arn+nodegroup] {
		if n.Version == version {
			ready++
		}
	}
	return ready
}

func (p *plane) DeleteCluster(_ context.Context, arn string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.clusters, arn)
	return nil
}

// principals is IAM as EKS asks it.
type principals struct{ *iamsim.Service }

func (p principals) Role(account, name string) (ekssim.Role, bool) {
	r, ok := p.Service.Role(account, name)
	role := ekssim.Role{ARN: r.ARN(), ID: r.ID}
	if trust, err := policy.Parse(r.Trust); ok && err == nil {
		for _, s := range trust.Statements {
			if s.Principal != nil {
				role.Services = append(role.Services, s.Principal.Service...)
			}
		}
	}
	return role, ok
}

// ekslab is a simulator with EKS and what a cluster of the shop needs.
type ekslab struct {
	*simulator
	eks     *eks.Client
	ec2     *ec2.Client
	groups  *autoscaling.Client
	service *ekssim.Service
	network *ec2sim.Service
	plane   *plane
	vpc     string
	subnets []string
}

func startEKS(t *testing.T) *ekslab {
	t.Helper()
	lab := &ekslab{plane: &plane{
		starts: 200 * time.Millisecond, clusters: map[string]ekssim.ControlPlane{},
		since: map[string]time.Time{}, nodes: map[string][]ekssim.Node{},
	}}
	var groups *asgsim.Service
	lab.simulator = start(t, withEC2(0, &lab.network), withAutoScaling(&groups), func(t *testing.T, c core) api.Service {
		t.Helper()
		s, err := ekssim.New(ekssim.Options{
			Store: c.Store, Clock: c.Clock, DataPlane: lab.plane, Network: lab.network.ForEKS(),
			Instances: lab.network.ForEKS(), Groups: groups, Principals: principals{c.IAM},
		})
		if err != nil {
			t.Fatal(err)
		}
		lab.service = s
		return s
	})
	config := lab.account(t, shopID)
	lab.eks, lab.ec2, lab.groups = eks.NewFromConfig(config), ec2.NewFromConfig(config), autoscaling.NewFromConfig(config)
	lab.vpc = newVPC(t, lab.ec2, "10.0.0.0/16")
	lab.subnets = []string{newSubnet(t, lab.ec2, lab.vpc, "10.0.0.0/24", "a"), newSubnet(t, lab.ec2, lab.vpc, "10.0.1.0/24", "b")}
	roles := iam.NewFromConfig(config)
	for name, service := range map[string]string{"cluster": "eks.amazonaws.com", "node": "ec2.amazonaws.com", "pod": "pods.eks.amazonaws.com", "dev": "sts.amazonaws.com"} {
		must[*iam.CreateRoleOutput](t)(roles.CreateRole(t.Context(), &iam.CreateRoleInput{
			RoleName:                 aws.String(name),
			AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`),
		}))
	}
	return lab
}

func shopRole(name string) *string { return aws.String("arn:aws:iam::" + shopID + ":role/" + name) }

var shop = aws.String("shop-1")

// createCluster makes a cluster and waits for it with the SDK's waiter.
func (lab *ekslab) createCluster(t *testing.T) types.Cluster {
	t.Helper()
	must[*eks.CreateClusterOutput](t)(lab.eks.CreateCluster(t.Context(), &eks.CreateClusterInput{
		Name: shop, Version: aws.String("1.34"), RoleArn: shopRole("cluster"), Tags: map[string]string{"env": "prod"},
		AccessConfig:       &types.CreateAccessConfigRequest{AuthenticationMode: types.AuthenticationModeApiAndConfigMap},
		ResourcesVpcConfig: &types.VpcConfigRequest{SubnetIds: lab.subnets},
	}))
	began := time.Now()
	if err := eks.NewClusterActiveWaiter(lab.eks).Wait(t.Context(), &eks.DescribeClusterInput{Name: shop}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the waiter slept, it took %v", took)
	}
	return *must[*eks.DescribeClusterOutput](t)(lab.eks.DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: shop})).Cluster
}

// createNodegroup makes a node group and waits for it.
func (lab *ekslab) createNodegroup(t *testing.T) types.Nodegroup {
	t.Helper()
	must[*eks.CreateNodegroupOutput](t)(lab.eks.CreateNodegroup(t.Context(), &eks.CreateNodegroupInput{
		ClusterName: shop, NodegroupName: aws.String("ng"), NodeRole: shopRole("node"), Subnets: lab.subnets,
		InstanceTypes: []string{"t3.large"}, AmiType: types.AMITypesAl2023X8664Standard, Labels: map[string]string{"role": "worker"},
		ScalingConfig: &types.NodegroupScalingConfig{MinSize: aws.Int32(1), MaxSize: aws.Int32(5), DesiredSize: aws.Int32(2)},
	}))
	in := &eks.DescribeNodegroupInput{ClusterName: shop, NodegroupName: aws.String("ng")}
	if err := eks.NewNodegroupActiveWaiter(lab.eks).Wait(t.Context(), in, time.Minute); err != nil {
		t.Fatal(err)
	}
	return *must[*eks.DescribeNodegroupOutput](t)(lab.eks.DescribeNodegroup(t.Context(), in)).Nodegroup
}

// TestClusterLife goes the way of CAPA, and leaves nothing behind.
func TestClusterLife(t *testing.T) {
	lab := startEKS(t)
	ctx := t.Context()
	before := made(lab.network, shopID)
	cluster := lab.createCluster(t)
	if aws.ToString(cluster.Endpoint) != "https://127.0.0.1:6443" || aws.ToString(cluster.CertificateAuthority.Data) != "cGVt" ||
		aws.ToString(cluster.Identity.Oidc.Issuer) != "https://127.0.0.1:6444" || time.Since(*cluster.CreatedAt).Abs() > time.Minute {
		t.Errorf("cluster: %+v", cluster)
	}
	found := must[*ec2.DescribeSecurityGroupsOutput](t)(lab.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{where("tag:aws:eks:cluster-name", *shop)}}))
	if len(found.SecurityGroups) != 1 || *found.SecurityGroups[0].GroupId != aws.ToString(cluster.ResourcesVpcConfig.ClusterSecurityGroupId) {
		t.Errorf("security groups of the cluster: %+v", found.SecurityGroups)
	}

	ng := lab.createNodegroup(t)
	if ng.NodeRepairConfig == nil || aws.ToBool(ng.NodeRepairConfig.Enabled) {
		t.Errorf("node repair is %+v; CAPA wants it told", ng.NodeRepairConfig)
	}
	group := must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(lab.groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		AutoScalingGroupNames: []string{*ng.Resources.AutoScalingGroups[0].Name},
	})).AutoScalingGroups[0]
	var providerIDs, nodes []string
	for _, i := range group.Instances {
		providerIDs = append(providerIDs, "aws:///"+*i.AvailabilityZone+"/"+*i.InstanceId)
	}
	for _, n := range lab.plane.nodes[*cluster.Arn+"ng"] {
		nodes = append(nodes, "aws:///"+n.Zone+"/"+n.InstanceID)
	}
	if diff := gocmp.Diff(nodes, providerIDs); diff != "" || len(nodes) != 2 {
		t.Errorf("provider ids: -nodes +group\n%s", diff)
	}

	_, err := lab.eks.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: shop})
	wantCode(t, err, "ResourceInUseException")
	must[*eks.DeleteNodegroupOutput](t)(lab.eks.DeleteNodegroup(ctx, &eks.DeleteNodegroupInput{ClusterName: shop, NodegroupName: aws.String("ng")}))
	if err := eks.NewNodegroupDeletedWaiter(lab.eks).Wait(ctx, &eks.DescribeNodegroupInput{ClusterName: shop, NodegroupName: aws.String("ng")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	must[*eks.DeleteClusterOutput](t)(lab.eks.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: shop}))
	if err := eks.NewClusterDeletedWaiter(lab.eks).Wait(ctx, &eks.DescribeClusterInput{Name: shop}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if left := lab.service.Inventory(shopID); len(left) != 0 {
		t.Errorf("EKS left %v", left)
	}
	after := made(lab.network, shopID)
	maps.DeleteFunc(after, func(kind string, n int) bool { return kind == "instance" || n == before[kind] })
	if len(after) != 0 {
		t.Errorf("EC2 has other things than before: %v, before %v", after, before)
	}
}

func TestUpgrade(t *testing.T) {
	lab := startEKS(t)
	ctx := t.Context()
	lab.createCluster(t)
	lab.createNodegroup(t)
	_, err := lab.eks.UpdateClusterVersion(ctx, &eks.UpdateClusterVersionInput{Name: shop, Version: aws.String("1.36")})
	wantCode(t, err, "InvalidParameterException")
	u := must[*eks.UpdateClusterVersionOutput](t)(lab.eks.UpdateClusterVersion(ctx, &eks.UpdateClusterVersionInput{Name: shop, Version: aws.String("1.35")})).Update
	status := func() types.ClusterStatus {
		return must[*eks.DescribeClusterOutput](t)(lab.eks.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: shop})).Cluster.Status
	}
	if got := status(); got != types.ClusterStatusUpdating {
		t.Errorf("after UpdateClusterVersion the first look shows %s", got)
	}
	if got := status(); got != types.ClusterStatusActive {
		t.Errorf("the next look shows %s", got)
	}
	done := must[*eks.DescribeUpdateOutput](t)(lab.eks.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: shop, UpdateId: u.Id})).Update
	if done.Status != types.UpdateStatusSuccessful || done.Type != types.UpdateTypeVersionUpdate || *done.Params[0].Value != "1.35" {
		t.Errorf("update: %+v", done)
	}
	must[*eks.UpdateNodegroupVersionOutput](t)(lab.eks.UpdateNodegroupVersion(ctx, &eks.UpdateNodegroupVersionInput{ClusterName: shop, NodegroupName: aws.String("ng")}))
	ng := must[*eks.DescribeNodegroupOutput](t)(lab.eks.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: shop, NodegroupName: aws.String("ng")})).Nodegroup
	if ng.Status != types.NodegroupStatusActive || aws.ToString(ng.Version) != "1.35" {
		t.Errorf("node group: %s at %s", ng.Status, aws.ToString(ng.Version))
	}
	running := 0
	for _, r := range must[*ec2.DescribeInstancesOutput](t)(lab.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{where("instance-state-name", "running")}})).Reservations {
		running += len(r.Instances)
	}
	if running != 2 {
		t.Errorf("%d instances run after the roll, want 2", running)
	}
}

func TestAccess(t *testing.T) {
	lab := startEKS(t)
	ctx := t.Context()
	cluster := lab.createCluster(t)
	entry := must[*eks.CreateAccessEntryOutput](t)(lab.eks.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: shop, PrincipalArn: shopRole("dev"), KubernetesGroups: []string{"dev"}})).AccessEntry
	view := "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
	must[*eks.AssociateAccessPolicyOutput](t)(lab.eks.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{
		ClusterName: shop, PrincipalArn: entry.PrincipalArn, PolicyArn: &view, AccessScope: &types.AccessScope{Type: types.AccessScopeTypeCluster},
	}))
	list := must[*eks.ListAccessEntriesOutput](t)(lab.eks.ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: shop}))
	if !slices.Contains(list.AccessEntries, *shopRole("dev")) || len(list.AccessEntries) != 2 {
		t.Errorf("entries: %v", list.AccessEntries)
	}
	user, ok := lab.service.Authenticate(shopID, *cluster.Name, api.Identity{AccountID: shopID, ARN: "arn:aws:sts::" + shopID + ":assumed-role/dev/anna"})
	if !ok || user.Name != "arn:aws:sts::"+shopID+":assumed-role/dev/anna" || !slices.Equal(user.Groups, []string{"dev", "eks-access-policy:AmazonEKSViewPolicy"}) {
		t.Errorf("login: %+v %t", user, ok)
	}
	associated := must[*eks.ListAssociatedAccessPoliciesOutput](t)(lab.eks.ListAssociatedAccessPolicies(ctx, &eks.ListAssociatedAccessPoliciesInput{ClusterName: shop, PrincipalArn: shopRole("dev")}))
	if len(associated.AssociatedAccessPolicies) != 1 || *associated.AssociatedAccessPolicies[0].PolicyArn != view {
		t.Errorf("associated: %+v", associated.AssociatedAccessPolicies)
	}
	must[*eks.DisassociateAccessPolicyOutput](t)(lab.eks.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: shop, PrincipalArn: shopRole("dev"), PolicyArn: &view}))
	must[*eks.UpdateAccessEntryOutput](t)(lab.eks.UpdateAccessEntry(ctx, &eks.UpdateAccessEntryInput{ClusterName: shop, PrincipalArn: shopRole("dev"), Username: aws.String("dev")}))
	if got := must[*eks.DescribeAccessEntryOutput](t)(lab.eks.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: shop, PrincipalArn: shopRole("dev")})).AccessEntry; *got.Username != "dev" || *got.Type != "STANDARD" {
		t.Errorf("entry: %+v", got)
	}
	must[*eks.DeleteAccessEntryOutput](t)(lab.eks.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: shop, PrincipalArn: shopRole("dev")}))
	_, err := lab.eks.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: shop, PrincipalArn: shopRole("dev")})
	wantCode(t, err, "ResourceNotFoundException")
	other := eks.NewFromConfig(lab.account(t, bankID))
	_, err = other.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: shop})
	wantCode(t, err, "ResourceNotFoundException")
}

// TestWhatEKSKeeps reads every other answer with the SDK.
func TestWhatEKSKeeps(t *testing.T) {
	lab := startEKS(t)
	ctx := t.Context()
	cluster := lab.createCluster(t)
	addon := must[*eks.CreateAddonOutput](t)(lab.eks.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: shop, AddonName: aws.String("coredns"), ResolveConflicts: types.ResolveConflictsOverwrite})).Addon
	if got := must[*eks.DescribeAddonOutput](t)(lab.eks.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: shop, AddonName: addon.AddonName})).Addon; got.Status != types.AddonStatusActive {
		t.Errorf("add-on: %s", got.Status)
	}
	must[*eks.UpdateAddonOutput](t)(lab.eks.UpdateAddon(ctx, &eks.UpdateAddonInput{ClusterName: shop, AddonName: addon.AddonName, ConfigurationValues: aws.String("{}")}))
	must[*eks.TagResourceOutput](t)(lab.eks.TagResource(ctx, &eks.TagResourceInput{ResourceArn: cluster.Arn, Tags: map[string]string{"a": "1", "b": "2"}}))
	must[*eks.UntagResourceOutput](t)(lab.eks.UntagResource(ctx, &eks.UntagResourceInput{ResourceArn: cluster.Arn, TagKeys: []string{"a"}}))
	tags := must[*eks.ListTagsForResourceOutput](t)(lab.eks.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: cluster.Arn})).Tags
	if diff := gocmp.Diff(map[string]string{"env": "prod", "b": "2"}, tags); diff != "" {
		t.Errorf("tags: -want +got\n%s", diff)
	}
	association := must[*eks.CreatePodIdentityAssociationOutput](t)(lab.eks.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{
		ClusterName: shop, Namespace: aws.String("a"), ServiceAccount: aws.String("b"), RoleArn: shopRole("pod"),
	})).Association
	must[*eks.DescribePodIdentityAssociationOutput](t)(lab.eks.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: shop, AssociationId: association.AssociationId}))
	must[*eks.ListPodIdentityAssociationsOutput](t)(lab.eks.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: shop}))
	must[*eks.AssociateIdentityProviderConfigOutput](t)(lab.eks.AssociateIdentityProviderConfig(ctx, &eks.AssociateIdentityProviderConfigInput{
		ClusterName: shop, Oidc: &types.OidcIdentityProviderConfigRequest{IdentityProviderConfigName: aws.String("corp"), IssuerUrl: aws.String("https://login.example.com"), ClientId: aws.String("k")},
	}))
	configs := must[*eks.ListIdentityProviderConfigsOutput](t)(lab.eks.ListIdentityProviderConfigs(ctx, &eks.ListIdentityProviderConfigsInput{ClusterName: shop})).IdentityProviderConfigs
	provider := must[*eks.DescribeIdentityProviderConfigOutput](t)(lab.eks.DescribeIdentityProviderConfig(ctx, &eks.DescribeIdentityProviderConfigInput{ClusterName: shop, IdentityProviderConfig: &configs[0]})).IdentityProviderConfig.Oidc
	if provider.Status != types.ConfigStatusActive {
		t.Errorf("identity provider: %+v", provider)
	}
	insights := must[*eks.ListInsightsOutput](t)(lab.eks.ListInsights(ctx, &eks.ListInsightsInput{ClusterName: shop})).Insights
	must[*eks.DescribeInsightOutput](t)(lab.eks.DescribeInsight(ctx, &eks.DescribeInsightInput{ClusterName: shop, Id: insights[0].Id}))
	versions := must[*eks.DescribeClusterVersionsOutput](t)(lab.eks.DescribeClusterVersions(ctx, &eks.DescribeClusterVersionsInput{IncludeAll: aws.Bool(true)})).ClusterVersions
	if len(versions) != len(ekssim.Versions()) || versions[0].EndOfStandardSupportDate == nil {
		t.Errorf("versions: %+v", versions)
	}
	if got := must[*eks.DescribeAddonVersionsOutput](t)(lab.eks.DescribeAddonVersions(ctx, &eks.DescribeAddonVersionsInput{})).Addons; len(got) != 5 {
		t.Errorf("%d add-ons are offered", len(got))
	}
	must[*eks.ListAccessPoliciesOutput](t)(lab.eks.ListAccessPolicies(ctx, &eks.ListAccessPoliciesInput{}))
	must[*eks.UpdateClusterConfigOutput](t)(lab.eks.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: shop, DeletionProtection: aws.Bool(true)}))
	ids := must[*eks.ListUpdatesOutput](t)(lab.eks.ListUpdates(ctx, &eks.ListUpdatesInput{Name: shop})).UpdateIds
	if len(ids) != 2 {
		t.Errorf("updates of the cluster: %v", ids)
	}
}
