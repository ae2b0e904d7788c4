package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/lever"
)

// sentBodies are the bodies that a provider was sent, which it answers in the dialect of
// the path.
type sentBodies struct {
	mu  sync.Mutex
	all []string
}

func (s *sentBodies) answer(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.all = append(s.all, string(body))
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "/messages"):
		fmt.Fprint(w, `{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":10,"cache_creation_input_tokens":2000,"cache_read_input_tokens":0,"output_tokens":2}}`)
	case strings.HasSuffix(r.URL.Path, "/converse"):
		fmt.Fprint(w, `{"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn","usage":{"inputTokens":10,"outputTokens":2,"totalTokens":2012,"cacheReadInputTokens":2000},"metrics":{"latencyMs":1}}`)
	default:
		answerJSON(w, r)
	}
}

func (s *sentBodies) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all[len(s.all)-1]
}

// leverRules are rules that give every request the same settings.
type leverRules struct {
	noRules
	set lever.Set
}

func (r leverRules) Rules() (Rules, error)                       { return r, nil }
func (r leverRules) Levers(string, *ledger.Dimensions) lever.Set { return r.set }

func withPromptCache(w *world, change func(*lever.PromptCache)) {
	set := lever.Default()
	pc := *set.PromptCache
	change(&pc)
	set.PromptCache = &pc
	w.gateway.seams.Rules = leverRules{set: set}
}

func hinted(t *testing.T) (*world, *sentBodies) {
	s := &sentBodies{}
	w := newWorld(t, s.answer, nil)
	for _, u := range w.gateway.upstreams {
		switch u.Name {
		case "up":
			u.CacheKey = true
		case "ant":
			u.CacheMarks = []string{"*"}
		case "bedrock":
			u.CacheMarks = []string{"anthropic.claude-*"}
		}
	}
	return w, s
}

// manual is a long system prompt, of some 6,000 tokens.
var manual = strings.Repeat("A rule of the house, in a sentence. ", 700)

func messages(system, said string) string {
	return fmt.Sprintf(`{"model":"claude-sonnet-4-5","max_tokens":50,"system":%q,"messages":[{"role":"user","content":%q}]}`, system, said)
}

const marker = `,"cache_control":{"type":"ephemeral"}`

// TestASystemThatComesAgainIsMarked, from the second time on, and the body is the
// client's but for that.
func TestASystemThatComesAgainIsMarked(t *testing.T) {
	w, s := hinted(t)
	for i, marked := range []bool{false, true, true} {
		body := messages(manual, fmt.Sprint("question ", i))
		if a, got := w.send("POST", "/v1/messages", body); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, got)
		}
		sent := s.last()
		if has := strings.Contains(sent, marker); has != marked {
			t.Errorf("request %d: marked is %v", i, has)
		}
		without := strings.Replace(strings.Replace(sent, marker+"}]", "", 1), `[{"type":"text","text":`, "", 1)
		if without != body {
			t.Errorf("request %d: %s", i, sent)
		}
		r := w.last()
		if (r.Shape.Breakpoints == 1) != marked {
			t.Errorf("request %d: %+v", i, r.Shape)
		}
		if marked && r.Hold < r.Cost {
			t.Errorf("request %d held %d and cost %d: the hold does not cover the write", i, r.Hold, r.Cost)
		}
	}
	// What was written and not read yet is a loss, and is booked as one.
	if r := w.last(); len(r.Savings) != 1 || r.Savings[0].Lever != record.LeverNativeCache || r.Savings[0].Amount >= 0 {
		t.Errorf("savings %+v", r.Savings)
	}
}

// TestClientsMarksAreRespected: a body with any goes as it is.
func TestClientsMarksAreRespected(t *testing.T) {
	w, s := hinted(t)
	for i := range 4 {
		body := fmt.Sprintf(`{"model":"claude-sonnet-4-5","max_tokens":50,"system":%q,"messages":[{"role":"user","content":[{"type":"text","text":"question %d","cache_control":{"type":"ephemeral","ttl":"1h"}}]}]}`, manual, i)
		w.send("POST", "/v1/messages", body)
		if s.last() != body || w.last().Shape.Breakpoints != 0 {
			t.Fatalf("%s", s.last())
		}
	}
}

