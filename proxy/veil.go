package proxy

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net/netip"

	"github.com/tidwall/gjson"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/redaction"
	"purser/proxy/redaction/body"
	"purser/proxy/redaction/events"
)

// veil is what stands between the client's text and everything behind: what the
// request's values became, and what is looked for in the answer.
//
// The caches are behind it. An entry is the answer as the upstream gave it, to a
// request as the upstream got it: it has placeholders where this exchange's values, or
// another's, belong. Each reader restores its own, and looks for what its own
// redactions want.
type veil struct {
	body   []byte            // of the request, as everything behind sees it
	values *redaction.Values // nil: nothing to restore
	plan   *redaction.Plan   // of the answer; nil: nothing is looked for
	hasher redaction.Hasher

	stream *events.Stream // of a streamed answer, nil where nothing is to be done
	from   netip.Addr     // who reads it
	begun  bool           // something of the stream was shown
	shut   bool           // nothing more of it is shown
}

func (v *veil) idle() bool { return v.values.Len() == 0 && v.plan == nil }

// redact takes out of the request what is not to leave.
func (x *exchange) redact() *dialect.Error {
	if x.g.seams.Redactions == nil {
		return nil
	}
	set, err := x.g.seams.Redactions.Set()
	if err != nil {
		return undecided(err)
	}
	if set == nil {
		return nil
	}
	x.veil.hasher = set.Hasher(x.tenant())
	if x.endpoint.kind != dialect.Embeddings {
		x.veil.plan = set.Plan(&x.rec.Dims, redaction.Output)
	}
	plan := set.Plan(&x.rec.Dims, redaction.Input)
	if plan == nil || x.endpoint.kind == dialect.Lookup {
		return nil
	}
	if x.call.TokenInputs > 0 && plan.Changes() {
		return dialect.NewError(dialect.CodeRedaction, "", "text that comes as tokens cannot be looked at, and a redaction applies to this request: send it as text")
	}
	return x.redactBody(plan)
}

func (x *exchange) redactBody(plan *redaction.Plan) *dialect.Error {
	values := redaction.NewValues(x.tokenTag())
	r := body.NewRequest(plan, x.veil.hasher, values, func(h *redaction.Hook, texts [][]byte) ([][]redaction.Finding, error) {
		ctx, stop := x.present()
		defer stop()
		return x.g.seams.Redactions.Ask(ctx, h, texts)
	})
	doc, err := r.Request(x.veil.body)
	x.g.seams.Redactions.Found(r.Counts)
	if err != nil {
		return x.notRedacted(err, "the request")
	}
	if values.Len() > 0 {
		x.veil.values = values
	}
	if len(doc) == len(x.veil.body) && &doc[0] == &x.veil.body[0] {
		return nil
	}
	model := x.call.Model // that a route's name stands for
	x.veil.body = doc
	if e := x.wire().Decode(&x.call, x.target(), doc); e != nil {
		return e
	}
	x.call.Model = model
	return nil
}

// tokenTag makes placeholders unlike those of other exchanges, where the model sees
// what it said in these: there they stand for other values.
func (x *exchange) tokenTag() string {
	if len(x.call.References) == 0 && x.call.HiddenContext == "" {
		return ""
	}
	const bytesOfTag = 6
	return rand.Text()[:bytesOfTag]
}

// notRedacted tells why a text did not pass. It never has a value in it.
func (x *exchange) notRedacted(err error, where string) *dialect.Error {
	if b, ok := errors.AsType[*body.Blocked](err); ok {
		x.refusedBy = ruledBy{"redaction/" + b.Spec, b.Finding}
		return dialect.NewError(dialect.CodeRedaction, "", "%s has a value of %s in it, which the redaction %s does not let pass; take it out, or ask whoever runs this gateway", where, b.Finding, b.Spec)
	}
	if errors.Is(err, redaction.ErrTooMany) {
		return dialect.NewError(dialect.CodeRedaction, "", "%s has more values to redact than one request may have; send less at once", where)
	}
	if h, ok := errors.AsType[*body.HookError](err); ok {
		x.g.log.Warn("a recognizer outside gave no answer; the request is refused", "request", x.rec.ID, "hook", h.Hook, "error", h.Err)
		return dialect.NewError(dialect.CodeUndecided, "", "the recognizer %s, which has to be asked about %s, does not answer; try again", h.Hook, where)
	}
	x.g.log.Warn("a text could not be redacted; it is withheld", "request", x.rec.ID, "error", err)
	return dialect.NewError(dialect.CodeRedaction, "", "%s could not be redacted, and so is withheld", where)
}

