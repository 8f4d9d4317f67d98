package eks

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"kargo.dev/kargo/awssim/api"
)

// maxEntryGroups bounds the groups of one entry.
const maxEntryGroups = 50

// Types of access entries.
const (
	typeStandard = "STANDARD"
	typeLinux    = "EC2_LINUX"
)

// AccessEntry is EKS's description of who may log in to a cluster.
type AccessEntry struct {
	ClusterName      string            `json:"clusterName"`
	PrincipalARN     string            `json:"principalArn"`
	KubernetesGroups []string          `json:"kubernetesGroups"`
	AccessEntryARN   string            `json:"accessEntryArn"`
	CreatedAt        Time              `json:"createdAt"`
	ModifiedAt       Time              `json:"modifiedAt"`
	Tags             map[string]string `json:"tags"`
	Username         string            `json:"username"`
	Type             string            `json:"type"`
}

// accessEntry is the record of an access entry and its policies.
type accessEntry struct {
	AccessEntry
	Region   string
	Token    string
	Policies []associatedPolicy
}

type associatedPolicy struct {
	PolicyARN    string      `json:"policyArn"`
	AccessScope  accessScope `json:"accessScope"`
	AssociatedAt Time        `json:"associatedAt"`
	ModifiedAt   Time        `json:"modifiedAt"`
}

type accessScope struct {
	Type       string   `json:"type"` // cluster or namespace
	Namespaces []string `json:"namespaces"`
}

func (s *Service) accessOperations() []api.Operation {
	const (
		entries  = "/clusters/{clusterName}/access-entries"
		entry    = entries + "/{principalArn}"
		policies = entry + "/access-policies"
	)
	return []api.Operation{
		{Name: "CreateAccessEntry", Method: http.MethodPost, Path: entries, Handle: s.createAccessEntry},
		{Name: "DescribeAccessEntry", Method: http.MethodGet, Path: entry, Handle: s.describeAccessEntry},
		{Name: "ListAccessEntries", Method: http.MethodGet, Path: entries, Handle: s.listAccessEntries},
		{Name: "UpdateAccessEntry", Method: http.MethodPost, Path: entry, Handle: s.updateAccessEntry},
		{Name: "DeleteAccessEntry", Method: http.MethodDelete, Path: entry, Handle: s.deleteAccessEntry},
		{Name: "AssociateAccessPolicy", Method: http.MethodPost, Path: policies, Handle: s.associateAccessPolicy},
		{Name: "DisassociateAccessPolicy", Method: http.MethodDelete, Path: policies + "/{policyArn}", Handle: s.disassociateAccessPolicy},
		{Name: "ListAssociatedAccessPolicies", Method: http.MethodGet, Path: policies, Handle: s.listAssociatedAccessPolicies},
		{Name: "ListAccessPolicies", Method: http.MethodGet, Path: "/access-policies", Handle: s.listAccessPolicies},
	}
}

type accessEntryAnswer struct {
	AccessEntry AccessEntry `json:"accessEntry"`
}

func (s *Service) entriesOf(account, region, clusterName string) []accessEntry {
	return slices.DeleteFunc(s.entries.List(account, region), func(e accessEntry) bool { return e.ClusterName != clusterName })
}

// apiCluster is clusterOf for what the authentication mode CONFIG_MAP forbids.
func (s *Service) apiCluster(c *api.Call) (*cluster, error) {
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	if rec.Cluster.AccessConfig.AuthenticationMode == modeConfigMap {
		return nil, invalidRequest("The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.")
	}
	return rec, nil
}

// entryOf returns the access entry that the path names, and its cluster.
func (s *Service) entryOf(c *api.Call) (*cluster, *accessEntry, error) {
	rec, err := s.apiCluster(c)
	if err != nil {
		return nil, nil, err
	}
	principal := c.Path["principalArn"]
	e, ok := s.entries.Get(rec.Account, rec.Region, partID(rec.Cluster.Name, principal))
	if !ok {
		return nil, nil, notFound("The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.")
	}
	return rec, &e, nil
}

func (s *Service) saveEntry(rec *cluster, e *accessEntry) error {
	return s.entries.Put(rec.Account, rec.Region, partID(rec.Cluster.Name, e.PrincipalARN), *e)
}

