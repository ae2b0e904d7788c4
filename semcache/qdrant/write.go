package qdrant

import (
	"context"
	"slices"
	"time"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"

	"purser/semcache/semantic"
)

const (
	writeTime = 2 * time.Second // of one call
	attempts  = 4               // of one batch; after that it is given up
)

// Store implements [semantic.Shared].
func (t *Tier) Store(p semantic.Point) {
	if len(p.Vector) != t.opt.Dim || len(p.Payload) > semantic.MaxPayload {
		t.count.rejected.Add(1)
		return
	}
	if n := t.queue.put(p); n > 0 {
		t.count.overflowed.Add(uint64(n))
	}
	t.wake()
}

// batch is what is being written.
type batch struct {
	points []semantic.Point
	tried  int
	due    time.Time // not to be sent before; zero is at once
}

// write is the one goroutine that changes points. What is forgotten passes through it,
// so that nothing that was stored before comes after.
func (t *Tier) write(ctx context.Context) {
	var b batch
	closing := t.closing
	for {
		if len(b.points) == 0 {
			b = batch{points: t.queue.take()}
		}
		if closing == nil && (len(b.points) == 0 || !t.ready()) {
			t.leave(b)
			return
		}
		var due <-chan time.Time
		if len(b.points) > 0 && t.ready() {
			due = time.After(time.Until(b.due))
		}
		select {
		case <-ctx.Done():
			t.leave(b)
			return
		case <-closing:
			closing = nil
		case <-t.awake:
		case f := <-t.forgets:
			b.points = slices.DeleteFunc(b.points, func(p semantic.Point) bool { return f.which.means(&p) })
			t.queue.remove(f.which.means)
			f.done <- t.forget(ctx, f)
		case <-due:
			b = t.send(ctx, b)
		}
	}
}

// leave counts what is not written any more.
func (t *Tier) leave(b batch) {
	n := len(b.points)
	for {
		more := t.queue.take()
		if len(more) == 0 {
			break
		}
		n += len(more)
	}
	t.count.givenUp.Add(uint64(n))
}

// send tries to write a batch, and returns what is left of it.
func (t *Tier) send(ctx context.Context, b batch) batch {
	now, before := t.opt.Now(), len(b.points)
	b.points = slices.DeleteFunc(b.points, func(p semantic.Point) bool { return p.Expires <= now })
	t.count.expired.Add(uint64(before - len(b.points)))
	if len(b.points) == 0 {
		return batch{}
	}
	list := make([]*api.PointStruct, len(b.points))
	for i := range b.points {
		list[i] = pointOf(&b.points[i])
	}
	call, cancel := context.WithTimeout(ctx, writeTime)
	defer cancel()
	_, err := t.client.Upsert(call, &api.UpsertPoints{CollectionName: t.collection, Wait: api.PtrOf(false), Points: list})
	b.tried++
	if err == nil {
		t.count.written.Add(uint64(len(list)))
		return batch{}
	}
	switch codeOf(err) {
	case codes.InvalidArgument, codes.Unimplemented:
		t.count.rejected.Add(uint64(len(list)))
		return batch{}
	case codes.NotFound:
		t.trip(ReasonLost) // and wait until there is a collection again
	case codes.Unauthenticated, codes.PermissionDenied:
		t.trip(ReasonKey)
	case codes.Unavailable:
		// One shard, or all of the server: only then is there nothing to read either.
		if _, err := t.health(ctx); err != nil {
			t.trip(ReasonUnreachable)
		}
	}
	if b.tried >= attempts {
		t.count.givenUp.Add(uint64(len(list)))
		return batch{}
	}
	t.count.retries.Add(1)
	b.due = time.Now().Add(max(t.pace.retry<<(b.tried-1), retryAfter(err)))
	return b
}