// unveil is a whole answer as the client is to have it. The one given stays as it is.
func (x *exchange) unveil(answer []byte) ([]byte, *dialect.Error) {
	if x.veil.idle() || len(answer) == 0 {
		return answer, nil
	}
	r := body.NewAnswer(x.veil.plan, x.veil.hasher, x.veil.values)
	doc, err := r.Answer(answer)
	x.g.noteFound(r.Counts)
	if err != nil {
		return nil, x.notRedacted(err, "the answer")
	}
	return doc, nil
}

func (g *Gateway) noteFound(c body.Counts) {
	if len(c) > 0 {
		g.seams.Redactions.Found(c)
	}
}

// dialects of streams, by the client's format.
var veiled = [wires]events.Dialect{OpenAI: events.Chat, OpenAIResponses: events.Responses, Anthropic: events.Anthropic, Gemini: events.Gemini}

// veilStream readies the veil of a streamed answer.
func (x *exchange) veilStream() {
	if x.veil.idle() {
		return
	}
	x.veil.from = x.g.clientAddress(x.req)
	x.veil.stream = events.New(events.Setting{
		Dialect: veiled[x.endpoint.speaks], Array: x.asked().StreamType != "", JSONText: asksJSON(x.veil.body),
		Plan: x.veil.plan, Hasher: x.veil.hasher, Values: x.veil.values,
	})
}

// jsonPaths are where a request asks for an answer in JSON: a member of the body, and
// where in it.
var jsonPaths = map[string]string{
	"response_format": "type", "text": "format.type", "output_format": "type", "output_config": "format.type",
	"generationConfig": "responseMimeType", "generation_config": "response_mime_type",
}

// asksJSON reads the body once, whatever stands first in it.
func asksJSON(doc []byte) (asks bool) {
	c := jsonscan.Cursor{Doc: doc, LoneSurrogates: true}
	err := c.EachMember(func(k jsonscan.Str) error {
		at, ok := jsonPaths[string(c.Name(k))]
		start, end, err := c.Value()
		if ok && err == nil {
			switch gjson.GetBytes(doc[start:end], at).Str {
			case "json_object", "json_schema", "application/json":
				asks = true
			}
		}
		return err
	})
	return asks && err == nil
}

// unveiled gives what the client gets of the next events, and of the last ones what was
// held back. A stream that must not go on ends for the client with an error; it is
// still read, since it is billed.
func (x *exchange) unveiled(out []byte) []byte {
	v := &x.veil
	if v.stream == nil || v.shut {
		if v.shut {
			return nil
		}
		return out
	}
	shown, err := v.stream.Feed(out)
	if err == nil && x.stream.over {
		var rest []byte
		shown = bytes.Clone(shown)
		rest, err = v.stream.Finish()
		shown = append(shown, rest...)
		x.g.noteFound(v.stream.Counts)
	}
	if err == nil {
		v.begun = v.begun || len(shown) > 0
		return shown
	}
	v.shut = true
	x.g.noteFound(v.stream.Counts)
	e := x.notRedacted(err, "the answer")
	x.rec.Code = string(e.Code)
	x.tellDenial(e, v.from)
	return x.errorEvent(bytes.Clone(shown), e)
}

// errorEvent appends an error to a stream, as its dialect has it.
func (x *exchange) errorEvent(dst []byte, e *dialect.Error) []byte {
	e.RequestID = x.rec.ID
	_, _, doc := x.wire().ErrorAnswer(e, x.client)
	switch {
	case x.endpoint.speaks == Anthropic:
		dst = append(dst, "event: error\n"...)
	case x.endpoint.speaks == OpenAIResponses:
		dst = append(dst, "event: error\n"...)
		doc = append([]byte(`{"type":"error",`), doc[1:]...)
	case x.asked().StreamType != "":
		if len(dst) == 0 && !x.veil.begun {
			return append(append(append(dst, '['), doc...), ']')
		}
		return append(append(append(dst, ",\r\n"...), doc...), ']')
	}
	return append(append(append(dst, "data: "...), doc...), "\n\n"...)
}
