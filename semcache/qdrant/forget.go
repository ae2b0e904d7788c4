package qdrant

import (
	"context"
	"errors"
	"time"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"

	"purser/semcache/semantic"
)

const (
	forgetTime  = 5 * time.Second // of one call
	forgetTries = 3
)

// forget is a wish to the writing goroutine.
type forget struct {
	ctx   context.Context
	which which
	done  chan error // takes one
}

// which is [semantic.Which] with what follows from it.
type which semantic.Which

// means says whether a point that is not written yet is meant.
func (w which) means(p *semantic.Point) bool {
	return (w.Tenant == "" || w.Tenant == p.Tenant) && (w.Scope == semantic.Scope{} || w.Scope == p.Scope) && (w.ID == semantic.EntryID{} || w.ID == p.ID)
}

// filter is the same for the server. Every point has an instant, so that one condition
// means all of them.
func (w which) filter() *api.Filter {
	must := []*api.Condition{api.NewRange(fieldExpires, &api.Range{Gte: api.PtrOf(0.0)})}
	if w.Tenant != "" {
		must = append(must, api.NewMatch(fieldTenant, tenantHash(w.Tenant)))
	}
	if w.Scope != (semantic.Scope{}) {
		must = append(must, api.NewMatch(fieldScope, scopeHash(w.Scope)))
	}
	if w.ID != (semantic.EntryID{}) {
		must = append(must, api.NewHasID(api.NewIDUUID(pointID(w.Scope, w.ID))))
	}
	return &api.Filter{Must: must}
}

// Forget implements [semantic.Shared]. While the tier is off it returns [ErrOff], and
// what is in the server stays there until it expires.
func (t *Tier) Forget(ctx context.Context, w semantic.Which) error {
	if w.ID != (semantic.EntryID{}) && w.Scope == (semantic.Scope{}) {
		return errors.New("qdrant: an entry to forget has no scope")
	}
	err := t.ask(forget{ctx: ctx, which: which(w), done: make(chan error, 1)})
	if err != nil {
		t.count.forgetsFailed.Add(1)
		return err
	}
	t.count.forgotten.Add(1)
	return nil
}

func (t *Tier) ask(f forget) error {
	select {
	case t.forgets <- f:
	case <-t.wrote:
		return ErrClosed
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
	select {
	case err := <-f.done:
		return err
	case <-f.ctx.Done():
		return f.ctx.Err()
	}
}

// forget deletes what is meant, and waits until it is. Every replica is told in one
// order, so that none keeps what another has deleted.
func (t *Tier) forget(base context.Context, f forget) error {
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	defer context.AfterFunc(base, cancel)()
	var err error
	for try := range forgetTries {
		if !t.ready() {
			return ErrOff
		}
		call, cancel := context.WithTimeout(ctx, forgetTime)
		_, err = t.client.Delete(call, &api.DeletePoints{
			CollectionName: t.collection, Wait: api.PtrOf(true), Points: api.NewPointsSelectorFilter(f.which.filter()),
			Ordering: &api.WriteOrdering{Type: api.WriteOrderingType_Strong},
		})
		cancel()
		switch code := codeOf(err); {
		case err == nil:
			return nil
		case code == codes.NotFound:
			t.trip(ReasonLost)
			return nil // with the collection, all of it is gone
		case code == codes.InvalidArgument || code == codes.Unauthenticated || code == codes.PermissionDenied:
			return callError("delete", err)
		}
		select {
		case <-time.After(max(t.pace.retry<<try, retryAfter(err))):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return callError("delete", err)
}

// sweep deletes what has expired, as long as this node is the one that does.
func (t *Tier) sweep(ctx context.Context) {
	tick := time.NewTicker(t.pace.sweep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !t.ready() || !t.opt.Leads() {
			continue
		}
		call, cancel := context.WithTimeout(ctx, forgetTime)
		_, err := t.client.Delete(call, &api.DeletePoints{
			CollectionName: t.collection, Wait: api.PtrOf(false),
			Points: api.NewPointsSelectorFilter(&api.Filter{Must: []*api.Condition{api.NewRange(fieldExpires, &api.Range{Lt: api.PtrOf(float64(seconds(t.opt.Now())))})}}),
		})
		cancel()
		if err != nil {
			t.count.sweepsFailed.Add(1) // the next one deletes the same, and more
			continue
		}
		t.count.sweeps.Add(1)
	}
}
