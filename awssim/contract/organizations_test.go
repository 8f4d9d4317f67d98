package contract_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/servicequotas"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	gocmp "github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/org"
	"kargo.dev/kargo/awssim/quota"
)

// governor returns a client of the management account's administrator.
func governor(t *testing.T, s *simulator) *organizations.Client {
	t.Helper()
	return organizations.NewFromConfig(s.account(t, factoryID))
}

// slowly runs a simulator that is as slow as AWS.
func slowly(t *testing.T, more ...func(t *testing.T, c core) api.Service) *simulator {
	t.Helper()
	return startWith(t, t.TempDir(), 1, more...)
}

// ask begins to make an account.
func ask(t *testing.T, c *organizations.Client, name string) types.CreateAccountStatus {
	t.Helper()
	out := must[*organizations.CreateAccountOutput](t)(c.CreateAccount(t.Context(), &organizations.CreateAccountInput{
		AccountName: &name, Email: aws.String(strings.ReplaceAll(name, " ", ".") + "@example.com"),
		Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}}}))
	return *out.CreateAccountStatus
}

func status(t *testing.T, c *organizations.Client, id *string) types.CreateAccountStatus {
	t.Helper()
	return *must[*organizations.DescribeCreateAccountStatusOutput](t)(c.DescribeCreateAccountStatus(t.Context(),
		&organizations.DescribeCreateAccountStatusInput{CreateAccountRequestId: id})).CreateAccountStatus
}

// vend makes an account, on the fast clock, and returns its id.
func vend(t *testing.T, c *organizations.Client, name string) string {
	t.Helper()
	s := status(t, c, ask(t, c, name).Id)
	if s.State != types.CreateAccountStateSucceeded {
		t.Fatalf("account %s: %s %s", name, s.State, s.FailureReason)
	}
	return *s.AccountId
}

func describe(t *testing.T, c *organizations.Client, id string) types.Account {
	t.Helper()
	return *must[*organizations.DescribeAccountOutput](t)(c.DescribeAccount(t.Context(), &organizations.DescribeAccountInput{AccountId: &id})).Account
}

func closeAccount(t *testing.T, c *organizations.Client, id string) error {
	t.Helper()
	_, err := c.CloseAccount(t.Context(), &organizations.CloseAccountInput{AccountId: &id})
	return err
}

// vended returns the administrator's configuration of an account that was made meanwhile.
func (s *simulator) vended(t *testing.T, id string) aws.Config {
	t.Helper()
	s.keys = admin[org.TestKeys](t, s, "/_awssim/credentials")
	return s.account(t, id)
}

