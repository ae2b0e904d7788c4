package alerting

import (
	"context"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"purser/internal/alert"
	"purser/internal/directory"
	"purser/ledger"
)

const (
	// lookEvery is how often the dispatcher looks who leads, and what is open.
	lookEvery = 250 * time.Millisecond
	// noteEvery is how often attempts that failed are noted; what is final is at once.
	noteEvery = 2 * time.Second
	// decisionTime bounds one question to a quorum, and one proposal.
	decisionTime = 10 * time.Second
)

// Seams is what the dispatcher needs of its node.
type Seams struct {
	// View is the directory as this node has it.
	View func() *directory.State
	// Leads says whether this node leads, as far as it knows.
	Leads func() bool
	// Confirm returns once a quorum has confirmed that this node leads and the view
	// holds everything that was acknowledged before.
	Confirm func(context.Context) error
	Propose func(context.Context, directory.Command) (directory.Outcome, error)
	// Webhooks are the receivers, by ID. The slice is not written again.
	Webhooks func() []*alert.Webhook
	Send     func(context.Context, *alert.Webhook, *alert.Event, time.Time) alert.Answer
	Log      *slog.Logger
}

// Dispatcher delivers open alerts while its node leads.
type Dispatcher struct {
	Seams
	wake chan struct{}
}

// NewDispatcher is idle until Run.
func NewDispatcher(s Seams) *Dispatcher { return &Dispatcher{Seams: s, wake: make(chan struct{}, 1)} }

// Wake has the dispatcher look at once. It does not wait.
func (d *Dispatcher) Wake() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run delivers until ctx is done.
func (d *Dispatcher) Run(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		if d.Leads() {
			d.lead(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		case <-d.wake:
		}
	}
}

// reign is the work of one span of leadership.
type reign struct {
	*Dispatcher
	ctx     context.Context
	queues  map[string]*alert.Queue
	results chan result
	noted   chan bool // the proposal under way ended; whether it was carried out; takes one
	working sync.WaitGroup

	notes    map[noteKey]directory.DeliveryNote // not noted yet
	sent     map[noteKey]directory.DeliveryNote // on their way
	urgent   bool                               // one of the notes is final
	noting   bool
	noteTime time.Time // when the last proposal began
	failed   bool      // it was not carried out

	state *directory.State // of the plan
	plan  alert.Plan
	dirty bool // something ended since
}

type noteKey struct {
	webhook string
	seq     uint64
}

type result struct {
	webhook string
	seq     uint64
	sent    bool
	answer  alert.Answer
}

// lead delivers until this node does not lead, or ctx is done. What is under way
// then is broken off and waited for.
func (d *Dispatcher) lead(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	r := &reign{
		Dispatcher: d, ctx: ctx, queues: map[string]*alert.Queue{}, results: make(chan result), noted: make(chan bool, 1),
		notes: map[noteKey]directory.DeliveryNote{}, noteTime: time.Now(),
	}
	defer r.working.Wait()
	defer stop()
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for d.Leads() && ctx.Err() == nil {
		r.look()
		r.start()
		r.note()
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-d.wake:
		case res := <-r.results:
			r.ended(res)
		case done := <-r.noted:
			r.proposed(done)
		}
	}
}

// look makes a plan if there is something new.
func (r *reign) look() {
	state := r.View()
	if state == r.state && !r.dirty {
		return
	}
	r.state, r.dirty = state, false
	webhooks := r.Webhooks()
	maps.DeleteFunc(r.queues, func(id string, _ *alert.Queue) bool {
		return !slices.ContainsFunc(webhooks, func(w *alert.Webhook) bool { return w.ID == id })
	})
	r.plan = alert.NewPlan(state, webhooks, func(webhook string, seq uint64) bool {
		q := r.queues[webhook]
		return q != nil && q.Over(seq)
	})
	for _, w := range webhooks {
		events := r.plan.To[w.ID]
		q := r.queues[w.ID]
		if q == nil && len(events) > 0 {
			q = alert.NewQueue(w.ID)
			r.queues[w.ID] = q
		}
		if q != nil {
			q.Sync(events)
		}
	}
}

