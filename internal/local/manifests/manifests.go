// Package manifests reads the manifests of the management cluster's parts and
// fits them to processes that run outside of the cluster.
package manifests

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// ReadFile reads all objects of a YAML file.
func ReadFile(path string) ([]*unstructured.Unstructured, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read manifests: %w", err)
	}
	objs, err := Parse(b)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return objs, nil
}

// Parse reads all objects of a YAML stream; empty documents are skipped.
func Parse(b []byte) ([]*unstructured.Unstructured, error) {
	var objs []*unstructured.Unstructured
	dec := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(b), 4096)
	for {
		u := &unstructured.Unstructured{}
		err := dec.Decode(&u.Object)
		if errors.Is(err, io.EOF) {
			return objs, nil
		}
		if err != nil {
			return nil, fmt.Errorf("parse manifest %d: %w", len(objs)+1, err)
		}
		if len(u.Object) == 0 {
			continue
		}
		if u.GetKind() == "" || u.GetName() == "" {
			return nil, fmt.Errorf("manifest %d has no kind or no name", len(objs)+1)
		}
		objs = append(objs, u)
	}
}

// Endpoint is where a webhook server listens as a process.
type Endpoint struct {
	Base string // https://127.0.0.1:PORT
	CA   []byte // PEM
}

// Webhooks replaces, in webhook configurations and CRD conversions, the
// services they name by the endpoints of processes. A service without an
// endpoint is an error: its objects could not be written.
func Webhooks(objs []*unstructured.Unstructured, endpoints map[string]Endpoint) error {
	for _, o := range objs {
		var err error
		switch o.GetKind() {
		case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
			err = eachWebhook(o, endpoints)
		case "CustomResourceDefinition":
			err = conversion(o, endpoints)
		default:
			continue
		}
		if err != nil {
			return fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
		}
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations", "cert-manager.io/inject-ca-from")
	}
	return nil
}

func eachWebhook(o *unstructured.Unstructured, endpoints map[string]Endpoint) error {
	hooks, _, err := unstructured.NestedSlice(o.Object, "webhooks")
	if err != nil {
		return err
	}
	for _, h := range hooks {
		hook, ok := h.(map[string]any)
		if !ok {
			return errors.New("a webhook is no object")
		}
		if err := redirect(hook, endpoints); err != nil {
			return fmt.Errorf("webhook %v: %w", hook["name"], err)
		}
	}
	return unstructured.SetNestedSlice(o.Object, hooks, "webhooks")
}

func conversion(o *unstructured.Unstructured, endpoints map[string]Endpoint) error {
	hook, found, err := unstructured.NestedMap(o.Object, "spec", "conversion", "webhook")
	if err != nil || !found {
		return err
	}
	if err := redirect(hook, endpoints); err != nil {
		return fmt.Errorf("conversion: %w", err)
	}
	return unstructured.SetNestedMap(o.Object, hook, "spec", "conversion", "webhook")
}

// redirect replaces a clientConfig's service by a URL.
func redirect(hook map[string]any, endpoints map[string]Endpoint) error {
	service, found, err := unstructured.NestedMap(hook, "clientConfig", "service")
	if err != nil || !found {
		return err
	}
	key := fmt.Sprintf("%v/%v", service["namespace"], service["name"])
	e, ok := endpoints[key]
	if !ok {
		return fmt.Errorf("no process serves for the service %s", key)
	}
	path, _ := service["path"].(string)
	hook["clientConfig"] = map[string]any{
		"url":      e.Base + path,
		"caBundle": base64.StdEncoding.EncodeToString(e.CA),
	}
	return nil
}

// Without returns the objects that are of none of the kinds.
func Without(objs []*unstructured.Unstructured, kinds ...string) []*unstructured.Unstructured {
	var res []*unstructured.Unstructured
	for _, o := range objs {
		if !slices.Contains(kinds, o.GetKind()) {
			res = append(res, o)
		}
	}
	return res
}
