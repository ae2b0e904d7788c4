package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/redaction"
	"purser/proxy/redaction/body"
)

// fakeRedactions are specs that do not change.
type fakeRedactions struct {
	set *redaction.Set
	err error

	mu    sync.Mutex
	found body.Counts
}

func (f *fakeRedactions) Set() (*redaction.Set, error) { return f.set, f.err }

func (f *fakeRedactions) Ask(context.Context, *redaction.Hook, [][]byte) ([][]redaction.Finding, error) {
	return nil, errors.New("nobody is there")
}

func (f *fakeRedactions) Found(c body.Counts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.found = append(f.found, c...)
}

// veiledWorld is a gateway with redactions, and what its upstream was sent.
type veiledWorld struct {
	*world
	redactions *fakeRedactions
	mu         sync.Mutex
	sent       []string
}

// newVeiled starts one whose upstream answers with what answer makes of a request.
func newVeiled(t *testing.T, answer func(w http.ResponseWriter, body string), specs ...redaction.Spec) *veiledWorld {
	t.Helper()
	set, err := redaction.Compile(specs, redaction.Options{HashKey: []byte("k")})
	if err != nil {
		t.Fatal(err)
	}
	v := &veiledWorld{redactions: &fakeRedactions{set: set}}
	v.world = newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		v.mu.Lock()
		v.sent = append(v.sent, string(b))
		v.mu.Unlock()
		answer(w, string(b))
	}, nil)
	v.gateway.seams.Redactions = v.redactions
	return v
}

func (v *veiledWorld) upstreamSaw() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return strings.Join(v.sent, "\n")
}

const chatUsage = `"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}`

func saying(content string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"c","object":"chat.completion","model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}],%s}`, content, chatUsage)
	}
}

func telling(pieces ...string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, p := range pieces {
			b, err := json.Marshal(p)
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(w, "data: {\"id\":\"c\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%s}}]}\n\n", b)
		}
		fmt.Fprintf(w, "data: {\"id\":\"c\",\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: {\"choices\":[],%s}\n\ndata: [DONE]\n\n", chatUsage)
	}
}

func said(stream string) (text string) {
	for e := range strings.SplitSeq(stream, "\n\n") {
		text += gjson.Get(strings.TrimPrefix(e, "data: "), "choices.0.delta.content").String()
	}
	return text
}

const mine = `{"model":"gpt-4o","messages":[{"role":"user","content":"write to anna@example.com"}]}`

func TestTheUpstreamSeesAPlaceholderAndTheClientItsValue(t *testing.T) {
	v := newVeiled(t, saying("Dear <EMAIL_1>, not <EMAIL_2>"), redaction.Spec{ID: "s", Action: redaction.Tokenise})
	a, got := v.ask(mine)
	if a.Status != 200 || gjson.Get(got, "choices.0.message.content").String() != "Dear anna@example.com, not <EMAIL_2>" {
		t.Errorf("%d %s", a.Status, got)
	}
	if saw := v.upstreamSaw(); strings.Contains(saw, "anna") || !strings.Contains(saw, "write to <EMAIL_1>") {
		t.Errorf("the upstream saw %s", saw)
	}
	if fmt.Sprintf("%+v", v.last()) == "" || strings.Contains(fmt.Sprintf("%+v", v.last()), "anna") {
		t.Errorf("the record has the value: %+v", v.last())
	}
}

func TestAStreamIsRestored(t *testing.T) {
	v := newVeiled(t, telling("Dear <", "EMA", "", "IL_1", ">, hello"), redaction.Spec{ID: "s", Action: redaction.Tokenise})
	_, got := v.ask(strings.Replace(mine, `{"model"`, `{"stream":true,"model"`, 1))
	if said(got) != "Dear anna@example.com, hello" || !strings.HasSuffix(got, "data: [DONE]\n\n") {
		t.Errorf("%s", got)
	}
	if r := v.last(); r.Outcome != record.Completed || r.Basis != record.Reported {
		t.Errorf("%+v", r)
	}
}

func TestATranslatedCallIsRedactedAndRestored(t *testing.T) {
	v := newVeiled(t, func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"m","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"Dear <EMAIL_1>"},{"type":"tool_use","id":"t","name":"f","input":{"to":"<EMAIL_1>"}}],"stop_reason":"tool_use","usage":{"input_tokens":10,"output_tokens":5}}`)
	}, redaction.Spec{ID: "s", Action: redaction.Tokenise})
	v.gateway.upstreams = v.gateway.upstreams[1:2] // Anthropic's alone
	_, got := v.ask(`{"model":"claude-haiku-4-5","max_tokens":50,"messages":[{"role":"user","content":"write to anna@example.com"}]}`)
	m := gjson.Get(got, "choices.0.message")
	if m.Get("content").String() != "Dear anna@example.com" || m.Get("tool_calls.0.function.arguments").String() != `{"to":"anna@example.com"}` || strings.Contains(v.upstreamSaw(), "anna") {
		t.Errorf("%s\n%s", got, v.upstreamSaw())
	}
}

