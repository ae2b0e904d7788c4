package qdrant

import (
	"context"
	"fmt"
	"time"

	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/grpc/codes"

	"purser/semcache/semantic"
)

// mostNeighbours bounds [semantic.Query.K].
const mostNeighbours = 16

// Nearest implements [semantic.Shared].
func (t *Tier) Nearest(ctx context.Context, q semantic.Query) ([]semantic.Neighbour, error) {
	if !t.ready() {
		t.count.off.Add(1)
		return nil, ErrOff
	}
	return t.nearest(ctx, q)
}

func (t *Tier) nearest(ctx context.Context, q semantic.Query) ([]semantic.Neighbour, error) {
	if len(q.Vector) != t.opt.Dim || q.K < 1 || q.K > mostNeighbours {
		return nil, fmt.Errorf("qdrant: a query of dimension %d for %d neighbours; the dimension is %d, and 1 to %d can be had", len(q.Vector), q.K, t.opt.Dim, mostNeighbours)
	}
	if t.under.Add(1) > mostLookups {
		t.under.Add(-1)
		t.count.busy.Add(1)
		return nil, ErrBusy
	}
	defer t.under.Add(-1)
	began := time.Now()
	call, cancel := context.WithDeadline(ctx, began.Add(t.opt.Config.Timeout))
	defer cancel()
	found, err := t.client.Query(call, t.question(&q))
	t.count.lookupNanos.Add(uint64(time.Since(began)))
	if err != nil {
		if code := codeOf(err); unfair(ctx, code, began, t.opt.Config.Timeout) {
			t.count.abandoned.Add(1)
		} else {
			t.judge(code)
		}
		return nil, callError("query", err)
	}
	t.breaker.succeeded()
	var out []semantic.Neighbour
	for _, p := range found {
		if n, ok := neighbourOf(p, &q); ok && len(out) < q.K {
			out = append(out, n)
		} else {
			t.count.alien.Add(1)
		}
	}
	if len(out) > 0 {
		t.count.found.Add(1)
	} else {
		t.count.empty.Add(1)
	}
	return out, nil
}

// unfair says whether a lookup ended because its caller went away, or left it less than
// half of the time it may take: that says nothing of the server.
func unfair(caller context.Context, code codes.Code, began time.Time, timeout time.Duration) bool {
	switch code {
	case codes.Canceled:
		return caller.Err() != nil
	case codes.DeadlineExceeded:
		d, ok := caller.Deadline()
		return ok && d.Sub(began) < timeout/2
	default:
		return false
	}
}

// judge counts a failed lookup.
func (t *Tier) judge(code codes.Code) {
	switch {
	case code == codes.NotFound:
		t.count.failed.Add(1)
		t.trip(ReasonLost)
		return
	case code == codes.Unauthenticated || code == codes.PermissionDenied:
		t.count.failed.Add(1)
		t.trip(ReasonKey)
		return
	case code == codes.DeadlineExceeded:
		t.count.late.Add(1)
	default:
		t.count.failed.Add(1)
	}
	if t.breaker.failed() {
		t.trip(ReasonSlow)
	}
}

// question is a query as the server takes it.
func (t *Tier) question(q *semantic.Query) *api.QueryPoints {
	return &api.QueryPoints{
		CollectionName: t.collection,
		Query:          api.NewQueryDense(q.Vector),
		Filter: &api.Filter{Must: []*api.Condition{
			api.NewMatch(fieldTenant, tenantHash(q.Tenant)),
			api.NewMatch(fieldScope, scopeHash(q.Scope)),
			api.NewRange(fieldExpires, &api.Range{Gt: api.PtrOf(float64(seconds(q.Now)))}),
		}},
		Limit:          api.PtrOf(uint64(q.K)),
		ScoreThreshold: &q.Floor, // strict: a score has to exceed it
		WithPayload:    api.NewWithPayload(true),
		// The search runs over quantised vectors; scores are of the vectors themselves.
		Params:  &api.SearchParams{Quantization: &api.QuantizationSearchParams{Rescore: api.PtrOf(true)}},
		Timeout: api.PtrOf(uint64(1)), // s, the least there is: after that the server stops, too
	}
}

// probe is a lookup that finds nothing, to see whether one is answered in time.
func (t *Tier) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, t.opt.Config.Timeout)
	defer cancel()
	v := make([]float32, t.opt.Dim)
	v[0] = 1
	_, err := t.client.Query(ctx, t.question(&semantic.Query{Vector: v, K: 1, Floor: 1, Now: t.opt.Now()}))
	return err
}
