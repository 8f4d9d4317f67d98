package dataplane

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"

	"kargo.dev/kargo/awssim/eks"
)

func serviceCIDR(want eks.ControlPlane) string { return cmp.Or(want.ServiceCIDR, defaultServiceCIDR) }

// firstServiceIP is the address of the Service default/kubernetes.
func firstServiceIP(cidr string) (net.IP, error) { return serviceIP(cidr, 1) }

// dnsServiceIP is the address EKS gives the Service kube-system/kube-dns.
func dnsServiceIP(cidr string) (net.IP, error) { return serviceIP(cidr, 10) }

func serviceIP(cidr string, n int) (net.IP, error) {
	prefix, err := netip.ParsePrefix(cidr)
	if err != nil {
		return nil, fmt.Errorf("service network: %w", err)
	}
	addr := prefix.Masked().Addr()
	for range n {
		addr = addr.Next()
	}
	if !prefix.Contains(addr) {
		return nil, fmt.Errorf("service network %s is too small", cidr)
	}
	return addr.AsSlice(), nil
}
