package proxy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/bound"
	"purser/proxy/dialect"
	"purser/proxy/price"
)

// admit takes the hold of the next attempt. Bounds escalate: the cheapest that
// fits what is at hand is taken; the request waits for allowance only with the
// tightest one there is.
func (x *exchange) admit() *dialect.Error {
	x.attempt = attempt{n: x.attempt.n + 1}
	if x.endpoint.kind.Free() {
		x.hold(nothing{}, Claim{})
		return nil
	}
	if x.attempt.margin = x.g.margins.of(x.marginKey()); x.attempt.margin > maxMargin {
		return dialect.NewError(dialect.CodeUnbounded, "model", "the cost of this request cannot be bounded: the upstream %s has billed a call of this model more than %d times what its caps allow; the operator of this gateway has to look into it", x.route_.up.Name, 1<<maxMargin)
	}
	best := bounded{}
	for _, step := range boundSteps {
		in, ok := bound.Input(&x.call, x.boundModel(), step)
		if !ok {
			continue
		}
		name := boundNames[step]
		if in.Window {
			name = record.BoundWindow
		}
		if x.holdsBound(&best, in.Tokens, name) {
			return nil
		}
	}
	if best.name != record.BoundExact {
		if n, ok := x.countInput(); ok && x.holdsBound(&best, n, record.BoundCounted) {
			return nil
		}
	}
	if best.name == record.BoundNone {
		return dialect.NewError(dialect.CodeUnbounded, x.call.HiddenContext, "the cost of this request cannot be bounded: it refers to content that is not in it, and the model's context window is not known")
	}
	if x.unmark() {
		x.attempt.n--
		return x.admit()
	}
	x.attempt.bound = best.name
	began := time.Now()
	hold, refusal, err := x.chain.Reserve(x.g.base, Money, best.claim)
	x.rec.Admit += int64(time.Since(began))
	switch {
	case err != nil:
		return undecided(err)
	case refusal != nil:
		return x.refused(refusal)
	}
	x.attempt.sliced.in = best.tokens
	x.hold(hold, best.claim)
	return nil
}

// bounded is the tightest bound there is yet.
type bounded struct {
	claim  Claim
	tokens int64
	name   record.Bound // BoundNone: there is none
}

// holdsBound takes the hold that a bound of the input asks for, if that is at hand, and
// else keeps the bound if it is the tightest.
func (x *exchange) holdsBound(best *bounded, tokens int64, name record.Bound) bool {
	c := x.claim(tokens)
	if best.name == record.BoundNone || c.USD < best.claim.USD {
		*best = bounded{c, tokens, name}
	}
	hold, ok := x.chain.Try(Money, c)
	if ok {
		x.attempt.bound, x.attempt.sliced.in = name, tokens
		x.hold(hold, c)
	}
	return ok
}

var boundNames = [...]record.Bound{
	bound.Bytes: record.BoundBytes, bound.Vocabulary: record.BoundVocabulary, bound.Exact: record.BoundExact,
}

func (x *exchange) hold(h Hold, c Claim) {
	x.attempt.hold, x.attempt.claim = h, c
	if x.route_.sliced {
		x.attempt.sliced.on, x.attempt.sliced.covered = true, x.firstOutput()
	}
}

// nothing is the hold of a call that costs nothing.
type nothing struct{}

func (nothing) Settle(_ Claim, charges []record.Charge) []record.Charge { return charges }
func (nothing) Release()                                                {}
func (nothing) Extend(context.Context, Claim) (*Refusal, error)         { return nil, nil }

// claim is what is held for the call with so many input tokens: the most that it
// can cost, but for what a sliced hold adds later.
func (x *exchange) claim(in int64) Claim { return x.claimOf(in, x.firstOutput()) }

// claimOf is the most the call can cost with so many input and output tokens, with
// the margin that the upstream's earlier bills have taught.
func (x *exchange) claimOf(in, out int64) Claim {
	in *= x.readings()
	if x.call.CapPerRun {
		out *= x.readings()
	}
	if x.call.Compacts {
		in, out = 2*in, out+x.largestOutput()
	}
	e := price.Extent{Input: in, Output: out, Calls: x.route_.calls, Meters: x.meters()}
	usd := x.dearest(x.route_.rate, &e)
	for _, r := range x.route_.regional {
		usd = max(usd, x.dearest(r, &e))
	}
	return x.attempt.margin.claim(Claim{
		USD:    usd,
		Tokens: ledger.Amount(min(in+out, int64(ledger.MaxAmount))),
	})
}

