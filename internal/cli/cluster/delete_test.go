package cluster_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/cluster"
	"kargo.dev/kargo/internal/cli/command"
)

func shopProd() *v1alpha1.WorkloadCluster {
	return &v1alpha1.WorkloadCluster{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop-prod", UID: "1"}}
}

// TestDelete checks the question that is asked on a terminal, and what is
// called: law 3, protection off and delete as two calls.
func TestDelete(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "workloadclusters"}, "shop-prod", errors.New("no"))
	tests := map[string]struct {
		terminal bool
		confirm  string
		typed    string
		fails    error // of the delete call
		calls    string
		code     int
		reason   string
	}{
		"Typed":          {terminal: true, typed: "shop-prod\n", calls: "protect=false delete", reason: "the name was typed"},
		"TypedWithSpace": {terminal: true, typed: " shop-prod ", calls: "protect=false delete", reason: "space does not matter, nor a missing line end"},
		"TypedWrong":     {terminal: true, typed: "yes\n", code: command.ExitUsage, reason: "yes is not the name"},
		"TypedNothing":   {terminal: true, code: command.ExitUsage, reason: "end of input is no"},
		"Confirmed":      {confirm: "shop-prod", calls: "protect=false delete", reason: "scripts confirm with a flag"},
		"ConfirmedWrong": {terminal: true, typed: "shop-prod\n", confirm: "shop", code: command.ExitUsage, reason: "a wrong flag is not asked about"},
		"NoTerminal":     {typed: "shop-prod\n", code: command.ExitUsage, reason: "a pipe is nobody who types"},
		"Refused":        {confirm: "shop-prod", fails: forbidden, calls: "protect=false delete protect=true", code: command.ExitFailed, reason: "the protection comes back"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			scheme, err := command.Scheme()
			if err != nil {
				t.Fatal(err)
			}
			var calls []string
			c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(shopProd()).WithInterceptorFuncs(interceptor.Funcs{
				Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
					calls = append(calls, "protect="+map[bool]string{true: "true", false: "false"}[o.(*v1alpha1.WorkloadCluster).Protected()])
					return c.Patch(ctx, o, p, opts...)
				},
				Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
					calls = append(calls, "delete")
					if tt.fails != nil {
						return tt.fails
					}
					return c.Delete(ctx, o, opts...)
				},
			}).Build()
			streams, in, _, errOut := command.TestIO()
			in.WriteString(tt.typed)
			streams.StdinTerminal = tt.terminal
			o := &cluster.DeleteOptions{
				IO: streams, Clock: clock.RealClock{}, Namespace: func() string { return "shop" },
				Client: func() (client.WithWatch, error) { return c, nil },
				Name:   "shop-prod", Confirm: tt.confirm, Timeout: time.Minute,
			}
			err = o.Run(t.Context())
			if got := command.ExitCode(err); got != tt.code {
				t.Errorf("%s: exit code %d (%v), want %d", tt.reason, got, err, tt.code)
			}
			if got := strings.Join(calls, " "); got != tt.calls {
				t.Errorf("%s: called %q, want %q", tt.reason, got, tt.calls)
			}
			if asked := strings.Contains(errOut.String(), "Type the name"); asked != (tt.terminal && tt.confirm == "") {
				t.Errorf("%s: asked %t:\n%s", tt.reason, asked, errOut)
			}
		})
	}
}
