package eks

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

// scalingConfigInput may leave sizes out.
type scalingConfigInput struct {
	MinSize     *int `json:"minSize"`
	MaxSize     *int `json:"maxSize"`
	DesiredSize *int `json:"desiredSize"`
}

// onto is the configuration after the request, checked; most is the quota of nodes.
func (in scalingConfigInput) onto(sc ScalingConfig, most int) (ScalingConfig, error) {
	if in.MinSize != nil {
		sc.MinSize = *in.MinSize
	}
	if in.MaxSize != nil {
		sc.MaxSize = *in.MaxSize
	}
	if in.DesiredSize != nil {
		sc.DesiredSize = *in.DesiredSize
	} else {
		sc.DesiredSize = min(max(sc.DesiredSize, sc.MinSize), max(sc.MaxSize, sc.MinSize))
	}
	if in.MaxSize == nil && in.MinSize == nil && in.DesiredSize != nil && sc.DesiredSize > sc.MaxSize {
		return sc, invalidParameter("desired capacity %d can't be greater than max size %d", sc.DesiredSize, sc.MaxSize)
	}
	switch {
	case sc.MinSize < 0 || sc.DesiredSize < 0:
		return sc, invalidParameter("minSize and desiredSize must be at least 0.")
	case sc.MaxSize < 1:
		return sc, invalidParameter("maxSize must be at least 1.")
	case sc.MinSize > sc.MaxSize:
		return sc, invalidParameter("min size %d can't be greater than max size %d", sc.MinSize, sc.MaxSize)
	case sc.DesiredSize > sc.MaxSize:
		return sc, invalidParameter("Maximum capacity %d can't be less than desired size %d", sc.MaxSize, sc.DesiredSize)
	case sc.DesiredSize < sc.MinSize:
		return sc, invalidParameter("Minimum capacity %d can't be greater than desired size %d", sc.MinSize, sc.DesiredSize)
	case sc.MaxSize > most:
		return sc, api.Errorf(codeLimit, "A node group can have at most %d nodes.", most)
	}
	return sc, nil
}

func mergeUpdateConfig(old UpdateConfig, in *UpdateConfig) (UpdateConfig, error) {
	if in == nil {
		return old, nil
	}
	if in.MaxUnavailable != 0 && in.MaxUnavailablePercentage != 0 {
		return old, invalidParameter("Only one of maxUnavailable and maxUnavailablePercentage can be specified.")
	}
	if in.MaxUnavailable < 0 || in.MaxUnavailable > 100 || in.MaxUnavailablePercentage < 0 || in.MaxUnavailablePercentage > 100 {
		return old, invalidParameter("maxUnavailable and maxUnavailablePercentage must be between 1 and 100.")
	}
	if in.UpdateStrategy != "" && in.UpdateStrategy != "DEFAULT" && in.UpdateStrategy != "MINIMAL" {
		return old, invalidParameter("Invalid updateStrategy: %s", in.UpdateStrategy)
	}
	merged := *in
	if merged.MaxUnavailable == 0 && merged.MaxUnavailablePercentage == 0 {
		merged.MaxUnavailable, merged.MaxUnavailablePercentage = old.MaxUnavailable, old.MaxUnavailablePercentage
	}
	merged.UpdateStrategy = cmp.Or(in.UpdateStrategy, old.UpdateStrategy)
	return merged, nil
}

// nodeVersion is the version and image release of nodes: not newer than the
// control plane and not too old for it.
func nodeVersion(control, version, release string) (string, string, error) {
	v, ok := findVersion(version)
	if !ok {
		return "", "", invalidParameter("unsupported Kubernetes version")
	}
	if minor(version) > minor(control) {
		return "", "", invalidParameter("The Kubernetes version %s of a node group cannot be newer than the version %s of its cluster.", version, control)
	}
	if minor(control)-minor(version) > kubeletSkew {
		return "", "", invalidParameter("The Kubernetes version %s of a node group is more than %d minor versions older than the version %s of its cluster.", version, kubeletSkew, control)
	}
	if release == "" {
		return version, v.nodeRelease(), nil
	}
	if !slices.Contains(v.NodeReleases, release) {
		return "", "", invalidParameter("Requested release version %s is not valid for kubernetes version %s.", release, version)
	}
	return version, release, nil
}

