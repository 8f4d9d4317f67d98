package eks

import (
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

// principalName splits the end of an IAM ARN: role and NAME (without path).
func principalName(principalARN string) (what, name string) {
	parts := strings.SplitN(principalARN, ":", 6)
	if len(parts) != 6 {
		return "", ""
	}
	what, _, _ = strings.Cut(parts[5], "/")
	return what, parts[5][strings.LastIndex(parts[5], "/")+1:]
}

// defaultUsername is what EKS calls a principal in Kubernetes.
func defaultUsername(principalARN string) string {
	account, name, ok := roleOfARN(principalARN)
	if !ok {
		return principalARN
	}
	return "arn:aws:sts::" + account + ":assumed-role/" + name + "/{{SessionName}}"
}

// sessionOf splits arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION.
func sessionOf(callerARN string) (role, session string, ok bool) {
	parts := strings.SplitN(callerARN, ":", 6)
	if len(parts) != 6 || parts[2] != "sts" {
		return "", "", false
	}
	names := strings.Split(parts[5], "/")
	if len(names) != 3 || names[0] != "assumed-role" {
		return "", "", false
	}
	return names[1], names[2], true
}

// principalARN is the role or user behind a caller. A session's ARN does not
// tell the path of its role, so the role is looked up.
func (s *Service) principalARN(caller api.Identity) string {
	name, _, ok := sessionOf(caller.ARN)
	if !ok {
		return caller.ARN
	}
	if role, ok := s.principals.Role(caller.AccountID, name); ok {
		return role.ARN
	}
	return "arn:aws:iam::" + caller.AccountID + ":role/" + name
}

// User is who a login to a cluster is in Kubernetes.
type User struct {
	Name, UID string
	Groups    []string
	Extra     map[string][]string
}

// Authenticate maps who signed a login to a cluster of an account to a
// Kubernetes user, through the access entries of the cluster, as EKS's
// authenticator does. Who has no entry, or is of another account, is not known,
// nor is anybody for a cluster that does not exist. The ConfigMap aws-auth is not
// read; in the mode CONFIG_MAP only the cluster's creator is known.
func (s *Service) Authenticate(account, name string, caller api.Identity) (User, bool) {
	clusters := s.clusters.List(account, "")
	i := slices.IndexFunc(clusters, func(c cluster) bool { return c.Cluster.Name == name })
	if i < 0 || account != caller.AccountID || clusters[i].Cluster.Status == statusDeleting {
		return User{}, false
	}
	principal := s.principalARN(caller)
	_, session, _ := sessionOf(caller.ARN)
	username, groups, ok := s.subjectOf(clusters[i], principal, session)
	if !ok {
		return User{}, false
	}
	id, _, _ := strings.Cut(caller.UserID, ":")
	return User{Name: username, Groups: groups, UID: "aws-iam-authenticator:" + account + ":" + id, Extra: map[string][]string{
		"accessKeyId":  {caller.AccessKeyID},
		"arn":          {caller.ARN},
		"canonicalArn": {principal},
		"principalId":  {id},
		"sessionName":  {session},
		"sigs.k8s.io/aws-iam-authenticator/principalId": {id},
	}}, true
}

// subjectOf is the user name and the groups that a principal has in a cluster.
func (s *Service) subjectOf(rec cluster, principal, session string) (username string, groups []string, ok bool) {
	if access := rec.Cluster.AccessConfig; access.AuthenticationMode == modeConfigMap {
		return "kubernetes-admin", []string{"system:masters"}, principal == rec.Creator && access.BootstrapClusterCreatorAdminPermissions
	}
	e, ok := s.entries.Get(rec.Account, rec.Region, partID(rec.Cluster.Name, principal))
	if !ok {
		return "", nil, false
	}
	return s.usernameOf(e, session), e.groups(), true
}

// usernameOf fills in the templates of an entry's user name. An instance's
// session is named by its id.
func (s *Service) usernameOf(e accessEntry, session string) string {
	account := strings.SplitN(e.AccessEntryARN, ":", 6)[4]
	node := session
	if e.Type != typeStandard {
		for _, n := range s.nodegroups.List(account, e.Region) {
			for _, m := range n.Members {
				if m.InstanceID == session {
					node = m.Name
				}
			}
		}
	}
	return strings.NewReplacer(
		"{{SessionName}}", strings.ReplaceAll(session, "@", "-"),
		"{{SessionNameRaw}}", session,
		"{{AccountID}}", account,
		"{{EC2PrivateDNSName}}", node,
	).Replace(e.Username)
}

// groups are the entry's own groups and one for each of its policies' scopes.
func (e accessEntry) groups() []string {
	groups := append([]string{}, e.KubernetesGroups...)
	for _, a := range e.Policies {
		p, ok := findPolicy(a.PolicyARN)
		if !ok {
			continue
		}
		if a.AccessScope.Type == "cluster" {
			groups = append(groups, p.Group())
		}
		for _, namespace := range a.AccessScope.Namespaces {
			groups = append(groups, p.NamespaceGroup(namespace))
		}
	}
	return groups
}
