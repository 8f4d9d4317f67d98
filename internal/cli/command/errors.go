package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Exit codes of kargoctl, stable for scripts.
const (
	ExitDone    = 0
	ExitFailed  = 1
	ExitUsage   = 2 // wrong usage: nothing was touched
	ExitPending = 3 // differences found, or still pending when the time was up
)

// Error is an error that knows the exit code it means and what to do next.
type Error struct {
	Code int
	Err  error
	// Hint says what to do next, as a command or one sentence. It may be empty.
	Hint string
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap makes errors.Is and errors.As see the cause.
func (e *Error) Unwrap() error { return e.Err }

// Usagef is wrong usage of the command line: exit code 2.
func Usagef(format string, args ...any) error {
	return &Error{Code: ExitUsage, Err: fmt.Errorf(format, args...)}
}

// Pendingf says that the time was up, or that there are differences: exit code 3.
func Pendingf(format string, args ...any) error {
	return &Error{Code: ExitPending, Err: fmt.Errorf(format, args...)}
}

// WithHint says what to do about an error, and keeps its exit code.
func WithHint(err error, format string, args ...any) error {
	return &Error{Code: ExitCode(err), Err: err, Hint: fmt.Sprintf(format, args...)}
}

// ExitCode is the exit code an error means.
func ExitCode(err error) int {
	var e *Error
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &e):
		return e.Code
	default:
		return ExitFailed
	}
}

// PrintError writes an error and what to do next.
func PrintError(w io.Writer, err error) {
	fmt.Fprintf(w, "Error: %s\n", message(err))
	if hint := hintFor(err); hint != "" {
		fmt.Fprintf(w, "Hint: %s\n", hint)
	}
}

// message is the error's text; a refusal by the API loses the words that only
// repeat what the user typed.
func message(err error) string {
	var status *apierrors.StatusError
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) || status.ErrStatus.Details == nil {
		return err.Error()
	}
	d := status.ErrStatus.Details
	if len(d.Causes) == 0 {
		return err.Error()
	}
	lines := []string{fmt.Sprintf("%s %q is not valid:", d.Kind, d.Name)}
	for _, c := range d.Causes {
		lines = append(lines, fmt.Sprintf("  %s: %s", c.Field, c.Message))
	}
	return strings.Join(lines, "\n")
}

func hintFor(err error) string {
	var e *Error
	if errors.As(err, &e) && e.Hint != "" {
		return e.Hint
	}
	var dial *net.OpError
	switch {
	case errors.As(err, &dial), errors.Is(err, context.DeadlineExceeded):
		return "the management cluster does not answer: see `kargoctl status`, start the local platform with `kargoctl up`, or name another cluster with --profile, --kubeconfig or --context"
	case apierrors.IsUnauthorized(err):
		return "the management cluster does not know you: log in again, or name another user with --kubeconfig or --context"
	case apierrors.IsForbidden(err):
		return "you may act in your own team's namespace (-n TEAM); a Team's owners stand in its spec.owners"
	case meta.IsNoMatchError(err):
		return "KARGO is not installed in this cluster: is it the management cluster? See --profile, --kubeconfig and --context"
	case ExitCode(err) == ExitUsage:
		return "see --help"
	default:
		return ""
	}
}

// labelKustomization names the Flux Kustomization that applies an object:
// https://fluxcd.io/flux/components/kustomize/kustomizations/.
const labelKustomization = "kustomize.toolkit.fluxcd.io/name"

// RefuseDeclared refuses to change an object that Flux applies from Git, where
// the change would be undone.
func RefuseDeclared(obj client.Object, kind string) error {
	by := obj.GetLabels()[labelKustomization]
	if by == "" {
		return nil
	}
	return WithHint(fmt.Errorf("%s %s/%s is declared in Git (Flux Kustomization %s)", kind, obj.GetNamespace(), obj.GetName(), by),
		"change it in the fleet repository, under management/, and push; to delete a cluster, push spec.deletionProtection: false first, then take it out")
}
