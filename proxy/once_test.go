package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"purser/internal/record"
	"purser/proxy/redaction"
)

// fakeOnce says what it is told to, and notes what it hears.
type fakeOnce struct {
	mu    sync.Mutex
	say   OnceSaid // but for the claim
	stale bool     // claims are too old to send under
	asked []OnceAsk
	ends  []OnceEnd
	kept  []OnceAnswer
}

func (f *fakeOnce) Claim(_ context.Context, a *OnceAsk) OnceSaid {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, *a)
	said := f.say
	if said.State == OnceGranted {
		said.Claim = fakeClaim{f}
	}
	return said
}

type fakeClaim struct{ f *fakeOnce }

func (c fakeClaim) Good() bool { return !c.f.stale }

func (c fakeClaim) End(how OnceEnd, a *OnceAnswer) {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	c.f.ends = append(c.f.ends, how)
	if a != nil {
		kept := *a
		kept.Body = append([]byte(nil), a.Body...)
		c.f.kept = append(c.f.kept, kept)
	}
}

// onceWorld is a gateway with claims, and how often its upstream was called.
type onceWorld struct {
	*world
	once  *fakeOnce
	calls atomic.Int32
}

func newOnce(t *testing.T, handler http.HandlerFunc, change func(*Config)) *onceWorld {
	t.Helper()
	o := &onceWorld{once: &fakeOnce{say: OnceSaid{State: OnceGranted}}}
	o.world = newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		o.calls.Add(1)
		if r.Header.Get(headerOnce) != "" || r.Header.Get("X-Openrouter-Idempotency-Key") != "" {
			t.Error("the provider was sent the client's key")
		}
		handler(w, r)
	}, change)
	o.gateway.seams.Idempotency = o.once
	return o
}

const onceStream = `{"model":"gpt-4o-mini","stream":true,"messages":[{"role":"user","content":"hello"}]}`

// TestAClaimEndsAsItsRequestDoes: by what is known of the call, once.
func TestAClaimEndsAsItsRequestDoes(t *testing.T) {
	hangUp := func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = conn.Close()
	}
	refuse := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); fmt.Fprint(w, body) }
	}
	const sorry = `{"error":{"message":"no","type":"server_error"}}`
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		body    string
		change  func(*onceWorld)
		want    OnceEnd
		calls   int32 // of the provider; -1: more than one
	}{
		"an answer":                  {answerJSON, question, nil, OnceKept, 1},
		"a stream":                   {func(w http.ResponseWriter, _ *http.Request) { answerStream(w, true) }, onceStream, nil, OnceKept, 1},
		"a stream without usage":     {func(w http.ResponseWriter, _ *http.Request) { answerStream(w, false) }, onceStream, nil, OnceKept, 1},
		"it hangs up":                {hangUp, question, nil, OnceDoubtful, 1},
		"it gives up":                {refuse(504, "<html>"), question, nil, OnceDoubtful, 1},
		"it refuses":                 {refuse(400, sorry), question, nil, OnceReleased, 1},
		"it refuses, and may later":  {refuse(500, sorry), question, nil, OnceReleased, -1},
		"it is refused for money":    {answerJSON, question, func(o *onceWorld) { o.purse.free = 1 }, OnceReleased, 0},
		"nobody can decide":          {answerJSON, question, func(o *onceWorld) { o.purse.free, o.purse.fail = 1, context.DeadlineExceeded }, OnceReleased, 0},
		"the claim is too old":       {answerJSON, question, func(o *onceWorld) { o.once.stale = true }, OnceReleased, 0},
		"an answer too long to keep": {answerJSON, question, func(o *onceWorld) { o.gateway.cfg.OnceBytes = 10 }, OnceUnkept, 1},
		"a stream too long to keep":  {func(w http.ResponseWriter, _ *http.Request) { answerStream(w, true) }, onceStream, func(o *onceWorld) { o.gateway.cfg.OnceBytes = 300 }, OnceUnkept, 1},
		"a stream that is cut": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"he\"}}]}\n\n")
			w.(http.Flusher).Flush()
			hangUp(w, r)
		}, onceStream, nil, OnceDoubtful, 1},
		"a bare answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"id"`)
		}, question, nil, OnceDoubtful, 1},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOnce(t, c.handler, nil)
			if c.change != nil {
				c.change(o)
			}
			a, body := o.ask(c.body, headerOnce, "k")
			if len(o.once.ends) != 1 || o.once.ends[0] != c.want {
				t.Fatalf("it ended as %v, not %v: %d %s", o.once.ends, c.want, a.Status, body)
			}
			if n := o.calls.Load(); n != c.calls && (c.calls >= 0 || n < 2) {
				t.Errorf("the provider was called %d times", n)
			}
			if c.want != OnceKept {
				return
			}
			kept := o.once.kept[0]
			if string(kept.Body) != body || kept.Status != a.Status || kept.Served != o.last().Served {
				t.Errorf("kept %d %q of %s, not %d %q", kept.Status, kept.Body, kept.Served, a.Status, body)
			}
			for _, h := range kept.Header {
				if strings.HasPrefix(strings.ToLower(h.Name), headerPrefix) {
					t.Errorf("%s is kept", h.Name)
				}
			}
			// What is kept answers the next.
			o.once.say = OnceSaid{State: OnceReplay, Answer: &kept, Request: "req_before"}
			spent := o.purse.spent
			o.purse.free = 0
			again, replayed := o.ask(c.body, headerOnce, "k")
			if again.Status != a.Status || replayed != body || header(again, "Content-Type") != header(a, "Content-Type") {
				t.Errorf("replayed as %d %q", again.Status, replayed)
			}
			if header(again, headerReplayed) != "true" || header(again, headerReplayedOf) != "req_before" || header(again, headerCost) != "0" || header(again, headerID+"-id") == header(a, headerID+"-id") {
				t.Errorf("its headers are %v", again.Header)
			}
			if r := o.last(); r.Outcome != record.Replayed || r.Cost != 0 || r.Basis != record.NoCharge || r.Status != a.Status || len(r.Savings) != 0 || o.purse.spent != spent {
				t.Errorf("%+v", r)
			}
			if n := o.calls.Load(); n != 1 {
				t.Errorf("the provider was called %d times", n)
			}
		})
	}
}

