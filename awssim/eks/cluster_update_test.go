package eks

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kargo.dev/kargo/awssim/api"
)

func TestUpdateClusterVersion(t *testing.T) {
	m := newSim(t)
	m.withCluster()
	answer := m.must("UpdateClusterVersion", object{"version": "1.35"}, inCluster("shop"), nil)
	id, _ := get(answer, "update", "id").(string)
	if got := get(answer, "update", "type"); got != "VersionUpdate" {
		t.Errorf("the update's type is %v", got)
	}
	if got := m.clusterStatus(); got != "UPDATING" {
		t.Errorf("the first look shows %s; CAPA waits for UPDATING", got)
	}
	m.plane.setHold(true)
	if got := m.clusterStatus(); got != "UPDATING" {
		t.Errorf("while the new version does not serve: %s", got)
	}
	m.plane.setHold(false)
	cluster := m.shop()
	if get(cluster, "status") != "ACTIVE" || get(cluster, "version") != "1.35" {
		t.Errorf("after the update: %v %v", get(cluster, "status"), get(cluster, "version"))
	}
	if got := m.updateStatus(answer, nil); got != "Successful" {
		t.Errorf("the update is %v", got)
	}
	if diff := cmp.Diff([]any{id}, get(m.must("ListUpdates", nil, inCluster("shop"), nil), "updateIds")); diff != "" {
		t.Errorf("ListUpdates: -want +got\n%s", diff)
	}
}

func TestUpdatingIsHeldForWhoBeganIt(t *testing.T) {
	m := newSim(t)
	m.withCluster()
	m.must("UpdateClusterVersion", object{"version": "1.35"}, inCluster("shop"), nil)
	capa := m.caller
	m.caller.ARN = "arn:aws:sts::" + account + ":assumed-role/ops/anna"
	for range 3 {
		if got := m.clusterStatus(); got != "UPDATING" {
			t.Fatalf("somebody else's look ended the update: %s", got)
		}
	}
	m.caller = capa
	if got := m.clusterStatus(); got != "UPDATING" {
		t.Errorf("who began the update never saw UPDATING: %s", got)
	}
	if got := m.clusterStatus(); got != "ACTIVE" {
		t.Errorf("after it was seen: %s", got)
	}
}

func TestUnseenUpdateEnds(t *testing.T) {
	m := newSim(t)
	m.withCluster()
	m.must("UpdateClusterVersion", object{"version": "1.35"}, inCluster("shop"), nil)
	m.now = m.now.Add(unseenUpdateExpires)
	m.settleAll(t.Context())
	if got := m.clusterStatus(); got != "ACTIVE" {
		t.Errorf("an update nobody looked at is still %s", got)
	}
}

func TestFailedVersionUpdateGoesBack(t *testing.T) {
	m := newSim(t)
	m.withCluster()
	id, _ := get(m.must("UpdateClusterVersion", object{"version": "1.35"}, inCluster("shop"), nil), "update", "id").(string)
	m.clusterStatus()
	m.plane.setHold(true)
	m.now = m.now.Add(givesUp)
	m.settleAll(t.Context())
	m.settleAll(t.Context())
	cluster := m.shop()
	if get(cluster, "status") != "ACTIVE" || get(cluster, "version") != "1.34" {
		t.Errorf("after a failed update: %v %v", get(cluster, "status"), get(cluster, "version"))
	}
	if got := m.plane.clusters[get(cluster, "arn").(string)].Version; got != "1.34" {
		t.Errorf("the data plane runs %s", got)
	}
	update := get(m.must("DescribeUpdate", nil, map[string]string{"name": "shop", "updateId": id}, nil), "update")
	if get(update, "status") != "Failed" || !strings.Contains(string(mustJSON(t, get(update, "errors"))), "held by the test") {
		t.Errorf("the failed update is %v", update)
	}
}

