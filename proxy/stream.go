package proxy

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"purser/internal/record"
	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/sse"
)

// stream is the part of an exchange that passes events from the upstream to the
// client. It is driven by the edge's pulls and, when the client has gone, by a
// pump that reads the rest, so that the usage at the end is not lost.
type stream struct {
	meter dialect.Meter
	raw   []byte // the stream as it came, while the answer may still be kept
	tee   bool
	kept  *conversation.Stream // of a translated one, while the answer may be kept
	over  bool                 // the upstream has nothing more to give
	err   error                // why it ended, nil for its clean end
	tail  bool                 // Finish was called
	noted bool                 // the answer is remembered, if it is one to be

	answer *Answer     // whose trailer is to have the cost
	events sse.Scanner // of a stream whose usage is to have it
	out    []byte      // the same

	// Of a sliced stream: what is read ahead of the client, and its whole events.
	ahead *ahead
	scan  sse.Scanner
	whole []byte
}

// startStream begins a streamed answer: from here on the exchange belongs to
// the edge, which pulls it through Next and ends it with Close.
func (x *exchange) startStream() *Answer {
	s := &x.stream
	// What goes upstream was written; from here on the call says what the client wants.
	x.asked().IncludeUsage = x.asked().IncludeUsage || x.costInUsage
	s.meter = x.meter()
	s.meter.Reset(&x.call)
	s.raw, s.tee = s.raw[:0], x.store
	s.over, s.err, s.tail, s.noted = false, nil, false, false
	x.veilStream()
	x.rec.Status = 200
	a := &Answer{Status: 200, Header: x.passHeaders(x.attempt.res), Stream: x}
	if !x.hidesCache() {
		a.Trailer = []HeaderField{{Name: headerCost}, {Name: headerLiteCost}}
	}
	if t := x.asked().StreamType; t != "" {
		a.setHeader("Content-Type", t)
	}
	x.teeOnce(a.Header)
	a.Header = x.own(a.Header, a)
	s.answer = a
	if x.costInUsage {
		s.events.Reset()
	}
	x.resume = true
	if x.attempt.sliced.on {
		x.readAhead(a)
	}
	return a
}

// Next implements Stream.
func (x *exchange) Next() ([]byte, error) {
	if x.stream.ahead != nil {
		return x.nextAhead()
	}
	for {
		out, err := x.pull()
		if err != nil {
			return nil, err
		}
		if len(out) > 0 {
			if x.rec.FirstByte == 0 {
				x.firstByte()
			}
			return out, nil
		}
		if !x.Ready() {
			return nil, nil
		}
	}
}

// Ready implements Stream.
func (x *exchange) Ready() bool {
	if a := x.stream.ahead; a != nil {
		return a.ready()
	}
	return x.stream.over || x.attempt.res.Ready()
}

// pull reads once from the upstream and meters what came.
func (x *exchange) pull() ([]byte, error) {
	s := &x.stream
	if s.over {
		x.settleStream()
		if s.ahead == nil {
			x.trail()
		}
		return nil, s.end()
	}
	chunk, err := x.attempt.res.Next()
	if err == nil {
		var out []byte
		if out, err = x.feed(chunk); err == nil {
			x.noteEnd()
			return x.show(out), nil
		}
	}
	s.over = true
	if !errors.Is(err, io.EOF) {
		s.err = err
		return nil, err
	}
	s.tail = true
	return x.show(x.last()), nil
}

// trail puts the cost into the trailer, which is the edge's: only the edge's own
// goroutine may.
func (x *exchange) trail() {
	if a := x.stream.answer; a.Trailer != nil {
		a.Trailer = appendCost(a.Trailer[:0], x.cost())
	}
}

// feed gives what the client gets of what came, and last what it gets at the end.
func (x *exchange) feed(chunk []byte) ([]byte, error) {
	if x.attempt.sliced.on {
		return x.feedSliced(chunk)
	}
	return x.pass(chunk)
}

func (x *exchange) last() []byte {
	if x.attempt.sliced.on {
		return x.lastSliced()
	}
	return x.rest()
}

// pass gives what the client gets of a piece, and rest what is left at the end. What
// is kept for the store has no cost in it.
func (x *exchange) pass(chunk []byte) ([]byte, error) {
	if x.costInUsage && !x.translated() {
		x.copy(chunk, nil)
		return x.feedCosted(chunk)
	}
	out, err := x.stream.meter.Feed(chunk)
	if err != nil {
		return nil, err
	}
	x.copy(chunk, out)
	return x.costed(out), nil
}

func (x *exchange) rest() []byte {
	if x.costInUsage && !x.translated() {
		return x.restCosted()
	}
	out := x.stream.meter.Finish()
	x.copy(nil, out)
	return x.costed(out)
}

// withhold takes the operator's own out of events before they go to the client:
// the key from each, and from those with which the upstream says that it failed
// whatever names an account. A meter gives events whole, so that no such text is
// in two pieces.
func (x *exchange) withhold(out []byte) []byte {
	if x.stream.meter.Report().Failed != nil {
		return x.withheld(out)
	}
	return x.withholdKey(out)
}

