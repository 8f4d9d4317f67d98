package ec2

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/policy"
)

// TestEveryChangeNamesItsResources: what changes something needs permission for the
// thing, and nothing in the table is no operation.
func TestEveryChangeNamesItsResources(t *testing.T) {
	l := newLab(t)
	want := map[string]bool{}
	for _, op := range l.Operations() {
		if !strings.HasPrefix(op.Name, "Describe") && op.Name != "CreateTags" && op.Name != "DeleteTags" {
			want[op.Name] = true
		}
	}
	got := permissionTable()
	delete(got, "DescribeVpcAttribute") // the only Describe with a resource
	if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("-operations +table\n%s", diff)
	}
}

// need calls for permissions as "action resource", with the keys of each that tell
// anything but the region.
func (l *lab) need(operation string, params ...string) map[string][]string {
	l.t.Helper()
	form := url.Values{}
	for i := 0; i < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	needs := map[string][]string{}
	for _, p := range l.Permissions(&api.Call{Operation: operation, Region: testRegion, Caller: api.Identity{AccountID: testAccount}, Params: form, Now: l.now}) {
		resource := strings.Replace(p.Resource, "arn:aws:ec2:"+testRegion+":"+testAccount+":", "", 1)
		needs[strings.TrimPrefix(p.Action, "ec2:")+" "+resource] = keys(p.Context)
	}
	return needs
}

func keys(c policy.Context) []string {
	var list []string
	for key, values := range c {
		if key != "ec2:Region" {
			list = append(list, key+"="+strings.Join(values, ","))
		}
	}
	slices.Sort(list)
	return list
}