// TestAnArrayIsReplayedAsOne: a stream that is no stream of events to its client keeps
// its type.
func TestAnArrayIsReplayedAsOne(t *testing.T) {
	o := newOnce(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprint(w, "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hi\"}]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":1,\"candidatesTokenCount\":1,\"totalTokenCount\":2}}\r\n\r\n")
	}, nil)
	a, body := o.gemini("gemini-2.0-flash:streamGenerateContent", "", geminiQuestion, headerOnce, "k", "x-goog-api-key", "pk_good")
	if len(o.once.kept) != 1 || string(o.once.kept[0].Body) != body {
		t.Fatalf("%v of %d %s", o.once.ends, a.Status, body)
	}
	o.once.say = OnceSaid{State: OnceReplay, Answer: &o.once.kept[0], Request: "req_before"}
	again, replayed := o.gemini("gemini-2.0-flash:streamGenerateContent", "", geminiQuestion, headerOnce, "k", "x-goog-api-key", "pk_good")
	if got, want := header(again, "Content-Type"), header(a, "Content-Type"); got != want || !strings.HasPrefix(want, "application/json") || replayed != body {
		t.Errorf("it is %q, %q and not %q, %q", got, replayed, want, body)
	}
}

// TestAStreamIsKeptWholeIfItsClientLeaves: it is read to its end, as its usage is.
func TestAStreamIsKeptWholeIfItsClientLeaves(t *testing.T) {
	o := newOnce(t, func(w http.ResponseWriter, _ *http.Request) { answerStream(w, true) }, nil)
	a := o.gateway.Serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(onceStream), Header: headerList{headerOnce, "k", "Authorization", "Bearer pk_good"}})
	if _, err := a.Stream.Next(); err != nil {
		t.Fatal(err)
	}
	a.Stream.Close()
	o.gateway.Wait()
	if len(o.once.kept) != 1 || !strings.HasSuffix(string(o.once.kept[0].Body), "data: [DONE]\n\n") || !strings.Contains(string(o.once.kept[0].Body), `"he"`) {
		t.Errorf("%v, %v", o.once.ends, o.once.kept)
	}
}

// TestWhatClaimsComeTo: every answer but a replay, and none of them calls the provider.
func TestWhatClaimsComeTo(t *testing.T) {
	for state, want := range map[OnceState]struct {
		status      int
		code, retry string
		after       bool
		outcome     record.Outcome
	}{
		OnceRunning:     {409, "idempotency_conflict", "", true, record.Denied},
		OnceReused:      {422, "idempotency_key_reused", "false", false, record.Denied},
		OnceNotKept:     {409, "idempotency_answer_not_kept", "false", false, record.Denied},
		OnceUnknown:     {409, "idempotency_outcome_unknown", "false", false, record.Denied},
		OnceUnavailable: {503, "idempotency_unavailable", "", true, record.Undecided},
	} {
		o := newOnce(t, answerJSON, nil)
		o.once.say = OnceSaid{State: state, Request: "req_before"}
		a, body := o.ask(question, headerOnce, "k")
		if a.Status != want.status || !strings.Contains(body, `"code":"`+want.code+`"`) || header(a, "x-should-retry") != want.retry || (header(a, "retry-after") != "") != want.after {
			t.Errorf("%s: %d %v %s", want.code, a.Status, a.Header, body)
		}
		if state != OnceUnavailable && !strings.Contains(body, "req_before") {
			t.Errorf("%s does not say which request: %s", want.code, body)
		}
		if r := o.last(); r.Outcome != want.outcome || r.Code != want.code || r.Cost != 0 || o.calls.Load() != 0 {
			t.Errorf("%s: %+v, %d calls", want.code, r, o.calls.Load())
		}
	}
}

