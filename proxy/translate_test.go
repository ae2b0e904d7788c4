package proxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"purser/internal/record"
	"purser/proxy/dialect"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
)

// foreigner is an upstream of one dialect, which answers with a tool call.
type foreigner struct {
	wire     Wire
	nameless bool // its answers have no id
	whole    string
	stream   string // its content type is that of event streams
	status   int    // of an error, 0 for none
	failure  string
	asked    string // the body it was asked with
	path     string
	header   http.Header
}

func (p *foreigner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	p.asked, p.path, p.header = string(body), r.URL.RequestURI(), r.Header
	switch {
	case p.status != 0:
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(p.status)
		fmt.Fprint(w, p.failure)
	case strings.HasSuffix(p.path, "/converse-stream"):
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		fmt.Fprint(w, p.stream)
	case strings.Contains(p.asked, `"stream":true`) || strings.Contains(p.path, ":stream"):
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, p.stream)
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, p.whole)
	}
}

// foreigners are upstreams, by their dialect, that say the same.
var foreigners = map[Wire]foreigner{
	OpenAI: {
		whole: `{"id":"up-1","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"Looking.","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29}}`,
		stream: `data: {"id":"up-1","model":"gpt-4o-mini","choices":[{"index":0,"delta":{"role":"assistant","content":"Looking."},"finish_reason":null}]}

data: {"id":"up-1","model":"gpt-4o-mini","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},"finish_reason":null}]}

data: {"id":"up-1","model":"gpt-4o-mini","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

data: {"id":"up-1","model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":20,"completion_tokens":9,"total_tokens":29}}

data: [DONE]

`,
		failure: `{"error":{"message":"slow down, organization org-abcdef123456","type":"requests","code":"rate_limit_exceeded"}}`,
	},
	Gemini: {
		whole:   geminiSays,
		stream:  "data: " + geminiSays + "\n\n",
		failure: `{"error":{"code":429,"message":"slow down, project_number:123456789012","status":"RESOURCE_EXHAUSTED"}}`,
	},
	Anthropic: {
		whole: `{"id":"up-1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"Looking."},{"type":"tool_use","id":"c1","name":"f","input":{"a":1}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":15,"cache_read_input_tokens":5,"output_tokens":9}}`,
		stream: `event: message_start
data: {"type":"message_start","message":{"id":"up-1","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":15,"cache_read_input_tokens":5,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Looking."}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"c1","name":"f","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

`,
		failure: `{"type":"error","error":{"type":"rate_limit_error","message":"slow down, organization org-abcdef123456"}}`,
	},
	Converse: {
		nameless: true,
		whole:    `{"output":{"message":{"role":"assistant","content":[{"text":"Looking."},{"toolUse":{"toolUseId":"c1","name":"f","input":{"a":1}}}]}},"stopReason":"tool_use","metrics":{"latencyMs":1},"usage":{"inputTokens":15,"cacheReadInputTokens":5,"outputTokens":9,"totalTokens":29}}`,
		stream: framed(
			"messageStart", `{"role":"assistant"}`,
			"contentBlockDelta", `{"contentBlockIndex":0,"delta":{"text":"Looking."}}`,
			"contentBlockStop", `{"contentBlockIndex":0}`,
			"contentBlockStart", `{"contentBlockIndex":1,"start":{"toolUse":{"toolUseId":"c1","name":"f"}}}`,
			"contentBlockDelta", `{"contentBlockIndex":1,"delta":{"toolUse":{"input":"{\"a\":1}"}}}`,
			"contentBlockStop", `{"contentBlockIndex":1}`,
			"messageStop", `{"stopReason":"tool_use"}`,
			"metadata", `{"metrics":{"latencyMs":1},"usage":{"inputTokens":15,"cacheReadInputTokens":5,"outputTokens":9,"totalTokens":29}}`),
		failure: `{"message":"slow down, organization org-abcdef123456"}`,
	},
}

const geminiSays = `{"responseId":"up-1","modelVersion":"gemini-2.0-flash","candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"Looking."},{"functionCall":{"id":"c1","name":"f","args":{"a":1}}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":9,"totalTokenCount":29}}`

