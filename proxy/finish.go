package proxy

import (
	"time"

	"purser/internal/record"
	"purser/proxy/dialect"
	"purser/proxy/lever"
)

// finish ends the exchange, exactly once: it gives back or settles what is
// still held, lets go of those who wait, and commits the record.
func (x *exchange) finish() {
	if x.ended {
		panic("proxy: exchange " + x.rec.ID + " ended twice")
	}
	x.ended = true
	x.closeResponse()
	if x.attempt.hold != nil {
		// Only a panic in the middle of an attempt leads here; what the provider
		// has done by then is unknown.
		x.settleHold(record.FullHold)
		x.rec.Outcome = record.Truncated
	}
	x.countAsked()
	if x.limits != nil {
		if x.ran() {
			x.rec.Charges = x.limits.Settle(Claim{}, x.rec.Charges)
		} else {
			x.limits.Release()
		}
		x.limits = nil
	}
	x.rec.Total = int64(time.Since(x.began))
	x.sum()
	x.ruleLoop()
	x.endOnce() // before the record: what syncs that syncs this
	if x.key != nil && x.rec.Outcome != 0 {
		x.g.seams.Journal.Commit(&x.rec, x.fill)
		x.tellTrace()
	}
	x.leaveLoops()
	x.land() // after the fill: whoever comes now finds the entry
	x.tellSemantic()
	x.recycle()
}

// countAsked takes the limits of a request that asked an upstream and was on its way to
// another candidate when it ended: it counts as any other. Where there is no room, they
// are full without it.
func (x *exchange) countAsked() {
	if x.limits != nil || x.rec.Attempts == 0 {
		return
	}
	if x.chain == nil {
		chain, err := x.g.seams.Purse.Chain(&x.rec.Dims)
		if err != nil {
			return // nothing is decided at present, and so nothing is admitted
		}
		x.chain = chain
	}
	if hold, ok := x.chain.Try(Limits, Claim{}); ok {
		x.limits = hold
	}
}

// ran says whether the request counts against limits of requests.
func (x *exchange) ran() bool {
	if x.rec.Attempts > 0 {
		return true
	}
	switch x.rec.Outcome {
	case record.Refused, record.Denied, record.Undecided:
		return false
	default:
		return true
	}
}

// maxKeptBuffer bounds the buffers a recycled exchange keeps.
const maxKeptBuffer = 256 << 10

func (x *exchange) recycle() {
	if x.chain != nil {
		x.chain.Recycle()
	}
	x.call.Reset()
	x.original.Reset()
	x.left, x.groups, x.veil = nil, nil, veil{}
	x.req, x.endpoint, x.key, x.secret, x.rules, x.chain, x.flight, x.fill, x.asking = nil, nil, nil, nil, nil, nil, nil, nil, nil
	x.route_, x.attempt, x.refusedBy, x.levers, x.prompt = chosen{}, attempt{}, ruledBy{}, lever.Set{}, templated{}
	x.judged.clear()
	x.hints.clear()
	x.routing, x.given = routing{to: x.routing.to[:0]}, nil
	x.caching = caching{}
	x.tracing.reset()
	x.once = once{shown: kept(x.once.shown)}
	x.kept, x.homeKey, x.tried = "", "", x.tried[:0]
	x.stream.ahead, x.stream.whole = nil, kept(x.stream.whole)
	x.model, x.store, x.routed, x.resume, x.ended, x.guessed = "", false, false, false, false, false
	x.earlier, x.costInUsage, x.stream.answer, x.stream.kept = 0, false, nil, nil
	x.body, x.scratch, x.stream.raw = kept(x.body), kept(x.scratch), kept(x.stream.raw)
	x.stream.out = kept(x.stream.out)
	g := x.g
	g.exchanges.Put(x)
	g.running.Done()
}

func kept(b []byte) []byte {
	if cap(b) > maxKeptBuffer {
		return nil
	}
	return b[:0]
}

func (x *exchange) firstByte() { x.rec.FirstByte = int64(time.Since(x.began)) }

// outcomeOf is how a request ends that is answered with an error of this code.
func outcomeOf(c dialect.Code) record.Outcome {
	switch c {
	case dialect.CodeQuota, dialect.CodeRateLimit, dialect.CodeConcurrency:
		return record.Refused
	case dialect.CodeUndecided, dialect.CodeStorage, dialect.CodeCredential, dialect.CodeShuttingDown, dialect.CodeOverloaded, dialect.CodeOnceUnavailable:
		return record.Undecided
	case dialect.CodeClientGone:
		return record.Disconnected
	case dialect.CodeUpstream, dialect.CodeUpstreamTimeout, dialect.CodeUpstreamInvalid, dialect.CodeUpstreamError:
		return record.UpstreamError
	default:
		return record.Denied
	}
}
