package contract_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	gocmp "github.com/google/go-cmp/cmp"
)

func TestInstances(t *testing.T) {
	_, c, service := startEC2(t)
	ctx := t.Context()
	vpc := newVPC(t, c, "10.0.0.0/16")
	subnet := newSubnet(t, c, vpc, "10.0.7.0/28", "c")
	run := &ec2.RunInstancesInput{ImageId: aws.String("ami-0123456789abcdef0"), InstanceType: types.InstanceTypeT3Large, MinCount: aws.Int32(2),
		MaxCount: aws.Int32(2), SubnetId: &subnet, ClientToken: aws.String("two"), TagSpecifications: tagSpec(types.ResourceTypeInstance, "Name", "node")}
	started := must[*ec2.RunInstancesOutput](t)(c.RunInstances(ctx, run)).Instances
	again := must[*ec2.RunInstancesOutput](t)(c.RunInstances(ctx, run)).Instances
	if len(started) != 2 || len(again) != 2 || made(service, shopID)["instance"] != 2 {
		t.Fatalf("%d and then %d instances, want the same 2", len(started), len(again))
	}
	running := must[*ec2.DescribeInstancesOutput](t)(c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{
		Filters: []types.Filter{where("instance-state-name", "running"), where("tag:Name", "no*")}}))
	var dns []string
	for _, r := range running.Reservations {
		for _, i := range r.Instances {
			dns = append(dns, *i.PrivateDnsName)
		}
	}
	slices.Sort(dns)
	if diff := gocmp.Diff([]string{"ip-10-0-7-4.eu-central-1.compute.internal", "ip-10-0-7-5.eu-central-1.compute.internal"}, dns); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	run.ClientToken, run.MinCount, run.MaxCount = nil, aws.Int32(12), aws.Int32(12)
	_, err := c.RunInstances(ctx, run)
	wantCode(t, err, "InsufficientFreeAddressesInSubnet")
	_, err = c.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &subnet})
	wantCode(t, err, "DependencyViolation")

	var ids []string
	for _, r := range must[*ec2.DescribeInstancesOutput](t)(c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{})).Reservations {
		for _, i := range r.Instances {
			ids = append(ids, *i.InstanceId)
		}
	}
	changes := must[*ec2.TerminateInstancesOutput](t)(c.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: ids})).TerminatingInstances
	if got := changes[0].CurrentState.Name; got != types.InstanceStateNameShuttingDown {
		t.Errorf("terminating it is %s", got)
	}
	must[*ec2.DeleteSubnetOutput](t)(c.DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &subnet}))
	if n := made(service, shopID)["instance"]; n != 0 {
		t.Errorf("%d instances are left", n)
	}
}

func TestLaunchTemplates(t *testing.T) {
	_, c, _ := startEC2(t)
	ctx := t.Context()
	name := aws.String("c1-mp")
	_, err := c.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{LaunchTemplateName: name, Versions: []string{"$Latest"}})
	wantCode(t, err, "InvalidLaunchTemplateName.NotFoundException")
	data := &types.RequestLaunchTemplateData{InstanceType: types.InstanceTypeM5Large, ImageId: aws.String("ami-1"),
		MetadataOptions: &types.LaunchTemplateInstanceMetadataOptionsRequest{HttpTokens: types.LaunchTemplateHttpTokensStateRequired},
		BlockDeviceMappings: []types.LaunchTemplateBlockDeviceMappingRequest{{DeviceName: aws.String("/dev/xvda"),
			Ebs: &types.LaunchTemplateEbsBlockDeviceRequest{VolumeSize: aws.Int32(50), VolumeType: types.VolumeTypeGp3}}},
		SecurityGroupIds: []string{"sg-1", "sg-2"}}
	id := must[*ec2.CreateLaunchTemplateOutput](t)(c.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: name, LaunchTemplateData: data, TagSpecifications: tagSpec(types.ResourceTypeLaunchTemplate, "a", "b")})).LaunchTemplate.LaunchTemplateId
	for _, image := range []string{"ami-2", "ami-3"} {
		must[*ec2.CreateLaunchTemplateVersionOutput](t)(c.CreateLaunchTemplateVersion(ctx, &ec2.CreateLaunchTemplateVersionInput{
			LaunchTemplateId: id, SourceVersion: aws.String("1"), LaunchTemplateData: &types.RequestLaunchTemplateData{ImageId: &image}}))
	}
	latest := must[*ec2.DescribeLaunchTemplateVersionsOutput](t)(c.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateName: name, Versions: []string{"$Latest"}})).LaunchTemplateVersions[0]
	got := []any{*latest.VersionNumber, *latest.LaunchTemplateData.ImageId, latest.LaunchTemplateData.InstanceType,
		*latest.LaunchTemplateData.BlockDeviceMappings[0].Ebs.VolumeSize, latest.LaunchTemplateData.SecurityGroupIds}
	if diff := gocmp.Diff([]any{int64(3), "ami-3", types.InstanceTypeM5Large, int32(50), []string{"sg-1", "sg-2"}}, got); diff != "" {
		t.Errorf("latest version: -want +got\n%s", diff)
	}
	// The provider prunes the version between default and latest.
	all := must[*ec2.DescribeLaunchTemplateVersionsOutput](t)(c.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{
		LaunchTemplateId: id, MinVersion: aws.String("0"), MaxVersion: aws.String("$Latest"), MaxResults: aws.Int32(3)})).LaunchTemplateVersions
	if len(all) != 3 || *all[1].VersionNumber != 2 {
		t.Fatalf("%d versions", len(all))
	}
	out := must[*ec2.DeleteLaunchTemplateVersionsOutput](t)(c.DeleteLaunchTemplateVersions(ctx, &ec2.DeleteLaunchTemplateVersionsInput{
		LaunchTemplateId: id, Versions: []string{"2", "1"}}))
	if len(out.SuccessfullyDeletedLaunchTemplateVersions) != 1 || len(out.UnsuccessfullyDeletedLaunchTemplateVersions) != 1 {
		t.Errorf("the default version was deleted, or the other one was not: %+v", out)
	}
	must[*ec2.DeleteLaunchTemplateOutput](t)(c.DeleteLaunchTemplate(ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: id}))
}
