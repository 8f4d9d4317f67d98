package iam

import (
	"encoding/xml"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Role as it is stored.
type Role struct {
	Account            string
	Name               string
	Path               string // / or /a/b/
	ID                 string // AROA...
	Description        string
	Trust              string // the policy document, as it was given
	MaxSessionDuration int    // seconds
	Tags               map[string]string
	Created            time.Time
	Policies
	// Seeded marks the roles an account begins with.
	Seeded bool
}

// Policies are what a role or user may do.
type Policies struct {
	Attached []string          // ARNs of managed policies, in order of attachment
	Inline   map[string]string // policy documents by name
	Boundary string            // ARN of the permissions boundary, "" if there is none
}

// ARN of the role.
func (r Role) ARN() string { return "arn:aws:iam::" + r.Account + ":role" + r.Path + r.Name }

func (r Role) serviceLinked() bool { return strings.HasPrefix(r.Path, "/aws-service-role/") }

// User as it is stored.
type User struct {
	Account string
	Name    string
	Path    string
	ID      string // AIDA...
	Created time.Time
	Policies
}

// ARN of the user.
func (u User) ARN() string { return "arn:aws:iam::" + u.Account + ":user" + u.Path + u.Name }

// Policy is a managed policy.
type Policy struct {
	ARN         string
	Name        string
	Path        string
	ID          string // ANPA...
	Description string
	Document    string // of the default version
	Version     string // the default one: v1
	Created     time.Time
	Tags        map[string]string
	// Versions are all of a policy that has had more than one.
	Versions []PolicyVersion
}

// PolicyVersion is a version of a managed policy.
type PolicyVersion struct {
	ID       string // v1
	Document string
	Created  time.Time
}

func (p Policy) versions() []PolicyVersion {
	if len(p.Versions) > 0 {
		return p.Versions
	}
	return []PolicyVersion{{ID: p.Version, Document: p.Document, Created: p.Created}}
}

func (p Policy) updated() time.Time {
	versions := p.versions()
	return versions[len(versions)-1].Created
}

// Provider is an OpenID Connect provider.
type Provider struct {
	Account     string
	URL         string // without the scheme
	ClientIDs   []string
	Thumbprints []string
	Tags        map[string]string
	Created     time.Time
}

func (p Provider) id() string  { return p.URL }
func (p Provider) arn() string { return "arn:aws:iam::" + p.Account + ":oidc-provider/" + p.URL }

// The rest is how AWS writes them in XML.

// timestamp is AWS's ISO 8601 with seconds.
type timestamp time.Time

func (t timestamp) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return e.EncodeElement(time.Time(t).UTC().Format("2006-01-02T15:04:05Z"), start)
}

type tagXML struct {
	Key   string
	Value string
}

func tagsXML(tags map[string]string) []tagXML {
	list := make([]tagXML, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, tagXML{k, tags[k]})
	}
	return list
}

type boundaryXML struct {
	PermissionsBoundaryType string
	PermissionsBoundaryArn  string
}

type roleXML struct {
	Path                     string
	RoleName                 string
	RoleId                   string
	Arn                      string
	CreateDate               timestamp
	AssumeRolePolicyDocument string
	Description              string       `xml:",omitempty"`
	MaxSessionDuration       int          `xml:",omitempty"`
	PermissionsBoundary      *boundaryXML `xml:",omitempty"`
	Tags                     []tagXML     `xml:"Tags>member"`
	RoleLastUsed             *struct{}    `xml:",omitempty"`
}

// full is the role as GetRole and CreateRole answer it.
func (r Role) full() roleXML {
	x := r.listed()
	x.Tags = tagsXML(r.Tags)
	x.RoleLastUsed = &struct{}{}
	if r.Boundary != "" {
		x.PermissionsBoundary = &boundaryXML{"Policy", r.Boundary}
	}
	return x
}

// listed is the role as ListRoles answers it: without tags and boundary.
func (r Role) listed() roleXML {
	return roleXML{
		Path: r.Path, RoleName: r.Name, RoleId: r.ID, Arn: r.ARN(), CreateDate: timestamp(r.Created),
		AssumeRolePolicyDocument: encodeDocument(r.Trust), Description: r.Description, MaxSessionDuration: r.MaxSessionDuration,
	}
}

type userXML struct {
	Path       string
	UserName   string
	UserId     string
	Arn        string
	CreateDate timestamp
}

func (u User) xml() userXML { return userXML{u.Path, u.Name, u.ID, u.ARN(), timestamp(u.Created)} }

type policyXML struct {
	PolicyName                    string
	PolicyId                      string
	Arn                           string
	Path                          string
	DefaultVersionId              string
	AttachmentCount               int
	PermissionsBoundaryUsageCount int
	IsAttachable                  bool
	Description                   string `xml:",omitempty"`
	CreateDate                    timestamp
	UpdateDate                    timestamp
	Tags                          []tagXML `xml:"Tags>member"`
}

// encodeDocument percent-encodes a policy document as RFC 3986 has it, in which
// form IAM answers all documents.
func encodeDocument(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}
