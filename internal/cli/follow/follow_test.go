package follow_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"kargo.dev/kargo/internal/cli/follow"
)

// server answers lists and watches from a script, one turn for each list.
type server struct {
	client.WithWatch
	turns []turn
}

type turn struct {
	items  map[string]string // resource version by name
	listed error
	events []watch.Event
	open   bool // the watch stays open
}

func (s *server) List(_ context.Context, list client.ObjectList, _ ...client.ListOption) error {
	if s.turns[0].listed != nil {
		defer func() { s.turns = s.turns[1:] }()
		return s.turns[0].listed
	}
	for name, version := range s.turns[0].items {
		cm := list.(*corev1.ConfigMapList)
		cm.Items = append(cm.Items, *configMap(name, version))
	}
	return nil
}

func (s *server) Watch(context.Context, client.ObjectList, ...client.ListOption) (watch.Interface, error) {
	w := watch.NewRaceFreeFake()
	for _, e := range s.turns[0].events {
		w.Action(e.Type, e.Object)
	}
	if !s.turns[0].open {
		w.Stop()
	}
	s.turns = s.turns[1:]
	return w, nil
}

func configMap(name, version string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name), ResourceVersion: version}}
}

func TestRun(t *testing.T) {
	away := apierrors.NewServiceUnavailable("away")
	tests := map[string]struct {
		turns  []turn
		want   []string
		lost   int
		err    error
		reason string
	}{
		"FirstThenChanges": {
			turns: []turn{{items: map[string]string{"a": "1"}, open: true, events: []watch.Event{
				{Type: watch.Modified, Object: configMap("a", "2")},
				{Type: watch.Deleted, Object: configMap("a", "3")},
			}}},
			want:   []string{"ADDED a1", "BOOKMARK", "MODIFIED a2", "DELETED a3"},
			reason: "what exists comes first, then a bookmark, then changes",
		},
		"WatchEnds": {
			turns: []turn{
				{items: map[string]string{"a": "1"}},
				{items: map[string]string{"a": "1"}},
				{items: map[string]string{"a": "2"}, open: true},
			},
			want:   []string{"ADDED a1", "BOOKMARK", "BOOKMARK", "MODIFIED a2", "BOOKMARK"},
			reason: "a new list tells only what changed meanwhile",
		},
		"DeletedMeanwhile": {
			turns: []turn{
				{items: map[string]string{"a": "1"}},
				{open: true},
			},
			want:   []string{"ADDED a1", "BOOKMARK", "DELETED a1", "BOOKMARK"},
			reason: "what is gone after an interruption was deleted",
		},
		"ServerAway": {
			turns: []turn{
				{items: map[string]string{"a": "1"}},
				{listed: away}, {listed: away}, {listed: away},
				{items: map[string]string{"a": "2"}, open: true},
			},
			want:   []string{"ADDED a1", "BOOKMARK", "MODIFIED a2", "BOOKMARK"},
			lost:   1,
			reason: "an interruption is told once and waited through",
		},
		"AwayFromTheStart": {
			turns:  []turn{{listed: away}},
			err:    away,
			reason: "a server that never answered is an error at once",
		},
		"Refused": {
			turns: []turn{
				{items: map[string]string{"a": "1"}},
				{listed: apierrors.NewUnauthorized("expired")},
			},
			want:   []string{"ADDED a1", "BOOKMARK"},
			err:    apierrors.NewUnauthorized("expired"),
			reason: "a refusal does not go away by asking again",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var got []string
				lost := 0
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				err := follow.Follower{
					Client: &server{turns: tt.turns}, Clock: clock.RealClock{}, List: &corev1.ConfigMapList{},
					See: func(e watch.EventType, obj client.Object) (bool, error) {
						text := string(e)
						if obj != nil {
							text += " " + obj.GetName() + obj.GetResourceVersion()
						}
						got = append(got, text)
						return false, nil
					},
					Lost: func(error) { lost++ },
				}.Run(ctx)
				if tt.err == nil {
					tt.err = context.DeadlineExceeded // nothing more to see
				}
				if !errors.Is(err, tt.err) && err.Error() != tt.err.Error() {
					t.Errorf("%s: error %v, want %v", tt.reason, err, tt.err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", tt.reason, diff)
				}
				if lost != tt.lost {
					t.Errorf("%s: lost %d times, want %d", tt.reason, lost, tt.lost)
				}
			})
		})
	}
}

func TestRunEnds(t *testing.T) {
	stop := errors.New("stop")
	tests := map[string]struct {
		done bool
		err  error
	}{
		"Done":  {true, nil},
		"Error": {false, stop},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := follow.Follower{
				Client: &server{turns: []turn{{}}}, Clock: clock.RealClock{}, List: &corev1.ConfigMapList{},
				See: func(watch.EventType, client.Object) (bool, error) { return tt.done, tt.err },
			}.Run(t.Context())
			if !errors.Is(err, tt.err) {
				t.Errorf("got %v, want %v", err, tt.err)
			}
		})
	}
}
