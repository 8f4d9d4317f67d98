package preflight

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
)

// eachPage asks for page after page. The SDK's paginators take a client as an
// interface, which makes the linker keep every one of EC2's 700 operations.
func eachPage(ask func(token *string) (next *string, err error)) error {
	for token := (*string)(nil); ; {
		next, err := ask(token)
		if err != nil || aws.ToString(next) == "" {
			return err
		}
		token = next
	}
}

// count counts what an account has of what quotas limit.
func count(ctx context.Context, network *ec2.Client, clusters *eks.Client) (Need, error) {
	used := Need{}
	for what, f := range map[string]func(context.Context, *ec2.Client, Need) error{
		"VPCs": vpcs, "internet gateways": internetGateways, "NAT gateways": natGateways, "Elastic IPs": addresses, "instances": instances,
	} {
		if err := f(ctx, network, used); err != nil {
			return nil, fmt.Errorf("count %s: %w", what, err)
		}
	}
	if err := eksClusters(ctx, clusters, used); err != nil {
		return nil, fmt.Errorf("count EKS clusters: %w", err)
	}
	return used, nil
}

func vpcs(ctx context.Context, c *ec2.Client, used Need) error {
	return eachPage(func(token *string) (*string, error) {
		page, err := c.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{NextToken: token})
		if err != nil {
			return nil, err
		}
		used[QuotaVPCs] += int64(len(page.Vpcs))
		return page.NextToken, nil
	})
}

func internetGateways(ctx context.Context, c *ec2.Client, used Need) error {
	return eachPage(func(token *string) (*string, error) {
		page, err := c.DescribeInternetGateways(ctx, &ec2.DescribeInternetGatewaysInput{NextToken: token})
		if err != nil {
			return nil, err
		}
		used[QuotaInternetGateways] += int64(len(page.InternetGateways))
		return page.NextToken, nil
	})
}

// natGateways counts those of the fullest zone: the quota is per zone.
func natGateways(ctx context.Context, c *ec2.Client, used Need) error {
	zones, err := subnetZones(ctx, c)
	if err != nil {
		return err
	}
	perZone := map[string]int64{}
	alive := ec2types.Filter{Name: aws.String("state"), Values: []string{"pending", "available", "deleting"}}
	return eachPage(func(token *string) (*string, error) {
		page, err := c.DescribeNatGateways(ctx, &ec2.DescribeNatGatewaysInput{Filter: []ec2types.Filter{alive}, NextToken: token})
		if err != nil {
			return nil, err
		}
		for _, g := range page.NatGateways {
			zone := zones[aws.ToString(g.SubnetId)]
			perZone[zone]++
			used[QuotaNATGateways] = max(used[QuotaNATGateways], perZone[zone])
		}
		return page.NextToken, nil
	})
}

func subnetZones(ctx context.Context, c *ec2.Client) (map[string]string, error) {
	zones := map[string]string{}
	err := eachPage(func(token *string) (*string, error) {
		page, err := c.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{NextToken: token})
		if err != nil {
			return nil, err
		}
		for _, s := range page.Subnets {
			zones[aws.ToString(s.SubnetId)] = aws.ToString(s.AvailabilityZone)
		}
		return page.NextToken, nil
	})
	return zones, err
}

func addresses(ctx context.Context, c *ec2.Client, used Need) error {
	out, err := c.DescribeAddresses(ctx, &ec2.DescribeAddressesInput{})
	if err != nil {
		return err
	}
	used[QuotaElasticIPs] = int64(len(out.Addresses))
	return nil
}

func eksClusters(ctx context.Context, c *eks.Client, used Need) error {
	return eachPage(func(token *string) (*string, error) {
		page, err := c.ListClusters(ctx, &eks.ListClustersInput{NextToken: token})
		if err != nil {
			return nil, err
		}
		used[QuotaClusters] += int64(len(page.Clusters))
		return page.NextToken, nil
	})
}

// instances adds up the vCPUs of what the standard quota counts: running
// on-demand instances of the families A, C, D, H, I, M, R, T and Z.
// https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html
func instances(ctx context.Context, c *ec2.Client, used Need) error {
	running := ec2types.Filter{Name: aws.String("instance-state-name"), Values: []string{"pending", "running"}}
	return eachPage(func(token *string) (*string, error) {
		page, err := c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{running}, NextToken: token})
		if err != nil {
			return nil, err
		}
		for _, r := range page.Reservations {
			for _, i := range r.Instances {
				if i.InstanceLifecycle == "" && standardFamily(string(i.InstanceType)) && i.CpuOptions != nil {
					used[QuotaVCPUs] += int64(aws.ToInt32(i.CpuOptions.CoreCount)) * int64(aws.ToInt32(i.CpuOptions.ThreadsPerCore))
				}
			}
		}
		return page.NextToken, nil
	})
}

// standardFamily tells whether an instance type counts as standard: m7i.large and
// im4gn.large do. Families with a quota of their own may begin with the same letter.
func standardFamily(instanceType string) bool {
	letters := instanceType[:max(0, strings.IndexAny(instanceType, "0123456789"))]
	switch letters {
	case "", "dl", "hpc", "inf", "mac", "trn":
		return false
	}
	return strings.ContainsRune("acdhimrtz", rune(letters[0]))
}
