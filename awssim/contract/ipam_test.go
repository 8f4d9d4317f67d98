package contract_test

import (
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	gocmp "github.com/google/go-cmp/cmp"

	ec2sim "kargo.dev/kargo/awssim/ec2"
)

// newPool makes a pool in an IPAM's scope, or within another one.
func newPool(t *testing.T, c *ec2.Client, in ec2.CreateIpamPoolInput, cidr string) string {
	t.Helper()
	in.AddressFamily = types.AddressFamilyIpv4
	id := must[*ec2.CreateIpamPoolOutput](t)(c.CreateIpamPool(t.Context(), &in)).IpamPool.IpamPoolId
	must[*ec2.ProvisionIpamPoolCidrOutput](t)(c.ProvisionIpamPoolCidr(t.Context(), &ec2.ProvisionIpamPoolCidrInput{IpamPoolId: id, Cidr: &cidr}))
	return *id
}

func allocations(t *testing.T, c *ec2.Client, pool string) (cidrs []string) {
	t.Helper()
	out := must[*ec2.GetIpamPoolAllocationsOutput](t)(c.GetIpamPoolAllocations(t.Context(), &ec2.GetIpamPoolAllocationsInput{IpamPoolId: &pool}))
	for _, a := range out.IpamPoolAllocations {
		cidrs = append(cidrs, *a.Cidr)
	}
	slices.Sort(cidrs)
	return cidrs
}

