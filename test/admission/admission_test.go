// Package admission tests KARGO's admission policies and CRD validation on a
// real kube-apiserver: bad input and what would reach another account is refused
// with a reason.
package admission

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	infrav1 "sigs.k8s.io/cluster-api-provider-aws/v2/api/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/testenv"
)

var env *testenv.Env

func TestMain(m *testing.M) { testenv.Main(m, func(e *testenv.Env) { env = e }) }

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

// refused checks that the error is a refusal that says why.
func refused(t *testing.T, reason string, err error, why string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("%s: error %v, want a refusal saying %q", reason, err, why)
	}
}

func TestCreateIsRefused(t *testing.T) {
	namespace(t, "a111111111111", nil)
	namespace(t, "team1", nil)
	tests := map[string]struct {
		reason string
		object string
		why    string
	}{
		"TeamNameWithHyphen": {
			reason: "a hyphen would let CAPA's session keys collide",
			object: `{apiVersion: kargo.dev/v1alpha1, kind: Team, metadata: {name: my-team}, spec: {owners: [{kind: Group, name: x}]}}`,
			why:    "without a hyphen",
		},
		"TeamNameReserved": {
			reason: "a team of this name would own a factory namespace",
			object: `{apiVersion: kargo.dev/v1alpha1, kind: Team, metadata: {name: a111111111111}, spec: {owners: [{kind: Group, name: x}]}}`,
			why:    "reserved",
		},
		"TeamNameKube": {
			reason: "kube* namespaces are Kubernetes' own",
			object: `{apiVersion: kargo.dev/v1alpha1, kind: Team, metadata: {name: kubeshop}, spec: {owners: [{kind: Group, name: x}]}}`,
			why:    "reserved",
		},
		"AccountIDTooShort": {
			reason: "AWS account ids have 12 digits",
			object: `{apiVersion: kargo.dev/v1alpha1, kind: Account, metadata: {name: prod, namespace: team1}, spec: {id: "123", environment: prod, region: eu-central-1, network: {cidr: 10.0.0.0/16}}}`,
			why:    "spec.id",
		},
		"AccountRangeWithHostBits": {
			reason: "a range that is not one is a typing error",
			object: `{apiVersion: kargo.dev/v1alpha1, kind: Account, metadata: {name: prod, namespace: team1}, spec: {id: "111111111111", environment: prod, region: eu-central-1, network: {cidr: 10.0.0.1/16}}}`,
			why:    "no host bits",
		},
		"ClusterWithReleaseAndBranch": {
			reason: "a cluster follows one thing",
			object: `{apiVersion: kargo.dev/v1alpha1, kind: WorkloadCluster, metadata: {name: one, namespace: team1}, spec: {accountRef: {name: prod}, branch: main, release: v1.0.0}}`,
			why:    "exactly one of release and branch",
		},
		"ClusterWithNeither": {
			reason: "a cluster is made of something",
			object: `{apiVersion: kargo.dev/v1alpha1, kind: WorkloadCluster, metadata: {name: one, namespace: team1}, spec: {accountRef: {name: prod}}}`,
			why:    "exactly one of release and branch",
		},
		"ClusterName": {
			reason: "the name becomes part of AWS names",
			object: `{apiVersion: kargo.dev/v1alpha1, kind: WorkloadCluster, metadata: {name: one.two, namespace: team1}, spec: {accountRef: {name: prod}, branch: main}}`,
			why:    "a cluster's name",
		},
		"CAPISampleInDefaultNamespace": {
			reason: "Cluster API's samples go to any namespace",
			object: `{apiVersion: cluster.x-k8s.io/v1beta2, kind: Cluster, metadata: {name: sample, namespace: default}, spec: {infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: AWSManagedCluster, name: sample}}}`,
			why:    "factory namespaces",
		},
		"CAPISampleWithoutIdentity": {
			reason: "without an identity CAPA would use the factory's own",
			object: `{apiVersion: controlplane.cluster.x-k8s.io/v1beta2, kind: AWSManagedControlPlane, metadata: {name: sample, namespace: a111111111111}, spec: {region: eu-central-1}}`,
			why:    "must be an AWSClusterRoleIdentity",
		},
		"FactoryIdentity": {
			reason: "what CAPA's defaulting webhook would put in",
			object: `{apiVersion: controlplane.cluster.x-k8s.io/v1beta2, kind: AWSManagedControlPlane, metadata: {name: sample, namespace: a111111111111}, spec: {identityRef: {kind: AWSClusterControllerIdentity, name: default}}}`,
			why:    "must be an AWSClusterRoleIdentity",
		},
		"AnotherAccountsIdentity": {
			reason: "a cluster reaches its own account only",
			object: `{apiVersion: infrastructure.cluster.x-k8s.io/v1beta2, kind: AWSCluster, metadata: {name: sample, namespace: a111111111111}, spec: {identityRef: {kind: AWSClusterRoleIdentity, name: a222222222222}}}`,
			why:    "must be a111111111111",
		},
		"ClusterTemplate": {
			reason: "templates would make objects with any identity",
			object: `{apiVersion: infrastructure.cluster.x-k8s.io/v1beta2, kind: AWSClusterTemplate, metadata: {name: sample, namespace: a111111111111}, spec: {template: {spec: {}}}}`,
			why:    "not used",
		},
		"StaticIdentity": {
			reason: "no long-lived keys",
			object: `{apiVersion: infrastructure.cluster.x-k8s.io/v1beta2, kind: AWSClusterStaticIdentity, metadata: {name: a111111111111}, spec: {secretRef: x}}`,
			why:    "long-lived keys",
		},
		"RoleOfAnotherAccount": {
			reason: "the namespace's account is the role's account",
			object: roleIdentity("a111111111111", "arn:aws:iam::222222222222:role/x", "e", "a111111111111"),
			why:    "must be a role in AWS account 111111111111",
		},
		"RoleWithoutExternalID": {
			reason: "the external id keeps others from using the factory as their deputy",
			object: roleIdentity("a111111111111", "arn:aws:iam::111111111111:role/x", "", "a111111111111"),
			why:    "externalID must be set",
		},
		"RoleForAnotherNamespace": {
			reason: "an identity is usable from its own factory namespace only",
			object: roleIdentity("a111111111111", "arn:aws:iam::111111111111:role/x", "e", "team1"),
			why:    "allowedNamespaces",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			refused(t, tc.reason, env.Client.Create(t.Context(), object(t, tc.object)), tc.why)
		})
	}
}

