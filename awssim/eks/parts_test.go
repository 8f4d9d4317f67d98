package eks

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func inAddon(name string) map[string]string {
	return map[string]string{"clusterName": "shop", "addonName": name}
}

func TestAddonLife(t *testing.T) {
	m := newSim(t)
	m.withCluster()
	created := m.must("CreateAddon", object{"addonName": "coredns", "addonVersion": "v1.12.3-eksbuild.1", "tags": object{"a": "b"}}, inCluster("shop"), nil)
	if got := get(created, "addon", "status"); got != "CREATING" {
		t.Errorf("CreateAddon answers %v", got)
	}
	if got := get(m.must("DescribeAddon", nil, inAddon("coredns"), nil), "addon", "status"); got != "ACTIVE" {
		t.Errorf("CAPA looks once and then backs off; the look shows %v", got)
	}
	if got := get(m.must("CreateAddon", object{"addonName": "vpc-cni"}, inCluster("shop"), nil), "addon", "addonVersion"); got != "v1.20.4-eksbuild.2" {
		t.Errorf("the default version is %v", got)
	}
	if diff := cmp.Diff([]any{"coredns", "vpc-cni"}, get(m.must("ListAddons", nil, inCluster("shop"), nil), "addons")); diff != "" {
		t.Errorf("ListAddons: -want +got\n%s", diff)
	}
	update := m.must("UpdateAddon", object{"addonVersion": "v1.12.4-eksbuild.1", "configurationValues": "{}"}, inAddon("coredns"), nil)
	addon := get(m.must("DescribeAddon", nil, inAddon("coredns"), nil), "addon")
	if get(addon, "status") != "ACTIVE" || get(addon, "addonVersion") != "v1.12.4-eksbuild.1" {
		t.Errorf("after UpdateAddon: %v", addon)
	}
	if got := m.updateStatus(update, url.Values{"addonName": {"coredns"}}); got != "Successful" {
		t.Errorf("the update is %v", got)
	}
	m.must("DeleteAddon", nil, inAddon("coredns"), nil)
	if _, err := m.try("DescribeAddon", nil, inAddon("coredns"), nil); code(err) != "ResourceNotFoundException" {
		t.Errorf("after DeleteAddon: %v", err)
	}
	m.must("DeleteCluster", nil, inCluster("shop"), nil)
	m.settleAll(t.Context())
	if left := m.Inventory(account); len(left) != 0 {
		t.Errorf("a deleted cluster left %v", left)
	}
}

func TestAddonRefuses(t *testing.T) {
	tests := map[string]refusal{
		"Unknown":      {"the catalog's add-ons", "CreateAddon", object{"addonName": "magic"}, "InvalidParameterException", "not supported"},
		"WrongVersion": {"versions for the cluster's Kubernetes", "CreateAddon", object{"addonName": "coredns", "addonVersion": "v1.11.1-eksbuild.4"}, "InvalidParameterException", "Addon version specified is not supported"},
		"NoRole":       {"the role exists", "CreateAddon", object{"addonName": "vpc-cni", "serviceAccountRoleArn": roleARN("nobody")}, "InvalidParameterException", "does not exist"},
		"RoleThere":    {"no role of another account", "CreateAddon", object{"addonName": "vpc-cni", "serviceAccountRoleArn": "arn:aws:iam::222222222222:role/stranger"}, "AccessDeniedException", "Cross-account"},
		"BadJSON":      {"values are JSON", "CreateAddon", object{"addonName": "vpc-cni", "configurationValues": "{x"}, "InvalidParameterException", "JSON"},
		"BadConflicts": {"three ways", "CreateAddon", object{"addonName": "vpc-cni", "resolveConflicts": "FIGHT"}, "InvalidParameterException", "resolveConflicts"},
		"Twice":        {"once per cluster", "CreateAddon", object{"addonName": "kube-proxy"}, "ResourceInUseException", "already exists"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newSim(t)
			m.withCluster()
			m.must("CreateAddon", object{"addonName": "kube-proxy"}, inCluster("shop"), nil)
			m.refuses(tt, inCluster("shop"))
		})
	}
}

