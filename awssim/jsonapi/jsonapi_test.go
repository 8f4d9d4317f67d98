package jsonapi

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestPage(t *testing.T) {
	errSize, errToken := errors.New("size"), errors.New("token")
	limits := Limits{Largest: 3, Usual: 2, Size: func(string) error { return errSize }, Token: func(string) error { return errToken }}
	itself := func(s string) string { return s }
	number := func(n int) *int { return &n }
	list := []string{"c", "a", "b"}
	first, next, err := Page(list, itself, Paging{}, limits)
	if diff := cmp.Diff([]string{"a", "b"}, first); diff != "" || err != nil {
		t.Fatalf("first page: %v\n%s", err, diff)
	}
	for name, tc := range map[string]struct {
		reason string
		list   []string
		paging Paging
		want   []string
		more   bool
		err    error
	}{
		"Rest":      {"the last page has no token", list, Paging{NextToken: next.NextToken}, []string{"c"}, false, nil},
		"Gone":      {"the token's own element may be gone", []string{"a", "c", "d"}, Paging{NextToken: next.NextToken}, []string{"c", "d"}, false, nil},
		"All":       {"a page as long as the list", list, Paging{MaxResults: number(3)}, []string{"a", "b", "c"}, false, nil},
		"One":       {"a page of one", list, Paging{MaxResults: number(1)}, []string{"a"}, true, nil},
		"TooLarge":  {"more than AWS allows", list, Paging{MaxResults: number(4)}, nil, false, errSize},
		"None":      {"less than one", list, Paging{MaxResults: number(0)}, nil, false, errSize},
		"BadToken":  {"a token of somebody else", list, Paging{NextToken: "!"}, nil, false, errToken},
		"EmptyList": {"nothing there", nil, Paging{}, nil, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, next, err := Page(tc.list, itself, tc.paging, limits)
			if diff := cmp.Diff(tc.want, got); diff != "" || !errors.Is(err, tc.err) || (next.NextToken != "") != tc.more {
				t.Errorf("%s: error %v, next %q, -want +got\n%s", tc.reason, err, next.NextToken, diff)
			}
		})
	}
}

func TestTime(t *testing.T) {
	type v struct {
		At Time `json:",omitzero"`
	}
	b, err := json.Marshal(v{Time{time.UnixMilli(1700000000250)}})
	if err != nil || string(b) != `{"At":1700000000.25}` {
		t.Errorf("%s, %v", b, err)
	}
	var back v
	if err := json.Unmarshal(b, &back); err != nil || back.At.UnixMilli() != 1700000000250 {
		t.Errorf("%v, %v", back, err)
	}
	if b, err = json.Marshal(v{}); err != nil || string(b) != `{}` {
		t.Errorf("the zero time: %s, %v", b, err)
	}
}
