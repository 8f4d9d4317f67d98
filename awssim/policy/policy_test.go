package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/policy"
)

func statement(body string) string {
	return `{"Version":"2012-10-17","Statement":[{` + body + `}]}`
}

func TestTrust(t *testing.T) {
	factory := policy.Caller{Account: "000000000001", ARNs: []string{
		"arn:aws:sts::000000000001:assumed-role/factory/manager", "arn:aws:iam::000000000001:role/kargo/factory"}}
	cases := map[string]struct {
		documents []string
		context   map[string][]string
		want      policy.Decision
		reason    string
	}{
		"role": {documents: []string{statement(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000001:role/kargo/factory"},"Action":"sts:AssumeRole"`)},
			want: policy.Allow, reason: "the session's role is named, with its path"},
		"session": {documents: []string{statement(`"Effect":"Allow","Principal":{"AWS":["arn:aws:sts::000000000001:assumed-role/factory/manager"]},"Action":["sts:AssumeRole"]`)},
			want: policy.Allow, reason: "the session itself is named"},
		"account": {documents: []string{statement(`"Effect":"Allow","Principal":{"AWS":"000000000001"},"Action":"sts:*"`)},
			want: policy.Allow, reason: "the account stands for all in it"},
		"root": {documents: []string{statement(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000001:root"},"Action":"STS:assumerole"`)},
			want: policy.Allow, reason: "so does its root; actions know no case"},
		"everybody": {documents: []string{statement(`"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"`)},
			want: policy.Allow, reason: "*"},
		"another account": {documents: []string{statement(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000002:root"},"Action":"sts:AssumeRole"`)},
			want: policy.ImplicitDeny, reason: "nobody trusts the caller"},
		"wildcard in principal": {documents: []string{statement(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000001:role/*"},"Action":"sts:AssumeRole"`)},
			want: policy.ImplicitDeny, reason: "AWS takes no wildcards in principals' ARNs"},
		"service": {documents: []string{statement(`"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"`)},
			want: policy.ImplicitDeny, reason: "the caller is no service"},
		"other action": {documents: []string{statement(`"Effect":"Allow","Principal":"*","Action":"sts:TagSession"`)},
			want: policy.ImplicitDeny, reason: "another action is allowed"},
		"external id": {documents: []string{statement(`"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":["a","x"]}}`)},
			context: map[string][]string{"sts:externalid": {"x"}}, want: policy.Allow, reason: "one of the ids"},
		"wrong external id": {documents: []string{statement(`"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x"}}`)},
			context: map[string][]string{"sts:externalid": {"y"}}, want: policy.ImplicitDeny, reason: "another id"},
		"no external id": {documents: []string{statement(`"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"x"}}`)},
			want: policy.ImplicitDeny, reason: "a missing key satisfies no positive operator"},
		"deny wins": {documents: []string{statement(`"Effect":"Allow","Principal":"*","Action":"*"`), statement(`"Effect":"Deny","Principal":{"AWS":"000000000001"},"Action":"sts:AssumeRole"`)},
			want: policy.Deny, reason: "whatever else allows"},
		"deny without external id": {documents: []string{`{"Statement":[{"Effect":"Allow","Principal":"*","Action":"*"},{"Effect":"Deny","Principal":"*","Action":"*","Condition":{"StringNotEquals":{"sts:ExternalId":"x"}}}]}`},
			want: policy.Deny, reason: "a missing key satisfies negated operators"},
		"not principal": {documents: []string{statement(`"Effect":"Deny","NotPrincipal":{"AWS":"000000000001"},"Action":"*"`), statement(`"Effect":"Allow","Principal":"*","Action":"*"`)},
			want: policy.Allow, reason: "all others are denied"},
		"one statement, no list": {documents: []string{`{"Statement":{"Effect":"Allow","Principal":"*","NotAction":"iam:*"}}`},
			want: policy.Allow, reason: "a statement may stand alone; NotAction is all others"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			var documents []*policy.Document
			for _, d := range tc.documents {
				doc, err := policy.Parse(d)
				if err != nil {
					t.Fatal(err)
				}
				documents = append(documents, doc)
			}
			got := policy.Evaluate(documents, policy.Request{Action: "sts:AssumeRole", Resource: "arn:aws:iam::111111111111:role/r", Caller: factory, Context: tc.context})
			if got != tc.want {
				t.Errorf("%s, want %s: %s", got, tc.want, tc.reason)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	context := map[string][]string{
		"aws:principalarn":      {"arn:aws:iam::000000000001:role/kargo/factory"},
		"aws:principaltag/t":    {"shop"},
		"aws:principaltag/star": {"a*b"},
		"aws:principaltag/any":  {"*"},
		"aws:tagkeys":           {"a", "b"},
		"aws:sourceip":          {"10.1.2.3"},
		"aws:currenttime":       {"2026-03-01T12:00:00Z"},
		"sts:durationseconds":   {"3600"},
		"aws:securetransport":   {"true"},
	}
	cases := map[string]struct {
		condition string
		want      bool
	}{
		"like":                 {`"StringLike":{"aws:PrincipalArn":"*:role/kargo/?actory"}`, true},
		"not like":             {`"StringNotLike":{"aws:PrincipalArn":"*:role/kargo/*"}`, false},
		"ignore case":          {`"StringEqualsIgnoreCase":{"aws:PrincipalTag/t":"SHOP"}`, true},
		"arn":                  {`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/kargo/*"}`, true},
		"arn over a colon":     {`"ArnEquals":{"aws:PrincipalArn":"arn:aws:*:*:role/kargo/factory:*"}`, false},
		"arn not":              {`"ArnNotEquals":{"aws:PrincipalArn":"arn:aws:iam::000000000001:role/kargo/factory"}`, false},
		"null":                 {`"Null":{"sts:ExternalId":true}`, true},
		"not null":             {`"Null":{"sts:ExternalId":"false"}`, false},
		"if exists":            {`"StringEqualsIfExists":{"sts:ExternalId":"x"}`, true},
		"bool":                 {`"Bool":{"aws:SecureTransport":true}`, true},
		"number":               {`"NumericLessThanEquals":{"sts:DurationSeconds":3600}`, true},
		"number too big":       {`"NumericLessThan":{"sts:DurationSeconds":"3600"}`, false},
		"date":                 {`"DateGreaterThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}`, true},
		"address":              {`"IpAddress":{"aws:SourceIp":["192.168.0.0/16","10.0.0.0/8"]}`, true},
		"not address":          {`"NotIpAddress":{"aws:SourceIp":"10.1.2.3"}`, false},
		"any value":            {`"ForAnyValue:StringEquals":{"aws:TagKeys":["b","c"]}`, true},
		"all values":           {`"ForAllValues:StringEquals":{"aws:TagKeys":["b","c"]}`, false},
		"all of none":          {`"ForAllValues:StringEquals":{"aws:None":["b"]}`, true},
		"all must hold":        {`"StringEquals":{"aws:PrincipalTag/t":"shop"},"Bool":{"aws:SecureTransport":"false"}`, false},
		"variable":             {`"StringEquals":{"aws:PrincipalTag/t":"${aws:PrincipalTag/t}"}`, true},
		"variable's default":   {`"StringEquals":{"aws:PrincipalTag/t":"${aws:nothing, 'shop'}"}`, true},
		"variable not there":   {`"StringLike":{"aws:PrincipalTag/t":"${aws:nothing}"}`, false},
		"variable for a star":  {`"StringLike":{"aws:PrincipalTag/t":"sho${?}"}`, false},
		"it is a star":         {`"StringLike":{"aws:PrincipalTag/star":"a${*}b"}`, true},
		"a star's equal":       {`"StringEquals":{"aws:PrincipalTag/star":"a${*}b"}`, true},
		"a value's wildcard":   {`"StringLike":{"aws:PrincipalTag/t":"${aws:PrincipalTag/any}"}`, false},
		"not a missing one":    {`"StringNotEquals":{"aws:PrincipalTag/t":"${aws:nothing}"}`, false},
		"malformed variable":   {`"StringLike":{"aws:PrincipalTag/t":"${aws:nothing"}`, false},
		"number of no numbers": {`"NumericEquals":{"aws:PrincipalTag/t":"1"}`, false},
		"not that number":      {`"NumericNotEquals":{"sts:DurationSeconds":"3601"}`, true},
		"between":              {`"NumericGreaterThan":{"sts:DurationSeconds":"900"},"NumericLessThan":{"sts:DurationSeconds":"43200"}`, true},
		"not ignoring case":    {`"StringNotEqualsIgnoreCase":{"aws:PrincipalTag/t":"SHOP"}`, false},
		"not equals, missing":  {`"StringNotEquals":{"aws:nothing":"x"}`, true},
		"like, missing":        {`"StringLike":{"aws:nothing":"*"}`, false},
		"missing, any":         {`"ForAnyValue:StringEquals":{"aws:nothing":"x"}`, false},
		"missing, not any":     {`"ForAnyValue:StringNotEquals":{"aws:nothing":"x"}`, false},
		"not any of":           {`"ForAnyValue:StringNotLike":{"aws:TagKeys":"a*"}`, true},
		"none of":              {`"ForAllValues:StringNotLike":{"aws:TagKeys":["c*","d"]}`, true},
		"all values, if any":   {`"ForAllValues:StringEqualsIfExists":{"aws:TagKeys":["a","b","c"]}`, true},
		"number if exists":     {`"NumericLessThanIfExists":{"aws:nothing":"1"}`, true},
		"bool, missing":        {`"Bool":{"aws:nothing":"false"}`, false},
		"bool if exists":       {`"BoolIfExists":{"aws:SecureTransport":"false"}`, false},
		"key in other case":    {`"StringEquals":{"AWS:principaltag/T":"shop"}`, true},
		"before":               {`"DateLessThan":{"aws:CurrentTime":"2026-01-01T00:00:00Z"}`, false},
		"another network":      {`"IpAddress":{"aws:SourceIp":"10.2.0.0/16"}`, false},
		"arn like, last part":  {`"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::000000000001:*"}`, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d, err := policy.Parse(statement(`"Effect":"Allow","Action":"*","Resource":"*","Condition":{` + tc.condition + `}`))
			if err != nil {
				t.Fatal(err)
			}
			got := policy.Evaluate([]*policy.Document{d}, policy.Request{Action: "a:b", Resource: "r", Context: context}) == policy.Allow
			if got != tc.want {
				t.Errorf("%s: %v, want %v", tc.condition, got, tc.want)
			}
		})
	}
}

func TestResources(t *testing.T) {
	cases := map[string]struct {
		body, action, resource string
		want                   policy.Decision
	}{
		"prefix":           {`"Effect":"Allow","Action":"eks:Describe*","Resource":"arn:aws:eks:*:1:cluster/*"`, "eks:DescribeCluster", "arn:aws:eks:eu-west-1:1:cluster/c", policy.Allow},
		"other resource":   {`"Effect":"Allow","Action":"eks:*","Resource":["arn:aws:eks:*:1:cluster/a"]`, "eks:DescribeCluster", "arn:aws:eks:eu-west-1:1:cluster/c", policy.ImplicitDeny},
		"not resource":     {`"Effect":"Allow","Action":"eks:*","NotResource":"arn:aws:eks:*:*:*/a"`, "eks:DescribeCluster", "arn:aws:eks:eu-west-1:1:cluster/c", policy.Allow},
		"excepted":         {`"Effect":"Allow","Action":"eks:*","NotResource":"arn:aws:eks:*:*:*/c"`, "eks:DescribeCluster", "arn:aws:eks:eu-west-1:1:cluster/c", policy.ImplicitDeny},
		"no resource":      {`"Effect":"Allow","Action":"eks:*","Resource":"arn:aws:eks:*:*:*"`, "eks:ListAccessPolicies", "*", policy.ImplicitDeny},
		"over a colon":     {`"Effect":"Allow","Action":"eks:*","Resource":"arn:*:1:cluster/c:*:*"`, "eks:DescribeCluster", "arn:aws:eks:eu-west-1:1:cluster/c", policy.ImplicitDeny},
		"last part":        {`"Effect":"Allow","Action":"autoscaling:*","Resource":"arn:aws:autoscaling:*:*:autoScalingGroup:*"`, "autoscaling:DeleteTags", "arn:aws:autoscaling:eu-west-1:1:autoScalingGroup:id:autoScalingGroupName/g", policy.Allow},
		"other case":       {`"Effect":"Allow","Action":"eks:*","Resource":"arn:aws:eks:*:*:cluster/C"`, "eks:DescribeCluster", "arn:aws:eks:eu-west-1:1:cluster/c", policy.ImplicitDeny},
		"unknown variable": {`"Effect":"Allow","Action":"eks:*","Resource":["arn:aws:eks:*:*:cluster/${aws:nothing}","arn:aws:eks:*:*:cluster/c"]`, "eks:DescribeCluster", "arn:aws:eks:eu-west-1:1:cluster/c", policy.Allow},
		"but for unknown":  {`"Effect":"Allow","Action":"eks:*","NotResource":"arn:aws:eks:*:*:cluster/${aws:nothing}"`, "eks:DescribeCluster", "arn:aws:eks:eu-west-1:1:cluster/c", policy.ImplicitDeny},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			d, err := policy.Parse(statement(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			if got := policy.Evaluate([]*policy.Document{d}, policy.Request{Action: tc.action, Resource: tc.resource}); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	cases := map[string]struct{ document, want string }{
		"no JSON":           {`{`, "invalid Json"},
		"empty":             {``, "invalid Json"},
		"no statement":      {`{"Version":"2012-10-17"}`, "no statement"},
		"version":           {`{"Version":"2020-01-01","Statement":[]}`, "version"},
		"effect":            {statement(`"Effect":"Maybe","Action":"*"`), "effect"},
		"no action":         {statement(`"Effect":"Allow"`), "Action"},
		"both actions":      {statement(`"Effect":"Allow","Action":"a","NotAction":"b"`), "Action"},
		"principal":         {statement(`"Effect":"Allow","Action":"a","Principal":"me"`), "principal"},
		"kind of principal": {statement(`"Effect":"Allow","Action":"a","Principal":{"Google":"me"}`), "kind of principal"},
		"operator":          {statement(`"Effect":"Allow","Action":"a","Condition":{"StringMatches":{"a":"b"}}`), "operator"},
		"unknown element":   {statement(`"Effect":"Allow","Action":"a","Conditions":{}`), "unknown field"},
		"element twice":     {statement(`"Effect":"Allow","Action":"a","Condition":{"StringEquals":{"a":"b"},"stringequals":{"a":"c"}}`), "twice"},
		"more":              {`{"Statement":{"Effect":"Allow","Action":"a"}} {}`, "follows"},
		"null if exists":    {statement(`"Effect":"Allow","Action":"a","Condition":{"NullIfExists":{"a":"true"}}`), "operator"},
		"operator's case":   {statement(`"Effect":"Allow","Action":"a","Condition":{"stringEquals":{"a":"b"}}`), "operator"},
		"number":            {statement(`"Effect":"Allow","Action":"a","Condition":{"NumericEquals":{"a":"b"}}`), "invalid for the operator"},
		"date":              {statement(`"Effect":"Allow","Action":"a","Condition":{"DateEquals":{"a":"today"}}`), "invalid for the operator"},
		"bool":              {statement(`"Effect":"Allow","Action":"a","Condition":{"Bool":{"a":"yes"}}`), "invalid for the operator"},
		"arn":               {statement(`"Effect":"Allow","Action":"a","Condition":{"ArnLike":{"a":"arn:aws:*"}}`), "invalid for the operator"},
		"address":           {statement(`"Effect":"Allow","Action":"a","Condition":{"IpAddress":{"a":"10.0.0.0/33"}}`), "invalid for the operator"},
		"no values":         {statement(`"Effect":"Allow","Action":"a","Condition":{"StringEquals":{"a":[]}}`), "no value"},
		"value":             {statement(`"Effect":"Allow","Action":"a","Condition":{"StringEquals":{"a":{"b":1}}}`), "no value"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Parse(tc.document)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want it to say %q", err, tc.want)
			}
		})
	}
}

func FuzzEvaluate(f *testing.F) {
	f.Add(statement(`"Effect":"Allow","Principal":{"AWS":"1"},"Action":"sts:*","Condition":{"StringLike":{"sts:ExternalId":"${a}*"}}`), "x")
	f.Add(`{"Statement":{"Effect":"Deny","NotAction":["a"],"Resource":"*?*"}}`, "")
	f.Add(`{"Statement":[null]}`, "")
	f.Fuzz(func(t *testing.T, document, externalID string) {
		d, err := policy.Parse(document)
		if err != nil {
			return
		}
		r := policy.Request{Action: "sts:AssumeRole", Caller: policy.Caller{Account: "1"}, Context: map[string][]string{"sts:externalid": {externalID}}}
		first := policy.Evaluate([]*policy.Document{d}, r)
		if diff := cmp.Diff(first, policy.Evaluate([]*policy.Document{d, d}, r)); diff != "" {
			t.Errorf("a document given twice decides otherwise: %s", diff)
		}
	})
}
