package ec2

import (
	"errors"
	"net/netip"

	"kargo.dev/kargo/awssim/api"
)

// ipamPool is a pool of address ranges as it is stored and answered.
type ipamPool struct {
	ID             string `xml:"ipamPoolId"`
	ARN            string `xml:"ipamPoolArn"`
	OwnerID        string `xml:"ownerId"`
	Source         string `xml:"sourceIpamPoolId,omitempty"` // the pool that its ranges come from
	ScopeID        string `xml:"-"`
	ScopeARN       string `xml:"ipamScopeArn"`
	ScopeType      string `xml:"ipamScopeType"`
	IPAMARN        string `xml:"ipamArn"`
	Region         string `xml:"ipamRegion"`
	Locale         string `xml:"locale"`
	Depth          int    `xml:"poolDepth"`
	State          string `xml:"state"`
	Description    string `xml:"description"`
	Family         string `xml:"addressFamily"`
	AutoImport     bool   `xml:"autoImport"`
	NetmaskMin     int    `xml:"allocationMinNetmaskLength,omitempty"`
	NetmaskMax     int    `xml:"allocationMaxNetmaskLength,omitempty"`
	NetmaskDefault int    `xml:"allocationDefaultNetmaskLength,omitempty"`
	Tags           Tags   `xml:"tagSet>item"`
}

func ipamPoolKind() kind[ipamPool] {
	return kind[ipamPool]{
		resourceType: "ipam-pool", prefix: "ipam-pool", idParam: "IpamPoolId", set: "ipamPoolSet",
		notFound: "InvalidIpamPoolId.NotFound", noun: "ipam-pool ID",
		id:    func(p *ipamPool) string { return p.ID },
		tags:  func(p *ipamPool) *Tags { return &p.Tags },
		state: func(p *ipamPool) string { return p.State },
		move: func(_ scope, p *ipamPool, to string) error {
			p.State = to
			return nil
		},
		filters: map[string]func(*ipamPool) []string{
			"ipam-pool-id":        one(func(p *ipamPool) string { return p.ID }),
			"state":               one(func(p *ipamPool) string { return p.State }),
			"locale":              one(func(p *ipamPool) string { return p.Locale }),
			"description":         one(func(p *ipamPool) string { return p.Description }),
			"source-ipam-pool-id": one(func(p *ipamPool) string { return p.Source }),
			"ipam-scope-id":       one(func(p *ipamPool) string { return p.ScopeID }),
		},
	}
}

// ipamPoolBlock is a range that a pool gives away, as it is stored and answered.
type ipamPoolBlock struct {
	ID     string `xml:"ipamPoolCidrId"`
	PoolID string `xml:"-"`
	CIDR   string `xml:"cidr"`
	Bits   int    `xml:"netmaskLength"`
	State  string `xml:"state"`
	// Allocation in the source pool that the range is.
	Allocation string `xml:"-"`
}

func ipamPoolBlockKind() kind[ipamPoolBlock] {
	return kind[ipamPoolBlock]{
		resourceType: "ipam-pool-cidr", prefix: "ipam-pool-cidr", unlisted: true,
		notFound: "InvalidIpamPoolCidr.NotFound", noun: "ipam-pool-cidr ID",
		id:   func(b *ipamPoolBlock) string { return b.ID },
		tags: func(*ipamPoolBlock) *Tags { return new(Tags) },
		move: func(_ scope, b *ipamPoolBlock, to string) error {
			b.State = to
			return nil
		},
		filters: map[string]func(*ipamPoolBlock) []string{
			"cidr":  one(func(b *ipamPoolBlock) string { return b.CIDR }),
			"state": one(func(b *ipamPoolBlock) string { return b.State }),
		},
	}
}

func (s *Service) ipamPoolOperations() map[string]handler {
	return map[string]handler{
		"CreateIpamPool":          (*request).createPool,
		"DeleteIpamPool":          (*request).deletePool,
		"DescribeIpamPools":       s.pools.describe,
		"ProvisionIpamPoolCidr":   (*request).provision,
		"DeprovisionIpamPoolCidr": (*request).deprovision,
		"GetIpamPoolCidrs":        (*request).getPoolBlocks,
	}
}