// start makes an attempt at each receiver that has none and for which one is due.
func (r *reign) start() {
	now := time.Now()
	for _, w := range r.Webhooks() {
		q := r.queues[w.ID]
		if q == nil {
			continue
		}
		seq, ok := q.Next(ledger.Instant(now.UnixNano()))
		if !ok {
			continue
		}
		r.working.Go(func() {
			res := r.attempt(w, seq)
			select {
			case r.results <- res:
			case <-r.ctx.Done():
			}
		})
	}
}

// attempt sends one event if a quorum still stands behind this node, and if it is
// still to be sent: what an earlier leader noted is in the view by then.
func (r *reign) attempt(w *alert.Webhook, seq uint64) result {
	res := result{webhook: w.ID, seq: seq}
	ctx, cancel := context.WithTimeout(r.ctx, decisionTime)
	err := r.Confirm(ctx)
	cancel()
	if err != nil || !r.Leads() {
		return res
	}
	for _, a := range r.View().Alerts() {
		if a.Seq != seq || !a.Open {
			continue
		}
		if d, ok := a.Delivery(w.ID); ok && d.State != directory.DeliveryPending {
			return res
		}
		e, err := alert.Read(a)
		if err != nil {
			return res
		}
		res.answer = r.Send(r.ctx, w, &e, time.Now())
		res.sent = res.answer.OK || r.ctx.Err() == nil
	}
	return res
}

func (r *reign) ended(res result) {
	r.dirty = true
	q := r.queues[res.webhook]
	switch {
	case q == nil: // the webhook is gone
		return
	case !res.sent:
		q.Unsent()
		return
	}
	note, ok := q.Ended(res.seq, ledger.Instant(time.Now().UnixNano()), res.answer, rand.Float64())
	if !ok {
		return
	}
	r.notes[noteKey{res.webhook, res.seq}] = note
	if note.State == directory.DeliveryPending {
		r.Log.Info("an alert was not delivered; trying again", "webhook", res.webhook, "alert", res.seq, "attempts", note.Attempts, "status", note.Status, "fault", note.Fault)
		return
	}
	r.urgent = true
	if note.State == directory.DeliveryAbandoned {
		r.Log.Warn("an alert was given up", "webhook", res.webhook, "alert", res.seq, "attempts", note.Attempts, "status", note.Status, "fault", note.Fault)
	}
}

// note proposes what is to be noted, one proposal at a time. An alert is closed in
// the proposal that has the last of its notes, or in a later one.
func (r *reign) note() {
	if r.noting || r.failed && time.Since(r.noteTime) < noteEvery {
		return
	}
	if len(r.plan.Closed) == 0 && !r.urgent && (len(r.notes) == 0 || time.Since(r.noteTime) < noteEvery) {
		return
	}
	c := directory.NoteDeliveries{}
	r.sent = map[noteKey]directory.DeliveryNote{}
	for k, n := range r.notes {
		if len(c.Notes) == directory.MaxNotes {
			break
		}
		c.Notes = append(c.Notes, n)
		r.sent[k] = n
		delete(r.notes, k)
	}
	if len(r.notes) == 0 {
		r.urgent = false
		c.Closed = r.plan.Closed[:min(len(r.plan.Closed), directory.MaxNotes-len(c.Notes))]
	}
	r.noting, r.noteTime = true, time.Now()
	r.working.Go(func() {
		ctx, cancel := context.WithTimeout(r.ctx, decisionTime)
		defer cancel()
		_, err := r.Propose(ctx, c)
		if err != nil && r.ctx.Err() == nil {
			r.Log.Info("deliveries could not be noted; trying again", "error", err)
		}
		r.noted <- err == nil
	})
}

// proposed takes back what may not have been carried out: it is proposed again.
func (r *reign) proposed(done bool) {
	r.noting, r.dirty, r.failed = false, true, !done
	if done {
		return
	}
	r.urgent = true
	for k, n := range r.sent {
		if _, newer := r.notes[k]; !newer {
			r.notes[k] = n
		}
	}
}