func (x *exchange) marginKey() marginKey {
	return marginKey{x.route_.up.Name, x.route_.rate.ID}
}

// dearest is the most that e can cost at rate r.
func (x *exchange) dearest(r *price.Rate, e *price.Extent) ledger.Amount {
	usd := r.BoundOf(*e, x.route_.tier)
	if x.route_.tier != price.Auto {
		// A cheaper tier may be answered, and billed, as the standard one.
		usd = max(usd, r.BoundOf(*e, price.Standard))
	}
	return usd
}

// largestOutput bounds a run of the model that no cap of the request bounds; 0
// where nothing does.
func (x *exchange) largestOutput() int64 {
	return cmp.Or(x.route_.rate.MaxOutput, x.boundModel().ContextWindow)
}

// readings is how often the model may read its prompt: again after each call of
// a tool that the provider runs, and once more when it asks for one too many.
func (x *exchange) readings() int64 {
	if len(x.call.Paid) == 0 {
		return 1
	}
	return x.route_.calls + 2
}

// meters are what this call can be counted on: text alone is not held at the
// price of images or audio. A response may write to a cache of any lifetime.
func (x *exchange) meters() price.Set {
	switch {
	case x.call.Meters != 0:
		return x.call.Meters
	case len(x.call.Images) > 0 || x.call.Files > 0 || x.call.HiddenContext != "":
		return 0
	case x.route_.wire == OpenAIResponses:
		return price.Text | price.Meters(price.CacheWrite12h)
	}
	return price.Text
}

// change is what the gateway sets in the upstream's request.
func (x *exchange) change() dialect.Change {
	ch := dialect.Change{IncludeUsage: x.call.Stream, NoStreamOptions: x.route_.up.NoStreamOptions}
	if x.route_.sent != x.call.Model || x.model != "" || x.routed || x.translated() {
		// Also where the path or a route named it, or a translation wrote it: the body may name another.
		ch.Model = x.route_.sent
	}
	if x.route_.write || x.route_.up.CapField == "max_tokens" {
		ch.MaxOutput, ch.CapField = x.route_.cap, x.route_.up.CapField
	}
	if x.route_.calls > 0 {
		ch.MaxCalls = x.route_.calls
	}
	ch.CacheKey = x.hints.key
	return ch
}

// refused is the refusal in a form on which the client stops. opencode takes any
// number such as 429 or 500 in the text of an answer for a passing failure, and
// amounts have such digits by chance: it gets none.
func (x *exchange) refused(r *Refusal) *dialect.Error {
	e := refused(r, x.rec.At)
	switch {
	case x.client != dialect.Opencode || e.Code != dialect.CodeQuota:
	case r.Trip != nil:
		e.Message, e.Budget = fmt.Sprintf("the billing budget %s refuses all requests: its circuit breaker was opened", e.Budget.ID), nil
	default:
		e.Message, e.Budget = fmt.Sprintf("the billing budget %s has no room for this request; %s", e.Budget.ID, resetsAt(e.Budget.ResetsAt)), nil
	}
	return e
}