// TestVend goes through an account's life: made, entered by the management account
// and by its own administrator, moved and closed.
func TestVend(t *testing.T) {
	sim := start(t, withEC2(0, nil))
	c, ctx := governor(t, sim), t.Context()
	asked := ask(t, c, "Shop Prod")
	if asked.State != types.CreateAccountStateInProgress || asked.AccountId != nil || !strings.HasPrefix(*asked.Id, "car-") {
		t.Errorf("CreateAccount answers %+v", asked)
	}
	done := status(t, c, asked.Id)
	id := aws.ToString(done.AccountId)
	if done.State != types.CreateAccountStateSucceeded || len(id) != 12 || done.CompletedTimestamp == nil {
		t.Fatalf("the request became %+v", done)
	}
	a := describe(t, c, id)
	if a.Status != types.AccountStatusActive || a.State != types.AccountStateActive || *a.Name != "Shop Prod" || *a.Email != "Shop.Prod@example.com" ||
		a.JoinedMethod != types.AccountJoinedMethodCreated || !strings.HasSuffix(*a.Arn, "/"+id) {
		t.Errorf("the account is %+v", a)
	}
	tags := must[*organizations.ListTagsForResourceOutput](t)(c.ListTagsForResource(ctx, &organizations.ListTagsForResourceInput{ResourceId: &id})).Tags
	if len(tags) != 1 || *tags[0].Key != "team" {
		t.Errorf("tags: %+v", tags)
	}

	enter := func() error {
		_, err := sts.NewFromConfig(sim.account(t, factoryID)).AssumeRole(ctx, &sts.AssumeRoleInput{
			RoleArn: aws.String("arn:aws:iam::" + id + ":role/OrganizationAccountAccessRole"), RoleSessionName: aws.String("bootstrap")})
		return err
	}
	wantCode(t, enter(), "")
	own := sim.vended(t, id)
	if vpc := newVPC(t, ec2.NewFromConfig(own), "10.0.0.0/16"); vpc == "" {
		t.Error("no VPC in the new account")
	}
	role := must[*iam.GetRoleOutput](t)(iam.NewFromConfig(own).GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("OrganizationAccountAccessRole")})).Role
	if !strings.Contains(*role.AssumeRolePolicyDocument, factoryID) {
		t.Errorf("the role trusts %s", *role.AssumeRolePolicyDocument)
	}
	names := map[string]int{}
	for _, r := range admin[struct{ Resources []api.Resource }](t, sim, "/_awssim/inventory?account="+id).Resources {
		if !r.Builtin {
			names[r.Type]++
		}
	}
	if diff := gocmp.Diff(map[string]int{"vpc": 1}, names); diff != "" {
		t.Errorf("inventory: -want +got\n%s", diff)
	}

	wantCode(t, closeAccount(t, c, id), "")
	if a = describe(t, c, id); a.Status != types.AccountStatusSuspended || a.State != types.AccountStateClosed {
		t.Errorf("the account is %s, %s after it was closed", a.Status, a.State)
	}
	wantCode(t, enter(), "AccessDenied")
	_, err := sts.NewFromConfig(own).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	wantCode(t, err, "InvalidClientTokenId")
	_, err = ec2.NewFromConfig(own).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
	wantCode(t, err, "AuthFailure")
	wantCode(t, closeAccount(t, c, id), "AccountAlreadyClosedException")
	if v := admin[struct{ Count int }](t, sim, "/_awssim/violations"); v.Count != 0 {
		t.Errorf("%d calls named another account's resources", v.Count)
	}
}

func TestCreateAccountTakesTime(t *testing.T) {
	dir := t.TempDir()
	sim := startWith(t, dir, 1)
	c := governor(t, sim)
	var requests []types.CreateAccountStatus
	for i := range 5 {
		requests = append(requests, ask(t, c, fmt.Sprintf("account%d", i)))
	}
	_, err := c.CreateAccount(t.Context(), &organizations.CreateAccountInput{AccountName: aws.String("six"), Email: aws.String("six@example.com")})
	wantCode(t, err, "TooManyRequestsException")
	if s := status(t, c, requests[0].Id); s.State != types.CreateAccountStateInProgress {
		t.Errorf("at once the state is %s", s.State)
	}
	sim.stop()
	// Restarted with the clock ahead: what is under way is finished, once.
	sim = startWith(t, dir, 1)
	sim.clock.forward(2 * time.Minute)
	c = governor(t, sim)
	s := status(t, c, requests[0].Id)
	if s.State != types.CreateAccountStateSucceeded {
		t.Errorf("after two minutes the state is %s", s.State)
	}
	list := must[*organizations.ListCreateAccountStatusOutput](t)(c.ListCreateAccountStatus(t.Context(), &organizations.ListCreateAccountStatusInput{
		States: []types.CreateAccountState{types.CreateAccountStateSucceeded}})).CreateAccountStatuses
	if len(list) != 5 || len(admin[org.TestKeys](t, sim, "/_awssim/credentials").Accounts) != 8 {
		t.Errorf("%d requests succeeded", len(list))
	}
}

