package semantic

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"purser/ledger"
	"purser/semcache/decide"
	"purser/semcache/index"
)

// Lesson is the answer that a question got.
type Lesson struct {
	Visit  *Visit
	Key    [32]byte // of the answer in the exact cache
	Answer []byte   // in the form that it is stored in; not written any more
	// Expires is when the exact cache gives it no more.
	Expires ledger.Instant
}

// Learn makes the question an entry, and compares the answer with that of the entry
// that would have been given instead, or might. It does not wait: when too much is to
// be learned already, the lesson is lost.
func (t *Tier) Learn(l Lesson) {
	if l.Visit == nil {
		return
	}
	size := int64(len(l.Answer))
	if t.waiting.Add(size) > maxWaiting {
		t.waiting.Add(-size)
		t.count.add(countLost)
		return
	}
	queued := t.later(func() {
		t.learn(&l)
		t.waiting.Add(-size)
	})
	if !queued {
		t.waiting.Add(-size)
	}
}

// maxWaiting bounds the answers that wait to be learned from, in bytes.
const maxWaiting = 64 << 20

// later has work done in the background, if there is room for it.
func (t *Tier) later(do func()) bool {
	t.busy.Add(1)
	select {
	case t.work <- do:
		return true
	default:
		t.busy.Done()
		t.count.add(countLost)
		return false
	}
}

// learner does what is queued, until the tier is closed.
func (t *Tier) learner() {
	for {
		select {
		case <-t.stop:
			return
		case do := <-t.work:
			do()
			t.busy.Done()
		}
	}
}

// learnWait bounds one lesson: a remote embedder and the node that has an answer have
// that long, together.
const learnWait = 5 * time.Second

func (t *Tier) learn(l *Lesson) {
	ctx, cancel := context.WithTimeout(context.Background(), learnWait)
	defer cancel()
	text, whole := l.Visit.read(l.Answer)
	if !whole {
		t.count.add(countNotWhole)
		return
	}
	if refuses(text) {
		t.count.add(countRefusal)
		return
	}
	if l.Visit.compare != nil && t.compare(ctx, l, text) {
		return // the entry that is there has the answer
	}
	t.insert(ctx, l)
}

// compare labels the entry by the answer made anew. It returns true where the question
// needs no entry of its own: the one that is there would have been given, and is right.
func (t *Tier) compare(ctx context.Context, l *Lesson, fresh string) bool {
	v, c := l.Visit, l.Visit.compare
	if c.answer == l.Key {
		return false // it was gone, and was made anew in its own place
	}
	body, ok := t.answers.Answer(ctx, c.answer, t.now())
	if !ok {
		t.count.reason(reasonGone)
		return false
	}
	stored, whole := v.read(body)
	if !whole {
		return false
	}
	label := t.agree(ctx, stored, fresh)
	t.count.label(label)
	if label != decide.Undecided {
		t.curve.label(c.probability, label == decide.Agrees)
	}
	if n := t.known(v.tenant); n != nil {
		asked := decide.Prepare(v.text)
		if h, here := n.learn(&v.scope, &c.id, func(h decide.History) decide.History { return h.Observe(asked, label) }); here {
			t.writeHistory(v.tenant, &v.scope, &c.id, h.Append(nil))
			if h.Quarantined() && label == decide.Disagrees {
				t.count.add(countQuarantined)
				t.forgetShared(ctx, Which{Tenant: v.name, Scope: v.scope, ID: c.id})
			}
		}
	}
	if !c.normal {
		t.observe(v, label, c.probability, c.would)
	}
	return c.would && label == decide.Agrees
}

// insert makes the question an entry.
func (t *Tier) insert(ctx context.Context, l *Lesson) {
	v := l.Visit
	vector := v.vector
	if vector == nil {
		if vector = t.embed(ctx, v.text, learnWait); vector == nil {
			return
		}
	}
	now := t.now()
	e := &entry{created: now, expires: now + ledger.Instant(v.policy.TTL), answer: l.Key, space: t.space, row: make([]int8, len(vector)), text: v.text}
	if l.Expires > 0 {
		e.expires = min(e.expires, l.Expires)
	}
	if e.scale = index.Quantize(e.row, vector); !(e.scale > 0) {
		t.count.add(countEmbedFault)
		return
	}
	if !t.tenant(v.tenant).admit(t.cfg.Inserts, now) {
		t.count.add(countOverRate)
		return
	}
	t.place(v, v.id, e)
	if t.shared != nil {
		t.shared.Store(Point{
			Tenant: v.name, Scope: v.scope, ID: v.id, Vector: vector, Expires: e.expires,
			Payload: e.encode(t.sealed, appendBound(nil, &v.scope, &v.id)),
		})
	}
}

// place puts an entry into memory and on disk.
func (t *Tier) place(v *Visit, id EntryID, e *entry) {
	n := t.tenant(v.tenant)
	t.texts.remove(textKey{v.scope, id})
	t.write(v.tenant, &v.scope, &id, e.encode(t.seal, appendBound(nil, &v.scope, &id)))
	replaced, gone := n.put(v.scope, id, e, t.cfg.TenantEntries, t.cfg.ScopeEntries)
	t.count.add(countInserted)
	if !replaced {
		t.rows.Add(1)
	}
	t.count.addN(countEvicted, len(gone))
	t.eraseSeats(v.tenant, gone)
	t.makeRoom()
}

// embed gives the vector of a text; nil if it cannot be had in time. An embedder that
// fails again and again is left alone for a while.
func (t *Tier) embed(ctx context.Context, text string, limit time.Duration) []float32 {
	if t.pause.resting(t.now()) {
		t.count.add(countEmbedResting)
		return nil
	}
	call, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	v := make([]float32, t.embedder.Dim())
	err := t.embedder.Embed(call, v, text)
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return nil // whoever asks has gone: that says nothing of the embedder
	}
	if err == nil && !unit(v) {
		err = errNotUnit
	}
	t.pause.report(err == nil, t.now())
	if err != nil {
		t.count.add(countEmbedFault)
		return nil
	}
	return v
}

func spaceOf(embedder string) (s spaceID) {
	sum := sha256.Sum256([]byte(embedder))
	copy(s[:], sum[:])
	return s
}