func roleIdentity(name, arn, externalID, namespace string) string {
	return `{apiVersion: infrastructure.cluster.x-k8s.io/v1beta2, kind: AWSClusterRoleIdentity, metadata: {name: ` + name + `}, spec: {roleARN: "` + arn +
		`", externalID: "` + externalID + `", allowedNamespaces: {list: [` + namespace + `]}, sourceIdentityRef: {kind: AWSClusterControllerIdentity, name: default}}}`
}

func namespace(t *testing.T, name string, annotations map[string]string) *corev1.Namespace {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations, Labels: map[string]string{v1alpha1.LabelTeam: "team1"}}}
	if err := env.Client.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	return ns
}

func TestIdentityDoesNotChange(t *testing.T) {
	namespace(t, "a333333333333", nil)
	plane := object(t, `{apiVersion: controlplane.cluster.x-k8s.io/v1beta2, kind: AWSManagedControlPlane, metadata: {name: one, namespace: a333333333333}, spec: {identityRef: {kind: AWSClusterRoleIdentity, name: a333333333333}}}`)
	if err := env.Client.Create(t.Context(), plane); err != nil {
		t.Fatal("the right identity:", err)
	}
	unstructured.RemoveNestedField(plane.Object, "spec", "identityRef")
	refused(t, "a cleared identity", env.Client.Update(t.Context(), plane), "must be an AWSClusterRoleIdentity")
}

