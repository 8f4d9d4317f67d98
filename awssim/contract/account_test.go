package contract_test

import (
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/account"
	"github.com/aws/aws-sdk-go-v2/service/account/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	gocmp "github.com/google/go-cmp/cmp"
)

func TestContacts(t *testing.T) {
	sim := start(t)
	ctx := t.Context()
	governing, shop := account.NewFromConfig(sim.account(t, factoryID)), account.NewFromConfig(sim.account(t, shopID))
	put := &account.PutAlternateContactInput{AccountId: aws.String(shopID), AlternateContactType: types.AlternateContactTypeSecurity,
		EmailAddress: aws.String("security@example.com"), Name: aws.String("Security"), PhoneNumber: aws.String("+49 30 1"), Title: aws.String("on duty")}
	must[*account.PutAlternateContactOutput](t)(governing.PutAlternateContact(ctx, put))
	get := func(c *account.Client, id *string) (*account.GetAlternateContactOutput, error) {
		return c.GetAlternateContact(ctx, &account.GetAlternateContactInput{AccountId: id, AlternateContactType: types.AlternateContactTypeSecurity})
	}
	if got := must[*account.GetAlternateContactOutput](t)(get(shop, nil)).AlternateContact; *got.EmailAddress != "security@example.com" || *got.Title != "on duty" {
		t.Errorf("the contact is %+v", got)
	}
	_, err := get(governing, nil)
	wantCode(t, err, "ResourceNotFoundException")
	_, err = get(shop, aws.String(bankID))
	wantCode(t, err, "AccessDeniedException")
	_, err = get(governing, aws.String(factoryID))
	wantCode(t, err, "AccessDeniedException")
	put.EmailAddress = aws.String("nobody")
	_, err = governing.PutAlternateContact(ctx, put)
	var invalid *types.ValidationException
	if !errors.As(err, &invalid) || invalid.Reason != types.ValidationExceptionReasonFieldValidationFailed {
		t.Errorf("a bad address: %v", err)
	}
	must[*account.DeleteAlternateContactOutput](t)(shop.DeleteAlternateContact(ctx, &account.DeleteAlternateContactInput{AlternateContactType: types.AlternateContactTypeSecurity}))
	_, err = get(shop, nil)
	wantCode(t, err, "ResourceNotFoundException")

	address := &types.ContactInformation{AddressLine1: aws.String("Street 1"), City: aws.String("Berlin"), CountryCode: aws.String("DE"),
		FullName: aws.String("Shop"), PhoneNumber: aws.String("+49301"), PostalCode: aws.String("10115")}
	_, err = governing.PutContactInformation(ctx, &account.PutContactInformationInput{AccountId: aws.String(shopID), ContactInformation: address})
	wantCode(t, err, "ValidationException")
	address.StateOrRegion = aws.String("Berlin")
	must[*account.PutContactInformationOutput](t)(governing.PutContactInformation(ctx, &account.PutContactInformationInput{AccountId: aws.String(shopID), ContactInformation: address}))
	if got := must[*account.GetContactInformationOutput](t)(shop.GetContactInformation(ctx, &account.GetContactInformationInput{})); *got.ContactInformation.City != "Berlin" {
		t.Errorf("the address is %+v", got.ContactInformation)
	}
	if got := must[*account.GetAccountInformationOutput](t)(shop.GetAccountInformation(ctx, &account.GetAccountInformationInput{})); *got.AccountName != "shop" || got.AccountState != types.AccountStateActive {
		t.Errorf("the account is %+v", got)
	}
}

