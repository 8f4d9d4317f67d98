// Package follow watches objects through whatever happens to the connection.
package follow

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Follower sees every state of some objects: those that exist first, then changes.
type Follower struct {
	Client client.WithWatch
	Clock  clock.Clock
	// List says which kind; it is an empty list of it.
	List client.ObjectList
	// Options say which objects.
	Options []client.ListOption
	// See gets watch.Added, Modified and Deleted with an object, and
	// watch.Bookmark without one whenever all that exist have been seen. It
	// answers true to end.
	See func(t watch.EventType, obj client.Object) (done bool, err error)
	// Lost is told, once per interruption, why the connection is gone. May be nil.
	Lost func(err error)
}

// retryEvery is the pause between attempts to reach a server that is away.
const retryEvery = time.Second

// Run returns when See answers true or an error, when the context ends (its
// error), or when the API refuses. A connection that breaks after the first
// list is made again, as often as needed.
func (f Follower) Run(ctx context.Context) error {
	r := run{Follower: f, known: map[types.UID]client.Object{}}
	told := false
	for {
		done, err := r.once(ctx)
		switch {
		case done:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil: // the server ended the watch, as it does now and then
			told = false
		case !r.listedOnce || !transient(err):
			return err
		case !told && f.Lost != nil:
			f.Lost(err)
			told = true
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.Clock.After(retryEvery):
		}
	}
}

type run struct {
	Follower
	known map[types.UID]client.Object
	// listedOnce: the server has answered, so that silence is an interruption.
	listedOnce bool
}

// once lists, then watches until the watch ends.
func (r *run) once(ctx context.Context) (done bool, err error) {
	list := r.List.DeepCopyObject().(client.ObjectList)
	if err := r.Client.List(ctx, list, r.Options...); err != nil {
		return false, err
	}
	r.listedOnce = true
	if done, err := r.listed(list); done || err != nil {
		return true, err
	}
	opts := append([]client.ListOption{}, r.Options...)
	opts = append(opts, &client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: list.GetResourceVersion()}})
	w, err := r.Client.Watch(ctx, list, opts...)
	if err != nil {
		return false, err
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case e, open := <-w.ResultChan():
			if !open || e.Type == watch.Error {
				return false, nil
			}
			obj, ok := e.Object.(client.Object)
			if !ok || e.Type == watch.Bookmark {
				continue
			}
			if done, err := r.see(e.Type, obj); done || err != nil {
				return true, err
			}
		}
	}
}

func (r *run) listed(list client.ObjectList) (done bool, err error) {
	items, err := meta.ExtractList(list)
	if err != nil {
		return false, fmt.Errorf("cannot read a list: %w", err)
	}
	gone := r.known
	r.known = map[types.UID]client.Object{}
	for _, item := range items {
		obj, ok := item.(client.Object)
		if !ok {
			return false, fmt.Errorf("a list holds a %T, which is no object", item)
		}
		t := watch.Added
		if old, seen := gone[obj.GetUID()]; seen {
			delete(gone, obj.GetUID())
			if old.GetResourceVersion() == obj.GetResourceVersion() {
				r.known[obj.GetUID()] = obj
				continue
			}
			t = watch.Modified
		}
		if done, err := r.see(t, obj); done || err != nil {
			return done, err
		}
	}
	for _, obj := range gone {
		if done, err := r.See(watch.Deleted, obj); done || err != nil {
			return done, err
		}
	}
	return r.See(watch.Bookmark, nil)
}

func (r *run) see(t watch.EventType, obj client.Object) (done bool, err error) {
	if t == watch.Deleted {
		delete(r.known, obj.GetUID())
	} else {
		r.known[obj.GetUID()] = obj
	}
	return r.See(t, obj)
}

// transient says that the server may answer when asked again.
func transient(err error) bool {
	var network net.Error
	return errors.As(err, &network) ||
		errors.Is(err, context.DeadlineExceeded) ||
		apierrors.IsTooManyRequests(err) || apierrors.IsInternalError(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsTimeout(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsResourceExpired(err) || apierrors.IsGone(err)
}
