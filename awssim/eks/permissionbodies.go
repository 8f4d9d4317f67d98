package eks

import (
	"cmp"
	"strconv"

	"kargo.dev/kargo/awssim/policy"
)

// clusterFields are what condition keys tell of the body of CreateCluster,
// UpdateClusterConfig and UpdateClusterVersion.
type clusterFields struct {
	Name               string             `json:"name"`
	Version            string             `json:"version"`
	RoleARN            string             `json:"roleArn"`
	ResourcesVPCConfig vpcConfigInput     `json:"resourcesVpcConfig"`
	Logging            Logging            `json:"logging"`
	Tags               map[string]string  `json:"tags"`
	EncryptionConfig   []EncryptionConfig `json:"encryptionConfig"`
	AccessConfig       struct {
		Bootstrap          *bool  `json:"bootstrapClusterCreatorAdminPermissions"`
		AuthenticationMode string `json:"authenticationMode"`
	} `json:"accessConfig"`
	UpgradePolicy      UpgradePolicy `json:"upgradePolicy"`
	DeletionProtection *bool         `json:"deletionProtection"`
}

// clusterSettings sets the keys of the settings that a call names.
func (a guarded) clusterSettings(c policy.Context) clusterFields {
	var in clusterFields
	a.body(&in)
	c.Set("eks:kubernetesVersion", in.Version)
	c.Set("eks:authenticationMode", in.AccessConfig.AuthenticationMode)
	c.Set("eks:supportType", in.UpgradePolicy.SupportType)
	for key, value := range map[string]*bool{
		"bootstrapClusterCreatorAdminPermissions": in.AccessConfig.Bootstrap,
		"endpointPublicAccess":                    in.ResourcesVPCConfig.EndpointPublicAccess,
		"endpointPrivateAccess":                   in.ResourcesVPCConfig.EndpointPrivateAccess,
		"deletionProtection":                      in.DeletionProtection,
	} {
		if value != nil {
			c.Set("eks:"+key, strconv.FormatBool(*value))
		}
	}
	for _, setup := range in.Logging.ClusterLogging {
		for _, kind := range setup.Types {
			c.Set("eks:loggingType/"+kind, strconv.FormatBool(setup.Enabled))
		}
	}
	return in
}

func (a guarded) createCluster(p policy.Permission) []policy.Permission {
	in := a.clusterSettings(p.Context)
	p.Resource = a.arn("cluster/" + in.Name)
	p.Context.RequestTags(in.Tags)
	keys := keyPermissions(in.EncryptionConfig, p.Context)
	list := append([]policy.Permission{p}, a.pass(in.RoleARN, "eks.amazonaws.com")...)
	list = append(list, a.ownRole("eks.amazonaws.com", "AWSServiceRoleForAmazonEKS")...)
	return append(list, keys...)
}

// encryption is AssociateEncryptionConfig.
func (a guarded) encryption(p policy.Permission) []policy.Permission {
	var in clusterFields
	a.body(&in)
	a.aboutCluster(&p)
	keys := keyPermissions(in.EncryptionConfig, p.Context)
	return append([]policy.Permission{p}, keys...)
}

// keyPermissions are what EKS needs of the caller for keys that wrap Secrets, see
// https://docs.aws.amazon.com/eks/latest/userguide/enable-kms.html.
func keyPermissions(config []EncryptionConfig, c policy.Context) []policy.Permission {
	var list []policy.Permission
	var arns []string
	for _, e := range config {
		arns = append(arns, e.Provider.KeyARN)
		for _, action := range []string{"kms:CreateGrant", "kms:DescribeKey"} {
			list = append(list, policy.Permission{Action: action, Resource: cmp.Or(e.Provider.KeyARN, "*"), Context: policy.Context{}})
		}
	}
	c.Set("eks:encryptionConfigProviderKeyArns", arns...)
	return list
}

func (a guarded) createNodegroup(p policy.Permission) []policy.Permission {
	var in createNodegroupInput
	a.body(&in)
	a.aboutCluster(&p)
	p.Context.RequestTags(in.Tags)
	list := append([]policy.Permission{p}, a.pass(in.NodeRole, "eks.amazonaws.com")...)
	return append(list, a.ownRole("eks-nodegroup.amazonaws.com", "AWSServiceRoleForAmazonEKSNodegroup")...)
}

func (a guarded) createAccessEntry(p policy.Permission) []policy.Permission {
	var in accessEntryInput
	a.body(&in)
	a.aboutCluster(&p)
	p.Context.RequestTags(in.Tags)
	p.Context.Set("eks:principalArn", in.PrincipalARN)
	p.Context.Set("eks:kubernetesGroups", in.KubernetesGroups...)
	p.Context.Set("eks:username", in.Username)
	p.Context.Set("eks:accessEntryType", cmp.Or(in.Type, typeStandard))
	return []policy.Permission{p}
}

// podIdentity passes on the role of an association, if the call names one.
func (a guarded) podIdentity(p policy.Permission) []policy.Permission {
	var in podIdentityInput
	a.body(&in)
	p.Context.RequestTags(in.Tags)
	return append([]policy.Permission{p}, a.pass(in.RoleARN, "pods.eks.amazonaws.com")...)
}

// addon is CreateAddon or UpdateAddon.
func (a guarded) addon(p policy.Permission) []policy.Permission {
	var in addonInput
	a.body(&in)
	if a.call.Operation == "CreateAddon" {
		a.aboutCluster(&p)
		p.Context.RequestTags(in.Tags)
	} else {
		a.aboutAddon(&p, a.call.Path["addonName"])
	}
	return append([]policy.Permission{p}, a.pass(in.ServiceAccountRoleARN, "eks.amazonaws.com")...)
}

func (a guarded) associateProvider(p *policy.Permission) {
	var in struct {
		OIDC IdentityProvider  `json:"oidc"`
		Tags map[string]string `json:"tags"`
	}
	a.body(&in)
	a.aboutCluster(p)
	p.Context.RequestTags(in.Tags)
	p.Context.Set("eks:clientId", in.OIDC.ClientID)
	p.Context.Set("eks:issuerUrl", in.OIDC.IssuerURL)
}

// updates asks for the cluster, and the part whose updates are wanted.
func (a guarded) updates(p policy.Permission) []policy.Permission {
	a.aboutCluster(&p)
	list := []policy.Permission{p}
	for param, about := range map[string]func(*policy.Permission, string){"nodegroupName": a.aboutNodegroup, "addonName": a.aboutAddon} {
		if name := a.call.Params.Get(param); name != "" {
			part := policy.Permission{Action: p.Action, Context: policy.Context{}}
			about(&part, name)
			list = append(list, part)
		}
	}
	return list
}