func TestBlockIsARefusalInTheCallersDialect(t *testing.T) {
	spec := redaction.Spec{ID: "no-cards", Detectors: []string{"CREDIT_CARD"}, Action: redaction.Block}
	for path, c := range map[string]struct{ body, code string }{
		"/v1/chat/completions": {`{"model":"gpt-4o","messages":[{"role":"user","content":"4111 1111 1111 1111"}]}`, "error.code"},
		"/v1/responses":        {`{"model":"gpt-4o","input":"4111 1111 1111 1111"}`, "error.code"},
		"/v1/messages":         {`{"model":"claude-haiku-4-5","max_tokens":9,"messages":[{"role":"user","content":"4111 1111 1111 1111"}]}`, "error.message"},
		"/v1beta/models/gemini-2.0-flash:generateContent": {`{"contents":[{"parts":[{"text":"4111 1111 1111 1111"}]}]}`, "error.message"},
	} {
		v := newVeiled(t, saying("never"), spec)
		a, got := v.send("POST", path, c.body)
		if a.Status != 403 || !gjson.Get(got, c.code).Exists() || !strings.Contains(got, "CREDIT_CARD") || strings.Contains(got, "4111") || v.upstreamSaw() != "" {
			t.Errorf("%s: %d %s", path, a.Status, got)
		}
		if r := v.last(); r.Code != "redaction_blocked" || r.Outcome != record.Denied {
			t.Errorf("%s: %+v", path, r)
		}
	}
}

func TestWhatAnAnswerSaysIsMasked(t *testing.T) {
	spec := redaction.Spec{ID: "s", Direction: redaction.Output}
	v := newVeiled(t, saying("ask bob@example.com"), spec)
	if _, got := v.ask(mine); gjson.Get(got, "choices.0.message.content").String() != "ask [EMAIL]" || !strings.Contains(v.upstreamSaw(), "anna@example.com") {
		t.Errorf("%s", got)
	}
	v = newVeiled(t, telling("ask bo", "b@exam", "ple.com", " now"), spec)
	if _, got := v.ask(strings.Replace(mine, `{"model"`, `{"stream":true,"model"`, 1)); said(got) != "ask [EMAIL] now" {
		t.Errorf("%s", got)
	}
}

func TestOwnValuesAreNotMaskedInTheAnswerThatRestoresThem(t *testing.T) {
	v := newVeiled(t, saying("<EMAIL_1> and bob@example.com"), redaction.Spec{ID: "s", Direction: redaction.Both, Action: redaction.Tokenise})
	if _, got := v.ask(mine); gjson.Get(got, "choices.0.message.content").String() != "anna@example.com and [EMAIL]" {
		t.Errorf("%s", got)
	}
}

func TestABlockedAnswerIsWithheldAndPaidFor(t *testing.T) {
	spec := redaction.Spec{ID: "s", Direction: redaction.Output, Action: redaction.Block}
	v := newVeiled(t, saying("ask bob@example.com"), spec)
	a, got := v.ask(mine)
	if r := v.last(); a.Status != 403 || strings.Contains(got, "bob") || r.Code != "redaction_blocked" || r.Cost == 0 || r.Basis != record.Reported {
		t.Errorf("%d %s %+v", a.Status, got, r)
	}
	v = newVeiled(t, telling("well, ask ", "bob@example.com", " or not"), spec)
	_, got = v.ask(strings.Replace(mine, `{"model"`, `{"stream":true,"model"`, 1))
	if r := v.last(); strings.Contains(got, "bob") || strings.Contains(got, "or not") || !strings.Contains(got, `"redaction_blocked"`) || r.Code != "redaction_blocked" || r.Basis != record.Reported {
		t.Errorf("%s %+v", got, r)
	}
}

