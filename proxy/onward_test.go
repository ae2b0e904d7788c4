package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/lever"
	"purser/proxy/price"
	"purser/proxy/redaction"
	"purser/proxy/route"
	"purser/proxy/template"
)

// byModel are rules whose levers depend on where a call goes.
type byModel struct {
	noRules
	route *route.Route
	sets  map[string]lever.Set // by model; the default for others

	template *template.Template
}

// Rules implements Governance.
func (b byModel) Rules() (Rules, error) { return b, nil }

// Route implements Rules.
func (b byModel) Route(name string) *route.Route { return aliased{route: b.route}.Route(name) }

// Levers implements Rules.
func (b byModel) Levers(_ string, d *ledger.Dimensions) lever.Set {
	if s, ok := b.sets[d.Values[ledger.DimModel]]; ok {
		return s
	}
	return lever.Default()
}

// Template implements Rules: there is one, which asks for the route.
func (b byModel) Template(id string) (*template.Template, template.Use, error) {
	if b.template == nil || id != "ask" {
		return b.noRules.Template(id)
	}
	return b.template, template.Use{Name: "ask", Version: 2}, nil
}

// levers puts settings by model into a world with a route.
func (v *routedWorld) levers(sets map[string]lever.Spec) {
	v.t.Helper()
	b := byModel{sets: map[string]lever.Set{}}
	switch was := v.gateway.seams.Rules.(type) {
	case aliased:
		b.route = was.route
	case byModel:
		b.route = was.route
	}
	for model, spec := range sets {
		r, err := spec.Rule("x")
		if err != nil {
			v.t.Fatal(err)
		}
		b.sets[model] = lever.Choose([]*lever.Rule{r}, "", &ledger.Dimensions{})
	}
	v.gateway.seams.Rules = b
}

// askingSmart is a request for the route with a long system prompt.
func askingSmart(said string) string {
	return fmt.Sprintf(`{"model":"smart","max_completion_tokens":50,"messages":[{"role":"system","content":%q},{"role":"user","content":%q}]}`, manual, said)
}

// TestMarksEndWithTheirCandidate: where a budget has no room for the next one, its call is
// not replaced by the call that the one before had without its marks, which was redacted
// for that one.
func TestMarksEndWithTheirCandidate(t *testing.T) {
	v := newRouted(t, `{"retry_on":["context_length","budget"],"candidates":[{"model":"claude-haiku-4-5","upstream":"ant"},{"model":"o1","upstream":"up"}]}`, func(w http.ResponseWriter, _ string) { answerJSON(w, nil) })
	v.gateway.upstreams[1].CacheMarks = []string{"*"}
	v.levers(map[string]lever.Spec{"o1": {PromptCache: &lever.PromptCacheSpec{Mode: "off"}}})
	set, err := redaction.Compile([]redaction.Spec{{ID: "short", Action: redaction.Tokenise, Match: map[string][]string{"provider": {"anthropic"}}}}, redaction.Options{HashKey: []byte("k")})
	if err != nil {
		t.Fatal(err)
	}
	v.gateway.seams.Redactions = &fakeRedactions{set: set}
	said := strings.Repeat("write to a.very.long.name.of.somebody@a.long.name.of.a.company.example.com ", 1000)
	if a, got := v.ask(askingSmart(said)); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, got)
	}
	v.foreign.Store(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		sayingNo(400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long"}}`)(w, "")
	}))
	if a, got := v.ask(askingSmart(said)); a.Status != 200 || !strings.Contains(v.anthropic[1], "cache_control") || !strings.Contains(v.anthropic[1], "<EMAIL_1>") {
		t.Fatalf("%d %s: %.200s", a.Status, got, v.anthropic[1])
	}
	whole, refused := v.purse.held[len(v.purse.held)-1], 0
	for percent := ledger.Amount(5); percent <= 100; percent += 5 {
		v.purse.free = whole / 100 * percent
		if a, _ := v.ask(askingSmart(said)); a.Status != 200 {
			refused++
		}
	}
	for _, body := range v.openai {
		if strings.Contains(body, "<EMAIL_1>") || !strings.Contains(body, "a.very.long") {
			t.Errorf("OpenAI was sent the call of Anthropic's: %.100s", body)
		}
	}
	if refused == 0 || len(v.openai) < 2 {
		t.Errorf("%d refused, OpenAI was asked %d times", refused, len(v.openai))
	}
}

