package contract_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const kargoRole = "arn:aws:iam::" + shopID + ":role/factory/kargo"

// assume assumes a role and returns the session's configuration.
func assume(t *testing.T, s *simulator, from aws.Config, in *sts.AssumeRoleInput) aws.Config {
	t.Helper()
	out, err := sts.NewFromConfig(from).AssumeRole(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return s.config(*out.Credentials.AccessKeyId, *out.Credentials.SecretAccessKey, *out.Credentials.SessionToken)
}

func kargo() *sts.AssumeRoleInput {
	return &sts.AssumeRoleInput{RoleArn: aws.String(kargoRole), RoleSessionName: aws.String("capa"), ExternalId: aws.String("shop-secret")}
}

func team(session string) *sts.AssumeRoleInput {
	return &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + shopID + ":role/team"), RoleSessionName: aws.String(session)}
}

func TestGetCallerIdentity(t *testing.T) {
	s := start(t)
	cases := map[string]struct {
		config       aws.Config
		account, arn string
		userID       string // prefix and suffix, divided by *
	}{
		"administrator": {s.account(t, shopID), shopID, "arn:aws:iam::" + shopID + ":user/admin", "AIDA*"},
		"factory":       {s.factory(), factoryID, "arn:aws:iam::" + factoryID + ":user/factory", "AIDA*"},
		"session":       {assume(t, s, s.factory(), kargo()), shopID, "arn:aws:sts::" + shopID + ":assumed-role/kargo/capa", "AROA*:capa"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, err := sts.NewFromConfig(tc.config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			if err != nil {
				t.Fatal(err)
			}
			prefix, suffix, _ := strings.Cut(tc.userID, "*")
			if *out.Account != tc.account || *out.Arn != tc.arn || !strings.HasPrefix(*out.UserId, prefix) || !strings.HasSuffix(*out.UserId, suffix) {
				t.Errorf("account %s, ARN %s, user id %s", *out.Account, *out.Arn, *out.UserId)
			}
		})
	}
}

func TestSignaturesAreChecked(t *testing.T) {
	s := start(t)
	good := s.account(t, shopID)
	key, err := good.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	session, err := assume(t, s, s.factory(), kargo()).Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		config  aws.Config
		forward time.Duration
		want    string
	}{
		"wrong secret":   {config: s.config(key.AccessKeyID, "wrong", ""), want: "SignatureDoesNotMatch"},
		"unknown key":    {config: s.config("AKIANOBODY", "wrong", ""), want: "InvalidClientTokenId"},
		"session's key":  {config: s.config(session.AccessKeyID, session.SecretAccessKey, ""), want: "InvalidClientTokenId"},
		"other token":    {config: s.config(session.AccessKeyID, session.SecretAccessKey, "x"), want: "InvalidClientTokenId"},
		"clock is slow":  {config: good, forward: 6 * time.Minute, want: "SignatureDoesNotMatch"},
		"session is out": {config: s.config(session.AccessKeyID, session.SecretAccessKey, session.SessionToken), forward: time.Hour, want: "ExpiredToken"},
	}
	for _, name := range []string{"wrong secret", "unknown key", "session's key", "other token", "clock is slow", "session is out"} {
		tc := cases[name]
		t.Run(name, func(t *testing.T) {
			s.clock.forward(tc.forward)
			_, err := sts.NewFromConfig(tc.config).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
			wantCode(t, err, tc.want)
		})
	}
}

