package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"purser/internal/attempts"
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/dialect"
	"purser/proxy/loop"
	"purser/proxy/redaction"
	"purser/proxy/route"
)

// Tests of what several stages make of one request together.

// siblings is a register of child keys of one parent, by token.
type siblings map[string]*Principal

func (s siblings) Find(token string, _ ledger.Instant) (*Principal, *dialect.Error) {
	if p, ok := s[token]; ok {
		return p, nil
	}
	return nil, dialect.NewError(dialect.CodeChildKey, "", "forged")
}

func (siblings) Mint(*Principal, string, []byte, ledger.Instant) (any, *dialect.Error) {
	panic("not in this test")
}

// aliased is rules with one route beside policies.
type aliased struct {
	ruled
	route *route.Route
}

func (a aliased) Rules() (Rules, error) { return a, nil }

func (a aliased) Route(name string) *route.Route {
	if a.route != nil && name == a.route.Name() {
		return a.route
	}
	return nil
}

func (a aliased) RouteNames() []string {
	if a.route == nil {
		return nil
	}
	return []string{a.route.Name()}
}

// alias adds a route to the policies of a world.
func (w *world) alias(name, model, upstream string) {
	w.t.Helper()
	set, _ := w.gateway.seams.Rules.(ruled)
	w.gateway.seams.Rules = aliased{set, route.Alias(name, model, upstream)}
}

// claude answers in Anthropic's dialect, whole or as a stream, in pieces of one text.
func claude(pieces ...string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, body string) {
		if !gjson.Get(body, "stream").Bool() {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"id":"m","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":%q}],"stop_reason":"end_turn","usage":{"input_tokens":10,"output_tokens":5}}`, strings.Join(pieces, ""))
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		event := func(kind, data string) { fmt.Fprintf(w, "event: %s\ndata: {\"type\":%q,%s}\n\n", kind, kind, data) }
		event("message_start", `"message":{"id":"m","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[],"usage":{"input_tokens":10,"output_tokens":1}}`)
		event("content_block_start", `"index":0,"content_block":{"type":"text","text":""}`)
		for _, p := range pieces {
			event("content_block_delta", fmt.Sprintf(`"index":0,"delta":{"type":"text_delta","text":%q}`, p))
		}
		event("content_block_stop", `"index":0`)
		event("message_delta", `"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}`)
		fmt.Fprint(w, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n")
	}
}