func TestUpdateClusterRefuses(t *testing.T) {
	tests := map[string]refusal{
		"SkippedMinor":   {"one minor at a time", "UpdateClusterVersion", object{"version": "1.36"}, "InvalidParameterException", "Unsupported Kubernetes minor version update from 1.34 to 1.36"},
		"Downgrade":      {"never down", "UpdateClusterVersion", object{"version": "1.33"}, "InvalidParameterException", "from 1.34 to 1.33"},
		"SameVersion":    {"a change is asked for", "UpdateClusterVersion", object{"version": "1.34"}, "InvalidParameterException", "from 1.34 to 1.34"},
		"UnknownVersion": {"offered versions only", "UpdateClusterVersion", object{"version": "1.99"}, "InvalidParameterException", "unsupported Kubernetes version"},
		"Nothing":        {"something to change", "UpdateClusterConfig", object{}, "InvalidParameterException", "Invalid type"},
		"TwoThings": {
			"one type at a time", "UpdateClusterConfig",
			object{"deletionProtection": true, "upgradePolicy": object{"supportType": "STANDARD"}}, "InvalidParameterException", "Only one type",
		},
		"SameEndpoint": {
			"a change is asked for", "UpdateClusterConfig",
			object{"resourcesVpcConfig": object{"endpointPublicAccess": true}}, "InvalidParameterException", "already at the desired configuration",
		},
		"NoEndpoint": {
			"one endpoint at least", "UpdateClusterConfig",
			object{"resourcesVpcConfig": object{"endpointPublicAccess": false, "endpointPrivateAccess": false}}, "InvalidParameterException", "both be disabled",
		},
		"SameLogging": {
			"a change is asked for", "UpdateClusterConfig",
			object{"logging": object{"clusterLogging": []object{{"enabled": false, "types": []string{"api"}}}}}, "InvalidParameterException", "No changes needed",
		},
		"ModeBack": {
			"authentication modes go forward only", "UpdateClusterConfig",
			object{"accessConfig": object{"authenticationMode": "CONFIG_MAP"}}, "InvalidParameterException", "authentication mode update",
		},
		"SamePolicy": {
			"a change is asked for", "UpdateClusterConfig",
			object{"upgradePolicy": object{"supportType": "EXTENDED"}}, "InvalidParameterException", "already at the desired",
		},
		"NoKey": {"a key is needed", "AssociateEncryptionConfig", object{"encryptionConfig": []object{}}, "InvalidParameterException", "empty"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newSim(t)
			m.withCluster()
			m.refuses(tt, inCluster("shop"))
			if got := m.clusterStatus(); got != "ACTIVE" {
				t.Errorf("%s: a refused update left the cluster %s", tt.reason, got)
			}
		})
	}
}

