package contract_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling/types"
	gocmp "github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
	asgsim "kargo.dev/kargo/awssim/autoscaling"
	"kargo.dev/kargo/awssim/eks"
)

func withAutoScaling(into **asgsim.Service) func(t *testing.T, c core) api.Service {
	return func(t *testing.T, c core) api.Service {
		t.Helper()
		s, err := asgsim.New(asgsim.Options{Store: c.Store, Clock: c.Clock})
		if err != nil {
			t.Fatal(err)
		}
		*into = s
		return s
	}
}

// nodes is the group that EKS keeps for a node group.
func nodes(ids ...string) eks.Group {
	g := eks.Group{Name: "eks-ng1-0f089a7c", Min: 1, Max: 5, Desired: len(ids), SubnetIDs: []string{"subnet-1", "subnet-2"},
		Tags: map[string]string{"eks:cluster-name": "c1", "kubernetes.io/cluster/c1": "owned"}}
	for _, id := range ids {
		g.Instances = append(g.Instances, eks.GroupInstance{ID: id, Zone: region + "a", InstanceType: "t3.large"})
	}
	return g
}

func TestAutoScalingGroups(t *testing.T) {
	var service *asgsim.Service
	sim := start(t, withAutoScaling(&service))
	c := autoscaling.NewFromConfig(sim.account(t, shopID))
	ctx := t.Context()
	for _, g := range []eks.Group{nodes("i-1"), nodes("i-1", "i-2")} {
		if err := service.Ensure(shopID, region, g); err != nil {
			t.Fatal(err)
		}
	}
	name := nodes().Name
	describe := func() []types.AutoScalingGroup {
		t.Helper()
		return must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(c.DescribeAutoScalingGroups(ctx,
			&autoscaling.DescribeAutoScalingGroupsInput{AutoScalingGroupNames: []string{name, "unknown"}})).AutoScalingGroups
	}
	groups := describe()
	if len(groups) != 1 {
		t.Fatalf("%d groups, want 1: unknown names are left out", len(groups))
	}
	g := groups[0]
	got := []any{*g.MinSize, *g.MaxSize, *g.DesiredCapacity, *g.VPCZoneIdentifier, len(g.Instances), *g.Instances[1].InstanceId, g.Instances[1].LifecycleState}
	if diff := gocmp.Diff([]any{int32(1), int32(5), int32(2), "subnet-1,subnet-2", 2, "i-2", types.LifecycleStateInService}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}

	tag := func(key, value string) types.Tag {
		return types.Tag{Key: &key, Value: &value, ResourceId: &name, ResourceType: aws.String("auto-scaling-group"), PropagateAtLaunch: aws.Bool(true)}
	}
	must[*autoscaling.CreateOrUpdateTagsOutput](t)(c.CreateOrUpdateTags(ctx, &autoscaling.CreateOrUpdateTagsInput{Tags: []types.Tag{tag("env", "prod"), tag("team", "shop")}}))
	must[*autoscaling.DeleteTagsOutput](t)(c.DeleteTags(ctx, &autoscaling.DeleteTagsInput{Tags: []types.Tag{tag("team", "")}}))
	if err := service.Ensure(shopID, region, nodes("i-3")); err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for _, d := range must[*autoscaling.DescribeTagsOutput](t)(c.DescribeTags(ctx, &autoscaling.DescribeTagsInput{
		Filters: []types.Filter{{Name: aws.String("auto-scaling-group"), Values: []string{name}}}})).Tags {
		tags[*d.Key] = *d.Value
	}
	if diff := gocmp.Diff(map[string]string{"eks:cluster-name": "c1", "kubernetes.io/cluster/c1": "owned", "env": "prod"}, tags); diff != "" {
		t.Errorf("tags are their owner's once the group is made: -want +got\n%s", diff)
	}
	byTag := must[*autoscaling.DescribeAutoScalingGroupsOutput](t)(c.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{
		Filters: []types.Filter{{Name: aws.String("tag:env"), Values: []string{"dev", "prod"}}}})).AutoScalingGroups
	if len(byTag) != 1 {
		t.Errorf("%d groups are tagged env=prod, want 1", len(byTag))
	}

	for capacity, code := range map[int32]string{4: "", 6: "ValidationError", 0: "ValidationError"} {
		_, err := c.SetDesiredCapacity(ctx, &autoscaling.SetDesiredCapacityInput{AutoScalingGroupName: &name, DesiredCapacity: &capacity})
		wantCode(t, err, code)
	}
	if n, _ := service.Desired(shopID, region, name); n != 4 {
		t.Errorf("desired capacity %d, want 4", n)
	}
	must[*autoscaling.UpdateAutoScalingGroupOutput](t)(c.UpdateAutoScalingGroup(ctx, &autoscaling.UpdateAutoScalingGroupInput{AutoScalingGroupName: &name, MaxSize: aws.Int32(3)}))
	if n, _ := service.Desired(shopID, region, name); n != 3 {
		t.Errorf("desired capacity %d, want it within the new maximum of 3", n)
	}
	hooks := must[*autoscaling.DescribeLifecycleHooksOutput](t)(c.DescribeLifecycleHooks(ctx, &autoscaling.DescribeLifecycleHooksInput{AutoScalingGroupName: &name}))
	if len(hooks.LifecycleHooks) != 0 {
		t.Errorf("hooks: %+v", hooks.LifecycleHooks)
	}
	if err := service.Delete(shopID, region, name); err != nil {
		t.Fatal(err)
	}
	if len(describe()) != 0 || len(service.Inventory(shopID)) != 0 {
		t.Error("the group is still there")
	}
}
