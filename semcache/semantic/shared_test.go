package semantic

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

// testSeal is a sealer that is none: it shows what was sealed with which key, and for
// what.
type testSeal struct{ key byte }

func (s testSeal) Seal(dst, plain, bound []byte) []byte {
	dst = append(append(dst, s.key, byte(len(bound))), bound...)
	for _, b := range plain {
		dst = append(dst, b^0x5a)
	}
	return dst
}

func (s testSeal) Open(dst, sealed, bound []byte) ([]byte, error) {
	if len(sealed) < 2+len(bound) || sealed[0] != s.key || string(sealed[2:2+len(bound)]) != string(bound) {
		return nil, errors.New("sealed by another, or for something else")
	}
	for _, b := range sealed[2+len(bound):] {
		dst = append(dst, b^0x5a)
	}
	return dst, nil
}

// pool is a shared tier in memory.
type pool struct {
	mu        sync.Mutex
	points    []Point
	forgotten []Which
	fail      error
	slow      bool
	change    func(*Neighbour) // of what it finds
}

func newPool() *pool { return &pool{} }

func (p *pool) Nearest(ctx context.Context, q Query) (out []Neighbour, err error) {
	if p.slow {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pt := range p.points {
		if pt.Tenant != q.Tenant || pt.Scope != q.Scope || pt.Expires <= q.Now {
			continue
		}
		var dot float32
		for i := range q.Vector {
			dot += q.Vector[i] * pt.Vector[i]
		}
		if dot > q.Floor {
			n := Neighbour{ID: pt.ID, Similarity: dot, Expires: pt.Expires, Payload: slices.Clone(pt.Payload)}
			if p.change != nil {
				p.change(&n)
			}
			out = append(out, n)
		}
	}
	slices.SortFunc(out, func(a, b Neighbour) int { return int(1000 * (b.Similarity - a.Similarity)) })
	return out[:min(len(out), q.K)], p.fail
}

func (p *pool) Store(pt Point) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.points = append(p.points, pt)
}

func (p *pool) Forget(_ context.Context, w Which) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgotten = append(p.forgotten, w)
	return p.fail
}

// two are nodes with one shared tier.
func two(t *testing.T) (a, b *world, shared *pool) {
	shared = newPool()
	with := func(w *world) {
		w.with.Shared, w.with.SharedSeal, w.with.Seal = shared, testSeal{7}, testSeal{byte(len(shared.points))}
	}
	return newWorld(t, with), newWorld(t, with), shared
}

func TestSharedEntryIsServedAndKept(t *testing.T) {
	a, b, shared := two(t)
	key := a.teach(question(original), "blue")
	for _, q := range []struct{ text, reason string }{{paraphrase, reasonSimilar}, {original, reasonNormal}} {
		if f := b.expect(question(q.text), Serve, q.reason); f.Answer != key {
			t.Fatalf("%q: found %+v", q.text, f)
		}
		b.tier.busy.Wait()
	}
	if b.tier.rows.Load() != 1 {
		t.Fatalf("%d rows", b.tier.rows.Load())
	}
	shared.fail = errors.New("down")
	b.expect(question(paraphrase), Serve, reasonSimilar)
	other := question(paraphrase)
	other.In.Tenant = "org:other"
	b.expect(other, Miss, reasonEmpty)
}

// TestSharedTierCannotDecide: whatever it answers, nothing is served that this node
// does not find near and right itself.
func TestSharedTierCannotDecide(t *testing.T) {
	a, b, shared := two(t)
	a.teach(question("what is the capital of France?"), "Paris.")
	foreign := question("what is the capital of France?")
	foreign.In.Tenant = "org:other"
	a.teach(foreign, "their answer")
	for name, change := range map[string]func(*Neighbour){
		"another entry's payload": func(n *Neighbour) { n.Payload = slices.Clone(shared.points[1].Payload) },
		"another id":              func(n *Neighbour) { n.ID[3]++ },
		"damage":                  func(n *Neighbour) { n.Payload[len(n.Payload)-1]++ },
		"nothing":                 func(n *Neighbour) { n.Payload = nil },
		"out of date":             func(n *Neighbour) { n.Expires = b.now() },
	} {
		shared.change = change
		if f := b.ask(question("what is the capital of France?")); f.Verdict != Miss {
			t.Errorf("%s: %v %q", name, f.Verdict, f.Reason)
		}
	}
	// It says that something far is near.
	shared.change = func(n *Neighbour) { n.Similarity = 1 }
	far := b.ask(question("capital letters of the alphabet of France is what?"))
	if far.Verdict != Miss {
		t.Errorf("far: %v %q", far.Verdict, far.Reason)
	}
}

func TestSharedTierThatFailsOrIsSlowIsAMiss(t *testing.T) {
	a, b, shared := two(t)
	a.teach(question(original), "blue")
	b.cfg.SharedWait = 5 * time.Millisecond
	b.tier.cfg.SharedWait = 5 * time.Millisecond
	shared.slow = true
	b.expect(question(paraphrase), Miss, reasonEmpty)
	shared.slow, shared.fail = false, errors.New("down")
	b.expect(question(paraphrase), Miss, reasonEmpty)
	if n := b.counted(countSharedFault); n != 2 {
		t.Errorf("%d faults counted", n)
	}
	if _, err := b.tier.Purge(t.Context(), Which{}); err == nil {
		t.Error("a purge that did not reach the shared tier says that it did")
	}
}

func TestSharedTierWithoutAKeyIsNotUsed(t *testing.T) {
	shared := newPool()
	w := newWorld(t, func(w *world) { w.with.Shared = shared })
	w.teach(question(original), "blue")
	if len(shared.points) != 0 || w.tier.Stats().Shared {
		t.Error("questions went to the shared tier unsealed")
	}
}

// TestSharedFillKeepsToTheBounds: what comes from the shared tier is bounded as what
// is learned is.
func TestSharedEntryThatIsQuarantinedHereIsNotServed(t *testing.T) {
	a, b, _ := two(t)
	a.teach(question(original), "blue")
	f := b.expect(question(original), Serve, reasonNormal)
	b.tier.busy.Wait()
	b.tier.known(f.Visit.tenant).learn(&f.Visit.scope, &f.Entry, wrongTwice)
	b.expect(question(original), Miss, reasonApart)
}
