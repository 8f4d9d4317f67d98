package eks

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

// cluster is the record of a cluster: what EKS tells of it, and how it is made.
type cluster struct {
	Cluster Cluster
	Account string
	Region  string
	Token   string // clientRequestToken of the CreateCluster that made it
	// Creator is the role or user that made it.
	Creator string
	// SecurityGroup is the name of the cluster security group, known before it exists.
	SecurityGroup string
	// Interfaces of the control plane in the customer's subnets.
	Interfaces []string
	// Since is when the status became what it is.
	Since Time
	// Running is the update in progress, nil if there is none.
	Running *clusterUpdate
}

// clusterUpdate is an update in progress.
type clusterUpdate struct {
	ID string
	// Version to go to, "" if the version stays.
	Version string
	// Caller began it; the cluster shows UPDATING until this caller has seen it.
	Caller string
	Seen   bool
}

func (s *Service) clusterOperations() []api.Operation {
	return []api.Operation{
		{Name: "CreateCluster", Method: http.MethodPost, Path: "/clusters", Handle: s.createCluster},
		{Name: "DescribeCluster", Method: http.MethodGet, Path: "/clusters/{name}", Handle: s.describeCluster, Await: s.awaitCluster},
		{Name: "ListClusters", Method: http.MethodGet, Path: "/clusters", Handle: s.listClusters},
		{Name: "DeleteCluster", Method: http.MethodDelete, Path: "/clusters/{name}", Handle: s.deleteCluster},
		{Name: "UpdateClusterConfig", Method: http.MethodPost, Path: "/clusters/{name}/update-config", Handle: s.updateClusterConfig},
		{Name: "UpdateClusterVersion", Method: http.MethodPost, Path: "/clusters/{name}/updates", Handle: s.updateClusterVersion},
		{Name: "AssociateEncryptionConfig", Method: http.MethodPost, Path: "/clusters/{clusterName}/encryption-config/associate", Handle: s.associateEncryptionConfig},
		{Name: "DescribeClusterVersions", Method: http.MethodGet, Path: "/cluster-versions", Handle: s.describeClusterVersions},
	}
}

type clusterAnswer struct {
	Cluster Cluster `json:"cluster"`
}

// clusterOf returns the cluster that the path names.
func (s *Service) clusterOf(c *api.Call) (*cluster, error) {
	name := c.Path["name"]
	if name == "" {
		name = c.Path["clusterName"]
	}
	rec, ok := s.clusters.Get(c.Caller.AccountID, c.Region, name)
	if !ok {
		return nil, notFound("No cluster found for name: %s.", name)
	}
	return &rec, nil
}

// liveCluster is clusterOf for what needs a control plane that serves.
func (s *Service) liveCluster(c *api.Call) (*cluster, error) {
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	if status := rec.Cluster.Status; status != statusActive && status != statusUpdating {
		return nil, invalidRequest("Cluster '%s' is not in ACTIVE status: it is %s.", rec.Cluster.Name, status)
	}
	return rec, nil
}

func (s *Service) saveCluster(rec *cluster) error {
	return s.clusters.Put(rec.Account, rec.Region, rec.Cluster.Name, *rec)
}

type createClusterInput struct {
	Name                    string             `json:"name"`
	Version                 string             `json:"version"`
	RoleARN                 string             `json:"roleArn"`
	ResourcesVPCConfig      vpcConfigInput     `json:"resourcesVpcConfig"`
	KubernetesNetworkConfig NetworkConfig      `json:"kubernetesNetworkConfig"`
	Logging                 *Logging           `json:"logging"`
	ClientRequestToken      string             `json:"clientRequestToken"`
	Tags                    map[string]string  `json:"tags"`
	EncryptionConfig        []EncryptionConfig `json:"encryptionConfig"`
	AccessConfig            struct {
		Bootstrap          *bool  `json:"bootstrapClusterCreatorAdminPermissions"`
		AuthenticationMode string `json:"authenticationMode"`
	} `json:"accessConfig"`
	UpgradePolicy      UpgradePolicy `json:"upgradePolicy"`
	DeletionProtection bool          `json:"deletionProtection"`
}

type vpcConfigInput struct {
	SubnetIDs             []string `json:"subnetIds"`
	SecurityGroupIDs      []string `json:"securityGroupIds"`
	EndpointPublicAccess  *bool    `json:"endpointPublicAccess"`
	EndpointPrivateAccess *bool    `json:"endpointPrivateAccess"`
	PublicAccessCIDRs     []string `json:"publicAccessCidrs"`
}

