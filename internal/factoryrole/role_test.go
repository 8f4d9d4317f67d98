package factoryrole

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

// example is the role of the goldens.
func exampleRole() Role {
	return Role{
		AccountID: "111111111111", Region: "eu-central-1", Name: "kargo-factory",
		Principal: "arn:aws:iam::100000000000:role/kargo-manager", ExternalID: "kargo-66e55316104e849574e647e93d22bef9",
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); `go test ./internal/factoryrole -update` writes it:\n%s", name, diff)
	}
}

func TestRendering(t *testing.T) {
	for name, render := range map[string]func() ([]byte, error){
		"role.cloudformation.yaml": exampleRole().CloudFormation, "role.tf": exampleRole().Terraform, "role.json": exampleRole().JSON,
	} {
		t.Run(name, func(t *testing.T) {
			got, err := render()
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name, got)
		})
	}
}

// TestSizes keeps within what IAM takes:
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html.
func TestSizes(t *testing.T) {
	const inline, trust = 10240, 2048 // characters without white space
	r := exampleRole()
	r.Region, r.Name = "ap-southeast-5", strings.Repeat("n", 64)
	r.Principal = "arn:aws:iam::100000000000:role/" + strings.Repeat("p", 64)
	policies, err := r.Inline()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for name, p := range policies {
		t.Logf("%s: %d", name, size(p))
		sum += size(p)
	}
	if sum > inline {
		t.Errorf("the inline policies have %d characters, IAM takes %d", sum, inline)
	}
	document, err := json.Marshal(r.Trust())
	if err != nil {
		t.Fatal(err)
	}
	if n := size(document); n > trust {
		t.Errorf("the trust policy has %d characters, IAM takes %d", n, trust)
	}
}

func size(document []byte) int {
	return len(bytes.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, document))
}

// TestDescription holds role.yaml to what a reader may expect of it.
func TestDescription(t *testing.T) {
	policies, err := exampleRole().Policies()
	if err != nil {
		t.Fatal(err)
	}
	sid, sids := regexp.MustCompile(`^[A-Za-z0-9]+$`), map[string]bool{}
	for _, p := range policies {
		for _, s := range p.Statements {
			if !sid.MatchString(s.Sid) || sids[s.Sid] {
				t.Errorf("%s: the sid %q is malformed or occurs twice", p.Name, s.Sid)
			}
			sids[s.Sid] = true
			if !strings.HasSuffix(s.Reason, ".") || strings.Contains(s.Reason, "\n") {
				t.Errorf("%s: the reason %q is no sentence on one line", s.Sid, s.Reason)
			}
			for what, list := range map[string]Values{"actions": s.Actions, "notActions": s.NotActions} {
				if !slices.IsSorted(list) {
					t.Errorf("%s: %s are not sorted", s.Sid, what)
				}
			}
			for _, v := range slices.Concat(s.Actions, s.NotActions, s.Resources) {
				if strings.ContainsAny(v, "{}$") {
					t.Errorf("%s: %s has a placeholder left", s.Sid, v)
				}
			}
			if s.Effect == allow && slices.ContainsFunc(s.Actions, func(a string) bool { return strings.Contains(a, "*") }) {
				t.Errorf("%s allows actions by a pattern", s.Sid)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	cases := map[string]struct {
		change func(*Role)
		want   string
	}{
		"account":      {func(r *Role) { r.AccountID = "1" }, "account id"},
		"region":       {func(r *Role) { r.Region = "*" }, "region"},
		"name":         {func(r *Role) { r.Name = "a/b" }, "role name"},
		"no principal": {func(r *Role) { r.Principal = "" }, "principal"},
		"everybody":    {func(r *Role) { r.Principal = "*" }, "principal"},
		"an account":   {func(r *Role) { r.Principal = "arn:aws:iam::100000000000:root" }, "principal"},
		"external id":  {func(r *Role) { r.ExternalID = "" }, "external id"},
		"cluster role": {func(r *Role) { r.Name = "x-iam-service-role" }, "cannot be called"},
		"hashed name":  {func(r *Role) { r.Name = "capa_x" }, "cannot be called"},
	}
	if err := exampleRole().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			r := exampleRole()
			tc.change(&r)
			if _, err := r.CloudFormation(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want it to say %q", err, tc.want)
			}
		})
	}
}

func TestPrincipal(t *testing.T) {
	cases := map[string]struct{ caller, want, reason string }{
		"session": {"arn:aws:sts::100000000000:assumed-role/kargo/i-1", "arn:aws:iam::100000000000:role/kargo", "trust names the role, not the session"},
		"user":    {"arn:aws:iam::100000000000:user/ops/kargo", "arn:aws:iam::100000000000:user/ops/kargo", "a user is itself"},
		"root":    {"arn:aws:iam::100000000000:root", "", "the root stands for everybody in the account"},
		"guest":   {"arn:aws:sts::100000000000:federated-user/kargo", "", "no principal that lasts"},
		"nobody":  {"", "", "AWS said nothing"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Principal(tc.caller)
			if got != tc.want || (err == nil) != (tc.want != "") {
				t.Errorf("%q, %v; want %q: %s", got, err, tc.want, tc.reason)
			}
		})
	}
}