// Two callers of one organisation ask the same of other people: the second is answered
// from the cache, with its own value.
func TestACachedAnswerHasTheReadersOwnValues(t *testing.T) {
	for _, stream := range []bool{false, true} {
		v := newVeiled(t, saying("Dear <EMAIL_1>, from bob@example.com"), redaction.Spec{ID: "s", Action: redaction.Tokenise},
			redaction.Spec{ID: "out", Direction: redaction.Output, Match: map[string][]string{"key": {"k2"}}})
		cache := fakeCache{}
		v.gateway.seams.Cache, v.gateway.seams.Journal = cache, filling{v.journal, cache}
		var org ledger.Dimensions
		org.Values[ledger.DimOrg] = "acme"
		v.keys[sha("pk_good")] = keyed{&Principal{ID: "k1", Bound: org}, KeyActive}
		v.keys[sha("pk_other")] = keyed{&Principal{ID: "k2", Bound: org}, KeyActive}

		if _, got := v.ask(mine); gjson.Get(got, "choices.0.message.content").String() != "Dear anna@example.com, from bob@example.com" {
			t.Fatalf("%s", got)
		}
		for _, c := range cache {
			if strings.Contains(string(c.Body), "anna") {
				t.Errorf("the cache has the value: %s", c.Body)
			}
		}
		theirs := strings.Replace(mine, "anna@", "carl@", 1)
		if stream {
			theirs = strings.Replace(theirs, `{"model"`, `{"stream":true,"model"`, 1)
		}
		_, got := v.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(theirs), Header: headerList{"Authorization", "Bearer pk_other"}})
		text := gjson.Get(got, "choices.0.message.content").String()
		if stream {
			text = said(got)
		}
		if text != "Dear carl@example.com, from [EMAIL]" || v.last().Cache != record.CacheServed {
			t.Errorf("%v %s", v.last().Cache, got)
		}
	}
}

func TestWhoWroteAPlaceholderKeepsIt(t *testing.T) {
	v := newVeiled(t, saying("<EMAIL_1> and <EMAIL_2>"), redaction.Spec{ID: "s", Action: redaction.Tokenise})
	_, got := v.ask(`{"model":"gpt-4o","messages":[{"role":"user","content":"what is <EMAIL_1>? I am anna@example.com"}]}`)
	if gjson.Get(got, "choices.0.message.content").String() != "<EMAIL_1> and anna@example.com" {
		t.Errorf("%s", got)
	}
}

func TestPlaceholdersOfAContinuedConversationAreUnlikeEarlierOnes(t *testing.T) {
	v := newVeiled(t, func(w http.ResponseWriter, _ string) { w.WriteHeader(400); fmt.Fprint(w, `{"error":{"message":"x"}}`) }, redaction.Spec{ID: "s", Action: redaction.Tokenise})
	v.send("POST", "/v1/responses", `{"model":"gpt-4o","input":[{"role":"user","content":[{"type":"input_text","text":"anna@example.com"},{"type":"input_file","file_id":"file-1"}]}]}`)
	if saw := v.upstreamSaw(); strings.Contains(saw, "<EMAIL_1>") || !strings.Contains(saw, "<EMAIL_") {
		t.Errorf("%s", saw)
	}
}

func TestUndecidedRedactionsRefuse(t *testing.T) {
	v := newVeiled(t, saying("x"), redaction.Spec{ID: "s"})
	v.redactions.err = errors.New("no specs")
	if a, got := v.ask(mine); a.Status != 503 || v.upstreamSaw() != "" {
		t.Errorf("%d %s", a.Status, got)
	}
	v = newVeiled(t, saying("x"), redaction.Spec{ID: "s", Hook: &redaction.Hook{Name: "ner"}})
	if a, got := v.ask(mine); a.Status != 503 || v.upstreamSaw() != "" {
		t.Errorf("%d %s", a.Status, got)
	}
	v = newVeiled(t, saying("x"), redaction.Spec{ID: "s"})
	if a, got := v.send("POST", "/v1/embeddings", `{"model":"text-embedding-3-small","input":[[1,2,3]]}`); a.Status != 403 || v.upstreamSaw() != "" {
		t.Errorf("%d %s", a.Status, got)
	}
}

func TestARequestThatNoRedactionCoversGoesAsItCame(t *testing.T) {
	v := newVeiled(t, saying("ask bob@example.com"), redaction.Spec{ID: "s", Direction: redaction.Both, Match: map[string][]string{"team": {"other"}}})
	if _, got := v.ask(mine); !strings.Contains(got, "bob@example.com") || !strings.Contains(v.upstreamSaw(), "anna@example.com") || len(v.redactions.found) > 0 {
		t.Errorf("%s", got)
	}
}

// TestAPolicysRewriteKeepsWhatWasRedacted: both edit the body, the policies after the
// redactions.
func TestAPolicysRewriteKeepsWhatWasRedacted(t *testing.T) {
	v := newVeiled(t, saying("Dear <EMAIL_1>"), redaction.Spec{ID: "s", Action: redaction.Tokenise})
	v.rule(lowering)
	a, got := v.ask(strings.Replace(mine, `{"model"`, `{"temperature":1.5,"max_tokens":500,"model"`, 1))
	if a.Status != 200 || gjson.Get(got, "choices.0.message.content").String() != "Dear anna@example.com" {
		t.Errorf("%d %s", a.Status, got)
	}
	saw := v.upstreamSaw()
	if strings.Contains(saw, "anna") || !strings.Contains(saw, "write to <EMAIL_1>") || gjson.Get(saw, "temperature").Float() != 0.5 || gjson.Get(saw, "max_tokens").Int() != 100 {
		t.Errorf("the upstream saw %s", saw)
	}
}
