// Package v1alpha1 holds KARGO's API: Team, Account and WorkloadCluster, in the
// group kargo.dev. A cluster is (flavor, release, settings); everything else
// in these types says whose it is and where it runs.
//
// +kubebuilder:object:generate=true
// +groupName=kargo.dev
package v1alpha1
