package eks

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"slices"
	"strings"
)

// armPattern matches instance types with AWS's own processors: m7g.large, im4gn.xlarge.
var armPattern = regexp.MustCompile(`^([a-z]+[0-9]+g[a-z0-9-]*|a1)\.`)

func isARM(instanceType string) bool { return armPattern.MatchString(instanceType) }

// amiTypes are EKS's kinds of node images.
func amiTypes() []string {
	return []string{
		"AL2_x86_64", "AL2_x86_64_GPU", "AL2_ARM_64", "CUSTOM",
		"BOTTLEROCKET_ARM_64", "BOTTLEROCKET_x86_64", "BOTTLEROCKET_ARM_64_FIPS", "BOTTLEROCKET_x86_64_FIPS",
		"BOTTLEROCKET_ARM_64_NVIDIA", "BOTTLEROCKET_x86_64_NVIDIA", "BOTTLEROCKET_ARM_64_NVIDIA_FIPS", "BOTTLEROCKET_x86_64_NVIDIA_FIPS",
		"WINDOWS_CORE_2019_x86_64", "WINDOWS_FULL_2019_x86_64", "WINDOWS_CORE_2022_x86_64", "WINDOWS_FULL_2022_x86_64",
		"WINDOWS_CORE_2025_x86_64", "WINDOWS_FULL_2025_x86_64",
		"AL2023_x86_64_STANDARD", "AL2023_ARM_64_STANDARD", "AL2023_x86_64_NEURON", "AL2023_x86_64_NVIDIA", "AL2023_ARM_64_NVIDIA",
	}
}

// imageID is the id of a node image, which is another one in each region.
func imageID(region, amiType, release string) string {
	sum := sha256.Sum256([]byte(region + " " + amiType + " " + release))
	return "ami-0" + hex.EncodeToString(sum[:8])
}

// nodeName is the name that a kubelet on EC2 gives its Node.
func nodeName(region string, i Instance) string {
	domain := region + ".compute.internal"
	if region == "us-east-1" {
		domain = "ec2.internal"
	}
	return cmp.Or(i.PrivateDNSName, "ip-"+strings.ReplaceAll(i.PrivateIP, ".", "-")+"."+domain)
}

// node is what the data plane is told of a member: its labels are the node
// group's own and those that EKS, the kubelet and the cloud provider set.
func (n *nodegroup) node(m member) Node {
	labels := map[string]string{}
	for key, value := range n.Nodegroup.Labels {
		labels[key] = value
	}
	arch, os := "amd64", "linux"
	if isARM(m.InstanceType) {
		arch = "arm64"
	}
	if strings.HasPrefix(n.Nodegroup.AMIType, "WINDOWS") {
		os = "windows"
	}
	for key, value := range map[string]string{
		"eks.amazonaws.com/nodegroup":       n.Nodegroup.NodegroupName,
		"eks.amazonaws.com/capacityType":    n.Nodegroup.CapacityType,
		"eks.amazonaws.com/nodegroup-image": imageID(n.Region, n.Nodegroup.AMIType, m.Release),
		"topology.kubernetes.io/region":     n.Region,
		"topology.kubernetes.io/zone":       m.Place.Zone,
		"topology.k8s.aws/zone-id":          m.Place.ZoneID,
		"node.kubernetes.io/instance-type":  m.InstanceType,
		"beta.kubernetes.io/instance-type":  m.InstanceType,
		"kubernetes.io/hostname":            m.Name,
		"kubernetes.io/os":                  os,
		"beta.kubernetes.io/os":             os,
		"kubernetes.io/arch":                arch,
		"beta.kubernetes.io/arch":           arch,
	} {
		if value != "" {
			labels[key] = value
		}
	}
	return Node{
		Name: m.Name, InstanceID: m.InstanceID, Zone: m.Place.Zone, InstanceType: m.InstanceType,
		Version: m.Version, Labels: labels, Taints: n.Nodegroup.Taints,
	}
}

// checkNodeLabels checks a node group's labels and taints as EKS does.
func checkNodeLabels(labels map[string]string, taints []Taint) error {
	for key := range labels {
		if domain, _, ok := strings.Cut(key, "/"); ok && (domain == "eks.amazonaws.com" || domain == "kubernetes.io" || domain == "k8s.io") {
			return invalidParameter("Label cannot contain reserved prefixes [kubernetes.io/, k8s.io/, eks.amazonaws.com/]: %s", key)
		}
		if key == "" || len(key) > 317 {
			return invalidParameter("Label key '%s' is not valid.", key)
		}
	}
	for _, t := range taints {
		if t.Key == "" || !slices.Contains([]string{"NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE"}, t.Effect) {
			return invalidParameter("The taint with key '%s' and effect '%s' is not valid.", t.Key, t.Effect)
		}
	}
	return nil
}
