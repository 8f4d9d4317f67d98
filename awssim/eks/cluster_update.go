package eks

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kargo.dev/kargo/awssim/api"
)

type updateClusterConfigInput struct {
	ResourcesVPCConfig *vpcConfigInput `json:"resourcesVpcConfig"`
	Logging            *Logging        `json:"logging"`
	AccessConfig       *struct {
		AuthenticationMode string `json:"authenticationMode"`
	} `json:"accessConfig"`
	UpgradePolicy      *UpgradePolicy `json:"upgradePolicy"`
	DeletionProtection *bool          `json:"deletionProtection"`
	ClientRequestToken string         `json:"clientRequestToken"`
}

// clusterChange is what one update does to a cluster.
type clusterChange struct {
	kind   string // AWS's type of the update
	params []UpdateParam
	apply  func(*Cluster)
	check  func() error // runs after the check that nothing else is in progress
}

func (s *Service) updateClusterConfig(_ context.Context, c *api.Call) (any, error) {
	var in updateClusterConfigInput
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	var changes []clusterChange
	if in.ResourcesVPCConfig != nil {
		changes = append(changes, s.vpcChange(rec, *in.ResourcesVPCConfig))
	}
	if in.Logging != nil {
		changes = append(changes, loggingChange(rec.Cluster.Logging, *in.Logging))
	}
	if in.AccessConfig != nil {
		changes = append(changes, accessChange(rec.Cluster.AccessConfig.AuthenticationMode, in.AccessConfig.AuthenticationMode))
	}
	if in.UpgradePolicy != nil {
		changes = append(changes, policyChange(rec.Cluster.UpgradePolicy.SupportType, in.UpgradePolicy.SupportType))
	}
	if in.DeletionProtection != nil {
		changes = append(changes, protectionChange(*in.DeletionProtection))
	}
	switch len(changes) {
	case 0:
		return nil, invalidParameter("Invalid type for cluster update.")
	case 1:
	default:
		return nil, invalidParameter("Only one type of update can be allowed.")
	}
	return s.beginClusterUpdate(rec, c, in.ClientRequestToken, changes[0])
}

// beginClusterUpdate makes the cluster UPDATING, once per token. What is
// configured counts at once; the status tells when AWS would be done.
func (s *Service) beginClusterUpdate(rec *cluster, c *api.Call, token string, change clusterChange) (any, error) {
	if old, ok := s.updateByToken(rec, token); ok {
		return old, nil
	}
	if rec.Running != nil {
		return nil, inUse("Cannot %s because cluster %s currently has update %s in progress", change.kind, rec.Cluster.Name, rec.Running.ID)
	}
	if rec.Cluster.Status != statusActive {
		return nil, inUse("Cannot %s because cluster %s is %s", change.kind, rec.Cluster.Name, rec.Cluster.Status)
	}
	if change.check != nil {
		if err := change.check(); err != nil {
			return nil, err
		}
	}
	u := newUpdate(c, token, rec.Cluster.Name, change.kind, change.params)
	if err := s.updates.Put(rec.Account, rec.Region, u.Update.ID, u); err != nil {
		return nil, err
	}
	if change.apply != nil {
		change.apply(&rec.Cluster)
	}
	rec.Cluster.Status, rec.Since = statusUpdating, at(c.Now)
	rec.Running = &clusterUpdate{ID: u.Update.ID, Caller: c.Caller.ARN}
	if change.kind == versionUpdate {
		rec.Running.Version = change.params[0].Value
	}
	err := s.saveCluster(rec)
	if err == nil && change.kind == accessUpdate {
		err = s.bootstrapNodeRoles(rec, c)
	}
	return updateAnswer{u.Update}, err
}

func (s *Service) vpcChange(rec *cluster, in vpcConfigInput) clusterChange {
	old := rec.Cluster.ResourcesVPCConfig
	merged := mergeVPCConfig(old, in)
	change := clusterChange{
		kind:  "EndpointAccessUpdate",
		apply: func(c *Cluster) { c.ResourcesVPCConfig = merged },
		params: []UpdateParam{
			{"EndpointPublicAccess", strconv.FormatBool(merged.EndpointPublicAccess)},
			{"EndpointPrivateAccess", strconv.FormatBool(merged.EndpointPrivateAccess)},
			{"PublicAccessCidrs", jsonList(merged.PublicAccessCIDRs)},
		},
	}
	moved := len(in.SubnetIDs) > 0 || in.SecurityGroupIDs != nil
	if moved {
		change.kind = "VpcConfigUpdate"
		change.params = []UpdateParam{{"Subnets", jsonList(merged.SubnetIDs)}, {"SecurityGroups", jsonList(merged.SecurityGroupIDs)}}
	}
	change.check = func() error {
		if !merged.EndpointPublicAccess && !merged.EndpointPrivateAccess {
			return invalidParameter("Private and public endpoint access cannot both be disabled.")
		}
		if moved {
			subnets, err := s.checkClusterNetwork(rec.Account, rec.Region, vpcConfigInput{SubnetIDs: merged.SubnetIDs, SecurityGroupIDs: merged.SecurityGroupIDs})
			if err != nil {
				return err
			}
			if subnets[0].VPCID != old.VPCID {
				return invalidParameter("Provided subnets %s are not in the VPC %s of the cluster.", jsonList(merged.SubnetIDs), old.VPCID)
			}
		}
		if slices.Equal(merged.SubnetIDs, old.SubnetIDs) && slices.Equal(merged.SecurityGroupIDs, old.SecurityGroupIDs) &&
			merged.EndpointPublicAccess == old.EndpointPublicAccess && merged.EndpointPrivateAccess == old.EndpointPrivateAccess &&
			sameSet(merged.PublicAccessCIDRs, old.PublicAccessCIDRs) {
			return invalidParameter("Cluster is already at the desired configuration with endpointPrivateAccess: %t , endpointPublicAccess: %t, and Public Endpoint Restrictions: %s",
				old.EndpointPrivateAccess, old.EndpointPublicAccess, jsonList(old.PublicAccessCIDRs))
		}
		return checkCIDRs(in.PublicAccessCIDRs)
	}
	return change
}

