package proxy

import (
	"bytes"
	"errors"
	"slices"
	"strconv"

	"purser/internal/record"
	"purser/proxy/dialect"
	"purser/proxy/route"
	"purser/proxy/upstream"
)

// maxCalls is the most upstream calls of one request, of all its candidates together.
const maxCalls = 10

// refusal is why a candidate was passed over, with what an answer says of that.
type refusal struct {
	e       *dialect.Error
	headers []HeaderField
	by      ruledBy
	rulings []record.Ruling
	weight  int
}

// Weights of refusals. The heaviest is told, of several failures of upstreams the last
// and of others the first: a failure that may pass is worth another try, and after it
// what an operator has set a limit to is what the caller can do something about.
const (
	barred = iota
	spentUp
	failed
)

func weightOf(c dialect.Code) int {
	switch c {
	case dialect.CodeQuota, dialect.CodeRateLimit, dialect.CodeConcurrency:
		return spentUp
	}
	return barred
}

// ready takes the call through the stages that depend on where it goes, unless that
// was done: for the candidate whose turn it is, and where that may not have it, for
// the next.
func (x *exchange) ready() *dialect.Error {
	for p := &x.routing; !p.ready; {
		e := x.stages()
		if e == nil {
			p.ready = true
			x.rekey()
			return nil
		}
		if !x.next(e) {
			return x.refusal(e)
		}
	}
	return nil
}

// rekey names the entry that the answer is to be kept as, where the caches were asked
// for another candidate: they are not asked again.
func (x *exchange) rekey() {
	if x.rec.Cache == record.CacheMiss && x.store {
		x.store = !x.levers.Cache.Off && x.keyCall()
	}
}

// next turns to the candidate after the one that a stage refused, if there is one and
// the refusal is the candidate's and not the request's.
func (x *exchange) next(e *dialect.Error) bool {
	p := &x.routing
	if p.route == nil || p.at+1 >= len(p.to) || !passesOver(p.route, e.Code) {
		return false
	}
	return x.turn(e, false) == nil
}

// passesOver says whether a refusal of a code is the candidate's, so that another may
// be tried. What is undecided for one is for all, and so is what is wrong with the
// request itself.
func passesOver(r *route.Route, c dialect.Code) bool {
	switch c {
	case dialect.CodePolicy, dialect.CodeRedaction:
		return r.PassesDenied()
	case dialect.CodeQuota, dialect.CodeRateLimit, dialect.CodeConcurrency:
		return r.Passes(route.Budget)
	case dialect.CodeUnpriced, dialect.CodeUnbounded, dialect.CodeContextLength, // what terms and admit refuse
		dialect.CodeUnsupported, dialect.CodeUnsupportedPart, dialect.CodeInvalidValue, dialect.CodeLimit, dialect.CodeMissingField, dialect.CodeInvalidType: // and translate
		return true
	}
	return false
}

// refusal is what the client is told when no candidate is left.
func (x *exchange) refusal(e *dialect.Error) *dialect.Error {
	r := x.routing.refused
	if r == nil || !passesOver(x.routing.route, e.Code) && weightOf(e.Code) == barred || weightOf(e.Code) > r.weight {
		return e
	}
	x.judged.headers = append(x.judged.headers[:0], r.headers...)
	x.refusedBy = r.by
	x.rec.Rulings = append(x.rec.Rulings[:0], r.rulings...)
	return r.e
}

// fallsOver says whether the next candidate is tried after an attempt ended for a
// cause. Nothing of an answer has gone to the client.
func (x *exchange) fallsOver(c route.Cause) bool {
	p := &x.routing
	return c != "" && p.route != nil && p.at+1 < len(p.to) && x.rec.Attempts < maxCalls && p.route.Passes(c)
}

// moveOn turns to the next candidate after an attempt failed. Its hold has ended.
func (x *exchange) moveOn(e *dialect.Error) {
	if fault := x.turn(e, true); fault != nil {
		// The body was read before, so that this cannot be: ready ends the request.
		x.g.log.Error("the body of a request could not be read again", "request", x.rec.ID, "error", fault)
	}
}

