package ec2

import (
	"cmp"
	"embed"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"kargo.dev/kargo/awssim/regions"
)

//go:embed instancetypes.csv
var worldFiles embed.FS

// world is what EC2 knows of AWS: its regions with their zones, and instance types.
type world struct {
	regions       []region
	instanceTypes []InstanceType
}

// region of AWS, as DescribeRegions answers it.
type region struct {
	Name     string `xml:"regionName"`
	Endpoint string `xml:"regionEndpoint"`
	OptIn    string `xml:"optInStatus"` // an account's; set when it is answered

	zones []zone
}

// optInNotRequired is the status of what is there for every account.
const optInNotRequired = "opt-in-not-required"

// zone is an availability zone, as DescribeAvailabilityZones answers it.
type zone struct {
	Name        string `xml:"zoneName"`
	ID          string `xml:"zoneId"`
	Region      string `xml:"regionName"`
	State       string `xml:"zoneState"`
	Type        string `xml:"zoneType"`
	Group       string `xml:"groupName"`
	BorderGroup string `xml:"networkBorderGroup"`
	OptIn       string `xml:"optInStatus"`
}

// InstanceType is what an instance of a type has.
type InstanceType struct {
	Name             string
	VCPUs            int
	MemoryMiB        int
	Architecture     string // x86_64 or arm64
	Interfaces       int
	IPv4PerInterface int
	GPUManufacturer  string
	GPUName          string
	GPUs             int
	GPUMemoryMiB     int // of each
}

// MaxPods is how many pods a node of the type can have with EKS's VPC CNI:
// interfaces × (addresses − 1) + 2, at most 110, or 250 with more than 30 vCPUs
// (https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html).
func (t InstanceType) MaxPods() int {
	limit := 110
	if t.VCPUs > 30 {
		limit = 250
	}
	return min(t.Interfaces*(t.IPv4PerInterface-1)+2, limit)
}

func loadWorld(list []regions.Region) (world, error) {
	var w world
	for _, r := range list {
		w.regions = append(w.regions, newRegion(r))
	}
	rows, err := readTable("instancetypes.csv", 10)
	if err != nil {
		return w, err
	}
	for i, row := range rows {
		t, err := newInstanceType(row)
		if err != nil {
			return w, fmt.Errorf("instancetypes.csv, type %d: %w", i+1, err)
		}
		w.instanceTypes = append(w.instanceTypes, t)
	}
	slices.SortFunc(w.instanceTypes, func(a, b InstanceType) int { return cmp.Compare(a.Name, b.Name) })
	return w, nil
}

func readTable(file string, columns int) ([][]string, error) {
	f, err := worldFiles.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // embedded, nothing can be lost
	r := csv.NewReader(f)
	r.Comment, r.FieldsPerRecord = '#', columns
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return rows, nil
}

func newRegion(of regions.Region) region {
	name := of.Name
	r := region{Name: name, Endpoint: "ec2." + name + ".amazonaws.com"}
	for i, letter := range of.Zones {
		r.zones = append(r.zones, zone{
			Name: name + string(letter), ID: fmt.Sprintf("%s-az%d", of.ZonePrefix, i+1), Region: name, State: stateAvailable,
			Type: "availability-zone", Group: name + "-zg-1", BorderGroup: name, OptIn: optInNotRequired,
		})
	}
	return r
}

// optIn is the status of a region for an account, in EC2's words.
func optIn(s regions.Status) string {
	switch s {
	case regions.EnabledByDefault:
		return optInNotRequired
	case regions.Enabled:
		return "opted-in"
	}
	return "not-opted-in"
}

func newInstanceType(row []string) (InstanceType, error) {
	t := InstanceType{Name: row[0], Architecture: row[3], GPUManufacturer: row[6], GPUName: row[7]}
	for column, value := range map[int]*int{
		1: &t.VCPUs, 2: &t.MemoryMiB, 4: &t.Interfaces, 5: &t.IPv4PerInterface, 8: &t.GPUs, 9: &t.GPUMemoryMiB,
	} {
		n, err := strconv.Atoi(row[column])
		if err != nil {
			return t, fmt.Errorf("%s, column %d: %w", row[0], column+1, err)
		}
		*value = n
	}
	return t, nil
}

// zones of a region, none if AWS has no such region.
func (w world) zones(name string) []zone {
	for _, r := range w.regions {
		if r.Name == name {
			return slices.Clone(r.zones)
		}
	}
	return nil
}

func (w world) zoneNames(region string) string {
	return strings.Join(each(w.zones(region), func(z zone) string { return z.Name }), ", ")
}

// instanceType of a name.
func (w world) instanceType(name string) (InstanceType, bool) {
	i, ok := slices.BinarySearchFunc(w.instanceTypes, name, func(t InstanceType, name string) int { return cmp.Compare(t.Name, name) })
	if !ok {
		return InstanceType{}, false
	}
	return w.instanceTypes[i], true
}

// InstanceType answers what an instance of a type has; false if AWS, or the
// simulator's table of it, has no such type.
func (s *Service) InstanceType(name string) (InstanceType, bool) { return s.world.instanceType(name) }
