package iam

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/auth"
)

const awsPrefix = "arn:aws:iam::aws:policy/"

// managedPolicies are the AWS managed policies that exist here, without their
// documents where AWS's own text changes now and then; see docs/awssim.md.
func managedPolicies() map[string]Policy {
	const all = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	documents := map[string]string{"AdministratorAccess": all}
	policies := map[string]Policy{}
	for _, full := range []string{
		"AdministratorAccess", "PowerUserAccess", "ReadOnlyAccess", "IAMFullAccess", "AmazonEC2FullAccess", "AmazonVPCFullAccess",
		"job-function/Billing", "job-function/ViewOnlyAccess", "SecurityAudit",
		"AmazonEKSClusterPolicy", "AmazonEKSServicePolicy", "AmazonEKSVPCResourceController", "AmazonEKSWorkerNodePolicy",
		"AmazonEKSWorkerNodeMinimalPolicy", "AmazonEKS_CNI_Policy", "AmazonEKSFargatePodExecutionRolePolicy",
		"AmazonEKSComputePolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSLoadBalancingPolicy", "AmazonEKSNetworkingPolicy",
		"AmazonEC2ContainerRegistryReadOnly", "AmazonEC2ContainerRegistryPullOnly", "AmazonEC2ContainerRegistryPowerUser",
		"AmazonSSMManagedInstanceCore", "CloudWatchAgentServerPolicy", "AWSXRayDaemonWriteAccess",
		"service-role/AmazonEBSCSIDriverPolicy", "service-role/AmazonEFSCSIDriverPolicy",
	} {
		i := strings.LastIndex(full, "/") + 1
		created := time.Date(2018, 5, 27, 21, 6, 14, 0, time.UTC)
		policies[awsPrefix+full] = Policy{ARN: awsPrefix + full, Name: full[i:], Path: "/" + full[:i], ID: managedID(full),
			Document: documents[full], Version: "v1", Created: created}
	}
	return policies
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

// findPolicy finds a managed policy, AWS's or the account's.
func (s *Service) findPolicy(account, arn string) (Policy, error) {
	if p, ok := s.managed[arn]; ok {
		return p, nil
	}
	// Policies of another account are not found: the ARN is the key, under the caller's account.
	if p, ok := s.policies.Get(account, "", arn); ok {
		return p, nil
	}
	if !strings.HasPrefix(arn, "arn:") {
		return Policy{}, api.Errorf("ValidationError", "ARN %s is not valid.", arn)
	}
	return Policy{}, api.NotFoundf("NoSuchEntity", "Policy %s does not exist or is not attachable.", arn)
}

func (s *Service) policyXML(account string, p Policy) policyXML {
	count := 0
	for _, r := range s.roles.List(account, "") {
		if slices.Contains(r.Attached, p.ARN) {
			count++
		}
	}
	return policyXML{
		PolicyName: p.Name, PolicyId: p.ID, Arn: p.ARN, Path: p.Path, DefaultVersionId: p.Version, AttachmentCount: count,
		IsAttachable: true, Description: p.Description, CreateDate: timestamp(p.Created), UpdateDate: timestamp(p.Created), Tags: tagsXML(p.Tags),
	}
}

type policyAnswer struct {
	Policy policyXML
}

func (s *Service) createPolicy(c *api.Call) (any, error) {
	policyName, err := name(c, "PolicyName", maxPolicyName)
	if err != nil {
		return nil, err
	}
	policyPath, err := path(c)
	if err != nil {
		return nil, err
	}
	t, err := tags(c)
	if err != nil {
		return nil, err
	}
	p := Policy{Name: policyName, Path: policyPath, ID: auth.NewID("ANPA", 17), Description: c.Params.Get("Description"),
		Document: c.Params.Get("PolicyDocument"), Version: "v1", Created: s.now(), Tags: t}
	p.ARN = "arn:aws:iam::" + c.Caller.AccountID + ":policy" + policyPath + policyName
	if err := checkIdentityPolicy(p.Document); err != nil {
		return nil, err
	}
	for _, other := range s.policies.List(c.Caller.AccountID, "") {
		if strings.EqualFold(other.Name, p.Name) {
			return nil, &api.Error{Code: "EntityAlreadyExists", HTTPStatus: 409,
				Message: fmt.Sprintf("A policy called %s already exists. Duplicate names are not allowed.", p.Name)}
		}
	}
	if err := s.policies.Put(c.Caller.AccountID, "", p.ARN, p); err != nil {
		return nil, fmt.Errorf("keep policy %s: %w", p.ARN, err)
	}
	return policyAnswer{s.policyXML(c.Caller.AccountID, p)}, nil
}

func (s *Service) getPolicy(c *api.Call) (any, error) {
	p, err := s.findPolicy(c.Caller.AccountID, c.Params.Get("PolicyArn"))
	if err != nil {
		return nil, err
	}
	return policyAnswer{s.policyXML(c.Caller.AccountID, p)}, nil
}

func (s *Service) getPolicyVersion(c *api.Call) (any, error) {
	p, err := s.findPolicy(c.Caller.AccountID, c.Params.Get("PolicyArn"))
	if err != nil {
		return nil, err
	}
	version := c.Params.Get("VersionId")
	if version != p.Version || p.Document == "" {
		return nil, api.NotFoundf("NoSuchEntity", "Policy %s version %s does not exist or is not attachable.", p.ARN, version)
	}
	var answer struct {
		PolicyVersion struct {
			Document         string
			VersionId        string
			IsDefaultVersion bool
			CreateDate       timestamp
		}
	}
	answer.PolicyVersion.Document = encodeDocument(p.Document)
	answer.PolicyVersion.VersionId = p.Version
	answer.PolicyVersion.IsDefaultVersion = true
	answer.PolicyVersion.CreateDate = timestamp(p.Created)
	return answer, nil
}

func (s *Service) deletePolicy(c *api.Call) (any, error) {
	arn := c.Params.Get("PolicyArn")
	if strings.HasPrefix(arn, awsPrefix) {
		return nil, &api.Error{Code: "AccessDenied", HTTPStatus: 403,
			Message: fmt.Sprintf("User: %s is not authorized to perform: iam:DeletePolicy on resource: policy %s", c.Caller.ARN, arn)}
	}
	p, err := s.findPolicy(c.Caller.AccountID, arn)
	if err != nil {
		return nil, err
	}
	if s.policyXML(c.Caller.AccountID, p).AttachmentCount > 0 {
		return nil, &api.Error{Code: "DeleteConflict", Message: "Cannot delete a policy attached to entities.", HTTPStatus: 409}
	}
	if err := s.policies.Delete(c.Caller.AccountID, "", arn); err != nil {
		return nil, fmt.Errorf("delete policy %s: %w", arn, err)
	}
	return nil, nil
}

func (s *Service) listPolicies(c *api.Call) (any, error) {
	byARN := map[string]Policy{}
	scope := c.Params.Get("Scope")
	if scope != "Local" {
		maps.Copy(byARN, s.managed)
	}
	if scope != "AWS" {
		for _, p := range s.policies.List(c.Caller.AccountID, "") {
			byARN[p.ARN] = p
		}
	}
	var list []policyXML
	for _, arn := range slices.Sorted(maps.Keys(byARN)) {
		x := s.policyXML(c.Caller.AccountID, byARN[arn])
		x.Tags, x.Description = nil, "" // lists do not answer them
		if strings.HasPrefix(x.Path, c.Params.Get("PathPrefix")) && (c.Params.Get("OnlyAttached") != "true" || x.AttachmentCount > 0) {
			list = append(list, x)
		}
	}
	list, info, err := page(c.Params, list, func(p policyXML) string { return p.Arn })
	if err != nil {
		return nil, err
	}
	return struct {
		Policies []policyXML `xml:"Policies>member"`
		pageInfo
	}{list, info}, nil
}
