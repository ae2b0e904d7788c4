package proxy

import (
	"bytes"
	"cmp"
	"errors"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/tidwall/gjson"

	"purser/internal/record"
	"purser/proxy/dialect"
	"purser/proxy/route"
	"purser/proxy/upstream"
)

// dispatch makes one upstream call. It returns the answer, or nil and how long
// to wait before the next attempt. However it ends, the attempt's hold has
// ended too, or goes with the stream.
func (x *exchange) dispatch() (*Answer, time.Duration) {
	if e := x.maySend(); e != nil {
		x.release()
		return x.deny(e), 0
	}
	up := x.route_.up
	key, e := x.chooseKey(x.route_.model)
	if e != nil {
		x.release()
		if x.fallsOver(route.Unavailable) {
			x.moveOn(e)
			return nil, 0
		}
		return x.deny(e), 0
	}
	x.attempt.key, x.tried = key, append(x.tried, key.id)
	x.rec.Attempts++
	x.rec.Credential, x.rec.OutputCap = key.id, x.route_.cap
	x.beginCall()
	x.routing.tries++
	x.body = x.there().AppendUpstream(x.body[:0], &x.call, x.change())
	began := time.Now()
	res, failure := up.Client.Do(x.upstreamRequest(key))
	x.measure(began, res, failure)
	if failure != nil {
		key.pass.Report(time.Now(), upstream.Judge(0, failure))
		x.callFailed(failure)
		return x.failed(failure)
	}
	// A stream that breaks off later does not count: the upstream has answered,
	// and a client's hang-up must never look like its fault.
	key.pass.Report(time.Now(), upstream.Judge(res.Status, nil))
	x.callAnswered(res.Status)
	x.attempt.res = res
	switch {
	case res.Status < 200 || res.Status > 299:
		return x.upstreamSaidNo()
	case x.call.Stream && isStream(res.Header("Content-Type")):
		return x.startStream(), 0
	default:
		x.unslice()
		return x.whole()
	}
}

// measure notes how soon the upstream of a route began to answer. Of failures, those
// count that used up the time: others are the breakers', and would look fast.
func (x *exchange) measure(began time.Time, res *upstream.Response, f *upstream.Failure) {
	if x.routing.route == nil || f != nil && !f.Timeout || f == nil && (res.Status < 200 || res.Status > 299) {
		return
	}
	x.g.latencies.note(latencyKey{x.route_.up.Name, x.route_.model, x.call.Stream}, x.rec.At, time.Since(began))
}

// isStream says whether an answer of that type is a stream of events.
func isStream(contentType []byte) bool {
	for _, t := range [...]string{"text/event-stream", "application/vnd.amazon.eventstream"} {
		if bytes.HasPrefix(contentType, []byte(t)) {
			return true
		}
	}
	return false
}

func (x *exchange) breakerOpen(wait time.Duration) *dialect.Error {
	e := dialect.NewError(dialect.CodeUpstream, "", "the upstream %s has failed repeatedly and is given a rest; nothing was sent, try again", x.route_.up.Name)
	e.Status, e.RetryAfterMillis = 503, max(wait.Milliseconds(), 1)
	return e
}

// upstreamRequest builds the call: the client's headers but for those that are
// the gateway's own business, and the credential. Where spans are made, its trace
// context is the call's own and not the client's.
func (x *exchange) upstreamRequest(key attemptKey) *upstream.Request {
	h := make([]upstream.Header, 0, 16)
	x.req.Header.Each(func(name, value []byte) {
		if n := string(name); forwards(n) && (!x.translated() || neutral(n)) && (x.g.seams.Traces == nil || !neutral(n)) {
			h = append(h, upstream.Header{Name: n, Value: string(value)})
		}
	})
	h = append(h,
		upstream.Header{Name: "Content-Type", Value: "application/json"},
		upstream.Header{Name: "X-Client-Request-Id", Value: x.callID()})
	if x.g.seams.Traces != nil {
		h = x.traceHeaders(h)
	}
	if x.route_.wire == Anthropic && len(x.req.Header.Peek(headerVersion)) == 0 {
		h = append(h, upstream.Header{Name: headerVersion, Value: defaultVersion})
	}
	r := &upstream.Request{Method: "POST", Header: h, Secret: key.secret}
	if x.endpoint.kind == dialect.Lookup {
		r.Method, r.Path = x.req.Method, x.lookupPath()
	} else {
		r.Path, r.Body = x.there().Path(&x.call, x.route_.sent), x.body
	}
	query := ""
	if x.endpoint.query && !x.translated() {
		query = x.req.Query
	}
	r.Path = x.route_.up.target(r.Path, query, x.route_.sent, x.call.Endpoint)
	return r
}

// callID names the attempt to the provider, so that a bill can be matched.
func (x *exchange) callID() string { return x.rec.ID + "-" + strconv.Itoa(x.attempt.n) }