func loggingChange(old, in Logging) clusterChange {
	merged := mergeLogging(old, in)
	return clusterChange{
		kind:   "LoggingUpdate",
		params: []UpdateParam{{"ClusterLogging", fmt.Sprintf(`{"clusterLogging":%s}`, jsonList(in.ClusterLogging))}},
		apply:  func(c *Cluster) { c.Logging = merged },
		check: func() error {
			if err := checkLogging(in); err != nil {
				return err
			}
			if sameSet(enabledLogs(old), enabledLogs(merged)) {
				return invalidParameter("No changes needed for the logging config provided")
			}
			return nil
		},
	}
}

func policyChange(old, supportType string) clusterChange {
	return clusterChange{
		kind:   "UpgradePolicyUpdate",
		params: []UpdateParam{{"UpgradePolicy", supportType}},
		apply:  func(c *Cluster) { c.UpgradePolicy.SupportType = supportType },
		check: func() error {
			if supportType == "" {
				return invalidParameter("upgradePolicy needs a supportType.")
			}
			if supportType == old {
				return invalidParameter("Cluster is already at the desired configuration with supportType: %s", old)
			}
			return checkSupportType(supportType)
		},
	}
}

func protectionChange(on bool) clusterChange {
	return clusterChange{
		kind:   "DeletionProtectionUpdate",
		params: []UpdateParam{{"DeletionProtection", strconv.FormatBool(on)}},
		apply:  func(c *Cluster) { c.DeletionProtection = on },
	}
}

// accessChange only goes forward: CONFIG_MAP, API_AND_CONFIG_MAP, API.
func accessChange(old, mode string) clusterChange {
	return clusterChange{
		kind:   accessUpdate,
		params: []UpdateParam{{"AuthenticationMode", mode}},
		apply:  func(c *Cluster) { c.AccessConfig.AuthenticationMode = mode },
		check: func() error {
			modes := authenticationModes()
			if slices.Index(modes, mode) != slices.Index(modes, old)+1 {
				return invalidParameter("Unsupported authentication mode update from %s to %s", old, mode)
			}
			return nil
		},
	}
}

func (s *Service) updateClusterVersion(_ context.Context, c *api.Call) (any, error) {
	var in struct {
		Version            string `json:"version"`
		ClientRequestToken string `json:"clientRequestToken"`
	}
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	version, _ := findVersion(in.Version)
	return s.beginClusterUpdate(rec, c, in.ClientRequestToken, clusterChange{
		kind:   versionUpdate,
		params: []UpdateParam{{"Version", in.Version}, {"PlatformVersion", version.Platform}},
		check: func() error {
			if err := checkStep(rec.Cluster.Version, in.Version); err != nil {
				return err
			}
			return s.checkSkew(rec, in.Version)
		},
	})
}

// checkSkew refuses a control plane version that is too new for a node group.
func (s *Service) checkSkew(rec *cluster, version string) error {
	var behind []string
	for _, n := range s.nodegroupsOf(rec) {
		if minor(version)-minor(n.Nodegroup.Version) > kubeletSkew {
			behind = append(behind, n.Nodegroup.NodegroupName)
		}
	}
	if len(behind) > 0 {
		return invalidRequest("Nodegroups %s must be updated to match cluster version %s before updating cluster version", strings.Join(behind, ", "), rec.Cluster.Version)
	}
	return nil
}

func (s *Service) associateEncryptionConfig(_ context.Context, c *api.Call) (any, error) {
	var in struct {
		EncryptionConfig   []EncryptionConfig `json:"encryptionConfig"`
		ClientRequestToken string             `json:"clientRequestToken"`
	}
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	return s.beginClusterUpdate(rec, c, in.ClientRequestToken, clusterChange{
		kind:   "AssociateEncryptionConfig",
		params: []UpdateParam{{"EncryptionConfig", jsonList(in.EncryptionConfig)}},
		apply:  func(cl *Cluster) { cl.EncryptionConfig = in.EncryptionConfig },
		check: func() error {
			if len(rec.Cluster.EncryptionConfig) > 0 {
				return invalidParameter("Cluster %s already has an encryption config", rec.Cluster.Name)
			}
			if len(in.EncryptionConfig) == 0 {
				return invalidParameter("encryptionConfig must not be empty.")
			}
			return checkEncryption(in.EncryptionConfig)
		},
	})
}