func TestUpdateClusterConfig(t *testing.T) {
	tests := map[string]struct {
		reason    string
		operation string
		body      object
		kind      string
		at        []string
		want      any
	}{
		"Endpoint": {
			"what is left out stays", "UpdateClusterConfig", object{"resourcesVpcConfig": object{"publicAccessCidrs": []string{"192.0.2.0/24"}}},
			"EndpointAccessUpdate", []string{"resourcesVpcConfig", "publicAccessCidrs"}, []any{"192.0.2.0/24"},
		},
		"Subnets": {
			"subnets can be changed", "UpdateClusterConfig", object{"resourcesVpcConfig": object{"subnetIds": []string{"subnet-a2", "subnet-b"}}},
			"VpcConfigUpdate", []string{"resourcesVpcConfig", "subnetIds"}, []any{"subnet-a2", "subnet-b"},
		},
		"Logging": {
			"EKS groups what is on and what is off", "UpdateClusterConfig",
			object{"logging": object{"clusterLogging": []object{{"enabled": true, "types": []string{"audit"}}}}},
			"LoggingUpdate", []string{"logging", "clusterLogging"},
			[]any{object{"enabled": true, "types": []any{"audit"}}, object{"enabled": false, "types": []any{"api", "authenticator", "controllerManager", "scheduler"}}},
		},
		"Access": {
			"one mode forward", "UpdateClusterConfig", object{"accessConfig": object{"authenticationMode": "API"}},
			"AccessConfigUpdate", []string{"accessConfig", "authenticationMode"}, "API",
		},
		"Policy": {
			"standard support only", "UpdateClusterConfig", object{"upgradePolicy": object{"supportType": "STANDARD"}},
			"UpgradePolicyUpdate", []string{"upgradePolicy", "supportType"}, "STANDARD",
		},
		"Encryption": {
			"a key for secrets", "AssociateEncryptionConfig", object{"encryptionConfig": []object{{"resources": []string{"secrets"}, "provider": object{"keyArn": "arn:aws:kms:k"}}}},
			"AssociateEncryptionConfig", []string{"encryptionConfig"}, []any{object{"resources": []any{"secrets"}, "provider": object{"keyArn": "arn:aws:kms:k"}}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m := newSim(t)
			m.withCluster()
			tt.body["clientRequestToken"] = "t"
			answer := m.must(tt.operation, tt.body, inCluster("shop"), nil)
			if got := get(answer, "update", "type"); got != tt.kind {
				t.Errorf("%s: the update's type is %v, want %s", tt.reason, got, tt.kind)
			}
			if again := m.must(tt.operation, tt.body, inCluster("shop"), nil); get(again, "update", "id") != get(answer, "update", "id") {
				t.Errorf("%s: the same call again began another update", tt.reason)
			}
			tt.body["clientRequestToken"] = "another"
			if _, err := m.try(tt.operation, tt.body, inCluster("shop"), nil); code(err) != "ResourceInUseException" || !strings.Contains(err.Error(), "in progress") {
				t.Errorf("%s: a second update at the same time: %v", tt.reason, err)
			}
			if got := m.clusterStatus(); got != "UPDATING" {
				t.Errorf("%s: the first look shows %s", tt.reason, got)
			}
			cluster := m.shop()
			if diff := cmp.Diff(tt.want, get(cluster, tt.at...)); diff != "" || get(cluster, "status") != "ACTIVE" {
				t.Errorf("%s: the cluster is %v, %v: -want +got\n%s", tt.reason, get(cluster, "status"), tt.at, diff)
			}
		})
	}
}

// TestAwait shows that a Describe is held until the control plane serves, and
// that an update's first look is not.
func TestAwait(t *testing.T) {
	m := newSim(t)
	synctest.Test(t, func(t *testing.T) {
		m.plane.setHold(true)
		m.must("CreateCluster", clusterBody(), nil, nil)
		go func() {
			time.Sleep(3 * time.Second)
			m.plane.setHold(false)
		}()
		c := &api.Call{Region: region, Caller: m.caller, Path: inCluster("shop"), Params: url.Values{}}
		began := time.Now()
		m.awaitCluster(t.Context(), c)
		if held := time.Since(began); held < 3*time.Second || held > 4*time.Second {
			t.Errorf("the look was held for %v, the control plane took 3 s", held)
		}
		m.must("UpdateClusterVersion", object{"version": "1.35"}, inCluster("shop"), nil)
		began = time.Now()
		m.awaitCluster(t.Context(), c)
		if held := time.Since(began); held != 0 {
			t.Errorf("the first look at an update was held for %v", held)
		}
		m.clusterStatus()
		m.plane.setHold(true)
		began = time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		m.awaitCluster(ctx, c)
		if held := time.Since(began); held != 2*time.Second {
			t.Errorf("the look was held for %v beyond its context's 2 s", held)
		}
		m.awaitCluster(t.Context(), c)
		if held := time.Since(began); held < longestAwait || held > longestAwait+3*time.Second {
			t.Errorf("the look was held for %v, longer than ever allowed", held)
		}
	})
}

func TestRealisticClockHoldsNothing(t *testing.T) {
	m := newSim(t)
	m.factor = 1
	m.restart()
	synctest.Test(t, func(t *testing.T) {
		m.must("CreateCluster", clusterBody(), nil, nil)
		began := time.Now()
		m.awaitCluster(t.Context(), &api.Call{Region: region, Caller: m.caller, Path: inCluster("shop"), Params: url.Values{}})
		if held := time.Since(began); held != 0 {
			t.Errorf("held for %v", held)
		}
	})
}