func (s *Service) createCluster(ctx context.Context, c *api.Call) (any, error) {
	var in createClusterInput
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	account := c.Caller.AccountID
	if old, ok := s.clusters.Get(account, c.Region, in.Name); ok {
		if in.ClientRequestToken != "" && old.Token == in.ClientRequestToken {
			return clusterAnswer{old.Cluster}, nil
		}
		return nil, inUse("Cluster already exists with name: %s", in.Name)
	}
	if limit := s.quotas.Limit(account, c.Region, quota.Clusters); len(s.clusters.List(account, c.Region)) >= limit {
		return nil, api.Errorf(codeLimit, "Cluster limit exceeded for account: %d clusters in %s.", limit, c.Region)
	}
	version, err := s.checkCreateCluster(c, &in)
	if err != nil {
		return nil, err
	}
	subnets, err := s.checkClusterNetwork(account, c.Region, in.ResourcesVPCConfig)
	if err != nil {
		return nil, err
	}
	serviceCIDR, err := serviceNetwork(in.KubernetesNetworkConfig, subnets)
	if err != nil {
		return nil, err
	}
	if err := s.principals.EnsureServiceLinkedRole(account, "eks.amazonaws.com"); err != nil {
		return nil, err
	}
	rec := newCluster(c, in, version, subnets[0].VPCID, serviceCIDR)
	rec.Creator = s.principalARN(c.Caller)
	if err := s.saveCluster(rec); err != nil {
		return nil, err
	}
	if in.AccessConfig.Bootstrap == nil || *in.AccessConfig.Bootstrap {
		if err := s.bootstrapCreator(rec, c); err != nil {
			return nil, err
		}
	}
	created := rec.Cluster
	s.moveCluster(ctx, rec, c.Now)
	return clusterAnswer{created}, nil
}

// checkCreateCluster checks what needs no network.
func (s *Service) checkCreateCluster(c *api.Call, in *createClusterInput) (Version, error) {
	if err := checkName("cluster", in.Name, namePattern); err != nil {
		return Version{}, err
	}
	version, err := versionForCreate(in.Version, c.Now)
	if err != nil {
		return Version{}, err
	}
	if err := s.checkRole(c.Caller.AccountID, in.RoleARN, "eks.amazonaws.com"); err != nil {
		return Version{}, err
	}
	if in.KubernetesNetworkConfig.IPFamily == "ipv6" {
		return Version{}, invalidParameter("The simulator knows no ipv6 clusters; leave ipFamily out or set ipv4.")
	}
	if mode := in.AccessConfig.AuthenticationMode; mode != "" && !slices.Contains(authenticationModes(), mode) {
		return Version{}, invalidParameter("Unsupported authentication mode: %s", mode)
	}
	if err := checkSupportType(in.UpgradePolicy.SupportType); err != nil {
		return Version{}, err
	}
	if err := checkEncryption(in.EncryptionConfig); err != nil {
		return Version{}, err
	}
	if in.Logging != nil {
		if err := checkLogging(*in.Logging); err != nil {
			return Version{}, err
		}
	}
	return version, checkTags(in.Tags)
}

// checkRole checks that a role exists in the account and trusts an AWS service.
func (s *Service) checkRole(account, roleARN, trusted string) error {
	owner, name, ok := roleOfARN(roleARN)
	if !ok {
		return invalidParameter("Invalid role arn: '%s'", roleARN)
	}
	if owner != account {
		return accessDenied("Cross-account pass role is not allowed.")
	}
	role, ok := s.principals.Role(account, name)
	if !ok || role.ARN != roleARN || !slices.Contains(role.Services, trusted) {
		return invalidParameter("Role with arn: %s, could not be assumed because it does not exist or the trusted entity is not correct", roleARN)
	}
	return nil
}

