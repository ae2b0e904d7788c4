package proxy

import (
	"purser/internal/record"
	"purser/proxy/dialect"
	"purser/proxy/gist"
	"purser/proxy/loop"
)

// conversations are how clients write what they ask, by format.
var conversations = [wires]gist.Shape{
	OpenAI:          {Before: []string{"tools", "functions"}, List: "messages", Content: "content", Roles: []string{"system", "developer"}},
	OpenAIResponses: {Before: []string{"tools", "instructions"}, List: "input", Content: "content", Roles: []string{"system", "developer"}},
	Anthropic:       {Before: []string{"tools", "system"}, List: "messages", Content: "content"},
	Gemini:          {Before: []string{"tools", "systemInstruction", "system_instruction"}, List: "contents", Content: "parts"},
}

// Texts that are no conversations, in OpenAI's format.
var (
	promptText = gist.Shape{List: "prompt"}
	inputText  = gist.Shape{List: "input"}
)

// mostRecognised bounds the bodies that are looked at, in bytes.
const mostRecognised = 1 << 20

// sampled is the temperature from which on a client that names one is taken to want
// another answer each time. OpenAI's reference calls 0.2 focused and deterministic, and
// 0.8 random.
const sampled = 0.5

// recognise notes in the record what the request can be recognised by later: a repetition,
// or the same instructions again. A client that asks for a fresh answer, for several, or
// for random ones repeats on purpose: only its instructions are noted.
func (x *exchange) recognise() {
	call := x.asked()
	if len(call.Raw) == 0 || len(call.Raw) > mostRecognised {
		return
	}
	s := &conversations[x.endpoint.speaks]
	switch call.Endpoint {
	case dialect.Chat, dialect.Responses:
	case dialect.Completions:
		s = &promptText
	case dialect.Embeddings:
		if s = &inputText; x.endpoint.speaks != OpenAI {
			return
		}
	default:
		return
	}
	tenant := x.tenant()
	g := gist.Read(s, call.Raw, tenant)
	x.rec.Prefix = g.Prefix
	if g.Temperature >= sampled || x.repeatsOnPurpose(call) {
		return
	}
	if x.rec.Gist = g.Asked; x.rec.Fingerprint == 0 && g.Asked != 0 {
		x.rec.Fingerprint = gist.Exact(tenant, x.route_.up.Name, x.route_.model, call.Raw)
	}
}

func (x *exchange) repeatsOnPurpose(call *dialect.Call) bool {
	if x.caching.fresh || x.caching.declined || call.N > 1 {
		return true
	}
	ok, _ := x.wire().Cacheable(call)
	return !ok // its answer depends on what is not in it
}

// ruleLoop notes a loop that the request is a part of.
func (x *exchange) ruleLoop() {
	f := &x.looped
	if f.Why == loop.None || len(x.rec.Rulings) >= record.MaxRulings {
		return
	}
	effect := record.PolicyWarned
	if f.Enforce {
		effect = record.PolicyDenied
	}
	x.rec.Rulings = append(x.rec.Rulings, record.Ruling{Policy: record.LoopPolicy + f.Rule, Rule: string(f.Why), Effect: effect})
}