// TestChildrenShareAnAnswerAndNotTheirValues: two children of one key ask the same of
// other people, whole or as streams, natively or in translation. The second has its
// answer from the cache, with its own value, less what its own redaction takes.
func TestChildrenShareAnAnswerAndNotTheirValues(t *testing.T) {
	pieces := []string{"Dear <", "EMAIL", "_1>, from bob@exam", "ple.com"}
	both := func(w http.ResponseWriter, body string) {
		if gjson.Get(body, "stream").Bool() {
			telling(pieces...)(w, body)
			return
		}
		saying(strings.Join(pieces, ""))(w, body)
	}
	for name, c := range map[string]struct {
		model    string
		upstream int
		answer   func(http.ResponseWriter, string)
	}{"native": {"gpt-4o", 0, both}, "translated": {"claude-haiku-4-5", 1, claude(pieces...)}} {
		for i := range 4 {
			first, second := i&1 > 0, i&2 > 0 // streams
			t.Run(fmt.Sprintf("%s/%v/%v", name, first, second), func(t *testing.T) {
				v := newVeiled(t, c.answer, redaction.Spec{ID: "s", Action: redaction.Tokenise},
					redaction.Spec{ID: "out", Direction: redaction.Output, Match: map[string][]string{"agent": {"two"}}})
				v.gateway.upstreams = v.gateway.upstreams[c.upstream : c.upstream+1]
				cache := fakeCache{}
				v.gateway.seams.Cache, v.gateway.seams.Journal = cache, filling{v.journal, cache}
				one, two := ledger.Dimensions{}, ledger.Dimensions{}
				one.Values[ledger.DimAgent], two.Values[ledger.DimAgent] = "one", "two"
				v.gateway.seams.Children = siblings{
					"pk_c_one": {ID: "parent", Child: "one", Bound: one}, "pk_c_two": {ID: "parent", Child: "two", Bound: two},
				}
				ask := func(token, who string, stream bool) string {
					body := fmt.Sprintf(`{"model":%q,"stream":%v,"max_tokens":50,"messages":[{"role":"user","content":"write to %s@example.com"}]}`, c.model, stream, who)
					a, got := v.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(body), Header: headerList{"Authorization", "Bearer " + token}})
					if a.Status != 200 {
						t.Fatalf("%d %s", a.Status, got)
					}
					if stream {
						return said(got)
					}
					return gjson.Get(got, "choices.0.message.content").String()
				}
				if got := ask("pk_c_one", "anna", first); got != "Dear anna@example.com, from bob@example.com" {
					t.Errorf("the first: %q", got)
				}
				if got := ask("pk_c_two", "carl", second); got != "Dear carl@example.com, from [EMAIL]" || v.last().Cache != record.CacheServed {
					t.Errorf("the second: %q, cache %v", got, v.last().Cache)
				}
				all := v.upstreamSaw() + fmt.Sprintf("%+v", v.journal.records)
				for _, entry := range cache {
					all += string(entry.Body)
				}
				if strings.Contains(all, "anna") || strings.Contains(all, "carl") || len(v.sent) != 1 {
					t.Errorf("a value is where it should not be, or more was sent than once: %s", all)
				}
			})
		}
	}
}

// TestTheHoldIsOfTheTextAsRedacted: what stands in a value's place may be longer.
func TestTheHoldIsOfTheTextAsRedacted(t *testing.T) {
	long := redaction.Spec{ID: "s", Action: redaction.Hash, Detectors: []string{"X"}, Custom: []redaction.Custom{{Name: "X", Regex: `\bq\d\b`}}}
	ask := func(v *veiledWorld, text string) ledger.Amount {
		body, err := json.Marshal(map[string]any{"model": "gpt-4o", "max_tokens": 10, "messages": []map[string]string{{"role": "user", "content": text}}})
		if err != nil {
			t.Fatal(err)
		}
		if a, got := v.ask(string(body)); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, got)
		}
		return v.purse.held[0]
	}
	v := newVeiled(t, saying("x"), long)
	held := ask(v, strings.Repeat("q1 q2 q3 ", 200))
	went := gjson.Get(v.upstreamSaw(), "messages.0.content").String()
	if !strings.HasPrefix(went, "[X:") || len(went) < 2000 {
		t.Fatalf("it was not redacted: %.100s", went)
	}
	if plain := ask(newVeiled(t, saying("x")), went); held != plain {
		t.Errorf("%d held for a text that costs %d to hold as it is sent", held, plain)
	}
}

