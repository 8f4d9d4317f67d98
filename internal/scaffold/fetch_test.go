package scaffold

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const chartYAML = "apiVersion: v2\nname: thing\nversion: 1.2.3\n"

// packaged is a chart as `helm package` makes it.
func packaged(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	archive := tar.NewWriter(zip)
	for name, content := range map[string]string{"thing/Chart.yaml": chartYAML, "thing/values.yaml": "a: b\n", "thing/README.md": "x"} {
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(archive, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// upstreamServer is a Helm repository under /repo and an OCI registry.
func upstreamServer(t *testing.T, chart []byte, indexDigest string) *httptest.Server {
	t.Helper()
	blob := func(data []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(data)) }
	config := []byte(`{"name":"thing","version":"1.2.3","apiVersion":"v2"}`)
	manifest, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": map[string]any{"mediaType": "application/vnd.cncf.helm.config.v1+json", "digest": blob(config), "size": len(config)},
		"layers": []any{map[string]any{"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "digest": blob(chart), "size": len(chart)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /repo/index.yaml", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "apiVersion: v1\nentries:\n  thing:\n    - name: thing\n      version: 1.2.3\n      digest: %s\n      urls: [thing-1.2.3.tgz]\n", indexDigest)
	})
	mux.HandleFunc("GET /repo/thing-1.2.3.tgz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(chart) })
	mux.HandleFunc("GET /v2/charts/thing/manifests/{ref}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		w.Header().Set("Docker-Content-Digest", blob(manifest))
		_, _ = w.Write(manifest)
	})
	mux.HandleFunc("GET /v2/charts/thing/blobs/{digest}", func(w http.ResponseWriter, r *http.Request) {
		for _, data := range [][]byte{config, chart} {
			if r.PathValue("digest") == blob(data) {
				_, _ = w.Write(data)
				return
			}
		}
		http.NotFound(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestHelmFetcher(t *testing.T) {
	chart := packaged(t)
	sum := fmt.Sprintf("%x", sha256.Sum256(chart))
	cases := map[string]struct {
		reason      string
		indexDigest string
		repository  func(server string) string
		version     string
		origin      string
		err         string
	}{
		"Repository": {
			reason: "a Helm repository's archive, checked against its index", indexDigest: sum,
			repository: func(s string) string { return s + "/repo" }, version: "1.2.3", origin: "SERVER/repo/thing-1.2.3.tgz",
		},
		"Registry": {
			reason:     "an OCI registry's artifact, addressed by digest",
			repository: func(s string) string { return "oci://" + strings.TrimPrefix(s, "http://") + "/charts/thing" }, version: "1.2.3", origin: "@sha256:",
		},
		"WrongDigest": {
			reason: "an archive that is not the index's is refused", indexDigest: strings.Repeat("0", 64),
			repository: func(s string) string { return s + "/repo" }, version: "1.2.3", err: "is not what the index says",
		},
		"NoSuchVersion": {
			reason: "only the pinned version", indexDigest: sum,
			repository: func(s string) string { return s + "/repo" }, version: "1.2.4", err: "no chart version found",
		},
		"NoRepository": {
			reason: "the address is told", indexDigest: sum,
			repository: func(s string) string { return s + "/other" }, version: "1.2.3", err: "/other/index.yaml answers 404",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := upstreamServer(t, chart, tc.indexDigest)
			fetcher := helmFetcher{client: server.Client(), plainHTTP: true}
			got, origin, _, err := fetcher.fetch(t.Context(), upstream{name: "thing", version: tc.version, repository: tc.repository(server.URL)})
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Fatalf("%s: got error %v, want one with %q", tc.reason, err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", tc.reason, err)
			}
			want := tree{"Chart.yaml": []byte(chartYAML), "values.yaml": []byte("a: b\n"), "README.md": []byte("x")}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.reason, diff)
			}
			if wanted := strings.Replace(tc.origin, "SERVER", server.URL, 1); !strings.Contains(origin, wanted) {
				t.Errorf("origin %s, want %s", origin, wanted)
			}
		})
	}
}

func TestProbe(t *testing.T) {
	server := upstreamServer(t, packaged(t), "")
	fetcher := helmFetcher{client: server.Client()}
	if err := fetcher.probe(t.Context(), server.URL+"/repo"); err != nil {
		t.Errorf("a repository that answers is not found: %v", err)
	}
	if err := fetcher.probe(t.Context(), server.URL+"/other"); err == nil {
		t.Error("a repository that is not there is found")
	}
	server.Close()
	if err := fetcher.probe(t.Context(), server.URL+"/repo"); err == nil {
		t.Error("a server that is gone is found")
	}
}

func TestModuleFetcherErrors(t *testing.T) {
	_, _, _, err := (&moduleFetcher{command: "no-such-go-command"}).fetch(t.Context(), upstreams()[0])
	if err == nil || !strings.Contains(err.Error(), "install Go, or use chart repositories") {
		t.Errorf("without Go the error should say what to do: %v", err)
	}
}

func TestCRDTemplate(t *testing.T) {
	const crd = "kind: CustomResourceDefinition\nmetadata:\n  annotations:\n    a: b\nspec:\n  served: false\n"
	for kind, condition := range map[string]string{
		"ExternalSecret":     "{{- if .Values.installCRDs }}\n",
		"ClusterSecretStore": "{{- if and .Values.installCRDs .Values.crds.createClusterSecretStore }}\n",
		"PushSecret":         "{{- if and .Values.installCRDs .Values.crds.createPushSecret }}\n",
	} {
		got := string(crdTemplate(kind, crd))
		for _, want := range []string{condition, ".Values.crds.annotations", "served: {{ .Values.crds.unsafeServeV1Beta1 }}", "\n{{- end }}\n"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: no %q in:\n%s", kind, want, got)
			}
		}
	}
}
