package contract_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi"
	"github.com/aws/aws-sdk-go-v2/service/resourcegroupstaggingapi/types"
	gocmp "github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
	asgsim "kargo.dev/kargo/awssim/autoscaling"
	ec2sim "kargo.dev/kargo/awssim/ec2"
	"kargo.dev/kargo/awssim/tagging"
)

func TestTagging(t *testing.T) {
	var networks *ec2sim.Service
	var groups *asgsim.Service
	sim := start(t, withEC2(0, &networks), withAutoScaling(&groups), func(t *testing.T, c core) api.Service {
		t.Helper()
		s, err := tagging.New(tagging.Options{Sources: []tagging.Source{networks, groups, c.IAM}})
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
	ctx := t.Context()
	config := sim.account(t, shopID)
	const cluster = "kubernetes.io/cluster/c1"
	vpc := newVPC(t, ec2.NewFromConfig(config), "10.0.0.0/16", cluster, "owned", "Name", "c1-vpc")
	newVPC(t, ec2.NewFromConfig(config), "10.1.0.0/16", cluster, "shared")
	newVPC(t, ec2.NewFromConfig(config), "10.2.0.0/16")
	newVPC(t, ec2.NewFromConfig(sim.account(t, bankID)), "10.3.0.0/16", cluster, "owned")
	if err := groups.Ensure(shopID, region, nodes("i-1")); err != nil {
		t.Fatal(err)
	}
	c := resourcegroupstaggingapi.NewFromConfig(config)
	find := func(in *resourcegroupstaggingapi.GetResourcesInput) (kinds []string) {
		t.Helper()
		pages := resourcegroupstaggingapi.NewGetResourcesPaginator(c, in)
		for pages.HasMorePages() {
			for _, m := range must[*resourcegroupstaggingapi.GetResourcesOutput](t)(pages.NextPage(ctx)).ResourceTagMappingList {
				kinds = append(kinds, strings.FieldsFunc(*m.ResourceARN, func(r rune) bool { return r == ':' || r == '/' })[5])
			}
		}
		slices.Sort(kinds)
		return kinds
	}
	owned := types.TagFilter{Key: aws.String(cluster), Values: []string{"owned"}}
	vpcARN := "arn:aws:ec2:" + region + ":" + shopID + ":vpc/" + vpc
	for name, tc := range map[string]struct {
		reason string
		in     *resourcegroupstaggingapi.GetResourcesInput
		want   []string
	}{
		"Owned":    {"what the provider's garbage collection asks", &resourcegroupstaggingapi.GetResourcesInput{TagFilters: []types.TagFilter{owned}}, []string{"autoScalingGroup", "vpc"}},
		"AnyValue": {"a key alone", &resourcegroupstaggingapi.GetResourcesInput{TagFilters: []types.TagFilter{{Key: aws.String(cluster)}}}, []string{"autoScalingGroup", "vpc", "vpc"}},
		"Two":      {"all filters match", &resourcegroupstaggingapi.GetResourcesInput{TagFilters: []types.TagFilter{owned, {Key: aws.String("Name")}}}, []string{"vpc"}},
		"Type":     {"one type of a service", &resourcegroupstaggingapi.GetResourcesInput{ResourceTypeFilters: []string{"ec2:vpc"}}, []string{"vpc", "vpc"}},
		"Service":  {"all of a service", &resourcegroupstaggingapi.GetResourcesInput{ResourceTypeFilters: []string{"autoscaling"}}, []string{"autoScalingGroup"}},
		"ARN":      {"by ARN", &resourcegroupstaggingapi.GetResourcesInput{ResourceARNList: []string{vpcARN, "arn:aws:ec2:x:y:vpc/z"}}, []string{"vpc"}},
		"Pages":    {"one after the other", &resourcegroupstaggingapi.GetResourcesInput{ResourcesPerPage: aws.Int32(1), ResourceTypeFilters: []string{"ec2"}}, []string{"vpc", "vpc"}},
		"None":     {"what nothing has", &resourcegroupstaggingapi.GetResourcesInput{TagFilters: []types.TagFilter{{Key: aws.String("x")}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := gocmp.Diff(tc.want, find(tc.in)); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
	_, err := c.GetResources(ctx, &resourcegroupstaggingapi.GetResourcesInput{ResourceARNList: []string{vpcARN}, TagFilters: []types.TagFilter{owned}})
	wantCode(t, err, "InvalidParameterException")

	groupARN := groups.Inventory(shopID)[0].ARN
	out := must[*resourcegroupstaggingapi.TagResourcesOutput](t)(c.TagResources(ctx, &resourcegroupstaggingapi.TagResourcesInput{
		ResourceARNList: []string{vpcARN, groupARN, vpcARN + "0"}, Tags: map[string]string{"cost": "42"}}))
	if f := out.FailedResourcesMap; len(f) != 1 || f[vpcARN+"0"].ErrorCode != "InvalidVpcID.NotFound" {
		t.Errorf("failed: %+v", f)
	}
	must[*resourcegroupstaggingapi.UntagResourcesOutput](t)(c.UntagResources(ctx, &resourcegroupstaggingapi.UntagResourcesInput{ResourceARNList: []string{groupARN}, TagKeys: []string{"cost"}}))
	if got := find(&resourcegroupstaggingapi.GetResourcesInput{TagFilters: []types.TagFilter{{Key: aws.String("cost"), Values: []string{"42"}}}}); !slices.Equal(got, []string{"vpc"}) {
		t.Errorf("tagged cost=42: %v", got)
	}
	values := must[*resourcegroupstaggingapi.GetTagValuesOutput](t)(c.GetTagValues(ctx, &resourcegroupstaggingapi.GetTagValuesInput{Key: aws.String(cluster)})).TagValues
	if diff := gocmp.Diff([]string{"owned", "shared"}, values); diff != "" {
		t.Errorf("values: -want +got\n%s", diff)
	}
}
