package proxy

import (
	"path"
	"slices"
	"strings"
	"sync"

	"purser/internal/record"
	"purser/proxy/bound"
	"purser/proxy/dialect"
	"purser/proxy/dialect/sse"
	"purser/proxy/price"
)

// HoldMode says how much of a stream's bound is held before it is sent.
type HoldMode uint8

// The modes.
const (
	HoldWhole   HoldMode = iota // all of it
	HoldOffered                 // all of it, unless the request asks for slices
	HoldSliced                  // a slice of its output at a time, unless the request asks for all
)

// Slicing is what an operator vouches for of an upstream, so that a stream may
// begin before its whole bound is held (docs/adr/0027-sliced-holds.md): that
// these models show all the output that they bill, that it is sent as it is made,
// at most Ahead tokens later, and that to close the connection ends it.
type Slicing struct {
	Hold   HoldMode
	Models []string // patterns of the upstream's names of them
	Slice  int64    // output tokens that a hold grows by
	Ahead  int64    // output tokens that the provider may have made and not shown yet
}

// headerHold asks for a hold: "sliced" or "whole".
const headerHold = headerPrefix + "hold"

// sliced is the part of an attempt whose hold grows with its stream.
type sliced struct {
	on      bool
	in      int64 // the bound of its input, in tokens
	covered int64 // output tokens that the hold covers
	cut     bool  // no more was to be had: the stream was ended here
	ending  dialect.Ending
}

// asksHold reads the header that asks for a hold.
func asksHold(value string) (HoldMode, *dialect.Error) {
	switch strings.ToLower(value) {
	case "sliced":
		return HoldSliced, nil
	case "whole":
		return HoldWhole, nil
	case "":
		return HoldOffered, nil
	}
	return 0, dialect.NewError(dialect.CodeInvalidValue, "", "the header %s takes sliced or whole", headerHold)
}

// slices decides whether a hold of the call begins with a slice. The client may
// ask for either; it gets slices only where an operator offers them, and where
// the answer shows all that is billed of it.
func (x *exchange) slices() bool {
	s := &x.route_.up.Slicing
	if s.Hold == HoldWhole {
		return false
	}
	if _, ends := providers[x.route_.wire].(dialect.Endings); !ends {
		return false
	}
	asked, _ := asksHold(string(x.req.Header.Peek(headerHold))) // read before
	return asked != HoldWhole && (s.Hold == HoldSliced || asked == HoldSliced) &&
		x.route_.cap > s.Slice+s.Ahead && x.showsAll() && !x.g.concealing.has(x.route_.up.Name, x.route_.model) &&
		slices.ContainsFunc(s.Models, func(p string) bool { ok, err := path.Match(p, x.route_.model); return ok && err == nil })
}

// showsAll says that all output of the call that can be billed is text that is
// seen in its stream.
func (x *exchange) showsAll() bool {
	c := &x.call
	switch {
	case !c.Stream || c.N != 1 || c.NoOutput || len(c.Paid) > 0 || c.Compacts || c.Conceals || c.HiddenContext != "":
		return false
	case x.route_.wire == Gemini && c.Tools > 0: // the arguments of calls are JSON that is not seen as it is billed
		return false
	}
	return x.wholeOutput() == x.route_.cap // nothing beside it
}

// firstOutput is the output tokens that the hold of a new attempt covers.
func (x *exchange) firstOutput() int64 {
	if x.route_.sliced {
		return x.route_.up.Slicing.Slice + x.route_.up.Slicing.Ahead
	}
	return x.wholeOutput()
}

// wholeOutput bounds the output tokens of the call.
func (x *exchange) wholeOutput() int64 {
	return bound.Output(&x.call, x.boundModel(), x.route_.cap+x.route_.up.ExtraOutput)
}

// cover makes the hold cover what was seen of the stream and what may be on its
// way, before more is read. It is false when that much is not to be had.
func (x *exchange) cover() bool {
	s, r := &x.attempt.sliced, x.stream.meter.Report()
	if r.Done || r.Choices > 0 && r.Finished == r.Choices {
		return true // nothing more is written
	}
	need := min(x.seen()+x.route_.up.Slicing.Ahead, x.route_.cap)
	if need <= s.covered {
		return true
	}
	return x.extend(min(max(need, s.covered+x.route_.up.Slicing.Slice), x.route_.cap))
}

// seen bounds the output tokens until now: no token is shorter than a byte.
func (x *exchange) seen() int64 {
	return x.stream.meter.Report().OutputBytes + x.attempt.sliced.ending.Frames()
}

// extend makes the hold cover so many output tokens. Where it cannot, the record
// says why.
func (x *exchange) extend(out int64) bool {
	s := &x.attempt.sliced
	c := x.claimOf(s.in, out)
	refusal, err := x.attempt.hold.Extend(x.g.base, Claim{USD: c.USD - x.attempt.claim.USD, Tokens: c.Tokens - x.attempt.claim.Tokens})
	switch {
	case err != nil:
		x.rec.Code = string(undecided(err).Code)
		return false
	case refusal != nil:
		x.rec.Code = string(refused(refusal, x.rec.At).Code)
		return false
	}
	x.attempt.claim, s.covered = c, out
	return true
}

