package query_test

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/query"
)

func TestMembers(t *testing.T) {
	cases := map[string]struct {
		form   string
		want   []map[string]string
		reason string
	}{
		"structures": {form: "Tags.member.10.Key=j&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=b",
			want: []map[string]string{{"Key": "a", "Value": "1"}, {"Key": "b"}, {"Key": "j"}}, reason: "ordered by number, not by text"},
		"values":    {form: "Tags.member.1=a", want: []map[string]string{{"": "a"}}, reason: "plain values"},
		"malformed": {form: "Tags.member.x=a&Tags.member.0=b&Tags.member=c&Other.member.1=d", want: []map[string]string{}, reason: "ignored"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			form, err := url.ParseQuery(tc.form)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, query.Members(form, "Tags")); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func FuzzStrings(f *testing.F) {
	f.Add("A.member.1=a&A.member.99999999999999999999=b")
	f.Fuzz(func(t *testing.T, raw string) {
		form, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		if got := query.Strings(form, "A"); len(got) > len(form) {
			t.Errorf("%d values of %d parameters", len(got), len(form))
		}
	})
}
