package scaffold

// upstream is a chart that add-ons of the template use. A chart comes packaged
// from its repository, or from the Go module whose source it lies in.
type upstream struct {
	name    string
	version string // as its repository has it
	// repository is the URL of a Helm repository, or an oci:// reference.
	repository string

	module        string
	moduleVersion string
	folder        string // of the module
	// complete does to the module's chart what its project does when it packages
	// it, and says what that was.
	complete func(t tree, module func(file string) ([]byte, error)) ([]string, error)
}

// upstreams are the charts of the template's add-ons. Versions of chart and
// module belong together: both ways give the same chart.
func upstreams() []upstream {
	return []upstream{
		{
			name: "aws-load-balancer-controller", version: "3.5.0", repository: "https://aws.github.io/eks-charts",
			module: "github.com/aws/eks-charts", moduleVersion: "v0.0.243-0.20260821194545-743f98a89b5b",
			folder: "stable/aws-load-balancer-controller",
		},
		{
			name: "cert-manager", version: "v1.21.2", repository: "oci://quay.io/jetstack/charts/cert-manager",
			module: "github.com/cert-manager/cert-manager", moduleVersion: "v1.21.2",
			folder: "deploy/charts/cert-manager", complete: setVersion("v1.21.2", "v1.21.2"),
		},
		{
			name: "external-dns", version: "1.21.1", repository: "https://kubernetes-sigs.github.io/external-dns",
			module: "sigs.k8s.io/external-dns", moduleVersion: "v0.22.0", folder: "charts/external-dns",
		},
		{
			name: "external-secrets", version: "1.3.2", repository: "https://charts.external-secrets.io",
			module: "github.com/external-secrets/external-secrets", moduleVersion: "v1.3.2",
			folder: "deploy/charts/external-secrets", complete: all(setVersion("1.3.2", "v1.3.2"), addExternalSecretsCRDs),
		},
		{
			name: "karpenter", version: "1.14.0", repository: "oci://public.ecr.aws/karpenter/karpenter",
			module: "github.com/aws/karpenter-provider-aws", moduleVersion: "v1.14.0",
			folder: "charts/karpenter", complete: all(setVersion("1.14.0", "1.14.0"), setKarpenterImage("1.14.0")),
		},
		{
			name: "karpenter-crd", version: "1.14.0", repository: "oci://public.ecr.aws/karpenter/karpenter-crd",
			module: "github.com/aws/karpenter-provider-aws", moduleVersion: "v1.14.0",
			folder: "charts/karpenter-crd", complete: setVersion("1.14.0", "1.14.0"),
		},
		{
			name: "metrics-server", version: "3.13.1", repository: "https://kubernetes-sigs.github.io/metrics-server",
			module: "sigs.k8s.io/metrics-server", moduleVersion: "v0.9.0", folder: "charts/metrics-server",
		},
	}
}
