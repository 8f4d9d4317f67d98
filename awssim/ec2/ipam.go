package ec2

import (
	"slices"
	"time"

	"kargo.dev/kargo/awssim/api"
)

// States of what VPC IPAM makes, and how long it takes.
const (
	stateCreating    = "create-in-progress"
	stateCreated     = "create-complete"
	stateRemoving    = "delete-in-progress"
	stateProvisioned = "provisioned"

	ipamTakes = 5 * time.Second
)

// ipam is an IP Address Manager as it is stored and answered. All of it is kept in
// the region it was made in, its home.
type ipam struct {
	ID           string            `xml:"ipamId"`
	ARN          string            `xml:"ipamArn"`
	OwnerID      string            `xml:"ownerId"`
	Region       string            `xml:"ipamRegion"`
	Description  string            `xml:"description"`
	PrivateScope string            `xml:"privateDefaultScopeId"`
	PublicScope  string            `xml:"publicDefaultScopeId"`
	ScopeCount   int               `xml:"scopeCount"`
	Tier         string            `xml:"tier"`
	State        string            `xml:"state"`
	Regions      []operatingRegion `xml:"operatingRegionSet>item"`
	Tags         Tags              `xml:"tagSet>item"`
}

type operatingRegion struct {
	Name string `xml:"regionName"`
}

func ipamKind() kind[ipam] {
	return kind[ipam]{
		resourceType: "ipam", prefix: "ipam", idParam: "IpamId", set: "ipamSet",
		notFound: "InvalidIpamId.NotFound", noun: "ipam ID",
		id:    func(i *ipam) string { return i.ID },
		tags:  func(i *ipam) *Tags { return &i.Tags },
		state: func(i *ipam) string { return i.State },
		move: func(_ scope, i *ipam, to string) error {
			i.State = to
			return nil
		},
		filters: map[string]func(*ipam) []string{
			"ipam-id": one(func(i *ipam) string { return i.ID }),
			"state":   one(func(i *ipam) string { return i.State }),
		},
	}
}

func (s *Service) ipamOperations() map[string]handler {
	return map[string]handler{
		"CreateIpam":    (*request).createIPAM,
		"DeleteIpam":    (*request).deleteIPAM,
		"DescribeIpams": s.ipams.describe,
	}
}

func (r *request) createIPAM() (any, error) {
	tags, err := r.newTags("ipam")
	if err != nil {
		return nil, err
	}
	regions := []operatingRegion{{r.region}}
	for _, f := range r.structs("OperatingRegion") {
		name := operatingRegion{f.text("RegionName")}
		if len(r.world.zones(name.Name)) == 0 {
			return nil, api.Errorf("InvalidParameterValue", "The region %s does not exist", name.Name)
		}
		if !slices.Contains(regions, name) {
			regions = append(regions, name)
		}
	}
	made, err := once(r, r.ipams, func(id string) (*ipam, error) {
		i := &ipam{
			ID: id, ARN: r.arn("ipam", id), OwnerID: r.account, Region: r.region, Description: r.text("Description"),
			PrivateScope: newID("ipam-scope"), PublicScope: newID("ipam-scope"), ScopeCount: 2, Tier: "advanced",
			State: stateCreating, Regions: regions, Tags: tags,
		}
		if err := r.becomes(id, stateCreated, ipamTakes); err != nil {
			return nil, err
		}
		return i, r.ipams.put(r.scope, i)
	})
	if err != nil {
		return nil, err
	}
	return answer{{"ipam", *made}}, nil
}

// deleteIPAM deletes an IPAM without pools; with Cascade its pools as well.
func (r *request) deleteIPAM() (any, error) {
	i, err := r.ipams.need(r, "IpamId")
	if err != nil {
		return nil, err
	}
	pools := r.pools.where(r.scope, func(p *ipamPool) bool { return p.IPAMARN == i.ARN })
	if len(pools) > 0 && !r.flag("Cascade") {
		return nil, api.Errorf("IncorrectState", "The IPAM %s has pools. Delete them first, or with it (cascade).", i.ID)
	}
	for _, p := range pools {
		if err := r.dropPool(&p); err != nil {
			return nil, err
		}
	}
	i.State = stateRemoving
	if err := r.becomes(i.ID, forgotten, ipamTakes); err != nil {
		return nil, err
	}
	return answer{{"ipam", *i}}, r.ipams.put(r.scope, i)
}

// ipamOf is the IPAM that a scope belongs to.
func (sc scope) ipamOf(scopeID string) (*ipam, error) {
	for _, i := range sc.ipams.where(sc, func(i *ipam) bool { return i.PrivateScope == scopeID || i.PublicScope == scopeID }) {
		return &i, nil
	}
	return nil, api.Errorf("InvalidIpamScopeId.NotFound", "The ipam-scope ID '%s' does not exist", scopeID)
}