func TestCreateAccountFails(t *testing.T) {
	sim := start(t)
	c, ctx := governor(t, sim), t.Context()
	vend(t, c, "shop-prod")
	if s := status(t, c, ask(t, c, "shop-prod").Id); s.State != types.CreateAccountStateFailed || s.FailureReason != types.CreateAccountFailureReasonEmailAlreadyExists {
		t.Errorf("an address that is taken: %s %s", s.State, s.FailureReason)
	}
	if err := sim.Quotas.Set(quota.Setting{Account: factoryID, Code: quota.Accounts, Value: 4}); err != nil {
		t.Fatal(err)
	}
	if s := status(t, c, ask(t, c, "shop-lab").Id); s.FailureReason != types.CreateAccountFailureReasonAccountLimitExceeded {
		t.Errorf("one account too many: %s %s", s.State, s.FailureReason)
	}
	quotas := servicequotas.NewFromConfig(sim.account(t, factoryID))
	must[*servicequotas.RequestServiceQuotaIncreaseOutput](t)(quotas.RequestServiceQuotaIncrease(ctx, &servicequotas.RequestServiceQuotaIncreaseInput{
		ServiceCode: aws.String("organizations"), QuotaCode: aws.String(quota.Accounts), DesiredValue: aws.Float64(5)}))
	vend(t, c, "shop-lab")

	for name, tc := range map[string]struct {
		in   organizations.CreateAccountInput
		want types.InvalidInputExceptionReason
	}{
		"Name":  {organizations.CreateAccountInput{AccountName: aws.String("ä"), Email: aws.String("a@b.cd")}, types.InvalidInputExceptionReasonInvalidPattern},
		"Email": {organizations.CreateAccountInput{AccountName: aws.String("a"), Email: aws.String("nobody")}, types.InvalidInputExceptionReasonInvalidPattern},
		"Role": {organizations.CreateAccountInput{AccountName: aws.String("a"), Email: aws.String("a@b.cd"), RoleName: aws.String("a b")},
			types.InvalidInputExceptionReasonInvalidRoleName},
		"Tags": {organizations.CreateAccountInput{AccountName: aws.String("a"), Email: aws.String("a@b.cd"),
			Tags: []types.Tag{{Key: aws.String("aws:x"), Value: aws.String("")}}}, types.InvalidInputExceptionReasonInvalidSystemTagsParameter},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.CreateAccount(ctx, &tc.in)
			var invalid *types.InvalidInputException
			if !errors.As(err, &invalid) || invalid.Reason != tc.want || invalid.ErrorMessage() == "" {
				t.Errorf("%v, want reason %s", err, tc.want)
			}
		})
	}
}

func TestCloseAccountLimits(t *testing.T) {
	sim := slowly(t)
	c := governor(t, sim)
	wantReason := func(err error, want types.ConstraintViolationExceptionReason) {
		t.Helper()
		var violation *types.ConstraintViolationException
		if !errors.As(err, &violation) || violation.Reason != want {
			t.Errorf("%v, want reason %s", err, want)
		}
	}
	if err := sim.Quotas.Set(quota.Setting{Code: quota.Accounts, Value: 20}); err != nil {
		t.Fatal(err)
	}
	var requests []types.CreateAccountStatus
	for i := range 5 {
		requests = append(requests, ask(t, c, fmt.Sprintf("account%d", i)))
	}
	sim.clock.forward(95 * time.Second)
	var ids []string
	for _, r := range requests {
		ids = append(ids, *status(t, c, r.Id).AccountId)
	}
	for _, id := range ids[:3] {
		wantCode(t, closeAccount(t, c, id), "")
	}
	if a := describe(t, c, ids[0]); a.Status != types.AccountStatusPendingClosure || a.State != types.AccountStatePendingClosure {
		t.Errorf("an account that is being closed is %s, %s", a.Status, a.State)
	}
	wantCode(t, closeAccount(t, c, ids[0]), "ConflictException")
	wantReason(closeAccount(t, c, ids[3]), types.ConstraintViolationExceptionReasonCloseAccountRequestsLimitExceeded)
	sim.clock.forward(125 * time.Second)
	wantCode(t, closeAccount(t, c, ids[3]), "")
	wantReason(closeAccount(t, c, ids[4]), types.ConstraintViolationExceptionReasonCloseAccountQuotaExceeded)
	wantReason(closeAccount(t, c, factoryID), types.ConstraintViolationExceptionReasonCannotCloseManagementAccount)
	wantCode(t, closeAccount(t, c, "999999999999"), "AccountNotFoundException")
}

