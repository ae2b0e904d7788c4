package proxy

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"strings"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/dialect"
)

// Headers of requests that are to be made once at the most, and of their answers.
const (
	headerOnce       = "Idempotency-Key"
	headerReplayed   = headerPrefix + "idempotent-replayed"
	headerReplayedOf = headerPrefix + "idempotent-request" // the request that made the call
)

// maxOnceKey bounds a key, in bytes.
const maxOnceKey = 255

// Idempotency sees to it that of all requests with one key one at the most is sent to a
// provider, on whatever node.
type Idempotency interface {
	// Claim asks for the right to make the call. It may wait for other nodes.
	Claim(context.Context, *OnceAsk) OnceSaid
}

// OnceAsk is a request with a key.
type OnceAsk struct {
	Scope   string         // whose the key is; keys of different scopes have nothing in common
	Key     string         // as the client sent it
	Print   [32]byte       // of what decides the answer
	Request string         // id
	Since   ledger.Instant // when the scope began: no request of it is older
}

// OnceState is what a claim comes to.
type OnceState uint8

// The states.
const (
	OnceGranted     OnceState = iota + 1
	OnceReplay                // there is an answer
	OnceRunning               // another request has the key, and is under way
	OnceReused                // the key was another request's
	OnceNotKept               // the call was made; there is no answer to give
	OnceUnknown               // the call may have been made
	OnceUnavailable           // it cannot be decided; nothing is claimed
)

// OnceSaid is the answer to a claim.
type OnceSaid struct {
	State   OnceState
	Claim   OnceClaim   // of OnceGranted; it must be ended
	Answer  *OnceAnswer // of OnceReplay
	Request string      // that has the key, or had it
}

// OnceClaim is the right to make a call.
type OnceClaim interface {
	// Good says whether the claim is young enough for a call to be sent now.
	Good() bool
	// End ends it, once. It has read the answer when it returns, and does not wait for
	// other nodes.
	End(OnceEnd, *OnceAnswer)
}

// OnceEnd is how a claim ends.
type OnceEnd uint8

// The ends.
const (
	OnceReleased OnceEnd = iota + 1 // nothing was sent, or the provider did nothing
	OnceKept                        // here is the answer
	OnceUnkept                      // the call was made; there is no answer to keep
	OnceDoubtful                    // the call may have been made
)

// OnceAnswer is a finished answer as the client got it.
type OnceAnswer struct {
	Status int
	Header []HeaderField // its own, without those of this gateway
	Body   []byte        // of a stream, its bytes
	Served string        // the model, as the provider named it
}

// once is a request's part in that.
type once struct {
	claim  OnceClaim // nil: the request has no key, or no claim of it
	ran    bool      // the call may have been made
	answer *OnceAnswer

	tee    bool // what of the stream is shown is kept
	header []HeaderField
	shown  []byte
}

// claimKey asks for the right to make the call of a request with a key. nil means that the
// request goes on. It comes behind all that may forbid the request, so that nobody is
// given an answer who may not ask.
func (x *exchange) claimKey() *Answer {
	if x.g.seams.Idempotency == nil || x.endpoint.kind.Free() {
		return nil
	}
	key, e := x.onceKey()
	switch {
	case e != nil:
		return x.deny(e)
	case key == "":
		return nil
	}
	ctx, stop := x.present()
	defer stop()
	said := x.g.seams.Idempotency.Claim(ctx, &OnceAsk{Scope: x.onceScope(), Key: key, Print: x.oncePrint(), Request: x.rec.ID, Since: x.key.Created})
	switch said.State {
	case OnceGranted:
		x.once.claim = said.Claim
		return nil
	case OnceReplay:
		return x.replayOnce(said.Answer, said.Request)
	case OnceRunning:
		e = dialect.NewError(dialect.CodeOnceConflict, "", "the request %s has this %s and is under way; try again for its answer", said.Request, headerOnce)
		e.RetryAfterMillis = onceRetryMillis
	case OnceReused:
		e = dialect.NewError(dialect.CodeOnceReused, "", "this %s was used for another request (%s); send this one under a key of its own", headerOnce, said.Request)
	case OnceNotKept:
		e = dialect.NewError(dialect.CodeOnceNotKept, "", "the request %s with this %s was made, and its answer is not kept: it is not made again", said.Request, headerOnce)
	case OnceUnknown:
		e = dialect.NewError(dialect.CodeOnceUnknown, "", "the request %s with this %s may have been made, and what came of it is not known: it is not made again; a request under another key is another call", said.Request, headerOnce)
	default:
		if ctx.Err() != nil {
			return x.deny(x.whyNot())
		}
		e = dialect.NewError(dialect.CodeOnceUnavailable, "", "it cannot be decided at present whether a request with this %s was made before; nothing was sent, try again", headerOnce)
		e.RetryAfterMillis = onceRetryMillis
	}
	return x.deny(e)
}

// onceRetryMillis is when a request that waits for another may ask again: calls take
// seconds.
const onceRetryMillis = 2000

