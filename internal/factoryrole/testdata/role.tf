# The role that KARGO's cluster factory assumes in account 111111111111, region eu-central-1.

resource "aws_iam_role" "kargo_factory" {
  name               = "kargo-factory"
  description        = "Assumed by KARGO's cluster factory. Made by `kargoctl account template`."
  assume_role_policy = data.aws_iam_policy_document.kargo_factory_trust.json

  # Without it nobody could delete the clusters.
  lifecycle {
    prevent_destroy = true
  }
}

data "aws_iam_policy_document" "kargo_factory_trust" {
  # The factory only, and only on behalf of this account: the external id differs for each.
  statement {
    sid     = "FactoryOnly"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::100000000000:role/kargo-manager"]
    }
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = ["kargo-66e55316104e849574e647e93d22bef9"]
    }
  }
}

resource "aws_iam_role_policy" "kargo_network" {
  name   = "kargo-network"
  role   = aws_iam_role.kargo_factory.id
  policy = data.aws_iam_policy_document.kargo_network.json
}

data "aws_iam_policy_document" "kargo_network" {
  # A cluster gets a VPC of its own, with an internet gateway and addresses for its NAT gateways.
  statement {
    sid = "MakeNetworks"
    actions = [
      "ec2:AllocateAddress",
      "ec2:CreateInternetGateway",
      "ec2:CreateVpc",
    ]
    resources = [
      "arn:aws:ec2:eu-central-1:111111111111:elastic-ip/*",
      "arn:aws:ec2:eu-central-1:111111111111:internet-gateway/*",
      "arn:aws:ec2:eu-central-1:111111111111:vpc/*",
    ]
    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/kargo.dev/cluster"
      values   = ["?*"]
    }
  }

  # Subnets, route tables and security groups. The VPC that they are made in is a resource of its own, see ChangeOwnNetworks.
  statement {
    sid = "MakePartsOfNetworks"
    actions = [
      "ec2:CreateRouteTable",
      "ec2:CreateSecurityGroup",
      "ec2:CreateSubnet",
    ]
    resources = [
      "arn:aws:ec2:eu-central-1:111111111111:route-table/*",
      "arn:aws:ec2:eu-central-1:111111111111:security-group/*",
      "arn:aws:ec2:eu-central-1:111111111111:subnet/*",
    ]
    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/kargo.dev/cluster"
      values   = ["?*"]
    }
  }

  # Nodes in private subnets reach the internet. Subnet and address must be the cluster's, see ChangeOwnNetworks.
  statement {
    sid       = "MakeNatGateways"
    actions   = ["ec2:CreateNatGateway"]
    resources = ["arn:aws:ec2:eu-central-1:111111111111:natgateway/*"]
    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/kargo.dev/cluster"
      values   = ["?*"]
    }
  }

  # EC2 asks for this permission, too, when something is made with tags. It holds for that call only, so it tags nothing that exists.
  statement {
    sid     = "TagNetworksWhenMade"
    actions = ["ec2:CreateTags"]
    resources = [
      "arn:aws:ec2:eu-central-1:111111111111:elastic-ip/*",
      "arn:aws:ec2:eu-central-1:111111111111:internet-gateway/*",
      "arn:aws:ec2:eu-central-1:111111111111:natgateway/*",
      "arn:aws:ec2:eu-central-1:111111111111:route-table/*",
      "arn:aws:ec2:eu-central-1:111111111111:security-group/*",
      "arn:aws:ec2:eu-central-1:111111111111:subnet/*",
      "arn:aws:ec2:eu-central-1:111111111111:vpc/*",
    ]
    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values = [
        "AllocateAddress",
        "CreateInternetGateway",
        "CreateNatGateway",
        "CreateRouteTable",
        "CreateSecurityGroup",
        "CreateSubnet",
        "CreateVpc",
      ]
    }
    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/kargo.dev/cluster"
      values   = ["?*"]
    }
  }

  # A cluster may be put into a VPC of the team's, which bears no tag. All that is made in it is a security group.
  statement {
    sid       = "MakeGroupsInGivenNetworks"
    actions   = ["ec2:CreateSecurityGroup"]
    resources = ["arn:aws:ec2:eu-central-1:111111111111:vpc/*"]
  }

  # Connect, configure and delete what was made for a cluster.
  statement {
    sid = "ChangeOwnNetworks"
    actions = [
      "ec2:AssociateRouteTable",
      "ec2:AttachInternetGateway",
      "ec2:CreateNatGateway",
      "ec2:CreateRoute",
      "ec2:CreateRouteTable",
      "ec2:CreateSubnet",
      "ec2:CreateTags",
      "ec2:DeleteInternetGateway",
      "ec2:DeleteNatGateway",
      "ec2:DeleteRouteTable",
      "ec2:DeleteSecurityGroup",
      "ec2:DeleteSubnet",
      "ec2:DeleteVpc",
      "ec2:DetachInternetGateway",
      "ec2:DisassociateAddress",
      "ec2:DisassociateRouteTable",
      "ec2:ModifySubnetAttribute",
      "ec2:ModifyVpcAttribute",
      "ec2:ReleaseAddress",
      "ec2:ReplaceRoute",
      "ec2:RevokeSecurityGroupIngress",
    ]
    resources = ["arn:aws:ec2:eu-central-1:111111111111:*/*"]
    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/kargo.dev/cluster"
      values   = ["?*"]
    }
  }

  # Network interfaces that the VPC CNI of a node left behind keep the VPC from being deleted. It makes them itself, with this tag.
  statement {
    sid       = "DeleteInterfacesOfNodes"
    actions   = ["ec2:DeleteNetworkInterface"]
    resources = ["arn:aws:ec2:eu-central-1:111111111111:network-interface/*"]
    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/node.k8s.amazonaws.com/instance_id"
      values   = ["?*"]
    }
  }
}

