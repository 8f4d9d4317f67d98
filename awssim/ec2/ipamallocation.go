package ec2

import (
	"cmp"
	"net/netip"
	"slices"

	"go4.org/netipx"

	"kargo.dev/kargo/awssim/api"
)

const allocationPrefix = "ipam-pool-alloc"

// smallestAllocationPage is the least MaxResults of GetIpamPoolAllocations.
const smallestAllocationPage = 1000

// ipamAllocation is a range that a pool has given away, as it is stored and answered.
type ipamAllocation struct {
	ID             string `xml:"ipamPoolAllocationId"`
	PoolID         string `xml:"-"`
	CIDR           string `xml:"cidr"`
	Description    string `xml:"description"`
	ResourceID     string `xml:"resourceId"`
	ResourceType   string `xml:"resourceType"`
	ResourceRegion string `xml:"resourceRegion"`
	ResourceOwner  string `xml:"resourceOwner"`
	Tags           Tags   `xml:"tagSet>item"`
}

// allocationUse is what an allocation is for.
type allocationUse struct {
	Type, ID, Description string
	Tags                  Tags
}

func ipamAllocationKind() kind[ipamAllocation] {
	return kind[ipamAllocation]{
		resourceType: "ipam-pool-allocation", prefix: allocationPrefix, set: "ipamPoolAllocationSet",
		notFound: "InvalidIpamPoolAllocationId.NotFound", noun: "IPAM pool allocation ID",
		id:   func(a *ipamAllocation) string { return a.ID },
		tags: func(a *ipamAllocation) *Tags { return &a.Tags },
		filters: map[string]func(*ipamAllocation) []string{
			"cidr":        one(func(a *ipamAllocation) string { return a.CIDR }),
			"resource-id": one(func(a *ipamAllocation) string { return a.ResourceID }),
			"description": one(func(a *ipamAllocation) string { return a.Description }),
		},
	}
}

func ipamAllocationOperations() map[string]handler {
	return map[string]handler{
		"AllocateIpamPoolCidr":      (*request).allocateFromPool,
		"GetIpamPoolAllocations":    (*request).getAllocations,
		"ReleaseIpamPoolAllocation": (*request).releaseAllocation,
	}
}

func (r *request) allocateFromPool() (any, error) {
	p, err := r.pools.need(r, "IpamPoolId")
	if err != nil {
		return nil, err
	}
	use := allocationUse{Type: "custom", Description: r.text("Description")}
	if use.Tags, err = r.newTags("ipam-pool-allocation"); err != nil {
		return nil, err
	}
	if r.flag("PreviewNextCidr") {
		a, err := r.allot(p, "", use)
		if err != nil {
			return nil, err
		}
		return answer{{"ipamPoolAllocation", *a}}, nil
	}
	made, err := once(r, r.allotments, func(id string) (*ipamAllocation, error) {
		a, err := r.allot(p, id, use)
		if err != nil {
			return nil, err
		}
		return a, r.allotments.put(r.scope, a)
	})
	if err != nil {
		return nil, err
	}
	return answer{{"ipamPoolAllocation", *made}}, nil
}

// allot finds a range in a pool: the one that the request names, or the first free
// one of the length it asks for. Requests of an account are handled one after the
// other, so that no range is found twice.
func (r *request) allot(p *ipamPool, id string, use allocationUse) (*ipamAllocation, error) {
	a := &ipamAllocation{
		ID: id, PoolID: p.ID, Description: use.Description, ResourceID: cmp.Or(use.ID, id), ResourceType: use.Type,
		ResourceRegion: p.Locale, ResourceOwner: r.account, Tags: use.Tags,
	}
	if r.text("Cidr") != "" {
		block, err := parseCIDR("cidr", r.text("Cidr"))
		if err != nil {
			return nil, err
		}
		a.CIDR = block.String()
		return a, r.checkBlock(p, block)
	}
	bits, err := r.netmask("NetmaskLength")
	if err != nil {
		return nil, err
	}
	if bits = cmp.Or(bits, p.NetmaskDefault); bits == 0 {
		return nil, api.Errorf("MissingParameter", "The request must contain the parameter cidr or netmaskLength")
	}
	if err := p.checkLength(bits); err != nil {
		return nil, err
	}
	block, ok, err := r.freeBlock(p, bits)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, api.Errorf("InvalidParameterValue", "The allocation size is too big for the pool.")
	}
	a.CIDR = block.String()
	return a, nil
}