// TestARouteIsNoWayAroundAPolicy: rules on models are about what a name stands for,
// too, and what they lower is of the call that is sent.
func TestARouteIsNoWayAroundAPolicy(t *testing.T) {
	for name, c := range map[string]struct {
		model    string
		upstream int
		answer   func(http.ResponseWriter, string)
	}{"native": {"gpt-4o", 0, saying("Dear <EMAIL_1>")}, "translated": {"claude-haiku-4-5", 1, claude("Dear <EMAIL_1>")}} {
		t.Run(name, func(t *testing.T) {
			body := `{"model":"fast","max_tokens":500,"temperature":0.9,"messages":[{"role":"user","content":"write to anna@example.com"}]}`
			v := newVeiled(t, c.answer, redaction.Spec{ID: "s", Action: redaction.Tokenise})
			v.gateway.upstreams = v.gateway.upstreams[c.upstream : c.upstream+1]
			v.rule("policies: {m: {rules: [{id: not-these, outcome: deny, when: {models: ['" + c.model + "']}}]}}")
			v.alias("fast", c.model, "")
			if a, got := v.ask(body); a.Status != 403 || sent(a, headerPolicy) != "m/not-these" || len(v.sent) > 0 {
				t.Errorf("%d %s", a.Status, got)
			}
			v.rule(lowering)
			v.alias("fast", c.model, "")
			a, got := v.ask(body)
			saw := v.upstreamSaw()
			if a.Status != 200 || gjson.Get(got, "choices.0.message.content").String() != "Dear anna@example.com" || strings.Contains(saw, "anna") ||
				gjson.Get(saw, "model").String() != c.model || gjson.Get(saw, "temperature").Float() != 0.5 || gjson.Get(saw, "max_tokens").Int() != 100 {
				t.Errorf("%d %s, sent %s", a.Status, got, saw)
			}
			if r := v.last(); r.Model != "fast" || r.Dims.Values[ledger.DimModel] != c.model {
				t.Errorf("recorded as %q, %q", r.Model, r.Dims.Values[ledger.DimModel])
			}
		})
	}
}

// TestAnAnswerOfARouteIsFoundAgain: by a key that may use the route's name alone, and
// where another route has the name of the model that it stands for.
func TestAnAnswerOfARouteIsFoundAgain(t *testing.T) {
	w, _ := responding(t, nil)
	w.keys[sha("pk_good")] = keyed{&Principal{ID: "k1", Models: Allow{{"fast"}}}, KeyActive}
	w.alias("fast", "gpt-4o-mini", "")
	if a, body := w.send("POST", "/v1/responses", `{"model":"fast","input":"hello"}`); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, body)
	}
	if a, body := w.send("GET", "/v1/responses/resp_1", ""); a.Status != 200 || w.last().Model != "fast" || w.last().Dims.Values[ledger.DimModel] != "gpt-4o-mini" {
		t.Errorf("%d %s %+v", a.Status, body, w.last())
	}
	w.alias("gpt-4o-mini", "gpt-4o", "elsewhere")
	if a, body := w.send("GET", "/v1/responses/resp_1", ""); a.Status != 200 {
		t.Errorf("where its model is a route, too: %d %s", a.Status, body)
	}
}

// TestRedactionGoesWithEveryCredential: what a refused one was sent, and what the next
// one is, has no value in it; the caller's key goes nowhere but to its provider.
func TestRedactionGoesWithEveryCredential(t *testing.T) {
	const own = "sk-proj-of-the-caller-1234567890"
	var got askedWith
	var bodies []string
	handler := func(rw http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies = append(bodies, string(b))
		if got.with(r) == "a" {
			rw.WriteHeader(401)
			fmt.Fprint(rw, `{"error":{"message":"no"}}`)
			return
		}
		saying("Dear <EMAIL_1>")(rw, string(b))
	}
	set, err := redaction.Compile([]redaction.Spec{{ID: "s", Action: redaction.Tokenise}}, redaction.Options{})
	if err != nil {
		t.Fatal(err)
	}
	headers := headerList{"x-purser-key", "pk_good", "Authorization", "Bearer " + own}
	for want, change := range map[string]func(*Upstream){
		"a b":           func(u *Upstream) { u.Pool = &fakePool{ids: map[string][]string{"": {"a", "b"}}} },
		"Bearer " + own: func(u *Upstream) { u.CallerKeys = true },
	} {
		w := newPooled(t, handler, change)
		w.gateway.seams.Redactions = &fakeRedactions{set: set}
		bodies = nil
		a, answer := w.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(mine), Header: headers})
		if with := got.take(); a.Status != 200 || with != want || gjson.Get(answer, "choices.0.message.content").String() != "Dear anna@example.com" {
			t.Errorf("%d %s, asked with %q", a.Status, answer, with)
		}
		for _, b := range bodies {
			if strings.Contains(b, "anna") || strings.Contains(b, own) {
				t.Errorf("sent %s", b)
			}
		}
	}
}