resource "aws_iam_role_policy" "kargo_clusters" {
  name   = "kargo-clusters"
  role   = aws_iam_role.kargo_factory.id
  policy = data.aws_iam_policy_document.kargo_clusters.json
}

data "aws_iam_policy_document" "kargo_clusters" {
  # EKS clusters, each with its tag.
  statement {
    sid       = "MakeClusters"
    actions   = ["eks:CreateCluster"]
    resources = ["arn:aws:eks:eu-central-1:111111111111:cluster/*"]
    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/kargo.dev/cluster"
      values   = ["?*"]
    }
  }

  # EKS asks for this permission, too, when something is made with tags; for add-ons the resource is called /createaddon. EKS cannot tell this from tagging what exists, but the provider's tags for what exists have its role among them, so that it does not take over a cluster of the same name.
  statement {
    sid     = "TagClustersWhenMade"
    actions = ["eks:TagResource"]
    resources = [
      "arn:aws:eks:eu-central-1:111111111111:/*",
      "arn:aws:eks:eu-central-1:111111111111:access-entry/*",
      "arn:aws:eks:eu-central-1:111111111111:addon/*",
      "arn:aws:eks:eu-central-1:111111111111:cluster/*",
      "arn:aws:eks:eu-central-1:111111111111:nodegroup/*",
    ]
    condition {
      test     = "Null"
      variable = "aws:RequestTag/sigs.k8s.io/cluster-api-provider-aws/role"
      values   = ["true"]
    }
    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/kargo.dev/cluster"
      values   = ["?*"]
    }
  }

  # Node groups, add-ons and access entries of KARGO's clusters.
  statement {
    sid = "AddToOwnClusters"
    actions = [
      "eks:CreateAccessEntry",
      "eks:CreateAddon",
      "eks:CreateNodegroup",
    ]
    resources = ["arn:aws:eks:eu-central-1:111111111111:cluster/*"]
    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/kargo.dev/cluster"
      values   = ["?*"]
    }
    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/kargo.dev/cluster"
      values   = ["?*"]
    }
  }

  # Upgrade, scale, protect and delete what was made for a cluster, and who may log in to it.
  statement {
    sid = "ChangeOwnClusters"
    actions = [
      "eks:AssociateAccessPolicy",
      "eks:DeleteAccessEntry",
      "eks:DeleteAddon",
      "eks:DeleteCluster",
      "eks:DeleteNodegroup",
      "eks:DisassociateAccessPolicy",
      "eks:TagResource",
      "eks:UntagResource",
      "eks:UpdateAccessEntry",
      "eks:UpdateAddon",
      "eks:UpdateClusterConfig",
      "eks:UpdateClusterVersion",
      "eks:UpdateNodegroupConfig",
      "eks:UpdateNodegroupVersion",
    ]
    resources = ["arn:aws:eks:eu-central-1:111111111111:*"]
    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/kargo.dev/cluster"
      values   = ["?*"]
    }
  }

  # EKS makes the Auto Scaling group of a node group, with tags of its own; the provider adds the cluster's.
  statement {
    sid = "TagGroupsOfNodes"
    actions = [
      "autoscaling:CreateOrUpdateTags",
      "autoscaling:DeleteTags",
    ]
    resources = ["arn:aws:autoscaling:eu-central-1:111111111111:autoScalingGroup:*:autoScalingGroupName/eks-*"]
    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/eks:cluster-name"
      values   = ["?*"]
    }
  }

  # When a cluster is deleted, load balancers that Kubernetes made for its Services go with it. They bear the Service's name.
  statement {
    sid = "DeleteLoadBalancersOfServices"
    actions = [
      "elasticloadbalancing:DeleteLoadBalancer",
      "elasticloadbalancing:DeleteTargetGroup",
    ]
    resources = ["arn:aws:elasticloadbalancing:eu-central-1:111111111111:*"]
    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/kubernetes.io/service-name"
      values   = ["?*"]
    }
  }
}

