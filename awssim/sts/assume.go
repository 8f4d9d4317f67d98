package sts

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
	"kargo.dev/kargo/awssim/iam"
	"kargo.dev/kargo/awssim/policy"
	"kargo.dev/kargo/awssim/query"
)

var (
	sessionFormat    = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
	externalIDFormat = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
	roleARNFormat    = regexp.MustCompile(`^arn:aws:iam::(\d{12}):role/(?:[\x21-\x7E]+/)?([\w+=,.@-]{1,64})$`)
)

// Bounds of DurationSeconds.
const (
	defaultDuration = 3600
	minDuration     = 900
	maxDuration     = 43200
	maxChained      = 3600 // for a session that assumes a role
)

const maxExternalID = 1224

// assumption is a checked AssumeRole request.
type assumption struct {
	account, roleName, roleARN string
	session, externalID        string
	sourceIdentity             string
	duration                   int // seconds
	tags                       map[string]string
	transitive                 []string
	policies                   []string
}

func (s *Service) assumeRole(_ context.Context, c *api.Call) (any, error) {
	a, err := parseAssumption(c)
	if err != nil {
		return nil, err
	}
	caller, _ := s.keys.Lookup(c.Caller.AccessKeyID)
	if strings.HasSuffix(c.Caller.ARN, ":root") {
		return nil, denied("Roles may not be assumed by root accounts.")
	}
	// A role that does not exist is not told apart from one that is not trusted.
	role, ok := s.roles.Role(a.account, a.roleName)
	if !ok || role.ARN() != a.roleARN {
		return nil, unauthorized(c, "sts:AssumeRole", a.roleARN)
	}
	if err := a.inherit(caller); err != nil {
		return nil, err
	}
	if err := s.checkTrust(c, a, role, caller); err != nil {
		return nil, err
	}
	if err := checkDuration(a, role, caller); err != nil {
		return nil, err
	}
	key, err := s.keys.IssueSession(auth.Key{
		Identity: api.Identity{
			AccountID: a.account,
			ARN:       "arn:aws:sts::" + a.account + ":assumed-role/" + role.Name + "/" + a.session,
			UserID:    role.ID + ":" + a.session,
		},
		Expires: s.now().UTC().Truncate(time.Second).Add(time.Duration(a.duration) * time.Second),
		RoleARN: role.ARN(), RoleID: role.ID,
		SourceIdentity: a.sourceIdentity, Tags: a.tags, TransitiveTags: a.transitive, Policies: a.policies,
	})
	if err != nil {
		return nil, err
	}
	return answer(key), nil
}

func parseAssumption(c *api.Call) (*assumption, error) {
	p := c.Params
	a := &assumption{roleARN: p.Get("RoleArn"), session: p.Get("RoleSessionName"), externalID: p.Get("ExternalId"),
		sourceIdentity: p.Get("SourceIdentity"), duration: defaultDuration, tags: map[string]string{}}
	m := roleARNFormat.FindStringSubmatch(a.roleARN)
	switch {
	case m == nil:
		return nil, api.Errorf("ValidationError", "%s is invalid", orNothing(a.roleARN))
	case !sessionFormat.MatchString(a.session):
		return nil, constraint("roleSessionName", a.session, `Member must satisfy regular expression pattern: [\w+=,.@-]* and have length between 2 and 64`)
	case p.Has("ExternalId") && (!externalIDFormat.MatchString(a.externalID) || len(a.externalID) > maxExternalID):
		return nil, constraint("externalId", a.externalID, `Member must satisfy regular expression pattern: [\w+=,.@:\/-]* and have length between 2 and 1224`)
	case a.sourceIdentity != "" && !sessionFormat.MatchString(a.sourceIdentity):
		return nil, constraint("sourceIdentity", a.sourceIdentity, `Member must satisfy regular expression pattern: [\w+=,.@-]*`)
	}
	a.account, a.roleName = m[1], m[2]
	if v := p.Get("DurationSeconds"); v != "" {
		n, err := strconv.Atoi(v)
		switch {
		case err != nil || n < minDuration:
			return nil, constraint("durationSeconds", v, fmt.Sprintf("Member must have value greater than or equal to %d", minDuration))
		case n > maxDuration:
			return nil, constraint("durationSeconds", v, fmt.Sprintf("Member must have value less than or equal to %d", maxDuration))
		}
		a.duration = n
	}
	if v := p.Get("Policy"); v != "" {
		doc, err := policy.Parse(v)
		if err == nil {
			err = doc.CheckIdentity()
		}
		if err != nil {
			return nil, api.Errorf("MalformedPolicyDocument", "%s", err.Error())
		}
		a.policies = append(a.policies, v)
	}
	for _, m := range query.Members(p, "PolicyArns") {
		a.policies = append(a.policies, m["arn"])
	}
	for _, t := range query.Members(p, "Tags") {
		a.tags[t["Key"]] = t["Value"]
	}
	a.transitive = query.Strings(p, "TransitiveTagKeys")
	return a, nil
}

