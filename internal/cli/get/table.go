package get

import (
	"fmt"
	"slices"
	"strings"
	"time"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/api/v1alpha1"
)

// table is the rows of objects as the API machinery's printer takes them.
func (k kind) table(objs []client.Object, now time.Time) *metav1.Table {
	t := &metav1.Table{
		TypeMeta:          metav1.TypeMeta{APIVersion: metav1.SchemeGroupVersion.String(), Kind: "Table"},
		ColumnDefinitions: slices.Clone(k.columns),
	}
	for _, obj := range objs {
		cells := k.row(obj)
		for i, cell := range cells {
			if s, ok := cell.(statusCell); ok {
				cells[i] = s.at(now)
			}
		}
		t.Rows = append(t.Rows, metav1.TableRow{Cells: cells, Object: runtime.RawExtension{Object: obj}})
	}
	return t
}

// statusCell is the column that says in words how it goes, and since when.
type statusCell struct {
	deleting  bool
	condition *metav1.Condition
	created   time.Time
}

func status(obj client.Object, conditions []metav1.Condition) statusCell {
	return statusCell{
		deleting:  obj.GetDeletionTimestamp() != nil,
		condition: apimeta.FindStatusCondition(conditions, v1alpha1.ConditionReady),
		created:   obj.GetCreationTimestamp().Time,
	}
}

// maxMessage keeps a row on one line of a wide terminal; describe shows all.
const maxMessage = 60

func (s statusCell) at(now time.Time) string {
	since := s.created
	if s.condition != nil && !s.condition.LastTransitionTime.IsZero() {
		since = s.condition.LastTransitionTime.Time
	}
	age := duration.HumanDuration(now.Sub(since))
	switch c := s.condition; {
	case s.deleting && c != nil && c.Status != metav1.ConditionTrue:
		return "deleting: " + shorten(c.Message)
	case s.deleting:
		return "deleting"
	case c == nil:
		return "new for " + age
	case c.Status == metav1.ConditionTrue:
		return "ready for " + age
	default:
		return fmt.Sprintf("%s (%s)", shorten(c.Message), age)
	}
}

func shorten(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > maxMessage {
		return string(r[:maxMessage-1]) + "…"
	}
	return s
}

func ratio(c v1alpha1.Count) string { return fmt.Sprintf("%d/%d", c.Ready, c.Total) }
