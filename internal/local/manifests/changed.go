package manifests

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// checksumAnnotation on an object tells in which form it was last applied.
const checksumAnnotation = "local.kargo.dev/checksum"

// changed returns copies, marked with their checksum, of the objects that do
// not exist or were last applied in another form.
func changed(ctx context.Context, c client.Client, objs []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	applied := map[schema.GroupVersionKind]map[client.ObjectKey]string{}
	var res []*unstructured.Unstructured
	for _, o := range objs {
		gvk := o.GroupVersionKind()
		if applied[gvk] == nil {
			sums, err := checksums(ctx, c, gvk)
			if err != nil {
				return nil, err
			}
			applied[gvk] = sums
		}
		sum, err := checksum(o)
		if err != nil {
			return nil, err
		}
		if applied[gvk][client.ObjectKeyFromObject(o)] == sum {
			continue
		}
		o = o.DeepCopy()
		annotations := o.GetAnnotations()
		if annotations == nil {
			annotations = map[string]string{}
		}
		annotations[checksumAnnotation] = sum
		o.SetAnnotations(annotations)
		res = append(res, o)
	}
	return res, nil
}

func checksum(o *unstructured.Unstructured) (string, error) {
	b, err := json.Marshal(o.Object)
	if err != nil {
		return "", fmt.Errorf("encode %s %s: %w", o.GetKind(), o.GetName(), err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16]), nil
}

// checksums of the objects of a kind; none if the kind is not served yet.
func checksums(ctx context.Context, c client.Client, gvk schema.GroupVersionKind) (map[client.ObjectKey]string, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	err := c.List(ctx, list)
	if meta.IsNoMatchError(err) {
		return map[client.ObjectKey]string{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", gvk.Kind, err)
	}
	sums := map[client.ObjectKey]string{}
	for _, item := range list.Items {
		sums[client.ObjectKeyFromObject(&item)] = item.Annotations[checksumAnnotation]
	}
	return sums, nil
}