// TestIPAM hands out ranges of a pool as KARGO does: by size, with a token and a
// description, without overlap, and takes them back.
func TestIPAM(t *testing.T) {
	var service *ec2sim.Service
	sim := start(t, withEC2(0, &service))
	ctx, c := t.Context(), ec2.NewFromConfig(sim.account(t, factoryID))
	i := must[*ec2.CreateIpamOutput](t)(c.CreateIpam(ctx, &ec2.CreateIpamInput{Description: aws.String("fleet")})).Ipam
	if i.State != types.IpamStateCreateInProgress || *i.IpamArn != "arn:aws:ec2::"+factoryID+":ipam/"+*i.IpamId {
		t.Errorf("IPAM: %+v", i)
	}
	top := newPool(t, c, ec2.CreateIpamPoolInput{IpamScopeId: i.PrivateDefaultScopeId}, "10.0.0.0/12")
	pool := newPool(t, c, ec2.CreateIpamPoolInput{IpamScopeId: i.PrivateDefaultScopeId, SourceIpamPoolId: &top, Locale: aws.String(region),
		AllocationMinNetmaskLength: aws.Int32(15), AllocationMaxNetmaskLength: aws.Int32(20)}, "10.4.0.0/14")
	if diff := gocmp.Diff([]string{"10.4.0.0/14"}, allocations(t, c, top)); diff != "" {
		t.Errorf("a pool within a pool is an allocation of it: -want +got\n%s", diff)
	}
	pools := must[*ec2.DescribeIpamPoolsOutput](t)(c.DescribeIpamPools(ctx, &ec2.DescribeIpamPoolsInput{Filters: []types.Filter{where("locale", region)}})).IpamPools
	if len(pools) != 1 || *pools[0].IpamPoolId != pool || *pools[0].PoolDepth != 2 || pools[0].State != types.IpamPoolStateCreateComplete {
		t.Errorf("pools: %+v", pools)
	}

	allocate := func(in ec2.AllocateIpamPoolCidrInput) (types.IpamPoolAllocation, error) {
		in.IpamPoolId = &pool
		out, err := c.AllocateIpamPoolCidr(ctx, &in)
		if err != nil {
			return types.IpamPoolAllocation{}, err
		}
		return *out.IpamPoolAllocation, nil
	}
	shop := ec2.AllocateIpamPoolCidrInput{NetmaskLength: aws.Int32(16), ClientToken: aws.String("shop"), Description: aws.String("account 111111111111")}
	first := must[types.IpamPoolAllocation](t)(allocate(shop))
	again := must[types.IpamPoolAllocation](t)(allocate(shop))
	if *first.Cidr != "10.4.0.0/16" || *again.IpamPoolAllocationId != *first.IpamPoolAllocationId || *first.Description != *shop.Description {
		t.Errorf("allocated %+v, and with the same token %+v", first, again)
	}
	preview := must[types.IpamPoolAllocation](t)(allocate(ec2.AllocateIpamPoolCidrInput{NetmaskLength: aws.Int32(16), PreviewNextCidr: aws.Bool(true)}))
	second := must[types.IpamPoolAllocation](t)(allocate(ec2.AllocateIpamPoolCidrInput{NetmaskLength: aws.Int32(16), DisallowedCidrs: []string{"10.5.0.0/16"}}))
	third := must[types.IpamPoolAllocation](t)(allocate(ec2.AllocateIpamPoolCidrInput{NetmaskLength: aws.Int32(20)}))
	if *preview.Cidr != "10.5.0.0/16" || *second.Cidr != "10.6.0.0/16" || *third.Cidr != "10.5.0.0/20" {
		t.Errorf("preview %s, then %s and %s", *preview.Cidr, *second.Cidr, *third.Cidr)
	}
	for name, tc := range map[string]struct {
		reason string
		in     ec2.AllocateIpamPoolCidrInput
		code   string
	}{
		"Large":    {"larger than the pool allows", ec2.AllocateIpamPoolCidrInput{NetmaskLength: aws.Int32(14)}, "InvalidParameterValue"},
		"Small":    {"smaller than the pool allows", ec2.AllocateIpamPoolCidrInput{NetmaskLength: aws.Int32(24)}, "InvalidParameterValue"},
		"Full":     {"no place for it", ec2.AllocateIpamPoolCidrInput{NetmaskLength: aws.Int32(15)}, "InvalidParameterValue"},
		"Taken":    {"overlaps an allocation", ec2.AllocateIpamPoolCidrInput{Cidr: aws.String("10.4.16.0/20")}, "InvalidParameterValue"},
		"Outside":  {"not the pool's", ec2.AllocateIpamPoolCidrInput{Cidr: aws.String("10.0.0.0/16")}, "InvalidParameterValue"},
		"Nothing":  {"neither range nor size", ec2.AllocateIpamPoolCidrInput{}, "MissingParameter"},
		"Mismatch": {"a token of another request", ec2.AllocateIpamPoolCidrInput{NetmaskLength: aws.Int32(17), ClientToken: aws.String("shop")}, "IdempotentParameterMismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			if a, err := allocate(tc.in); err == nil {
				t.Errorf("%s, but got %s", tc.reason, *a.Cidr)
			} else {
				wantCode(t, err, tc.code)
			}
		})
	}

	release := func(a types.IpamPoolAllocation) error {
		_, err := c.ReleaseIpamPoolAllocation(ctx, &ec2.ReleaseIpamPoolAllocationInput{IpamPoolId: &pool, IpamPoolAllocationId: a.IpamPoolAllocationId, Cidr: a.Cidr})
		return err
	}
	wantCode(t, release(first), "")
	wantCode(t, release(first), "InvalidIpamPoolAllocationId.NotFound")
	if diff := gocmp.Diff([]string{"10.5.0.0/20", "10.6.0.0/16"}, allocations(t, c, pool)); diff != "" {
		t.Errorf("allocations: -want +got\n%s", diff)
	}
	_, err := c.DeprovisionIpamPoolCidr(ctx, &ec2.DeprovisionIpamPoolCidrInput{IpamPoolId: &pool, Cidr: aws.String("10.4.0.0/14")})
	wantCode(t, err, "IncorrectState")
	_, err = c.DeleteIpam(ctx, &ec2.DeleteIpamInput{IpamId: i.IpamId})
	wantCode(t, err, "IncorrectState")
	must[*ec2.DeleteIpamOutput](t)(c.DeleteIpam(ctx, &ec2.DeleteIpamInput{IpamId: i.IpamId, Cascade: aws.Bool(true)}))
	if left := made(service, factoryID); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}