// framed is an event stream of AWS's: types of events and their payloads.
func framed(events ...string) string {
	var b bytes.Buffer
	for i := 0; i < len(events); i += 2 {
		m := eventstream.Message{Payload: []byte(events[i+1])}
		m.Headers.Set(":message-type", eventstream.StringValue("event"))
		m.Headers.Set(":event-type", eventstream.StringValue(events[i]))
		if err := eventstream.NewEncoder().Encode(&b, m); err != nil {
			panic(err)
		}
	}
	return b.String()
}

// speaker is a client of one dialect, which asks for a tool.
type speaker struct {
	path, streamPath string
	body             string // with %v where it says whether it wants a stream
	refused          string // a body with a field that only this dialect has
	param            string // its place
	says             []string
	ends             string // what a whole stream ends with
}

var speakers = map[Wire]speaker{
	OpenAI: {
		path: "/v1/chat/completions", streamPath: "/v1/chat/completions",
		body:    `{"model":"MODEL","messages":[{"role":"system","content":"be brief"},{"role":"user","content":"look it up"}],"prompt_cache_key":"k","stream":%v,"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}`,
		refused: `{"model":"MODEL","messages":[{"role":"user","content":"x"}],"n":2}`, param: `"n"`,
		says: []string{`Looking.`, `"id":"c1"`, `{\"a\":1}`, `tool_calls`}, ends: "data: [DONE]",
	},
	Gemini: {
		path: "/v1beta/models/MODEL:generateContent", streamPath: "/v1beta/models/MODEL:streamGenerateContent?alt=sse",
		body:    `{"systemInstruction":{"parts":[{"text":"be brief"}]},"contents":[{"role":"user","parts":[{"text":"look it up"}]}],"labels":{"a":"b"},"tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}}]}]}`,
		refused: `{"contents":[{"role":"user","parts":[{"text":"x"}]}],"generationConfig":{"candidateCount":2}}`, param: "generationConfig.candidateCount",
		says: []string{`Looking.`, `"id":"c1"`, `"args":{"a":1}`}, ends: `"finishReason":"STOP"`,
	},
	OpenAIResponses: {
		path: "/v1/responses", streamPath: "/v1/responses",
		body:    `{"model":"MODEL","instructions":"be brief","input":"look it up","prompt_cache_key":"k","stream":%v,"tools":[{"type":"function","name":"f","parameters":{"type":"object"}}]}`,
		refused: `{"model":"MODEL","input":"x","background":true}`, param: "background",
		says: []string{`Looking.`, `"call_id":"c1"`, `{\"a\":1}`}, ends: "response.completed",
	},
	Anthropic: {
		path: "/v1/messages", streamPath: "/v1/messages",
		body:    `{"model":"MODEL","max_tokens":8192,"system":"be brief","messages":[{"role":"user","content":"look it up"}],"stream":%v,"tools":[{"name":"f","input_schema":{"type":"object"}}]}`,
		refused: `{"model":"MODEL","max_tokens":1,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"file","file_id":"f"}}]}]}`, param: "messages.0.content.0.source.type",
		says: []string{`Looking.`, `"id":"c1"`, `:1}`}, ends: "message_stop",
	},
}

// of is the speaker who asks for a model.
func (s speaker) of(model string) speaker {
	for _, text := range []*string{&s.path, &s.streamPath, &s.body, &s.refused} {
		*text = strings.ReplaceAll(*text, "MODEL", model)
	}
	return s
}

// serving are the models that upstreams serve, by their dialect.
var serving = map[Wire]string{OpenAI: "gpt-4o-mini", Anthropic: "claude-haiku-4-5", Gemini: "gemini-2.0-flash", Converse: "claude-haiku-4-5"}

// translating is a gateway whose only upstream speaks one dialect.
func translating(t *testing.T, there Wire) (*world, *foreigner) {
	t.Helper()
	p := foreigners[there]
	p.wire = there
	w := newWorld(t, p.ServeHTTP, func(c *Config) { c.Attempts = 1 })
	for _, u := range w.gateway.upstreams {
		if u.Speaks == there {
			u.ChatOnly = true
			w.gateway.upstreams = []*Upstream{u}
		}
	}
	return w, &p
}

// TestEveryDialectReachesEveryUpstream asks in each dialect an upstream of each
// other: whole, in a stream, with a field that has no counterpart, and with an error
// of the upstream's.
func TestEveryDialectReachesEveryUpstream(t *testing.T) {
	for here, s := range speakers {
		for there := range foreigners {
			if here == there {
				continue
			}
			s := s.of(serving[there])
			t.Run(fmt.Sprintf("%d to %d", here, there), func(t *testing.T) {
				w, p := translating(t, there)
				whole(t, w, p, s)
				streamed(t, w, s)
				refusedByName(t, w, p, s)
				failing(t, w, p, s)
			})
		}
	}
}

