package eks

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

// insight is one of EKS's checks whether a cluster is ready for an upgrade.
type insight struct {
	ID                 string            `json:"id"`
	Name               string            `json:"name"`
	Category           string            `json:"category"`
	KubernetesVersion  string            `json:"kubernetesVersion"`
	LastRefreshTime    Time              `json:"lastRefreshTime"`
	LastTransitionTime Time              `json:"lastTransitionTime"`
	Description        string            `json:"description"`
	InsightStatus      insightStatus     `json:"insightStatus"`
	Recommendation     string            `json:"recommendation,omitempty"`
	AdditionalInfo     map[string]string `json:"additionalInfo,omitempty"`
	Resources          []insightResource `json:"resources,omitempty"`
}

type insightStatus struct {
	Status string `json:"status"` // PASSING, WARNING, ERROR
	Reason string `json:"reason"`
}

type insightResource struct {
	InsightStatus insightStatus `json:"insightStatus"`
	ARN           string        `json:"arn,omitempty"`
}

func (s *Service) insightOperations() []api.Operation {
	return []api.Operation{
		{Name: "ListInsights", Method: http.MethodPost, Path: "/clusters/{clusterName}/insights", Handle: s.listInsights},
		{Name: "DescribeInsight", Method: http.MethodGet, Path: "/clusters/{clusterName}/insights/{id}", Handle: s.describeInsight},
	}
}

// insightsOf checks what the simulator knows: the versions of node groups and
// of add-ons against the next Kubernetes version. Deprecated API calls are not counted.
func (s *Service) insightsOf(rec *cluster, c *api.Call) []insight {
	next := fmt.Sprintf("1.%d", minor(rec.Cluster.Version)+1)
	if _, ok := findVersion(next); !ok {
		return nil
	}
	check := func(name, description string) insight {
		sum := sha256.Sum256([]byte(rec.Cluster.ARN + name))
		return insight{
			ID:   fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16]),
			Name: name, Category: "UPGRADE_READINESS", KubernetesVersion: next, Description: description,
			LastRefreshTime: at(c.Now), LastTransitionTime: rec.Since,
			InsightStatus: insightStatus{Status: "PASSING", Reason: "No issues found."},
		}
	}
	skew := check("Kubelet version skew", "Checks for kubelet versions of worker nodes in the cluster to see if upgrade would cause noncompliance with supported Kubernetes kubelet version skew policy.")
	for _, n := range s.nodegroupsOf(rec) {
		behind := minor(next) - minor(n.Nodegroup.Version)
		if behind > 1 {
			status := insightStatus{Status: "WARNING", Reason: "Node(s) with a kubelet version older than the control plane found."}
			if behind > kubeletSkew {
				status = insightStatus{Status: "ERROR", Reason: "Node(s) found that the next version does not support."}
			}
			skew.fail(status, n.Nodegroup.NodegroupARN, "Update the node groups to the cluster's version first.")
		}
	}
	addons := check("EKS add-on version compatibility", "Checks version of installed EKS add-ons to ensure they are compatible with the next version of Kubernetes.")
	for _, a := range s.addonsOf(rec) {
		if _, err := addonVersion(a.AddonName, a.AddonVersion, next); err != nil {
			addons.fail(insightStatus{Status: "ERROR", Reason: "Installed add-on versions are not compatible with the next Kubernetes version."}, a.AddonARN, "Update the add-ons to a version that is compatible.")
		}
	}
	return []insight{addons, skew}
}

func (i *insight) fail(status insightStatus, resourceARN, recommendation string) {
	if i.InsightStatus.Status != "ERROR" {
		i.InsightStatus = status
	}
	i.Recommendation = recommendation
	i.Resources = append(i.Resources, insightResource{InsightStatus: status, ARN: resourceARN})
}

func (s *Service) listInsights(_ context.Context, c *api.Call) (any, error) {
	var in struct {
		Filter struct {
			Categories         []string `json:"categories"`
			KubernetesVersions []string `json:"kubernetesVersions"`
			Statuses           []string `json:"statuses"`
		} `json:"filter"`
		MaxResults int    `json:"maxResults"`
		NextToken  string `json:"nextToken"`
	}
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	selects := func(wanted []string, value string) bool { return len(wanted) == 0 || slices.Contains(wanted, value) }
	list := slices.DeleteFunc(s.insightsOf(rec, c), func(i insight) bool {
		return !selects(in.Filter.Categories, i.Category) || !selects(in.Filter.KubernetesVersions, i.KubernetesVersion) || !selects(in.Filter.Statuses, i.InsightStatus.Status)
	})
	for i := range list {
		list[i].Recommendation, list[i].Resources = "", nil // only Describe tells
	}
	list, next, err := page(c, in.MaxResults, in.NextToken, func(i insight) string { return i.Name }, list)
	if err != nil {
		return nil, err
	}
	return struct {
		Insights  []insight `json:"insights"`
		NextToken string    `json:"nextToken,omitempty"`
	}{list, next}, nil
}

func (s *Service) describeInsight(_ context.Context, c *api.Call) (any, error) {
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	for _, i := range s.insightsOf(rec, c) {
		if strings.EqualFold(i.ID, c.Path["id"]) {
			return struct {
				Insight insight `json:"insight"`
			}{i}, nil
		}
	}
	return nil, notFound("No insight found with ID: %s", c.Path["id"])
}
