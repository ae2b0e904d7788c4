package purse

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"purser/ledger"
)

// Purse is this node's share of the budgets. All its methods may be called by
// any number of goroutines.
type Purse struct {
	// Read by every request, written once a tick.
	admit atomic.Bool
	till  atomic.Int64 // mono until which this node has authority
	wall  atomic.Int64
	rules atomic.Pointer[rules]

	cfg   Config
	seams Seams
	epoch time.Time

	mu   sync.Mutex // guards core
	core *core

	saves   chan *saving   // to the marker; holds the one save under way
	sends   chan *exchange // to the exchanger; holds the one Exchange under way
	drained chan struct{}
	ctx     context.Context
	stop    context.CancelFunc
	owned   sync.WaitGroup
	failed  sync.Once
	emptied sync.Once
}

// backoff between attempts at the same command: short at first, for a leader
// change takes about a second, and bounded, for an outage may last.
const (
	backoffFirst = 10 * time.Millisecond
	backoffMax   = 500 * time.Millisecond
)

// Open registers this node as a new incarnation, with what its disk can prove
// of the last one, and starts the purse. It tries until ctx ends. The rules
// are to be set next: until then no budget constrains anything.
func Open(ctx context.Context, cfg Config, seams Seams) (*Purse, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("purse configuration: %w", err)
	}
	if seams.Log == nil {
		seams.Log = slog.Default()
	}
	if seams.Wall == nil {
		seams.Wall = func() ledger.Instant { return ledger.Instant(time.Now().UnixNano()) }
	}
	incarnation, seq, err := enrol(cfg, seams, func(r ledger.Register) (uint32, error) {
		return register(ctx, cfg, seams, r)
	})
	if err != nil {
		return nil, err
	}
	p := &Purse{
		cfg: cfg, seams: seams, epoch: time.Now(),
		saves: make(chan *saving, 1), sends: make(chan *exchange, 1),
		drained: make(chan struct{}),
	}
	p.ctx, p.stop = context.WithCancel(context.Background())
	p.core = newCore(cfg, incarnation, seq, p.now())
	p.turn()
	for _, loop := range []func(){p.run, p.marker, p.exchanger} {
		p.owned.Go(loop)
	}
	return p, nil
}

// pause waits, and reports false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (p *Purse) now() Moment {
	return Moment{Wall: p.seams.Wall(), Mono: int64(time.Since(p.epoch))}
}

// Incarnation is the number under which the ledger knows this process.
func (p *Purse) Incarnation() uint32 { return p.core.incarnation }

// SetRules replaces the budgets, and the raises of them that are in force. Versions
// only grow; an older one is ignored. The slices are not kept.
func (p *Purse) SetRules(budgets []ledger.Budget, version uint64, raises ...ledger.Raise) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.adopt(budgets, raises, version, p.now())
	p.core.bell.sound()
}

// adopt is SetRules under the lock.
func (p *Purse) adopt(budgets []ledger.Budget, raises []ledger.Raise, version uint64, now Moment) {
	before := p.core.rules
	if before != nil && version <= before.version {
		return
	}
	r := compile(budgets, version, before)
	p.core.setRules(r, budgets, now)
	r.adoptRaises(raises)
	p.rules.Store(r)
}

// Resolve finds the accounts that d is charged to. It fails when too many
// budgets cover d (ErrChain) or the node's table is full (ErrBusy).
func (p *Purse) Resolve(dst *Chain, d *ledger.Dimensions) error {
	dst.Limits.n, dst.Money.n = 0, 0
	r := p.rules.Load()
	if r == nil {
		return nil
	}
	return r.candidates(d, func(u *rule) error {
		split, covers := u.budget.Covers(d)
		if !covers {
			return nil
		}
		s := u.book.find(split, &p.core.seriesOpen, 2*p.cfg.MaxAccounts)
		if s == nil {
			return ErrBusy
		}
		part := &dst.Money
		if u.book.unit == ledger.Requests || u.book.unit == ledger.Slots {
			part = &dst.Limits
		}
		if !part.add(s) {
			return ErrChain
		}
		return nil
	})
}

// TryReserve holds the claim in every account of the part, or in none. It
// takes no lock, waits for nothing and allocates nothing. False is no refusal:
// the request is to try Reserve.
func (p *Purse) TryReserve(part *Part, claim Claim) (Hold, bool) {
	if !claim.valid() {
		panic(fmt.Sprintf("purse: reserve of an impossible claim %+v", claim))
	}
	if !p.admit.Load() || p.lapsed() {
		return Hold{}, false
	}
	wall := ledger.Instant(p.wall.Load())
	pool := p.core.holds
	h := pool.get()
	for i := range part.n {
		a := part.series[i].current.Load()
		if a == nil || wall >= a.end || a.contended.Load() || !h.grab(a, claim) {
			h.undo()
			pool.drop(h)
			return Hold{}, false
		}
	}
	return pool.begin(h, claim), true
}

// lapsed reports that this node's authority has ended since the last turn: the
// process was paused, and requests run before its loops do.
func (p *Purse) lapsed() bool {
	return !p.epoch.IsZero() && int64(time.Since(p.epoch)) > p.till.Load() // a Driver has no clock
}

// Reserve holds the claim in every account of the part, or in none. Of the
// three results exactly one is set: a hold; a refusal, which is final for now;
// or an error, which means that nothing could be decided.
//
// It waits at most the admission wait, or until ctx ends.
func (p *Purse) Reserve(ctx context.Context, part *Part, claim Claim) (Hold, Refusal, error) {
	if h, ok := p.TryReserve(part, claim); ok {
		return h, Refusal{}, nil
	}
	p.mu.Lock()
	w := p.core.park(part, claim, p.now())
	p.mu.Unlock()
	p.core.bell.sound()
	select {
	case <-w.done:
	case <-ctx.Done():
		p.mu.Lock()
		p.core.abandon(w, ctx.Err())
		p.mu.Unlock()
		p.core.bell.sound()
	}
	return w.hold, w.refusal, w.err
}

// Outstanding is how many holds have not ended: 0 when nothing runs, or
// something leaks.
func (p *Purse) Outstanding() int { return int(p.core.holds.out.Load()) }

// Snapshot returns the state of every account.
func (p *Purse) Snapshot() Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.core
	return Status{
		Incarnation: c.incarnation, MarkSeq: c.markSeq, Admitting: p.admit.Load(),
		Heard:  time.Duration(p.now().Mono - c.heard),
		Refill: time.Duration(c.refill.p99()), Holds: p.Outstanding(), Parked: len(c.parked),
		Accounts: c.snapshot(),
	}
}

// Drain stops admission and returns every lease, each when its last hold has
// ended. It returns when the ledger has taken all of it back, or ctx ended.
func (p *Purse) Drain(ctx context.Context) error {
	p.mu.Lock()
	p.drain()
	p.mu.Unlock()
	p.core.bell.sound()
	select {
	case <-p.drained:
		return nil
	case <-p.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		p.mu.Lock()
		n := len(p.core.live)
		p.mu.Unlock()
		return fmt.Errorf("draining with %d leases and %d holds left: %w", n, p.Outstanding(), ctx.Err())
	}
}

// drain is Drain without the wait, under the lock.
func (p *Purse) drain() {
	p.core.drain()
	p.admit.Store(false)
}

// Close stops the purse and waits for its goroutines. It returns nothing to
// the ledger: what is left is settled by the evidence of the next Open.
func (p *Purse) Close() {
	p.mu.Lock()
	p.end(ErrClosed)
	p.core.expire(p.now())
	p.mu.Unlock()
	p.stop()
	p.owned.Wait()
}
