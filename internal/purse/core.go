package purse

import (
	"sync/atomic"

	"purser/ledger"
)

// Moment is a time as data, in nanoseconds. Wall chooses windows, and moments at
// which nodes ask together; Mono never goes back and measures every wait.
type Moment struct {
	Wall ledger.Instant
	Mono int64
}

// next is when the next multiple of a period begins on the wall clock, as a mono.
// What nodes do at such times they do together, as far as their clocks agree, and
// it shares the leader's entries.
func (m Moment) next(period int64) int64 {
	into := int64(m.Wall) % period
	if into < 0 {
		into += period
	}
	return m.Mono + period - into
}

// Limits of the core's own work, with their reasons.
const (
	// retryFirst and retryMax space the questions of a request whose account is
	// contended: money may come back on another node at any time, and every
	// question is a log entry.
	retryFirst = 20_000_000
	retryMax   = 160_000_000
	// leastGap is the least time between the beginnings of two Exchanges. It is
	// shorter than a synced log entry takes; it only keeps a misunderstanding
	// between two quick parties from becoming a busy loop.
	leastGap = 1_000_000
	// needGap spaces the questions for an account of which the ledger gave less
	// than was wanted: what comes meanwhile, on all nodes, asks together, so that
	// the entries of a budget's last hundredth follow time and not requests. It is
	// a small part of the admission wait.
	needGap = 20_000_000
	// leasePart bounds what is asked ahead, as a part of the limit: what a node that
	// dies has idle is out until it comes back.
	leasePart = 32
	// shortFor is how long not to ask ahead after the ledger gave less than was
	// wanted; requests that need more still ask.
	shortFor = 1_000_000_000
	// believeFor is how long a ceiling answers requests without a question. It
	// can only rise when a limit does, and then SetRules voids it at once.
	believeFor = 5_000_000_000
	// scanEvery is the period of rates, windows and idleness.
	scanEvery = 1_000_000_000
	// sweepEvery is how many scans go by between sweeps of unused series.
	sweepEvery = 16
	// aheadOfWindow is how long before its window an account is opened: long
	// enough for an Exchange and a mark, short enough for the ledger to agree.
	aheadOfWindow = 2 * ledger.Second
	// maxMarks bounds one save. What is left over is in the next.
	maxMarks = 1024
)

// core decides what to hold, ask, mark and return. It has no goroutine, clock,
// lock or I/O: it is called under the purse's lock with the time as data, and
// what it wants done it hands out as values (nextExchange, nextMarks) whose
// results come back as calls (answered, saved).
type core struct {
	cfg         Config
	incarnation uint32
	bell        *bell
	holds       *holds
	rules       *rules
	// horizonWall is the latest window end the ledger is known to have passed.
	horizonWall ledger.Instant

	accounts map[ledger.AccountKey]*account
	live     []*account // the same, in an order that repeats
	cursor   int        // where the next flush goes on in live

	parked []*waiter // in the order they came
	short  []*account
	pass   uint64 // of serve
	pump   bool   // something changed that may let parked requests go

	seq        uint64
	draft      uint64 // of nextExchange
	markSeq    uint64
	under      *exchange  // the Exchange under way
	urgent     []*account // want a row before the next flush
	nextAt     int64      // mono before which no Exchange begins
	flushAt    int64
	flushMore  bool // the last flush did not reach everyone
	heard      int64
	refill     latencies
	toMark     []*account
	gone       []Mark
	saving     *saving
	scanAt     int64
	scans      int
	draining   bool
	authority  bool
	broken     error // why the process must end
	seriesOpen atomic.Int64
}

func newCore(cfg Config, incarnation uint32, markSeq uint64, now Moment) *core {
	return &core{
		cfg:         cfg,
		incarnation: incarnation,
		bell:        newBell(incarnation),
		holds:       &holds{},
		accounts:    make(map[ledger.AccountKey]*account),
		markSeq:     markSeq,
		heard:       now.Mono,
		flushAt:     now.Mono,
		scanAt:      now.Mono + scanEvery,
		authority:   true,
		horizonWall: -ledger.MaxInstant,
	}
}

// step takes note of the time and of what happened on the hot path. After it
// the caller asks for nextMarks and nextExchange.
func (c *core) step(now Moment) {
	c.bell.answer(func(a *account) {
		c.pump = c.pump || a.watched.Load()
		c.assess(a, now)
	})
	c.keepAuthority(now)
	if now.Mono >= c.scanAt {
		c.scanAt = now.Mono + scanEvery
		c.scan(now)
	}
	c.expire(now)
	if c.pump {
		c.serve(now)
	}
}