// TestIdempotencyKeysAreRead: plain or quoted, once; and only where a call costs something.
func TestIdempotencyKeysAreRead(t *testing.T) {
	o := newOnce(t, answerJSON, nil)
	for _, bad := range [][]string{{headerOnce, "two words"}, {headerOnce, "ä"}, {headerOnce, strings.Repeat("k", 256)}, {headerOnce, "a", headerOnce, "a"}, {headerOnce, "", headerOnce, "a"}, {headerOnce, ""}, {headerOnce, `""`}, {headerOnce, "a\x7f"}} {
		if a, body := o.ask(question, bad...); a.Status != 400 || !strings.Contains(body, "invalid_value") {
			t.Errorf("%q: %d %s", bad, a.Status, body)
		}
	}
	if n := len(o.once.asked); n != 0 || o.calls.Load() != 0 {
		t.Fatalf("%d were asked, %d sent", n, o.calls.Load())
	}
	for _, good := range []string{"k", `"k"`, strings.Repeat("k", 255)} {
		o.ask(question, headerOnce, good, "X-OpenRouter-Idempotency-Key", "x")
	}
	o.ask(question)
	o.send("POST", "/v1/moderations", `{"model":"omni-moderation-latest","input":"x"}`, headerOnce, "k")
	if len(o.once.asked) != 3 || o.once.asked[0].Key != "k" || o.once.asked[1].Key != "k" || len(o.once.asked[2].Key) != 255 {
		t.Errorf("asked %+v", o.once.asked)
	}
	o.gateway.seams.Idempotency = nil // off
	if a, body := o.ask(question, headerOnce, "two words"); a.Status != 200 {
		t.Errorf("where keys are off: %d %s", a.Status, body)
	}
}

// TestWhatMakesTwoRequestsTheSame: the virtual key, and all that decides the answer.
func TestWhatMakesTwoRequestsTheSame(t *testing.T) {
	o := newOnce(t, answerJSON, nil)
	o.keys[sha("pk_other")] = keyed{&Principal{ID: "k2"}, KeyActive}
	o.keys[sha("pk_child")] = keyed{&Principal{ID: "k1", Child: "c1"}, KeyActive}
	ask := func(path, body, key string, headers ...string) OnceAsk {
		t.Helper()
		before := len(o.once.asked)
		o.serve(&Request{Method: "POST", Path: path, Body: []byte(body), Header: headerList(append(headers, "Authorization", "Bearer "+key, headerOnce, "k"))})
		if len(o.once.asked) != before+1 {
			t.Fatal("it was not asked for")
		}
		return o.once.asked[before]
	}
	const chat, messages = "/v1/chat/completions", "/v1/messages"
	one := ask(chat, question, "pk_good")
	if again := ask(chat, question, "pk_good", "x-purser-feature", "f", "User-Agent", "other"); again.Print != one.Print || again.Scope != one.Scope {
		t.Error("the same is another")
	}
	for name, other := range map[string]OnceAsk{
		"another body":  ask(chat, question+" ", "pk_good"),
		"with the cost": ask(chat, question, "pk_good", headerUsageCost, "true"),
	} {
		if other.Print == one.Print || other.Scope != one.Scope {
			t.Errorf("%s is the same", name)
		}
	}
	for _, key := range []string{"pk_other", "pk_child"} {
		if other := ask(chat, question, key); other.Scope == one.Scope {
			t.Errorf("%s has the keys of another", key)
		}
	}
	const said = `{"model":"claude-haiku-4-5","max_tokens":10,"messages":[{"role":"user","content":"hello"}]}`
	plain, beta := ask(messages, said, "pk_good"), ask(messages, said, "pk_good", headerFeatures, "context-1m-2025-08-07")
	if plain.Print == beta.Print {
		t.Error("a feature makes no difference")
	}
}

// TestWhatARedactionTookOutIsNotKept: values are in memory for the exchange alone.
func TestWhatARedactionTookOutIsNotKept(t *testing.T) {
	v := newVeiled(t, saying("to <EMAIL_1>"), redaction.Spec{ID: "s", Action: redaction.Tokenise})
	once := &fakeOnce{say: OnceSaid{State: OnceGranted}}
	v.gateway.seams.Idempotency = once
	if a, body := v.ask(mine, headerOnce, "k"); a.Status != 200 || !strings.Contains(body, "anna@example.com") {
		t.Fatalf("%d %s", a.Status, body)
	}
	if len(once.ends) != 1 || once.ends[0] != OnceUnkept || len(once.kept) != 0 {
		t.Errorf("%v, %v", once.ends, once.kept)
	}
}
