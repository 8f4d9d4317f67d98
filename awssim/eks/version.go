package eks

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kargo.dev/kargo/awssim/api"
)

// Version is a Kubernetes version that EKS offers.
type Version struct {
	Name     string // 1.34
	Patch    string // 1.34.2, of the control plane
	Platform string // eks.13
	Default  bool   // what CreateCluster takes if none is asked for
	// Released, EndOfStandard and EndOfExtended are days of AWS's release
	// calendar, https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html.
	Released, EndOfStandard, EndOfExtended time.Time
	// NodeReleases are the releases of the node images, oldest first.
	NodeReleases []string
}

// Versions are the versions that EKS offers, oldest first. The days of 1.36 are
// approximate (14 and 26 months after its release).
func Versions() []Version {
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	return []Version{
		{
			Name: "1.33", Patch: "1.33.8", Platform: "eks.27",
			Released: day(2025, 5, 29), EndOfStandard: day(2026, 7, 29), EndOfExtended: day(2027, 7, 29),
			NodeReleases: []string{"1.33.3-20250920", "1.33.5-20251112", "1.33.7-20260224"},
		},
		{
			Name: "1.34", Patch: "1.34.4", Platform: "eks.20", Default: true,
			Released: day(2025, 10, 2), EndOfStandard: day(2026, 12, 2), EndOfExtended: day(2027, 12, 2),
			NodeReleases: []string{"1.34.1-20251112", "1.34.2-20251209", "1.34.4-20260224"},
		},
		{
			Name: "1.35", Patch: "1.35.2", Platform: "eks.10",
			Released: day(2026, 1, 27), EndOfStandard: day(2027, 3, 27), EndOfExtended: day(2028, 3, 27),
			NodeReleases: []string{"1.35.0-20260209", "1.35.2-20260401"},
		},
		{
			Name: "1.36", Patch: "1.36.0", Platform: "eks.4",
			Released: day(2026, 6, 2), EndOfStandard: day(2027, 8, 2), EndOfExtended: day(2028, 8, 2),
			NodeReleases: []string{"1.36.0-20260901", "1.36.0-20260923"},
		},
	}
}

// findVersion returns an offered version.
func findVersion(name string) (Version, bool) {
	all := Versions()
	i := slices.IndexFunc(all, func(v Version) bool { return v.Name == name })
	if i < 0 {
		return Version{}, false
	}
	return all[i], true
}

// support is the state of a version's support on a day, as EKS spells it in
// lower case with a hyphen (status) and in upper case (versionStatus).
func (v Version) support(now time.Time) (status, versionStatus string) {
	switch {
	case now.Before(v.EndOfStandard):
		return "standard-support", "STANDARD_SUPPORT"
	case now.Before(v.EndOfExtended):
		return "extended-support", "EXTENDED_SUPPORT"
	default:
		return "unsupported", "UNSUPPORTED"
	}
}

// nodeRelease is the newest release of the version's node images.
func (v Version) nodeRelease() string { return v.NodeReleases[len(v.NodeReleases)-1] }

// versionForCreate is the version of a new cluster, "" being the default one.
func versionForCreate(name string, now time.Time) (Version, error) {
	if name == "" {
		all := Versions()
		return all[slices.IndexFunc(all, func(v Version) bool { return v.Default })], nil
	}
	v, ok := findVersion(name)
	if !ok || !now.Before(v.EndOfExtended) {
		return Version{}, invalidParameter("unsupported Kubernetes version")
	}
	return v, nil
}

// minor is 34 of "1.34".
func minor(version string) int {
	_, m, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(m) // only offered versions get here
	return n
}

// checkStep allows one minor version up.
func checkStep(from, to string) error {
	if _, ok := findVersion(to); !ok {
		return invalidParameter("unsupported Kubernetes version")
	}
	if minor(to) != minor(from)+1 {
		return invalidParameter("Unsupported Kubernetes minor version update from %s to %s", from, to)
	}
	return nil
}

// kubeletSkew is how many minor versions a kubelet may be older than the
// control plane, https://kubernetes.io/releases/version-skew-policy/#kubelet.
const kubeletSkew = 3

type versionInformation struct {
	ClusterVersion           string `json:"clusterVersion"`
	ClusterType              string `json:"clusterType"`
	DefaultPlatformVersion   string `json:"defaultPlatformVersion"`
	DefaultVersion           bool   `json:"defaultVersion"`
	ReleaseDate              Time   `json:"releaseDate"`
	EndOfStandardSupportDate Time   `json:"endOfStandardSupportDate"`
	EndOfExtendedSupportDate Time   `json:"endOfExtendedSupportDate"`
	Status                   string `json:"status"`
	VersionStatus            string `json:"versionStatus"`
	KubernetesPatchVersion   string `json:"kubernetesPatchVersion"`
}

// describeClusterVersions answers the newest version first, as AWS does.
func (s *Service) describeClusterVersions(_ context.Context, c *api.Call) (any, error) {
	if kind := c.Params.Get("clusterType"); kind != "" && kind != "eks" {
		return nil, invalidParameter("Invalid cluster type: %s", kind)
	}
	wanted := c.Params["clusterVersions"]
	for _, name := range wanted {
		if _, ok := findVersion(name); !ok {
			return nil, invalidParameter("unsupported Kubernetes version")
		}
	}
	var list []versionInformation
	for _, v := range Versions() {
		status, versionStatus := v.support(c.Now)
		switch {
		case len(wanted) > 0 && !slices.Contains(wanted, v.Name),
			c.Params.Get("defaultOnly") == "true" && !v.Default,
			c.Params.Has("status") && c.Params.Get("status") != status,
			c.Params.Has("versionStatus") && c.Params.Get("versionStatus") != versionStatus,
			versionStatus == "UNSUPPORTED" && c.Params.Get("includeAll") != "true":
			continue
		}
		list = append(list, versionInformation{
			ClusterVersion: v.Name, ClusterType: "eks", DefaultPlatformVersion: v.Platform, DefaultVersion: v.Default,
			ReleaseDate: at(v.Released), EndOfStandardSupportDate: at(v.EndOfStandard), EndOfExtendedSupportDate: at(v.EndOfExtended),
			Status: status, VersionStatus: versionStatus, KubernetesPatchVersion: v.Patch,
		})
	}
	newestFirst := func(v versionInformation) string { return fmt.Sprintf("%04d", 9999-minor(v.ClusterVersion)) }
	return listAnswer(c, "clusterVersions", newestFirst, list)
}
