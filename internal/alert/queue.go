package alert

import (
	"cmp"

	"purser/internal/directory"
	"purser/ledger"
)

// How deliveries are tried again.
const (
	// firstWait doubles with each attempt, up to maxWait; of each wait, between a half
	// and the whole is waited.
	firstWait = ledger.Second
	maxWait   = ledger.Hour
	// giveUp is how long after the event a delivery is abandoned.
	giveUp = ledger.Day
	// restAfter failures in a row a receiver counts as down, and is tried no more often
	// than every rest, however many events wait for it.
	restAfter = 5
	rest      = 10 * ledger.Second
)

// Answer is how an attempt ended.
type Answer struct {
	OK         bool
	Gone       bool           // the receiver wants no more of this event
	Status     uint16         // HTTP status, 0 for none
	Fault      string         // in a word, "" for none
	RetryAfter ledger.Instant // how long the receiver wants to be left alone
}

// Queue is what is to be delivered to one webhook, one at a time.
type Queue struct {
	webhook string
	jobs    map[uint64]*job
	busy    bool
	fails   int            // in a row
	last    ledger.Instant // when the last attempt ended
}

type job struct {
	seq      uint64
	raised   ledger.Instant
	attempts uint32
	next     ledger.Instant
	over     bool // and not seen in the replicated state yet
}

// NewQueue is empty.
func NewQueue(webhook string) *Queue { return &Queue{webhook: webhook, jobs: map[uint64]*job{}} }

// Sync takes in what the replicated state says is to be delivered, and forgets what
// is not. What it has learned itself meanwhile it keeps.
func (q *Queue) Sync(events []*directory.Alert) {
	keep := make(map[uint64]*job, len(events))
	for _, a := range events {
		j := q.jobs[a.Seq]
		if j == nil {
			j = &job{seq: a.Seq, raised: a.At, next: a.At}
			if d, ok := a.Delivery(q.webhook); ok { // an earlier leader's
				j.attempts, j.next = d.Attempts, d.Last+backoff(d.Attempts)
			}
		}
		keep[a.Seq] = j
	}
	q.jobs = keep
}

// Over reports whether nothing more is to be done for an event, as far as this
// queue knows.
func (q *Queue) Over(seq uint64) bool {
	j := q.jobs[seq]
	return j != nil && j.over
}

// Next takes the event that is to be tried at now, if there is one: of those that
// are due, the one that has been for the longest.
func (q *Queue) Next(now ledger.Instant) (seq uint64, ok bool) {
	if q.busy || q.fails >= restAfter && now < q.last+rest {
		return 0, false
	}
	var best *job
	for _, j := range q.jobs {
		if !j.over && j.next <= now && (best == nil || cmp.Or(cmp.Compare(j.next, best.next), cmp.Compare(j.seq, best.seq)) < 0) {
			best = j
		}
	}
	if best == nil {
		return 0, false
	}
	q.busy = true
	return best.seq, true
}

// Ended takes in how the attempt ended that Next gave out, and returns what to note
// of it. jitter is at least 0 and below 1.
func (q *Queue) Ended(seq uint64, now ledger.Instant, a Answer, jitter float64) (directory.DeliveryNote, bool) {
	q.busy, q.last = false, now
	if a.OK {
		q.fails = 0
		for _, other := range q.jobs { // the receiver is back
			other.next = min(other.next, now)
		}
	} else {
		q.fails++
	}
	j := q.jobs[seq]
	if j == nil {
		return directory.DeliveryNote{}, false // closed meanwhile
	}
	j.attempts++
	d := directory.Delivery{Webhook: q.webhook, State: directory.DeliveryPending, Attempts: j.attempts, Last: now, Status: a.Status, Fault: a.Fault}
	wait := max(ledger.Instant(float64(backoff(j.attempts))*(0.5+jitter/2)), min(a.RetryAfter, maxWait))
	j.next = now + wait
	switch {
	case a.OK:
		d.State, j.over = directory.DeliveryDone, true
	case a.Gone, j.next >= j.raised+giveUp:
		d.State, j.over = directory.DeliveryAbandoned, true
	}
	return directory.DeliveryNote{Seq: seq, Delivery: d}, true
}

// Unsent takes back what Next gave out: nothing was sent.
func (q *Queue) Unsent() { q.busy = false }

// backoff is the wait after an attempt, in full.
func backoff(attempts uint32) ledger.Instant {
	if attempts == 0 {
		return 0
	}
	return min(firstWait<<min(attempts-1, 12), maxWait)
}

// Plan is which open events go to which webhook, and which go to none any more.
type Plan struct {
	To     map[string][]*directory.Alert // by webhook, those that are not final there
	Closed []uint64
}

// NewPlan sorts the open events of a state. over says of which deliveries more is
// known than the state says.
func NewPlan(state *directory.State, webhooks []*Webhook, over func(webhook string, seq uint64) bool) Plan {
	p := Plan{To: make(map[string][]*directory.Alert, len(webhooks))}
	for _, a := range state.Alerts() {
		if !a.Open {
			continue
		}
		wanted := false
		e, err := Read(a)
		for _, w := range webhooks[:min(len(webhooks), MaxWebhooks)] {
			if err != nil || !w.Wants(&e) {
				continue // what cannot be read, nobody gets: it is of a later build
			}
			if d, ok := a.Delivery(w.ID); ok && d.State != directory.DeliveryPending {
				continue
			}
			p.To[w.ID] = append(p.To[w.ID], a)
			wanted = wanted || !over(w.ID, a.Seq)
		}
		if !wanted {
			p.Closed = append(p.Closed, a.Seq)
		}
	}
	return p
}