type updateNodegroupConfigInput struct {
	Labels *struct {
		AddOrUpdate map[string]string `json:"addOrUpdateLabels"`
		Remove      []string          `json:"removeLabels"`
	} `json:"labels"`
	Taints *struct {
		AddOrUpdate []Taint `json:"addOrUpdateTaints"`
		Remove      []Taint `json:"removeTaints"`
	} `json:"taints"`
	ScalingConfig      *scalingConfigInput `json:"scalingConfig"`
	UpdateConfig       *UpdateConfig       `json:"updateConfig"`
	NodeRepairConfig   *NodeRepairConfig   `json:"nodeRepairConfig"`
	ClientRequestToken string              `json:"clientRequestToken"`
}

func (s *Service) updateNodegroupConfig(ctx context.Context, c *api.Call) (any, error) {
	var in updateNodegroupConfigInput
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	return s.changeNodegroup(ctx, c, in.ClientRequestToken, configUpdate, func(_ string, n *nodegroup) ([]UpdateParam, nodegroupUpdate, error) {
		version, release := n.goal()
		params, err := in.onto(&n.Nodegroup, s.quotas.Limit(c.Caller.AccountID, c.Region, quota.NodesPerNodeGroup))
		return params, nodegroupUpdate{Version: version, Release: release}, err
	})
}

// onto changes a node group as asked for, and tells what changes.
func (in updateNodegroupConfigInput) onto(n *Nodegroup, most int) (params []UpdateParam, err error) {
	if in.ScalingConfig != nil {
		if n.ScalingConfig, err = in.ScalingConfig.onto(n.ScalingConfig, most); err != nil {
			return nil, err
		}
		params = append(params,
			UpdateParam{"MinSize", strconv.Itoa(n.ScalingConfig.MinSize)},
			UpdateParam{"MaxSize", strconv.Itoa(n.ScalingConfig.MaxSize)},
			UpdateParam{"DesiredSize", strconv.Itoa(n.ScalingConfig.DesiredSize)})
	}
	if in.Labels != nil {
		labels := map[string]string{}
		maps.Copy(labels, n.Labels)
		maps.Copy(labels, in.Labels.AddOrUpdate)
		for _, key := range in.Labels.Remove {
			delete(labels, key)
		}
		n.Labels = labels
		keys := slices.Sorted(maps.Keys(in.Labels.AddOrUpdate))
		params = append(params, UpdateParam{"LabelsToAdd", jsonList(keys)}, UpdateParam{"LabelsToRemove", jsonList(in.Labels.Remove)})
	}
	if in.Taints != nil {
		same := func(t Taint) func(Taint) bool {
			return func(o Taint) bool { return o.Key == t.Key && o.Effect == t.Effect }
		}
		for _, t := range slices.Concat(in.Taints.Remove, in.Taints.AddOrUpdate) {
			n.Taints = slices.DeleteFunc(n.Taints, same(t))
		}
		n.Taints = append(n.Taints, in.Taints.AddOrUpdate...)
		params = append(params, UpdateParam{"TaintsToAdd", jsonList(in.Taints.AddOrUpdate)}, UpdateParam{"TaintsToRemove", jsonList(in.Taints.Remove)})
	}
	if in.UpdateConfig != nil {
		if n.UpdateConfig, err = mergeUpdateConfig(n.UpdateConfig, in.UpdateConfig); err != nil {
			return nil, err
		}
		params = append(params, UpdateParam{"MaxUnavailable", strconv.Itoa(n.UpdateConfig.MaxUnavailable)}, UpdateParam{"MaxUnavailablePercentage", strconv.Itoa(n.UpdateConfig.MaxUnavailablePercentage)})
	}
	if in.NodeRepairConfig != nil {
		n.NodeRepairConfig = *in.NodeRepairConfig
		params = append(params, UpdateParam{"NodeRepairEnabled", strconv.FormatBool(n.NodeRepairConfig.Enabled)})
	}
	if len(params) == 0 {
		return nil, invalidParameter("No changes provided for the node group %s.", n.NodegroupName)
	}
	return params, checkNodeLabels(n.Labels, n.Taints)
}

