package ec2

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kargo.dev/kargo/awssim/api"
	"kargo.dev/kargo/awssim/quota"
	"kargo.dev/kargo/awssim/regions"
)

func catalogOperations() map[string]handler {
	return map[string]handler{
		"DescribeRegions":               (*request).describeRegions,
		"DescribeAvailabilityZones":     (*request).describeAvailabilityZones,
		"DescribeAccountAttributes":     (*request).describeAccountAttributes,
		"DescribeInstanceTypes":         (*request).describeInstanceTypes,
		"DescribeInstanceTypeOfferings": (*request).describeInstanceTypeOfferings,
		"DescribeImages":                (*request).describeImages,
		"DescribeSnapshots":             (*request).describeSnapshots,
	}
}

func (r *request) describeRegions() (any, error) {
	all := slices.Clone(r.world.regions)
	for i := range all {
		status, _ := r.regions.Status(r.account, all[i].Name)
		all[i].OptIn = optIn(status)
	}
	list := slices.Clone(all)
	if !r.flag("AllRegions") {
		list = keep(list, func(g region) bool { return g.OptIn != optIn(regions.Disabled) })
	}
	if names := r.list("RegionName"); len(names) > 0 {
		list = keep(all, func(g region) bool { return slices.Contains(names, g.Name) })
		if len(list) != len(names) {
			return nil, api.Errorf("InvalidParameterValue", "Invalid region provided: %s", strings.Join(names, ", "))
		}
	}
	filters := map[string]func(*region) []string{
		"region-name":   one(func(g *region) string { return g.Name }),
		"endpoint":      one(func(g *region) string { return g.Endpoint }),
		"opt-in-status": one(func(g *region) string { return g.OptIn }),
	}
	list, err := applyFilters(r.filters(), list, func(name string) func(*region) []string { return filters[name] })
	return answer{{"regionInfo", list}}, err
}

func (r *request) describeAvailabilityZones() (any, error) {
	list := r.world.zones(r.region)
	for param, name := range map[string]func(zone) string{
		"ZoneName": func(z zone) string { return z.Name },
		"ZoneId":   func(z zone) string { return z.ID },
	} {
		asked := r.list(param)
		if len(asked) == 0 {
			continue
		}
		for _, a := range asked {
			if !slices.ContainsFunc(list, func(z zone) bool { return name(z) == a }) {
				return nil, api.Errorf("InvalidParameterValue", "Invalid availability zone: [%s]", a)
			}
		}
		list = keep(list, func(z zone) bool { return slices.Contains(asked, name(z)) })
	}
	filters := map[string]func(*zone) []string{
		"zone-name":      one(func(z *zone) string { return z.Name }),
		"zone-id":        one(func(z *zone) string { return z.ID }),
		"zone-type":      one(func(z *zone) string { return z.Type }),
		"state":          one(func(z *zone) string { return z.State }),
		"region-name":    one(func(z *zone) string { return z.Region }),
		"group-name":     one(func(z *zone) string { return z.Group }),
		"opt-in-status":  one(func(z *zone) string { return z.OptIn }),
		"message":        func(*zone) []string { return nil },
		"parent-zone-id": func(*zone) []string { return nil },
	}
	list, err := applyFilters(r.filters(), list, func(name string) func(*zone) []string { return filters[name] })
	return answer{{"availabilityZoneInfo", list}}, err
}

// accountAttribute is a line of DescribeAccountAttributes.
type accountAttribute struct {
	Name   string           `xml:"attributeName"`
	Values []attributeEntry `xml:"attributeValueSet>item"`
}

type attributeEntry struct {
	Value string `xml:"attributeValue"`
}

// describeAccountAttributes: accounts have no default VPC, as landing zones remove it.
func (r *request) describeAccountAttributes() (any, error) {
	asked := r.list("AttributeName")
	var list []accountAttribute
	for _, a := range [][2]string{
		{"supported-platforms", "VPC"},
		{"vpc-max-security-groups-per-interface", strconv.Itoa(r.limit(quota.GroupsPerInterface))},
		{"max-elastic-ips", strconv.Itoa(r.limit(quota.ElasticIPs))},
		{"max-instances", "20"}, // says nothing any more: vCPUs are counted
		{"vpc-max-elastic-ips", strconv.Itoa(r.limit(quota.ElasticIPs))},
		{"default-vpc", "none"},
	} {
		if len(asked) == 0 || slices.Contains(asked, a[0]) {
			list = append(list, accountAttribute{a[0], []attributeEntry{{a[1]}}})
		}
	}
	return answer{{"accountAttributeSet", list}}, nil
}

// typeInfo answers an instance type.
func typeInfo(t InstanceType) answer {
	info := answer{
		{"instanceType", t.Name},
		{"currentGeneration", true}, {"bareMetal", false}, {"hypervisor", "nitro"}, {"freeTierEligible", t.Name == "t3.micro"},
		{"supportedUsageClasses", []string{"on-demand", "spot"}},
		{"supportedRootDeviceTypes", []string{"ebs"}},
		{"supportedVirtualizationTypes", []string{"hvm"}},
		{"burstablePerformanceSupported", strings.HasPrefix(t.Name, "t")},
		{"instanceStorageSupported", false},
		{"vCpuInfo", answer{{"defaultVCpus", t.VCPUs}}},
		{"memoryInfo", answer{{"sizeInMiB", t.MemoryMiB}}},
		{"processorInfo", answer{{"supportedArchitectures", []string{t.Architecture}}}},
		{"networkInfo", answer{
			{"maximumNetworkInterfaces", t.Interfaces}, {"ipv4AddressesPerInterface", t.IPv4PerInterface},
			{"ipv6AddressesPerInterface", t.IPv4PerInterface}, {"ipv6Supported", true}, {"enaSupport", "required"},
			{"maximumNetworkCards", 1}, {"defaultNetworkCardIndex", 0},
		}},
	}
	if t.GPUs > 0 {
		gpu := answer{
			{"name", t.GPUName}, {"manufacturer", t.GPUManufacturer}, {"count", t.GPUs},
			{"memoryInfo", answer{{"sizeInMiB", t.GPUMemoryMiB}}},
		}
		info = append(info, element{"gpuInfo", answer{{"gpus", items{gpu}}, {"totalGpuMemoryInMiB", t.GPUs * t.GPUMemoryMiB}}})
	}
	return info
}