func TestOrganizationTree(t *testing.T) {
	dir := t.TempDir()
	sim := startIn(t, dir)
	c, ctx := governor(t, sim), t.Context()
	organization := must[*organizations.DescribeOrganizationOutput](t)(c.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})).Organization
	root := *must[*organizations.ListRootsOutput](t)(c.ListRoots(ctx, &organizations.ListRootsInput{})).Roots[0].Id
	if *organization.MasterAccountId != factoryID || organization.FeatureSet != types.OrganizationFeatureSetAll || !strings.HasPrefix(root, "r-") {
		t.Errorf("organisation %+v, root %s", organization, root)
	}
	newUnit := func(parent, name string) string {
		t.Helper()
		return *must[*organizations.CreateOrganizationalUnitOutput](t)(c.CreateOrganizationalUnit(ctx,
			&organizations.CreateOrganizationalUnitInput{ParentId: &parent, Name: &name})).OrganizationalUnit.Id
	}
	prod := newUnit(root, "prod")
	eu := newUnit(prod, "eu")
	_, err := c.CreateOrganizationalUnit(ctx, &organizations.CreateOrganizationalUnitInput{ParentId: &root, Name: aws.String("prod")})
	wantCode(t, err, "DuplicateOrganizationalUnitException")
	_, err = c.CreateOrganizationalUnit(ctx, &organizations.CreateOrganizationalUnitInput{ParentId: aws.String("ou-none-00000000"), Name: aws.String("x")})
	wantCode(t, err, "ParentNotFoundException")

	move := func(from, to string) error {
		_, err := c.MoveAccount(ctx, &organizations.MoveAccountInput{AccountId: aws.String(shopID), SourceParentId: &from, DestinationParentId: &to})
		return err
	}
	wantCode(t, move(prod, eu), "AccountNotFoundException")
	wantCode(t, move(root, root), "DuplicateAccountException")
	wantCode(t, move(root, "ou-none-00000000"), "DestinationParentNotFoundException")
	wantCode(t, move(root, eu), "")
	wantCode(t, move(eu, eu), "DuplicateAccountException")
	if got, want := describe(t, c, shopID).Paths, *organization.Id+"/"+root+"/"+prod+"/"+eu+"/"+shopID+"/"; len(got) != 1 || got[0] != want {
		t.Errorf("path %v, want %s", got, want)
	}
	parents := must[*organizations.ListParentsOutput](t)(c.ListParents(ctx, &organizations.ListParentsInput{ChildId: aws.String(shopID)})).Parents
	if len(parents) != 1 || *parents[0].Id != eu || parents[0].Type != types.ParentTypeOrganizationalUnit {
		t.Errorf("parents: %+v", parents)
	}
	_, err = c.DeleteOrganizationalUnit(ctx, &organizations.DeleteOrganizationalUnitInput{OrganizationalUnitId: &prod})
	wantCode(t, err, "OrganizationalUnitNotEmptyException")

	sim.stop()
	sim = startIn(t, dir)
	c = governor(t, sim)
	var ids []string
	for p := organizations.NewListAccountsForParentPaginator(c, &organizations.ListAccountsForParentInput{ParentId: &root, MaxResults: aws.Int32(1)}); p.HasMorePages(); {
		for _, a := range must[*organizations.ListAccountsForParentOutput](t)(p.NextPage(ctx)).Accounts {
			ids = append(ids, *a.Id)
		}
	}
	if diff := gocmp.Diff([]string{factoryID, bankID}, ids); diff != "" {
		t.Errorf("below the root after a restart: -want +got\n%s", diff)
	}
	units := must[*organizations.ListOrganizationalUnitsForParentOutput](t)(c.ListOrganizationalUnitsForParent(ctx,
		&organizations.ListOrganizationalUnitsForParentInput{ParentId: &prod})).OrganizationalUnits
	children := must[*organizations.ListChildrenOutput](t)(c.ListChildren(ctx, &organizations.ListChildrenInput{ParentId: &eu, ChildType: types.ChildTypeAccount})).Children
	if len(units) != 1 || *units[0].Name != "eu" || len(children) != 1 || *children[0].Id != shopID {
		t.Errorf("units %+v, children %+v", units, children)
	}
	_, err = c.ListAccounts(ctx, &organizations.ListAccountsInput{MaxResults: aws.Int32(21)})
	wantCode(t, err, "InvalidInputException")
}

