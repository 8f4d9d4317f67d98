package progress

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
)

// Goal is what is waited for.
type Goal struct {
	// Text says so: "Ready", "deleted".
	Text string
	// Gone: the object must not exist any more.
	Gone bool
	// Reached judges an object; an error says that it will not get there without
	// a change.
	Reached func(*v1alpha1.WorkloadCluster) (bool, error)
}

// Ready is the goal of making or changing a cluster.
func Ready() Goal { return Condition(v1alpha1.ConditionReady, metav1.ConditionTrue) }

// Deleted is reached when the object is gone, and with it all that it stood for.
func Deleted() Goal {
	return Goal{Text: "deleted", Gone: true, Reached: func(*v1alpha1.WorkloadCluster) (bool, error) { return false, nil }}
}

// Condition is reached when a condition has a status at the present generation.
// Waiting for True fails when the cluster is Stalled, which does not mend itself.
func Condition(condition string, status metav1.ConditionStatus) Goal {
	text := condition
	if status != metav1.ConditionTrue {
		text += "=" + string(status)
	}
	return Goal{Text: text, Reached: func(w *v1alpha1.WorkloadCluster) (bool, error) {
		if c := Current(w, condition); c != nil && c.Status == status {
			return true, nil
		}
		if status == metav1.ConditionTrue {
			return false, stalled(w)
		}
		return false, nil
	}}
}

// Version is reached when control plane and all node pools run a Kubernetes minor version.
func Version(version string) Goal {
	return Goal{Text: "version " + version, Reached: func(w *v1alpha1.WorkloadCluster) (bool, error) {
		reached := w.Status.ControlPlane.Version == version && len(w.Status.NodePools) > 0
		for _, p := range w.Status.NodePools {
			reached = reached && p.Version == version && p.Ready == p.Total
		}
		if reached {
			return true, nil
		}
		return false, stalled(w)
	}}
}

// Commit is reached when Flux has applied a commit of the fleet repository in the cluster.
func Commit(commit string) Goal {
	return Goal{Text: "commit " + commit, Reached: func(w *v1alpha1.WorkloadCluster) (bool, error) {
		_, applied, ok := strings.Cut(w.Status.AppliedRevision, "@sha1:")
		if ok && strings.HasPrefix(applied, commit) {
			return true, nil
		}
		return false, stalled(w)
	}}
}

// minCommit is the shortest abbreviation of a commit that Git makes by itself.
const minCommit = 7

// ParseGoal reads the --for flag.
func ParseGoal(s string) (Goal, error) {
	kind, value, _ := strings.Cut(s, "=")
	switch kind {
	case "delete":
		if value == "" {
			return Deleted(), nil
		}
	case "condition":
		condition, status, found := strings.Cut(value, "=")
		if !found {
			status = "True"
		}
		for _, known := range []metav1.ConditionStatus{metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown} {
			if condition != "" && strings.EqualFold(status, string(known)) {
				return Condition(condition, known), nil
			}
		}
	case "version":
		if v := strings.TrimPrefix(value, "v"); strings.HasPrefix(v, "1.") {
			return Version(v), nil
		}
	case "commit":
		if len(value) >= minCommit {
			return Commit(strings.ToLower(value)), nil
		}
	}
	return Goal{}, command.Usagef("--for %q is none of condition=NAME[=STATUS], delete, version=1.35, commit=SHA (at least %d digits)", s, minCommit)
}

// stalled is the reason why a cluster will not get further by itself.
func stalled(w *v1alpha1.WorkloadCluster) error {
	if w.DeletionTimestamp != nil {
		return fmt.Errorf("cluster %s/%s is being deleted", w.Namespace, w.Name)
	}
	c := Current(w, v1alpha1.ConditionStalled)
	if c == nil || c.Status != metav1.ConditionTrue {
		return nil
	}
	return fmt.Errorf("cluster %s/%s is stalled (%s): %s", w.Namespace, w.Name, c.Reason, c.Message)
}