func TestProtection(t *testing.T) {
	ns := namespace(t, "protectedteam", map[string]string{v1alpha1.AnnotationDeletionProtection: "true"})
	refused(t, "the namespace of a team", env.Client.Delete(t.Context(), ns), "protected from deletion")

	wc := &v1alpha1.WorkloadCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "one", Namespace: ns.Name},
		Spec:       v1alpha1.WorkloadClusterSpec{AccountRef: v1alpha1.AccountReference{Name: "prod"}, Branch: "main"},
	}
	if err := env.Client.Create(t.Context(), wc); err != nil {
		t.Fatal(err)
	}
	if !wc.Protected() || wc.Spec.DeletionProtection == nil {
		t.Error("a cluster is not protected by default")
	}
	refused(t, "a protected cluster", env.Client.Delete(t.Context(), wc), "is protected from deletion")
	refused(t, "a protected cluster among all", env.Client.DeleteAllOf(t.Context(), &v1alpha1.WorkloadCluster{}, client.InNamespace(ns.Name)), "is protected from deletion")
	off := false
	wc.Spec.DeletionProtection = &off
	if err := env.Client.Update(t.Context(), wc); err != nil {
		t.Fatal(err)
	}
	if err := env.Client.Delete(t.Context(), wc); err != nil {
		t.Error("a cluster whose protection is off:", err)
	}

	behind := &infrav1.AWSManagedCluster{}
	namespace(t, "a444444444444", nil)
	behind.Name, behind.Namespace = "one", "a444444444444"
	behind.Annotations = map[string]string{v1alpha1.AnnotationDeletionProtection: "true"}
	if err := env.Client.Create(t.Context(), behind); err != nil {
		t.Fatal(err)
	}
	refused(t, "what is behind a protected cluster", env.Client.Delete(t.Context(), behind), "protected from deletion")
}

func TestClaimDoesNotChange(t *testing.T) {
	ns := namespace(t, "a555555555555", nil)
	ns.Labels[v1alpha1.LabelTeam] = "other"
	refused(t, "the claim on an account", env.Client.Update(t.Context(), ns), "are a claim and do not change")
}

func TestUpdateIsRefused(t *testing.T) {
	namespace(t, "updates", nil)
	tests := map[string]struct {
		reason string
		change func(*v1alpha1.WorkloadCluster)
		why    string
	}{
		"SkippedVersion": {reason: "EKS upgrades one minor at a time", change: func(w *v1alpha1.WorkloadCluster) { w.Spec.KubernetesVersion = "1.36" }, why: "one minor at a time"},
		"VersionDown":    {reason: "EKS cannot go back", change: func(w *v1alpha1.WorkloadCluster) { w.Spec.KubernetesVersion = "1.33" }, why: "cannot go back"},
		"OtherAccount":   {reason: "a cluster cannot move", change: func(w *v1alpha1.WorkloadCluster) { w.Spec.AccountRef.Name = "other" }, why: "keeps its account"},
		"NoVersion":      {reason: "1.3.4 is no EKS version", change: func(w *v1alpha1.WorkloadCluster) { w.Spec.KubernetesVersion = "1.3.4" }, why: "kubernetesVersion"},
	}
	wc := &v1alpha1.WorkloadCluster{
		ObjectMeta: metav1.ObjectMeta{Name: "one", Namespace: "updates"},
		Spec:       v1alpha1.WorkloadClusterSpec{AccountRef: v1alpha1.AccountReference{Name: "prod"}, Branch: "main", KubernetesVersion: "1.34"},
	}
	if err := env.Client.Create(t.Context(), wc); err != nil {
		t.Fatal(err)
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			changed := wc.DeepCopy()
			tc.change(changed)
			refused(t, tc.reason, env.Client.Update(t.Context(), changed), tc.why)
		})
	}
	wc.Spec.KubernetesVersion = "1.35"
	if err := env.Client.Update(t.Context(), wc); err != nil {
		t.Error("one minor up:", err)
	}
}