// failed ends an attempt that had no answer. If a byte of the request may have
// reached the provider, it may be billed: the whole hold is spent.
func (x *exchange) failed(f *upstream.Failure) (*Answer, time.Duration) {
	d := x.repeats().Decide(upstream.Outcome{Attempt: x.tries(), Failure: f}, rand.Uint64())
	onward := !d.Retry && x.fallsOver(causeOf(f))
	if f.Sent && x.only() {
		d.Retry, onward = false, false
	}
	x.rec.UpstreamID = ""
	if f.Sent {
		x.settleHold(record.FullHold)
	} else {
		x.release()
	}
	if (d.Retry || onward) && f.Sent {
		x.commitAttempt(record.UpstreamError)
	}
	if d.Retry {
		return nil, d.Wait
	}
	e := x.unanswered(f)
	if onward {
		x.moveOn(e)
		return nil, 0
	}
	return x.deny(e), 0
}

// unanswered says that an upstream gave no answer, and why.
func (x *exchange) unanswered(f *upstream.Failure) *dialect.Error {
	name := x.route_.up.Name
	if errors.Is(f, upstream.ErrCredential) {
		x.g.log.Error("there is no valid credential for an upstream; nothing was sent", "request", x.rec.ID, "upstream", name)
		return dialect.NewError(dialect.CodeUpstream, "", "this gateway has no valid credential for the upstream %s at present, and sent nothing; its operator has to mend that", name)
	}
	x.g.log.Warn("upstream call failed", "request", x.rec.ID, "upstream", name, "sent", f.Sent, "error", f.Err)
	if errors.Is(f.Err, upstream.ErrHandshake) {
		return dialect.NewError(dialect.CodeUpstream, "", "no TLS connection to the upstream %s could be made; nothing was sent, and its operator has to mend that", name)
	}
	if f.Timeout {
		return dialect.NewError(dialect.CodeUpstreamTimeout, "", "the upstream %s did not answer in time", name)
	}
	return dialect.NewError(dialect.CodeUpstream, "", "the upstream %s could not be reached or broke off", name)
}

// maxErrorBody bounds what is read and passed on of an upstream's error.
const maxErrorBody = 1 << 20

// upstreamSaidNo ends an attempt that the upstream answered with an error. A
// provider does not bill a request it answers so; an intermediary that gave up
// waiting for the provider says nothing about that, so there the hold is spent.
func (x *exchange) upstreamSaidNo() (*Answer, time.Duration) {
	res := x.attempt.res
	after, asked := upstream.ParseRetryAfter(res.Header("Retry-After-Ms"), res.Header("Retry-After"), time.Now())
	d := x.repeats().Decide(upstream.Outcome{
		Attempt: x.tries(), Status: res.Status, RetryAfter: after, Asked: asked, Advice: upstream.ParseAdvice(res.Header("X-Should-Retry")),
	}, rand.Uint64())
	status := res.Status
	body, err := res.ReadAll(maxErrorBody)
	if x.passOver(status, body, after) {
		d = upstream.Decision{Retry: true}
	}
	onward := !d.Retry && x.fallsOver(causeOfStatus(status, body))
	answer := &Answer{Status: status, Header: x.passHeaders(res), Body: x.withheld(body)}
	x.closeResponse()
	readable := err == nil && bytes.HasPrefix(bytes.TrimSpace(body), []byte("{"))
	gaveUp := status == 408 || status == 499 || status == 502 || status == 504 || status >= 500 && !readable
	if gaveUp && x.only() {
		d.Retry, onward = false, false
	}
	if gaveUp {
		x.g.log.Warn("upstream gave up on a call, or what stands before it did; the hold is charged", "request", x.rec.ID, "upstream", x.route_.up.Name, "status", status)
		x.settleHold(record.FullHold)
	} else {
		x.release()
	}
	if (d.Retry || onward) && gaveUp {
		x.commitAttempt(record.UpstreamError)
	}
	if onward {
		x.moveOn(x.saidNo(status, after, asked))
		return nil, 0
	}
	if d.Retry {
		return nil, d.Wait
	}
	if err != nil || status < 400 {
		return x.deny(dialect.NewError(dialect.CodeUpstreamInvalid, "", "the upstream %s answered with status %d and no readable error", x.route_.up.Name, status)), 0
	}
	if (refusesKey(status, body) || status == 403) && !x.route_.up.CallerKeys {
		// The operator's credential is at fault, not the caller's; the text may quote it.
		x.g.log.Error("the upstream refuses this gateway's credential", "upstream", x.route_.up.Name, "status", status, "request", x.rec.ID)
		return x.deny(dialect.NewError(dialect.CodeUpstream, "", "the upstream %s refuses this gateway's credential; its operator has to mend that", x.route_.up.Name)), 0
	}
	if gjson.ValidBytes(answer.Body) { // of what is no JSON, nothing is passed on
		var e *dialect.Error
		if answer.Body, e = x.unveil(answer.Body); e != nil {
			return x.deny(e), 0
		}
	}
	text, native := errorText(x.route_.wire, answer.Body)
	if !native {
		// Not an error that clients of this dialect can read, such as a proxy's page.
		e := dialect.NewError(dialect.CodeUpstreamError, "", "the upstream %s answered with status %d: %s", x.route_.up.Name, status, cmp.Or(text, "no text that could be read"))
		e.Status, e.Type = status, dialect.TypeOf(status)
		if asked {
			e.RetryAfterMillis = max(after.Milliseconds(), 1)
		}
		return x.deny(e), 0
	}
	x.rec.Outcome, x.rec.Status = record.UpstreamError, status
	x.rec.Code = string(dialect.CodeUpstream)
	if x.translated() {
		return x.answer(x.told(status, answer.Body, after)), 0
	}
	answer.Header = x.own(answer.Header, answer)
	return answer, 0
}