// TestAnUpstreamsErrorIsRedactedAsItsAnswers: it may quote what it was sent.
func TestAnUpstreamsErrorIsRedactedAsItsAnswers(t *testing.T) {
	refuse := func(w http.ResponseWriter, _ string) {
		w.WriteHeader(422)
		fmt.Fprint(w, `{"type":"error","error":{"message":"bad address <EMAIL_1>, not bob@example.com","type":"invalid_request_error"}}`)
	}
	for i, model := range []string{"gpt-4o", "claude-haiku-4-5"} {
		v := newVeiled(t, refuse, redaction.Spec{ID: "s", Action: redaction.Tokenise}, redaction.Spec{ID: "out", Direction: redaction.Output})
		v.gateway.upstreams = v.gateway.upstreams[i : i+1]
		a, got := v.ask(strings.Replace(mine, "gpt-4o", model, 1))
		if a.Status != 422 || gjson.Get(got, "error.message").String() != "bad address anna@example.com, not [EMAIL]" {
			t.Errorf("%s: %d %s", model, a.Status, got)
		}
		v.redactions.set, _ = redaction.Compile([]redaction.Spec{{ID: "no", Direction: redaction.Output, Action: redaction.Block}}, redaction.Options{})
		if a, got := v.ask(strings.Replace(mine, "gpt-4o", model, 1)); a.Status != 403 || strings.Contains(got, "bob") || v.last().Cost != 0 {
			t.Errorf("%s: %d %s", model, a.Status, got)
		}
	}
}

// TestABlockedStreamIsADenial: told as that of a whole answer, with where the request
// came from, also where the rest is read without the client.
func TestABlockedStreamIsADenial(t *testing.T) {
	for _, hold := range []HoldMode{HoldWhole, HoldSliced} {
		v := newVeiled(t, telling("well, ask ", "bob@example.com", " or not"), redaction.Spec{ID: "s", Direction: redaction.Output, Action: redaction.Block})
		for _, u := range v.gateway.upstreams {
			u.Slicing = Slicing{Hold: hold, Models: []string{"gpt-4o"}, Slice: 100, Ahead: 200}
		}
		var got told
		v.gateway.seams.Denials = &got
		r := &Request{
			Method: "POST", Path: "/v1/chat/completions", Remote: netip.MustParseAddrPort("192.0.2.7:4711"), Header: headerList{"Authorization", "Bearer pk_good"},
			Body: []byte(strings.Replace(mine, `{"model"`, `{"stream":true,"max_tokens":4000,"model"`, 1)),
		}
		a := v.gateway.Serve(r)
		if a.Stream == nil || (a.header(headerHold) == "sliced") != (hold == HoldSliced) {
			t.Fatalf("%d %s %v", a.Status, a.Body, a.Header)
		}
		if hold == HoldWhole { // before anything was read: the gateway reads it alone, and the request is the edge's again
			a.Stream.Close()
			*r = Request{}
		} else {
			read(t, a, "")
			a.Stream.Close()
		}
		v.gateway.Wait()
		want := Denial{Policy: "redaction/s", Rule: "EMAIL", Code: "redaction_blocked", Key: "k1", Address: netip.MustParseAddr("192.0.2.7")}
		if len(got) != 1 || got[0] != want {
			t.Errorf("%v: told %+v", hold, got)
		}
		if rec := v.last(); hold == HoldSliced && rec.Outcome != record.Denied || rec.Code != "redaction_blocked" || rec.Cost == 0 {
			t.Errorf("%v: %+v", hold, rec)
		}
	}
}

