package cluster

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"

	"kargo.dev/kargo/api/v1alpha1"
	"kargo.dev/kargo/internal/cli/tree"
)

// printDescription prints problems first, then facts, the tree and events.
func printDescription(w io.Writer, d *Description, now time.Time) error {
	printProblems(w, d)
	if err := printFacts(w, d.Cluster); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := d.Tree.Print(w, now); err != nil {
		return err
	}
	for _, note := range d.Tree.Notes {
		fmt.Fprintf(w, "Note: %s\n", note)
	}
	return printEvents(w, d.Events, now)
}

func printProblems(w io.Writer, d *Description) {
	if len(d.Problems) == 0 {
		fmt.Fprintf(w, "Cluster %s/%s has no problem.\n\n", d.Cluster.Namespace, d.Cluster.Name)
		return
	}
	fmt.Fprintf(w, "Problems of cluster %s/%s, causes first:\n", d.Cluster.Namespace, d.Cluster.Name)
	for _, p := range d.Problems {
		text := tree.OneLine(p.Message)
		if p.Deleting {
			text = strings.TrimSuffix("is being deleted: "+text, ": ")
		}
		fmt.Fprintf(w, "  %s: %s\n", p.Title(d.Cluster.Namespace), text)
	}
	fmt.Fprintln(w)
}

func printFacts(out io.Writer, c *v1alpha1.WorkloadCluster) error {
	s := c.Status
	protection := "on"
	if !c.Protected() {
		protection = "off"
	}
	source := c.Spec.Release
	if c.Spec.Branch != "" {
		source = "branch " + c.Spec.Branch
	}
	kubernetes := s.ControlPlane.Version
	if c.Spec.KubernetesVersion != "" && c.Spec.KubernetesVersion != kubernetes {
		kubernetes = strings.TrimSpace(kubernetes + " (wanted: " + c.Spec.KubernetesVersion + ")")
	}
	facts := [][2]string{
		{"Team", c.Namespace},
		{"Account", strings.TrimSpace(c.Spec.AccountRef.Name + " " + s.AccountID)},
		{"Environment", s.Environment},
		{"Region", s.Region},
		{"Flavor", c.Spec.Flavor},
		{"Release", source},
		{"Wanted commit", s.Commit},
		{"Applied", s.AppliedRevision},
		{"Kubernetes", kubernetes},
		{"Endpoint", s.ControlPlane.Endpoint},
		{"Network", strings.TrimSpace(s.Network.CIDR + " " + s.Network.VPCID)},
		{"Nodes", fmt.Sprintf("%d of %d ready", s.Nodes.Ready, s.Nodes.Total)},
	}
	for _, p := range s.NodePools {
		facts = append(facts, [2]string{"  pool " + p.Name, fmt.Sprintf("%d of %d ready, %s", p.Ready, p.Total, p.Version)})
	}
	facts = append(facts,
		[2]string{"Add-ons", fmt.Sprintf("%d of %d ready", s.Addons.Ready, s.Addons.Total)},
		[2]string{"Deletion protection", protection})
	if c.Spec.Settings != nil {
		var settings map[string]any
		if err := json.Unmarshal(c.Spec.Settings.Raw, &settings); err != nil {
			return fmt.Errorf("cannot read the cluster's settings: %w", err)
		}
		for _, l := range leaves("", settings) {
			facts = append(facts, [2]string{"Setting " + l[0], l[1]})
		}
	}
	tw := printers.GetNewTabWriter(out)
	for _, f := range facts {
		if f[1] != "" {
			fmt.Fprintf(tw, "%s:\t%s\n", f[0], f[1])
		}
	}
	return tw.Flush()
}

// leaves lists a tree of settings as path and value.
func leaves(path string, v any) [][2]string {
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 && path != "" {
		raw, err := json.Marshal(v)
		if err != nil {
			raw = fmt.Append(nil, v)
		}
		return [][2]string{{strings.TrimPrefix(path, "."), string(raw)}}
	}
	var all [][2]string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		all = append(all, leaves(path+"."+k, m[k])...)
	}
	return all
}

func printEvents(w io.Writer, events []Event, now time.Time) error {
	if len(events) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	tw := printers.GetNewTabWriter(w)
	fmt.Fprintln(tw, "EVENT\tTYPE\tOBJECT\tREASON\tMESSAGE")
	for _, e := range events {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", duration.HumanDuration(now.Sub(e.Time.Time)), e.Type, e.Object, e.Reason, tree.OneLine(e.Message))
	}
	return tw.Flush()
}
