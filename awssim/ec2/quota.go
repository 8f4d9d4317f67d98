package ec2

import (
	"slices"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
)

// Limits that are the same for all accounts
// (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/launch-template-restrictions.html).
const (
	maxLaunchTemplates        = 5000
	maxLaunchTemplateVersions = 10000 // per template
	maxTagsPerResource        = 50
)

// limit is the value of a quota for the account in the region.
func (sc scope) limit(code string) int { return sc.quotas.Limit(sc.account, sc.region, code) }

// bucket is the quota that counts the vCPUs of an instance, "" if none does:
// the families of standard, of graphics and of accelerated instances
// (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-on-demand-instances.html).
func bucket(instanceType string, spot bool) string {
	family := instanceType
	if i := strings.IndexAny(instanceType, "0123456789"); i >= 0 {
		family = instanceType[:i]
	}
	graphics := family == "vt" || strings.HasPrefix(family, "g")
	switch {
	case graphics && spot:
		return quota.GraphicsSpotVCPUs
	case graphics:
		return quota.GraphicsVCPUs
	case slices.Contains([]string{"dl", "hpc", "inf", "mac", "trn"}, family):
		return ""
	case strings.HasPrefix(family, "p") && !spot:
		return quota.AcceleratedVCPUs
	case family == "" || !strings.Contains("acdhimrtz", family[:1]):
		return ""
	case spot:
		return quota.StandardSpotVCPUs
	}
	return quota.StandardVCPUs
}

// checkVCPUs refuses an instance for which the quota of its family has no room.
func (sc scope) checkVCPUs(t InstanceType, spot bool) error {
	code := bucket(t.Name, spot)
	if code == "" {
		return nil
	}
	used := 0
	for _, i := range sc.instances.where(sc, func(i *instance) bool { return !i.ended() && bucket(i.Type, i.Lifecycle == "spot") == code }) {
		of, _ := sc.world.instanceType(i.Type)
		used += of.VCPUs
	}
	limit := sc.limit(code)
	switch {
	case used+t.VCPUs <= limit:
		return nil
	case spot:
		return api.Errorf("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
	}
	return api.Errorf("VcpuLimitExceeded", "You have requested more vCPU capacity than your current vCPU limit of %d allows for the instance bucket "+
		"that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.", limit)
}
