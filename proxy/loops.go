package proxy

import (
	"fmt"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/dialect"
	"purser/proxy/loop"
)

// headerLoop tells of a loop that is let pass.
const headerLoop = "x-purser-loop"

// loops refuses a request of a run or session that goes round in circles, where the
// rule for it says so; else it only tells.
func (x *exchange) loops() *dialect.Error {
	if x.g.seams.Loops == nil || !x.endpoint.kind.Generates() || x.routing.looked {
		return nil
	}
	x.routing.looked = true // once for all candidates of a route
	rule := x.rules.Loop(&x.rec.Dims)
	who, ok := loop.SubjectOf(&x.rec.Dims)
	if rule == nil || !ok {
		return nil
	}
	x.visit, x.looped = x.g.seams.Loops.Enter(rule, who, loop.Read(x.asked().Raw), x.rec.At)
	if x.looped.Why == loop.None {
		return nil
	}
	if x.looped.First {
		x.g.seams.Loops.Tell(x.looped)
	}
	if !x.looped.Enforce {
		return nil
	}
	e := looped(&x.looped)
	if x.client == dialect.Opencode { // see refused
		e.Message = fmt.Sprintf("this %s was stopped: it goes round in circles", who.Dim)
	}
	return e
}

// looped is the answer to a run that is stopped: final, as that of a spent budget
// is, for an agent that is told to try again does so.
func looped(f *loop.Found) *dialect.Error {
	return dialect.NewError(dialect.CodeLoop, "", "this %s was stopped: %s; requests of it are refused until %s, unless the operator of this gateway resets it (loop rule %s)",
		f.Subject.Dim, loopWords(f), time.Unix(0, int64(f.Until)).UTC().Format(time.RFC3339), f.Rule)
}

// loopWords says what was found.
func loopWords(f *loop.Found) string {
	switch f.Why {
	case loop.Repeat:
		return fmt.Sprintf("it made the same step %d times", f.Times)
	case loop.Cycle:
		return fmt.Sprintf("it went through the same steps in turn %d times", f.Times)
	case loop.Same:
		return fmt.Sprintf("it sent the same request %d times", f.Times)
	default:
		return fmt.Sprintf("a minute of it cost %d times what its minutes cost before", f.Times)
	}
}

// leaveLoops tells how a request ended that was looked at.
func (x *exchange) leaveLoops() {
	if x.g.seams.Loops == nil {
		return
	}
	answered := false
	switch x.rec.Outcome {
	case record.Completed, record.CacheHit, record.Coalesced, record.CutShort, record.Replayed:
		answered = true
	}
	x.g.seams.Loops.Leave(x.visit, answered, x.cost(), x.rec.At+ledger.Instant(x.rec.Total))
	x.visit, x.looped = loop.Visit{}, loop.Found{}
}