func TestPermissions(t *testing.T) {
	l := newLab(t)
	vpcID, subnetID := l.network()
	ok[nothing](l)(call[nothing](l, "CreateTags", "ResourceId.1", vpcID, "Tag.1.Key", "owner", "Tag.1.Value", "kargo"))
	arn := func(resource string) string { return "arn:aws:ec2:" + testRegion + ":" + testAccount + ":" + resource }
	table := ok[struct {
		ID string `xml:"routeTable>routeTableId"`
	}](l)(call[struct {
		ID string `xml:"routeTable>routeTableId"`
	}](l, "CreateRouteTable", "VpcId", vpcID)).ID
	association := ok[struct {
		ID string `xml:"associationId"`
	}](l)(call[struct {
		ID string `xml:"associationId"`
	}](l, "AssociateRouteTable", "RouteTableId", table, "SubnetId", subnetID)).ID
	ok[nothing](l)(call[nothing](l, "CreateLaunchTemplate", "LaunchTemplateName", "lt", "LaunchTemplateData.ImageId", "ami-1"))

	ofVPC := []string{"aws:ResourceTag/owner=kargo", "ec2:ResourceTag/owner=kargo", "ec2:Tenancy=default", "ec2:VpcID=" + vpcID}
	ofSubnet := []string{"ec2:AvailabilityZone=eu-central-1a", "ec2:AvailabilityZoneId=euc1-az1", "ec2:SubnetID=" + subnetID, "ec2:Vpc=" + arn("vpc/"+vpcID)}
	ofTable := []string{"ec2:RouteTableID=" + table, "ec2:Vpc=" + arn("vpc/"+vpcID)}
	cases := map[string]struct {
		operation string
		params    []string
		want      map[string][]string
	}{
		"reading": {"DescribeVpcs", nil, map[string][]string{"DescribeVpcs *": nil}},
		"making, with tags": {"CreateVpc", []string{"CidrBlock", "10.1.0.0/16", "TagSpecification.1.ResourceType", "vpc", "TagSpecification.1.Tag.1.Key", "a", "TagSpecification.1.Tag.1.Value", "b"},
			map[string][]string{
				"CreateVpc vpc/*":  {"aws:RequestTag/a=b", "aws:TagKeys=a"},
				"CreateTags vpc/*": {"aws:RequestTag/a=b", "aws:TagKeys=a", "ec2:CreateAction=CreateVpc"},
			}},
		"making in a VPC": {"CreateSubnet", []string{"VpcId", vpcID}, map[string][]string{"CreateSubnet subnet/*": nil, "CreateSubnet vpc/" + vpcID: ofVPC}},
		"deleting":        {"DeleteVpc", []string{"VpcId", vpcID}, map[string][]string{"DeleteVpc vpc/" + vpcID: ofVPC}},
		"what is not":     {"DeleteVpc", []string{"VpcId", "vpc-0"}, map[string][]string{"DeleteVpc vpc/vpc-0": nil}},
		"nothing named":   {"DeleteVpc", nil, map[string][]string{"DeleteVpc vpc/*": nil}},
		"tagging": {"CreateTags", []string{"ResourceId.1", vpcID, "ResourceId.2", subnetID, "Tag.1.Key", "a", "Tag.1.Value", "b"}, map[string][]string{
			"CreateTags vpc/" + vpcID:       slices.Sorted(slices.Values(append([]string{"aws:RequestTag/a=b", "aws:TagKeys=a"}, ofVPC...))),
			"CreateTags subnet/" + subnetID: append([]string{"aws:RequestTag/a=b", "aws:TagKeys=a"}, ofSubnet...)}},
		"optional parts": {"CreateVpcEndpoint", []string{"VpcId", vpcID, "ServiceName", "s3", "RouteTableId.1", table}, map[string][]string{
			"CreateVpcEndpoint vpc-endpoint/*": {"ec2:VpceServiceName=s3"}, "CreateVpcEndpoint vpc/" + vpcID: ofVPC, "CreateVpcEndpoint route-table/" + table: ofTable}},
		"by its association": {"DisassociateRouteTable", []string{"AssociationId", association, "RouteTableId", "rtb-mine"}, map[string][]string{
			"DisassociateRouteTable route-table/" + table: ofTable, "DisassociateRouteTable subnet/" + subnetID: ofSubnet}},
		"by no association": {"DisassociateAddress", []string{"AssociationId", "eipassoc-0", "AllocationId", "eipalloc-mine"}, map[string][]string{"DisassociateAddress elastic-ip/*": nil}},
		"by no name":        {"DeleteLaunchTemplate", []string{"LaunchTemplateName", "other"}, map[string][]string{"DeleteLaunchTemplate launch-template/*": nil}},
		"running": {"RunInstances", []string{"SubnetId", subnetID, "ImageId", "ami-1", "InstanceType", "m5.large"}, map[string][]string{
			"RunInstances arn:aws:ec2:" + testRegion + "::image/ami-1": {"ec2:ImageID=ami-1", "ec2:ImageType=machine", "ec2:Owner=amazon", "ec2:Public=true", "ec2:RootDeviceType=ebs"},
			"RunInstances instance/*":                                  {"ec2:AvailabilityZone=eu-central-1a", "ec2:AvailabilityZoneId=euc1-az1", "ec2:InstanceMarketType=on-demand", "ec2:InstanceType=m5.large", "ec2:RootDeviceType=ebs", "ec2:Tenancy=default"},
			"RunInstances network-interface/*":                         {"ec2:AvailabilityZone=eu-central-1a", "ec2:AvailabilityZoneId=euc1-az1", "ec2:Subnet=" + arn("subnet/"+subnetID), "ec2:Vpc=" + arn("vpc/"+vpcID)},
			"RunInstances volume/*":                                    {"ec2:AvailabilityZone=eu-central-1a", "ec2:AvailabilityZoneId=euc1-az1"},
			"RunInstances security-group/*":                            nil,
			"RunInstances subnet/" + subnetID:                          ofSubnet,
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, l.need(tc.operation, tc.params...)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
	t.Run("by its name", func(t *testing.T) {
		for need := range l.need("DeleteLaunchTemplate", "LaunchTemplateName", "lt") {
			if !strings.HasPrefix(need, "DeleteLaunchTemplate launch-template/lt-") {
				t.Error(need)
			}
		}
	})
	known := policy.Context{}
	for _, tc := range cases {
		for _, p := range l.need(tc.operation, tc.params...) {
			for _, key := range p {
				name, _, _ := strings.Cut(key, "=")
				known[name] = nil
			}
		}
	}
	for key := range known {
		d, err := policy.Parse(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"` + key + `":"*"}}}}`)
		if err != nil || d.CheckKeys() != nil {
			t.Errorf("the key %s is supplied, but not known: %v", key, err)
		}
	}
}
