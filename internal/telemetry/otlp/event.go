package otlp

import (
	"slices"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/trace"
)

// event is a request that has ended: its own copy of what it was told of.
type event struct {
	rec    record.Record // without charges, rulings and candidates
	course trace.Course
	total  ledger.Amount // cost of all calls, nano-dollars
}

// fill copies. Texts are immutable and shared; lists are the event's own, kept for the
// next request that it is filled with.
func (e *event) fill(r *record.Record, c *trace.Course) {
	savings, tags, calls := e.rec.Savings[:0], e.rec.Dims.Tags[:0], e.course.Calls[:0]
	e.rec, e.course = *r, *c
	e.rec.Savings = append(savings, r.Savings...)
	e.rec.Dims.Tags = append(tags, r.Dims.Tags...)
	e.course.Calls = append(calls, c.Calls...)
	e.rec.Charges, e.rec.Rulings, e.rec.Route.Considered = nil, nil, nil
	e.total = r.Cost
	if len(c.Calls) > 0 {
		e.total = 0
		for i := range c.Calls {
			e.total += c.Calls[i].Cost
		}
	}
}

// baseline is what the request would have cost without levers: calls that were charged
// and tried again would have been without them, too.
func (e *event) baseline() ledger.Amount { return e.rec.Baseline + e.total - e.rec.Cost }

// provider is the last that was asked, as the price catalogue names it, or that would
// have been.
func (e *event) provider() string {
	if n := len(e.course.Calls); n > 0 {
		return e.course.Calls[n-1].Provider
	}
	return e.rec.Dims.Values[ledger.DimProvider]
}

// failure is the error.type of a request; "" of one that was served.
func (e *event) failure() string {
	if !slices.Contains([]record.Outcome{record.Refused, record.Denied, record.UpstreamError, record.Truncated, record.Undecided, record.CutShort}, e.rec.Outcome) {
		return ""
	}
	if e.rec.Code != "" {
		return e.rec.Code
	}
	return e.rec.Outcome.String()
}

// decision is what the budgets said.
func (e *event) decision() string {
	switch e.rec.Outcome {
	case record.Refused, record.Undecided, record.CutShort:
		return e.rec.Outcome.String()
	case record.CacheHit, record.Coalesced, record.Replayed:
		return "not_needed"
	case record.Denied:
		if len(e.course.Calls) == 0 {
			return "not_asked"
		}
	}
	return "admitted"
}

// scopeEvent is a scope of a run, and the request by which it was first heard of.
type scopeEvent struct {
	scope *trace.Scope
	of    *event
}
