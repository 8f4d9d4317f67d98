package policy

import (
	"fmt"
	"slices"
	"strings"
)

// malformation is what is wrong with a policy, in AWS's words.
type malformation string

// Error implements error.
func (m malformation) Error() string { return string(m) }

// CheckIdentity refuses what AWS refuses in a policy that is attached to a
// principal (identity, boundary, session and service control policies), and
// condition keys that the simulator does not know.
func (d *Document) CheckIdentity() error {
	for _, s := range d.Statements {
		switch {
		case s.Principal != nil || s.NotPrincipal != nil:
			return malformation("Policy document should not specify a principal.")
		case len(s.Resource) == 0 && len(s.NotResource) == 0:
			return malformation("Policy statement must contain resources.")
		}
		for _, action := range slices.Concat(s.Action, s.NotAction) {
			if service, name, ok := strings.Cut(action, ":"); action != "*" && (!ok || service == "" || name == "") {
				return malformation("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
			}
		}
		for _, resource := range slices.Concat(s.Resource, s.NotResource) {
			if resource != "*" && !isARN(resource) {
				return malformation("Resource " + resource + ` must be in ARN format or "*".`)
			}
		}
	}
	return d.CheckKeys()
}

// CheckKeys refuses condition keys that no call here would ever have although
// AWS's has them: a condition such as "not equals" would hold then, and so allow
// or deny what AWS would not.
func (d *Document) CheckKeys() error {
	for _, s := range d.Statements {
		for _, c := range s.Conditions {
			if err := checkKey(c.key); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkKey(key string) error {
	service, rest, ok := strings.Cut(key, ":")
	switch {
	case !ok || rest == "":
		return fmt.Errorf("the condition key %q does not begin with a service", key)
	case strings.Contains(service, "."):
		return nil // of an identity provider: oidc.eks.eu-west-1.amazonaws.com/id/ABC:sub
	}
	if supplied, simulated := suppliedKeys()[service]; simulated {
		for known := range strings.FieldsSeq(supplied) {
			prefix, open := strings.CutSuffix(known, "*")
			if rest == known || (open && strings.HasPrefix(rest, prefix) && rest != prefix) {
				return nil
			}
		}
		return fmt.Errorf("the simulator does not supply the condition key %q", key)
	}
	if slices.Contains(strings.Fields(otherServices), service) {
		return nil // it is in no call that can be made here, as on AWS
	}
	return fmt.Errorf("the condition key %q is of no service that is known", key)
}

// suppliedKeys are, by service and in lower case, the condition keys that calls
// have here just as on AWS: those that are supplied, and those that no call has
// that does not come from a VPC endpoint, a federated user or another service. *
// stands for a tag's key or the like. See
// https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html.
func suppliedKeys() map[string]string {
	return map[string]string{
		"aws": `principalarn principalaccount principaltype principaltag/* principalisawsservice principalorgid principalorgpaths userid username sourceidentity
			requestedregion requesttag/* resourcetag/* tagkeys resourceaccount currenttime epochtime tokenissuetime
			securetransport sourceip useragent viaawsservice multifactorauthpresent multifactorauthage
			calledvia calledviafirst calledvialast federatedprovider principalservicename principalservicenameslist
			referer sourceaccount sourcearn sourcevpc sourcevpce sourceorgid sourceorgpaths vpcsourceip
			ec2instancesourcevpc ec2instancesourceprivateipv4`,
		"ec2": `region resourcetag/* createaction vpc vpcid subnet subnetid availabilityzone availabilityzoneid
			allocationid domain publicipaddress dhcpoptionsid networkaclid instanceid instancetype instancemarkettype imageid imagetype
			owner public rootdevicetype tenancy keypairname internetgatewayid networkinterfaceid routetableid securitygroupid
			vpceservicename islaunchtemplateresource launchtemplate`,
		"eks": `clustername principalarn kubernetesgroups username accessentrytype policyarn namespaces accessscope
			clientid issuerurl authenticationmode supporttype kubernetesversion loggingtype/*
			bootstrapclustercreatoradminpermissions endpointpublicaccess endpointprivateaccess deletionprotection
			encryptionconfigproviderkeyarns`,
		"iam":           `awsservicename passedtoservice permissionsboundary policyarn resourcetag/*`,
		"sts":           `externalid rolesessionname sourceidentity transitivetagkeys`,
		"autoscaling":   `resourcetag/* minsize maxsize`,
		"organizations": `policytype serviceprincipal`,
		"account":       `alternatecontacttypes targetregion accountresourceorgpaths`,
		"servicequotas": `service`,
		"tag":           ``,
	}
}

// otherServices have no call here, so that what policies say of their keys never matters.
const otherServices = `access-analyzer acm apigateway aps athena backup batch bedrock budgets ce cloudformation cloudfront cloudtrail
	cloudwatch codebuild codepipeline cognito-identity cognito-idp config cur dynamodb ebs ecr ecr-public ecs eks-auth elasticfilesystem
	elasticloadbalancing elasticmapreduce es events firehose fsx glue guardduty imagebuilder inspector2 kafka kinesis kms lambda lex
	license-manager logs network-firewall pricing ram rds redshift resource-explorer-2 resource-groups route53 route53resolver s3
	sagemaker saml secretsmanager securityhub servicecatalog servicediscovery ses shield signer sns sqs ssm sso states vpc-lattice wafv2 xray`
