package eks

import (
	"cmp"
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/policy"
)

var _ api.Guarded = (*Service)(nil)

// Permissions implements api.Guarded, after
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelastickubernetesservice.html.
// Roles that are handed to EKS have to be passed, and a service-linked role that is
// not there yet is made with the caller's permission.
func (s *Service) Permissions(c *api.Call) []policy.Permission {
	a := guarded{Service: s, call: c, cluster: cmp.Or(c.Path["clusterName"], c.Path["name"])}
	p := policy.Permission{Action: "eks:" + c.Operation, Resource: "*", Context: policy.Context{}}
	switch c.Operation {
	case "DescribeAddonVersions", "DescribeClusterVersions", "ListAccessPolicies":
	case "ListClusters":
		p.Resource = a.arn("cluster/*")
	case "CreateCluster":
		return a.createCluster(p)
	case "CreateNodegroup":
		return a.createNodegroup(p)
	case "CreateAccessEntry":
		return a.createAccessEntry(p)
	case "CreatePodIdentityAssociation":
		a.aboutCluster(&p)
		return a.podIdentity(p)
	case "CreateAddon", "UpdateAddon":
		return a.addon(p)
	case "UpdateClusterConfig", "UpdateClusterVersion":
		a.aboutCluster(&p)
		a.clusterSettings(p.Context)
	case "TagResource", "UntagResource", "ListTagsForResource":
		a.aboutTags(&p)
	case "DeleteNodegroup", "DescribeNodegroup", "UpdateNodegroupConfig", "UpdateNodegroupVersion":
		a.aboutNodegroup(&p, c.Path["nodegroupName"])
	case "DeleteAddon", "DescribeAddon":
		a.aboutAddon(&p, c.Path["addonName"])
	case "DescribeAccessEntry", "UpdateAccessEntry", "DeleteAccessEntry", "ListAssociatedAccessPolicies", "AssociateAccessPolicy", "DisassociateAccessPolicy":
		a.aboutAccessEntry(&p)
	case "DescribePodIdentityAssociation", "UpdatePodIdentityAssociation", "DeletePodIdentityAssociation":
		a.aboutPodIdentity(&p)
		return a.podIdentity(p)
	case "DescribeIdentityProviderConfig", "DisassociateIdentityProviderConfig":
		a.aboutProvider(&p)
	case "AssociateEncryptionConfig":
		return a.encryption(p)
	case "AssociateIdentityProviderConfig":
		a.associateProvider(&p)
	case "DescribeUpdate", "ListUpdates":
		return a.updates(p)
	default:
		a.aboutCluster(&p)
	}
	return []policy.Permission{p}
}

// guarded is a call whose permissions are wanted. What is wrong with its body is
// its handler's business.
type guarded struct {
	*Service
	call    *api.Call
	cluster string // by the path, "" if it names none
}

func (a guarded) arn(resource string) string {
	return arn(a.call.Caller.AccountID, a.call.Region, resource)
}

func (a guarded) body(into any) { _ = decode(a.call, into) }

// pass is the permission to hand a role to a service, nothing for no role.
func (a guarded) pass(roleARN, service string) []policy.Permission {
	if roleARN == "" {
		return nil
	}
	return []policy.Permission{{Action: "iam:PassRole", Resource: roleARN, Context: policy.Context{"iam:PassedToService": {service}}}}
}

// ownRole is the permission to make a service's own role, nothing if it exists.
func (a guarded) ownRole(service, name string) []policy.Permission {
	if _, ok := a.principals.Role(a.call.Caller.AccountID, name); ok {
		return nil
	}
	return []policy.Permission{{
		Action:   "iam:CreateServiceLinkedRole",
		Resource: "arn:aws:iam::" + a.call.Caller.AccountID + ":role/aws-service-role/" + service + "/" + name,
		Context:  policy.Context{"iam:AWSServiceName": {service}},
	}}
}

func (a guarded) aboutCluster(p *policy.Permission) {
	p.Resource = a.arn("cluster/" + a.cluster)
	if rec, ok := a.clusters.Get(a.call.Caller.AccountID, a.call.Region, a.cluster); ok {
		p.Context.ResourceTags("", rec.Cluster.Tags)
	}
}