type accessEntryInput struct {
	PrincipalARN       string            `json:"principalArn"`
	KubernetesGroups   []string          `json:"kubernetesGroups"`
	Tags               map[string]string `json:"tags"`
	ClientRequestToken string            `json:"clientRequestToken"`
	Username           string            `json:"username"`
	Type               string            `json:"type"`
}

func (s *Service) createAccessEntry(_ context.Context, c *api.Call) (any, error) {
	var in accessEntryInput
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	rec, err := s.apiCluster(c)
	if err != nil {
		return nil, err
	}
	if old, ok := s.entries.Get(rec.Account, rec.Region, partID(rec.Cluster.Name, in.PrincipalARN)); ok {
		if in.ClientRequestToken != "" && old.Token == in.ClientRequestToken {
			return accessEntryAnswer{old.AccessEntry}, nil
		}
		return nil, inUse("The specified access entry resource is already in use on this cluster.")
	}
	if err := s.checkPrincipal(rec.Account, in.PrincipalARN); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if err := checkSubjects(in); err != nil {
		return nil, err
	}
	e := newEntry(rec, in, c.Now)
	return accessEntryAnswer{e.AccessEntry}, s.saveEntry(rec, e)
}

// newEntry fills in what EKS fills in: the username always, for nodes the
// groups too.
func newEntry(rec *cluster, in accessEntryInput, now time.Time) *accessEntry {
	kind := cmp.Or(in.Type, typeStandard)
	username, groups := in.Username, in.KubernetesGroups
	if kind != typeStandard {
		username, groups = "system:node:{{EC2PrivateDNSName}}", []string{"system:nodes"}
	}
	if username == "" {
		username = defaultUsername(in.PrincipalARN)
	}
	if groups == nil {
		groups = []string{}
	}
	what, name := principalName(in.PrincipalARN)
	return &accessEntry{
		Region: rec.Region, Token: in.ClientRequestToken,
		AccessEntry: AccessEntry{
			ClusterName: rec.Cluster.Name, PrincipalARN: in.PrincipalARN, KubernetesGroups: groups, Username: username, Type: kind,
			AccessEntryARN: arn(rec.Account, rec.Region, "access-entry/"+rec.Cluster.Name+"/"+what+"/"+rec.Account+"/"+name+"/"+newUUID()),
			CreatedAt:      at(now), ModifiedAt: at(now), Tags: copyTags(in.Tags),
		},
	}
}

// checkPrincipal refuses a principal that does not exist in the account.
func (s *Service) checkPrincipal(account, principalARN string) error {
	parts := strings.SplitN(principalARN, ":", 6)
	what, name := principalName(principalARN)
	exists := false
	if len(parts) == 6 && parts[2] == "iam" && parts[4] == account {
		switch what {
		case "role":
			role, ok := s.principals.Role(account, name)
			exists = ok && role.ARN == principalARN
		case "user":
			exists = s.principals.UserExists(account, name)
		}
	}
	if !exists {
		return invalidParameter("The specified principalArn is invalid: invalid principal.")
	}
	return nil
}

// checkSubjects refuses groups and user names that Kubernetes or EKS use themselves.
func checkSubjects(in accessEntryInput) error {
	kinds := []string{"", typeStandard, typeLinux, "EC2_WINDOWS", "FARGATE_LINUX", "HYBRID_LINUX", "EC2"}
	if !slices.Contains(kinds, in.Type) {
		return invalidParameter("The type is invalid. Valid types are: %s", strings.Join(kinds[1:], ", "))
	}
	if in.Type != "" && in.Type != typeStandard && (len(in.KubernetesGroups) > 0 || in.Username != "") {
		return invalidParameter("The specified username or kubernetesGroups cannot be set for type %s.", in.Type)
	}
	if len(in.KubernetesGroups) > maxEntryGroups {
		return invalidParameter("An access entry can have at most %d kubernetesGroups.", maxEntryGroups)
	}
	for _, name := range append([]string{in.Username}, in.KubernetesGroups...) {
		for _, prefix := range []string{"amazon", "aws", "eks", "iam", "system"} {
			if strings.HasPrefix(name, prefix+":") {
				return invalidParameter("The kubernetes group name or username %s is invalid, it cannot start with %s:", name, prefix)
			}
		}
	}
	return nil
}