func TestCatalogs(t *testing.T) {
	for _, v := range Versions() {
		if v.nodeRelease() == "" || !strings.HasPrefix(v.nodeRelease(), v.Name+".") || !strings.HasPrefix(v.Patch, v.Name+".") {
			t.Errorf("version %+v does not fit together", v)
		}
		for _, a := range addonCatalog() {
			if len(a.versions[v.Name]) == 0 {
				t.Errorf("there is no %s for %s", a.name, v.Name)
			}
		}
	}
	m := newSim(t)
	answer := m.must("DescribeAddonVersions", nil, nil, map[string][]string{"addonName": {"kube-proxy"}, "kubernetesVersion": {"1.34"}})
	addons := get(answer, "addons").([]any)
	if len(addons) != 1 || len(get(addons[0], "addonVersions").([]any)) != 3 {
		t.Errorf("versions of kube-proxy for 1.34: %v", answer)
	}
	versions := get(m.must("DescribeClusterVersions", nil, nil, map[string][]string{"clusterVersions": {"1.33", "1.34"}}), "clusterVersions").([]any)
	if get(versions[0], "versionStatus") != "STANDARD_SUPPORT" || get(versions[1], "versionStatus") != "EXTENDED_SUPPORT" || get(versions[1], "endOfStandardSupportDate") != 1785283200.0 {
		t.Errorf("on %v: %v", m.now, versions)
	}
}

