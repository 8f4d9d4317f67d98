package eks

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

// nodegroup is the record of a node group: what EKS tells of it, and its nodes.
type nodegroup struct {
	Nodegroup Nodegroup
	Account   string
	Region    string
	Token     string // clientRequestToken of the CreateNodegroup that made it
	// Group is the name of its autoscaling group.
	Group string
	// Places are its subnets.
	Places  []Subnet
	Members []member
	// Generation grows with each replacement of all nodes.
	Generation int
	// Since is when the status became what it is, Moved when members last came or went.
	Since, Moved Time
	// Running is the update in progress, nil if there is none.
	Running *nodegroupUpdate
}

// nodegroupUpdate is an update in progress, with what the node group is to be after it.
type nodegroupUpdate struct {
	ID               string
	Version, Release string
	LaunchTemplate   *LaunchTemplate
}

// member is one node of a node group. Its token is stored before its instance
// is started, so that no instance is ever started twice or forgotten.
type member struct {
	Token        string
	InstanceID   string `json:",omitempty"`
	Name         string `json:",omitempty"` // of the Node
	Place        Subnet
	InstanceType string
	Version      string
	Release      string
	Generation   int
	LeftAt       *Time `json:",omitempty"` // nil while it is wanted
}

// goal is the version and release that new members get.
func (n *nodegroup) goal() (version, release string) {
	if n.Running != nil {
		return n.Running.Version, n.Running.Release
	}
	return n.Nodegroup.Version, n.Nodegroup.ReleaseVersion
}

func (s *Service) nodegroupOperations() []api.Operation {
	const path = "/clusters/{clusterName}/node-groups"
	return []api.Operation{
		{Name: "CreateNodegroup", Method: http.MethodPost, Path: path, Handle: s.createNodegroup},
		{Name: "DescribeNodegroup", Method: http.MethodGet, Path: path + "/{nodegroupName}", Handle: s.describeNodegroup, Await: s.awaitNodegroup},
		{Name: "ListNodegroups", Method: http.MethodGet, Path: path, Handle: s.listNodegroups},
		{Name: "DeleteNodegroup", Method: http.MethodDelete, Path: path + "/{nodegroupName}", Handle: s.deleteNodegroup},
		{Name: "UpdateNodegroupConfig", Method: http.MethodPost, Path: path + "/{nodegroupName}/update-config", Handle: s.updateNodegroupConfig},
		{Name: "UpdateNodegroupVersion", Method: http.MethodPost, Path: path + "/{nodegroupName}/update-version", Handle: s.updateNodegroupVersion},
	}
}

type nodegroupAnswer struct {
	Nodegroup Nodegroup `json:"nodegroup"`
}

// nodegroupsOf lists a cluster's node groups, ordered by name.
func (s *Service) nodegroupsOf(rec *cluster) []nodegroup {
	return slices.DeleteFunc(s.nodegroups.List(rec.Account, rec.Region), func(n nodegroup) bool {
		return n.Nodegroup.ClusterName != rec.Cluster.Name
	})
}

// nodegroupOf returns the node group that the path names, and its cluster.
func (s *Service) nodegroupOf(c *api.Call) (*cluster, *nodegroup, error) {
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, nil, err
	}
	name := c.Path["nodegroupName"]
	n, ok := s.nodegroups.Get(rec.Account, rec.Region, partID(rec.Cluster.Name, name))
	if !ok {
		return nil, nil, notFound("No node group found for name: %s.", name)
	}
	return rec, &n, nil
}

func (s *Service) saveNodegroup(n *nodegroup) error {
	return s.nodegroups.Put(n.Account, n.Region, partID(n.Nodegroup.ClusterName, n.Nodegroup.NodegroupName), *n)
}

type createNodegroupInput struct {
	NodegroupName      string             `json:"nodegroupName"`
	ScalingConfig      scalingConfigInput `json:"scalingConfig"`
	DiskSize           int                `json:"diskSize"`
	Subnets            []string           `json:"subnets"`
	InstanceTypes      []string           `json:"instanceTypes"`
	AMIType            string             `json:"amiType"`
	RemoteAccess       *RemoteAccess      `json:"remoteAccess"`
	NodeRole           string             `json:"nodeRole"`
	Labels             map[string]string  `json:"labels"`
	Taints             []Taint            `json:"taints"`
	Tags               map[string]string  `json:"tags"`
	ClientRequestToken string             `json:"clientRequestToken"`
	LaunchTemplate     *LaunchTemplate    `json:"launchTemplate"`
	UpdateConfig       *UpdateConfig      `json:"updateConfig"`
	NodeRepairConfig   NodeRepairConfig   `json:"nodeRepairConfig"`
	CapacityType       string             `json:"capacityType"`
	Version            string             `json:"version"`
	ReleaseVersion     string             `json:"releaseVersion"`
}