// checkIdle refuses a second change while one is in progress.
func (n *nodegroup) checkIdle() error {
	name := n.Nodegroup.NodegroupName
	if n.Running != nil {
		return inUse("Nodegroup %s currently has update %s in progress", name, n.Running.ID)
	}
	if n.Nodegroup.Status != statusActive {
		return inUse("Nodegroup %s cannot be updated because it is currently not in Active State", name)
	}
	return nil
}

// changeNodegroup begins an update of the node group that the path names, once
// per token. change checks it against the control plane's version, applies it to
// the record, and tells AWS's parameters and what the node group is to be after it.
func (s *Service) changeNodegroup(ctx context.Context, c *api.Call, token, kind string,
	change func(control string, n *nodegroup) ([]UpdateParam, nodegroupUpdate, error),
) (any, error) {
	rec, n, err := s.nodegroupOf(c)
	if err != nil {
		return nil, err
	}
	if old, ok := s.updateByToken(rec, token); ok {
		return old, nil
	}
	if err := n.checkIdle(); err != nil {
		return nil, err
	}
	params, running, err := change(rec.Cluster.Version, n)
	if err != nil {
		return nil, err
	}
	u := newUpdate(c, token, rec.Cluster.Name, kind, params)
	u.Nodegroup = n.Nodegroup.NodegroupName
	if err := s.updates.Put(n.Account, n.Region, u.Update.ID, u); err != nil {
		return nil, err
	}
	running.ID = u.Update.ID
	n.Running = &running
	n.setStatus(statusUpdating, c.Now)
	if err := s.saveNodegroup(n); err != nil {
		return nil, err
	}
	s.moveNodegroup(ctx, n, c.Now)
	return updateAnswer{u.Update}, nil
}

type updateNodegroupVersionInput struct {
	Version            string          `json:"version"`
	ReleaseVersion     string          `json:"releaseVersion"`
	LaunchTemplate     *LaunchTemplate `json:"launchTemplate"`
	Force              bool            `json:"force"`
	ClientRequestToken string          `json:"clientRequestToken"`
}

func (s *Service) updateNodegroupVersion(ctx context.Context, c *api.Call) (any, error) {
	var in updateNodegroupVersionInput
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	return s.changeNodegroup(ctx, c, in.ClientRequestToken, versionUpdate, in.onto)
}

// onto decides what a node group is to become, and whether its nodes are replaced.
func (in updateNodegroupVersionInput) onto(control string, n *nodegroup) (params []UpdateParam, goal nodegroupUpdate, err error) {
	wanted := cmp.Or(in.Version, control)
	if in.Version == "" && (in.ReleaseVersion != "" || in.LaunchTemplate != nil) {
		wanted = n.Nodegroup.Version
	}
	version, release, err := nodeVersion(control, wanted, in.ReleaseVersion)
	if err != nil {
		return nil, goal, err
	}
	if minor(version) < minor(n.Nodegroup.Version) {
		return nil, goal, invalidParameter("Nodegroup %s cannot be downgraded from version %s to %s.", n.Nodegroup.NodegroupName, n.Nodegroup.Version, version)
	}
	if in.LaunchTemplate != nil {
		if n.Nodegroup.LaunchTemplate == nil {
			return nil, goal, invalidParameter("You cannot specify a launch template for the node group %s, which was created without one.", n.Nodegroup.NodegroupName)
		}
		if in.Version == "" && in.ReleaseVersion == "" {
			release = n.Nodegroup.ReleaseVersion
		}
	}
	moves := version != n.Nodegroup.Version || release != n.Nodegroup.ReleaseVersion ||
		(in.LaunchTemplate != nil && *in.LaunchTemplate != *n.Nodegroup.LaunchTemplate)
	if moves {
		n.Generation++
	}
	params = []UpdateParam{{"Version", version}, {"ReleaseVersion", release}}
	if in.LaunchTemplate != nil {
		params = append(params, UpdateParam{"LaunchTemplateVersion", strings.TrimSpace(in.LaunchTemplate.Version)})
	}
	return params, nodegroupUpdate{Version: version, Release: release, LaunchTemplate: in.LaunchTemplate}, nil
}
