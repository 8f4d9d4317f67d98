package eks

import (
	"context"
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

// Authenticate maps who signed a cluster login to a Kubernetes user, through
// the access entries of the cluster, as EKS's authenticator does. Who has no
// entry, or is of another account, is not known. ok is also false for a cluster
// that does not exist. The ConfigMap aws-auth is not read; in the mode
// CONFIG_MAP only the cluster's creator is known.
func (s *Service) Authenticate(_ context.Context, clusterARN string, caller api.Identity) (username string, groups []string, uid string, extra map[string][]string, ok bool) {
	region, account, name, ok := clusterOfARN(clusterARN)
	if !ok || account != caller.AccountID {
		return "", nil, "", nil, false
	}
	rec, ok := s.clusters.Get(account, region, name)
	if !ok || rec.Cluster.Status == statusDeleting {
		return "", nil, "", nil, false
	}
	principal := s.principalARN(caller)
	_, session, _ := sessionOf(caller.ARN)
	id, _, _ := strings.Cut(caller.UserID, ":")
	uid = "aws-iam-authenticator:" + account + ":" + id
	extra = map[string][]string{
		"accessKeyId":  {caller.AccessKeyID},
		"arn":          {caller.ARN},
		"canonicalArn": {principal},
		"principalId":  {id},
		"sessionName":  {session},
		"sigs.k8s.io/aws-iam-authenticator/principalId": {id},
	}
	if rec.Cluster.AccessConfig.AuthenticationMode == modeConfigMap {
		if principal != rec.Creator || !rec.Cluster.AccessConfig.BootstrapClusterCreatorAdminPermissions {
			return "", nil, "", nil, false
		}
		return "kubernetes-admin", []string{"system:masters"}, uid, extra, true
	}
	e, ok := s.entries.Get(account, region, partID(name, principal))
	if !ok {
		return "", nil, "", nil, false
	}
	return s.usernameOf(e, session), e.groups(), uid, extra, true
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

// clusterOfARN splits arn:aws:eks:REGION:ACCOUNT:cluster/NAME.
func clusterOfARN(clusterARN string) (region, account, name string, ok bool) {
	parts := strings.SplitN(clusterARN, ":", 6)
	if len(parts) != 6 || parts[2] != serviceName {
		return "", "", "", false
	}
	name, ok = strings.CutPrefix(parts[5], "cluster/")
	return parts[3], parts[4], name, ok
}
