package ec2

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWildcard(t *testing.T) {
	for name, tc := range map[string]struct {
		reason     string
		pattern, s string
		want       bool
	}{
		"Equal":      {"no wildcard", "c1-vpc", "c1-vpc", true},
		"Longer":     {"more than the pattern", "c1", "c1-vpc", false},
		"Case":       {"values are case-sensitive", "C1", "c1", false},
		"Star":       {"any characters", "c*-v*c", "c1-big-vpc", true},
		"StarEmpty":  {"also none", "c1*", "c1", true},
		"StarNot":    {"but the rest counts", "c*x", "c1-vpc", false},
		"Question":   {"exactly one character", "c?", "c1", true},
		"QuestionNo": {"not none", "c?", "c", false},
		"Escaped":    {"a literal star", `a\*b`, "a*b", true},
		"EscapedNot": {"and nothing else", `a\*b`, "axb", false},
		"Empty":      {"an empty value", "", "", true},
		"ManyStars":  {"linear in the number of stars", strings.Repeat("a*", 40) + "b", strings.Repeat("a", 4000), false},
		"Backslash":  {"a trailing backslash is itself", `a\`, `a\`, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := wildcard(tc.pattern, tc.s); got != tc.want {
				t.Errorf("%s: wildcard(%q, %q) = %v", tc.reason, tc.pattern, tc.s, got)
			}
		})
	}
}

func FuzzWildcard(f *testing.F) {
	f.Add("a*b?c", "axxbyc")
	f.Add(`\*`, "*")
	f.Fuzz(func(t *testing.T, pattern, s string) {
		if wildcard(pattern, s) && !wildcard("*"+pattern, s) {
			t.Errorf("%q matches %q, but with a star before it does not", pattern, s)
		}
		literal := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`).Replace(s)
		if !wildcard(literal, s) {
			t.Errorf("%q does not match itself, written %q", s, literal)
		}
	})
}

func TestForm(t *testing.T) {
	values, err := url.ParseQuery("Filter.1.Name=tag:a&Filter.1.Value.1=x&Filter.1.Value.2=y&Filter.2.Name=state&Filter.2.Value.1=z" +
		"&Filter.4.Name=lost&VpcId.1=vpc-1&VpcId.2=vpc-2&Ebs.VolumeSize=50&EnableDnsSupport.Value=true")
	if err != nil {
		t.Fatal(err)
	}
	r := &request{form: form{values}}
	want := []filter{{"tag:a", []string{"x", "y"}}, {"state", []string{"z"}}}
	if diff := cmp.Diff(want, r.filters(), cmp.AllowUnexported(filter{})); diff != "" {
		t.Errorf("filters: -want +got\n%s", diff)
	}
	if diff := cmp.Diff([]string{"vpc-1", "vpc-2"}, r.list("VpcId")); diff != "" {
		t.Errorf("list: -want +got\n%s", diff)
	}
	if n, err := r.member("Ebs").number("VolumeSize", 8); n != 50 || err != nil {
		t.Errorf("member: %d, %v", n, err)
	}
	if !r.flag("EnableDnsSupport.Value") || r.flag("DryRun") {
		t.Error("flags are read wrongly")
	}
	if _, err := r.number("VpcId.1", 0); err == nil {
		t.Error("an id was read as a number")
	}
}