// TestTheSettingsDecide what is sent.
func TestTheSettingsDecide(t *testing.T) {
	for name, change := range map[string]func(*lever.PromptCache){
		"off":     func(p *lever.PromptCache) { p.Mode = lever.PromptCacheOff },
		"observe": func(p *lever.PromptCache) { p.Mode = lever.PromptCacheObserve },
		"longer":  func(p *lever.PromptCache) { p.MinTokens = 100_000 },
	} {
		w, s := hinted(t)
		withPromptCache(w, change)
		for i := range 4 {
			body := messages(manual, fmt.Sprint("question ", i))
			if w.send("POST", "/v1/messages", body); s.last() != body {
				t.Errorf("%s: %s", name, s.last())
			}
		}
	}
	w, s := hinted(t)
	withPromptCache(w, func(p *lever.PromptCache) { p.ReorderTools = true })
	body := fmt.Sprintf(`{"model":"claude-sonnet-4-5","max_tokens":50,"tools":[{"name":"b","input_schema":{"type":"object"}},{"name":"a","input_schema":{"type":"object"}}],"system":%q,"messages":[{"role":"user","content":"x"}]}`, manual)
	if w.send("POST", "/v1/messages", body); gjson.Get(s.last(), "tools.#.name").Raw != `["a","b"]` {
		t.Errorf("%s", gjson.Get(s.last(), "tools"))
	}
}

// TestMarksGoBeforeARequestIsRefused: a budget with room for the call, and none for what
// writing to a cache may cost, lets it go without marks.
func TestMarksGoBeforeARequestIsRefused(t *testing.T) {
	w, s := hinted(t)
	for i := range 2 {
		w.send("POST", "/v1/messages", messages(manual, fmt.Sprint("question ", i)))
	}
	plain, dear := w.purse.held[0], w.purse.held[1]
	if dear <= plain || !strings.Contains(s.last(), marker) {
		t.Fatalf("held %d without marks and %d with: %s", plain, dear, s.last())
	}
	w.purse.mu.Lock()
	w.purse.free = (plain + dear) / 2
	w.purse.mu.Unlock()
	a, body := w.send("POST", "/v1/messages", messages(manual, "question 3"))
	if a.Status != 200 || strings.Contains(s.last(), marker) {
		t.Errorf("%d %s", a.Status, body)
	}
	if r := w.last(); r.Shape.Breakpoints != 0 || r.Attempt != 1 {
		t.Errorf("%+v, attempt %d", r.Shape, r.Attempt)
	}
}

// TestTranslatedCallsAreMarkedInTheirUpstreamsWords.
func TestTranslatedCallsAreMarkedInTheirUpstreamsWords(t *testing.T) {
	w, s := hinted(t)
	for i := range 3 {
		body := fmt.Sprintf(`{"model":"claude-haiku-4-5","max_tokens":50,"messages":[{"role":"system","content":%q},{"role":"user","content":"question %d"}]}`, manual, i)
		w.gateway.upstreams[0].Models = []string{"gpt-*"}
		w.gateway.upstreams[1].Models, w.gateway.upstreams[2].Models = []string{}, []string{}
		if a, got := w.ask(body); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, got)
		}
	}
	if sys := gjson.Get(s.last(), "system"); !sys.Get("1.cachePoint").Exists() || w.last().Shape.Breakpoints != 1 {
		t.Errorf("%s", s.last()[:200])
	}
	if r := w.last(); len(r.Savings) != 1 || r.Savings[0].Amount <= 0 {
		t.Errorf("savings %+v", r.Savings)
	}
}

