package catalogue_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/catalogue"
	"kargo.dev/kargo/internal/cli/command"
)

func published(data string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "kargo-system", Name: "fleet-catalog"}, Data: map[string]string{"catalog.json": data}}
}

// TestLoad: a catalogue that cannot be read keeps nobody from working; a broken one is an error.
func TestLoad(t *testing.T) {
	fails := func(err error) interceptor.Funcs {
		return interceptor.Funcs{Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return err
		}}
	}
	tests := map[string]struct {
		objs    []client.Object
		funcs   interceptor.Funcs
		warning string
		err     string
		known   bool
		reason  string
	}{
		"Published":    {objs: []client.Object{published(`{"flavors":[{"name":"standard","kubernetes":{"default":"1.34"}}],"schema":{"type":"object","properties":{}}}`)}, known: true, reason: "the usual case"},
		"NotPublished": {warning: "the manager alone judges", reason: "the manager has not started yet"},
		"Forbidden":    {funcs: fails(apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "x", errors.New("no"))), warning: "the manager alone judges", reason: "not everybody may read it"},
		"Broken":       {objs: []client.Object{published("{")}, err: "ConfigMap kargo-system/fleet-catalog", reason: "unreadable is not empty"},
		"ServerGone":   {funcs: fails(apierrors.NewServiceUnavailable("away")), err: "away", reason: "nothing else will work either"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			scheme, err := command.Scheme()
			if err != nil {
				t.Fatal(err)
			}
			c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(tt.objs...).WithInterceptorFuncs(tt.funcs).Build()
			streams, _, _, errOut := command.TestIO()
			offer, err := catalogue.Load(t.Context(), c, streams)
			if (err != nil) != (tt.err != "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("%s: error %v, want %q", tt.reason, err, tt.err)
			}
			if !strings.Contains(errOut.String(), tt.warning) || (errOut.Len() > 0) != (tt.warning != "") {
				t.Errorf("%s: warning %q, want %q", tt.reason, errOut, tt.warning)
			}
			if err == nil && (offer.DefaultVersion("standard") == "1.34") != tt.known {
				t.Errorf("%s: default version %q", tt.reason, offer.DefaultVersion("standard"))
			}
			if err == nil && !tt.known {
				if err := offer.Check(nil, &v1alpha1.WorkloadCluster{}, nil); err != nil {
					t.Errorf("%s: nothing is known, nothing is refused: %v", tt.reason, err)
				}
			}
		})
	}
}