func (a guarded) aboutNodegroup(p *policy.Permission, name string) {
	p.Resource = a.arn("nodegroup/" + a.cluster + "/" + name + "/*")
	if n, ok := a.nodegroups.Get(a.call.Caller.AccountID, a.call.Region, partID(a.cluster, name)); ok {
		p.Resource = n.Nodegroup.NodegroupARN
		p.Context.ResourceTags("", n.Nodegroup.Tags)
	}
}

func (a guarded) aboutAddon(p *policy.Permission, name string) {
	p.Resource = a.arn("addon/" + a.cluster + "/" + name + "/*")
	if v, ok := a.addons.Get(a.call.Caller.AccountID, a.call.Region, partID(a.cluster, name)); ok {
		p.Resource = v.AddonARN
		p.Context.ResourceTags("", v.Tags)
	}
}

func (a guarded) aboutAccessEntry(p *policy.Permission) {
	p.Resource = a.arn("access-entry/" + a.cluster + "/*")
	p.Context.Set("eks:clusterName", a.cluster)
	p.Context.Set("eks:principalArn", a.call.Path["principalArn"])
	e, ok := a.entries.Get(a.call.Caller.AccountID, a.call.Region, partID(a.cluster, a.call.Path["principalArn"]))
	if ok {
		p.Resource = e.AccessEntryARN
		p.Context.ResourceTags("", e.Tags)
		p.Context.Set("eks:kubernetesGroups", e.KubernetesGroups...)
		p.Context.Set("eks:username", e.Username)
		p.Context.Set("eks:accessEntryType", e.Type)
	}
	var in struct {
		PolicyARN   string      `json:"policyArn"`
		AccessScope accessScope `json:"accessScope"`
	}
	switch a.call.Operation {
	case "AssociateAccessPolicy":
		a.body(&in)
	case "DisassociateAccessPolicy":
		in.PolicyARN = a.call.Path["policyArn"]
		if i := slices.IndexFunc(e.Policies, func(o associatedPolicy) bool { return o.PolicyARN == in.PolicyARN }); i >= 0 {
			in.AccessScope = e.Policies[i].AccessScope
		}
	}
	p.Context.Set("eks:policyArn", in.PolicyARN)
	p.Context.Set("eks:accessScope", in.AccessScope.Type)
	p.Context.Set("eks:namespaces", in.AccessScope.Namespaces...)
}

func (a guarded) aboutPodIdentity(p *policy.Permission) {
	id := a.call.Path["associationId"]
	p.Resource = a.arn("podidentityassociation/" + a.cluster + "/" + id)
	if v, ok := a.associations.Get(a.call.Caller.AccountID, a.call.Region, partID(a.cluster, id)); ok {
		p.Context.ResourceTags("", v.Tags)
	}
}

func (a guarded) aboutProvider(p *policy.Permission) {
	var in struct {
		Config providerReference `json:"identityProviderConfig"`
	}
	a.body(&in)
	p.Resource = a.arn("identityproviderconfig/" + a.cluster + "/" + in.Config.Type + "/" + in.Config.Name + "/*")
	if v, ok := a.providers.Get(a.call.Caller.AccountID, a.call.Region, partID(a.cluster, in.Config.Name)); ok {
		p.Resource = v.IdentityProviderConfigARN
		p.Context.ResourceTags("", v.Tags)
	}
}

// aboutTags is for the operations that name a resource by its ARN.
func (a guarded) aboutTags(p *policy.Permission) {
	p.Resource = a.call.Path["resourceArn"]
	parts := strings.SplitN(p.Resource, ":", 6)
	if len(parts) == 6 && parts[4] == a.call.Caller.AccountID && parts[3] == a.call.Region {
		if tags, _, err := a.taggedResource(parts[4], parts[3], parts[5], p.Resource); err == nil {
			p.Context.ResourceTags("", tags)
		}
	}
	var in struct {
		Tags map[string]string `json:"tags"`
	}
	if a.call.Operation == "TagResource" {
		a.body(&in)
	}
	p.Context.RequestTags(in.Tags)
	if keys := a.call.Params["tagKeys"]; a.call.Operation == "UntagResource" {
		p.Context.Set("aws:TagKeys", keys...)
	}
}
