package eks

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
)

func inEntry(principal string) map[string]string {
	return map[string]string{"clusterName": "shop", "principalArn": principal}
}

func TestAccessEntryLife(t *testing.T) {
	m := newSim(t)
	m.withCluster()
	body := object{"principalArn": roleARN("ops"), "kubernetesGroups": []string{"ops"}, "tags": object{"a": "b"}, "clientRequestToken": "t"}
	created := m.must("CreateAccessEntry", body, inCluster("shop"), nil)
	if again := m.must("CreateAccessEntry", body, inCluster("shop"), nil); get(again, "accessEntry", "accessEntryArn") != get(created, "accessEntry", "accessEntryArn") {
		t.Error("the same call again made another entry")
	}
	body["clientRequestToken"] = "other"
	if _, err := m.try("CreateAccessEntry", body, inCluster("shop"), nil); code(err) != "ResourceInUseException" {
		t.Errorf("the same principal again: %v", err)
	}
	entry := get(m.must("DescribeAccessEntry", nil, inEntry(roleARN("ops")), nil), "accessEntry")
	if got := get(entry, "username"); got != "arn:aws:sts::111111111111:assumed-role/ops/{{SessionName}}" {
		t.Errorf("EKS fills in the username, got %v", got)
	}
	updated := m.must("UpdateAccessEntry", object{"kubernetesGroups": []string{"x", "y"}, "username": "ops"}, inEntry(roleARN("ops")), nil)
	if got := get(updated, "accessEntry", "username"); got != "ops" {
		t.Errorf("updated username %v", got)
	}
	m.must("AssociateAccessPolicy", object{"policyArn": clusterAdminPolicy, "accessScope": object{"type": "cluster"}}, inEntry(roleARN("ops")), nil)
	m.must("AssociateAccessPolicy", object{"policyArn": policyPrefix + "AmazonEKSViewPolicy", "accessScope": object{"type": "namespace", "namespaces": []string{"a", "b"}}}, inEntry(roleARN("ops")), nil)
	m.must("DisassociateAccessPolicy", nil, map[string]string{"clusterName": "shop", "principalArn": roleARN("ops"), "policyArn": clusterAdminPolicy}, nil)
	list := get(m.must("ListAssociatedAccessPolicies", nil, inEntry(roleARN("ops")), nil), "associatedAccessPolicies").([]any)
	if len(list) != 1 || get(list[0], "policyArn") != policyPrefix+"AmazonEKSViewPolicy" {
		t.Errorf("associated are %v", list)
	}
	withView := map[string][]string{"associatedPolicyArn": {policyPrefix + "AmazonEKSViewPolicy"}}
	if diff := cmp.Diff([]any{roleARN("ops")}, get(m.must("ListAccessEntries", nil, inCluster("shop"), withView), "accessEntries")); diff != "" {
		t.Errorf("entries with a policy: -want +got\n%s", diff)
	}
	m.must("DeleteAccessEntry", nil, inEntry(roleARN("ops")), nil)
	if _, err := m.try("DescribeAccessEntry", nil, inEntry(roleARN("ops")), nil); code(err) != "ResourceNotFoundException" {
		t.Errorf("after DeleteAccessEntry: %v", err)
	}
	if got := get(m.must("ListAccessPolicies", nil, nil, nil), "accessPolicies").([]any); len(got) != len(AccessPolicies()) {
		t.Errorf("ListAccessPolicies answers %v", got)
	}
}

