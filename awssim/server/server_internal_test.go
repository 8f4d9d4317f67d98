package server

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/store"
)

// stub is a service of one protocol.
type stub struct {
	api.Service
	protocol api.Protocol
	ops      []api.Operation
}

func (s stub) Name() string                { return "stub" }
func (s stub) Protocol() api.Protocol      { return s.protocol }
func (s stub) XMLNamespace() string        { return "urn:x" }
func (s stub) Operations() []api.Operation { return s.ops }

func wrapped(t testing.TB, p api.Protocol, ops ...api.Operation) *service {
	t.Helper()
	for i := range ops {
		ops[i].Handle = func(context.Context, *api.Call) (any, error) { return nil, nil }
	}
	s, err := newService(stub{protocol: p, ops: ops})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestResults(t *testing.T) {
	type vpc struct {
		ID string `xml:"vpcId" json:"vpcId"`
	}
	type list struct {
		Vpcs []vpc `xml:"vpcSet>item" json:"vpcs"`
	}
	result := list{Vpcs: []vpc{{"vpc-1"}, {"<2>"}}}
	const header = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	cases := map[string]struct {
		protocol api.Protocol
		result   any
		want     string
	}{
		"EC2":            {api.EC2Query, result, header + `<OpResponse xmlns="urn:x"><requestId>id</requestId><vpcSet><item><vpcId>vpc-1</vpcId></item><item><vpcId>&lt;2&gt;</vpcId></item></vpcSet></OpResponse>`},
		"EC2, nothing":   {api.EC2Query, nil, header + `<OpResponse xmlns="urn:x"><requestId>id</requestId><return>true</return></OpResponse>`},
		"query":          {api.Query, &result, header + `<OpResponse xmlns="urn:x"><OpResult><vpcSet><item><vpcId>vpc-1</vpcId></item><item><vpcId>&lt;2&gt;</vpcId></item></vpcSet></OpResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></OpResponse>`},
		"query, nothing": {api.Query, nil, header + `<OpResponse xmlns="urn:x"><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></OpResponse>`},
		"JSON":           {api.RESTJSON, result, `{"vpcs":[{"vpcId":"vpc-1"},{"vpcId":"\u003c2\u003e"}]}`},
		"JSON, nothing":  {api.JSON11, nil, `{}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := marshal(wrapped(t, tc.protocol), &api.Call{ID: "id", Operation: "Op"}, tc.result)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(got)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	const header = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	e := &api.Error{Code: "Some.Code", Message: "a < b", HTTPStatus: 404}
	cases := map[string]struct {
		protocol  api.Protocol
		errorType string
		want      string
	}{
		"EC2":       {api.EC2Query, "", header + `<Response><Errors><Error><Code>Some.Code</Code><Message>a &lt; b</Message></Error></Errors><RequestID>id</RequestID></Response>`},
		"query":     {api.Query, "", header + `<ErrorResponse xmlns="urn:x"><Error><Type>Sender</Type><Code>Some.Code</Code><Message>a &lt; b</Message></Error><RequestId>id</RequestId></ErrorResponse>`},
		"REST-JSON": {api.RESTJSON, "Some.Code", `{"Message":"a \u003c b","message":"a \u003c b"}`},
		"JSON 1.1":  {api.JSON11, "", `{"Message":"a \u003c b","__type":"Some.Code","message":"a \u003c b"}`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			a := failureAnswer(tc.protocol, "urn:x", "id", e)
			w := httptest.NewRecorder()
			a.write(w, "id")
			if diff := cmp.Diff(tc.want, w.Body.String()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if w.Code != 404 || w.Header().Get("X-Amzn-Errortype") != tc.errorType || w.Header().Get("X-Amzn-Requestid") != "id" {
				t.Errorf("status %d, header %v", w.Code, w.Header())
			}
		})
	}
}

func TestAuthFailures(t *testing.T) {
	cases := map[string]struct {
		protocol api.Protocol
		service  string
		reason   auth.Reason
		code     string
		status   int
	}{
		"EC2, secret":          {api.EC2Query, "ec2", auth.Mismatch, "AuthFailure", 401},
		"EC2, session is over": {api.EC2Query, "ec2", auth.ExpiredKey, "RequestExpired", 400},
		"IAM, secret":          {api.Query, "iam", auth.Mismatch, "SignatureDoesNotMatch", 403},
		"IAM, incomplete":      {api.Query, "iam", auth.Incomplete, "IncompleteSignature", 400},
		"STS, session is over": {api.Query, "sts", auth.ExpiredKey, "ExpiredToken", 403},
		"EKS, secret":          {api.RESTJSON, "eks", auth.Mismatch, "InvalidSignatureException", 403},
		"EKS, session is over": {api.RESTJSON, "eks", auth.ExpiredKey, "ExpiredTokenException", 403},
		"EKS, unknown key":     {api.RESTJSON, "eks", auth.UnknownKey, "UnrecognizedClientException", 403},
		"tagging, unknown key": {api.JSON11, "tagging", auth.UnknownKey, "UnrecognizedClientException", 400},
		"unsigned":             {api.RESTJSON, "", auth.Missing, "MissingAuthenticationTokenException", 403},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := authFailure(tc.protocol, tc.service, &auth.Error{Reason: tc.reason})
			if e.Code != tc.code || e.Status() != tc.status {
				t.Errorf("%s %d, want %s %d", e.Code, e.Status(), tc.code, tc.status)
			}
		})
	}
}

func TestRoutePath(t *testing.T) {
	s := wrapped(t, api.RESTJSON,
		api.Operation{Name: "DescribeCluster", Method: "GET", Path: "/clusters/{name}"},
		api.Operation{Name: "DeleteCluster", Method: "DELETE", Path: "/clusters/{name}"},
		api.Operation{Name: "ListNodegroups", Method: "GET", Path: "/clusters/{name}/node-groups"},
		api.Operation{Name: "DescribeVersions", Method: "GET", Path: "/clusters/versions"},
		api.Operation{Name: "TagResource", Method: "POST", Path: "/tags/{resourceArn}"},
	)
	cases := map[string]struct {
		method, path, want string
		labels             map[string]string
	}{
		"label":         {"GET", "/clusters/a", "DescribeCluster", map[string]string{"name": "a"}},
		"method":        {"DELETE", "/clusters/a", "DeleteCluster", map[string]string{"name": "a"}},
		"longer":        {"GET", "/clusters/a/node-groups", "ListNodegroups", map[string]string{"name": "a"}},
		"literal first": {"GET", "/clusters/versions", "DescribeVersions", map[string]string{}},
		"escaped":       {"POST", "/tags/arn%3Aaws%3Aeks%3Ax%3A1%3Acluster%2Fa", "TagResource", map[string]string{"resourceArn": "arn:aws:eks:x:1:cluster/a"}},
		"unknown":       {"GET", "/nothing", "", nil},
		"empty label":   {"GET", "/clusters//node-groups", "", nil},
		"other method":  {"PATCH", "/clusters/a", "", nil},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			x := &exchange{service: s, request: httptest.NewRequest(tc.method, tc.path, nil)}
			err := x.route()
			if tc.want == "" {
				if err == nil {
					t.Errorf("routed to %s", x.call.Operation)
				}
				return
			}
			if err != nil || x.call.Operation != tc.want {
				t.Fatalf("routed to %q, %v; want %s", x.call.Operation, err, tc.want)
			}
			if diff := cmp.Diff(tc.labels, x.call.Path); diff != "" {
				t.Errorf("labels: -want +got\n%s", diff)
			}
		})
	}
}

func TestBorder(t *testing.T) {
	st, err := store.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	vpcs := store.NewTable[string](st, "vpcs", store.GlobalIDs())
	for account, id := range map[string]string{"111111111111": "vpc-0123456789abcdef0", "222222222222": "vpc-0fedcba9876543210"} {
		if err := vpcs.Put(account, "r", id, ""); err != nil {
			t.Fatal(err)
		}
	}
	cases := map[string]struct {
		service, operation string
		params             string
		path               map[string]string
		body               string
		want               []string
		reason             string
	}{
		"own id":          {params: "VpcId=vpc-0123456789abcdef0", reason: "it is the caller's"},
		"foreign id":      {params: "Filter.1.Value.1=vpc-0fedcba9876543210", want: []string{"vpc-0fedcba9876543210"}, reason: "anywhere"},
		"no id":           {params: "VpcId=vpc-00000000000000000", reason: "nobody's"},
		"foreign ARN":     {path: map[string]string{"arn": "arn:aws:eks:eu-west-1:222222222222:cluster/c"}, want: []string{"arn:aws:eks:eu-west-1:222222222222:cluster/c"}, reason: "in paths"},
		"in a body":       {body: `{"a":[{"b":"x vpc-0fedcba9876543210 y"}],"arn:aws:iam::222222222222:role/r":1}`, want: []string{"arn:aws:iam::222222222222:role/r", "vpc-0fedcba9876543210"}, reason: "values and keys"},
		"AWS's policy":    {params: "PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess", reason: "AWS's own are everybody's"},
		"assumed role":    {service: "sts", operation: "AssumeRole", params: "RoleArn=arn:aws:iam::222222222222:role/r", reason: "the way over the border"},
		"other parameter": {service: "sts", operation: "AssumeRole", params: "RoleSessionName=arn:aws:iam::222222222222:role/r", want: []string{"arn:aws:iam::222222222222:role/r"}, reason: "only RoleArn"},
		"trust":           {service: "iam", operation: "CreateRole", params: "AssumeRolePolicyDocument=" + url.QueryEscape(`{"AWS":"arn:aws:iam::222222222222:root"}`), reason: "trusting others is no trespassing"},
		"trust in OIDC":   {service: "iam", operation: "CreateRole", params: "AssumeRolePolicyDocument=" + url.QueryEscape(`{"Federated":"arn:aws:iam::222222222222:oidc-provider/x"}`), want: []string{"arn:aws:iam::222222222222:oidc-provider/x"}, reason: "a provider of another account cannot be meant"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBorder(st)
			before, _ := b.list()
			params, err := url.ParseQuery(tc.params)
			if err != nil {
				t.Fatal(err)
			}
			c := &api.Call{Service: tc.service, Operation: tc.operation, Params: params, Path: tc.path, Body: []byte(tc.body),
				Caller: api.Identity{AccountID: "111111111111"}}
			if n := b.check(c, 1); n != len(tc.want) {
				t.Errorf("%d violations, want %d: %s", n, len(tc.want), tc.reason)
			}
			after, items := b.list()
			var got []string
			for _, v := range items[len(items)-int(after-before):] {
				got = append(got, v.Value)
			}
			if diff := cmp.Diff(tc.want, got, cmp.Transformer("set", toSet)); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

func toSet(list []string) map[string]bool {
	set := map[string]bool{}
	for _, s := range list {
		set[s] = true
	}
	return set
}

func TestViolationsAreCountedBeyondThoseKept(t *testing.T) {
	st, err := store.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	b := newBorder(st)
	b.keep = 10
	for range 15 {
		b.add(Violation{})
	}
	for _, b := range []*border{b, newBorder(st)} {
		if count, items := b.list(); count != 15 || len(items) != 10 || items[0].N != 6 {
			t.Errorf("%d violations, %d kept from %d on", count, len(items), items[0].N)
		}
	}
}

func TestRedaction(t *testing.T) {
	c := &api.Call{
		Params: url.Values{"UserData": {"x"}, "NextToken": {"n"}, "Many": {"a", "b"}},
		Path:   map[string]string{"name": "c"},
		Body:   []byte(`{"password":"p","nested":[{"clientSecret":"s","clientRequestToken":"t"}],"long":"` + strings.Repeat("x", longest+1) + `"}`),
	}
	want := map[string]any{
		"UserData": removed, "NextToken": "n", "Many": []string{"a", "b"}, "name": "c", "password": removed,
		"nested": []any{map[string]any{"clientSecret": removed, "clientRequestToken": "t"}}, "long": strings.Repeat("x", longest) + "...",
	}
	if diff := cmp.Diff(want, redacted(c)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestRecorder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "calls.jsonl")
	r, err := openRecorder(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r.record(Entry{Operation: "A"})
	}
	r.size = maxCallLog + 1
	for range 2 {
		r.record(Entry{Operation: "B"})
	}
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]int{path + ".1": 3, path: 2} {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(string(raw), "\n"); got != want {
			t.Errorf("%s has %d lines, want %d", filepath.Base(file), got, want)
		}
	}
	// A kill may cut the last line.
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = f.WriteString(`{"n":99,"oper`)
	_ = f.Close()

	r, err = openRecorder(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.close() }()
	r.record(Entry{Operation: "C"})
	if err := r.close(); err != nil {
		t.Fatal(err)
	}
	if r, err = openRecorder(path); err != nil {
		t.Fatal(err)
	}
	entries, last := r.find(filter{since: 2})
	var got []string
	for _, line := range entries {
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%d %s", e.N, e.Operation))
	}
	if diff := cmp.Diff([]string{"3 A", "4 B", "5 B", "6 C"}, got); diff != "" || last != 6 {
		t.Errorf("last %d, -want +got\n%s", last, diff)
	}
}

func FuzzRoute(f *testing.F) {
	f.Add("POST", "/", "Action=DescribeVpcs&Filter.1.Name=x", "", uint8(0))
	f.Add("GET", "/clusters/%2e%2e/%zz", "", "", uint8(2))
	f.Add("POST", "/", "{}", "Service.Op", uint8(3))
	f.Fuzz(func(t *testing.T, method, path, body, target string, protocol uint8) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		s := wrapped(t, api.Protocol(protocol%4), api.Operation{Name: "DescribeVpcs", Method: "GET", Path: "/clusters/{name}"})
		x := &exchange{service: s, body: []byte(body), request: &http.Request{Method: method, URL: u, Header: http.Header{"X-Amz-Target": {target}}}}
		if x.route() == nil && x.op == nil {
			t.Error("routed to no operation without an error")
		}
		for where, text := range texts(&x.call) {
			if text == "" && where == "" {
				break // only the end of the iteration matters
			}
		}
		if _, err := json.Marshal(redacted(&x.call)); err != nil {
			t.Errorf("record: %v", err)
		}
	})
}
