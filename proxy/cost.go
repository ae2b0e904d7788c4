package proxy

import (
	"bytes"
	"strconv"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/dialect"
	"purser/proxy/dialect/sse"
	"purser/proxy/loop"
	"purser/proxy/template"
)

// Headers of answers that speak of money. Amounts are nano-dollars, whole.
const (
	headerCost            = "x-purser-cost-nanousd"
	headerBudget          = "x-purser-budget"
	headerBudgetLimit     = "x-purser-budget-limit-nanousd"
	headerBudgetRemaining = "x-purser-budget-remaining-nanousd"
	headerBudgetResets    = "x-purser-budget-resets"
)

// Names that LiteLLM has for some of ours, which tools look for.
const (
	headerLiteCost  = "x-litellm-response-cost" // in dollars
	headerLiteCall  = "x-litellm-call-id"
	headerLiteModel = "x-litellm-model-id"
)

// cost is what the request has cost until now, all its attempts together.
func (x *exchange) cost() ledger.Amount { return x.earlier + x.rec.Cost }

// own appends the gateway's own headers to those of an answer: what it is called,
// where it came from, what it cost, and what that leaves. The cost of a stream is
// not known yet: it follows in the trailer.
func (x *exchange) own(h []HeaderField, a *Answer) []HeaderField {
	h = append(h, HeaderField{headerID + "-id", x.rec.ID}, HeaderField{headerLiteCall, x.rec.ID})
	if c := &x.route_; c.up != nil {
		h = append(h, HeaderField{headerLiteModel, c.up.Name + "/" + c.model})
	}
	if x.prompt.Name != "" {
		h = append(h, HeaderField{headerTemplate, template.VersionID(x.prompt.Name, x.prompt.Version)})
	}
	h = append(h, x.judged.headers...)
	if x.looped.Why != loop.None {
		h = append(h, HeaderField{headerLoop, string(x.looped.Why)})
	}
	if a.Stream == nil && !x.hidesCache() {
		h = appendCost(h, x.cost())
	}
	if x.chain == nil {
		return h
	}
	if a.Status < 400 {
		h = x.rates(h)
	}
	room, ok := x.g.seams.Purse.Room(x.chain)
	if !ok {
		return h
	}
	// One string has the values, so that it is the one allocation.
	b := strconv.AppendInt(x.scratch[:0], int64(room.Limit), 10)
	limit := len(b)
	b = strconv.AppendInt(b, int64(room.Left), 10)
	left := len(b)
	if room.ResetsAt < ledger.MaxInstant {
		b = time.Unix(0, int64(room.ResetsAt)).UTC().AppendFormat(b, time.RFC3339)
	}
	x.scratch = b[:0]
	all := string(b)
	h = append(h, HeaderField{headerBudget, accountName(room.Account)}, HeaderField{headerBudgetLimit, all[:limit]}, HeaderField{headerBudgetRemaining, all[limit:left]})
	if left < len(all) {
		h = append(h, HeaderField{headerBudgetResets, all[left:]})
	}
	return h
}

// rates adds what is left of the limits of requests and tokens, in the headers that
// the dialect has for it. Refusals by them have their own.
func (x *exchange) rates(h []HeaderField) []HeaderField {
	for _, u := range [...]ledger.Unit{ledger.Requests, ledger.Tokens} {
		room, ok := x.g.seams.Purse.Rate(x.chain, u)
		if !ok {
			continue
		}
		b := dialect.Budget{Unit: u.String(), Limit: int64(room.Limit), Spent: int64(room.Limit - room.Left), ResetsAt: int64(room.ResetsAt / ledger.Second)}
		for _, f := range x.wire().AppendRateLimit(nil, &b, max(int64(room.ResetsAt-x.rec.At)/1_000_000, 1)) {
			h = append(h, HeaderField{f.Name, f.Value})
		}
	}
	return h
}

// appendCost appends a cost in both of its forms.
func appendCost(h []HeaderField, cost ledger.Amount) []HeaderField {
	var buf [48]byte
	b := strconv.AppendInt(buf[:0], int64(cost), 10)
	nano := len(b)
	all := string(appendUSD(b, cost))
	return append(h, HeaderField{headerCost, all[:nano]}, HeaderField{headerLiteCost, all[nano:]})
}

// appendUSD appends an amount of nano-dollars, not below zero, as dollars: exactly,
// in a form that is a number in JSON.
func appendUSD(dst []byte, a ledger.Amount) []byte {
	dst = strconv.AppendInt(dst, int64(a/ledger.NanoPerUSD), 10)
	rest := a % ledger.NanoPerUSD
	if rest == 0 {
		return dst
	}
	digits := strconv.Itoa(int(ledger.NanoPerUSD + rest))[1:] // with its leading zeros
	return append(append(dst, '.'), strings.TrimRight(digits, "0")...)
}