func TestAccessEntryRefuses(t *testing.T) {
	entry := func(change object) object {
		body := object{"principalArn": roleARN("ops")}
		for k, v := range change {
			body[k] = v
		}
		return body
	}
	policy := func(name, scope string, namespaces ...string) object {
		return object{"policyArn": policyPrefix + name, "accessScope": object{"type": scope, "namespaces": namespaces}}
	}
	tests := map[string]struct {
		reason    string
		operation string
		body      object
		labels    map[string]string
		code      string
		message   string
	}{
		"NoSuchRole":    {"the principal exists", "CreateAccessEntry", entry(object{"principalArn": roleARN("nobody")}), inCluster("shop"), "InvalidParameterException", "invalid principal"},
		"OtherAccount":  {"the principal is of this account", "CreateAccessEntry", entry(object{"principalArn": "arn:aws:iam::222222222222:role/stranger"}), inCluster("shop"), "InvalidParameterException", "invalid principal"},
		"WithoutPath":   {"a role's ARN holds its path", "CreateAccessEntry", entry(object{"principalArn": roleARN("factory")}), inCluster("shop"), "InvalidParameterException", "invalid principal"},
		"SystemGroup":   {"groups of Kubernetes' own", "CreateAccessEntry", entry(object{"kubernetesGroups": []string{"system:masters"}}), inCluster("shop"), "InvalidParameterException", "cannot start with system:"},
		"SystemUser":    {"users of Kubernetes' own", "CreateAccessEntry", entry(object{"username": "system:admin"}), inCluster("shop"), "InvalidParameterException", "cannot start with system:"},
		"BadType":       {"EKS's types", "CreateAccessEntry", entry(object{"type": "MAGIC"}), inCluster("shop"), "InvalidParameterException", "type"},
		"NodeGroups":    {"nodes have their groups", "CreateAccessEntry", entry(object{"type": "EC2_LINUX", "kubernetesGroups": []string{"x"}}), inCluster("shop"), "InvalidParameterException", "EC2_LINUX"},
		"NoEntry":       {"an entry is needed", "AssociateAccessPolicy", policy("AmazonEKSViewPolicy", "cluster"), inEntry(roleARN("pods")), "ResourceNotFoundException", "principalArn"},
		"NoPolicy":      {"EKS's policies", "AssociateAccessPolicy", policy("Mine", "cluster"), inEntry(roleARN("ops")), "InvalidParameterException", "policyArn"},
		"NoNamespaces":  {"a namespace scope needs some", "AssociateAccessPolicy", policy("AmazonEKSViewPolicy", "namespace"), inEntry(roleARN("ops")), "InvalidParameterException", "namespaces"},
		"Pattern":       {"not simulated, and said so", "AssociateAccessPolicy", policy("AmazonEKSViewPolicy", "namespace", "dev-*"), inEntry(roleARN("ops")), "InvalidParameterException", "patterns"},
		"BadScope":      {"two scopes", "AssociateAccessPolicy", policy("AmazonEKSViewPolicy", "galaxy"), inEntry(roleARN("ops")), "InvalidParameterException", "scope"},
		"NodePolicy":    {"nodes take no policies", "AssociateAccessPolicy", policy("AmazonEKSViewPolicy", "cluster"), inEntry(roleARN("node")), "InvalidRequestException", "EC2_LINUX"},
		"NotAssociated": {"only what is associated", "DisassociateAccessPolicy", nil, map[string]string{"clusterName": "shop", "principalArn": roleARN("ops"), "policyArn": clusterAdminPolicy}, "ResourceNotFoundException", "policyArn"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newSim(t)
			m.withCluster()
			if tt.operation != "CreateAccessEntry" {
				m.must("CreateAccessEntry", entry(nil), inCluster("shop"), nil)
				m.must("CreateAccessEntry", object{"principalArn": roleARN("node"), "type": "EC2_LINUX"}, inCluster("shop"), nil)
			}
			_, err := m.try(tt.operation, tt.body, tt.labels, nil)
			wantRefusal(t, tt.reason, err, tt.code, tt.message)
		})
	}
}

func TestConfigMapModeHasNoEntries(t *testing.T) {
	m := newSim(t)
	m.withCluster(object{"accessConfig": object{"authenticationMode": "CONFIG_MAP"}})
	if _, err := m.try("ListAccessEntries", nil, inCluster("shop"), nil); code(err) != "InvalidRequestException" {
		t.Errorf("ListAccessEntries: %v", err)
	}
	if user, ok := m.Authenticate(account, "shop", m.caller); !ok || user.Groups[0] != "system:masters" {
		t.Errorf("the creator logs in as %+v, %v", user, ok)
	}
	m.must("UpdateClusterConfig", object{"accessConfig": object{"authenticationMode": "API_AND_CONFIG_MAP"}}, inCluster("shop"), nil)
	if user, ok := m.Authenticate(account, "shop", m.caller); !ok || user.Groups[0] != "eks-access-policy:AmazonEKSClusterAdminPolicy" {
		t.Errorf("after the change of mode the creator logs in as %+v, %v", user, ok)
	}
}

