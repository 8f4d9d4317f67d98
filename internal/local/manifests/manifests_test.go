package manifests

import (
	"encoding/base64"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const webhookConfiguration = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata:
  name: hooks
  annotations: {cert-manager.io/inject-ca-from: capi-system/cert}
webhooks:
- name: a.example.com
  clientConfig:
    service: {name: capi-webhook-service, namespace: capi-system, path: /validate-a}
`

const conversionCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  conversion:
    strategy: Webhook
    webhook:
      conversionReviewVersions: [v1]
      clientConfig:
        service: {name: capi-webhook-service, namespace: capi-system, path: /convert}
`

const plainCRD = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: plain.example.com}
spec: {group: example.com}
`

func TestWebhooks(t *testing.T) {
	ca := []byte("a CA")
	endpoints := map[string]Endpoint{"capi-system/capi-webhook-service": {Base: "https://127.0.0.1:1234", CA: ca}}
	config := func(path string) map[string]any {
		return map[string]any{"url": "https://127.0.0.1:1234" + path, "caBundle": base64.StdEncoding.EncodeToString(ca)}
	}
	cases := map[string]struct {
		reason    string
		manifest  string
		endpoints map[string]Endpoint
		path      []string
		want      any
		err       string
	}{
		"Webhook": {
			reason: "a webhook's service becomes the URL of the process", manifest: webhookConfiguration, endpoints: endpoints,
			path: []string{"webhooks"}, want: []any{map[string]any{"name": "a.example.com", "clientConfig": config("/validate-a")}},
		},
		"Conversion": {
			reason: "so does a conversion's", manifest: conversionCRD, endpoints: endpoints,
			path: []string{"spec", "conversion", "webhook"},
			want: map[string]any{"conversionReviewVersions": []any{"v1"}, "clientConfig": config("/convert")},
		},
		"NoConversion": {
			reason: "a CRD without conversion stays as it is", manifest: plainCRD, endpoints: endpoints,
			path: []string{"spec"}, want: map[string]any{"group": "example.com"},
		},
		"UnknownService": {
			reason: "a service that nobody serves for would block all writes", manifest: webhookConfiguration,
			err: "no process serves for the service capi-system/capi-webhook-service",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			objs, err := Parse([]byte(tc.manifest))
			if err != nil {
				t.Fatal(err)
			}
			err = Webhooks(objs, tc.endpoints)
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("%s: error %v, want %q", tc.reason, err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := unstructured.NestedFieldNoCopy(objs[0].Object, tc.path...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s:\n%s", tc.reason, diff)
			}
			if len(objs[0].GetAnnotations()) > 0 {
				t.Errorf("cert-manager's annotation is still there: %v", objs[0].GetAnnotations())
			}
		})
	}
}

func TestParse(t *testing.T) {
	objs, err := Parse([]byte("---\n# nothing\n---" + plainCRD + "---" + conversionCRD))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range Without(objs, "Deployment") {
		names = append(names, o.GetName())
	}
	if diff := cmp.Diff([]string{"plain.example.com", "things.example.com"}, names); diff != "" {
		t.Error(diff)
	}
	if got := Without(objs, "CustomResourceDefinition"); len(got) != 0 {
		t.Errorf("kinds to leave out are still there: %v", got)
	}
	if _, err := Parse([]byte("kind: Nameless")); err == nil {
		t.Error("an object without a name is taken")
	}
}

func TestRenderChart(t *testing.T) {
	chart := fstest.MapFS{
		"Chart.yaml":          {Data: []byte("apiVersion: v2\nname: x\nversion: 1.0.0\n")},
		"values.yaml":         {Data: []byte("on: true\n")},
		"crds/a.yaml":         {Data: []byte(plainCRD)},
		"templates/a.yaml":    {Data: []byte("kind: A\nmetadata: {name: {{ .Release.Name }}, namespace: {{ .Release.Namespace }}}\n")},
		"templates/off.yaml":  {Data: []byte("{{ if .Values.on }}\nkind: Off\nmetadata: {name: off}\n{{ end }}\n")},
		"templates/NOTES.txt": {Data: []byte("hello")},
	}
	got, err := RenderChart(chart, "rel", "ns", map[string]any{"on": false})
	if err != nil {
		t.Fatal(err)
	}
	want := &Chart{
		CRDs:    got.CRDs,
		Objects: []*unstructured.Unstructured{{Object: map[string]any{"kind": "A", "metadata": map[string]any{"name": "rel", "namespace": "ns"}}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(got.CRDs) != 1 || got.CRDs[0].GetName() != "plain.example.com" {
		t.Errorf("CRDs: %v", got.CRDs)
	}
}
