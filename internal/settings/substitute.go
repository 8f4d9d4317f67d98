package settings

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// Facts are found out at run time, or follow from where the cluster is. They
// are available to add-ons beside their settings.
type Facts struct {
	ClusterName       string
	AccountID         string
	Region            string
	Environment       string
	Team              string
	KubernetesVersion string // "1.34"
	VPCID             string
	ClusterEndpoint   string // https://...
	OIDCIssuer        string // https://...
}

// addonRoles are the IAM roles of add-ons, by variable.
func addonRoles() map[string]string {
	return map[string]string{
		"awsLoadBalancerControllerRoleARN": "aws-load-balancer-controller",
		"certManagerRoleARN":               "cert-manager",
		"externalDNSRoleARN":               "external-dns",
		"externalSecretsRoleARN":           "external-secrets",
		"karpenterRoleARN":                 "karpenter",
	}
}

func (f Facts) variables() map[string]string {
	out := map[string]string{
		"clusterName":       f.ClusterName,
		"accountID":         f.AccountID,
		"region":            f.Region,
		"environment":       f.Environment,
		"team":              f.Team,
		"kubernetesVersion": f.KubernetesVersion,
		"vpcID":             f.VPCID,
		"clusterEndpoint":   f.ClusterEndpoint,
		"oidcIssuer":        f.OIDCIssuer,
	}
	for variable, addon := range addonRoles() {
		out[variable] = fmt.Sprintf("arn:aws:iam::%s:role/%s", f.AccountID, RoleName(f.ClusterName, addon))
	}
	return out
}

// Missing names the facts that are not known yet, sorted. Flux substitutes a
// variable it does not know by nothing, so nothing should be handed out before.
func (f Facts) Missing() []string {
	var missing []string
	for name, value := range f.variables() {
		if value == "" {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	return missing
}

// FactNames are the variables that are always there, sorted.
func FactNames() []string {
	return slices.Sorted(maps.Keys(Facts{}.variables()))
}

// RoleName is the IAM role of an add-on in a cluster's account,
// kargo-CLUSTER-ADDON. IAM allows 64 characters: a longer name is cut in the
// middle and made unique by a hash.
func RoleName(cluster, addon string) string {
	const maxLength = 64
	name := "kargo-" + cluster + "-" + addon
	if len(name) <= maxLength {
		return name
	}
	sum := sha256.Sum256([]byte(name))
	hash := hex.EncodeToString(sum[:])[:8]
	keep := max(0, maxLength-len("kargo---")-len(hash)-len(addon))
	name = "kargo-" + cluster[:min(keep, len(cluster))] + "-" + hash + "-" + addon
	return name[:min(maxLength, len(name))]
}

// Substitutions are the variables Flux substitutes in a cluster's add-ons: the
// settings under addons, nested ones joined by an underscore, and the facts,
// which win.
func Substitutions(values map[string]any, facts Facts) map[string]string {
	out := map[string]string{}
	addons, _ := values["addons"].(map[string]any)
	flatten(out, addons, "")
	maps.Copy(out, facts.variables())
	return out
}

// VariableNames are the names that settings under addons have as variables, sorted.
func VariableNames(addons map[string]any) []string {
	out := map[string]string{}
	flatten(out, addons, "")
	return slices.Sorted(maps.Keys(out))
}

func flatten(out map[string]string, tree map[string]any, prefix string) {
	for key, value := range tree {
		switch v := value.(type) {
		case map[string]any:
			flatten(out, v, prefix+key+"_")
		case string:
			out[prefix+key] = v
		case bool:
			out[prefix+key] = strconv.FormatBool(v)
		case int64:
			out[prefix+key] = strconv.FormatInt(v, 10)
		case float64:
			out[prefix+key] = strconv.FormatFloat(v, 'f', -1, 64)
		}
	}
}
