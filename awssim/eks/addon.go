package eks

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"kargo.dev/kargo/awssim/api"
)

// addonTakes is how long AWS takes to install, change or remove an add-on.
const addonTakes = time.Minute

// Addon is EKS's description of an add-on of a cluster. The simulator keeps the
// record only: what an add-on installs, the data plane has anyway or not at all.
type Addon struct {
	AddonName               string            `json:"addonName"`
	ClusterName             string            `json:"clusterName"`
	Status                  string            `json:"status"`
	AddonVersion            string            `json:"addonVersion"`
	Health                  AddonHealth       `json:"health"`
	AddonARN                string            `json:"addonArn"`
	CreatedAt               Time              `json:"createdAt"`
	ModifiedAt              Time              `json:"modifiedAt"`
	ServiceAccountRoleARN   string            `json:"serviceAccountRoleArn,omitempty"`
	Tags                    map[string]string `json:"tags"`
	Owner                   string            `json:"owner"`
	Publisher               string            `json:"publisher"`
	ConfigurationValues     string            `json:"configurationValues,omitempty"`
	PodIdentityAssociations []string          `json:"podIdentityAssociations,omitempty"`
}

// AddonHealth lists what is wrong with an add-on.
type AddonHealth struct {
	Issues []Issue `json:"issues"`
}

// addon is the record of an add-on.
type addon struct {
	Addon
	Account, Region string
	Token           string
	Running         string // id of the update in progress
}

func (s *Service) addonOperations() []api.Operation {
	const path = "/clusters/{clusterName}/addons"
	return []api.Operation{
		{Name: "CreateAddon", Method: http.MethodPost, Path: path, Handle: s.createAddon},
		{Name: "DescribeAddon", Method: http.MethodGet, Path: path + "/{addonName}", Handle: s.describeAddon},
		{Name: "ListAddons", Method: http.MethodGet, Path: path, Handle: s.listAddons},
		{Name: "UpdateAddon", Method: http.MethodPost, Path: path + "/{addonName}/update", Handle: s.updateAddon},
		{Name: "DeleteAddon", Method: http.MethodDelete, Path: path + "/{addonName}", Handle: s.deleteAddon},
		{Name: "DescribeAddonVersions", Method: http.MethodGet, Path: "/addons/supported-versions", Handle: s.describeAddonVersions},
	}
}

type addonAnswer struct {
	Addon Addon `json:"addon"`
}

func (s *Service) addonsOf(rec *cluster) []addon {
	return slices.DeleteFunc(s.addons.List(rec.Account, rec.Region), func(a addon) bool { return a.ClusterName != rec.Cluster.Name })
}

func (s *Service) saveAddon(a *addon) error {
	return s.addons.Put(a.Account, a.Region, partID(a.ClusterName, a.AddonName), *a)
}

// addonOf returns the add-on that the path names as it is now.
func (s *Service) addonOf(c *api.Call) (*cluster, *addon, error) {
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, nil, err
	}
	a, ok := s.addons.Get(rec.Account, rec.Region, partID(rec.Cluster.Name, c.Path["addonName"]))
	if ok {
		gone, err := s.settleAddon(&a, c.Now)
		if err != nil {
			return nil, nil, err
		}
		ok = !gone
	}
	if !ok {
		return nil, nil, notFound("No addon: %s found in cluster: %s", c.Path["addonName"], rec.Cluster.Name)
	}
	return rec, &a, nil
}

// settleAddon ends what is in progress when AWS would be done.
func (s *Service) settleAddon(a *addon, now time.Time) (gone bool, err error) {
	if a.Status == statusActive || !s.passed(a.ModifiedAt, now, addonTakes) {
		return false, nil
	}
	if a.Status == statusDeleting {
		return true, s.addons.Delete(a.Account, a.Region, partID(a.ClusterName, a.AddonName))
	}
	done := a.Running
	a.Status, a.Running, a.ModifiedAt = statusActive, "", at(now)
	if err := s.saveAddon(a); err != nil || done == "" {
		return false, err
	}
	return false, s.finishUpdate(a.Account, a.Region, done, updateSuccessful, "")
}

type addonInput struct {
	AddonName             string            `json:"addonName"`
	AddonVersion          string            `json:"addonVersion"`
	ServiceAccountRoleARN string            `json:"serviceAccountRoleArn"`
	ResolveConflicts      string            `json:"resolveConflicts"`
	ClientRequestToken    string            `json:"clientRequestToken"`
	Tags                  map[string]string `json:"tags"`
	ConfigurationValues   string            `json:"configurationValues"`
}