func TestAuthenticate(t *testing.T) {
	session := func(acct, role, session string) api.Identity {
		return api.Identity{AccountID: acct, ARN: "arn:aws:sts::" + acct + ":assumed-role/" + role + "/" + session, UserID: "AROAX:" + session, AccessKeyID: "ASIA2"}
	}
	tests := map[string]struct {
		reason   string
		caller   api.Identity
		cluster  string
		username string
		groups   []string
		ok       bool
	}{
		"Creator": {
			reason: "whoever made the cluster administers it, although a session's ARN does not tell the role's path",
			caller: session(account, "factory", "capa"), username: "arn:aws:sts::111111111111:assumed-role/factory/capa",
			groups: []string{"eks-access-policy:AmazonEKSClusterAdminPolicy"}, ok: true,
		},
		"Entry": {
			reason: "own groups and one for each policy's scope; @ is not for user names",
			caller: session(account, "ops", "anna@shop"), username: "arn:aws:sts::111111111111:assumed-role/ops/anna-shop",
			groups: []string{"ops", "eks-access-policy:AmazonEKSAdminPolicy", "eks-access-policy:AmazonEKSViewPolicy:namespace:a", "eks-access-policy:AmazonEKSViewPolicy:namespace:b"}, ok: true,
		},
		"Node":         {reason: "an instance is known by its Node's name", caller: session(account, "node", "i-1"), username: "system:node:ip-10-0-0-1.eu-west-1.compute.internal", groups: []string{"system:nodes"}, ok: true},
		"User":         {reason: "a user is called by its ARN", caller: api.Identity{AccountID: account, ARN: "arn:aws:iam::111111111111:user/anna", UserID: "AIDA"}, username: "arn:aws:iam::111111111111:user/anna", groups: []string{}, ok: true},
		"NoEntry":      {reason: "who has no entry is not known", caller: session(account, "pods", "x")},
		"Root":         {reason: "root has no entry", caller: api.Identity{AccountID: account, ARN: "arn:aws:iam::111111111111:root"}},
		"OtherAccount": {reason: "another account's role of the same name is not known", caller: session("222222222222", "ops", "anna")},
		"OtherCluster": {reason: "a cluster that does not exist", caller: session(account, "ops", "anna"), cluster: "none"},
	}
	m := newSim(t)
	m.withNodegroup()
	m.must("CreateAccessEntry", object{"principalArn": roleARN("ops"), "kubernetesGroups": []string{"ops"}}, inCluster("shop"), nil)
	m.must("CreateAccessEntry", object{"principalArn": "arn:aws:iam::111111111111:user/anna"}, inCluster("shop"), nil)
	m.must("AssociateAccessPolicy", object{"policyArn": policyPrefix + "AmazonEKSAdminPolicy", "accessScope": object{"type": "cluster"}}, inEntry(roleARN("ops")), nil)
	m.must("AssociateAccessPolicy", object{"policyArn": policyPrefix + "AmazonEKSViewPolicy", "accessScope": object{"type": "namespace", "namespaces": []string{"a", "b"}}}, inEntry(roleARN("ops")), nil)
	for name, tt := range tests {
		if tt.cluster == "" {
			tt.cluster = "shop"
		}
		t.Run(name, func(t *testing.T) {
			user, ok := m.Authenticate(account, tt.cluster, tt.caller)
			if ok != tt.ok || user.Name != tt.username {
				t.Errorf("%s: got %q, %t, want %q, %t", tt.reason, user.Name, ok, tt.username, tt.ok)
			}
			if diff := cmp.Diff(tt.groups, user.Groups); diff != "" {
				t.Errorf("%s: groups: -want +got\n%s", tt.reason, diff)
			}
			if ok && (!strings.HasPrefix(user.UID, "aws-iam-authenticator:111111111111:A") || user.Extra["arn"][0] != tt.caller.ARN) {
				t.Errorf("%s: uid %q, extra %v", tt.reason, user.UID, user.Extra)
			}
		})
	}
}

func TestPolicyGroups(t *testing.T) {
	for _, p := range AccessPolicies() {
		got, namespace, ok := PolicyOfNamespaceGroup(p.NamespaceGroup("team-a"))
		if !ok || got.Name != p.Name || namespace != "team-a" {
			t.Errorf("the group %s is read as %s in %q, %t", p.NamespaceGroup("team-a"), got.Name, namespace, ok)
		}
		if _, _, ok := PolicyOfNamespaceGroup(p.Group()); ok {
			t.Errorf("the cluster-wide group %s is read as a namespace's", p.Group())
		}
	}
}