func (s *Service) createNodegroup(ctx context.Context, c *api.Call) (any, error) {
	var in createNodegroupInput
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	if old, ok := s.nodegroups.Get(rec.Account, rec.Region, partID(rec.Cluster.Name, in.NodegroupName)); ok {
		if in.ClientRequestToken != "" && old.Token == in.ClientRequestToken {
			return nodegroupAnswer{old.Nodegroup}, nil
		}
		return nil, inUse("NodeGroup already exists with name %s and cluster name %s", in.NodegroupName, rec.Cluster.Name)
	}
	if rec, err = s.liveCluster(c); err != nil {
		return nil, err
	}
	if limit := s.quotas.Limit(rec.Account, rec.Region, quota.NodeGroupsPerCluster); len(s.nodegroupsOf(rec)) >= limit {
		return nil, api.Errorf(codeLimit, "Nodegroup limit exceeded for cluster %s: %d.", rec.Cluster.Name, limit)
	}
	n, err := s.newNodegroup(rec, c, in)
	if err != nil {
		return nil, err
	}
	for _, service := range []string{"eks-nodegroup.amazonaws.com", "autoscaling.amazonaws.com"} {
		if err := s.principals.EnsureServiceLinkedRole(rec.Account, service); err != nil {
			return nil, err
		}
	}
	if err := s.saveNodegroup(n); err != nil {
		return nil, err
	}
	if err := s.admitNodeRole(rec, in.NodeRole, c.Now); err != nil {
		return nil, err
	}
	created := n.Nodegroup
	s.moveNodegroup(ctx, n, c.Now)
	return nodegroupAnswer{created}, nil
}

// newNodegroup checks what was asked for and fills in AWS's defaults.
func (s *Service) newNodegroup(rec *cluster, c *api.Call, in createNodegroupInput) (*nodegroup, error) {
	if err := checkName("nodegroup", in.NodegroupName, nodegroupPattern); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	if err := s.checkRole(rec.Account, in.NodeRole, "ec2.amazonaws.com"); err != nil {
		return nil, err
	}
	places, err := s.subnetsOf(rec.Account, rec.Region, in.Subnets)
	if err != nil {
		return nil, err
	}
	for _, p := range places {
		if p.VPCID != rec.Cluster.ResourcesVPCConfig.VPCID {
			return nil, invalidParameter("Subnet %s is not in the VPC %s of the cluster.", p.ID, rec.Cluster.ResourcesVPCConfig.VPCID)
		}
	}
	scaling, err := in.ScalingConfig.onto(ScalingConfig{MinSize: 1, MaxSize: 2, DesiredSize: 2}, s.quotas.Limit(rec.Account, rec.Region, quota.NodesPerNodeGroup))
	if err != nil {
		return nil, err
	}
	update, err := mergeUpdateConfig(UpdateConfig{MaxUnavailable: 1}, in.UpdateConfig)
	if err != nil {
		return nil, err
	}
	version, release, err := nodeVersion(rec.Cluster.Version, cmp.Or(in.Version, rec.Cluster.Version), in.ReleaseVersion)
	if err != nil {
		return nil, err
	}
	types, amiType, err := s.nodeMachine(rec.Region, in, version)
	if err != nil {
		return nil, err
	}
	if err := checkNodeLabels(in.Labels, in.Taints); err != nil {
		return nil, err
	}
	capacity := cmp.Or(in.CapacityType, "ON_DEMAND")
	if !slices.Contains([]string{"ON_DEMAND", "SPOT", "CAPACITY_BLOCK"}, capacity) {
		return nil, invalidParameter("Invalid capacityType: %s", capacity)
	}
	id := newUUID()
	group := "eks-" + in.NodegroupName + "-" + id
	n := &nodegroup{
		Account: rec.Account, Region: rec.Region, Token: in.ClientRequestToken, Group: group, Places: places, Since: at(c.Now),
		Nodegroup: Nodegroup{
			NodegroupName: in.NodegroupName, ClusterName: rec.Cluster.Name,
			NodegroupARN: arn(rec.Account, rec.Region, "nodegroup/"+rec.Cluster.Name+"/"+in.NodegroupName+"/"+id),
			Version:      version, ReleaseVersion: release, CreatedAt: at(c.Now), ModifiedAt: at(c.Now), Status: statusCreating,
			CapacityType: capacity, ScalingConfig: scaling, InstanceTypes: types, Subnets: in.Subnets, RemoteAccess: in.RemoteAccess,
			AMIType: amiType, NodeRole: in.NodeRole, Labels: in.Labels, Taints: in.Taints, DiskSize: in.DiskSize,
			Resources: &NodegroupResources{AutoScalingGroups: []AutoScalingGroup{{Name: group}}},
			Health:    NodegroupHealth{Issues: []Issue{}}, UpdateConfig: update, NodeRepairConfig: in.NodeRepairConfig,
			LaunchTemplate: in.LaunchTemplate, Tags: copyTags(in.Tags),
		},
	}
	if n.Nodegroup.DiskSize == 0 && in.LaunchTemplate == nil {
		n.Nodegroup.DiskSize = 20 // GiB, AWS's default for Linux
	}
	return n, nil
}

