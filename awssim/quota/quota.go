// Package quota knows the limits that AWS sets to accounts, by the codes of
// Service Quotas: what they are called, AWS's defaults, and every account's own
// values. It is the one source for the services that observe them and for Service
// Quotas, which tells of them.
package quota

import (
	"embed"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/store"
)

// The codes, as the services that observe them need them.
const (
	ElasticIPs            = "L-0263D0A3"
	StandardVCPUs         = "L-1216C47A" // on demand, of the families A, C, D, H, I, M, R, T, Z
	GraphicsVCPUs         = "L-DB2E81BA" // on demand, of the families G and VT
	AcceleratedVCPUs      = "L-417A185B" // on demand, of the family P
	StandardSpotVCPUs     = "L-34B43A08"
	GraphicsSpotVCPUs     = "L-3819A6DF"
	Clusters              = "L-1194D53C"
	NodeGroupsPerCluster  = "L-6D54EA21"
	NodesPerNodeGroup     = "L-BD136A63"
	Accounts              = "L-E619E033"
	VPCs                  = "L-F678F1CE"
	SubnetsPerVPC         = "L-407747CB"
	IPv4BlocksPerVPC      = "L-83CA0A9D"
	IPv6BlocksPerVPC      = "L-085A6257"
	NATGatewaysPerZone    = "L-FE5A380F"
	InternetGateways      = "L-A4707A72"
	EgressOnlyGateways    = "L-45FE3B85"
	RouteTablesPerVPC     = "L-589F43AA"
	RoutesPerTable        = "L-93826ACB"
	SecurityGroups        = "L-E79EC296"
	RulesPerSecurityGroup = "L-0EA8095F" // inbound and outbound counted apart
	GroupsPerInterface    = "L-2AFB9258"
	GatewayEndpoints      = "L-1B52E74A"
	InterfaceEndpoints    = "L-29B6F2EB" // per VPC
)

// globalRegion is where AWS keeps the quotas that are not a region's.
const globalRegion = "us-east-1"

// reviewTakes is how long AWS typically takes to approve a request.
const reviewTakes = 30 * time.Minute

// ErrUnknown is the error for a quota that AWS, or the table of it, has not.
var ErrUnknown = errors.New("there is no such quota")

//go:embed catalogue.csv
var files embed.FS

// Quota is a limit of AWS.
type Quota struct {
	Service     string // its code: vpc
	ServiceName string
	Code        string // L-F678F1CE
	Name        string // VPCs per Region
	Default     float64
	// Begin is what simulated accounts begin with.
	Begin      float64
	Adjustable bool
	Global     bool // one for all regions
}

// Region in which an account's value of the quota is kept.
func (q Quota) Region(region string) string {
	if q.Global {
		return globalRegion
	}
	return region
}

// Book knows the quotas and all accounts' values.
type Book struct {
	clock    api.Clock
	quotas   []Quota
	settings *store.Table[entry]
	requests *store.Table[Request]
}

// Open returns the book on the state in the store.
func Open(s *store.Store, clock api.Clock) (*Book, error) {
	list, err := load()
	if err != nil {
		return nil, fmt.Errorf("quotas: %w", err)
	}
	return &Book{
		clock: clock, quotas: list,
		settings: store.NewTable[entry](s, "quota-settings"), requests: store.NewTable[Request](s, "quota-requests"),
	}, nil
}

func load() ([]Quota, error) {
	f, err := files.Open("catalogue.csv")
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // embedded, nothing can be lost
	r := csv.NewReader(f)
	r.Comment, r.FieldsPerRecord = '#', 8
	rows, err := r.ReadAll()
	if err != nil {
		return nil, err
	}
	list := make([]Quota, 0, len(rows))
	for _, row := range rows {
		q := Quota{Service: row[0], ServiceName: row[1], Code: row[2], Name: row[3], Adjustable: row[6] == "yes", Global: row[7] == "yes"}
		if q.Default, err = strconv.ParseFloat(row[4], 64); err != nil {
			return nil, fmt.Errorf("%s: %w", q.Code, err)
		}
		q.Begin = q.Default
		if row[5] != "" {
			if q.Begin, err = strconv.ParseFloat(row[5], 64); err != nil {
				return nil, fmt.Errorf("%s: %w", q.Code, err)
			}
		}
		list = append(list, q)
	}
	return list, nil
}

// List all quotas, by service.
func (b *Book) List() []Quota { return slices.Clone(b.quotas) }

// Find a quota by its code, which is unique over all services.
func (b *Book) Find(code string) (Quota, bool) {
	i := slices.IndexFunc(b.quotas, func(q Quota) bool { return q.Code == code })
	if i < 0 {
		return Quota{}, false
	}
	return b.quotas[i], true
}

// Limit is an account's value of a quota in whole numbers, as those who observe it
// count. A code that is not in the table limits nothing to zero.
func (b *Book) Limit(account, region, code string) int { return int(b.Value(account, region, code)) }

// Value is what a quota is for an account in a region now: the latest of what was
// set and what was approved, or what accounts begin with.
func (b *Book) Value(account, region, code string) float64 {
	q, ok := b.Find(code)
	if !ok {
		return 0
	}
	region = q.Region(region)
	value, since := b.set(account, region, q)
	for _, r := range b.requests.List(account, region) {
		if r.raises(code) && b.Status(r) == Approved && !r.DecidedAt.Before(since) {
			value, since = r.Value, r.DecidedAt
		}
	}
	return value
}
