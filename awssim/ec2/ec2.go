// Package ec2 simulates Amazon EC2 as far as clusters need it: VPCs and what
// they are made of, security groups, instances, launch templates, and the
// answers about regions, zones and instance types. What it knows of quotas,
// regions and instance types is data (see packages quota and regions, and the
// embedded files).
//
// Other simulated services use it from Go: EKS makes its cluster security
// groups, network interfaces and instances here (see eks.go).
package ec2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
	"kargo.dev/kargo/awssim/regions"
	"kargo.dev/kargo/awssim/store"
)

// serviceName is EC2's signing name and its part of an ARN.
const serviceName = "ec2"

// Options are what the service needs.
type Options struct {
	Store *store.Store
	Clock api.Clock
}

// Service is the simulated EC2. It is safe for concurrent use.
type Service struct {
	clock   api.Clock
	quotas  *quota.Book
	regions *regions.Book
	world   world

	turns sync.Map // account → *sync.Mutex

	vpcs       *kind[vpc]
	subnets    *kind[subnet]
	igws       *kind[internetGateway]
	eigws      *kind[egressOnlyGateway]
	cagws      *kind[carrierGateway]
	nats       *kind[natGateway]
	addresses  *kind[address]
	tables     *kind[routeTable]
	groups     *kind[securityGroup]
	rules      *kind[securityGroupRule]
	interfaces *kind[networkInterface]
	acls       *kind[networkACL]
	dhcp       *kind[dhcpOptions]
	instances  *kind[instance]
	endpoints  *kind[vpcEndpoint]
	templates  *kind[launchTemplate]
	ipams      *kind[ipam]
	pools      *kind[ipamPool]
	poolBlocks *kind[ipamPoolBlock]
	allotments *kind[ipamAllocation]
	kinds      []anyKind

	transitions *store.Table[transition]
	tokens      *store.Table[token]
}

var _ api.Service = (*Service)(nil)

// New returns the service on the state in the store.
func New(o Options) (*Service, error) {
	if o.Store == nil {
		return nil, errors.New("ec2: Options.Store is required")
	}
	if o.Clock.Now == nil {
		o.Clock.Now = time.Now
	}
	book, err := regions.Open(o.Store, o.Clock)
	if err != nil {
		return nil, fmt.Errorf("ec2: %w", err)
	}
	w, err := loadWorld(book.List())
	if err != nil {
		return nil, fmt.Errorf("ec2: %w", err)
	}
	limits, err := quota.Open(o.Store, o.Clock)
	if err != nil {
		return nil, fmt.Errorf("ec2: %w", err)
	}
	s := &Service{clock: o.Clock, quotas: limits, regions: book, world: w}
	s.transitions = store.NewTable[transition](o.Store, "ec2-transitions")
	s.tokens = store.NewTable[token](o.Store, "ec2-client-tokens")
	s.bind(o.Store)
	if err := s.sweep(); err != nil {
		return nil, fmt.Errorf("ec2: %w", err)
	}
	return s, nil
}

// bind opens the table of every kind of resource.
func (s *Service) bind(st *store.Store) {
	s.vpcs = bindKind(s, st, vpcKind())
	s.subnets = bindKind(s, st, subnetKind())
	s.igws = bindKind(s, st, internetGatewayKind())
	s.eigws = bindKind(s, st, egressOnlyGatewayKind())
	s.cagws = bindKind(s, st, carrierGatewayKind())
	s.nats = bindKind(s, st, natGatewayKind())
	s.addresses = bindKind(s, st, addressKind())
	s.tables = bindKind(s, st, routeTableKind())
	s.groups = bindKind(s, st, securityGroupKind())
	s.rules = bindKind(s, st, securityGroupRuleKind())
	s.interfaces = bindKind(s, st, networkInterfaceKind())
	s.acls = bindKind(s, st, networkACLKind())
	s.dhcp = bindKind(s, st, dhcpOptionsKind())
	s.instances = bindKind(s, st, instanceKind())
	s.endpoints = bindKind(s, st, vpcEndpointKind())
	s.templates = bindKind(s, st, launchTemplateKind())
	s.ipams = bindKind(s, st, ipamKind())
	s.pools = bindKind(s, st, ipamPoolKind())
	s.poolBlocks = bindKind(s, st, ipamPoolBlockKind())
	s.allotments = bindKind(s, st, ipamAllocationKind())
}

// Name implements api.Service.
func (s *Service) Name() string { return serviceName }

// Protocol implements api.Service.
func (s *Service) Protocol() api.Protocol { return api.EC2Query }

// XMLNamespace implements api.Service.
func (s *Service) XMLNamespace() string { return "http://ec2.amazonaws.com/doc/2016-11-15/" }

// Operations implements api.Service.
func (s *Service) Operations() []api.Operation {
	var ops []api.Operation
	for _, group := range []map[string]handler{
		s.vpcOperations(), s.subnetOperations(), s.gatewayOperations(), s.natGatewayOperations(),
		s.addressOperations(), s.routeTableOperations(), s.securityGroupOperations(),
		s.networkInterfaceOperations(), s.instanceOperations(), s.endpointOperations(),
		s.launchTemplateOperations(), catalogOperations(), tagOperations(),
		s.ipamOperations(), s.ipamPoolOperations(), ipamAllocationOperations(),
	} {
		for name, h := range group {
			ops = append(ops, api.Operation{Name: name, Handle: s.serve(h)})
		}
	}
	return ops
}

// handler answers a call.
type handler func(*request) (any, error)

// request is one call: its form, and the scope it sees.
type request struct {
	scope
	form
	operation string
}

// serve makes a handler an api.Operation: it takes the account's turn, brings
// the state up to the time of the call, and answers dry runs. Whether the caller
// may do it was checked before; AWS then checks some parameters, too.
func (s *Service) serve(h handler) func(context.Context, *api.Call) (any, error) {
	return func(_ context.Context, c *api.Call) (any, error) {
		f := form{c.Params}
		if f.flag("DryRun") {
			return nil, &api.Error{
				Code:       "DryRunOperation",
				Message:    "Request would have succeeded, but DryRun flag is set.",
				HTTPStatus: http.StatusPreconditionFailed,
			}
		}
		sc, done, err := s.enter(c.Caller.AccountID, c.Region, c.Now)
		if err != nil {
			return nil, err
		}
		defer done()
		return h(&request{scope: sc, form: f, operation: c.Operation})
	}
}

// scope is what a caller sees: an account's resources in a region at a time.
type scope struct {
	*Service
	account, region string
	now             time.Time
}

// enter waits for the account's turn and settles what was due by now.
func (s *Service) enter(account, region string, now time.Time) (sc scope, done func(), err error) {
	turn, _ := s.turns.LoadOrStore(account, &sync.Mutex{})
	mu := turn.(*sync.Mutex)
	mu.Lock()
	sc = scope{Service: s, account: account, region: region, now: now.UTC()}
	if err := sc.settle(); err != nil {
		mu.Unlock()
		return scope{}, nil, err
	}
	return sc, mu.Unlock, nil
}

// stamp is the time as EC2 shows it: in whole seconds.
func (sc scope) stamp() time.Time { return sc.now.Truncate(time.Second) }

// arn of a resource of EC2.
func (sc scope) arn(resourceType, id string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s/%s", serviceName, sc.arnRegion(resourceType), sc.account, resourceType, id)
}

// arnRegion is the region in a resource's ARN; those of IPAM have none.
func (sc scope) arnRegion(resourceType string) string {
	if strings.HasPrefix(resourceType, "ipam") {
		return ""
	}
	return sc.region
}