// TestABlockedArrayIsStillOne: the error is an element of the stream's array, however
// far the client is behind what was read for it.
func TestABlockedArrayIsStillOne(t *testing.T) {
	event := func(text, more string) string {
		return `data: {"candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"` + text + `"}]}` + more + `}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":5,"totalTokenCount":10}}` + "\n\n"
	}
	for name, first := range map[string]string{"after something": "well, what then is to be said of it all. ", "at once": ""} {
		for _, hold := range []HoldMode{HoldWhole, HoldSliced} {
			more := make(chan struct{})
			v := newVeiled(t, func(w http.ResponseWriter, _ string) {
				w.Header().Set("Content-Type", "text/event-stream")
				if first != "" {
					fmt.Fprint(w, event(first, ""), event(strings.Repeat("and so on. ", 20), ""))
					w.(http.Flusher).Flush()
					<-more
				}
				fmt.Fprint(w, event("ask bob@example.com now", `,"finishReason":"STOP"`))
			}, redaction.Spec{ID: "s", Direction: redaction.Output, Action: redaction.Block})
			for _, u := range v.gateway.upstreams {
				u.Slicing = Slicing{Hold: hold, Models: []string{"gemini-2.0-flash"}, Slice: 500, Ahead: 500}
			}
			v.gateway.upstreams = v.gateway.upstreams[2:]
			a := v.gateway.Serve(&Request{Method: "POST", Path: "/v1beta/models/gemini-2.0-flash:streamGenerateContent",
				Header: headerList{"Authorization", "Bearer pk_good"}, Body: []byte(`{"contents":[{"parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":4000}}`)})
			if a.Stream == nil || (a.header(headerHold) == "sliced") != (hold == HoldSliced) {
				t.Fatalf("%s: %d %s %v", name, a.Status, a.Body, a.Header)
			}
			ahead := v.ahead(a)
			if ahead != nil && first != "" {
				until(t, "the beginning to be read for the client", ahead.ready)
			}
			close(more)
			if ahead != nil { // all is read before the client takes any
				ahead.mu.Lock()
				for !ahead.done {
					ahead.moved.Wait()
				}
				ahead.mu.Unlock()
			}
			got := read(t, a, "")
			a.Stream.Close()
			if strings.Contains(got, "bob") || !gjson.Valid(got) || gjson.Get(got, "@reverse.0.error.code").Int() != 403 || (first != "") != gjson.Get(got, "1").Exists() {
				t.Errorf("%s, %v: %s", name, hold, got)
			}
		}
	}
}

// ahead is the reader of a sliced stream, nil of another.
func (w *world) ahead(a *Answer) *ahead { return a.Stream.(*exchange).stream.ahead }

// TestForgedChildKeysAreSlowedDown, as other keys that nobody has are; a good one is not.
func TestForgedChildKeysAreSlowedDown(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	w.gateway.seams.Attempts = &attempts.Table{}
	w.gateway.seams.Children = siblings{"pk_c_one": {ID: "parent", Child: "one"}}
	ask := func(token string) int {
		a, _ := w.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(question), Remote: netip.MustParseAddrPort("192.0.2.1:1000"),
			Header: headerList{"Authorization", "Bearer " + token}})
		return a.Status
	}
	for i := range attempts.Burst {
		if s := ask("pk_c_forged"); s != 401 {
			t.Fatalf("failure %d: %d", i+1, s)
		}
	}
	if s := ask("pk_c_forged"); s != 429 {
		t.Errorf("one more: %d", s)
	}
	if s := ask("pk_c_one"); s != 200 {
		t.Errorf("a good one behind that address: %d", s)
	}
}