// TestDelegatedContacts: a delegated administrator acts on members as the management account does.
func TestDelegatedContacts(t *testing.T) {
	sim := start(t)
	ctx := t.Context()
	bank := account.NewFromConfig(sim.account(t, bankID))
	list := func() error {
		_, err := bank.ListRegions(ctx, &account.ListRegionsInput{AccountId: aws.String(shopID)})
		return err
	}
	wantCode(t, list(), "AccessDeniedException")
	must[*organizations.RegisterDelegatedAdministratorOutput](t)(governor(t, sim).RegisterDelegatedAdministrator(ctx,
		&organizations.RegisterDelegatedAdministratorInput{AccountId: aws.String(bankID), ServicePrincipal: aws.String("account.amazonaws.com")}))
	wantCode(t, list(), "")
}

func TestRegions(t *testing.T) {
	const optIn = "af-south-1"
	sim := startWith(t, t.TempDir(), 0.1, withEC2(0, nil))
	ctx, config := t.Context(), sim.account(t, shopID)
	c, nets := account.NewFromConfig(config), ec2.NewFromConfig(config)
	status := func() (types.RegionOptStatus, string) {
		t.Helper()
		out := must[*account.GetRegionOptStatusOutput](t)(c.GetRegionOptStatus(ctx, &account.GetRegionOptStatusInput{RegionName: aws.String(optIn)}))
		seen := must[*ec2.DescribeRegionsOutput](t)(nets.DescribeRegions(ctx, &ec2.DescribeRegionsInput{AllRegions: aws.Bool(true), RegionNames: []string{optIn}}))
		return out.RegionOptStatus, *seen.Regions[0].OptInStatus
	}
	want := func(reason string, wantStatus types.RegionOptStatus, wantSeen, there, thereEC2 string) {
		t.Helper()
		if got, seen := status(); got != wantStatus || seen != wantSeen {
			t.Errorf("%s: %s, EC2 says %s", reason, got, seen)
		}
		away := config.Copy()
		away.Region = optIn
		_, err := sts.NewFromConfig(away).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		wantCode(t, err, there)
		_, err = ec2.NewFromConfig(away).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
		wantCode(t, err, thereEC2)
	}
	enable := func() error {
		_, err := c.EnableRegion(ctx, &account.EnableRegionInput{RegionName: aws.String(optIn)})
		return err
	}
	want("at first", types.RegionOptStatusDisabled, "not-opted-in", "InvalidClientTokenId", "AuthFailure")
	wantCode(t, enable(), "")
	wantCode(t, enable(), "ConflictException")
	want("meanwhile", types.RegionOptStatusEnabling, "not-opted-in", "InvalidClientTokenId", "AuthFailure")
	sim.clock.forward(61 * time.Second)
	want("after a minute, a tenth of AWS's ten", types.RegionOptStatusEnabled, "opted-in", "", "")
	wantCode(t, enable(), "")
	must[*account.DisableRegionOutput](t)(c.DisableRegion(ctx, &account.DisableRegionInput{RegionName: aws.String(optIn)}))
	want("disabled", types.RegionOptStatusDisabling, "not-opted-in", "InvalidClientTokenId", "AuthFailure")

	_, err := c.DisableRegion(ctx, &account.DisableRegionInput{RegionName: aws.String(region)})
	var invalid *types.ValidationException
	if !errors.As(err, &invalid) || invalid.Reason != types.ValidationExceptionReasonInvalidRegionOptTarget {
		t.Errorf("a default region: %v", err)
	}
	_, err = c.EnableRegion(ctx, &account.EnableRegionInput{RegionName: aws.String("xy-north-1")})
	wantCode(t, err, "ValidationException")
	var names []string
	pages := account.NewListRegionsPaginator(c, &account.ListRegionsInput{MaxResults: aws.Int32(1),
		RegionOptStatusContains: []types.RegionOptStatus{types.RegionOptStatusDisabling, types.RegionOptStatusEnabled}})
	for pages.HasMorePages() {
		for _, r := range must[*account.ListRegionsOutput](t)(pages.NextPage(ctx)).Regions {
			names = append(names, *r.RegionName)
		}
	}
	if diff := gocmp.Diff([]string{optIn}, names); diff != "" {
		t.Errorf("regions that are not as they were: -want +got\n%s", diff)
	}
}