func (r *request) createPool() (any, error) {
	i, err := r.ipamOf(r.text("IpamScopeId"))
	if err != nil {
		return nil, err
	}
	p := ipamPool{
		OwnerID: r.account, Source: r.text("SourceIpamPoolId"), ScopeID: r.text("IpamScopeId"), ScopeARN: r.arn("ipam-scope", r.text("IpamScopeId")),
		ScopeType: "private", IPAMARN: i.ARN, Region: r.region, Locale: r.text("Locale"), Depth: 1, State: stateCreating,
		Description: r.text("Description"), Family: r.text("AddressFamily"), AutoImport: r.flag("AutoImport"),
	}
	if p.Locale == "" {
		p.Locale = "None"
	}
	switch {
	case p.Family != "ipv4":
		return nil, api.Errorf("InvalidParameterValue", "The simulator has pools of the address family ipv4 only, not of '%s'.", p.Family)
	case p.ScopeID == i.PublicScope:
		return nil, api.Errorf("InvalidParameterValue", "The simulator has pools in private scopes only.")
	}
	if p.Source != "" {
		source, err := r.pools.get(r.scope, p.Source)
		if err != nil {
			return nil, err
		}
		p.Depth = source.Depth + 1
	}
	for param, value := range map[string]*int{
		"AllocationMinNetmaskLength": &p.NetmaskMin, "AllocationMaxNetmaskLength": &p.NetmaskMax, "AllocationDefaultNetmaskLength": &p.NetmaskDefault,
	} {
		if *value, err = r.netmask(param); err != nil {
			return nil, err
		}
	}
	if p.Tags, err = r.newTags("ipam-pool"); err != nil {
		return nil, err
	}
	made, err := once(r, r.pools, func(id string) (*ipamPool, error) {
		p.ID, p.ARN = id, r.arn("ipam-pool", id)
		if err := r.becomes(id, stateCreated, ipamTakes); err != nil {
			return nil, err
		}
		return &p, r.pools.put(r.scope, &p)
	})
	if err != nil {
		return nil, err
	}
	return answer{{"ipamPool", *made}}, nil
}

// netmask reads a length of an IPv4 prefix, 0 if it is missing.
func (r *request) netmask(param string) (int, error) {
	n, err := r.number(param, 0)
	if err == nil && (n < 0 || n > 32) {
		err = api.Errorf("InvalidParameterValue", "Value (%d) for parameter %s is invalid.", n, param)
	}
	return n, err
}

func (r *request) deletePool() (any, error) {
	p, err := r.pools.need(r, "IpamPoolId")
	if err != nil {
		return nil, err
	}
	used := r.poolBlocks.any(r.scope, func(b *ipamPoolBlock) bool { return b.PoolID == p.ID }) ||
		r.pools.any(r.scope, func(o *ipamPool) bool { return o.Source == p.ID })
	if used && !r.flag("Cascade") {
		return nil, api.Errorf("IncorrectState", "The pool %s has CIDRs or pools within it. Deprovision and delete them first, or with it (cascade).", p.ID)
	}
	return answer{{"ipamPool", *p}}, r.dropPool(p)
}

// dropPool deletes a pool with all that is in it.
func (sc scope) dropPool(p *ipamPool) error {
	var errs []error
	for _, o := range sc.pools.where(sc, func(o *ipamPool) bool { return o.Source == p.ID }) {
		errs = append(errs, sc.dropPool(&o))
	}
	for _, a := range sc.allotments.where(sc, func(a *ipamAllocation) bool { return a.PoolID == p.ID }) {
		errs = append(errs, sc.allotments.drop(sc, a.ID))
	}
	for _, b := range sc.blocks(p) {
		errs = append(errs, sc.dropBlock(&b))
	}
	p.State = stateRemoving
	return errors.Join(append(errs, sc.becomes(p.ID, forgotten, ipamTakes), sc.pools.put(sc, p))...)
}

// blocks of a pool.
func (sc scope) blocks(p *ipamPool) []ipamPoolBlock {
	return sc.poolBlocks.where(sc, func(b *ipamPoolBlock) bool { return b.PoolID == p.ID })
}