// checkLength applies the pool's rules for the sizes of its allocations.
func (p *ipamPool) checkLength(bits int) error {
	if p.NetmaskMin != 0 && bits < p.NetmaskMin || p.NetmaskMax != 0 && bits > p.NetmaskMax {
		return api.Errorf("InvalidParameterValue", "The netmask length %d is not within the pool's limits of %d to %d.", bits, p.NetmaskMin, cmp.Or(p.NetmaskMax, 32))
	}
	return nil
}

// checkBlock refuses a range that is not in the pool, or not free.
func (r *request) checkBlock(p *ipamPool, block netip.Prefix) error {
	if err := p.checkLength(block.Bits()); err != nil {
		return err
	}
	if !slices.ContainsFunc(r.provisioned(p), func(b ipamPoolBlock) bool { return contains(b.CIDR, block.String()) }) {
		return api.Errorf("InvalidParameterValue", "The CIDR %s is not within the CIDRs of the pool %s.", block, p.ID)
	}
	for _, a := range r.allocations(p) {
		if overlaps(a.CIDR, block.String()) {
			return api.Errorf("InvalidParameterValue", "The CIDR %s overlaps with the allocation %s of %s.", block, a.ID, a.CIDR)
		}
	}
	return nil
}

// allocations of a pool.
func (sc scope) allocations(p *ipamPool) []ipamAllocation {
	return sc.allotments.where(sc, func(a *ipamAllocation) bool { return a.PoolID == p.ID })
}

// freeBlock is the lowest free range of a length in a pool, within the CIDRs that
// the request allows and without those it disallows.
func (r *request) freeBlock(p *ipamPool, bits int) (block netip.Prefix, ok bool, err error) {
	var free netipx.IPSetBuilder
	for _, b := range r.provisioned(p) {
		free.AddPrefix(netip.MustParsePrefix(b.CIDR))
	}
	if allowed := r.list("AllowedCidr"); len(allowed) > 0 {
		var only netipx.IPSetBuilder
		if err := eachPrefix(allowed, only.AddPrefix); err != nil {
			return block, false, err
		}
		set, err := only.IPSet()
		if err != nil {
			return block, false, err
		}
		free.Intersect(set)
	}
	if err := eachPrefix(r.list("DisallowedCidr"), free.RemovePrefix); err != nil {
		return block, false, err
	}
	for _, a := range r.allocations(p) {
		free.RemovePrefix(netip.MustParsePrefix(a.CIDR))
	}
	set, err := free.IPSet()
	if err != nil {
		return block, false, err
	}
	// Prefixes come in order, each as large as its place allows.
	for _, q := range set.Prefixes() {
		if q.Bits() <= bits {
			return netip.PrefixFrom(q.Addr(), bits), true, nil
		}
	}
	return block, false, nil
}

// eachPrefix reads CIDRs and hands each on.
func eachPrefix(list []string, use func(netip.Prefix)) error {
	for _, s := range list {
		p, err := parseCIDR("cidr", s)
		if err != nil {
			return err
		}
		use(p)
	}
	return nil
}

func (r *request) getAllocations() (any, error) {
	p, err := r.pools.need(r, "IpamPoolId")
	if err != nil {
		return nil, err
	}
	list := r.allocations(p)
	if id := r.text("IpamPoolAllocationId"); id != "" {
		if list = keep(list, func(a ipamAllocation) bool { return a.ID == id }); len(list) == 0 {
			return nil, r.allotments.missing(id)
		}
	}
	if list, err = r.allotments.filter(r, list); err != nil {
		return nil, err
	}
	page, next, err := paginate(r, list, func(a *ipamAllocation) string { return a.ID }, smallestAllocationPage)
	if err != nil {
		return nil, err
	}
	return answer{{r.allotments.set, page}, {"nextToken", next}}, nil
}

// releaseAllocation gives a range back that was allocated by hand.
func (r *request) releaseAllocation() (any, error) {
	p, err := r.pools.need(r, "IpamPoolId")
	if err != nil {
		return nil, err
	}
	a, err := r.allotments.need(r, "IpamPoolAllocationId")
	switch {
	case err != nil:
		return nil, err
	case a.PoolID != p.ID:
		return nil, r.allotments.missing(a.ID)
	case a.CIDR != r.text("Cidr"):
		return nil, api.Errorf("InvalidParameterValue", "The allocation %s is of the CIDR %s, not of %s.", a.ID, a.CIDR, r.text("Cidr"))
	case a.ResourceType != "custom":
		return nil, api.Errorf("InvalidParameterValue", "The allocation %s is of a %s and goes with it.", a.ID, a.ResourceType)
	}
	return answer{{"success", true}}, r.allotments.drop(r.scope, a.ID)
}
