package ec2

import (
	"testing"

	"kargo.dev/kargo/awssim/quota"
)

func TestBucket(t *testing.T) {
	for name, tc := range map[string]struct {
		instanceType string
		spot         bool
		want         string
	}{
		"Standard":     {"m5.large", false, quota.StandardVCPUs},
		"Dense":        {"im4gn.large", false, quota.StandardVCPUs},
		"StandardSpot": {"t3.small", true, quota.StandardSpotVCPUs},
		"Graphics":     {"g5.xlarge", false, quota.GraphicsVCPUs},
		"GraphicsSpot": {"g4dn.xlarge", true, quota.GraphicsSpotVCPUs},
		"Accelerated":  {"p4d.24xlarge", false, quota.AcceleratedVCPUs},
		"Inference":    {"inf2.xlarge", false, ""},
		"Computing":    {"hpc7g.16xlarge", false, ""},
		"Unknown":      {"x2idn.16xlarge", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := bucket(tc.instanceType, tc.spot); got != tc.want {
				t.Errorf("%s: %q, want %q", tc.instanceType, got, tc.want)
			}
		})
	}
}

func TestVCPUs(t *testing.T) {
	l := newLab(t)
	_, subnetID := l.network()
	run := func(instanceType string) error {
		_, err := call[nothing](l, "RunInstances", "SubnetId", subnetID, "InstanceType", instanceType, "ImageId", "ami-1", "MinCount", "1", "MaxCount", "1")
		return err
	}
	if err := l.quotas.Set(quota.Setting{Account: testAccount, Region: testRegion, Code: quota.StandardVCPUs, Value: 6}); err != nil {
		t.Fatal(err)
	}
	for i, tc := range []struct{ instanceType, want string }{
		{"m5.xlarge", ""}, {"m5.xlarge", "VcpuLimitExceeded"}, {"g4dn.xlarge", ""}, {"t3.micro", ""}, {"t3.micro", "VcpuLimitExceeded"},
	} {
		if err := run(tc.instanceType); code(err) != tc.want || (err != nil) != (tc.want != "") {
			t.Errorf("instance %d (%s): %v, want %q", i+1, tc.instanceType, err, tc.want)
		}
	}
}
