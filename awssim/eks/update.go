package eks

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"kargo.dev/kargo/awssim/api"
)

const (
	versionUpdate = "VersionUpdate"
	configUpdate  = "ConfigUpdate"
	accessUpdate  = "AccessConfigUpdate"

	updateInProgress = "InProgress"
	updateSuccessful = "Successful"
	updateFailed     = "Failed"
)

// update is the record of an update, and what it belongs to.
type update struct {
	Update                    Update
	Token                     string
	Cluster, Nodegroup, Addon string
}

type updateAnswer struct {
	Update Update `json:"update"`
}

func newUpdate(c *api.Call, token, clusterName, kind string, params []UpdateParam) update {
	return update{
		Cluster: clusterName, Token: token,
		Update: Update{ID: newUUID(), Status: updateInProgress, Type: kind, Params: params, CreatedAt: at(c.Now), Errors: []UpdateError{}},
	}
}

// updateByToken finds the update that a repeated call has already begun.
func (s *Service) updateByToken(rec *cluster, token string) (updateAnswer, bool) {
	if token == "" {
		return updateAnswer{}, false
	}
	all := s.updates.List(rec.Account, rec.Region)
	i := slices.IndexFunc(all, func(u update) bool { return u.Cluster == rec.Cluster.Name && u.Token == token })
	if i < 0 {
		return updateAnswer{}, false
	}
	return updateAnswer{all[i].Update}, true
}

// finishUpdate ends an update; why tells why it failed.
func (s *Service) finishUpdate(account, region, id, status, why string) error {
	u, ok := s.updates.Get(account, region, id)
	if !ok {
		return nil
	}
	u.Update.Status = status
	if why != "" {
		u.Update.Errors = []UpdateError{{Code: "Unknown", Message: why, ResourceIDs: []string{u.Cluster}}}
	}
	return s.updates.Put(account, region, id, u)
}

func (s *Service) updateOperations() []api.Operation {
	return []api.Operation{
		{Name: "DescribeUpdate", Method: http.MethodGet, Path: "/clusters/{name}/updates/{updateId}", Handle: s.describeUpdate},
		{Name: "ListUpdates", Method: http.MethodGet, Path: "/clusters/{name}/updates", Handle: s.listUpdates},
	}
}

// describeUpdate counts as a look at the cluster for whoever began the update.
func (s *Service) describeUpdate(ctx context.Context, c *api.Call) (any, error) {
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	id := c.Path["updateId"]
	if r := rec.Running; r != nil && r.ID == id && !r.Seen && r.Caller == c.Caller.ARN {
		r.Seen = true
		if err := s.saveCluster(rec); err != nil {
			return nil, err
		}
	} else {
		s.moveCluster(ctx, rec, c.Now)
	}
	if err := s.settleParts(ctx, rec, c.Now); err != nil {
		return nil, err
	}
	u, ok := s.updates.Get(rec.Account, rec.Region, id)
	if !ok || u.Cluster != rec.Cluster.Name || u.Nodegroup != c.Params.Get("nodegroupName") || u.Addon != c.Params.Get("addonName") {
		return nil, notFound("No update found for ID: %s", id)
	}
	return updateAnswer{u.Update}, nil
}

func (s *Service) listUpdates(_ context.Context, c *api.Call) (any, error) {
	rec, err := s.clusterOf(c)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, u := range s.updates.List(rec.Account, rec.Region) {
		if u.Cluster == rec.Cluster.Name && u.Nodegroup == c.Params.Get("nodegroupName") && u.Addon == c.Params.Get("addonName") {
			ids = append(ids, u.Update.ID)
		}
	}
	return listAnswer(c, "updateIds", itself, ids)
}

// jsonList writes a list as AWS writes it into the value of an update's parameter.
func jsonList[T any](list []T) string {
	raw, err := json.Marshal(list)
	if err != nil || list == nil {
		return "[]"
	}
	return string(raw)
}
