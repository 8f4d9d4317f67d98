package iam

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const awsPrefix = "arn:aws:iam::aws:policy/"

// managedDocuments are statements of AWS managed policies by name. They say what
// AWS's say about the services that are simulated; of the wide ones (ReadOnlyAccess,
// ViewOnlyAccess, SecurityAudit) the rest is left out.
//
//go:embed managed.json
var managedDocuments []byte

// managedPolicies are the AWS managed policies that exist here. One without a
// document can be attached, and grants nothing.
func managedPolicies() (map[string]Policy, error) {
	var statements map[string]json.RawMessage
	if err := json.Unmarshal(managedDocuments, &statements); err != nil {
		return nil, fmt.Errorf("managed.json: %w", err)
	}
	names := []string{
		"AmazonVPCFullAccess", "job-function/Billing", "AmazonEKSServicePolicy", "AmazonEKSFargatePodExecutionRolePolicy",
		"AmazonEKSComputePolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy",
		"AmazonEC2ContainerRegistryPowerUser", "CloudWatchAgentServerPolicy", "AWSXRayDaemonWriteAccess",
		"service-role/AmazonEBSCSIDriverPolicy", "service-role/AmazonEFSCSIDriverPolicy",
	}
	for name := range statements {
		names = append(names, name)
	}
	policies := map[string]Policy{}
	for _, full := range names {
		i := strings.LastIndex(full, "/") + 1
		p := Policy{ARN: awsPrefix + full, Name: full[i:], Path: "/" + full[:i], ID: managedID(full),
			Version: "v1", Created: time.Date(2018, 5, 27, 21, 6, 14, 0, time.UTC)}
		if list, ok := statements[full]; ok {
			p.Document = fmt.Sprintf(`{"Version":"2012-10-17","Statement":%s}`, list)
		}
		policies[p.ARN] = p
	}
	return policies, nil
}

// managedID is the same for a policy in every run.
func managedID(full string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	id := []byte("ANPA")
	sum := uint64(14695981039346656037) // FNV-1a
	for len(id) < 21 {
		for i := range len(full) {
			sum = (sum ^ uint64(full[i])) * 1099511628211
		}
		id = append(id, letters[sum>>32%32])
	}
	return string(id)
}
