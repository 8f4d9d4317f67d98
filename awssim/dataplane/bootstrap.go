package dataplane

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"kargo.dev/kargo/awssim/eks"
)

// fieldManager owns what the data plane applies.
const fieldManager = "eks"

var (
	//go:embed manifests/eks.yaml
	eksManifest []byte
	//go:embed manifests/rbac.yaml
	rbacManifest []byte
	//go:embed stages/stages.yaml
	stages []byte

	yamlSeparator = regexp.MustCompile(`(?m)^---\n`)
)

// bootstrap puts into a cluster what EKS puts there: its own RBAC each time the
// simulator starts, the default add-ons once in the cluster's life.
func (c *cluster) bootstrap(ctx context.Context, want eks.ControlPlane) error {
	if c.bootstrapped {
		return nil
	}
	if err := c.applyAll(ctx, rbacManifest, c.apply); err != nil {
		return err
	}
	for _, object := range clusterPolicies() {
		if err := c.apply(ctx, object); err != nil {
			return err
		}
	}
	marker := filepath.Join(c.dir, "bootstrapped")
	if _, err := os.Stat(marker); errors.Is(err, fs.ErrNotExist) {
		dns, err := dnsServiceIP(serviceCIDR(want))
		if err != nil {
			return err
		}
		manifest := strings.ReplaceAll(string(eksManifest), "DNS_SERVICE_IP", dns.String())
		if err := c.applyAll(ctx, []byte(manifest), c.create); err != nil {
			return err
		}
		if err := writeFile(marker, []byte(want.ARN+"\n")); err != nil {
			return err
		}
	}
	c.bootstrapped = true
	return nil
}

func (c *cluster) applyAll(ctx context.Context, manifest []byte, put func(context.Context, any) error) error {
	for _, doc := range yamlSeparator.Split(string(manifest), -1) {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(doc), &object); err != nil {
			return fmt.Errorf("read a manifest: %w", err)
		}
		if err := put(ctx, object); err != nil {
			return err
		}
	}
	return nil
}

// apply makes an object be as given, by server-side apply.
func (c *cluster) apply(ctx context.Context, object any) error {
	client, path, name, body, err := c.request(object)
	if err != nil {
		return err
	}
	err = client.Patch("application/apply-patch+yaml").AbsPath(path, name).
		Param("fieldManager", fieldManager).Param("force", "true").Body(body).Do(ctx).Error()
	if err != nil {
		return fmt.Errorf("apply %s/%s: %w", path, name, err)
	}
	return nil
}

// create makes an object unless there is one.
func (c *cluster) create(ctx context.Context, object any) error {
	client, path, name, body, err := c.request(object)
	if err != nil {
		return err
	}
	err = client.Post().AbsPath(path).SetHeader("Content-Type", "application/json").
		Param("fieldManager", fieldManager).Body(body).Do(ctx).Error()
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create %s/%s: %w", path, name, err)
	}
	return nil
}

// request finds an object's place in the API. Built-in kinds have regular plurals.
func (c *cluster) request(object any) (client rest.Interface, path, name string, body []byte, err error) {
	if body, err = json.Marshal(object); err != nil {
		return nil, "", "", nil, fmt.Errorf("encode an object: %w", err)
	}
	var u unstructured.Unstructured
	if err := u.UnmarshalJSON(body); err != nil {
		return nil, "", "", nil, fmt.Errorf("read an object: %w", err)
	}
	resource, _ := meta.UnsafeGuessKindToResource(u.GroupVersionKind())
	path = "/api/" + resource.Version
	if resource.Group != "" {
		path = "/apis/" + resource.Group + "/" + resource.Version
	}
	if ns := u.GetNamespace(); ns != metav1.NamespaceNone {
		path += "/namespaces/" + ns
	}
	admin, ok := c.client()
	if !ok {
		return nil, "", "", nil, errors.New("the cluster's API is not up")
	}
	return admin.CoreV1().RESTClient(), path + "/" + resource.Resource, u.GetName(), body, nil
}