// turn makes the next candidate the one whose turn it is, and the call again what the
// client has asked: every stage behind the route is passed anew, and what was held for
// the candidate before, limits of its model or provider among it, is given back.
func (x *exchange) turn(e *dialect.Error, asked bool) *dialect.Error {
	p := &x.routing
	weight := weightOf(e.Code)
	if asked {
		weight = failed
	}
	if r := p.refused; r == nil || weight > r.weight || weight == failed {
		p.refused = &refusal{e: e, weight: weight, by: x.refusedBy, headers: slices.Clone(x.judged.headers), rulings: slices.Clone(x.rec.Rulings)}
	}
	if n := p.at; n < len(x.rec.Route.Considered) {
		c := &x.rec.Route.Considered[n]
		c.Why += "; passed over: " + passedOver(e, x.refusedBy, asked)
	}
	if x.limits != nil {
		x.limits.Release()
		x.limits = nil
	}
	if x.chain != nil {
		x.chain.Recycle()
		x.chain = nil
	}
	x.land()
	x.asking = nil        // an answer of this candidate is none to the question as it was asked there
	x.caching.stale = nil // it is that candidate's, with what its redactions took out
	x.judged.clear()
	x.refusedBy, x.rec.Rulings, x.left, x.groups = ruledBy{}, x.rec.Rulings[:0], nil, nil
	x.tried, x.counted, p.tries, p.ready, p.shaped = x.tried[:0], notCounted, 0, false, false
	x.rec.Shape = record.Shape{}
	p.at++
	return x.again()
}

// again makes the call what the client has asked, for the candidate whose turn it is.
func (x *exchange) again() *dialect.Error {
	x.veil = veil{body: x.given}
	x.original.Reset()
	x.take()
	model := x.call.Model
	if e := x.wire().Decode(&x.call, x.target(), x.given); e != nil {
		return e
	}
	x.call.Model = model
	return nil
}

// passedOver says why, for the record: in a word, without a text of the request.
func passedOver(e *dialect.Error, by ruledBy, asked bool) string {
	switch {
	case asked && e.Status > 0:
		return string(e.Code) + " (status " + strconv.Itoa(e.Status) + ")"
	case by != ruledBy{}:
		return string(e.Code) + " by " + by.policy + "/" + by.rule
	}
	return string(e.Code)
}

// tries is how often the upstream was asked that the call goes to, this attempt
// included.
func (x *exchange) tries() int {
	if x.routing.route == nil {
		return x.attempt.n
	}
	return x.routing.tries
}

// repeats is the policy by which the upstream is asked again that the call goes to.
func (x *exchange) repeats() upstream.Policy {
	p := x.g.policy
	if r := x.routing.route; r != nil {
		p.Attempts = min(p.Attempts, r.Attempts())
		if x.rec.Attempts >= maxCalls {
			p.Attempts = 1
		}
	}
	return p
}

// causeOf says why an attempt failed that had no answer; "" where another candidate
// would fail alike.
func causeOf(f *upstream.Failure) route.Cause {
	switch {
	case errors.Is(f, upstream.ErrCredential), errors.Is(f.Err, upstream.ErrHandshake), f.Phase == upstream.PhaseWait:
		return route.Unavailable
	case f.Phase == upstream.PhaseStart:
		return ""
	case f.Timeout && f.Sent:
		return route.Timeout
	}
	return route.Failing
}

// causeOfStatus says the same of an answer with an error.
func causeOfStatus(status int, body []byte) route.Cause {
	switch {
	case status == 429:
		return route.RateLimited
	case status == 401 || status == 403 || status == 404 || refusesKey(status, body):
		return route.Unavailable
	case (status == 400 || status == 413 || status == 422) && saysTooLong(body):
		return route.TooLong
	case status == 408 || status == 425 || status >= 500:
		return route.Failing
	}
	return ""
}

// tooLong are words with which providers say that a prompt is longer than the model's
// context window: OpenAI's code and texts, Anthropic's, Bedrock's, and Gemini's.
var tooLong = [...]string{"context_length_exceeded", "maximum context length", "context window", "prompt is too long", "nput is too long", "input token count"}

func saysTooLong(body []byte) bool {
	for _, words := range tooLong {
		if bytes.Contains(body, []byte(words)) {
			return true
		}
	}
	return false
}