func (s *Service) describeAccessEntry(_ context.Context, c *api.Call) (any, error) {
	_, e, err := s.entryOf(c)
	if err != nil {
		return nil, err
	}
	return accessEntryAnswer{e.AccessEntry}, nil
}

func (s *Service) listAccessEntries(_ context.Context, c *api.Call) (any, error) {
	rec, err := s.apiCluster(c)
	if err != nil {
		return nil, err
	}
	principals := []string{}
	for _, e := range s.entriesOf(rec.Account, rec.Region, rec.Cluster.Name) {
		wanted := c.Params.Get("associatedPolicyArn")
		if wanted == "" || slices.ContainsFunc(e.Policies, func(p associatedPolicy) bool { return p.PolicyARN == wanted }) {
			principals = append(principals, e.PrincipalARN)
		}
	}
	return listAnswer(c, "accessEntries", itself, principals)
}

func (s *Service) updateAccessEntry(_ context.Context, c *api.Call) (any, error) {
	var in struct {
		KubernetesGroups []string `json:"kubernetesGroups"`
		Username         string   `json:"username"`
	}
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	rec, e, err := s.entryOf(c)
	if err != nil {
		return nil, err
	}
	if e.Type != typeStandard {
		return nil, invalidRequest("An access entry of type %s cannot be changed.", e.Type)
	}
	if err := checkSubjects(accessEntryInput{KubernetesGroups: in.KubernetesGroups, Username: in.Username}); err != nil {
		return nil, err
	}
	if in.KubernetesGroups != nil {
		e.KubernetesGroups = in.KubernetesGroups
	}
	e.Username = cmp.Or(in.Username, e.Username)
	e.ModifiedAt = at(c.Now)
	return accessEntryAnswer{e.AccessEntry}, s.saveEntry(rec, e)
}

func (s *Service) deleteAccessEntry(_ context.Context, c *api.Call) (any, error) {
	rec, e, err := s.entryOf(c)
	if err != nil {
		return nil, err
	}
	return struct{}{}, s.entries.Delete(rec.Account, rec.Region, partID(rec.Cluster.Name, e.PrincipalARN))
}

// bootstrapCreator lets whoever makes a cluster administer it.
func (s *Service) bootstrapCreator(rec *cluster, c *api.Call) error {
	if rec.Cluster.AccessConfig.AuthenticationMode == modeConfigMap {
		return nil // Authenticate knows the creator
	}
	e := newEntry(rec, accessEntryInput{PrincipalARN: rec.Creator}, c.Now)
	e.Policies = []associatedPolicy{{
		PolicyARN: clusterAdminPolicy, AssociatedAt: at(c.Now), ModifiedAt: at(c.Now),
		AccessScope: accessScope{Type: "cluster", Namespaces: []string{}},
	}}
	return s.saveEntry(rec, e)
}

// bootstrapNodeRoles makes the entries that a cluster gets when it leaves the
// mode CONFIG_MAP: for its creator and for the roles of its nodes.
func (s *Service) bootstrapNodeRoles(rec *cluster, c *api.Call) error {
	_, known := s.entries.Get(rec.Account, rec.Region, partID(rec.Cluster.Name, rec.Creator))
	if rec.Cluster.AccessConfig.BootstrapClusterCreatorAdminPermissions && !known && rec.Cluster.AccessConfig.AuthenticationMode == modeAPIAndConfigMap {
		if err := s.bootstrapCreator(rec, c); err != nil {
			return err
		}
	}
	for _, n := range s.nodegroupsOf(rec) {
		if err := s.admitNodeRole(rec, n.Nodegroup.NodeRole, c.Now); err != nil {
			return err
		}
	}
	return nil
}

// admitNodeRole lets the nodes of a managed node group join.
func (s *Service) admitNodeRole(rec *cluster, roleARN string, now time.Time) error {
	if rec.Cluster.AccessConfig.AuthenticationMode == modeConfigMap {
		return nil
	}
	if _, ok := s.entries.Get(rec.Account, rec.Region, partID(rec.Cluster.Name, roleARN)); ok {
		return nil
	}
	return s.saveEntry(rec, newEntry(rec, accessEntryInput{PrincipalARN: roleARN, Type: typeLinux}, now))
}