// TestKeysOfPromptsAreTheTenants: the same for the turns of a conversation, another for
// another tenant, and the client's own stays.
func TestKeysOfPromptsAreTheTenants(t *testing.T) {
	w, s := hinted(t)
	w.keys[sha("pk_acme")] = keyed{&Principal{ID: "k2", Bound: ofOrg("acme")}, KeyActive}
	w.keys[sha("pk_acme2")] = keyed{&Principal{ID: "k3", Bound: ofOrg("acme")}, KeyActive}
	chat := func(more string) string {
		return fmt.Sprintf(`{"model":"gpt-4o-mini","max_completion_tokens":50,"messages":[{"role":"user","content":%q}%s]}`, manual, more)
	}
	key := func(secret, body string) string {
		w.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(body), Header: headerList{"Authorization", "Bearer " + secret}})
		return gjson.Get(s.last(), "prompt_cache_key").Str
	}
	first := key("pk_good", chat(""))
	if first == "" || first != key("pk_good", chat(`,{"role":"assistant","content":"a"},{"role":"user","content":"b"}`)) {
		t.Errorf("the key %q does not stay", first)
	}
	if acme := key("pk_acme", chat("")); acme == first || acme != key("pk_acme2", chat("")) {
		t.Errorf("keys %q and %q", first, acme)
	}
	if got := key("pk_good", strings.Replace(chat(""), `{"model"`, `{"prompt_cache_key":"mine","model"`, 1)); got != "mine" {
		t.Errorf("the client's key became %q", got)
	}
	if got := key("pk_good", question); got != "" {
		t.Errorf("a short prompt has the key %q", got)
	}
	w.gateway.upstreams[0].CacheKey = false
	if got := key("pk_good", chat("")); got != "" {
		t.Errorf("an upstream that takes none gets the key %q", got)
	}
}

func ofOrg(org string) (d ledger.Dimensions) {
	d.Values[ledger.DimOrg] = org
	return d
}

// lotPool is a pool that notes the lots it was asked with.
type lotPool struct {
	fakePool
	lots []uint64
}

func (p *lotPool) Order(d *ledger.Dimensions, at ledger.Instant, lot uint64) []string {
	p.lots = append(p.lots, lot)
	return p.fakePool.Order(d, at, lot)
}

// TestConversationsKeepToOneCredential: the turns of one have one lot, short prompts any.
func TestConversationsKeepToOneCredential(t *testing.T) {
	pool := &lotPool{fakePool: fakePool{ids: map[string][]string{"": {"a", "b"}}}}
	w := newPooled(t, answerJSON, func(u *Upstream) { u.Pool = pool })
	chat := func(first, more string) {
		w.ask(fmt.Sprintf(`{"model":"gpt-4o-mini","max_completion_tokens":50,"messages":[{"role":"user","content":%q}%s]}`, first, more))
	}
	chat(manual, "")
	chat(manual, `,{"role":"assistant","content":"a"},{"role":"user","content":"b"}`)
	chat("x"+manual, "")
	w.ask(question)
	w.ask(question)
	if l := pool.lots; len(l) != 5 || l[0] != l[1] || l[0] == l[2] || l[3] == l[4] {
		t.Errorf("%v", l)
	}
}

// TestWhatAPolicyJudgedIsNotMadeDearer: a rule that went by what the call can cost saw it
// without marks.
func TestWhatAPolicyJudgedIsNotMadeDearer(t *testing.T) {
	for rule, marked := range map[string]bool{"over: {cost_usd: 5}": false, "over: {max_output_tokens: 5000}": true} {
		w, s := hinted(t)
		w.rule("policies: {p: {rules: [{id: r, outcome: deny, when: {" + rule + "}}]}}")
		for i := range 3 {
			if a, body := w.send("POST", "/v1/messages", messages(manual, fmt.Sprint("question ", i))); a.Status != 200 {
				t.Fatalf("%s: %d %s", rule, a.Status, body)
			}
		}
		if strings.Contains(s.last(), marker) != marked {
			t.Errorf("%s: marked is %v", rule, !marked)
		}
	}
}
