package engine

// ManifestsDir is the folder of the manifests in an engine directory.
const ManifestsDir = "manifests"

// Manifests of the engine, taken from the modules at the engine's versions, in
// the form a production cluster would be given: webhooks name a Service and
// expect cert-manager to inject the CA. Flux's are in package flux.
const (
	ManifestClusterAPICRDs        = "cluster-api/crds.yaml"
	ManifestClusterAPIWebhooks    = "cluster-api/webhooks.yaml"
	ManifestClusterAPIRBAC        = "cluster-api/rbac.yaml" // namespace, service account, roles and their bindings
	ManifestClusterAPIAWSCRDs     = "cluster-api-provider-aws/crds.yaml"
	ManifestClusterAPIAWSWebhooks = "cluster-api-provider-aws/webhooks.yaml"
	ManifestClusterAPIAWSRBAC     = "cluster-api-provider-aws/rbac.yaml"
	ManifestKWOKNodeFast          = "kwok/node-fast.yaml"                 // makes a Node Ready
	ManifestKWOKNodeHeartbeat     = "kwok/node-heartbeat-with-lease.yaml" // keeps it so, together with its Lease
	ManifestKWOKPodFast           = "kwok/pod-fast.yaml"                  // runs, completes and deletes Pods at once
)

// Manifests returns the names of all manifests, paths below ManifestsDir.
func Manifests() []string {
	return []string{
		ManifestClusterAPICRDs, ManifestClusterAPIWebhooks, ManifestClusterAPIRBAC,
		ManifestClusterAPIAWSCRDs, ManifestClusterAPIAWSWebhooks, ManifestClusterAPIAWSRBAC,
		ManifestKWOKNodeFast, ManifestKWOKNodeHeartbeat, ManifestKWOKPodFast,
	}
}