// partly says that the hold never covered all of the call: a cost beyond it says
// nothing of the call's bound.
func (x *exchange) partly() bool {
	return x.route_.sliced && x.attempt.sliced.covered < x.route_.cap
}

// feedSliced passes a piece of the stream on in whole events, so that it can be
// ended after any of them, and covers it.
func (x *exchange) feedSliced(chunk []byte) ([]byte, error) {
	st := &x.stream
	st.whole = st.whole[:0]
	err := st.scan.Each(chunk, func(e sse.Event) error {
		st.whole = append(st.whole, e.Raw...)
		if e.Lines > 0 {
			x.attempt.sliced.ending.See(e.Data)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out, err := x.pass(st.whole)
	if err != nil || x.cover() {
		return out, err
	}
	return x.cutStream(out)
}

// cutStream ends the stream after out. The connection is closed at once: that is
// what makes the provider stop.
func (x *exchange) cutStream(out []byte) ([]byte, error) {
	st, s := &x.stream, &x.attempt.sliced
	s.cut = true
	x.closeResponse()
	out = append([]byte(nil), out...) // the meter's until it is fed again
	charged, _ := x.estimate(false)
	tail, err := x.pass(s.ending.Append(nil, s.in, charged))
	if err != nil {
		return nil, err
	}
	out = append(out, tail...)
	st.over, st.tail = true, true
	return append(out, x.rest()...), nil
}

// lastSliced gives what is left at the clean end of the upstream.
func (x *exchange) lastSliced() (out []byte) {
	if e, ok := x.stream.scan.Rest(); ok {
		piece, err := x.pass(e.Raw)
		if err != nil {
			return nil // too long for an event, and so for the meter's end
		}
		out = append(out, piece...)
	}
	return append(out, x.rest()...)
}

// estimate is what a stream is charged of which there is no usage: for what was
// seen of it, with what may have been on its way where it did not end by itself.
// The hold covers both.
func (x *exchange) estimate(ended bool) (out int64, c Claim) {
	s := &x.attempt.sliced
	out = x.seen()
	if !ended || s.cut {
		out += x.route_.up.Slicing.Ahead
	}
	out = min(out, s.covered)
	return out, x.claimOf(s.in, out)
}

// settleCounted ends the hold by the estimate.
func (x *exchange) settleCounted(r *dialect.Report, ended bool) {
	x.rec.UpstreamID, x.rec.Served, x.rec.Tier = r.ID, r.Model, r.ServiceTier
	out, c := x.estimate(ended)
	x.rec.Usage = price.Usage{}
	x.rec.Usage[price.InputText], x.rec.Usage[price.OutputText], x.rec.Usage[price.Requests] = x.attempt.sliced.in, out, 1
	x.rec.Basis, x.rec.Cost, x.rec.List, x.rec.Priced = record.Estimated, c.USD, c.USD, c.USD
	x.endHold(c)
}

// unslice makes the hold cover everything, for an answer that does not come as a
// stream: it was made before the first of it is seen. What is not to be had is an
// overrun if it is billed.
func (x *exchange) unslice() {
	if !x.attempt.sliced.on {
		return
	}
	x.attempt.sliced.on = false
	if !x.extend(x.route_.cap) {
		x.rec.Code = "" // the client has its answer
	}
	x.conceals("it answers with a whole answer where a stream was asked for")
}

// checkShown looks at whether a model that was vouched for showed what it billed.
// If not, it gets no more slices from this node.
func (x *exchange) checkShown(r *dialect.Report) {
	if x.attempt.sliced.on && r.State == dialect.UsageReported && r.Usage.TotalOutput() > x.seen() {
		x.conceals("it bills output that its streams do not show")
	}
}

func (x *exchange) conceals(why string) {
	x.g.concealing.add(x.route_.up.Name, x.route_.model)
	x.g.log.Error("this model is not fit for hold: sliced, and gets whole holds from now on", "upstream", x.route_.up.Name, "model", x.route_.model, "why", why, "request", x.rec.ID)
}

// concealing are the models that were found to bill what they do not show, until
// the node is started again.
type concealing struct {
	mu     sync.RWMutex
	models map[[2]string]struct{} // by upstream and model
}

// maxConcealing is far more than there are models with a price; when it is
// reached, none is trusted.
const maxConcealing = 4096

func (c *concealing) has(upstream, model string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, is := c.models[[2]string{upstream, model}]
	return is || len(c.models) >= maxConcealing
}

func (c *concealing) add(upstream, model string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.models == nil {
		c.models = map[[2]string]struct{}{}
	}
	if len(c.models) < maxConcealing {
		c.models[[2]string{upstream, model}] = struct{}{}
	}
}