// newCluster is the record of a cluster that is about to be made.
func newCluster(c *api.Call, in createClusterInput, v Version, vpcID, serviceCIDR string) *cluster {
	access := AccessConfig{AuthenticationMode: modeConfigMap, BootstrapClusterCreatorAdminPermissions: true}
	if in.AccessConfig.AuthenticationMode != "" {
		access.AuthenticationMode = in.AccessConfig.AuthenticationMode
	}
	if b := in.AccessConfig.Bootstrap; b != nil {
		access.BootstrapClusterCreatorAdminPermissions = *b
	}
	policy := in.UpgradePolicy
	if policy.SupportType == "" {
		policy.SupportType = "EXTENDED"
	}
	logging := Logging{ClusterLogging: []LogSetup{{Types: logTypes()}}}
	if in.Logging != nil {
		logging = mergeLogging(logging, *in.Logging)
	}
	vpc := mergeVPCConfig(VPCConfig{
		VPCID: vpcID, EndpointPublicAccess: true, PublicAccessCIDRs: []string{"0.0.0.0/0"}, SecurityGroupIDs: []string{},
	}, in.ResourcesVPCConfig)
	return &cluster{
		Account: c.Caller.AccountID, Region: c.Region, Token: in.ClientRequestToken, Since: at(c.Now),
		SecurityGroup: "eks-cluster-sg-" + in.Name + "-" + newToken(10),
		Cluster: Cluster{
			Name: in.Name, ARN: arn(c.Caller.AccountID, c.Region, "cluster/"+in.Name), CreatedAt: at(c.Now),
			Version: v.Name, PlatformVersion: v.Platform, RoleARN: in.RoleARN, Status: statusCreating,
			ResourcesVPCConfig: vpc, Logging: logging, Tags: copyTags(in.Tags), AccessConfig: access, UpgradePolicy: policy,
			KubernetesNetworkConfig: NetworkConfig{ServiceIPv4CIDR: serviceCIDR, IPFamily: "ipv4"},
			EncryptionConfig:        in.EncryptionConfig, DeletionProtection: in.DeletionProtection,
			Health: ClusterHealth{Issues: []Issue{}},
		},
	}
}

func (s *Service) describeCluster(ctx context.Context, c *api.Call) (any, error) {
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	if r := rec.Running; r != nil && !r.Seen && r.Caller == c.Caller.ARN {
		// CAPA waits up to half an hour for UPDATING after it began an update.
		r.Seen = true
		return clusterAnswer{rec.Cluster}, s.saveCluster(rec)
	}
	s.moveCluster(ctx, rec, c.Now)
	if rec, err = s.clusterOf(c); err != nil { // it may be gone now
		return nil, err
	}
	return clusterAnswer{rec.Cluster}, nil
}

func (s *Service) listClusters(_ context.Context, c *api.Call) (any, error) {
	names := []string{}
	for _, rec := range s.clusters.List(c.Caller.AccountID, c.Region) {
		names = append(names, rec.Cluster.Name)
	}
	return listAnswer(c, "clusters", itself, names)
}

func (s *Service) deleteCluster(ctx context.Context, c *api.Call) (any, error) {
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	running := rec.Cluster.Status == statusActive || rec.Cluster.Status == statusUpdating
	switch {
	case rec.Cluster.Status == statusDeleting:
		return clusterAnswer{rec.Cluster}, nil
	case rec.Cluster.DeletionProtection && running:
		return nil, invalidRequest("Cluster %s cannot be deleted because deletion protection is enabled. Disable deletion protection with UpdateClusterConfig first.", rec.Cluster.Name)
	case len(s.nodegroupsOf(rec)) > 0:
		return nil, inUse("Cluster has nodegroups attached")
	case rec.Running != nil:
		return nil, inUse("Cannot delete because cluster %s currently has an update in progress", rec.Cluster.Name)
	case rec.Cluster.Status == statusCreating:
		// What was made just before the simulator was killed gets its id noted, to be removed.
		if err := s.ensureNetwork(rec); err != nil {
			s.log.Warn("cluster is deleted before its network was made", "cluster", rec.Cluster.ARN, "error", err)
		}
	}
	rec.Cluster.Status, rec.Since = statusDeleting, at(c.Now)
	if err := s.saveCluster(rec); err != nil {
		return nil, err
	}
	deleted := rec.Cluster
	if err := s.stopControlPlane(ctx, rec); err != nil {
		s.log.Warn("control plane does not stop yet", "cluster", rec.Cluster.ARN, "error", err)
	}
	return clusterAnswer{deleted}, nil
}

// roleOfARN splits arn:aws:iam::ACCOUNT:role/PATH/NAME.
func roleOfARN(roleARN string) (account, name string, ok bool) {
	parts := strings.SplitN(roleARN, ":", 6)
	if len(parts) != 6 || parts[2] != "iam" || !strings.HasPrefix(parts[5], "role/") {
		return "", "", false
	}
	name = parts[5][strings.LastIndex(parts[5], "/")+1:]
	return parts[4], name, name != ""
}
