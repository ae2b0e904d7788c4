package proxy

import (
	"strings"
	"time"

	"purser/internal/record"
	"purser/proxy/trace"
	"purser/proxy/upstream"
)

// Traces makes spans of requests. Nothing that goes wrong with them is a request's
// affair.
type Traces interface {
	// Samples says whether spans are to be made of a trace.
	Samples(caller *trace.Context, id [16]byte) bool
	// Ended is told of each request that has a record, once, when it is over. It returns
	// at once and has read everything it was given by then.
	Ended(*record.Record, *trace.Course)
}

// tracing is a request's part in a trace.
type tracing struct {
	course trace.Course
	placed bool
	open   bool // a call has begun and not ended
}

// reset forgets the request that was.
func (t *tracing) reset() { *t = tracing{course: trace.Course{Calls: t.course.Calls[:0]}} }

// readTrace notes the caller's trace context, if it sent one.
func (x *exchange) readTrace() {
	if len(x.req.Header.Peek(trace.HeaderParent)) == 0 {
		return
	}
	var parents, states []string
	x.req.Header.Each(func(name, value []byte) {
		switch n := string(name); {
		case strings.EqualFold(n, trace.HeaderParent):
			parents = append(parents, string(value))
		case strings.EqualFold(n, trace.HeaderState):
			states = append(states, string(value))
		}
	})
	c := trace.Parse(parents, states)
	x.tracing.course.Caller = c
	x.rec.Trace, x.rec.Caller = c.Trace, c.Span
}

// place finds where in a trace the request is, as soon as its dimensions are known.
func (x *exchange) place() *trace.Course {
	t := &x.tracing
	if !t.placed {
		t.placed = true
		t.course.Place = trace.Of(&x.rec)
		t.course.Sampled = x.g.seams.Traces.Samples(&t.course.Caller, t.course.Place.Trace)
	}
	return &t.course
}

// traceHeaders are those that an upstream call continues the trace with: the call's
// own span is its parent there.
func (x *exchange) traceHeaders(h []upstream.Header) []upstream.Header {
	c := x.place()
	out := trace.Context{Trace: c.Place.Trace, Span: trace.CallSpan(x.rec.ID, x.attempt.n), Flags: c.Caller.Flags &^ trace.Sampled}
	if c.Sampled {
		out.Flags |= trace.Sampled
	}
	h = append(h, upstream.Header{Name: trace.HeaderParent, Value: out.Parent()})
	if c.Caller.State != "" {
		h = append(h, upstream.Header{Name: trace.HeaderState, Value: c.Caller.State})
	}
	return h
}

// beginCall notes that an upstream call goes out.
func (x *exchange) beginCall() {
	if x.g.seams.Traces == nil {
		return
	}
	up, c := x.route_.up, &x.tracing.course
	c.Calls = append(c.Calls, trace.Call{N: x.attempt.n, Upstream: up.Name, Provider: up.Provider, Model: x.route_.sent, Began: int64(time.Since(x.began))})
	x.tracing.open = true
}

// callFailed and callAnswered say how the call went that is under way.
func (x *exchange) callFailed(f *upstream.Failure) {
	if c := x.openCall(); c != nil {
		c.Fault = faultName(f)
	}
}

func (x *exchange) callAnswered(status int) {
	if c := x.openCall(); c != nil {
		c.Status = status
	}
}

// callBroke says that the answer of the call under way broke off.
func (x *exchange) callBroke() {
	if c := x.openCall(); c != nil {
		c.Fault = "broken_off"
	}
}

// openCall is the call that is under way, nil for none.
func (x *exchange) openCall() *trace.Call {
	if !x.tracing.open {
		return nil
	}
	calls := x.tracing.course.Calls
	return &calls[len(calls)-1]
}

// endCall notes what the call came to that is under way: its hold has ended.
func (x *exchange) endCall() {
	c := x.openCall()
	if c == nil {
		return
	}
	x.tracing.open = false
	c.Ended = int64(time.Since(x.began))
	c.ID, c.Served, c.Tier, c.Basis, c.Cost, c.Usage = x.rec.UpstreamID, x.rec.Served, x.rec.Tier, x.rec.Basis, x.rec.Cost, x.rec.Usage
}

// tellTrace hands on what spans are made of.
func (x *exchange) tellTrace() {
	if x.g.seams.Traces == nil {
		return
	}
	x.g.seams.Traces.Ended(&x.rec, x.place())
}

// faultName is the stable name of a failure, for spans and metrics.
func faultName(f *upstream.Failure) string {
	switch {
	case f.Timeout:
		return "timeout"
	case f.Phase == upstream.PhaseConnect:
		return "connection_failed"
	case f.Phase == upstream.PhaseWait:
		return "no_connection_free"
	case f.Phase == upstream.PhaseStart:
		return "not_sent"
	}
	return "broken_off"
}
