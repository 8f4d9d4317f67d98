package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/command"
	"kargo.dev/kargo/internal/cli/names"
	"kargo.dev/kargo/internal/cli/tree"
)

// DescribeOptions are the inputs of `describe cluster`.
type DescribeOptions struct {
	IO        *command.IOStreams
	Clock     clock.Clock
	Client    func() (client.WithWatch, error)
	Namespace func() string
	Remote    func(kubeconfig []byte) (client.Client, error)

	Name   string
	Output string
}

// Description is what `describe cluster -o json` prints.
type Description struct {
	Cluster *v1alpha1.WorkloadCluster `json:"cluster"`
	// Problems are the objects that are not ready, causes first.
	Problems []*tree.Node `json:"problems"`
	Tree     *tree.Tree   `json:"tree"`
	// Events of the cluster, the newest last.
	Events []Event `json:"events"`
}

// Event is what a controller told of an object.
type Event struct {
	Time    metav1.Time `json:"time"`
	Type    string      `json:"type"`
	Object  string      `json:"object"`
	Reason  string      `json:"reason"`
	Message string      `json:"message"`
	Count   int32       `json:"count,omitempty"`
}

// maxEvents is how many events are shown.
const maxEvents = 12

// NewCmdDescribe makes `describe cluster`.
func NewCmdDescribe(f *command.Factory, runF func(*DescribeOptions) error) *cobra.Command {
	opts := &DescribeOptions{IO: f.IO, Clock: f.Clock, Client: f.Client, Namespace: f.Namespace, Remote: tree.Remote}
	cmd := &cobra.Command{
		Use:     "cluster NAME",
		Aliases: []string{"wc", "workloadcluster"},
		Short:   "Show a cluster, the objects behind it, and what is wrong",
		Long: `Show a cluster and the tree of objects behind it: Cluster API's in the
management cluster, Flux's in the cluster itself. What is not ready comes first,
causes before what they cause.`,
		Args: command.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.Name = args[0]
			if runF != nil {
				return runF(opts)
			}
			return opts.Run(cmd.Context())
		},
	}
	cmd.Flags().StringVarP(&opts.Output, "output", "o", "", "output format, one of: json, yaml")
	command.CompleteFlag(cmd, "output", cobra.FixedCompletions([]string{"json", "yaml"}, cobra.ShellCompDirectiveNoFileComp))
	cmd.ValidArgsFunction = names.Complete(f, names.Clusters, nil, 1)
	return cmd
}

// Run prints the description.
func (o *DescribeOptions) Run(ctx context.Context) error {
	if !slices.Contains([]string{"", "json", "yaml"}, o.Output) {
		return command.Usagef("-o %s is none of json, yaml", o.Output)
	}
	c, err := o.Client()
	if err != nil {
		return err
	}
	w, err := names.Cluster(ctx, c, o.Namespace(), o.Name)
	if err != nil {
		return err
	}
	if err := command.SetKind(c.Scheme(), w); err != nil {
		return err
	}
	w.ManagedFields = nil
	t, err := tree.Gatherer{Client: c, Remote: o.Remote}.Gather(ctx, w)
	if err != nil {
		return err
	}
	d := &Description{Cluster: w, Tree: t, Problems: t.Root.Problems()}
	d.Events, err = events(ctx, c, w, t)
	if err != nil {
		t.Notes = append(t.Notes, fmt.Sprintf("events cannot be read: %v", err))
	}
	return o.print(d)
}

func (o *DescribeOptions) print(d *Description) error {
	var raw []byte
	var err error
	switch o.Output {
	case "":
		return printDescription(o.IO.Out, d, o.Clock.Now())
	case "yaml":
		raw, err = yaml.Marshal(d)
	default:
		raw, err = json.MarshalIndent(d, "", "    ")
		raw = append(raw, '\n')
	}
	if err != nil {
		return fmt.Errorf("cannot print: %w", err)
	}
	_, err = o.IO.Out.Write(raw)
	return err
}

// events lists the last events of the cluster and of the objects in its tree
// that are in the management cluster.
func events(ctx context.Context, c client.Client, w *v1alpha1.WorkloadCluster, t *tree.Tree) ([]Event, error) {
	about := t.UIDs()
	found := []Event{}
	for _, namespace := range []string{w.Namespace, w.Status.FactoryNamespace} {
		if namespace == "" {
			continue
		}
		var list corev1.EventList
		if err := c.List(ctx, &list, client.InNamespace(namespace)); err != nil {
			if namespace == w.Namespace {
				return nil, err
			}
			continue // the note on the factory namespace tells already
		}
		for _, e := range list.Items {
			if about[e.InvolvedObject.UID] {
				found = append(found, event(e))
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Event) int { return a.Time.Compare(b.Time.Time) })
	return found[max(0, len(found)-maxEvents):], nil
}

func event(e corev1.Event) Event {
	at := e.LastTimestamp
	if at.IsZero() {
		at = metav1.NewTime(e.EventTime.Time)
	}
	if at.IsZero() {
		at = e.CreationTimestamp
	}
	return Event{
		Time: at, Type: cmp.Or(e.Type, corev1.EventTypeNormal), Object: e.InvolvedObject.Kind + " " + e.InvolvedObject.Name,
		Reason: e.Reason, Message: e.Message, Count: e.Count,
	}
}