// refused turns a decision of the ledger into the answer a client understands:
// money is 402 and not tried again, rates and slots are a genuine 429.
func refused(r *Refusal, now ledger.Instant) *dialect.Error {
	b := &dialect.Budget{
		ID: string(r.Account.Budget), Account: accountName(r.Account), Unit: r.Unit.String(), Window: r.Window.String(),
		Limit: int64(r.Limit), Spent: int64(r.Spent), Held: int64(r.Held), Unreachable: int64(r.Unreachable), Needed: int64(r.Needed),
	}
	if r.ResetsAt < ledger.MaxInstant {
		b.ResetsAt = int64(r.ResetsAt / ledger.Second)
	}
	resets := resetsAt(b.ResetsAt)
	var e *dialect.Error
	switch {
	case r.Trip != nil:
		return tripped(r.Trip, b)
	case r.Unit == ledger.Slots:
		e = dialect.NewError(dialect.CodeConcurrency, "", "the concurrency limit %s (%d at once) is reached; try again when a request has ended", b.ID, b.Limit)
		e.RetryAfterMillis = slotRetryMillis
	case r.Unit == ledger.Requests, r.Unit == ledger.Tokens && (r.Window == ledger.PerMinute || r.Window == ledger.PerHour):
		e = dialect.NewError(dialect.CodeRateLimit, "", "the %s limit %s (%d per %s) is reached; %s", r.Unit, b.ID, b.Limit, r.Window, resets)
		if b.ResetsAt > 0 {
			e.RetryAfterMillis = max(int64((r.ResetsAt-now)/1_000_000), 1)
		}
		e.NoRetry = e.RetryAfterMillis == 0 || e.RetryAfterMillis > longestRetryMillis
	default:
		e = dialect.NewError(dialect.CodeQuota, "", "the billing budget %s has no room for this request: it needs up to %s, and of %s there are %s spent and %s held; %s",
			b.ID, amount(r.Unit, r.Needed), amount(r.Unit, r.Limit), amount(r.Unit, r.Spent), amount(r.Unit, r.Held+r.Unreachable), resets)
	}
	e.Budget = b
	return e
}

// tripped is the answer of a budget's breaker. An open one is as final as a spent
// budget; one that is half open has room for others in a moment.
func tripped(t *Trip, b *dialect.Budget) *dialect.Error {
	why := cmp.Or(t.Reason, "no reason was given")
	since := time.Unix(0, int64(t.Since)).UTC().Format(time.RFC3339)
	b.Breaker = &dialect.BudgetBreaker{State: "open", Cause: t.Cause, Reason: t.Reason, Since: int64(t.Since / ledger.Second), Until: int64(t.Until / ledger.Second)}
	if t.HalfOpen {
		b.Breaker.State = "half_open"
		e := dialect.NewError(dialect.CodeConcurrency, "", "the circuit breaker of the budget %s lets single requests through since %s (%s); try again when one of them has ended", b.ID, since, why)
		e.RetryAfterMillis, e.Budget = probeRetryMillis, b
		return e
	}
	until := "until it is reset"
	if t.Until > 0 {
		until = "until " + time.Unix(0, int64(t.Until)).UTC().Format(time.RFC3339)
	}
	e := dialect.NewError(dialect.CodeQuota, "", "the billing budget %s refuses all requests since %s, %s: its circuit breaker was opened (%s)", b.ID, since, until, why)
	e.Budget = b
	return e
}

// probeRetryMillis is about how long a request takes that others wait for.
const probeRetryMillis = 2000

// resetsAt says when a window ends; seconds is 0 for one that never does.
func resetsAt(seconds int64) string {
	if seconds == 0 {
		return "it does not reset"
	}
	return "it resets at " + time.Unix(seconds, 0).UTC().Format(time.RFC3339)
}

// longestRetryMillis is how long SDKs wait at most for a rate limit. Told of a
// longer time, some give up and others ask again within seconds: so these are
// told not to.
const longestRetryMillis = 60_000

// slotRetryMillis is a guess: nobody knows when a request in flight will end.
const slotRetryMillis = 1000

// undecided is the answer when nobody could say yes: retryable, and nothing was sent.
func undecided(err error) *dialect.Error {
	var code coder
	if errors.As(err, &code) {
		e := dialect.NewError(code.DialectCode(), "", "%s", err.Error())
		e.RetryAfterMillis = undecidedRetryMillis
		return e
	}
	e := dialect.NewError(dialect.CodeUndecided, "", "this node cannot decide whether the budget allows this request; nothing was sent, try again")
	e.RetryAfterMillis = undecidedRetryMillis
	return e
}

// coder is an error of the purse that knows its code on the wire.
type coder interface {
	DialectCode() dialect.Code
}

// undecidedRetryMillis is about the time a new leader takes.
const undecidedRetryMillis = 1000