// copy keeps what came, for the store: as it came, with the usage that the client
// may not have asked for. Of a stream that is translated this is but a measure: what
// is stored is the answer that it amounts to.
func (x *exchange) copy(came, told []byte) {
	s := &x.stream
	if x.translated() {
		came = told
	}
	switch {
	case !s.tee:
	case len(s.raw)+len(came) > x.g.cfg.CacheEntry:
		if s.tee, s.raw = false, s.raw[:0]; s.kept != nil {
			s.kept.Forget()
		}
	default:
		s.raw = append(s.raw, came...)
	}
}

// noteEnd remembers an answer as soon as its end was read: whoever sees that end
// may take it up at once.
func (x *exchange) noteEnd() {
	if r := x.stream.meter.Report(); r.Done && !x.stream.noted && !x.attempt.sliced.cut {
		x.stream.noted = true
		x.remember(r)
	}
}

func (s *stream) end() error {
	if s.err != nil {
		return s.err
	}
	return io.EOF
}

// Close implements Stream. If the upstream has more to say, the client has gone.
func (x *exchange) Close() {
	if x.stream.ahead != nil {
		x.closeAhead()
		return
	}
	x.rec.Delivered = x.stream.meter.Report().OutputBytes
	if x.stream.over {
		x.endStream(record.Completed)
		return
	}
	select {
	case x.g.drains <- struct{}{}:
	default:
		x.g.log.Warn("too many abandoned streams to drain; the hold is charged", "request", x.rec.ID)
		x.endStream(record.Disconnected)
		return
	}
	go func() { // the gateway's Wait waits for the exchange, and so for this
		defer func() { <-x.g.drains }()
		x.drain()
	}()
}

// drain reads an abandoned stream to its end, within limits: each read is
// bounded by the upstream's idle timeout.
func (x *exchange) drain() {
	x.readOn()
	x.endStream(record.Disconnected)
}

func (x *exchange) readOn() {
	defer func() {
		if v := recover(); v != nil {
			x.broke(v)
		}
	}()
	x.attempt.res.SetDeadline(time.Now().Add(x.g.cfg.DrainTime))
	for !x.stream.over && x.g.base.Err() == nil {
		if _, err := x.pull(); err != nil {
			break
		}
	}
}

var errBroke = errors.New("reading the stream panicked")

// broke ends a stream at a panic of a goroutine of its own, as the edge ends one at
// a panic of its: one upstream's bytes must not end the node, and with it all that
// it holds. What was read is in doubt, and so the whole hold is spent. The value is
// not logged: it could quote an answer.
func (x *exchange) broke(v any) {
	x.stream.over, x.stream.err = true, errBroke
	x.g.log.Error("panic while reading a stream", "request", x.rec.ID, "upstream", x.route_.up.Name, "type", fmt.Sprintf("%T", v), "stack", string(debug.Stack()))
}

// settleStream ends the stream's hold by its usage, by what was seen of it where that
// shows all, or by the whole hold. The first time counts.
func (x *exchange) settleStream() {
	if x.attempt.hold == nil {
		return
	}
	s := &x.stream
	report := s.meter.Report()
	ended := s.over && s.err == nil && (report.Done || report.Choices > 0 && report.Finished == report.Choices)
	if !ended && s.over && !x.attempt.sliced.cut {
		x.callBroke()
	}
	if c := &x.attempt.sliced; c.on && !errors.Is(s.err, errBroke) && (c.cut || !ended || report.State != dialect.UsageReported) {
		x.settleCounted(report, ended)
		return
	}
	if ended {
		x.checkShown(report)
		x.settleReport(report)
		return
	}
	// Usage that came before the end is a running count, not the bill.
	if s.over { // else whoever stopped reading has said so
		x.g.log.Warn("upstream stream broke off; the hold is charged", "request", x.rec.ID, "upstream", x.route_.up.Name, "error", s.end())
	}
	x.rec.UpstreamID, x.rec.Served, x.rec.Tier = report.ID, report.Model, report.ServiceTier
	x.settleHold(record.FullHold)
}

// endStream settles the stream, if that is still to be done, and ends the exchange.
func (x *exchange) endStream(outcome record.Outcome) {
	s := &x.stream
	report := s.meter.Report()
	x.closeResponse()
	x.settleStream()
	x.rec.Made = report.OutputBytes
	if s.ahead != nil {
		x.rec.Delivered = s.ahead.delivered()
	}
	x.rec.Outcome = outcome
	if x.attempt.sliced.cut {
		x.rec.Outcome = record.CutShort
	} else if outcome == record.Completed && x.veil.shut {
		x.rec.Outcome = record.Denied
	} else if outcome == record.Completed && (s.err != nil || !report.Done) {
		x.rec.Outcome = record.Truncated
	} else if outcome == record.Completed && report.Failed != nil {
		x.rec.Outcome = record.UpstreamError
	}
	if s.tee && s.over && s.err == nil && report.Complete() && (x.rec.Basis == record.Reported || x.rec.Basis == record.ReportedCost) {
		x.keep(s.raw, report)
	}
	if s.over && s.err == nil && (report.Done || x.attempt.sliced.cut) && report.Failed == nil && !x.veil.shut {
		x.keepStream()
	}
	x.finish()
}
