package contract_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"kargo.dev/kargo/awssim/server"
)

type violations struct {
	Count int64
	Items []server.Violation
}

type calls struct {
	Count int
	Last  int64
	Items []server.Entry
}

func TestViolationsAreSeen(t *testing.T) {
	s := start(t)
	ctx := t.Context()
	client := iam.NewFromConfig(s.account(t, bankID))
	created, err := iam.NewFromConfig(s.account(t, shopID)).CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("own"), PolicyDocument: aws.String(identityPolicy)})
	if err != nil {
		t.Fatal(err)
	}
	if v := admin[violations](t, s, "/_awssim/violations"); v.Count != 0 || v.Items == nil {
		t.Errorf("before: %+v", v)
	}
	_, err = client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: created.Policy.Arn})
	wantCode(t, err, "NoSuchEntity")
	// The key of another account's user is an id that belongs to it.
	_, err = client.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String(s.keys.Factory.AccessKeyID)})
	wantCode(t, err, "NoSuchEntity")

	v := admin[violations](t, s, "/_awssim/violations")
	if v.Count != 2 || v.Items[0].Owner != shopID || v.Items[0].Account != bankID || v.Items[0].Value != *created.Policy.Arn ||
		v.Items[0].Where != "PolicyArn" || v.Items[1].Owner != factoryID {
		t.Errorf("after: %+v", v)
	}
	list := admin[calls](t, s, "/_awssim/calls?operation=GetPolicy")
	if list.Count != 1 || list.Items[0].Violations != 1 || list.Items[0].Code != "NoSuchEntity" || list.Items[0].Status != 404 {
		t.Errorf("calls: %+v", list)
	}
	if list.Items[0].N != v.Items[0].Call {
		t.Errorf("the violation names call %d, want %d", v.Items[0].Call, list.Items[0].N)
	}
}

func TestCallsAreRecorded(t *testing.T) {
	dir := t.TempDir()
	s := startIn(t, dir)
	session := assume(t, s, s.factory(), kargo())
	if _, err := sts.NewFromConfig(session).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}); err != nil {
		t.Fatal(err)
	}
	_, err := sts.NewFromConfig(s.config("AKIANOBODY", "x", "")).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	wantCode(t, err, "InvalidClientTokenId")

	all := admin[calls](t, s, "/_awssim/calls")
	if all.Count != 3 || all.Last != 3 {
		t.Fatalf("%d calls, the last is %d", all.Count, all.Last)
	}
	first, second, third := all.Items[0], all.Items[1], all.Items[2]
	if first.N != 1 || first.Operation != "AssumeRole" || first.Account != factoryID || first.Params["ExternalId"] != "shop-secret" || first.Status != 200 {
		t.Errorf("first: %+v", first)
	}
	if second.Account != shopID || second.Service != "sts" || second.Region != region || !strings.HasSuffix(second.Caller, "assumed-role/kargo/capa") {
		t.Errorf("second: %+v", second)
	}
	if third.Account != "" || third.Status != 403 || third.Code != "InvalidClientTokenId" || third.Operation != "GetCallerIdentity" {
		t.Errorf("third: %+v", third)
	}
	if some := admin[calls](t, s, "/_awssim/calls?since=1&account="+shopID); some.Count != 1 || some.Items[0].N != 2 {
		t.Errorf("filtered: %+v", some)
	}
	s.stop()

	s = startIn(t, dir)
	if all := admin[calls](t, s, "/_awssim/calls"); all.Count != 3 || all.Last != 3 {
		t.Errorf("after a restart: %d calls, the last is %d", all.Count, all.Last)
	}
}