func (r *request) describeInstanceTypes() (any, error) {
	list := slices.Clone(r.world.instanceTypes)
	if names := r.list("InstanceType"); len(names) > 0 {
		list = nil
		for _, name := range slices.Sorted(slices.Values(names)) {
			t, ok := r.world.instanceType(name)
			if !ok {
				return nil, api.Errorf("InvalidInstanceType", "The following supplied instance types do not exist: [%s]", name)
			}
			list = append(list, t)
		}
	}
	filters := map[string]func(*InstanceType) []string{
		"instance-type":                         one(func(t *InstanceType) string { return t.Name }),
		"current-generation":                    yesNo(func(*InstanceType) bool { return true }),
		"bare-metal":                            yesNo(func(*InstanceType) bool { return false }),
		"hypervisor":                            one(func(*InstanceType) string { return "nitro" }),
		"supported-virtualization-type":         one(func(*InstanceType) string { return "hvm" }),
		"supported-usage-class":                 func(*InstanceType) []string { return []string{"on-demand", "spot"} },
		"processor-info.supported-architecture": one(func(t *InstanceType) string { return t.Architecture }),
		"vcpu-info.default-vcpus":               one(func(t *InstanceType) string { return strconv.Itoa(t.VCPUs) }),
		"memory-info.size-in-mib":               one(func(t *InstanceType) string { return strconv.Itoa(t.MemoryMiB) }),
	}
	list, err := applyFilters(r.filters(), list, func(name string) func(*InstanceType) []string { return filters[name] })
	if err != nil {
		return nil, err
	}
	page, next, err := paginate(r, list, func(t *InstanceType) string { return t.Name }, 5)
	if err != nil {
		return nil, err
	}
	return answer{{"instanceTypeSet", each(page, typeInfo)}, {"nextToken", next}}, nil
}

// typeOffering is a line of DescribeInstanceTypeOfferings.
type typeOffering struct {
	Type         string `xml:"instanceType"`
	LocationType string `xml:"locationType"`
	Location     string `xml:"location"`
}

// describeInstanceTypeOfferings: every type of the table is offered everywhere.
func (r *request) describeInstanceTypeOfferings() (any, error) {
	kind := r.text("LocationType")
	locations := []string{r.region}
	switch kind {
	case "", "region":
		kind = "region"
	case "availability-zone":
		locations = each(r.world.zones(r.region), func(z zone) string { return z.Name })
	case "availability-zone-id":
		locations = each(r.world.zones(r.region), func(z zone) string { return z.ID })
	default:
		return nil, api.Errorf("InvalidParameterValue", "Value (%s) for parameter locationType is invalid.", kind)
	}
	var list []typeOffering
	for _, t := range r.world.instanceTypes {
		for _, l := range locations {
			list = append(list, typeOffering{t.Name, kind, l})
		}
	}
	filters := map[string]func(*typeOffering) []string{
		"instance-type": one(func(o *typeOffering) string { return o.Type }),
		"location":      one(func(o *typeOffering) string { return o.Location }),
	}
	list, err := applyFilters(r.filters(), list, func(name string) func(*typeOffering) []string { return filters[name] })
	if err != nil {
		return nil, err
	}
	page, next, err := paginate(r, list, func(o *typeOffering) string { return o.Type + " " + o.Location }, 5)
	if err != nil {
		return nil, err
	}
	return answer{{"instanceTypeOfferingSet", page}, {"nextToken", next}}, nil
}

// describeImages knows no catalogue of images: it answers those that are asked
// for by id as Amazon Linux images, and finds none by name.
func (r *request) describeImages() (any, error) {
	var list items
	for _, id := range r.list("ImageId") {
		if !strings.HasPrefix(id, "ami-") {
			return nil, api.Errorf("InvalidAMIID.Malformed", "Invalid id: %q (expecting \"ami-...\")", id)
		}
		list = append(list, answer{
			{"imageId", id}, {"imageState", stateAvailable}, {"name", "amazon-linux-" + id}, {"imageOwnerAlias", "amazon"},
			{"imageType", "machine"}, {"isPublic", true}, {"architecture", "x86_64"}, {"hypervisor", "xen"},
			{"virtualizationType", "hvm"}, {"rootDeviceType", "ebs"}, {"rootDeviceName", rootDevice}, {"enaSupport", true},
			{"blockDeviceMapping", items{answer{
				{"deviceName", rootDevice},
				{"ebs", answer{{"volumeSize", rootVolumeGiB}, {"volumeType", "gp3"}, {"deleteOnTermination", true}}},
			}}},
		})
	}
	return answer{{"imagesSet", list}}, nil
}

// describeSnapshots: there are none, as no operation makes them.
func (r *request) describeSnapshots() (any, error) {
	for _, id := range r.list("SnapshotId") {
		return nil, api.Errorf("InvalidSnapshot.NotFound", "The snapshot '%s' does not exist.", id)
	}
	return answer{{"snapshotSet", items{}}}, nil
}

// volumeID of an instance's root volume: as stable as the instance's id.
func volumeID(instanceID string) string {
	return fmt.Sprintf("vol-%s", strings.TrimPrefix(instanceID, "i-"))
}