// onceKey reads the key; "" where there is no such header. In its draft
// (draft-ietf-httpapi-idempotency-key-header) it is a quoted string; most clients send it
// plain, and both are one key. A header without a key is a mistake: whoever sends it
// counts on one call.
func (x *exchange) onceKey() (key string, e *dialect.Error) {
	times := 0
	x.req.Header.Each(func(name, value []byte) {
		if len(name) == len(headerOnce) && strings.EqualFold(string(name), headerOnce) {
			times++
			key = string(value)
		}
	})
	if times == 0 {
		return "", nil
	}
	if len(key) >= 2 && key[0] == '"' && key[len(key)-1] == '"' {
		key = key[1 : len(key)-1]
	}
	if times != 1 || key == "" || len(key) > maxOnceKey || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", dialect.NewError(dialect.CodeInvalidValue, "", "the header %s is there once, with 1 to %d visible ASCII characters", headerOnce, maxOnceKey)
	}
	return key, nil
}

// onceScope is whose keys they are: a virtual key's, or a child key's own.
func (x *exchange) onceScope() string { return x.key.ID + "\x00" + x.key.Child }

// oncePrint is a digest of what decides the answer.
func (x *exchange) oncePrint() (sum [32]byte) {
	h := sha256.New()
	query := ""
	if x.endpoint.query {
		query = x.req.Query
	}
	for _, part := range [...]string{
		"purser idempotency print 1", x.req.Method, x.req.Path, query, x.features(),
		string(x.req.Header.Peek(headerVersion)), string(x.req.Header.Peek(headerTemplate)), string(x.req.Header.Peek(headerUsageCost)),
	} {
		writeSized(h, part)
	}
	_, _ = h.Write(x.req.Body) // a hash never fails
	h.Sum(sum[:0])
	return sum
}

func writeSized(h hash.Hash, s string) {
	var n [4]byte
	binary.BigEndian.PutUint32(n[:], uint32(len(s)))
	_, _ = h.Write(n[:])
	_, _ = h.Write([]byte(s))
}

// replayOnce answers as the request did that made the call. It costs nothing.
func (x *exchange) replayOnce(o *OnceAnswer, request string) *Answer {
	x.rec.Outcome, x.rec.Basis, x.rec.Status, x.rec.Served = record.Replayed, record.NoCharge, o.Status, o.Served
	x.firstByte()
	a := &Answer{Status: o.Status, Body: o.Body}
	h := append(make([]HeaderField, 0, len(o.Header)+maxOwn+2), o.Header...)
	a.Header = x.own(append(h, HeaderField{headerReplayed, "true"}, HeaderField{headerReplayedOf, request}), a)
	return a
}

// only says that there is a claim to one call: none follows an attempt that may have
// been made.
func (x *exchange) only() bool { return x.once.claim != nil }

// maySend says whether a call may go out: a claim is old long before its time is over.
func (x *exchange) maySend() *dialect.Error {
	if x.once.claim == nil || x.once.claim.Good() {
		return nil
	}
	e := dialect.NewError(dialect.CodeOnceUnavailable, "", "this request has waited for longer than its %s is good for; nothing was sent, try again", headerOnce)
	e.RetryAfterMillis = onceRetryMillis
	return e
}

// keepOnce notes the whole answer, of which header is what is not the gateway's own.
// Values that a redaction took out of the request are kept nowhere, and so nor is an
// answer that they were restored in.
func (x *exchange) keepOnce(status int, header []HeaderField, body []byte) {
	if x.once.claim == nil || x.veil.values.Len() > 0 {
		return
	}
	a := &OnceAnswer{Status: status, Header: ownHeaders(header), Body: body, Served: x.rec.Served}
	if a.size() <= x.g.cfg.OnceBytes {
		x.once.answer = a
	}
}

func (a *OnceAnswer) size() int {
	n := len(a.Body)
	for _, f := range a.Header {
		n += len(f.Name) + len(f.Value)
	}
	return n
}

// ownHeaders are those of an answer itself.
func ownHeaders(header []HeaderField) (list []HeaderField) {
	for _, f := range header {
		if len(f.Name) < len(headerPrefix) || !strings.EqualFold(f.Name[:len(headerPrefix)], headerPrefix) {
			list = append(list, f)
		}
	}
	return list
}

// teeOnce begins to keep a stream.
func (x *exchange) teeOnce(header []HeaderField) {
	o := &x.once
	if o.tee = o.claim != nil && x.veil.values.Len() == 0; o.tee {
		o.header, o.shown = ownHeaders(header), o.shown[:0]
	}
}

// show is what the client gets of events.
func (x *exchange) show(out []byte) []byte {
	out = x.unveiled(x.withhold(out))
	o := &x.once
	switch {
	case !o.tee:
	case len(o.shown)+len(out) > x.g.cfg.OnceBytes:
		o.tee, o.shown = false, o.shown[:0]
	default:
		o.shown = append(o.shown, out...)
	}
	return out
}

// keepStream notes a stream that came to its end, if all of it was kept.
func (x *exchange) keepStream() {
	if x.once.tee {
		x.keepOnce(200, x.once.header, x.once.shown)
	}
}

// endOnce ends the request's claim.
func (x *exchange) endOnce() {
	o := &x.once
	if o.claim == nil {
		return
	}
	switch {
	case o.answer != nil:
		o.claim.End(OnceKept, o.answer)
	case !o.ran:
		o.claim.End(OnceReleased, nil)
	case x.rec.Basis == record.FullHold:
		o.claim.End(OnceDoubtful, nil)
	default:
		o.claim.End(OnceUnkept, nil)
	}
	o.claim = nil
}
