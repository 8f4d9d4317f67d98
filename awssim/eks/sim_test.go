package eks

import (
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/store"
)

// sim is a service with everything around it faked, and a clock of its own.
type sim struct {
	*Service
	t      *testing.T
	store  *store.Store
	plane  *fakePlane
	ec2    *fakeEC2
	groups fakeGroups
	now    time.Time
	factor float64
	caller api.Identity
}

func newSim(t *testing.T) *sim {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	m := &sim{
		t: t, store: st, now: time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC),
		plane: &fakePlane{clusters: map[string]ControlPlane{}, nodes: map[string][]Node{}, leaving: map[string][]Node{}},
		ec2: &fakeEC2{
			groups: map[string]SecurityGroup{}, ifaces: map[string]Interface{}, instances: map[string]InstanceSpec{},
			subnets: []Subnet{
				{ID: "subnet-a", VPCID: "vpc-1", Zone: "eu-west-1a", ZoneID: "euw1-az1", CIDR: "10.0.0.0/24"},
				{ID: "subnet-b", VPCID: "vpc-1", Zone: "eu-west-1b", ZoneID: "euw1-az2", CIDR: "10.0.1.0/24"},
				{ID: "subnet-a2", VPCID: "vpc-1", Zone: "eu-west-1a", ZoneID: "euw1-az1", CIDR: "10.0.2.0/24"},
				{ID: "subnet-other", VPCID: "vpc-2", Zone: "eu-west-1b", ZoneID: "euw1-az2", CIDR: "10.1.0.0/24"},
			},
		},
		groups: fakeGroups{},
		caller: api.Identity{
			AccountID: account, ARN: "arn:aws:sts::" + account + ":assumed-role/factory/capa", UserID: "AROAFACTORY:capa", AccessKeyID: "ASIA1",
		},
	}
	m.restart()
	return m
}