resource "aws_iam_role_policy" "kargo_roles" {
  name   = "kargo-roles"
  role   = aws_iam_role.kargo_factory.id
  policy = data.aws_iam_policy_document.kargo_roles.json
}

data "aws_iam_policy_document" "kargo_roles" {
  # The roles of a control plane and of a node group, by the names that the provider gives them (capa_ and a hash where one is too long).
  statement {
    sid = "MakeRoles"
    actions = [
      "iam:CreateRole",
      "iam:TagRole",
    ]
    resources = [
      "arn:aws:iam::111111111111:role/*-iam-service-role",
      "arn:aws:iam::111111111111:role/capa_*",
    ]
    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/kargo.dev/cluster"
      values   = ["?*"]
    }
  }

  # Keep the tags of these roles, and delete them. Who may assume them is never changed.
  statement {
    sid = "ChangeOwnRoles"
    actions = [
      "iam:DeleteRole",
      "iam:DetachRolePolicy",
      "iam:TagRole",
      "iam:UntagRole",
    ]
    resources = [
      "arn:aws:iam::111111111111:role/*-iam-service-role",
      "arn:aws:iam::111111111111:role/capa_*",
    ]
    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/kargo.dev/cluster"
      values   = ["?*"]
    }
  }

  # What control planes and nodes need, as AWS defines it; no other policy.
  statement {
    sid     = "AttachPoliciesOfEKS"
    actions = ["iam:AttachRolePolicy"]
    resources = [
      "arn:aws:iam::111111111111:role/*-iam-service-role",
      "arn:aws:iam::111111111111:role/capa_*",
    ]
    condition {
      test     = "ArnEquals"
      variable = "iam:PolicyARN"
      values = [
        "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly",
        "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy",
        "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
        "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy",
      ]
    }
    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/kargo.dev/cluster"
      values   = ["?*"]
    }
  }

  # EKS acts with the roles of its clusters; no other service gets them, and no other role is given away. A role for an EKS add-on needs a name of this form.
  statement {
    sid     = "PassRolesToEKS"
    actions = ["iam:PassRole"]
    resources = [
      "arn:aws:iam::111111111111:role/*-iam-service-role",
      "arn:aws:iam::111111111111:role/capa_*",
    ]
    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["eks.amazonaws.com"]
    }
  }

  # EKS makes its own two roles with the first cluster in an account, and asks whether the caller may. It makes those of other services (Auto Scaling, Spot, load balancers) by itself.
  statement {
    sid     = "MakeRolesOfEKS"
    actions = ["iam:CreateServiceLinkedRole"]
    resources = [
      "arn:aws:iam::111111111111:role/aws-service-role/eks.amazonaws.com/*",
      "arn:aws:iam::111111111111:role/aws-service-role/eks-nodegroup.amazonaws.com/*",
    ]
  }

  # The provider compares these roles with what they should be.
  statement {
    sid = "ReadRoles"
    actions = [
      "iam:GetRole",
      "iam:ListAttachedRolePolicies",
    ]
    resources = [
      "arn:aws:iam::111111111111:role/*-iam-service-role",
      "arn:aws:iam::111111111111:role/capa_*",
    ]
  }

  # EKS looks with the caller's permission whether its role for node groups is there, and makes no node group if it may not.
  statement {
    sid       = "ReadRoleOfNodeGroups"
    actions   = ["iam:GetRole"]
    resources = ["arn:aws:iam::111111111111:role/aws-service-role/eks-nodegroup.amazonaws.com/*"]
  }

  # The provider looks whether a policy exists before it attaches it.
  statement {
    sid     = "ReadPoliciesOfEKS"
    actions = ["iam:GetPolicy"]
    resources = [
      "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly",
      "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy",
      "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
      "arn:aws:iam::aws:policy/AmazonEKS_CNI_Policy",
    ]
  }

  # A cluster whose service accounts may have IAM roles (the setting oidcProvider) is made known to IAM. The call has no tags.
  statement {
    sid       = "MakeIssuers"
    actions   = ["iam:CreateOpenIDConnectProvider"]
    resources = ["arn:aws:iam::111111111111:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/*"]
  }

  # The tags follow in a call of their own.
  statement {
    sid       = "TagIssuers"
    actions   = ["iam:TagOpenIDConnectProvider"]
    resources = ["arn:aws:iam::111111111111:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/*"]
    condition {
      test     = "StringLike"
      variable = "aws:RequestTag/kargo.dev/cluster"
      values   = ["?*"]
    }
  }

  # They go with their cluster.
  statement {
    sid       = "DeleteOwnIssuers"
    actions   = ["iam:DeleteOpenIDConnectProvider"]
    resources = ["arn:aws:iam::111111111111:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/*"]
    condition {
      test     = "StringLike"
      variable = "aws:ResourceTag/kargo.dev/cluster"
      values   = ["?*"]
    }
  }

  # KARGO asks AWS whether this role may do all that is needed, before anything is made (kargoctl check account).
  statement {
    sid = "LookAtItself"
    actions = [
      "iam:GetRole",
      "iam:SimulatePrincipalPolicy",
    ]
    resources = ["arn:aws:iam::111111111111:role/kargo-factory"]
  }
}