// keepAuthority ends this node's authority when the ledger was not heard in time.
func (c *core) keepAuthority(now Moment) {
	c.authority = now.Mono-c.heard <= int64(c.cfg.AuthorityTTL)
}

// admits reports whether new holds may begin.
func (c *core) admits() bool { return c.authority && !c.draining && c.broken == nil }

// undecided is why admits is false.
func (c *core) undecided() error {
	switch {
	case c.broken != nil:
		return ErrClosed
	case c.draining:
		return ErrDraining
	default:
		return ErrNoAuthority
	}
}

// current returns the account that a hold on s is charged to at this moment,
// making it if need be; nil when the table is full. The account may be closing:
// then nothing can be had of it until it has gone.
func (c *core) current(s *series, now Moment) *account {
	wall := max(now.Wall, c.horizonWall)
	a := s.current.Load()
	if a != nil && a.index >= 0 && wall < a.end && !a.before(wall) {
		if a.closing {
			c.reopen(a, now)
		}
		return a
	}
	start, end := s.book.window.Bounds(wall)
	a = c.open(ledger.AccountKey{Budget: s.book.id, Split: s.split, Start: start}, end, s.book, now)
	if a != nil {
		s.current.Store(a)
	}
	return a
}

// before reports that the window of a has not begun, in the ledger's opinion
// and in this node's: its clock was ahead for a while.
func (a *account) before(wall ledger.Instant) bool {
	return a.state == ledger.NotYet && wall < a.key.Start
}

// open returns the account of a key, making it if there is room.
func (c *core) open(key ledger.AccountKey, end ledger.Instant, k *book, now Moment) *account {
	if a := c.accounts[key]; a != nil {
		if a.closing {
			c.reopen(a, now)
		}
		return a
	}
	if len(c.live) >= c.cfg.MaxAccounts {
		return nil
	}
	a := &account{key: key, unit: k.unit, end: end, book: k, bell: c.bell}
	a.heard.Store(unknown)
	a.setSoft(k.soft.Load())
	a.wake.Store(never)
	a.rateAt, a.usedAt = now.Mono, now.Mono
	a.index = len(c.live)
	c.live = append(c.live, a)
	c.accounts[key] = a
	if a.soft.Load() {
		c.wantMark(a) // names it in the evidence of a restart
	}
	return a
}

// assess decides what an account needs: a higher mark, more allowance, or its
// end, and from which free amount on it wants to be looked at again.
func (c *core) assess(a *account, now Moment) {
	if a.index < 0 {
		return
	}
	if a.closing {
		a.wake.Store(never)
		c.settleClosing(a)
		return
	}
	if a.soft.Load() {
		c.wantMark(a)
		return
	}
	a.quicken(now)
	c.issue(a)
	if a.issued+ledger.Amount(a.unbacked.Load()) > a.mark {
		c.wantMark(a) // an overrun passed it
	}
	wake := int64(never)
	free := ledger.Amount(a.free.Load())
	if a.unissued() > 0 {
		chunk := a.chunk()
		if free < chunk/2+c.demandOf(a) {
			c.wantMark(a)
		} else if !a.marking {
			wake = int64(chunk / 2)
		}
	}
	low, _ := c.levels(a)
	switch {
	case now.Mono < a.wantAfter:
	case free+a.unissued() < low:
		c.wantRow(a)
	default:
		wake = max(wake, int64(low-a.unissued()))
	}
	a.wake.Store(wake)
}

// levels returns the idle allowance below which the account asks for more, and
// the one it then asks to have.
func (c *core) levels(a *account) (low, target ledger.Amount) {
	hold := a.largestHold()
	if a.unit == ledger.Slots {
		return a.rate/4 + hold, a.rate/2 + 4*hold
	}
	if hold == 0 && a.rate == 0 {
		return 0, 0
	}
	low = perTime(a.rate, 2*c.refill.p99()) + hold
	ahead := min(perTime(a.rate, int64(c.cfg.Horizon)), a.book.limitOf(a.key.Split)/leasePart)
	target = max(ahead, 4*hold, 2*low)
	return min(low, ledger.MaxAmount), min(target, ledger.MaxAmount)
}

// demandOf is what parked requests are waiting for.
func (c *core) demandOf(a *account) ledger.Amount {
	if a.blocked == c.pass {
		return a.demand
	}
	return 0
}

// wantRow gives the account a row in the next Exchange, soon.
func (c *core) wantRow(a *account) {
	if !a.urgent && a.index >= 0 {
		a.urgent = true
		c.urgent = append(c.urgent, a)
	}
}
