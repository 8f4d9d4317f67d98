package account_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/fluxcd/pkg/runtime/conditions"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/aws/session"
	"kargo.dev/kargo/internal/preflight"
)

// fakeAWS is an account in which all is well but for what a test changes.
type fakeAWS struct {
	mu        sync.Mutex
	fault     fault
	forgotten int
}

type fault struct {
	identity string
	err      error // of AssumeRole
	open     bool
	region   string // its opt-in status
	denied   []preflight.Denial
	clusters int64 // used of a quota of 100
}

func (f *fakeAWS) set(to fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = to
}

func (f *fakeAWS) get() fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fault
}

func (f *fakeAWS) Identity(_ context.Context, t session.Target) (string, error) {
	if id := f.get().identity; id != "" {
		return id, nil
	}
	return t.AccountID, f.get().err
}

func (f *fakeAWS) OpenToAll(context.Context, session.Target) (bool, error) { return f.get().open, nil }

func (f *fakeAWS) Region(context.Context, session.Target) (preflight.Region, error) {
	status := f.get().region
	return preflight.Region{Enabled: status == "", Status: status}, nil
}

func (f *fakeAWS) Denied(context.Context, session.Target) ([]preflight.Denial, error) {
	return f.get().denied, nil
}

func (f *fakeAWS) Usages(context.Context, session.Target) ([]preflight.Usage, error) {
	var usages []preflight.Usage
	for _, q := range preflight.Quotas() {
		u := preflight.Usage{Quota: q, Limit: 100}
		if q.Code == preflight.QuotaClusters {
			u.Used = f.get().clusters
		}
		usages = append(usages, u)
	}
	return usages, nil
}

func (f *fakeAWS) Forget(session.Target) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forgotten++
}

// check asks for a new preflight, as `kargoctl check account` does.
func check(t *testing.T, acct *v1alpha1.Account, value string) {
	t.Helper()
	before := acct.DeepCopy()
	acct.Annotations = map[string]string{v1alpha1.AnnotationCheck: value}
	if err := env.Client.Patch(t.Context(), acct, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() error {
		if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(acct), acct); err != nil {
			return err
		}
		if acct.Status.Checked != value {
			return fmt.Errorf("check %s is not answered: %q", value, acct.Status.Checked)
		}
		return nil
	})
}

// TestPreflight: each fault shows in its condition with what to do, and heals
// by itself when it is mended.
func TestPreflight(t *testing.T) {
	aws := &fakeAWS{}
	startWith(t, aws)
	create(t, newTeam("checked"))
	namespaceOf(t, "checked")
	acct := newAccount("checked", "prod", "666666666666", "10.200.0.0/16")
	create(t, acct)
	condition(t, acct, "Ready", "True", v1alpha1.ReasonSucceeded)

	refused := &smithy.GenericAPIError{Code: "AccessDenied", Message: "User is not authorized"}
	cases := map[string]struct {
		reason                  string
		fault                   fault
		condition, reasonOf, do string
	}{
		"RoleRefused": {"a role that is missing or has another external id must be created as printed",
			fault{err: fmt.Errorf("operation error STS: %w", refused)}, v1alpha1.ConditionRoleAssumable, v1alpha1.ReasonRoleRefused, "kargoctl account template prod -n checked"},
		"WrongAccount": {"a role of another account must never be used",
			fault{identity: "999999999999"}, v1alpha1.ConditionRoleAssumable, v1alpha1.ReasonWrongAccount, "999999999999 instead of 666666666666"},
		"NoExternalID": {"a role without an external id lets the confused deputy in",
			fault{open: true}, v1alpha1.ConditionExternalIDDemanded, v1alpha1.ReasonExternalIDMissing, "sts:ExternalId kargo-"},
		"RegionDisabled": {"an opt-in region must be enabled by the account's owner",
			fault{region: "not-opted-in"}, v1alpha1.ConditionRegionEnabled, v1alpha1.ReasonRegionDisabled, "aws account enable-region --region-name eu-central-1"},
		"ActionDenied": {"a policy that lacks an action must be replaced",
			fault{denied: []preflight.Denial{{Action: "ec2:CreateVpc"}, {Action: "eks:CreateCluster"}}}, v1alpha1.ConditionActionsAllowed, v1alpha1.ReasonActionsDenied, "ec2:CreateVpc, eks:CreateCluster"},
		"QuotaExceeded": {"no more clusters fit", fault{clusters: 100}, v1alpha1.ConditionQuotasSuffice, v1alpha1.ReasonQuotaExceeded, "--quota-code L-1194D53C --desired-value 101"},
	}
	cluster := &v1alpha1.WorkloadCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "checked", Name: "wanted"},
		Spec: v1alpha1.WorkloadClusterSpec{AccountRef: v1alpha1.AccountReference{Name: "prod"}, Flavor: "standard", Branch: "main"}}
	create(t, cluster) // for which a quota has to suffice
	for name, c := range cases {
		aws.set(c.fault)
		check(t, acct, name)
		condition(t, acct, c.condition, "False", c.reasonOf)
		condition(t, acct, "Stalled", "True", c.reasonOf)
		if message := conditions.GetMessage(acct, c.condition); !strings.Contains(message, c.do) {
			t.Errorf("%s: %q does not say %q: %s", name, message, c.do, c.reason)
		}
		aws.set(fault{})
		check(t, acct, name+"-mended")
		condition(t, acct, "Ready", "True", v1alpha1.ReasonSucceeded)
	}
	if aws.forgotten < 2*len(cases) {
		t.Errorf("%d of at least %d checks asked AWS anew", aws.forgotten, 2*len(cases))
	}
	aws.set(fault{denied: []preflight.Denial{{Action: "ec2:CreateVpc", ByOrganization: true}}})
	check(t, acct, "advisory")
	condition(t, acct, "Ready", "True", v1alpha1.ReasonSucceeded)
	if message := conditions.GetMessage(acct, v1alpha1.ConditionActionsAllowed); !strings.Contains(message, "service control policy forbids ec2:CreateVpc") {
		t.Errorf("%q does not say what AWS's simulator says of service control policies", message)
	}
}
