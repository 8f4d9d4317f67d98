package local

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/local/components"
	"kargo.dev/kargo/internal/local/manifests"
)

var errNotReady = errors.New("condition Ready is False")

// teamsTimeout is how long Flux and the manager may take for teams and accounts.
const teamsTimeout = 2 * time.Minute

// teams waits until Flux has applied management/ of the fleet repository and,
// before the example clusters are made, until their accounts are ready. Later
// the repository is its users': what is wrong with it is told and no reason to fail.
func (u *up) teams(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, teamsTimeout)
	defer cancel()
	management := manifests.New(schema.GroupVersionKind{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Kind: "Kustomization"}, components.NamespaceFlux, "management")
	err := u.waitReadyCondition(within, management, u.platform.Example)
	for _, a := range teamAccounts() {
		if err != nil || u.platform.Example || !a.Cluster {
			break
		}
		err = u.waitReadyCondition(within, manifests.New(v1alpha1.GroupVersion.WithKind("Account"), a.Team, a.Name), false)
	}
	if err != nil && u.platform.Example && ctx.Err() == nil {
		u.Progress.Note("%v", err)
		return nil
	}
	return err
}

// waitReadyCondition waits for condition Ready of an object. A brief wait ends
// when it is False, although it may become True later.
func (u *up) waitReadyCondition(ctx context.Context, o *unstructured.Unstructured, brief bool) error {
	message := "it does not exist"
	err := wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		if err := u.client.Get(ctx, client.ObjectKeyFromObject(o), o); err != nil {
			return false, nil // it will be there, or the time runs out
		}
		status, text := readyCondition(o)
		message = text
		if brief && status == "False" {
			return false, errNotReady
		}
		return status == "True", nil
	})
	if err != nil {
		return fmt.Errorf("%s %s is not ready: %s; see `kubectl --kubeconfig %s describe`", o.GetKind(), client.ObjectKeyFromObject(o), message, u.Profile.Kubeconfig())
	}
	return nil
}

// readyCondition of an object at its present generation.
func readyCondition(o *unstructured.Unstructured) (status, message string) {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		m, _ := c.(map[string]any)
		if m["type"] != v1alpha1.ConditionReady {
			continue
		}
		status, _ = m["status"].(string)
		message, _ = m["message"].(string)
		if observed, ok := m["observedGeneration"].(int64); ok && observed < o.GetGeneration() {
			return "Unknown", message
		}
		return status, message
	}
	return "Unknown", "nothing has looked at it yet"
}