func TestPages(t *testing.T) {
	m := newSim(t)
	for _, name := range []string{"c", "a", "b"} {
		m.must("CreateCluster", clusterBody(object{"name": name}), nil, nil)
	}
	var got []any
	token := ""
	for range 5 {
		query := map[string][]string{"maxResults": {"2"}}
		if token != "" {
			query["nextToken"] = []string{token}
		}
		answer := m.must("ListClusters", nil, nil, query)
		got = append(got, get(answer, "clusters").([]any)...)
		if token, _ = answer["nextToken"].(string); token == "" {
			break
		}
	}
	if diff := cmp.Diff([]any{"a", "b", "c"}, got); diff != "" {
		t.Errorf("pages: -want +got\n%s", diff)
	}
	for name, query := range map[string]map[string][]string{
		"Zero": {"maxResults": {"0"}}, "TooMany": {"maxResults": {"101"}}, "NoNumber": {"maxResults": {"x"}}, "BadToken": {"nextToken": {"%"}},
	} {
		if _, err := m.try("ListClusters", nil, nil, query); code(err) != "InvalidParameterException" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPodIdentityLife(t *testing.T) {
	m := newSim(t)
	m.withCluster()
	body := object{"namespace": "a", "serviceAccount": "b", "roleArn": roleARN("pods"), "clientRequestToken": "t"}
	id, _ := get(m.must("CreatePodIdentityAssociation", body, inCluster("shop"), nil), "association", "associationId").(string)
	if again := get(m.must("CreatePodIdentityAssociation", body, inCluster("shop"), nil), "association", "associationId"); again != id {
		t.Errorf("the same call again made %v", again)
	}
	body["clientRequestToken"] = "other"
	if _, err := m.try("CreatePodIdentityAssociation", body, inCluster("shop"), nil); code(err) != "ResourceInUseException" {
		t.Errorf("a second role for a service account: %v", err)
	}
	body["serviceAccount"], body["roleArn"] = "c", roleARN("ops")
	if _, err := m.try("CreatePodIdentityAssociation", body, inCluster("shop"), nil); code(err) != "InvalidParameterException" {
		t.Errorf("a role that does not trust pods: %v", err)
	}
	at := map[string]string{"clusterName": "shop", "associationId": id}
	m.must("UpdatePodIdentityAssociation", object{"disableSessionTags": true}, at, nil)
	if got := get(m.must("DescribePodIdentityAssociation", nil, at, nil), "association", "disableSessionTags"); got != true {
		t.Errorf("disableSessionTags is %v", got)
	}
	if got := get(m.must("ListPodIdentityAssociations", nil, inCluster("shop"), map[string][]string{"namespace": {"z"}}), "associations").([]any); len(got) != 0 {
		t.Errorf("of another namespace: %v", got)
	}
	m.must("DeletePodIdentityAssociation", nil, at, nil)
	if _, err := m.try("DescribePodIdentityAssociation", nil, at, nil); code(err) != "ResourceNotFoundException" {
		t.Errorf("after the delete: %v", err)
	}
}

func TestIdentityProviderLife(t *testing.T) {
	m := newSim(t)
	m.withCluster()
	oidc := object{"identityProviderConfigName": "corp", "issuerUrl": "https://login.example.com", "clientId": "kube"}
	m.must("AssociateIdentityProviderConfig", object{"oidc": oidc, "tags": object{"a": "b"}}, inCluster("shop"), nil)
	reference := object{"identityProviderConfig": object{"type": "oidc", "name": "corp"}}
	if got := get(m.must("DescribeIdentityProviderConfig", reference, inCluster("shop"), nil), "identityProviderConfig", "oidc", "status"); got != "ACTIVE" {
		t.Errorf("it is %v", got)
	}
	if _, err := m.try("AssociateIdentityProviderConfig", object{"oidc": oidc}, inCluster("shop"), nil); code(err) != "ResourceLimitExceededException" {
		t.Errorf("a second one: %v", err)
	}
	m.must("DisassociateIdentityProviderConfig", reference, inCluster("shop"), nil)
	if got := get(m.must("ListIdentityProviderConfigs", nil, inCluster("shop"), nil), "identityProviderConfigs").([]any); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
}

func TestTags(t *testing.T) {
	m := newSim(t)
	m.withNodegroup()
	m.must("CreateAddon", object{"addonName": "coredns"}, inCluster("shop"), nil)
	m.must("AssociateIdentityProviderConfig", object{"oidc": object{"identityProviderConfigName": "corp", "issuerUrl": "https://login.example.com", "clientId": "kube"}}, inCluster("shop"), nil)
	m.must("CreatePodIdentityAssociation", object{"namespace": "a", "serviceAccount": "b", "roleArn": roleARN("pods")}, inCluster("shop"), nil)
	kinds := map[string]bool{}
	for _, r := range m.Inventory(account) {
		kinds[r.Type] = true
		at := map[string]string{"resourceArn": r.ARN}
		m.must("TagResource", object{"tags": object{"one": "1", "two": "2"}}, at, nil)
		m.must("UntagResource", nil, at, map[string][]string{"tagKeys": {"one"}})
		if err := m.EditTags(account, region, r.ARN, map[string]string{"three": "3"}, []string{"none"}); err != nil {
			t.Error(err)
		}
		tags := get(m.must("ListTagsForResource", nil, at, nil), "tags")
		if get(tags, "two") != "2" || get(tags, "one") != nil || get(tags, "three") != "3" {
			t.Errorf("tags of %s: %v", r.ARN, tags)
		}
	}
	if len(kinds) != 6 {
		t.Errorf("the inventory knows the kinds %v", kinds)
	}
	for name, a := range map[string]string{"Unknown": "arn:aws:eks:eu-west-1:111111111111:cluster/none", "NoARN": "shop"} {
		if _, err := m.try("ListTagsForResource", nil, map[string]string{"resourceArn": a}, nil); err == nil {
			t.Errorf("%s was tagged", name)
		}
	}
}

func TestInsights(t *testing.T) {
	m := newSim(t)
	m.withNodegroup()
	m.must("CreateAddon", object{"addonName": "kube-proxy", "addonVersion": "v1.33.5-eksbuild.2"}, inCluster("shop"), nil)
	failing := object{"filter": object{"statuses": []string{"ERROR"}}}
	insights := get(m.must("ListInsights", failing, inCluster("shop"), nil), "insights").([]any)
	if len(insights) != 1 || get(insights[0], "name") != "EKS add-on version compatibility" {
		t.Fatalf("failing insights: %v", insights)
	}
	id, _ := get(insights[0], "id").(string)
	insight := get(m.must("DescribeInsight", nil, map[string]string{"clusterName": "shop", "id": id}, nil), "insight")
	if len(get(insight, "resources").([]any)) != 1 || get(insight, "kubernetesVersion") != "1.35" {
		t.Errorf("insight: %v", insight)
	}
}

func TestTimeOnTheWire(t *testing.T) {
	tests := map[string]struct {
		reason string
		time   time.Time
		want   string
	}{
		"Whole":        {"seconds with milliseconds", time.Unix(1795368231, 0), "1795368231.000"},
		"Milliseconds": {"which are kept", time.Unix(1795368231, 42_000_000), "1795368231.042"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			raw, err := json.Marshal(at(tt.time))
			if err != nil || string(raw) != tt.want {
				t.Fatalf("%s: got %s, %v, want %s", tt.reason, raw, err, tt.want)
			}
			var back Time
			if err := json.Unmarshal(raw, &back); err != nil || !back.Equal(tt.time) {
				t.Errorf("%s: read back %v, %v", tt.reason, back, err)
			}
		})
	}
}

// TestOperations compares the paths with AWS's: names of labels do not matter,
// but no two operations may fight for one path.
func TestOperations(t *testing.T) {
	m := newSim(t)
	seen := map[string]string{}
	for _, o := range m.Operations() {
		var path []string
		for part := range strings.SplitSeq(o.Path, "/") {
			if strings.HasPrefix(part, "{") {
				part = "{}"
			}
			path = append(path, part)
		}
		key := o.Method + " " + strings.Join(path, "/")
		if other, ok := seen[key]; ok {
			t.Errorf("%s and %s have the path %s", o.Name, other, key)
		}
		seen[key] = o.Name
	}
}