// usagePaths are where the usage is in a whole answer, by format.
var usagePaths = [wires]string{OpenAI: "usage", OpenAIResponses: "usage", Anthropic: "usage", Gemini: "usageMetadata"}

// eventUsagePaths are where it is in the event of a stream that has the final one.
var eventUsagePaths = [wires]string{OpenAI: "usage", OpenAIResponses: "response.usage", Anthropic: "usage", Gemini: "usageMetadata"}

// appendWithCost appends a JSON document with the cost as a member of the usage at
// path; a cost that is there already, such as that of another currency, is
// replaced. A document without usage stays as it is, and so does every other byte.
func appendWithCost(dst, doc []byte, path string, cost ledger.Amount) []byte {
	usage := gjson.GetBytes(doc, path)
	if !usage.IsObject() || usage.Index == 0 {
		return append(dst, doc...)
	}
	if old := gjson.Get(usage.Raw, "cost"); old.Exists() && old.Index > 0 {
		at := usage.Index + old.Index
		dst = appendUSD(append(dst, doc[:at]...), cost)
		return append(dst, doc[at+len(old.Raw):]...)
	}
	end := usage.Index + len(usage.Raw) - 1 // of its brace
	dst = append(dst, doc[:end]...)
	if !bytes.HasSuffix(bytes.TrimSpace(doc[usage.Index:end]), []byte{'{'}) {
		dst = append(dst, ',')
	}
	dst = appendUSD(append(dst, `"cost":`...), cost)
	return append(dst, doc[end:]...)
}

// withCost is a whole answer as the client is to have it: with its cost, if it
// asked for that. What an earlier call cost is not the cost of asking about it.
func (x *exchange) withCost(body []byte) []byte {
	if !x.costInUsage || x.endpoint.kind.Free() {
		return body
	}
	return appendWithCost(make([]byte, 0, len(body)+32), body, usagePaths[x.endpoint.speaks], x.cost())
}

// feedCosted feeds the meter event by event, so that the cost stands in the one
// whose usage it is of.
func (x *exchange) feedCosted(chunk []byte) ([]byte, error) {
	s := &x.stream
	s.out = s.out[:0]
	err := s.events.Each(chunk, func(e sse.Event) error {
		out, err := s.meter.Feed(e.Raw)
		if err == nil {
			s.out = x.appendCosted(s.out, out)
		}
		return err
	})
	return s.out, err
}

// restCosted is feedCosted of what the upstream left without an end.
func (x *exchange) restCosted() []byte {
	s := &x.stream
	s.out = s.out[:0]
	if e, ok := s.events.Rest(); ok {
		out, err := s.meter.Feed(e.Raw)
		if err != nil {
			return nil // too long for an event, and so for the meter's end
		}
		s.out = append(s.out, out...)
	}
	s.out = x.appendCosted(s.out, s.meter.Finish())
	return s.out
}

// costed is what a translation made of a piece, with the cost if it is wanted.
func (x *exchange) costed(out []byte) []byte {
	if !x.costInUsage {
		return out
	}
	x.stream.out = x.appendCosted(x.stream.out[:0], out)
	return x.stream.out
}

// appendCosted appends events for the client, with the cost in the one that has the
// usage of the whole answer, once the upstream has said that.
func (x *exchange) appendCosted(dst, out []byte) []byte {
	r := x.stream.meter.Report()
	if len(out) == 0 || r.State != dialect.UsageReported || !r.Done && (r.Choices == 0 || r.Finished < r.Choices) {
		return append(dst, out...)
	}
	b := x.bill(r)
	if b.basis == record.FullHold {
		return append(dst, out...)
	}
	if x.attempt.sliced.cut { // the usage is of the gateway's making
		_, c := x.estimate(true)
		b.cost = c.USD
	}
	cost, path := x.earlier+b.cost, eventUsagePaths[x.endpoint.speaks]
	if x.asked().StreamType != "" { // elements of an array: the last of them
		const between = ",\r\n"
		at := max(bytes.IndexByte(out, '{'), 0)
		if last := bytes.LastIndex(out, []byte(between+"{")); last >= 0 {
			at = last + len(between)
		}
		return appendWithCost(append(dst, out[:at]...), out[at:], path, cost)
	}
	before := len(dst)
	var events sse.Scanner
	add := func(e sse.Event) error {
		if e.DataAt < 0 {
			dst = append(dst, e.Raw...)
			return nil
		}
		dst = appendWithCost(append(dst, e.Raw[:e.DataAt]...), e.Data, path, cost)
		dst = append(dst, e.Raw[e.DataAt+len(e.Data):]...)
		return nil
	}
	if events.Each(out, add) != nil {
		return append(dst[:before], out...) // an event over the limit, which no meter gives
	}
	if e, ok := events.Rest(); ok {
		_ = add(e)
	}
	return dst
}
