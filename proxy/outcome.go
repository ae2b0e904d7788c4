package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"

	"purser/ledger"
	"purser/proxy/dialect"
)

// Outcome is what the answer to a request was worth, as its caller says.
type Outcome struct {
	Request string         // its id, as the answer's header had it
	Key     string         // id of the key that says so
	Org     string         // that this key is bound to; "" for none
	Quality int64          // millionths, 0 to [WholeQuality]
	At      ledger.Instant // when it was said
}

// WholeQuality is a quality of 1.
const WholeQuality = 1_000_000

// Outcomes keeps them.
type Outcomes interface {
	// Report keeps an outcome of a request of the same key or org, unless there is one:
	// that stays. It returns the quality which is kept, and whether it is this one. The
	// error is for the caller.
	Report(context.Context, Outcome) (kept int64, first bool, e *dialect.Error)
	// Take keeps outcomes as the body of a call has them. What it returns is written to the
	// client as JSON.
	Take(context.Context, OutcomeCall) (status int, answer any, e *dialect.Error)
}

// OutcomeCall is a call that reports outcomes.
type OutcomeCall struct {
	Form      OutcomeForm
	Body      []byte
	Key, Org  string         // of the caller, and what it is bound to; "" of a signed event
	Signature string         // of a signed event
	At        ledger.Instant // of the call
}

// OutcomeForm is how a body has outcomes.
type OutcomeForm uint8

// The forms.
const (
	PlainOutcomes OutcomeForm = iota // JSON: one, or a list
	StripeMeter                      // a form, as of POST /v1/billing/meter_events
	StripeEvent                      // JSON, signed: an event that Stripe sends
	LangfuseScore                    // JSON, as of POST /api/public/scores
)

// maxOutcome bounds the body about one request, a name and a number, and maxOutcomes one
// with a list or of another program.
const (
	maxOutcome  = 4 << 10
	maxOutcomes = 1 << 20
)

// outcomeBody is what a client says of an answer.
type outcomeBody struct {
	Request string   `json:"request_id"`
	Quality *float64 `json:"quality"` // 0 to 1
	Success *bool    `json:"success"` // instead: 1 or 0
}

// outcomeAnswer is what is kept.
type outcomeAnswer struct {
	Object   string  `json:"object"` // "outcome"
	Request  string  `json:"request_id"`
	Quality  float64 `json:"quality"`
	Recorded bool    `json:"recorded"` // this report is what is kept
	Message  string  `json:"message,omitempty"`
}

// outcome takes what a client says of an answer that it had.
func (x *exchange) outcome() *Answer {
	if x.g.seams.Outcomes == nil {
		return x.answer(dialect.NewError(dialect.CodeRouteNotFound, "", "this node keeps no outcomes"))
	}
	switch {
	case x.endpoint.own == ownStripe:
		return x.outcomes(OutcomeCall{Form: StripeMeter})
	case x.endpoint.own == ownLangfuse:
		return x.outcomes(OutcomeCall{Form: LangfuseScore})
	case !ofOneRequest(x.req.Body):
		return x.outcomes(OutcomeCall{Form: PlainOutcomes})
	}
	o, e := readOutcome(x.req.Body)
	if e != nil {
		return x.answer(e)
	}
	o.Key, o.Org, o.At = x.key.ID, x.key.Bound.Values[ledger.DimOrg], x.rec.At
	kept, first, e := x.g.seams.Outcomes.Report(x.g.base, o)
	if e != nil {
		return x.answer(e)
	}
	out := outcomeAnswer{Object: "outcome", Request: o.Request, Quality: float64(kept) / WholeQuality, Recorded: first}
	if !first {
		out.Message = "an outcome of this request was reported before, and stays"
	}
	return x.ownAnswer(200, out)
}

// ofOneRequest says whether a body is what is said of one request, without an id.
func ofOneRequest(body []byte) bool {
	var in struct {
		ID      json.RawMessage `json:"id"`
		Request json.RawMessage `json:"request_id"`
	}
	return len(body) <= maxOutcome && json.Unmarshal(body, &in) == nil && in.ID == nil && in.Request != nil
}

// outcomes takes a body with outcomes.
func (x *exchange) outcomes(c OutcomeCall) *Answer {
	if len(x.req.Body) > maxOutcomes {
		return x.answer(dialect.NewError(dialect.CodeTooLarge, "", "outcomes have %d bytes at the most; send fewer at once", maxOutcomes))
	}
	c.Body, c.At = x.req.Body, x.rec.At
	if x.key != nil {
		c.Key, c.Org = x.key.ID, x.key.Bound.Values[ledger.DimOrg]
	}
	status, answer, e := x.g.seams.Outcomes.Take(x.g.base, c)
	if e != nil && c.Form == StripeEvent {
		e = x.slowed(e)
	}
	if e != nil {
		return x.answer(e)
	}
	a := x.ownAnswer(status, answer)
	if status == http.StatusConflict { // which SDKs try again otherwise
		a.Header = append(a.Header, HeaderField{"x-should-retry", "false"})
	}
	return a
}

// signed answers a call that its signature authenticates, and no key: an event that Stripe
// sends. Others go on.
func (x *exchange) signed() *Answer {
	signature := x.req.Header.Peek("Stripe-Signature")
	if x.endpoint.own != ownStripe || len(signature) == 0 || x.g.seams.Outcomes == nil {
		return nil
	}
	x.rec.Endpoint, x.rec.Dialect = x.endpoint.path, x.endpoint.speaks.String()
	return x.outcomes(OutcomeCall{Form: StripeEvent, Signature: string(signature)})
}

func readOutcome(body []byte) (o Outcome, e *dialect.Error) {
	if len(body) > maxOutcome {
		return o, dialect.NewError(dialect.CodeTooLarge, "", "an outcome has %d bytes at the most", maxOutcome)
	}
	var in outcomeBody
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return o, dialect.NewError(dialect.CodeInvalidJSON, "", `the body is not an outcome: {"request_id": "req_...", "quality": 0 to 1} or {"request_id": "req_...", "success": true or false}`)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return o, dialect.NewError(dialect.CodeInvalidJSON, "", "the body is more than one JSON value")
	}
	switch {
	case in.Request == "":
		return o, dialect.NewError(dialect.CodeMissingField, "request_id", "request_id is missing: answers have it in the header %s-id", headerID)
	case (in.Quality == nil) == (in.Success == nil):
		return o, dialect.NewError(dialect.CodeMissingField, "quality", "give quality, 0 to 1, or success, true or false")
	case in.Success != nil && *in.Success:
		o.Quality = WholeQuality
	case in.Quality != nil && !(*in.Quality >= 0 && *in.Quality <= 1):
		return o, dialect.NewError(dialect.CodeInvalidValue, "quality", "quality is not within 0 to 1")
	case in.Quality != nil:
		o.Quality = int64(math.Round(*in.Quality * WholeQuality))
	}
	o.Request = in.Request
	return o, nil
}
