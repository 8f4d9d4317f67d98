// Package eks simulates Amazon EKS: clusters, managed node groups, add-ons, and
// who may log in to a cluster. What AWS runs behind that API (control planes and
// kubelets) is a DataPlane's; EC2, Auto Scaling and IAM are reached through the
// interfaces in ports.go.
//
// Every resource is a record in the store with a status, and every change of a
// status is a step from one stored record to the next (see cluster_state.go and
// nodegroup_state.go). A step is taken when somebody looks at the resource and in
// the background, and repeats what a killed simulator left undone.
package eks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
	"kargo.dev/kargo/awssim/store"
)

const (
	serviceName = "eks"
	// tick is how often the background looks for steps to take.
	tick = 500 * time.Millisecond
)

// Options are what the service needs.
type Options struct {
	Store      *store.Store
	Clock      api.Clock
	DataPlane  DataPlane
	Network    Network
	Instances  Instances
	Groups     Groups
	Principals Principals
	Log        *slog.Logger // slog.Default if nil
}

// Service is the simulated EKS. It is safe for concurrent use.
type Service struct {
	clock      api.Clock
	quotas     *quota.Book
	plane      DataPlane
	network    Network
	instances  Instances
	groups     Groups
	principals Principals
	log        *slog.Logger

	clusters     *store.Table[cluster]
	nodegroups   *store.Table[nodegroup]
	addons       *store.Table[addon]
	entries      *store.Table[accessEntry]
	associations *store.Table[podIdentity]
	providers    *store.Table[identityProvider]
	updates      *store.Table[update]

	turns   sync.Map // account → *sync.Mutex
	told    sync.Map // what the data plane was last told of a cluster or node group
	running sync.WaitGroup
}

var _ api.Service = (*Service)(nil)

// New returns the service on the state in the store. Nothing runs before Start.
func New(o Options) (*Service, error) {
	if o.Store == nil || o.DataPlane == nil || o.Network == nil || o.Instances == nil || o.Groups == nil || o.Principals == nil {
		return nil, errors.New("eks: Options.Store, DataPlane, Network, Instances, Groups and Principals are required")
	}
	if o.Clock.Now == nil {
		o.Clock.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	limits, err := quota.Open(o.Store, o.Clock)
	if err != nil {
		return nil, fmt.Errorf("eks: %w", err)
	}
	return &Service{
		clock: o.Clock, quotas: limits, plane: o.DataPlane, network: o.Network, instances: o.Instances,
		groups: o.Groups, principals: o.Principals, log: o.Log,
		clusters:     store.NewTable[cluster](o.Store, "eks-clusters"),
		nodegroups:   store.NewTable[nodegroup](o.Store, "eks-nodegroups"),
		addons:       store.NewTable[addon](o.Store, "eks-addons"),
		entries:      store.NewTable[accessEntry](o.Store, "eks-access-entries"),
		associations: store.NewTable[podIdentity](o.Store, "eks-pod-identity-associations"),
		providers:    store.NewTable[identityProvider](o.Store, "eks-identity-providers"),
		updates:      store.NewTable[update](o.Store, "eks-updates"),
	}, nil
}

// Start tells the data plane of all clusters and nodes there are, and then
// drives changes forward until ctx is done. It returns after the first round.
func (s *Service) Start(ctx context.Context) {
	s.settleAll(ctx)
	s.running.Go(func() {
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				s.settleAll(ctx)
			}
		}
	})
}

// Wait returns when what Start began has ended; cancel Start's context first.
func (s *Service) Wait() { s.running.Wait() }

// settleAll takes the steps that are due in all accounts.
func (s *Service) settleAll(ctx context.Context) {
	var accounts []string
	for key := range s.clusters.All() {
		if !slices.Contains(accounts, key.Account) {
			accounts = append(accounts, key.Account)
		}
	}
	for _, account := range accounts {
		if ctx.Err() != nil {
			return
		}
		s.settleAccount(ctx, account)
	}
}

func (s *Service) settleAccount(ctx context.Context, account string) {
	defer s.turn(account)()
	now := s.clock.Now()
	for _, c := range s.clusters.List(account, "") {
		s.moveCluster(ctx, &c, now)
	}
	for _, n := range s.nodegroups.List(account, "") {
		s.moveNodegroup(ctx, &n, now)
	}
}

// turn waits for an account's turn: its records are read, changed and written
// by one at a time.
func (s *Service) turn(account string) (done func()) {
	mu, _ := s.turns.LoadOrStore(account, &sync.Mutex{})
	mu.(*sync.Mutex).Lock()
	return mu.(*sync.Mutex).Unlock
}

// Name implements api.Service.
func (s *Service) Name() string { return serviceName }

// Protocol implements api.Service.
func (s *Service) Protocol() api.Protocol { return api.RESTJSON }

// XMLNamespace implements api.Service.
func (s *Service) XMLNamespace() string { return "" }

// Operations implements api.Service.
func (s *Service) Operations() []api.Operation {
	ops := slices.Concat(
		s.clusterOperations(), s.nodegroupOperations(), s.updateOperations(), s.addonOperations(),
		s.accessOperations(), s.podIdentityOperations(), s.identityProviderOperations(),
		s.tagOperations(), s.insightOperations(),
	)
	for i := range ops {
		ops[i].Handle = s.inTurn(ops[i].Handle)
	}
	return ops
}

// inTurn makes a handler wait for its account's turn.
func (s *Service) inTurn(h handler) handler {
	return func(ctx context.Context, c *api.Call) (any, error) {
		defer s.turn(c.Caller.AccountID)()
		return h(ctx, c)
	}
}

// Inventory implements api.Service.
func (s *Service) Inventory(account string) []api.Resource {
	var list []api.Resource
	add := func(kind, id, arn, state, region string, tags map[string]string) {
		list = append(list, api.Resource{Service: serviceName, Type: kind, ID: id, ARN: arn, State: state, Region: region, Tags: tags})
	}
	for _, v := range s.entries.List(account, "") {
		add("access-entry", v.ClusterName+"/"+v.PrincipalARN, v.AccessEntryARN, "", v.Region, v.Tags)
	}
	for _, v := range s.addons.List(account, "") {
		add("addon", v.ClusterName+"/"+v.AddonName, v.AddonARN, v.Status, v.Region, v.Tags)
	}
	for _, v := range s.clusters.List(account, "") {
		add("cluster", v.Cluster.Name, v.Cluster.ARN, v.Cluster.Status, v.Region, v.Cluster.Tags)
	}
	for _, v := range s.providers.List(account, "") {
		add("identity-provider-config", v.ClusterName+"/"+v.IdentityProviderConfigName, v.IdentityProviderConfigARN, v.Status, v.Region, v.Tags)
	}
	for _, v := range s.nodegroups.List(account, "") {
		add("nodegroup", v.Nodegroup.ClusterName+"/"+v.Nodegroup.NodegroupName, v.Nodegroup.NodegroupARN, v.Nodegroup.Status, v.Region, v.Nodegroup.Tags)
	}
	for _, v := range s.associations.List(account, "") {
		add("pod-identity-association", v.ClusterName+"/"+v.AssociationID, v.AssociationARN, "", v.Region, v.Tags)
	}
	return list
}