// saidNo is how an upstream's error is told where it cannot be passed on as it is.
func (x *exchange) saidNo(status int, after time.Duration, asked bool) *dialect.Error {
	e := dialect.NewError(dialect.CodeUpstreamError, "", "the upstream %s answered with status %d", x.route_.up.Name, status)
	e.Status, e.Type = status, dialect.TypeOf(status)
	if asked {
		e.RetryAfterMillis = max(after.Milliseconds(), 1)
	}
	return e
}

// whole reads a JSON answer and settles by what it reports.
func (x *exchange) whole() (*Answer, time.Duration) {
	res := x.attempt.res
	body, err := res.ReadAll(x.g.cfg.MaxAnswer)
	if err != nil {
		x.closeResponse()
		x.callBroke()
		x.settleHold(record.FullHold)
		x.g.log.Warn("upstream answer broke off or is too large; the hold is charged", "request", x.rec.ID, "upstream", x.route_.up.Name, "error", err)
		e := dialect.NewError(dialect.CodeUpstreamInvalid, "", "the answer of the upstream %s broke off or is too large", x.route_.up.Name)
		if !x.only() && x.fallsOver(route.Failing) {
			x.commitAttempt(record.Truncated)
			x.moveOn(e)
			return nil, 0
		}
		a := x.deny(e)
		x.rec.Outcome = record.Truncated
		return a, 0
	}
	var report dialect.Report
	x.there().ReadAnswer(&report, x.call.Endpoint, body)
	x.settleReport(&report)
	x.rec.Made = report.OutputBytes
	x.rec.Outcome, x.rec.Status = record.Completed, res.Status
	if report.Failed != nil && report.Done {
		x.rec.Outcome = record.UpstreamError // it says so itself, in an answer of status 200
	}
	if body = x.withholdKey(body); report.Failed != nil {
		body = withoutAccount(body)
	}
	answer := &Answer{Status: res.Status, Header: x.passHeaders(res), Body: body}
	x.closeResponse()
	if x.translated() {
		if err := x.tell(answer, body, &report); err != nil {
			x.g.log.Warn("upstream answer cannot be translated", "request", x.rec.ID, "upstream", x.route_.up.Name, "error", err)
			return x.deny(dialect.NewError(dialect.CodeUpstreamInvalid, "", "the answer of the upstream %s cannot be translated", x.route_.up.Name)), 0
		}
	}
	if report.State == dialect.UsageReported && report.Failed == nil {
		x.keep(answer.Body, &report)
	}
	shown, e := x.unveil(answer.Body)
	if e != nil {
		return x.deny(e), 0
	}
	answer.Body = x.withCost(shown)
	x.keepOnce(answer.Status, answer.Header, answer.Body)
	answer.Header = x.own(answer.Header, answer)
	if x.req.Client == nil || !x.req.Client.Gone() {
		x.rec.Delivered = x.rec.Made
	}
	x.firstByte()
	return answer, 0
}

// commitAttempt writes the record of a charged attempt that another follows.
func (x *exchange) commitAttempt(o record.Outcome) {
	x.rec.Outcome = o
	x.rec.Total = int64(time.Since(x.began))
	x.sum()
	x.g.seams.Journal.Commit(&x.rec, nil)
	x.rec.Charges, x.rec.Rulings = x.rec.Charges[:0], x.rec.Rulings[:0]
	x.earlier += x.rec.Cost
	x.rec.Cost, x.rec.List, x.rec.Priced, x.rec.Hold, x.rec.Overrun, x.rec.Attempt = 0, 0, 0, 0, 0, 0
	x.rec.Made, x.rec.Delivered = 0, 0
	x.rec.Credential, x.rec.OutputCap = "", 0 // of the next call, if there is one
	x.rec.Outcome, x.rec.Basis, x.rec.Bound = 0, 0, record.BoundNone
}

// pause waits before the next attempt.
func (x *exchange) pause(d time.Duration) *dialect.Error {
	ctx, stop := x.present()
	defer stop()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return x.whyNot()
	}
}

func (x *exchange) closeResponse() {
	if x.attempt.res != nil {
		x.attempt.res.Close()
		x.attempt.res = nil
	}
}