func whole(t *testing.T, w *world, p *foreigner, s speaker) {
	a, body := w.send("POST", s.path, ask(s, false), "x-stainless-lang", "js", "traceparent", "00-1-2-01")
	if a.Status != 200 {
		t.Fatalf("%d %s, asked %s", a.Status, body, p.asked)
	}
	for _, want := range s.says {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
	if !strings.Contains(p.asked, "8192") {
		t.Errorf("no cap in %s", p.asked)
	}
	if p.wire == Converse && p.path != "/v1/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/converse" {
		t.Error(p.path)
	}
	if p.header.Get("traceparent") == "" || p.header.Get("x-stainless-lang") != "" {
		t.Errorf("headers sent: %v", p.header)
	}
	if got := sent(a, headerTranslated); got != p.wire.String() {
		t.Errorf("translated: %q", got)
	}
	r := w.last()
	if r.Outcome != record.Completed || r.Basis != record.Reported || r.Usage.TotalInput() != 20 || r.Usage.TotalOutput() != 9 || r.Cost == 0 || r.Hold < r.Cost || (r.UpstreamID == "up-1") == p.nameless {
		t.Errorf("%+v", r)
	}
}

func streamed(t *testing.T, w *world, s speaker) {
	a, body := w.send("POST", s.streamPath, ask(s, true))
	if a.Status != 200 || !strings.HasPrefix(sent(a, "Content-Type"), "text/event-stream") {
		t.Fatalf("%d %v %s", a.Status, a.Header, body)
	}
	for _, want := range append([]string{s.ends}, s.says...) {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
	if r := w.last(); !r.Stream || r.Outcome != record.Completed || r.Basis != record.Reported || r.Usage.TotalInput() != 20 || r.Usage.TotalOutput() != 9 {
		t.Errorf("%+v", r)
	}
}

func refusedByName(t *testing.T, w *world, p *foreigner, s speaker) {
	p.asked = ""
	a, body := w.send("POST", s.path, s.refused)
	if a.Status != 400 || !strings.Contains(body, s.param) || p.asked != "" {
		t.Errorf("%d %s, asked %q", a.Status, body, p.asked)
	}
	if r := w.last(); r.Outcome != record.Denied || r.Cost != 0 {
		t.Errorf("%+v", r)
	}
}

func failing(t *testing.T, w *world, p *foreigner, s speaker) {
	p.status = 429
	a, body := w.send("POST", s.path, ask(s, false))
	if a.Status != 429 || !strings.Contains(body, "slow down") || strings.Contains(body, "abcdef") || sent(a, "retry-after") != "7" {
		t.Errorf("%d %v %s", a.Status, a.Header, body)
	}
	if r := w.last(); r.Outcome != record.UpstreamError || r.Status != 429 || r.Cost != 0 {
		t.Errorf("%+v", r)
	}
}

// ask is the speaker's request. A dialect whose path asks for a stream says nothing
// of it in the body.
func ask(s speaker, stream bool) string {
	if !strings.Contains(s.body, "%v") {
		return s.body
	}
	return fmt.Sprintf(s.body, stream)
}

func sent(a *Answer, name string) string {
	for _, h := range a.Header {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// TestARouteThatIsNotTranslatedSaysSo: the model is served, and its name is no mistake.
func TestARouteThatIsNotTranslatedSaysSo(t *testing.T) {
	w, p := translating(t, OpenAI)
	w.gateway.upstreams[0].Models = []string{"gpt-*"}
	for path, says := range map[string]string{
		"/v1/messages/count_tokens":              "calls of /v1/messages/count_tokens are not translated",
		"/v1beta/models/gpt-4o-mini:countTokens": "calls of /v1beta/models/{model}:countTokens are not translated",
	} {
		a, body := w.send("POST", path, `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"x"}]}`)
		if a.Status != 404 || !strings.Contains(body, says) || p.path != "" {
			t.Errorf("%s: %d %s, asked at %q", path, a.Status, body, p.path)
		}
	}
	if a, body := w.send("POST", "/v1/messages/count_tokens", `{"model":"nothing-of-ours","messages":[{"role":"user","content":"x"}]}`); a.Status != 404 || !strings.Contains(body, "no upstream of this gateway serves") {
		t.Errorf("%d %s", a.Status, body)
	}
}

func TestHintsLeftOutAreTold(t *testing.T) {
	w, _ := translating(t, OpenAI)
	a, _ := w.send("POST", "/v1/responses", ask(speakers[OpenAIResponses].of("gpt-4o-mini"), false))
	if got := sent(a, headerLeft); got != "prompt_cache_key" {
		t.Errorf("left out: %q", got)
	}
}

// TestWhatIsSaidIsForTheModelServed: an alias does not hide its generation, and a call
// without a cap gets the gateway's.
func TestWhatIsSaidIsForTheModelServed(t *testing.T) {
	for model, want := range map[string]string{
		"claude-haiku-4-5": `"max_tokens":8292,`, // 100, and the budget of thinking
		"claude-opus-4-8":  `"max_tokens":100,`,
	} {
		w, p := translating(t, Anthropic)
		w.gateway.cfg.DefaultOutput = 100
		w.gateway.upstreams[0].Aliases = map[string]string{"quick": model}
		a, body := w.send("POST", "/v1/chat/completions", `{"model":"quick","reasoning_effort":"medium","messages":[{"role":"user","content":"x"}]}`)
		if a.Status != 200 || !strings.Contains(p.asked, want) || !strings.Contains(p.asked, `"model":"`+model+`"`) {
			t.Errorf("%s: %d %s, asked %s", model, a.Status, body, p.asked)
		}
		if r := w.last(); r.Model != "quick" {
			t.Errorf("%+v", r)
		}
	}
}

// TestPlacesAreAnyText: the name of a member is the client's, and goes into a header.
func TestPlacesAreAnyText(t *testing.T) {
	w, _ := translating(t, OpenAI)
	body := `{"model":"gpt-4o-mini","max_tokens":9,"messages":[{"role":"user","content":"x"}],"metadata":{"%s":"y"}}`
	for name, want := range map[string]string{`é\u0001`: "metadata.??", strings.Repeat("x", 2000): "..."} {
		a, answer := w.send("POST", "/v1/messages", fmt.Sprintf(body, name))
		if got := sent(a, headerLeft); a.Status != 200 || got != want {
			t.Errorf("%d %s, left out %q, want %q", a.Status, answer, got, want)
		}
	}
}

// TestWhatAnAnswerHasBesideIsTold: parts of an answer that the client's dialect has no
// word for are named to it.
func TestWhatAnAnswerHasBesideIsTold(t *testing.T) {
	w, p := translating(t, Gemini)
	p.whole = strings.Replace(geminiSays, `"finishReason"`, `"groundingMetadata":{"webSearchQueries":["q"]},"finishReason"`, 1)
	a, body := w.send("POST", "/v1/chat/completions", ask(speakers[OpenAI].of("gemini-2.0-flash"), false))
	if got := sent(a, headerUntold); a.Status != 200 || got != "candidates[0].groundingMetadata" {
		t.Errorf("%d %s, untold: %q", a.Status, body, got)
	}
}

// TestAnAnswerCutOffWithinACallIsTold: its tokens were paid for.
func TestAnAnswerCutOffWithinACallIsTold(t *testing.T) {
	w, p := translating(t, OpenAI)
	p.whole = strings.NewReplacer(`{\"a\":1}`, `{\"a\":`, "tool_calls\"}]", "length\"}]").Replace(p.whole)
	for here, want := range map[Wire]string{Anthropic: `"stop_reason":"max_tokens"`, Gemini: `"finishReason":"MAX_TOKENS"`, OpenAIResponses: `"incomplete_details":{"reason":"max_output_tokens"}`} {
		s := speakers[here].of("gpt-4o-mini")
		if a, body := w.send("POST", s.path, ask(s, false)); a.Status != 200 || !strings.Contains(body, want) || !strings.Contains(body, "Looking.") || !json.Valid([]byte(body)) {
			t.Errorf("%d %s", a.Status, body)
		}
	}
}

// claudeCode is what Claude Code 2.1.197 sends after a tool has shown it a picture,
// with its texts and all but one of its tools cut.
const claudeCode = `{"model":"MODEL","messages":[{"role":"user","content":[{"type":"text","text":"look at a.png"}]},{"role":"system","content":"Available agent types"},
{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"Read","input":{"file_path":"a.png"}}]},
{"role":"user","content":[{"tool_use_id":"toolu_1","type":"tool_result","content":[{"type":"image","source":{"type":"base64","data":"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==","media_type":"image/png"}}],"cache_control":{"type":"ephemeral"}}]}],
"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2"},{"type":"text","text":"You are an agent","cache_control":{"type":"ephemeral"}}],
"tools":[{"name":"Read","description":"reads","input_schema":{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"file_path":{"type":"string"}},"required":["file_path"],"additionalProperties":false}}],
"metadata":{"user_id":"{\"device_id\":\"506924dca8f7f6dcd1ffc1b7095a25e5149a80968d8da55fa577428971e8cf78\",\"account_uuid\":\"\",\"session_id\":\"00c7e31e-cc5b-4455-8d1d-aefd761d7bc4\"}"},
"max_tokens":8192,"thinking":{"type":"adaptive"},"context_management":{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]},"output_config":{"effort":"high"},"stream":true}`

func TestClaudeCodeReachesEveryUpstream(t *testing.T) {
	for there := range foreigners {
		if there == Anthropic {
			continue
		}
		w, p := translating(t, there)
		a, body := w.send("POST", "/v1/messages?beta=true", strings.ReplaceAll(claudeCode, "MODEL", serving[there]), "anthropic-beta", "claude-code-20250219,context-management-2025-06-27,effort-2025-11-24")
		if a.Status != 200 || !strings.Contains(body, "message_stop") || !strings.Contains(p.asked, "iVBORw0KGgo") || strings.Contains(p.asked, "device_id") {
			t.Errorf("%s: %d %s\n%s", there, a.Status, body, p.asked)
		}
		if got := sent(a, headerLeft); !strings.Contains(got, "metadata.user_id") || !strings.Contains(got, "anthropic-beta") {
			t.Errorf("%s: left out %q", there, got)
		}
	}
}

// TestTranslatedAnswersAreKept: what was told in a stream is told again, as a stream
// and whole, with its usage, though no stream said it to the client who asked first.
func TestTranslatedAnswersAreKept(t *testing.T) {
	for here, s := range speakers {
		for there := range foreigners {
			if here == there {
				continue
			}
			t.Run(fmt.Sprintf("%d to %d", here, there), func(t *testing.T) {
				w, p := translating(t, there)
				cache := fakeCache{}
				w.gateway.seams.Cache, w.gateway.seams.Journal = cache, filling{w.journal, cache}
				s := s.of(serving[there])
				zero := strings.Replace(ask(s, true), `{`, `{`+cold[here], 1)
				if a, body := w.send("POST", s.streamPath, zero); a.Status != 200 || sent(a, headerCache) != "miss" {
					t.Fatalf("%d %v %s", a.Status, a.Header, body)
				}
				p.asked = ""
				again, stream := w.send("POST", s.streamPath, zero)
				whole, body := w.send("POST", s.path, strings.Replace(ask(s, false), `{`, `{`+cold[here], 1))
				if p.asked != "" || sent(again, headerCache) != "hit" || sent(whole, headerCache) != "hit" {
					t.Fatalf("asked again: %s", p.asked)
				}
				for _, want := range s.says {
					if !strings.Contains(stream, want) || !strings.Contains(body, want) {
						t.Errorf("%s is not in\n%s\nor\n%s", want, stream, body)
					}
				}
				var r dialect.Report
				kind := dialect.Chat
				if here == OpenAIResponses {
					kind = dialect.Responses
				}
				formats[here].ReadAnswer(&r, kind, []byte(body))
				if !strings.Contains(stream, s.ends) || r.State != dialect.UsageReported || r.Usage.TotalInput() != 20 || r.Usage.TotalOutput() != 9 {
					t.Errorf("usage %+v in\n%s\n%s", r.Usage, body, stream)
				}
			})
		}
	}
}

// cold are the fields by which a call asks for the same answer each time, and for one
// that its provider does not keep.
var cold = map[Wire]string{
	OpenAI: `"temperature":0,`, OpenAIResponses: `"temperature":0,"store":false,`, Anthropic: `"temperature":0,`, Gemini: `"generationConfig":{"temperature":0},`,
}