func TestOrganizationsAccess(t *testing.T) {
	sim := start(t)
	ctx, shop := t.Context(), organizations.NewFromConfig(sim.account(t, shopID))
	must[*organizations.DescribeOrganizationOutput](t)(shop.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{}))
	list := func() error {
		_, err := shop.ListAccounts(ctx, &organizations.ListAccountsInput{})
		return err
	}
	create := func() error {
		_, err := shop.CreateAccount(ctx, &organizations.CreateAccountInput{AccountName: aws.String("a"), Email: aws.String("a@b.cd")})
		return err
	}
	wantCode(t, list(), "AccessDeniedException")
	wantCode(t, create(), "AccessDeniedException")
	delegate := &organizations.RegisterDelegatedAdministratorInput{AccountId: aws.String(shopID), ServicePrincipal: aws.String("account.amazonaws.com")}
	must[*organizations.RegisterDelegatedAdministratorOutput](t)(governor(t, sim).RegisterDelegatedAdministrator(ctx, delegate))
	_, err := governor(t, sim).RegisterDelegatedAdministrator(ctx, delegate)
	wantCode(t, err, "AccountAlreadyRegisteredException")
	wantCode(t, list(), "")
	wantCode(t, create(), "AccessDeniedException")
	must[*organizations.DeregisterDelegatedAdministratorOutput](t)(governor(t, sim).DeregisterDelegatedAdministrator(ctx,
		&organizations.DeregisterDelegatedAdministratorInput{AccountId: aws.String(shopID), ServicePrincipal: aws.String("account.amazonaws.com")}))
	wantCode(t, list(), "AccessDeniedException")

	alone, _ := sim.Organisation.Account(bankID)
	alone.Standalone = true
	if err := sim.Organisation.Put(alone); err != nil {
		t.Fatal(err)
	}
	_, err = organizations.NewFromConfig(sim.account(t, bankID)).DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
	wantCode(t, err, "AWSOrganizationsNotInUseException")
	_, err = governor(t, sim).DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: aws.String(bankID)})
	wantCode(t, err, "AccountNotFoundException")
}

func TestOrganizationsFaults(t *testing.T) {
	sim := start(t)
	c, ctx := governor(t, sim), t.Context()
	for kind, code := range map[string]string{
		"throttle": "TooManyRequestsException", "5xx": "ServiceException", "accessdenied": "AccessDeniedException", "quota": "ConstraintViolationException",
	} {
		do(t, sim, http.MethodPost, "/_awssim/faults", `{"kind": "`+kind+`", "service": "organizations", "count": 1}`, nil)
		_, err := c.DescribeOrganization(ctx, &organizations.DescribeOrganizationInput{})
		wantCode(t, err, code)
	}
	// An answer that is lost: the request goes on, and is found by its name.
	do(t, sim, http.MethodPost, "/_awssim/faults", `{"kind": "lostanswer", "service": "organizations", "operation": "CreateAccount", "count": 1}`, nil)
	if _, err := c.CreateAccount(ctx, &organizations.CreateAccountInput{AccountName: aws.String("lost"), Email: aws.String("lost@example.com")}); err == nil {
		t.Error("the answer was not lost")
	}
	list := must[*organizations.ListCreateAccountStatusOutput](t)(c.ListCreateAccountStatus(ctx, &organizations.ListCreateAccountStatusInput{})).CreateAccountStatuses
	if len(list) != 1 || *list[0].AccountName != "lost" || list[0].State != types.CreateAccountStateSucceeded {
		t.Errorf("requests: %+v", list)
	}
}
