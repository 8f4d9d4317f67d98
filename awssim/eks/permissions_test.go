package eks

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/policy"
)

// needs are a call's permissions as "action resource", with their condition keys.
// ARNs lose what is the same in all.
func (m *sim) needs(operation string, body any, labels map[string]string, query url.Values) map[string][]string {
	m.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		m.t.Fatal(err)
	}
	needs := map[string][]string{}
	for _, p := range m.Permissions(&api.Call{Operation: operation, Region: region, Caller: m.caller, Params: query, Path: labels, Body: raw, Now: m.now}) {
		var keys []string
		for key, values := range p.Context {
			keys = append(keys, key+"="+strings.Join(values, ","))
			d, err := policy.Parse(`{"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringLike":{"` + key + `":"*"}}}}`)
			if err != nil || d.CheckKeys() != nil {
				m.t.Errorf("the key %s is supplied, but not known: %v", key, err)
			}
		}
		slices.Sort(keys)
		resource := strings.NewReplacer("arn:aws:eks:"+region+":"+account+":", "", "arn:aws:iam::"+account+":", "").Replace(p.Resource)
		needs[p.Action+" "+resource] = keys
	}
	return needs
}

func TestPermissions(t *testing.T) {
	m := newSim(t)
	before := m.needs("CreateCluster", clusterBody(object{"tags": object{"env": "prod"}, "version": "1.34", "deletionProtection": true}), nil, nil)
	m.withNodegroup()
	entry := map[string]string{"clusterName": "shop", "principalArn": roleARN("ops")}
	m.must("CreateAccessEntry", object{"principalArn": roleARN("ops"), "kubernetesGroups": []string{"ops"}, "username": "ops"}, inCluster("shop"), nil)
	named := m.must("DescribeAccessEntry", nil, entry, nil)
	entryARN := strings.TrimPrefix(get(named, "accessEntry", "accessEntryArn").(string), "arn:aws:eks:"+region+":"+account+":")
	group := strings.TrimPrefix(get(m.ng1(), "nodegroupArn").(string), "arn:aws:eks:"+region+":"+account+":")
	ofEntry := []string{"eks:accessEntryType=STANDARD", "eks:clusterName=shop", "eks:kubernetesGroups=ops", "eks:principalArn=" + roleARN("ops"), "eks:username=ops"}

	const tagged = "aws:ResourceTag/env=prod"
	slr := "iam:CreateServiceLinkedRole role/aws-service-role/"
	cases := map[string]struct {
		got, want map[string][]string
	}{
		"CreateCluster": {before, map[string][]string{
			"eks:CreateCluster cluster/shop": {"aws:RequestTag/env=prod", "aws:TagKeys=env", "eks:deletionProtection=true", "eks:kubernetesVersion=1.34",
				"eks:authenticationMode=API_AND_CONFIG_MAP", "eks:bootstrapClusterCreatorAdminPermissions=true", "eks:endpointPrivateAccess=true"},
			"iam:PassRole role/cluster":                          {"iam:PassedToService=eks.amazonaws.com"},
			slr + "eks.amazonaws.com/AWSServiceRoleForAmazonEKS": {"iam:AWSServiceName=eks.amazonaws.com"},
		}},
		"ListClusters": {m.needs("ListClusters", nil, nil, nil), map[string][]string{"eks:ListClusters cluster/*": nil}},
		"not there":    {m.needs("DescribeCluster", nil, map[string]string{"name": "x"}, nil), map[string][]string{"eks:DescribeCluster cluster/x": nil}},
		"no cluster":   {m.needs("ListAccessPolicies", nil, nil, nil), map[string][]string{"eks:ListAccessPolicies *": nil}},
		"UpdateClusterConfig": {m.needs("UpdateClusterConfig", object{"resourcesVpcConfig": object{"endpointPublicAccess": false}, "logging": object{"clusterLogging": []object{{"types": []string{"audit"}, "enabled": true}}}}, map[string]string{"name": "shop"}, nil),
			map[string][]string{"eks:UpdateClusterConfig cluster/shop": {tagged, "eks:endpointPublicAccess=false", "eks:loggingType/audit=true"}}},
		"CreateNodegroup": {m.needs("CreateNodegroup", nodegroupBody(), inCluster("shop"), nil), map[string][]string{
			"eks:CreateNodegroup cluster/shop": {tagged}, "iam:PassRole role/node": {"iam:PassedToService=eks.amazonaws.com"},
			slr + "eks-nodegroup.amazonaws.com/AWSServiceRoleForAmazonEKSNodegroup": {"iam:AWSServiceName=eks-nodegroup.amazonaws.com"},
		}},
		"DeleteNodegroup": {m.needs("DeleteNodegroup", nil, inNodegroup("ng1"), nil), map[string][]string{"eks:DeleteNodegroup " + group: nil}},
		"another group":   {m.needs("DeleteNodegroup", nil, inNodegroup("ng2"), nil), map[string][]string{"eks:DeleteNodegroup nodegroup/shop/ng2/*": nil}},
		"CreateAccessEntry": {m.needs("CreateAccessEntry", object{"principalArn": roleARN("pods"), "tags": object{"a": "b"}}, inCluster("shop"), nil), map[string][]string{
			"eks:CreateAccessEntry cluster/shop": {tagged, "aws:RequestTag/a=b", "aws:TagKeys=a", "eks:accessEntryType=STANDARD", "eks:principalArn=" + roleARN("pods")}}},
		"AssociateAccessPolicy": {m.needs("AssociateAccessPolicy", object{"policyArn": clusterAdminPolicy, "accessScope": object{"type": "namespace", "namespaces": []string{"a", "b"}}}, entry, nil), map[string][]string{
			"eks:AssociateAccessPolicy " + entryARN: append(slices.Clone(ofEntry), "eks:accessScope=namespace", "eks:namespaces=a,b", "eks:policyArn="+clusterAdminPolicy)}},
		"DescribeAccessEntry": {m.needs("DescribeAccessEntry", nil, entry, nil), map[string][]string{"eks:DescribeAccessEntry " + entryARN: ofEntry}},
		"CreatePodIdentityAssociation": {m.needs("CreatePodIdentityAssociation", object{"roleArn": roleARN("pods")}, inCluster("shop"), nil), map[string][]string{
			"eks:CreatePodIdentityAssociation cluster/shop": {tagged}, "iam:PassRole role/pods": {"iam:PassedToService=pods.eks.amazonaws.com"}}},
		"CreateAddon": {m.needs("CreateAddon", object{"addonName": "vpc-cni", "serviceAccountRoleArn": roleARN("pods")}, inCluster("shop"), nil), map[string][]string{
			"eks:CreateAddon cluster/shop": {tagged}, "iam:PassRole role/pods": {"iam:PassedToService=eks.amazonaws.com"}}},
		"TagResource": {m.needs("TagResource", object{"tags": object{"a": "b"}}, map[string]string{"resourceArn": "arn:aws:eks:" + region + ":" + account + ":cluster/shop"}, nil),
			map[string][]string{"eks:TagResource cluster/shop": {tagged, "aws:RequestTag/a=b", "aws:TagKeys=a"}}},
		"UntagResource": {m.needs("UntagResource", nil, map[string]string{"resourceArn": "arn:aws:eks:" + region + ":" + account + ":cluster/shop"}, url.Values{"tagKeys": {"a", "b"}}),
			map[string][]string{"eks:UntagResource cluster/shop": {tagged, "aws:TagKeys=a,b"}}},
		"ListUpdates": {m.needs("ListUpdates", nil, map[string]string{"name": "shop"}, url.Values{"nodegroupName": {"ng1"}}),
			map[string][]string{"eks:ListUpdates cluster/shop": {tagged}, "eks:ListUpdates " + group: nil}},
		"AssociateEncryptionConfig": {m.needs("AssociateEncryptionConfig", object{"encryptionConfig": []object{{"provider": object{"keyArn": "arn:aws:kms:x:1:key/k"}}}}, inCluster("shop"), nil), map[string][]string{
			"eks:AssociateEncryptionConfig cluster/shop": {tagged, "eks:encryptionConfigProviderKeyArns=arn:aws:kms:x:1:key/k"},
			"kms:CreateGrant arn:aws:kms:x:1:key/k":      nil, "kms:DescribeKey arn:aws:kms:x:1:key/k": nil}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			for _, keys := range tc.want {
				slices.Sort(keys)
			}
			if diff := cmp.Diff(tc.want, tc.got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestEveryOperationNeedsItsAction also with a call that is as empty as can be.
func TestEveryOperationNeedsItsAction(t *testing.T) {
	m := newSim(t)
	for _, op := range m.Operations() {
		list := m.Permissions(&api.Call{Operation: op.Name, Region: region, Caller: m.caller, Now: m.now})
		if len(list) == 0 || list[0].Action != "eks:"+op.Name {
			t.Errorf("%s needs %+v", op.Name, list)
		}
	}
}
