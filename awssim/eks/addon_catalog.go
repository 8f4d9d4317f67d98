package eks

import (
	"context"
	"slices"

	"kargo.dev/kargo/awssim/api"
)

// catalogAddon is an add-on that EKS offers.
type catalogAddon struct {
	name, kind, namespace string
	needsIAM              bool
	// versions by Kubernetes version, newest first; the second is the default
	// where there is one, as AWS's default lags behind.
	versions map[string][]string
}

// addonCatalog is a small part of what `aws eks describe-addon-versions` answers.
func addonCatalog() []catalogAddon {
	same := func(versions ...string) map[string][]string {
		all := map[string][]string{}
		for _, v := range Versions() {
			all[v.Name] = versions
		}
		return all
	}
	return []catalogAddon{
		{name: "aws-ebs-csi-driver", kind: "storage", namespace: "kube-system", needsIAM: true, versions: same("v1.55.0-eksbuild.1", "v1.52.1-eksbuild.1", "v1.48.0-eksbuild.1")},
		{name: "coredns", kind: "networking", namespace: "kube-system", versions: map[string][]string{
			"1.33": {"v1.12.4-eksbuild.1", "v1.12.1-eksbuild.2", "v1.11.4-eksbuild.2"},
			"1.34": {"v1.12.4-eksbuild.1", "v1.12.3-eksbuild.1", "v1.12.1-eksbuild.2"},
			"1.35": {"v1.13.1-eksbuild.1", "v1.12.4-eksbuild.1"},
			"1.36": {"v1.13.1-eksbuild.1", "v1.13.0-eksbuild.1"},
		}},
		{name: "eks-pod-identity-agent", kind: "security", namespace: "kube-system", versions: same("v1.3.10-eksbuild.2", "v1.3.8-eksbuild.2", "v1.3.4-eksbuild.1")},
		{name: "kube-proxy", kind: "networking", namespace: "kube-system", versions: map[string][]string{
			"1.33": {"v1.33.5-eksbuild.2", "v1.33.3-eksbuild.4", "v1.33.0-eksbuild.2"},
			"1.34": {"v1.34.1-eksbuild.2", "v1.34.0-eksbuild.2", "v1.33.5-eksbuild.2"},
			"1.35": {"v1.35.0-eksbuild.2", "v1.34.1-eksbuild.2"},
			"1.36": {"v1.36.0-eksbuild.1", "v1.35.0-eksbuild.2"},
		}},
		{name: "vpc-cni", kind: "networking", namespace: "kube-system", needsIAM: true, versions: same("v1.21.1-eksbuild.1", "v1.20.4-eksbuild.2", "v1.19.5-eksbuild.1")},
	}
}

func (a catalogAddon) defaultVersion(kubernetes string) string {
	versions := a.versions[kubernetes]
	if len(versions) > 1 {
		return versions[1]
	}
	return versions[0]
}

// addonVersion checks a version of an add-on for a cluster; "default" is AWS's choice.
func addonVersion(name, version, kubernetes string) (string, error) {
	all := addonCatalog()
	i := slices.IndexFunc(all, func(a catalogAddon) bool { return a.name == name })
	if i < 0 {
		return "", invalidParameter("Addon %s specified is not supported in %s kubernetes version", name, kubernetes)
	}
	if version == "default" {
		return all[i].defaultVersion(kubernetes), nil
	}
	if !slices.Contains(all[i].versions[kubernetes], version) {
		return "", invalidParameter("Addon version specified is not supported: %s of %s with Kubernetes %s; 'aws eks describe-addon-versions' lists those that are", version, name, kubernetes)
	}
	return version, nil
}

type addonInfo struct {
	AddonName        string             `json:"addonName"`
	Type             string             `json:"type"`
	AddonVersions    []addonVersionInfo `json:"addonVersions"`
	Publisher        string             `json:"publisher"`
	Owner            string             `json:"owner"`
	DefaultNamespace string             `json:"defaultNamespace"`
}

type addonVersionInfo struct {
	AddonVersion           string          `json:"addonVersion"`
	Architecture           []string        `json:"architecture"`
	ComputeTypes           []string        `json:"computeTypes"`
	Compatibilities        []compatibility `json:"compatibilities"`
	RequiresConfiguration  bool            `json:"requiresConfiguration"`
	RequiresIAMPermissions bool            `json:"requiresIamPermissions"`
}

type compatibility struct {
	ClusterVersion   string   `json:"clusterVersion"`
	PlatformVersions []string `json:"platformVersions"`
	DefaultVersion   bool     `json:"defaultVersion"`
}

func (s *Service) describeAddonVersions(_ context.Context, c *api.Call) (any, error) {
	kubernetes := c.Params.Get("kubernetesVersion")
	if _, ok := findVersion(kubernetes); kubernetes != "" && !ok {
		return nil, invalidParameter("unsupported Kubernetes version")
	}
	selects := func(key, value string) bool { return !c.Params.Has(key) || slices.Contains(c.Params[key], value) }
	var list []addonInfo
	for _, a := range addonCatalog() {
		if selects("addonName", a.name) && selects("types", a.kind) && selects("publishers", "eks") && selects("owners", "aws") {
			list = append(list, a.info(kubernetes))
		}
	}
	return listAnswer(c, "addons", func(a addonInfo) string { return a.AddonName }, list)
}

// info describes an add-on, for one Kubernetes version or ("") for all.
func (a catalogAddon) info(kubernetes string) addonInfo {
	info := addonInfo{AddonName: a.name, Type: a.kind, Publisher: "eks", Owner: "aws", DefaultNamespace: a.namespace, AddonVersions: []addonVersionInfo{}}
	for _, v := range slices.Backward(Versions()) {
		if kubernetes != "" && v.Name != kubernetes {
			continue
		}
		for _, version := range a.versions[v.Name] {
			fits := compatibility{ClusterVersion: v.Name, PlatformVersions: []string{"*"}, DefaultVersion: version == a.defaultVersion(v.Name)}
			i := slices.IndexFunc(info.AddonVersions, func(o addonVersionInfo) bool { return o.AddonVersion == version })
			if i < 0 {
				info.AddonVersions = append(info.AddonVersions, addonVersionInfo{
					AddonVersion: version, Architecture: []string{"amd64", "arm64"}, ComputeTypes: []string{"ec2"}, RequiresIAMPermissions: a.needsIAM,
				})
				i = len(info.AddonVersions) - 1
			}
			info.AddonVersions[i].Compatibilities = append(info.AddonVersions[i].Compatibilities, fits)
		}
	}
	return info
}