// nodeMachine is the instance type and the image of new nodes.
func (s *Service) nodeMachine(region string, in createNodegroupInput, version string) (types []string, amiType string, err error) {
	types = in.InstanceTypes
	if len(types) == 0 {
		types = []string{"t3.medium"}
	}
	arm := isARM(types[0])
	amiType = in.AMIType
	if amiType == "" {
		amiType = "AL2023_x86_64_STANDARD"
		if arm {
			amiType = "AL2023_ARM_64_STANDARD"
		}
	}
	if !slices.Contains(amiTypes(), amiType) {
		return nil, "", invalidParameter("Invalid amiType: %s", amiType)
	}
	if strings.HasPrefix(amiType, "AL2_") {
		return nil, "", invalidParameter("AMI Type %s is only supported for kubernetes versions 1.32 or earlier", amiType)
	}
	for _, t := range types {
		if !s.instances.TypeExists(region, t) {
			return nil, "", invalidParameter("The following supplied instance types do not exist: [%s]", t)
		}
		if amiType != "CUSTOM" && isARM(t) != strings.Contains(amiType, "ARM_64") {
			return nil, "", invalidParameter("[%s] is not a valid instance type for requested amiType %s", t, amiType)
		}
	}
	return types, amiType, nil
}

func (s *Service) describeNodegroup(ctx context.Context, c *api.Call) (any, error) {
	_, n, err := s.nodegroupOf(c)
	if err != nil {
		return nil, err
	}
	s.moveNodegroup(ctx, n, c.Now)
	if _, n, err = s.nodegroupOf(c); err != nil { // it may be gone now
		return nil, err
	}
	return nodegroupAnswer{n.Nodegroup}, nil
}

// awaitNodegroup holds DescribeNodegroup while nodes come or go.
func (s *Service) awaitNodegroup(ctx context.Context, c *api.Call) {
	s.await(ctx, c, func() bool {
		_, n, err := s.nodegroupOf(c)
		return err == nil && n.Nodegroup.Status != statusActive
	})
}

func (s *Service) listNodegroups(_ context.Context, c *api.Call) (any, error) {
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, n := range s.nodegroupsOf(rec) {
		names = append(names, n.Nodegroup.NodegroupName)
	}
	return listAnswer(c, "nodegroups", itself, names)
}

func (s *Service) deleteNodegroup(ctx context.Context, c *api.Call) (any, error) {
	_, n, err := s.nodegroupOf(c)
	if err != nil {
		return nil, err
	}
	if n.Nodegroup.Status != statusDeleting {
		n.setStatus(statusDeleting, c.Now)
	}
	gone := n.Nodegroup
	n.sendAway(allOf(n.Members), c.Now)
	if err := s.saveNodegroup(n); err != nil {
		return nil, err
	}
	if err := s.finishMembers(ctx, n, c.Now); err != nil {
		s.log.Warn("nodes do not go yet", "nodegroup", n.Nodegroup.NodegroupARN, "error", err)
	}
	return nodegroupAnswer{gone}, nil
}

func (n *nodegroup) setStatus(status string, now time.Time) {
	n.Nodegroup.Status, n.Since, n.Nodegroup.ModifiedAt = status, at(now), at(now)
}

// settleParts takes the steps that are due for a cluster's node groups and add-ons.
func (s *Service) settleParts(ctx context.Context, rec *cluster, now time.Time) error {
	for _, n := range s.nodegroupsOf(rec) {
		s.moveNodegroup(ctx, &n, now)
	}
	for _, a := range s.addonsOf(rec) {
		if _, err := s.settleAddon(&a, now); err != nil {
			return err
		}
	}
	return nil
}

// groupTags are the tags that EKS gives to an autoscaling group.
func (n *nodegroup) groupTags() map[string]string {
	name := n.Nodegroup.ClusterName
	return map[string]string{
		"eks:cluster-name":                  name,
		"eks:nodegroup-name":                n.Nodegroup.NodegroupName,
		"k8s.io/cluster-autoscaler/enabled": "true",
		"k8s.io/cluster-autoscaler/" + name: "owned",
		"kubernetes.io/cluster/" + name:     "owned",
	}
}

// instanceTags are the tags that EKS gives to an instance.
func (n *nodegroup) instanceTags() map[string]string {
	tags := maps.Clone(n.groupTags())
	tags["aws:autoscaling:groupName"] = n.Group
	tags["aws:eks:cluster-name"] = n.Nodegroup.ClusterName
	return tags
}