func TestAssumeRole(t *testing.T) {
	s := start(t)
	shop, bank := s.account(t, shopID), s.account(t, bankID)
	with := func(in *sts.AssumeRoleInput, change func(*sts.AssumeRoleInput)) *sts.AssumeRoleInput {
		change(in)
		return in
	}
	session := assume(t, s, shop, team("anna"))
	cases := map[string]struct {
		from   aws.Config
		in     *sts.AssumeRoleInput
		want   string
		reason string
	}{
		"factory":             {s.factory(), kargo(), "", "trusted, with its external id"},
		"no external id":      {s.factory(), with(kargo(), func(i *sts.AssumeRoleInput) { i.ExternalId = nil }), "AccessDenied", "the trust policy asks for it"},
		"wrong external id":   {s.factory(), with(kargo(), func(i *sts.AssumeRoleInput) { i.ExternalId = aws.String("guess") }), "AccessDenied", "compared"},
		"another account":     {bank, kargo(), "AccessDenied", "not trusted"},
		"the account's own":   {shop, kargo(), "AccessDenied", "not trusted either: only the factory's user is"},
		"no such role":        {s.factory(), with(kargo(), func(i *sts.AssumeRoleInput) { i.RoleArn = aws.String(kargoRole + "x") }), "AccessDenied", "not told apart from one that is not trusted"},
		"path is missing":     {s.factory(), with(kargo(), func(i *sts.AssumeRoleInput) { i.RoleArn = aws.String("arn:aws:iam::" + shopID + ":role/kargo") }), "AccessDenied", "another ARN is another role"},
		"own account":         {shop, team("anna"), "", "root stands for the account"},
		"denied session name": {shop, team("evil"), "AccessDenied", "a Deny wins"},
		"from a session":      {session, team("bob"), "", "role chaining"},
		"chained too long":    {session, with(team("bob"), func(i *sts.AssumeRoleInput) { i.DurationSeconds = aws.Int32(3601) }), "ValidationError", "one hour at most"},
		"too short":           {shop, with(team("anna"), func(i *sts.AssumeRoleInput) { i.DurationSeconds = aws.Int32(899) }), "ValidationError", "900 s at least"},
		"too long":            {shop, with(team("anna"), func(i *sts.AssumeRoleInput) { i.DurationSeconds = aws.Int32(43201) }), "ValidationError", "12 h at most"},
		"longest":             {shop, with(team("anna"), func(i *sts.AssumeRoleInput) { i.DurationSeconds = aws.Int32(43200) }), "", "as the role allows"},
		"longer than role's":  {s.factory(), with(kargo(), func(i *sts.AssumeRoleInput) { i.DurationSeconds = aws.Int32(7201) }), "ValidationError", "MaxSessionDuration"},
		"session name":        {shop, team("a b"), "ValidationError", "its pattern"},
		"tags":                {shop, with(team("anna"), func(i *sts.AssumeRoleInput) { i.Tags = []ststypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}} }), "", "sts:TagSession is allowed"},
		"tags not allowed":    {s.factory(), with(kargo(), func(i *sts.AssumeRoleInput) { i.Tags = []ststypes.Tag{{Key: aws.String("a"), Value: aws.String("b")}} }), "AccessDenied", "sts:TagSession is not"},
		"source identity":     {shop, with(team("anna"), func(i *sts.AssumeRoleInput) { i.SourceIdentity = aws.String("anna") }), "AccessDenied", "sts:SetSourceIdentity is not allowed"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, err := sts.NewFromConfig(tc.from).AssumeRole(t.Context(), tc.in)
			wantCode(t, err, tc.want)
			if err != nil {
				return
			}
			if id := *out.Credentials.AccessKeyId; len(id) != 20 || !strings.HasPrefix(id, "ASIA") {
				t.Errorf("access key id %q: %s", id, tc.reason)
			}
			life := time.Duration(aws.ToInt32(tc.in.DurationSeconds)) * time.Second
			if life == 0 {
				life = time.Hour
			}
			if left := time.Until(*out.Credentials.Expiration); left > life || left < life-time.Minute {
				t.Errorf("the session lasts %s, want %s", left, life)
			}
		})
	}
}

func TestSessionsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	s := startIn(t, dir)
	session, err := assume(t, s, s.factory(), kargo()).Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys := s.keys
	s.stop()

	s = startIn(t, dir)
	if s.keys.Factory != keys.Factory {
		t.Error("the factory's key changed")
	}
	out, err := sts.NewFromConfig(s.config(session.AccessKeyID, session.SecretAccessKey, session.SessionToken)).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil || *out.Account != shopID {
		t.Errorf("the session is gone: %v", err)
	}
}

func TestSessionsEndWithTheirRole(t *testing.T) {
	s := start(t)
	client := iam.NewFromConfig(s.account(t, shopID))
	session := assume(t, s, s.account(t, shopID), team("anna"))
	_, err := client.DetachRolePolicy(t.Context(), &iam.DetachRolePolicyInput{RoleName: aws.String("team"), PolicyArn: aws.String("arn:aws:iam::aws:policy/PowerUserAccess")})
	wantCode(t, err, "")
	if _, err := client.DeleteRole(t.Context(), &iam.DeleteRoleInput{RoleName: aws.String("team")}); err != nil {
		t.Fatal(err)
	}
	_, err = sts.NewFromConfig(session).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	wantCode(t, err, "InvalidClientTokenId")
}

func TestClusterLogin(t *testing.T) {
	s := start(t)
	client := sts.NewPresignClient(sts.NewFromConfig(assume(t, s, s.factory(), kargo())))
	presigned, err := client.PresignGetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, sts.WithAPIOptions(
			smithyhttp.SetHeaderValue("x-k8s-aws-id", "shop-prod"), smithyhttp.SetHeaderValue("X-Amz-Expires", "60")))
	})
	if err != nil {
		t.Fatal(err)
	}
	token := "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(presigned.URL))
	id, err := s.auth.VerifyToken(token, "shop-prod")
	if err != nil || id.ARN != "arn:aws:sts::"+shopID+":assumed-role/kargo/capa" {
		t.Errorf("login as %+v, %v", id, err)
	}
	if _, err := s.auth.VerifyToken(token, "bank-prod"); err == nil {
		t.Error("the token opens another cluster")
	}
}

// TestPresignedCall checks that a presigned URL works over the wire, until it expires.
func TestPresignedCall(t *testing.T) {
	s := start(t)
	client := sts.NewPresignClient(sts.NewFromConfig(s.account(t, shopID)))
	presigned, err := client.PresignGetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}, func(o *sts.PresignOptions) {
		o.ClientOptions = append(o.ClientOptions, sts.WithAPIOptions(smithyhttp.SetHeaderValue("X-Amz-Expires", "60")))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		forward time.Duration
		want    int
	}{{0, 200}, {50 * time.Second, 200}, {11 * time.Second, 403}} {
		s.clock.forward(step.forward)
		if got := get(t.Context(), t, s, presigned.URL); got != step.want {
			t.Errorf("status %d, want %d", got, step.want)
		}
	}
}

func get(ctx context.Context, t *testing.T, s *simulator, url string) int {
	t.Helper()
	r, err := newGet(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
