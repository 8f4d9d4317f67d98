// Package names looks up what the user called by name: it finds the object,
// says what exists when there is none, and completes names in the shell.
package names

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/settings"
)

// Cluster finds a cluster by name: in the namespace, or in all if that is "".
// The same name in the namespaces of several teams is an error that asks which.
func Cluster(ctx context.Context, c client.Reader, namespace, name string) (*v1alpha1.WorkloadCluster, error) {
	if namespace != "" {
		cluster := &v1alpha1.WorkloadCluster{}
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, cluster)
		if apierrors.IsNotFound(err) {
			return nil, noCluster(ctx, c, namespace, name)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read cluster %s/%s: %w", namespace, name, err)
		}
		return cluster, nil
	}
	var list v1alpha1.WorkloadClusterList
	err := c.List(ctx, &list)
	if apierrors.IsForbidden(err) {
		return nil, command.WithHint(fmt.Errorf("cannot look for cluster %s in all namespaces: %w", name, err), "say whose it is with -n TEAM")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look for cluster %s: %w", name, err)
	}
	found := slices.DeleteFunc(list.Items, func(w v1alpha1.WorkloadCluster) bool { return w.Name != name })
	switch len(found) {
	case 0:
		return nil, noCluster(ctx, c, "", name)
	case 1:
		return &found[0], nil
	}
	var teams []string
	for _, w := range found {
		teams = append(teams, w.Namespace)
	}
	slices.Sort(teams)
	return nil, &command.Error{Code: command.ExitUsage,
		Err:  fmt.Errorf("several teams have a cluster %s: %s", name, strings.Join(teams, ", ")),
		Hint: "say whose it is with -n TEAM"}
}

func noCluster(ctx context.Context, c client.Reader, namespace, name string) error {
	known, err := List(ctx, c, &v1alpha1.WorkloadClusterList{}, namespace)
	where := ""
	if namespace != "" {
		where = " in team " + namespace
	}
	if err != nil {
		known = nil
	}
	return Unknown("cluster", name, where, known)
}

// UnknownError says that there is no such thing.
type UnknownError struct {
	What, Name string
	// Where it was looked for, as the end of a sentence: " in team shop".
	Where string
}

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("there is no %s %q%s", e.What, e.Name, e.Where)
}

// Unknown says that there is no such thing, and hints at what there is.
func Unknown(what, name, where string, known []string) error {
	err := &UnknownError{What: what, Name: name, Where: where}
	switch best := settings.Nearest(name, known); {
	case best != "":
		return command.WithHint(err, "did you mean %s? There are: %s", best, Join(known))
	case len(known) > 0:
		return command.WithHint(err, "there are: %s", Join(known))
	default:
		return command.WithHint(err, "see `kargoctl get %ss -A`", what)
	}
}

// List returns the sorted, distinct names of all objects of a kind in a
// namespace, or in all if that is "".
func List(ctx context.Context, c client.Reader, list client.ObjectList, namespace string) ([]string, error) {
	if err := c.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("cannot list names: %w", err)
	}
	var found []string
	err := meta.EachListItem(list, func(o runtime.Object) error {
		if obj, ok := o.(client.Object); ok {
			found = append(found, obj.GetName())
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list names: %w", err)
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// Join lists names in a sentence, and stops where nobody reads on.
func Join(known []string) string {
	const most = 12
	if len(known) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(known[:most], ", "), len(known)-most)
	}
	return strings.Join(known, ", ")
}