// inherit takes over what a role chain carries on: transitive tags and the source identity.
func (a *assumption) inherit(caller auth.Key) error {
	for _, key := range caller.TransitiveTags {
		if _, again := a.tags[key]; again {
			return api.Errorf("InvalidParameterValue", "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
		}
		a.tags[key] = caller.Tags[key]
		a.transitive = append(a.transitive, key)
	}
	if caller.SourceIdentity != "" {
		if a.sourceIdentity != "" && a.sourceIdentity != caller.SourceIdentity {
			return denied("The source identity of a session cannot be changed.")
		}
		a.sourceIdentity = caller.SourceIdentity
	}
	return nil
}

// actions are what an AssumeRole call does.
func actions(c *api.Call) []string {
	list := []string{"sts:AssumeRole"}
	if c.Params.Has("Tags.member.1.Key") {
		list = append(list, "sts:TagSession")
	}
	if c.Params.Get("SourceIdentity") != "" {
		list = append(list, "sts:SetSourceIdentity")
	}
	return list
}

// checkTrust asks the role's trust policy for all that the call does. What the
// caller's own policies say was asked before (see Permissions).
func (s *Service) checkTrust(c *api.Call, a *assumption, role iam.Role, caller auth.Key) error {
	trust, err := s.trust.Parse(role.Trust)
	if err != nil {
		return fmt.Errorf("trust policy of %s: %w", role.ARN(), err)
	}
	request := s.trustRequest(c, a, role, caller)
	for _, action := range actions(c) {
		request.Action = action
		if policy.Evaluate([]*policy.Document{trust}, request) != policy.Allow {
			return unauthorized(c, action, a.roleARN)
		}
	}
	return nil
}

// trustRequest is what a trust policy is asked, but for the action.
func (s *Service) trustRequest(c *api.Call, a *assumption, role iam.Role, caller auth.Key) policy.Request {
	arns := []string{c.Caller.ARN}
	if caller.RoleARN != "" {
		arns = append(arns, caller.RoleARN)
	}
	r := policy.Permission{Resource: role.ARN(), Context: a.context(role)}.Request(s.callers.Context(c))
	r.Caller = policy.Caller{Account: c.Caller.AccountID, ARNs: arns}
	return r
}

// context are the condition keys of an AssumeRole call, see
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html.
func (a *assumption) context(role iam.Role) policy.Context {
	keys := policy.Context{}
	keys.Set("sts:RoleSessionName", a.session)
	keys.Set("sts:ExternalId", a.externalID)
	keys.Set("sts:SourceIdentity", a.sourceIdentity)
	keys.Set("sts:TransitiveTagKeys", a.transitive...)
	keys.RequestTags(a.tags)
	keys.ResourceTags("iam", role.Tags)
	return keys
}

func checkDuration(a *assumption, role iam.Role, caller auth.Key) error {
	switch {
	case caller.Temporary() && a.duration > maxChained:
		return api.Errorf("ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
	case a.duration > role.MaxSessionDuration:
		return api.Errorf("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return nil
}

func answer(key auth.Key) any {
	type credentials struct {
		AccessKeyId     string
		SecretAccessKey string
		SessionToken    string
		Expiration      string
	}
	type user struct {
		AssumedRoleId string
		Arn           string
	}
	return struct {
		AssumedRoleUser  user
		Credentials      credentials
		SourceIdentity   string `xml:",omitempty"`
		PackedPolicySize int    `xml:",omitempty"`
	}{
		AssumedRoleUser: user{key.Identity.UserID, key.Identity.ARN},
		Credentials:     credentials{key.ID, key.Secret, key.SessionToken, key.Expires.Format("2006-01-02T15:04:05Z")},
		SourceIdentity:  key.SourceIdentity,
	}
}

func denied(message string) error {
	return &api.Error{Code: "AccessDenied", Message: message, HTTPStatus: http.StatusForbidden}
}

func unauthorized(c *api.Call, action, resource string) error {
	return denied(fmt.Sprintf("User: %s is not authorized to perform: %s on resource: %s", c.Caller.ARN, action, resource))
}

func constraint(param, value, must string) error {
	return api.Errorf("ValidationError", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s", value, param, must)
}

func orNothing(s string) string {
	if s == "" {
		return "(nothing)"
	}
	return s
}