// restart makes a new service on the same store.
func (m *sim) restart() {
	m.t.Helper()
	var err error
	m.Service, err = New(Options{
		Store: m.store, DataPlane: m.plane, Network: m.ec2, Instances: m.ec2, Groups: m.groups,
		Clock: api.Clock{Now: func() time.Time { return m.now }, Factor: m.factor},
		Principals: fakeIAM{
			"factory":   {ARN: "arn:aws:iam::" + account + ":role/kargo/factory", ID: "AROAFACTORY"},
			"ops":       {ARN: roleARN("ops"), ID: "AROAOPS"},
			"cluster":   {ARN: roleARN("cluster"), Services: []string{"eks.amazonaws.com"}},
			"node":      {ARN: roleARN("node"), Services: []string{"ec2.amazonaws.com"}},
			"pods":      {ARN: roleARN("pods"), Services: []string{"pods.eks.amazonaws.com"}},
			"stranger":  {ARN: "arn:aws:iam::222222222222:role/stranger"},
			"untrusted": {ARN: roleARN("untrusted")},
		},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// object is a JSON object of a request or an answer.
type object = map[string]any

// try calls an operation. The path's labels come first in args as pairs, the
// query's follow as url.Values.
func (m *sim) try(operation string, body any, labels map[string]string, query url.Values) (object, error) {
	m.t.Helper()
	ops := m.Operations()
	i := slices.IndexFunc(ops, func(o api.Operation) bool { return o.Name == operation })
	if i < 0 {
		m.t.Fatalf("no operation %s", operation)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		m.t.Fatal(err)
	}
	if body == nil {
		raw = nil
	}
	if query == nil {
		query = url.Values{}
	}
	c := &api.Call{Service: "eks", Operation: operation, Region: region, Caller: m.caller, Params: query, Path: labels, Body: raw, Now: m.now}
	answer, err := ops[i].Handle(m.t.Context(), c)
	if err != nil {
		var e *api.Error
		if !errors.As(err, &e) {
			m.t.Fatalf("%s answered an error that is not AWS's: %v", operation, err)
		}
		return nil, err
	}
	raw, err = json.Marshal(answer)
	if err != nil {
		m.t.Fatal(err)
	}
	var out object
	if err := json.Unmarshal(raw, &out); err != nil {
		m.t.Fatal(err)
	}
	return out, nil
}

// must is try for calls that succeed.
func (m *sim) must(operation string, body any, labels map[string]string, query url.Values) object {
	m.t.Helper()
	out, err := m.try(operation, body, labels, query)
	if err != nil {
		m.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

func code(err error) string {
	var e *api.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// refusal is a call that EKS refuses.
type refusal struct {
	reason, operation string
	body              object
	code, message     string
}

// refuses makes the call and checks that it was refused.
func (m *sim) refuses(r refusal, labels map[string]string) {
	m.t.Helper()
	_, err := m.try(r.operation, r.body, labels, nil)
	wantRefusal(m.t, r.reason, err, r.code, r.message)
}

// wantRefusal checks that a call was refused with AWS's code and a message.
func wantRefusal(t *testing.T, reason string, err error, wantCode, message string) {
	t.Helper()
	if code(err) != wantCode || !strings.Contains(err.Error(), message) {
		t.Errorf("%s: got %v, want %s with %q", reason, err, wantCode, message)
	}
}

// get walks into an answer.
func get(v any, keys ...string) any {
	for _, k := range keys {
		o, ok := v.(object)
		if !ok {
			return nil
		}
		v = o[k]
	}
	return v
}

func inCluster(name string) map[string]string {
	return map[string]string{"name": name, "clusterName": name}
}

func inNodegroup(name string) map[string]string {
	return map[string]string{"clusterName": "shop", "nodegroupName": name}
}

func clusterBody(change ...object) object {
	body := object{
		"name": "shop", "version": "1.34", "roleArn": roleARN("cluster"), "clientRequestToken": "token-1",
		"accessConfig":       object{"authenticationMode": "API_AND_CONFIG_MAP", "bootstrapClusterCreatorAdminPermissions": true},
		"resourcesVpcConfig": object{"subnetIds": []string{"subnet-a", "subnet-b"}, "securityGroupIds": []string{"sg-own"}, "endpointPrivateAccess": true},
		"tags":               object{"env": "prod"},
	}
	for _, c := range change {
		maps.Copy(body, c)
	}
	return body
}

func nodegroupBody(change ...object) object {
	body := object{
		"nodegroupName": "ng1", "nodeRole": roleARN("node"), "subnets": []string{"subnet-a", "subnet-b"}, "clientRequestToken": "token-2",
		"instanceTypes": []string{"t3.large"}, "amiType": "AL2023_x86_64_STANDARD", "labels": object{"role": "worker"},
		"scalingConfig": object{"minSize": 1, "maxSize": 5, "desiredSize": 3}, "updateConfig": object{"maxUnavailable": 1},
		"taints": []object{{"key": "gpu", "value": "yes", "effect": "NO_SCHEDULE"}},
	}
	for _, c := range change {
		maps.Copy(body, c)
	}
	return body
}

// withCluster makes an ACTIVE cluster.
func (m *sim) withCluster(change ...object) {
	m.t.Helper()
	m.must("CreateCluster", clusterBody(change...), nil, nil)
	if got := m.clusterStatus(); got != "ACTIVE" {
		m.t.Fatalf("the cluster is %s", got)
	}
}

// withNodegroup makes an ACTIVE node group in an ACTIVE cluster.
func (m *sim) withNodegroup(change ...object) {
	m.t.Helper()
	m.withCluster()
	m.must("CreateNodegroup", nodegroupBody(change...), inCluster("shop"), nil)
	if got := m.nodegroupStatus(); got != "ACTIVE" {
		m.t.Fatalf("the node group is %s", got)
	}
}

// shop is the cluster as EKS describes it.
func (m *sim) shop() any {
	m.t.Helper()
	return get(m.must("DescribeCluster", nil, inCluster("shop"), nil), "cluster")
}

// ng1 is the node group as EKS describes it.
func (m *sim) ng1() any {
	m.t.Helper()
	return get(m.must("DescribeNodegroup", nil, inNodegroup("ng1"), nil), "nodegroup")
}

// updateStatus of the update that an answer tells of; query says what of, if
// not of the cluster.
func (m *sim) updateStatus(answer object, query url.Values) any {
	m.t.Helper()
	id, _ := get(answer, "update", "id").(string)
	return get(m.must("DescribeUpdate", nil, map[string]string{"name": "shop", "updateId": id}, query), "update", "status")
}

func (m *sim) clusterStatus() string {
	m.t.Helper()
	s, _ := get(m.shop(), "status").(string)
	return s
}

func (m *sim) nodegroupStatus() string {
	m.t.Helper()
	s, _ := get(m.ng1(), "status").(string)
	return s
}
