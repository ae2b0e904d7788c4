package purse

import (
	"fmt"
	"iter"

	"purser/ledger"
)

// Driver is a purse without goroutines and without a clock, for whoever decides
// when it moves: a simulation, or the exploration of every order of events. It
// turns the same core as the loops of a [Purse] do.
//
// What they do by themselves its owner does by calls: Step lets time pass and
// takes note of what requests did. NextExchange and NextMarks hand out one
// message and one save at a time, and Answer and Saved say how they ended; they
// may be lost on the way, and the message sent again. Moments never go back in
// Mono; Wall may jump.
//
// One goroutine uses it at a time.
type Driver struct {
	p *Purse // its loops never start
}

// NewDriver starts a node as [Open] does: it gathers the evidence of the disk,
// has it registered, and clears the marks of the incarnation before. Register
// is called once and returns when the ledger has taken the evidence; an error
// of it, or of the disk, is returned, and the node has not started. Of the
// seams only Marks and Proofs are used.
func NewDriver(cfg Config, seams Seams, now Moment, register func(ledger.Register) (uint32, error)) (*Driver, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("purse configuration: %w", err)
	}
	incarnation, seq, err := enrol(cfg, seams, register)
	if err != nil {
		return nil, err
	}
	p := &Purse{cfg: cfg, seams: seams, core: newCore(cfg, incarnation, seq, now)}
	p.step(now)
	return &Driver{p: p}, nil
}

// Step takes note of the time and of what happened since the last one, and
// decides on parked requests.
func (d *Driver) Step(now Moment) { d.p.step(now) }

// NextExchange returns the message to send, which is under way from then on and
// must not be changed; nil when one is under way, or when there is nothing to
// say yet.
func (d *Driver) NextExchange(now Moment) *ledger.Exchange {
	if x := d.p.core.nextExchange(now); x != nil {
		return x.msg
	}
	return nil
}

// Sent returns the message under way, to send it again; nil when there is none.
func (d *Driver) Sent() *ledger.Exchange {
	if x := d.p.core.under; x != nil {
		return x.msg
	}
	return nil
}

// Answer takes the ledger's answer to the message under way. False means that
// it is the answer to something else, and was passed over.
func (d *Driver) Answer(ans *ledger.Answer, now Moment) bool {
	return d.p.core.answered(ans, now)
}

// NextMarks returns what to save next; that save is under way from then on. It
// reports false when one is under way or there is nothing to save. The slice
// must not be changed.
func (d *Driver) NextMarks() (seq uint64, marks []Mark, ok bool) {
	if d.p.core.nextMarks() == nil {
		return 0, nil, false
	}
	return d.Saving()
}

// Saving returns the save under way, if there is one.
func (d *Driver) Saving() (seq uint64, marks []Mark, ok bool) {
	s := d.p.core.saving
	if s == nil {
		return 0, nil, false
	}
	return s.seq, s.marks, true
}

// Saved says that the save under way is durable. Without one it panics.
func (d *Driver) Saved(now Moment) {
	if d.p.core.saving == nil {
		panic("purse: no save of marks is under way")
	}
	d.p.core.saved(now)
}

// Fail stops admission for good: a save failed, or the ledger rejects the node.
func (d *Driver) Fail(err error) { d.p.end(err) }

// Broken is why the node must end, nil while it need not.
func (d *Driver) Broken() error { return d.p.core.broken }

// SetRules is [Purse.SetRules].
func (d *Driver) SetRules(budgets []ledger.Budget, version uint64, now Moment, raises ...ledger.Raise) {
	d.p.adopt(budgets, raises, version, now)
}

// Resolve is [Purse.Resolve].
func (d *Driver) Resolve(dst *Chain, dims *ledger.Dimensions) error {
	return d.p.Resolve(dst, dims)
}

// TryReserve is [Purse.TryReserve].
func (d *Driver) TryReserve(part *Part, claim Claim) (Hold, bool) {
	return d.p.TryReserve(part, claim)
}

// Parked is a request that had to ask for its hold: [Purse.Reserve] in two
// steps.
type Parked struct {
	w *waiter
}

// Park decides on a request at once if it can, else queues it. The part stays
// in use until the decision.
func (d *Driver) Park(part *Part, claim Claim, now Moment) Parked {
	return Parked{d.p.core.park(part, claim, now)}
}

// Decided reports whether the request has ended.
func (r Parked) Decided() bool { return r.w.ended }

// Decision returns what [Purse.Reserve] does: one of the three is set. It is
// for a request that has ended.
func (r Parked) Decision() (Hold, Refusal, error) { return r.w.hold, r.w.refusal, r.w.err }

// Abandon ends a request whose caller went away; err is its decision. A hold
// that it already has is released.
func (d *Driver) Abandon(r Parked, err error) { d.p.core.abandon(r.w, err) }

// Nudge is [Purse.Nudge].
func (d *Driver) Nudge(accounts []ledger.AccountKey) { d.p.Nudge(accounts) }

// Drain stops admission and has every lease returned, each when its last hold
// has ended.
func (d *Driver) Drain() { d.p.drain() }

// Drained reports whether the ledger has taken everything back, and the disk
// forgotten it.
func (d *Driver) Drained() bool { return d.p.core.drained() }

// Admits reports whether new holds may begin, as of the last Step.
func (d *Driver) Admits() bool { return d.p.admit.Load() }

// Incarnation is the number under which the ledger knows this start.
func (d *Driver) Incarnation() uint32 { return d.p.core.incarnation }

// Outstanding is how many holds have not ended.
func (d *Driver) Outstanding() int { return d.p.Outstanding() }

// Lease is one account of the purse, down to what its invariants speak of:
//
//	Returned + Issued <= Granted
//	Issued + Unbacked = Free + Held + Spent
type Lease struct {
	AccountStatus
	Issued   ledger.Amount // the part of the grant that requests may use
	Unbacked ledger.Amount // the part of Spent that nothing issued covered
	Marked   bool          // the durable mark bounds Issued; of slots it does not
	Ending   bool          // the message under way says that the lease is done
}

// Lease returns the account of a key, if the purse has one.
func (d *Driver) Lease(key ledger.AccountKey) (Lease, bool) {
	if a := d.p.core.accounts[key]; a != nil {
		return a.view(), true
	}
	return Lease{}, false
}

// Leases returns every account, in an order that repeats. Nothing else of the
// purse may be called meanwhile.
func (d *Driver) Leases() iter.Seq[Lease] {
	return func(yield func(Lease) bool) {
		for _, a := range d.p.core.live {
			if !yield(a.view()) {
				return
			}
		}
	}
}

func (a *account) view() Lease {
	return Lease{
		AccountStatus: a.status(),
		Issued:        a.issued,
		Unbacked:      ledger.Amount(a.unbacked.Load()),
		Marked:        a.marked(),
		Ending:        a.doneSent,
	}
}