resource "aws_iam_role_policy" "kargo_look" {
  name   = "kargo-look"
  role   = aws_iam_role.kargo_factory.id
  policy = data.aws_iam_policy_document.kargo_look.json
}

data "aws_iam_policy_document" "kargo_look" {
  # Compare what is there with what should be, count it against quotas, find what is left after a deletion. AWS has no resources for most of these actions. None of them reads data.
  statement {
    sid = "Look"
    actions = [
      "autoscaling:DescribeAutoScalingGroups",
      "ec2:DescribeAddresses",
      "ec2:DescribeAvailabilityZones",
      "ec2:DescribeInstanceTypes",
      "ec2:DescribeInstances",
      "ec2:DescribeInternetGateways",
      "ec2:DescribeNatGateways",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeRegions",
      "ec2:DescribeRouteTables",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeVpcAttribute",
      "ec2:DescribeVpcEndpoints",
      "ec2:DescribeVpcs",
      "eks:DescribeAccessEntry",
      "eks:DescribeAddon",
      "eks:DescribeCluster",
      "eks:DescribeNodegroup",
      "eks:ListAccessEntries",
      "eks:ListAddons",
      "eks:ListAssociatedAccessPolicies",
      "eks:ListClusters",
      "iam:GetOpenIDConnectProvider",
      "iam:ListOpenIDConnectProviders",
      "servicequotas:GetAWSDefaultServiceQuota",
      "servicequotas:GetServiceQuota",
      "tag:GetResources",
    ]
    resources = ["*"]
  }
}

resource "aws_iam_role_policy" "kargo_never" {
  name   = "kargo-never"
  role   = aws_iam_role.kargo_factory.id
  policy = data.aws_iam_policy_document.kargo_never.json
}

data "aws_iam_policy_document" "kargo_never" {
  # The role does not change or delete itself, its policies or who may assume it.
  statement {
    sid    = "NeverItself"
    effect = "Deny"
    not_actions = [
      "iam:GetRole",
      "iam:SimulatePrincipalPolicy",
    ]
    resources = ["arn:aws:iam::111111111111:role/kargo-factory"]
  }

  # No users, groups, passwords, keys or identity providers of people; no policies of anyone's making; no role let be assumed by others; nothing of the account or the organisation.
  statement {
    sid    = "NeverMorePower"
    effect = "Deny"
    actions = [
      "account:*",
      "iam:*AccessKey*",
      "iam:*Group*",
      "iam:*LoginProfile*",
      "iam:*RolePermissionsBoundary",
      "iam:*SAML*",
      "iam:*User*",
      "iam:CreatePolicy*",
      "iam:PutRolePolicy",
      "iam:SetDefaultPolicyVersion",
      "iam:UpdateAssumeRolePolicy",
      "organizations:*",
    ]
    resources = ["*"]
  }

  # The account's region only. IAM has none.
  statement {
    sid         = "NeverElsewhere"
    effect      = "Deny"
    not_actions = ["iam:*"]
    resources   = ["*"]
    condition {
      test     = "StringNotEquals"
      variable = "aws:RequestedRegion"
      values   = ["eu-central-1"]
    }
  }
}

output "kargo_factory_role_arn" {
  value = aws_iam_role.kargo_factory.arn
}
