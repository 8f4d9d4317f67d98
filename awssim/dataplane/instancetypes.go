package dataplane

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// instanceType is what a kubelet finds on an EC2 instance.
type instanceType struct {
	vCPU, memoryGiB, pods, gpus int64
	arm                         bool
}

// instanceTypes are those whose size matters to somebody here. Pods are what
// EKS allows with the VPC CNI's defaults (eni-max-pods.txt of amazon-eks-ami);
// sizes are https://aws.amazon.com/ec2/instance-types/.
func instanceTypes() map[string]instanceType {
	return map[string]instanceType{
		"t3.small":    {vCPU: 2, memoryGiB: 2, pods: 11},
		"t3.medium":   {vCPU: 2, memoryGiB: 4, pods: 17},
		"t3.large":    {vCPU: 2, memoryGiB: 8, pods: 35},
		"t3.xlarge":   {vCPU: 4, memoryGiB: 16, pods: 58},
		"t3a.medium":  {vCPU: 2, memoryGiB: 4, pods: 17},
		"t3a.large":   {vCPU: 2, memoryGiB: 8, pods: 35},
		"t4g.medium":  {vCPU: 2, memoryGiB: 4, pods: 17, arm: true},
		"t4g.large":   {vCPU: 2, memoryGiB: 8, pods: 35, arm: true},
		"m5.large":    {vCPU: 2, memoryGiB: 8, pods: 29},
		"m5.xlarge":   {vCPU: 4, memoryGiB: 16, pods: 58},
		"m5.2xlarge":  {vCPU: 8, memoryGiB: 32, pods: 58},
		"m6i.large":   {vCPU: 2, memoryGiB: 8, pods: 29},
		"m6i.xlarge":  {vCPU: 4, memoryGiB: 16, pods: 58},
		"m6i.2xlarge": {vCPU: 8, memoryGiB: 32, pods: 58},
		"m6g.large":   {vCPU: 2, memoryGiB: 8, pods: 29, arm: true},
		"m7i.large":   {vCPU: 2, memoryGiB: 8, pods: 29},
		"m7i.xlarge":  {vCPU: 4, memoryGiB: 16, pods: 58},
		"m7g.large":   {vCPU: 2, memoryGiB: 8, pods: 29, arm: true},
		"c5.large":    {vCPU: 2, memoryGiB: 4, pods: 29},
		"c6i.large":   {vCPU: 2, memoryGiB: 4, pods: 29},
		"c6i.xlarge":  {vCPU: 4, memoryGiB: 8, pods: 58},
		"r5.large":    {vCPU: 2, memoryGiB: 16, pods: 29},
		"r6i.large":   {vCPU: 2, memoryGiB: 16, pods: 29},
		"g4dn.xlarge": {vCPU: 4, memoryGiB: 16, pods: 29, gpus: 1},
		"g5.xlarge":   {vCPU: 4, memoryGiB: 16, pods: 58, gpus: 1},
	}
}

// sizeOf an instance type; one that is not in the table is as big as m5.large.
func sizeOf(name string) instanceType {
	types := instanceTypes()
	if t, ok := types[name]; ok {
		return t
	}
	return types["m5.large"]
}

func (t instanceType) architecture() string {
	if t.arm {
		return "arm64"
	}
	return "amd64"
}

// capacity is all there is.
func (t instanceType) capacity() corev1.ResourceList {
	res := corev1.ResourceList{
		corev1.ResourceCPU:              *resource.NewQuantity(t.vCPU, resource.DecimalSI),
		corev1.ResourceMemory:           *resource.NewQuantity(t.memoryGiB<<30, resource.BinarySI),
		corev1.ResourceEphemeralStorage: *resource.NewQuantity(80<<30, resource.BinarySI),
		corev1.ResourcePods:             *resource.NewQuantity(t.pods, resource.DecimalSI),
	}
	if t.gpus > 0 {
		res["nvidia.com/gpu"] = *resource.NewQuantity(t.gpus, resource.DecimalSI)
	}
	return res
}

// allocatable is what kubelet and system leave: EKS's node image reserves
// 255 MiB + 11 MiB for each pod, 60 m + 10 m of the second CPU, and evicts at 100 MiB.
func (t instanceType) allocatable() corev1.ResourceList {
	res := t.capacity()
	res[corev1.ResourceCPU] = *resource.NewMilliQuantity(t.vCPU*1000-70, resource.DecimalSI)
	res[corev1.ResourceMemory] = *resource.NewQuantity(t.memoryGiB<<30-(255+11*t.pods+100)<<20, resource.BinarySI)
	return res
}
