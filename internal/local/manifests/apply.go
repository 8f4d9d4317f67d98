package manifests

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// fieldManager owns what the local platform applies.
	fieldManager = "kargo-local"
	// parallel applies at a time: more only queue up in the API server.
	parallel = 8
	// requestTimeout bounds one apply.
	requestTimeout = 30 * time.Second
)

// first are the kinds that others need: they are applied before the rest.
var first = [][]string{{"Namespace", "CustomResourceDefinition"}, {"ServiceAccount", "ClusterRole", "Role"}}

// Apply makes all objects be as given by server-side apply and waits until
// the API serves the CRDs among them. What others set in other fields stays.
// Objects that were applied before in the same form are left alone: large CRDs
// take the API server seconds.
func Apply(ctx context.Context, c client.Client, objs []*unstructured.Unstructured) error {
	objs, err := changed(ctx, c, objs)
	if err != nil {
		return err
	}
	rest := objs
	for _, kinds := range first {
		var stage []*unstructured.Unstructured
		for _, o := range rest {
			if slices.Contains(kinds, o.GetKind()) {
				stage = append(stage, o)
			}
		}
		rest = Without(rest, kinds...)
		if err := applyAll(ctx, c, stage); err != nil {
			return err
		}
	}
	if err := waitEstablished(ctx, c, objs); err != nil {
		return err
	}
	return applyAll(ctx, c, rest)
}

func applyAll(ctx context.Context, c client.Client, objs []*unstructured.Unstructured) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for _, o := range objs {
		g.Go(func() error { return apply(ctx, c, o) })
	}
	return g.Wait()
}

// apply one object; an API server that has just started refuses some at first.
func apply(ctx context.Context, c client.Client, o *unstructured.Unstructured) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, requestTimeout, true, func(ctx context.Context) (bool, error) {
		last = c.Apply(ctx, client.ApplyConfigurationFromUnstructured(o.DeepCopy()), client.FieldOwner(fieldManager), client.ForceOwnership)
		return last == nil, permanent(last)
	})
	if last != nil {
		err = last
	}
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", o.GetKind(), client.ObjectKeyFromObject(o), err)
	}
	return nil
}

// permanent returns an error that trying again does not mend.
func permanent(err error) error {
	if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsUnauthorized(err) || apierrors.IsMethodNotSupported(err) {
		return err
	}
	return nil
}

func waitEstablished(ctx context.Context, c client.Client, objs []*unstructured.Unstructured) error {
	for _, o := range objs {
		if o.GetKind() != "CustomResourceDefinition" {
			continue
		}
		crd := &unstructured.Unstructured{}
		crd.SetGroupVersionKind(o.GroupVersionKind())
		err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, requestTimeout, true, func(ctx context.Context) (bool, error) {
			if err := c.Get(ctx, client.ObjectKeyFromObject(o), crd); err != nil {
				return false, permanent(err)
			}
			return established(crd), nil
		})
		if err != nil {
			return fmt.Errorf("wait until the API serves %s: %w", o.GetName(), err)
		}
	}
	if r, ok := c.RESTMapper().(meta.ResettableRESTMapper); ok {
		r.Reset()
	}
	return nil
}

func established(crd *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	return slices.ContainsFunc(conditions, func(c any) bool {
		m, _ := c.(map[string]any)
		return m["type"] == "Established" && m["status"] == "True"
	})
}

// New makes an object to be filled.
func New(gvk schema.GroupVersionKind, namespace, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(gvk)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}