// TestKeysOfPromptsEndWithTheirCandidate: the next, which has none, is not sent one.
func TestKeysOfPromptsEndWithTheirCandidate(t *testing.T) {
	v := newRouted(t, `{"candidates":[{"model":"gpt-4o","upstream":"up"},{"model":"gpt-4o-mini","upstream":"up"}]}`, sayingNo(500, openaiError))
	v.gateway.upstreams[0].CacheKey = true
	v.levers(map[string]lever.Spec{"gpt-4o-mini": {PromptCache: &lever.PromptCacheSpec{Mode: "off"}}})
	v.ask(askingSmart("why"))
	if first, second := gjson.Get(v.openai[0], "prompt_cache_key").Str, gjson.Get(v.openai[1], "prompt_cache_key").Str; first == "" || second != "" {
		t.Errorf("the first was sent the key %q, the second %q", first, second)
	}
}

// TestAStaleAnswerIsItsCandidates: another may have other redactions, and another name.
func TestAStaleAnswerIsItsCandidates(t *testing.T) {
	v := newRouted(t, `{"strategy":"budget_aware","candidates":[{"model":"gpt-4o","upstream":"up"},{"model":"gpt-4o-mini","upstream":"up"}]}`, func(w http.ResponseWriter, _ string) { answerJSON(w, nil) })
	cache := flown{fakeCache{}, new([]CacheAsk), new([]*Fill), true}
	v.gateway.seams.Cache, v.gateway.seams.Journal = cache, filling{v.journal, cache.fakeCache}
	v.levers(map[string]lever.Spec{"gpt-4o": {Cache: &lever.CacheSpec{Stale: "1m"}}})
	if a, got := v.ask(smart); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, got)
	}
	for _, e := range cache.fakeCache {
		e.Stale = true
	}
	v.purse.free = 0
	a, got := v.ask(smart)
	if r := v.last(); a.Status == 200 && (r.Dims.Values[ledger.DimModel] != "gpt-4o" || sent(a, headerModel) != "gpt-4o") {
		t.Errorf("%d %v %s: %+v", a.Status, a.Header, got, r)
	}
}

// TestACandidateWithoutACacheIsNotKept, whatever the first one has.
func TestACandidateWithoutACacheIsNotKept(t *testing.T) {
	v := newRouted(t, twoCandidates, sayingNo(500, openaiError))
	cache := fakeCache{}
	v.gateway.seams.Cache, v.gateway.seams.Journal = cache, keepingJournal{v.journal, cache}
	v.levers(map[string]lever.Spec{"claude-haiku-4-5": {Cache: &lever.CacheSpec{Mode: "off"}}})
	if a, got := v.ask(smart); a.Status != 200 || len(cache) != 0 {
		t.Errorf("%d %s, %d entries", a.Status, got, len(cache))
	}
}

// TestARequestThatAskedAnUpstreamCounts, although the next candidate was refused before
// its limits were taken.
func TestARequestThatAskedAnUpstreamCounts(t *testing.T) {
	v := newRouted(t, twoCandidates, sayingNo(500, openaiError))
	v.rule(`policies: {eu: {rules: [{id: abroad, outcome: deny, message: not there, when: {providers: [anthropic]}}]}}`)
	v.routes(twoCandidates)
	a, got := v.ask(smart)
	if r := v.last(); a.Status != 500 || r.Attempts != 1 || len(r.Charges) != 1 {
		t.Errorf("%d %s: charges %+v", a.Status, got, r.Charges)
	}
}

