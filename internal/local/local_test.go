package local

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/org"
	"kargo.dev/kargo/internal/account"
	"kargo.dev/kargo/internal/engine"
	"kargo.dev/kargo/internal/local/components"
	"kargo.dev/kargo/internal/local/profile"
	"kargo.dev/kargo/internal/process"
)

func TestNotReady(t *testing.T) {
	cases := map[string]struct {
		reason string
		list   []process.Status
		want   []string
		err    string
	}{
		"Running":  {reason: "what runs is ready", list: []process.Status{{Name: "a", State: process.StateRunning}}},
		"Starting": {reason: "what starts is waited for", list: []process.Status{{Name: "a", State: process.StateStarting}}, want: []string{"a"}},
		"BackOff":  {reason: "one crash is no reason to give up", list: []process.Status{{Name: "a", State: process.StateBackOff, Restarts: 1}}, want: []string{"a"}},
		"Crashing": {
			reason: "what keeps ending is told, with its last words", err: "kargoctl logs a",
			list: []process.Status{{Name: "a", State: process.StateBackOff, Restarts: giveUpAfter, LastExit: "exit status 1"}},
		},
		"Gone": {reason: "what somebody else stopped is told", err: "stopped by somebody else"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := notReady(tc.list, []string{"a"})
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("%s: error %v, want %q", tc.reason, err, tc.err)
				}
				return
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("%s: %v\n%s", tc.reason, err, diff)
			}
		})
	}
}

func TestCheckDisk(t *testing.T) {
	if err := checkDisk(t.TempDir(), 1); err != nil {
		t.Errorf("enough space: %v", err)
	}
	if err := checkDisk(t.TempDir(), math.MaxUint64); err == nil || !strings.Contains(err.Error(), "KARGO_HOME") {
		t.Errorf("too little space: %v, want an error that says what to do", err)
	}
}

func TestCheckGit(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := checkGit(); err == nil || !strings.Contains(err.Error(), "git is not installed") {
		t.Errorf("no git: %v", err)
	}
}

func TestCheckVersion(t *testing.T) {
	cases := map[string]struct {
		reason string
		data   string
		refuse bool
	}{
		"New":   {reason: "a new profile takes what the engine has"},
		"Same":  {reason: "the same version goes on", data: "1.36"},
		"Older": {reason: "older data are upgraded", data: "1.35"},
		"Newer": {reason: "newer data cannot be read", data: "1.37", refuse: true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			u := &up{
				platform: &profile.Platform{KubernetesVersion: tc.data},
				layout:   components.Layout{Engine: &engine.Binaries{APIServers: map[string]string{"1.34": "/a", "1.36": "/b"}}},
			}
			if err := u.checkVersion(); (err != nil) != tc.refuse {
				t.Errorf("%s: %v", tc.reason, err)
			}
		})
	}
}

// TestOrganisation: every team account demands the external id that KARGO
// issues for it, and awssim takes the configuration.
func TestOrganisation(t *testing.T) {
	c, err := organisation()
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, a := range c.Accounts {
		if ids[a.ID] {
			t.Errorf("account %s occurs twice", a.ID)
		}
		ids[a.ID] = true
		for _, r := range a.Roles {
			if r.Name == factoryRole && !strings.Contains(string(r.Trust), account.ExternalID(components.FactoryID, a.ID)) {
				t.Errorf("account %s: the factory's role demands no external id: %s", a.ID, r.Trust)
			}
			if r.Name == factoryRole && (len(r.Policies) > 0 || len(r.Inline) == 0) {
				t.Errorf("account %s: the factory's role has more than its own policies: %v", a.ID, r.Policies)
			}
		}
	}
	for _, e := range ExampleClusters() {
		if e.Name != e.Account {
			t.Errorf("example cluster %s is not named like its account %s", e.Name, e.Account)
		}
	}
}

func TestAWSFiles(t *testing.T) {
	p := profile.Profile{Name: "x", Dir: t.TempDir()}
	u := &up{Options: Options{Profile: p}, layout: components.Layout{Profile: p, Ports: map[string]int{components.PortAWSSim: 4566}}}
	err := u.awsFiles(org.TestKeys{
		Accounts: []org.TestKey{{ID: "111111111111", Name: "shop-prod", AccessKeyID: "AKIA1", SecretAccessKey: "one"}},
		Factory:  org.TestKey{ID: "100000000000", AccessKeyID: "AKIA0", SecretAccessKey: "zero"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		p.AWSConfig():                        "[profile shop-prod]\nregion = eu-central-1\nendpoint_url = http://127.0.0.1:4566\n\n",
		p.AWSCredentials():                   "[shop-prod]\naws_access_key_id = AKIA1\naws_secret_access_key = one\n\n",
		p.Path("aws", "factory-credentials"): "[default]\naws_access_key_id = AKIA0\naws_secret_access_key = zero\n\n",
	}
	for path, content := range want {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(content, string(got)); diff != "" {
			t.Errorf("%s:\n%s", path, diff)
		}
		if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
	}
}