func TestInventory(t *testing.T) {
	s := start(t)
	type resources struct {
		Account   string
		Resources []struct {
			Type, ID, ARN string
			Builtin       bool
		}
	}
	got := admin[resources](t, s, "/_awssim/inventory?account="+shopID)
	if got.Account != shopID || len(got.Resources) != 3 {
		t.Fatalf("%+v", got)
	}
	for _, r := range got.Resources {
		if !r.Builtin {
			t.Errorf("%s %s is not marked as builtin", r.Type, r.ID)
		}
	}
	all := admin[struct{ Accounts []resources }](t, s, "/_awssim/inventory")
	if len(all.Accounts) != 3 {
		t.Errorf("%d accounts", len(all.Accounts))
	}
}

func TestUnknownOperations(t *testing.T) {
	s := start(t)
	config := s.account(t, shopID)
	_, err := iam.NewFromConfig(config).ListSAMLProviders(t.Context(), &iam.ListSAMLProvidersInput{})
	wantCode(t, err, "InvalidAction")
	// EKS is not among this server's services.
	_, err = eks.NewFromConfig(config).ListClusters(t.Context(), &eks.ListClustersInput{})
	wantCode(t, err, "UnknownOperationException")
}

func TestUnsigned(t *testing.T) {
	s := start(t)
	if got := get(t.Context(), t, s, s.URL+"/?Action=GetCallerIdentity"); got != http.StatusForbidden {
		t.Errorf("status %d", got)
	}
}

func TestAdminIsForThisMachine(t *testing.T) {
	s := start(t)
	r, err := newGet(t.Context(), s.URL+"/_awssim/credentials")
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "evil.example.com"
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("status %d for a foreign Host", resp.StatusCode)
	}
}

func TestFaults(t *testing.T) {
	s := start(t)
	client := iam.NewFromConfig(s.account(t, shopID))
	getRole := func(name string) error {
		_, err := client.GetRole(t.Context(), &iam.GetRoleInput{RoleName: &name})
		return err
	}
	createRole := func(name string) error {
		_, err := client.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(eksTrust)})
		return err
	}
	add := func(rule string) { do(t, s, http.MethodPost, "/_awssim/faults", rule, nil) }
	clear := func() { do(t, s, http.MethodDelete, "/_awssim/faults", "", nil) }

	for kind, code := range map[string]string{"throttle": "Throttling", "5xx": "ServiceFailure", "accessdenied": "AccessDenied", "quota": "LimitExceeded"} {
		t.Run(kind, func(t *testing.T) {
			defer clear()
			add(`{"kind": "` + kind + `", "service": "iam", "operation": "GetRole", "account": "` + shopID + `", "count": 1}`)
			wantCode(t, getRole("team"), code)
			wantCode(t, getRole("team"), "")
		})
	}
	t.Run("lost answer", func(t *testing.T) {
		defer clear()
		add(`{"kind": "lostanswer", "operation": "CreateRole", "count": 1}`)
		if err := createRole("lost"); err == nil {
			t.Error("the answer arrived")
		}
		wantCode(t, getRole("lost"), "")
	})
	t.Run("timeout", func(t *testing.T) {
		defer clear()
		add(`{"kind": "timeout", "operation": "CreateRole", "count": 1, "seconds": 0.01}`)
		if err := createRole("late"); err == nil {
			t.Error("the answer arrived")
		}
		wantCode(t, getRole("late"), "NoSuchEntity")
	})
	t.Run("eventual", func(t *testing.T) {
		defer clear()
		add(`{"kind": "eventual", "account": "` + shopID + `", "seconds": 60}`)
		wantCode(t, createRole("soon"), "")
		wantCode(t, getRole("soon"), "NoSuchEntity")
		s.clock.forward(61 * time.Second)
		wantCode(t, getRole("soon"), "")
	})
	t.Run("never", func(t *testing.T) {
		defer clear()
		add(`{"kind": "throttle", "account": "` + bankID + `"}`)
		wantCode(t, getRole("team"), "")
	})
	list := admin[calls](t, s, "/_awssim/calls?operation=CreateRole")
	if list.Items[0].Fault != "lostanswer" || list.Items[0].Status != 0 || list.Items[1].Fault != "timeout" {
		t.Errorf("recorded %+v", list.Items)
	}
}
