package purse

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The three goroutines of a purse, all owned by Close: run lets time pass and
// hands out work, marker writes to the disk, exchanger talks to the ledger.
// None holds the lock while it waits.

// run turns the core at every tick and whenever the bell rings. Ticks are at
// multiples of their period, so that nodes ask together ([Moment.next]).
func (p *Purse) run() {
	untilTick := func() time.Duration {
		now := p.now()
		return time.Duration(now.next(int64(p.cfg.Tick)) - now.Mono)
	}
	tick := time.NewTimer(untilTick())
	defer tick.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-tick.C:
			tick.Reset(untilTick())
		case <-p.core.bell.signal:
		}
		p.turn()
	}
}

// turn lets the core take note of everything and hands out what it decided.
// The channels have room: the core has one save and one Exchange under way at
// most.
func (p *Purse) turn() {
	p.mu.Lock()
	c, now := p.core, p.now()
	p.step(now)
	if s := c.nextMarks(); s != nil {
		p.saves <- s
	}
	if x := c.nextExchange(now); x != nil {
		p.sends <- x
	}
	broken, drained := c.broken, c.drained()
	p.mu.Unlock()
	if drained {
		p.emptied.Do(func() { close(p.drained) })
	}
	if broken != nil && !errors.Is(broken, ErrClosed) {
		p.failed.Do(func() { p.seams.Fatal(fmt.Errorf("purse: %w", broken)) })
	}
}

// step steps the core and tells requests what came of it.
func (p *Purse) step(now Moment) {
	p.core.step(now)
	p.wall.Store(int64(max(now.Wall, p.core.horizonWall)))
	p.till.Store(p.core.heard + int64(p.cfg.AuthorityTTL))
	p.admit.Store(p.core.admits())
}

// end stops admission for good.
func (p *Purse) end(err error) {
	p.core.breakDown(err)
	p.admit.Store(false)
}

// marker makes marks durable, one save at a time.
func (p *Purse) marker() {
	for {
		select {
		case <-p.ctx.Done():
			return
		case s := <-p.saves:
			err := p.seams.Marks.SaveMarks(s.seq, s.marks)
			p.mu.Lock()
			if err != nil {
				// What the disk now holds is unknown, and asking it again proves
				// nothing: after a failed sync the kernel may drop the pages and
				// report success.
				p.end(fmt.Errorf("saving high-water marks: %w", err))
			} else {
				p.core.saved(p.now())
			}
			p.mu.Unlock()
			p.turn()
		}
	}
}

// exchanger sends one Exchange at a time, the same one until it is answered.
func (p *Purse) exchanger() {
	for {
		select {
		case <-p.ctx.Done():
			return
		case x := <-p.sends:
			p.converse(x)
			p.turn()
		}
	}
}

func (p *Purse) converse(x *exchange) {
	for wait := backoffFirst; ; wait = min(2*wait, backoffMax) {
		once, cancel := context.WithTimeout(p.ctx, p.cfg.ExchangeTimeout)
		answer, err := p.seams.Exchanger.Exchange(once, x.msg)
		cancel()
		var rejected *RejectedError
		if errors.As(err, &rejected) {
			p.mu.Lock()
			p.end(fmt.Errorf("exchange %d: %w", x.msg.Seq, err))
			p.mu.Unlock()
			return
		}
		if err == nil {
			p.mu.Lock()
			took := p.core.answered(answer, p.now())
			p.mu.Unlock()
			if took {
				return
			}
			err = errors.New("the answer is to another exchange")
		}
		if p.ctx.Err() == nil {
			p.seams.Log.Warn("exchange with the ledger; trying the same again", "seq", x.msg.Seq, "error", err)
		}
		if !pause(p.ctx, wait) {
			return
		}
	}
}