// TestExplainTellsWhatTheKeyForbids, and takes no question about a key for a call.
func TestExplainTellsWhatTheKeyForbids(t *testing.T) {
	w := newWorld(t, unasked(t), nil)
	w.rule("policies: {a: {rules: [{id: w, outcome: warn}]}}")
	for path, says := range map[string]string{"/v1/chat/completions": "may not use /v1/chat/completions", "/v1/keys/children": "of a key itself"} {
		_, err := w.gateway.Explain(&Request{Method: "POST", Path: path, Body: []byte(question), Header: headerList{}}, &Principal{ID: "k", Endpoints: Allow{{"/v1/messages"}}})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// costing remembers what it is told that requests cost.
type costing struct {
	watching
	costs []ledger.Amount
}

func (c *costing) Leave(_ loop.Visit, _ bool, cost ledger.Amount, _ ledger.Instant) {
	c.costs = append(c.costs, cost)
}

// TestLoopsHearWhatAllAttemptsCost: an agent whose calls fail and are charged burns too.
func TestLoopsHearWhatAllAttemptsCost(t *testing.T) {
	calls := 0
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			rw.WriteHeader(502) // whoever gave up does not say what the provider bills
			return
		}
		answerJSON(rw, r)
	}, nil)
	w.gateway.policy.Base = time.Millisecond
	c := &costing{}
	w.gateway.seams.Loops, w.gateway.seams.Rules = c, busy{rule: &loop.Rule{Name: "r"}}
	a, body := w.ask(question, "x-purser-run", "r1")
	if a.Status != 200 || len(w.journal.records) != 2 || w.journal.records[0].Cost == 0 {
		t.Fatalf("%d %s %+v", a.Status, body, w.journal.records)
	}
	if want := w.journal.records[0].Cost + w.journal.records[1].Cost; len(c.costs) != 1 || c.costs[0] != want {
		t.Errorf("told %v, want %d", c.costs, want)
	}
}

// TestTokensPassNoHook: text that comes as tokens cannot be shown to a recognizer
// outside either, whatever else its redaction looks for.
func TestTokensPassNoHook(t *testing.T) {
	hook := &redaction.Hook{Name: "ner"}
	for name, c := range map[string]struct {
		spec   redaction.Spec
		status int
	}{
		"masks":              {redaction.Spec{ID: "s", Detectors: []string{"PERSON"}, Hook: hook}, 403},
		"blocks one":         {redaction.Spec{ID: "s", Detectors: []string{"PERSON"}, Action: redaction.Report, Overrides: map[string]redaction.Override{"PERSON": {Action: redaction.Block}}, Hook: hook}, 403},
		"reports, fail open": {redaction.Spec{ID: "s", Detectors: []string{"PERSON"}, Action: redaction.Report, Hook: &redaction.Hook{Name: "ner", FailOpen: true}}, 200},
	} {
		v := newVeiled(t, func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}],"model":"text-embedding-3-small","usage":{"prompt_tokens":3,"total_tokens":3}}`)
		}, c.spec)
		if a, got := v.send("POST", "/v1/embeddings", `{"model":"text-embedding-3-small","input":[[1,2,3]]}`); a.Status != c.status || (v.upstreamSaw() == "") != (c.status == 403) {
			t.Errorf("%s: %d %s", name, a.Status, got)
		}
	}
}

// TestAHitIsToldAsItsAnswerWas: that an answer was translated does not tell a hit from
// another.
func TestAHitIsToldAsItsAnswerWas(t *testing.T) {
	for _, body := range []string{`{"model":"claude-haiku-4-5","max_tokens":50,"messages":[{"role":"user","content":"x"}]}`, `{"model":"claude-haiku-4-5","stream":true,"max_tokens":50,"messages":[{"role":"user","content":"x"}]}`} {
		w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			claude("hi")(rw, string(b))
		}, nil)
		w.gateway.upstreams = w.gateway.upstreams[1:2]
		cache := fakeCache{}
		w.gateway.seams.Cache, w.gateway.seams.Journal = cache, filling{w.journal, cache}
		var told [2][3]string
		for i := range told {
			a, _ := w.ask(body)
			told[i] = [3]string{sent(a, headerTranslated), sent(a, headerLeft), sent(a, "Content-Type")}
		}
		if w.last().Cache != record.CacheServed || told[0] != told[1] || told[0][0] == "" {
			t.Errorf("%q", told)
		}
	}
}