// TestAllLeversTogether: a template that asks for a route, whose first candidate fails
// with the hold charged; the second, in another dialect, compresses anew what was redacted
// for it. The record adds up to what the call would have cost at the baseline.
func TestAllLeversTogether(t *testing.T) {
	v := newRouted(t, `{"baseline":"gpt-4o@up","candidates":[{"model":"gpt-4o","upstream":"up"},{"model":"claude-haiku-4-5","upstream":"ant"}]}`, sayingNo(502, "<html>"))
	spec := lever.Spec{Compression: &lever.CompressionSpec{Level: "near_lossless"}}
	v.levers(map[string]lever.Spec{"gpt-4o": spec, "claude-haiku-4-5": spec})
	rules, _ := v.gateway.seams.Rules.(byModel)
	s := template.Spec{Model: "smart", System: "You help.", Messages: []template.Message{{Role: "user", Content: "{{q}}"}}, Variables: map[string]template.Variable{"q": {}}, MaxOutput: 50}
	var err error
	if rules.template, err = s.Compile(); err != nil {
		t.Fatal(err)
	}
	v.gateway.seams.Rules = rules
	set, err := redaction.Compile([]redaction.Spec{
		{ID: "first", Action: redaction.Hash, Match: map[string][]string{"provider": {"openai"}}},
		{ID: "second", Action: redaction.Tokenise, Match: map[string][]string{"provider": {"anthropic"}}},
	}, redaction.Options{HashKey: []byte("k")})
	if err != nil {
		t.Fatal(err)
	}
	v.gateway.seams.Redactions = &fakeRedactions{set: set}
	v.foreign.Store(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { claude("mail <EMAIL_1>")(w, "") }))

	body := strings.Replace(twice["/v1/chat/completions"], `{"model":"gpt-4o","messages":[{"role":"user","content":"go"}`, `{"purser_template":{"id":"ask","variables":{"q":"mail anna@example.com"}},"messages":[{"role":"user","content":"go"}`, 1)
	a, got := v.ask(body)
	if a.Status != 200 || !strings.Contains(got, "mail anna@example.com") || sent(a, headerTemplate) != "ask@2" || sent(a, headerRoute) != "smart" || sent(a, headerModel) != "claude-haiku-4-5" {
		t.Fatalf("%d %v %s", a.Status, a.Header, got)
	}
	for _, went := range []string{v.openai[0], v.anthropic[0]} {
		if strings.Count(went, aReference) != 1 || strings.Contains(went, "anna@") || strings.Contains(went, "purser_template") || !strings.Contains(went, "You help.") {
			t.Errorf("sent %s", went)
		}
	}
	if strings.Contains(v.openai[0], "<EMAIL_1>") || !strings.Contains(v.anthropic[0], "mail <EMAIL_1>") {
		t.Errorf("OpenAI was sent %s, Anthropic %s", v.openai[0], v.anthropic[0])
	}
	if n := len(v.journal.records); n != 2 {
		t.Fatalf("%d records", n)
	}
	failed, r := v.journal.records[0], v.journal.records[1]
	if failed.Basis != record.FullHold || failed.Cost == 0 || failed.Baseline != failed.Cost || failed.PromptVersion != 2 || failed.Upstream != "up" {
		t.Errorf("the first attempt is recorded as %+v", failed)
	}
	var saved ledger.Amount
	levers := map[record.Lever]int{}
	for _, s := range r.Savings {
		saved += s.Amount
		levers[s.Lever]++
	}
	dear, _ := v.gateway.prices.FindIn("openai", "", "gpt-4o", r.At)
	u := r.Usage
	u[price.InputText] += r.Shape.Before - r.Shape.After
	if want := dear.Cost(&u, price.Standard); r.Shape.Before <= r.Shape.After || r.Baseline != want || r.Cost+saved != want || levers[record.LeverCompression] != 1 || levers[record.LeverRouting] != 1 || r.PromptVersion != 2 {
		t.Errorf("baseline %d, want %d: cost %d, %+v, %+v", r.Baseline, want, r.Cost, r.Savings, r.Shape)
	}

	told, err := v.gateway.ExplainRoute(&Request{Method: "POST", Path: "/v1/chat/completions", Header: headerList{}, Body: []byte(body)}, &Principal{ID: "k1"})
	if err != nil || told.Route != "smart" || len(told.Order) != 2 || told.Order[0].Denied+told.Order[1].Denied != "" {
		t.Errorf("%+v %v", told, err)
	}
}
