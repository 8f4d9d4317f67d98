package tree

import (
	"fmt"
	"io"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/cli-runtime/pkg/printers"
)

// Print draws the tree, one line per object.
func (t *Tree) Print(w io.Writer, now time.Time) error {
	tw := printers.GetNewTabWriter(w)
	fmt.Fprintln(tw, "OBJECT\tREADY\tSINCE\tREASON\tMESSAGE")
	line(tw, t.Root, t.Root.Namespace, "", "", now)
	return tw.Flush()
}

func line(w io.Writer, n *Node, namespace, branch, below string, now time.Time) {
	since := "-"
	if n.Since != nil {
		since = duration.HumanDuration(now.Sub(n.Since.Time))
	}
	ready := string(n.Ready)
	if n.Deleting {
		ready = "Deleting"
	}
	message := n.Message
	if n.Ready == metav1.ConditionTrue {
		message = "" // what is well needs no words
	}
	fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\t%s\n", branch, n.Title(namespace), ready, since, n.Reason, OneLine(message))
	for i, c := range n.Children {
		if i == len(n.Children)-1 {
			line(w, c, namespace, below+"└─ ", below+"   ", now)
		} else {
			line(w, c, namespace, below+"├─ ", below+"│  ", now)
		}
	}
}

// OneLine joins the lines of a message.
func OneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