// check refuses what EKS refuses for a cluster.
func (s *Service) checkAddon(rec *cluster, in addonInput) error {
	if in.ServiceAccountRoleARN != "" {
		owner, name, ok := roleOfARN(in.ServiceAccountRoleARN)
		if !ok || owner != rec.Account {
			return accessDenied("Cross-account pass role is not allowed.")
		}
		if _, ok := s.principals.Role(owner, name); !ok {
			return invalidParameter("The role %s does not exist.", in.ServiceAccountRoleARN)
		}
	}
	if r := in.ResolveConflicts; r != "" && r != "NONE" && r != "OVERWRITE" && r != "PRESERVE" {
		return invalidParameter("Invalid resolveConflicts: %s", r)
	}
	// EKS takes YAML as well; the simulator looks at JSON only.
	if v := in.ConfigurationValues; v != "" && v[0] == '{' && !json.Valid([]byte(v)) {
		return invalidParameter("ConfigurationValue is not in valid JSON format")
	}
	return nil
}

func (s *Service) createAddon(_ context.Context, c *api.Call) (any, error) {
	var in addonInput
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	if old, ok := s.addons.Get(rec.Account, rec.Region, partID(rec.Cluster.Name, in.AddonName)); ok {
		if in.ClientRequestToken != "" && old.Token == in.ClientRequestToken {
			return addonAnswer{old.Addon}, nil
		}
		return nil, inUse("Addon already exists.")
	}
	if _, err := s.liveCluster(c); err != nil {
		return nil, err
	}
	version, err := addonVersion(in.AddonName, cmp.Or(in.AddonVersion, "default"), rec.Cluster.Version)
	if err != nil {
		return nil, err
	}
	if err := s.checkAddon(rec, in); err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	a := addon{
		Account: rec.Account, Region: rec.Region, Token: in.ClientRequestToken,
		Addon: Addon{
			AddonName: in.AddonName, ClusterName: rec.Cluster.Name, Status: statusCreating, AddonVersion: version,
			AddonARN:  arn(rec.Account, rec.Region, "addon/"+rec.Cluster.Name+"/"+in.AddonName+"/"+newUUID()),
			CreatedAt: at(c.Now), ModifiedAt: at(c.Now), ServiceAccountRoleARN: in.ServiceAccountRoleARN, Tags: copyTags(in.Tags),
			Owner: "aws", Publisher: "eks", ConfigurationValues: in.ConfigurationValues, Health: AddonHealth{Issues: []Issue{}},
		},
	}
	return addonAnswer{a.Addon}, s.saveAddon(&a)
}

func (s *Service) describeAddon(_ context.Context, c *api.Call) (any, error) {
	_, a, err := s.addonOf(c)
	if err != nil {
		return nil, err
	}
	return addonAnswer{a.Addon}, nil
}

func (s *Service) listAddons(_ context.Context, c *api.Call) (any, error) {
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, a := range s.addonsOf(rec) {
		gone, err := s.settleAddon(&a, c.Now)
		if err != nil {
			return nil, err
		}
		if !gone {
			names = append(names, a.AddonName)
		}
	}
	return listAnswer(c, "addons", itself, names)
}

func (s *Service) updateAddon(_ context.Context, c *api.Call) (any, error) {
	var in addonInput
	if err := decode(c, &in); err != nil {
		return nil, err
	}
	rec, a, err := s.addonOf(c)
	if err != nil {
		return nil, err
	}
	if old, ok := s.updateByToken(rec, in.ClientRequestToken); ok {
		return old, nil
	}
	if a.Running != "" {
		return nil, inUse("Addon %s currently has update %s in progress", a.AddonName, a.Running)
	}
	var params []UpdateParam
	if in.AddonVersion != "" {
		if a.AddonVersion, err = addonVersion(a.AddonName, in.AddonVersion, rec.Cluster.Version); err != nil {
			return nil, err
		}
		params = append(params, UpdateParam{"AddonVersion", in.AddonVersion})
	}
	if err := s.checkAddon(rec, in); err != nil {
		return nil, err
	}
	if in.ServiceAccountRoleARN != "" {
		a.ServiceAccountRoleARN = in.ServiceAccountRoleARN
		params = append(params, UpdateParam{"ServiceAccountRoleArn", in.ServiceAccountRoleARN})
	}
	if in.ConfigurationValues != "" {
		a.ConfigurationValues = in.ConfigurationValues
		params = append(params, UpdateParam{"ConfigurationValues", in.ConfigurationValues})
	}
	if in.ResolveConflicts != "" {
		params = append(params, UpdateParam{"ResolveConflicts", in.ResolveConflicts})
	}
	u := newUpdate(c, in.ClientRequestToken, rec.Cluster.Name, "AddonUpdate", params)
	u.Addon = a.AddonName
	if err := s.updates.Put(rec.Account, rec.Region, u.Update.ID, u); err != nil {
		return nil, err
	}
	a.Status, a.ModifiedAt, a.Running = statusUpdating, at(c.Now), u.Update.ID
	return updateAnswer{u.Update}, s.saveAddon(a)
}

func (s *Service) deleteAddon(_ context.Context, c *api.Call) (any, error) {
	_, a, err := s.addonOf(c)
	if err != nil {
		return nil, err
	}
	a.Status, a.ModifiedAt = statusDeleting, at(c.Now)
	return addonAnswer{a.Addon}, s.saveAddon(a)
}
