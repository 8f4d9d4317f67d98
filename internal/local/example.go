package local

import (
	"context"
	"slices"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/internal/local/profile"
)

// Cluster is a cluster of the example fleet.
type Cluster struct {
	Team, Name, Account string
}

// ExampleClusters are the clusters that the first Up creates: one in each of
// the example's prod and nonprod accounts, of the account's name.
func ExampleClusters() []Cluster {
	var res []Cluster
	for _, a := range teamAccounts() {
		if a.Cluster {
			res = append(res, Cluster{Team: a.Team, Name: a.Name, Account: a.Name})
		}
	}
	return res
}

// ExampleCreated records that the example clusters were created, so that those
// somebody deletes stay deleted.
func ExampleCreated(p profile.Profile) error {
	pl, err := p.Load()
	if err != nil {
		return err
	}
	pl.Example = true
	return p.Save(pl)
}

// Simulation is what the simulated AWS says of itself.
type Simulation struct {
	// Resources counts what was made in the accounts, beyond what they began with.
	Resources int
	Accounts  []AccountResources
	// Violations counts calls that touched what is another account's. It must be 0.
	Violations int
}

// AccountResources counts the resources of an account.
type AccountResources struct {
	ID, Name  string
	Resources int
}

// ReadSimulation asks the simulated AWS at an address.
func ReadSimulation(ctx context.Context, url string) (Simulation, error) {
	var inventory struct {
		Accounts []struct {
			Account   string         `json:"account"`
			Name      string         `json:"name"`
			Resources []api.Resource `json:"resources"`
		} `json:"accounts"`
	}
	if err := getJSON(ctx, url+"/_awssim/inventory", &inventory); err != nil {
		return Simulation{}, err
	}
	var violations struct {
		Count int `json:"count"`
	}
	if err := getJSON(ctx, url+"/_awssim/violations", &violations); err != nil {
		return Simulation{}, err
	}
	s := Simulation{Violations: violations.Count}
	for _, a := range inventory.Accounts {
		made := slices.DeleteFunc(a.Resources, func(r api.Resource) bool { return r.Builtin })
		s.Resources += len(made)
		s.Accounts = append(s.Accounts, AccountResources{ID: a.Account, Name: a.Name, Resources: len(made)})
	}
	return s, nil
}