// provisioned are the pool's blocks that it gives away already.
func (sc scope) provisioned(p *ipamPool) []ipamPoolBlock {
	return keep(sc.blocks(p), func(b ipamPoolBlock) bool { return b.State == stateProvisioned })
}

// dropBlock gives a pool's range back.
func (sc scope) dropBlock(b *ipamPoolBlock) error {
	if b.Allocation != "" {
		if err := sc.allotments.drop(sc, b.Allocation); err != nil {
			return err
		}
	}
	return sc.poolBlocks.drop(sc, b.ID)
}

// provision gives a pool a range: any that nobody else has, or one of its source pool.
func (r *request) provision() (any, error) {
	p, err := r.pools.need(r, "IpamPoolId")
	if err != nil {
		return nil, err
	}
	made, err := once(r, r.poolBlocks, func(id string) (*ipamPoolBlock, error) {
		b := ipamPoolBlock{ID: id, PoolID: p.ID, State: "pending-provision"}
		block, err := r.newBlock(p, &b)
		if err != nil {
			return nil, err
		}
		b.CIDR, b.Bits = block.String(), block.Bits()
		if err := r.becomes(id, stateProvisioned, ipamTakes); err != nil {
			return nil, err
		}
		return &b, r.poolBlocks.put(r.scope, &b)
	})
	if err != nil {
		return nil, err
	}
	return answer{{"ipamPoolCidr", *made}}, nil
}

// newBlock finds the range that a pool is to get.
func (r *request) newBlock(p *ipamPool, b *ipamPoolBlock) (netip.Prefix, error) {
	if p.Source != "" {
		source, err := r.pools.get(r.scope, p.Source)
		if err != nil {
			return netip.Prefix{}, err
		}
		a, err := r.allot(source, newID(allocationPrefix), allocationUse{Type: "ipam-pool", ID: p.ID})
		if err != nil {
			return netip.Prefix{}, err
		}
		b.Allocation = a.ID
		return netip.MustParsePrefix(a.CIDR), r.allotments.put(r.scope, a)
	}
	block, err := parseCIDR("cidr", r.text("Cidr"))
	if err != nil {
		return block, err
	}
	for _, o := range r.poolBlocks.where(r.scope, func(o *ipamPoolBlock) bool { return overlaps(o.CIDR, block.String()) }) {
		if of, err := r.pools.get(r.scope, o.PoolID); err == nil && of.ScopeID == p.ScopeID {
			return block, api.Errorf("InvalidParameterValue", "The CIDR %s overlaps with the CIDR %s of the pool %s.", block, o.CIDR, o.PoolID)
		}
	}
	return block, nil
}

func (r *request) deprovision() (any, error) {
	p, err := r.pools.need(r, "IpamPoolId")
	if err != nil {
		return nil, err
	}
	for _, b := range r.blocks(p) {
		if b.CIDR != r.text("Cidr") {
			continue
		}
		if r.allotments.any(r.scope, func(a *ipamAllocation) bool { return a.PoolID == p.ID && contains(b.CIDR, a.CIDR) }) {
			return nil, api.Errorf("IncorrectState", "The CIDR %s of the pool %s has allocations.", b.CIDR, p.ID)
		}
		b.State = "deprovisioned"
		return answer{{"ipamPoolCidr", b}}, r.dropBlock(&b)
	}
	return nil, api.Errorf("InvalidParameterValue", "The CIDR %s is not provisioned to the pool %s.", r.text("Cidr"), p.ID)
}

func (r *request) getPoolBlocks() (any, error) {
	p, err := r.pools.need(r, "IpamPoolId")
	if err != nil {
		return nil, err
	}
	list, err := r.poolBlocks.filter(r, r.blocks(p))
	if err != nil {
		return nil, err
	}
	page, next, err := paginate(r, list, func(b *ipamPoolBlock) string { return b.ID }, 5)
	if err != nil {
		return nil, err
	}
	return answer{{"ipamPoolCidrSet", page}, {"nextToken", next}}, nil
}
