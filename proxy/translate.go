package proxy

import (
	"strings"
	"time"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	"purser/proxy/dialect/conversation/anthropic"
	"purser/proxy/dialect/conversation/chat"
	"purser/proxy/dialect/conversation/converse"
	geminitalk "purser/proxy/dialect/conversation/gemini"
	"purser/proxy/dialect/conversation/responses"
	"purser/proxy/dialect/gemini"
	"purser/proxy/trace"
)

// asking and answering are the dialects between which calls are translated, by
// format: those that clients speak, and those that upstreams do.
var (
	asking = [wires]conversation.Client{
		OpenAI: chat.Dialect{}, OpenAIResponses: responses.Client{}, Anthropic: anthropic.Dialect{}, Gemini: geminitalk.Dialect{},
	}
	answering = [wires]conversation.Provider{
		OpenAI: chat.Dialect{}, Anthropic: anthropic.Dialect{}, Gemini: geminitalk.Dialect{}, Converse: converse.Dialect{},
	}
)

// spoken is how a translated call is asked in a format.
func spoken(w Wire, model string, stream bool) dialect.Target {
	t := dialect.Target{Endpoint: dialect.Chat, Model: model, Stream: stream}
	switch {
	case w == Gemini && stream:
		t.Operation, t.Query = gemini.Stream, "alt=sse"
	case w == Gemini:
		t.Operation = gemini.Generate
	}
	return t
}

// native and foreign say in which format an upstream takes the call: in the client's
// own, or in another that it can be translated to.
func (x *exchange) native(u *Upstream) (Wire, bool) {
	return x.endpoint.speaks, u.native(x.endpoint.speaks)
}

func (x *exchange) foreign(u *Upstream) (Wire, bool) {
	talk := x.endpoint.models || x.endpoint.kind == dialect.Chat || x.endpoint.kind == dialect.Responses
	return u.Speaks, talk && !u.native(x.endpoint.speaks) && asking[x.endpoint.speaks] != nil && answering[u.Speaks] != nil
}

// translated says whether the upstream speaks another dialect than the client.
func (x *exchange) translated() bool { return x.route_.wire != x.endpoint.speaks }

// asked is the call as the client made it.
func (x *exchange) asked() *dialect.Call {
	if x.translated() {
		return &x.original
	}
	return &x.call
}

// there is the format that is spoken upstream.
func (x *exchange) there() dialect.Provider { return providers[x.route_.wire] }

// translate writes the call in the dialect of its upstream, if that is another, and
// reads it again as that dialect's: from here on it is held, sent and metered as
// what it has become.
func (x *exchange) translate() *dialect.Error {
	if !x.translated() {
		return nil
	}
	x.original, x.call = x.call, x.original
	q, e := asking[x.endpoint.speaks].ReadRequest(x.veil.body, x.target())
	if e != nil {
		return e
	}
	q.Model, q.UsualOutput = x.route_.model, x.g.cfg.DefaultOutput // what can be said differs between models
	body, e := answering[x.route_.wire].AppendRequest(nil, q)
	if e != nil {
		return e
	}
	x.left, x.groups = q.Left, q.Groups
	return x.there().Decode(&x.call, spoken(x.route_.wire, q.Model, q.Stream), body)
}

// setting is what the client's answer says of its call.
func (x *exchange) setting() conversation.Setting {
	return conversation.Setting{Call: &x.original, Groups: x.groups, ID: x.rec.ID, Unix: x.began.Unix()}
}

// tell puts a whole answer of the upstream into the client's dialect.
func (x *exchange) tell(answer *Answer, body []byte, r *dialect.Report) error {
	a, err := answering[x.route_.wire].ReadAnswer(body)
	if err != nil {
		return err
	}
	set := x.setting()
	answer.Body = asking[x.endpoint.speaks].AppendAnswer(nil, a, &set, r)
	if len(a.Left) > 0 && !x.hidesCache() {
		answer.Header = append(answer.Header, HeaderField{headerUntold, places(a.Left)})
	}
	return nil
}

// interpreter meters a stream in the upstream's dialect and tells it in the client's.
func (x *exchange) interpreter(meter dialect.Meter) dialect.Meter {
	s := conversation.NewStream(meter, answering[x.route_.wire].NewReader(), asking[x.endpoint.speaks].NewWriter())
	s.For(x.setting())
	if x.stream.kept = nil; x.store {
		s.Keep()
		x.stream.kept = s
	}
	return s
}

// streamed is the whole answer that a translated stream told, with the usage that the
// client may not have asked for.
func (x *exchange) streamed(r *dialect.Report) []byte {
	set := x.setting()
	return asking[x.endpoint.speaks].AppendAnswer(nil, x.stream.kept.Told(), &set, r)
}

// told is an upstream's error for a client of another dialect: its status, and its
// own text.
func (x *exchange) told(status int, body []byte, after time.Duration) *dialect.Error {
	u := answering[x.route_.wire].ReadError(body)
	if u.Message == "" {
		u.Message = "the upstream " + x.route_.up.Name + " gives no reason"
	}
	e := dialect.NewError(codeOf(status), u.Param, "%s", u.Message)
	e.Status, e.RetryAfterMillis = status, after.Milliseconds()
	return e
}

// codeOf is the code nearest to an upstream's status.
func codeOf(status int) dialect.Code {
	switch status {
	case 400, 422:
		return dialect.CodeInvalidValue
	case 404:
		return dialect.CodeModelNotFound
	case 413:
		return dialect.CodeTooLarge
	case 429:
		return dialect.CodeRateLimit
	case 503, 529:
		return dialect.CodeOverloaded
	}
	return dialect.CodeUpstream
}

// Headers of translated answers.
const (
	headerTranslated = headerPrefix + "translated" // the upstream's dialect
	headerLeft       = headerPrefix + "left-out"   // places of hints that it has no word for
	headerUntold     = headerPrefix + "untold"     // places in its answer that the client's has no word for
)

// maxLeft bounds the bytes of the list of hints that were left out.
const maxLeft = 1024

// translatedHeaders are those of an answer in another dialect than the upstream's:
// what the upstream's own say is not in the client's dialect.
func (x *exchange) translatedHeaders(h []HeaderField) []HeaderField {
	h = append(h, HeaderField{"Content-Type", x.contentType()}, HeaderField{headerTranslated, x.route_.wire.String()})
	if len(x.left) > 0 {
		h = append(h, HeaderField{headerLeft, places(x.left)})
	}
	return h
}

// places are what a header says of places in a body, whose names may be any text.
func places(list []string) string {
	var b strings.Builder
	for i, at := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		if b.Len()+len(at) > maxLeft {
			return b.String() + "..."
		}
		b.WriteString(strings.Map(func(r rune) rune {
			if r < ' ' || r > '~' {
				return '?'
			}
			return r
		}, at))
	}
	return b.String()
}

// neutral says whether a client's header means the same to an upstream of another
// dialect: those of its trace do.
func neutral(name string) bool {
	return strings.EqualFold(name, trace.HeaderParent) || strings.EqualFold(name, trace.HeaderState)
}
