package proxy

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"purser/internal/record"
	"purser/proxy/dialect"
	"purser/proxy/policy"
	"purser/proxy/policy/suite"
)

// ruled is rules with policies alone.
type ruled struct {
	noRules
	set *policy.Set
}

// Rules implements Governance.
func (r ruled) Rules() (Rules, error) { return r, nil }

// Policies implements Rules.
func (r ruled) Policies() *policy.Set { return r.set }

// rule puts policies into a world.
func (w *world) rule(text string) {
	w.t.Helper()
	doc, err := suite.Parse([]byte(text))
	if err != nil {
		w.t.Fatal(err)
	}
	set, err := policy.Compile(doc.Policies)
	if err != nil {
		w.t.Fatal(err)
	}
	w.gateway.seams.Rules = ruled{set: set}
}

const denyAll = `policies: {office: {rules: [{id: closed-429, outcome: deny, message: come back at 500}]}}`

// TestAPolicyDeniesInTheCallersDialect: 403 with the names of policy and rule, never to
// be tried again, in the record too; nothing is held or sent.
func TestAPolicyDeniesInTheCallersDialect(t *testing.T) {
	w := newWorld(t, unasked(t), nil)
	w.rule(denyAll)
	form := map[string][]string{
		"openai":    {`error.code="policy_denied"`},
		"responses": {`error.code="policy_denied"`},
		"anthropic": {`error.type="permission_error"`},
		"gemini":    {`error.status="PERMISSION_DENIED"`, `error.code=403`},
	}
	for _, call := range asked {
		a, body := w.send("POST", call.path, call.body)
		if a.Status != 403 || sent(a, "x-should-retry") != "false" || sent(a, "retry-after") != "" || sent(a, headerPolicy) != "office/closed-429" ||
			!strings.Contains(body, "the policy office denies this request by its rule closed-429: come back at 500") {
			t.Errorf("%s: %d %v %s", call.name, a.Status, a.Header, body)
		}
		for _, says := range form[call.name] {
			if path, value, _ := strings.Cut(says, "="); gjson.Get(body, path).Raw != value {
				t.Errorf("%s: %s is not %s in %s", call.name, path, value, body)
			}
		}
		r := w.last()
		if want := []record.Ruling{{Policy: "office", Rule: "closed-429", Effect: record.PolicyDenied}}; r.Outcome != record.Denied || r.Code != "policy_denied" || r.Status != 403 || !slices.Equal(r.Rulings, want) {
			t.Errorf("%s: recorded as %+v", call.name, r)
		}
	}
	if len(w.purse.held) > 0 {
		t.Errorf("%d holds were taken", len(w.purse.held))
	}
}

// TestClientsThatTryAgainAreToldOtherwise: Codex tries a 403 again, opencode whatever
// has the digits of a status in its text.
func TestClientsThatTryAgainAreToldOtherwise(t *testing.T) {
	w := newWorld(t, unasked(t), nil)
	w.rule(denyAll)
	for _, call := range asked[:2] {
		a, body := w.send("POST", call.path, call.body, "User-Agent", "codex_cli_rs/0.169.0")
		if a.Status != 400 || gjson.Get(body, "error.code").String() != "policy_denied" || w.last().Status != 400 {
			t.Errorf("to Codex, %s: %d %s", call.name, a.Status, body)
		}
	}
	for _, call := range asked {
		a, body := w.send("POST", call.path, call.body, "User-Agent", "opencode/1.18.33")
		told := strings.NewReplacer(`"code":403`, "", "req_", "").Replace(body) // Gemini's form has the status
		if a.Status != 403 || strings.Contains(told, "429") || strings.Contains(told, "500") || sent(a, headerPolicy) != "office/closed-429" {
			t.Errorf("to opencode, %s: %d %s", call.name, a.Status, body)
		}
	}
}

// TestADenialComesBeforeTheCache: what may not be asked is not answered from it.
func TestADenialComesBeforeTheCache(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	cache := fakeCache{}
	w.gateway.seams.Cache, w.gateway.seams.Journal = cache, filling{w.journal, cache}
	w.ask(question)
	if a, _ := w.ask(question); sent(a, "x-purser-cache") != "hit" {
		t.Fatal("the answer was not kept")
	}
	w.rule(denyAll)
	if a, body := w.ask(question); a.Status != 403 {
		t.Errorf("%d %s", a.Status, body)
	}
}

// lowered are calls with parameters above and below caps, and what becomes of them.
var lowered = []struct {
	name, path, body, want string
}{
	{"openai", "/v1/chat/completions",
		`{"temperature":1.50,"model":"gpt-4o-mini","n" : 4,"max_completion_tokens":500,"top_p":0.1,"messages":[{"role":"user","content":"\"temperature\":2"}]}`,
		`{"temperature":0.5,"model":"gpt-4o-mini","n" : 2,"max_completion_tokens":100,"top_p":0.1,"messages":[{"role":"user","content":"\"temperature\":2"}]}`},
	{"openai, nothing set", "/v1/chat/completions",
		`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}`,
		`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":100}`},
	{"openai, as a text", "/v1/chat/completions",
		`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":50,"top_\u0070":"0.99"}`,
		`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}],"max_completion_tokens":50,"top_\u0070":0.9}`},
	{"responses", "/v1/responses",
		`{"model":"gpt-4o-mini","store":false,"max_output_tokens":500,"temperature":2,"input":"hello"}`,
		`{"model":"gpt-4o-mini","store":false,"max_output_tokens":100,"temperature":0.5,"input":"hello"}`},
	{"anthropic", "/v1/messages",
		`{"model":"claude-haiku-4-5","max_tokens":500,"temperature":1,"messages":[{"role":"user","content":"hello"}]}`,
		`{"model":"claude-haiku-4-5","max_tokens":100,"temperature":0.5,"messages":[{"role":"user","content":"hello"}]}`},
	{"gemini", "/v1beta/models/gemini-2.0-flash:generateContent",
		`{"contents":[{"parts":[{"text":"hello"}]}],"generationConfig":{"candidateCount":4,"temperature":0.7,"topP":0.95,"maxOutputTokens":500}}`,
		`{"contents":[{"parts":[{"text":"hello"}]}],"generationConfig":{"candidateCount":2,"temperature":0.5,"topP":0.9,"maxOutputTokens":100}}`},
}

const lowering = `policies: {trial: {rules: [{id: caps, outcome: rewrite, set: {max_output_tokens: 100, n: 2, temperature: 0.5, top_p: 0.9}}]}}`

// TestARewriteReachesTheUpstreamAndBoundsTheHold: it gets, and the purse holds, what it
// would of a client that had asked so itself; the cache does not mix them up.
func TestARewriteReachesTheUpstreamAndBoundsTheHold(t *testing.T) {
	for _, c := range lowered {
		t.Run(c.name, func(t *testing.T) {
			var got []byte
			answer := func(rw http.ResponseWriter, r *http.Request) {
				var err error
				if got, err = io.ReadAll(r.Body); err != nil {
					t.Error(err)
				}
				name, _, _ := strings.Cut(c.name, ",")
				rw.Header().Set("Content-Type", "application/json")
				fmt.Fprint(rw, priced[name].whole)
			}
			plain, w := newWorld(t, answer, nil), newWorld(t, answer, nil)
			cache := fakeCache{}
			w.gateway.seams.Cache, w.gateway.seams.Journal = cache, filling{w.journal, cache}
			w.send("POST", c.path, c.body)
			w.rule(lowering)
			a, body := w.send("POST", c.path, c.body)
			if a.Status != 200 || string(got) != c.want || sent(a, "x-purser-cache") == "hit" || sent(a, headerPolicyRewrote) == "" {
				t.Errorf("%d %v %s\nsent %s\nwant %s", a.Status, a.Header, body, got, c.want)
			}
			plain.send("POST", c.path, c.want)
			if held, want := w.purse.held[1], plain.purse.held[0]; held != want {
				t.Errorf("held %d; who asks so holds %d", held, want)
			}
			if r := w.last(); !slices.Equal(r.Rulings, []record.Ruling{{Policy: "trial", Rule: "caps", Effect: record.PolicyRewrote}}) {
				t.Errorf("rulings %+v", r.Rulings)
			}
		})
	}
}

// TestARewriteHoldsForATranslatedCall: what is lowered is what is translated.
func TestARewriteHoldsForATranslatedCall(t *testing.T) {
	var got string
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got = string(b)
		answerJSON(rw, r)
	}, nil)
	w.gateway.upstreams = w.gateway.upstreams[:1]
	w.gateway.upstreams[0].ChatOnly = true
	w.rule(lowering)
	a, body := w.send("POST", "/v1/messages", `{"model":"gpt-4o-mini","max_tokens":500,"temperature":0.9,"messages":[{"role":"user","content":"hello"}]}`)
	if a.Status != 200 || gjson.Get(got, "temperature").Raw != "0.5" || gjson.Get(got, "max_completion_tokens").Int() != 100 {
		t.Errorf("%d %s\nsent %s", a.Status, body, got)
	}
}

// TestWarningsAndShadows: a warning is a header of the answer, whole, of a stream and
// from the cache; of shadows the record alone tells.
func TestWarningsAndShadows(t *testing.T) {
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if gjson.GetBytes(b, "stream").Bool() {
			answerStream(rw, true)
			return
		}
		answerJSON(rw, r)
	}, nil)
	cache := fakeCache{}
	w.gateway.seams.Cache, w.gateway.seams.Journal = cache, filling{w.journal, cache}
	w.rule("policies: {a: {rules: [{id: w, outcome: warn, message: 'kürzer, bitte'}, {id: v, outcome: warn}]}, b: {mode: shadow, rules: [{id: r, outcome: rewrite, set: {max_output_tokens: 1}}, {id: d, outcome: deny}]}}")
	for _, body := range []string{question, question, strings.Replace(question, `{"model"`, `{"stream":true,"model"`, 1)} {
		a, answer := w.ask(body)
		if a.Status != 200 || sent(a, headerPolicyWarning) != "a/w: k?rzer, bitte, a/v" || sent(a, headerPolicy)+sent(a, headerPolicyRewrote) != "" {
			t.Errorf("%d %v %s", a.Status, a.Header, answer)
		}
		want := []record.Ruling{{Policy: "a", Rule: "w", Effect: record.PolicyWarned}, {Policy: "a", Rule: "v", Effect: record.PolicyWarned},
			{Policy: "b", Rule: "r", Effect: record.PolicyRewrote, Shadow: true}, {Policy: "b", Rule: "d", Effect: record.PolicyDenied, Shadow: true}}
		if r := w.last(); !slices.Equal(r.Rulings, want) {
			t.Errorf("rulings %+v", r.Rulings)
		}
	}
	if w.purse.held[0] < 50*600 {
		t.Error("the shadow's cap bounded the hold")
	}
}

// TestACostRuleGoesByTheTightestBoundThereIs: prose has fewer tokens than bytes, and a
// limit between the two lets it pass.
func TestACostRuleGoesByTheTightestBoundThereIs(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	body := `{"model":"gpt-4o-mini","max_completion_tokens":50,"messages":[{"role":"user","content":"` + strings.Repeat("the quick brown fox jumps over the lazy dog ", 100) + `"}]}`
	for rule, want := range map[string]int{
		"over: {input_tokens: 1500}": 200, // of 4,400 bytes
		"over: {input_tokens: 700}":  403, "over: {cost_usd: 0.0004}": 200, "over: {cost_usd: 0.0001}": 403,
		"cel: 'tokens.input_max > 1500 || cost.usd > 0.0004'": 200, "cel: 'tokens.input_max > 700'": 403,
		"over: {max_output_tokens: 49}": 403, "over: {max_output_tokens: 50}": 200,
	} {
		w.rule("policies: {p: {rules: [{id: r, outcome: deny, when: {" + rule + "}}]}}")
		if a, answer := w.ask(body); a.Status != want {
			t.Errorf("%s: %d %s", rule, a.Status, answer)
		}
	}
}

// TestWhatPoliciesKnow: the facts of a request, by rules that deny where one is another.
func TestWhatPoliciesKnow(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	w.keys[sha("pk_good")] = keyed{&Principal{ID: "k1", Name: "ci"}, KeyActive}
	w.rule(`policies: {p: {rules: [{id: r, outcome: deny, unless: {cel: '
request.endpoint == "/v1/chat/completions" && request.dialect == "openai" && !request.stream && request.model == "gpt-4o-mini" &&
request.time == timestamp("2026-09-21T14:13:20Z") && source.address == "192.0.2.7" && request.max_output_tokens == 50 && request.n == 3 &&
request.temperature == 0.25 && request.top_p == -1.0 && request.tools == 1 && request.messages == 2 && request.images == 0 && request.files == 0 &&
request.input_bytes > 200 && request.service_tier == "default" && key.id == "k1" && key.name == "ci" && dims.team == "search" && dims.model == "gpt-4o-mini" &&
dims.provider == "openai" && dims.key == "k1" && dims.customer == "" && tags == {"stage": "prod"} && route.provider == "openai" && route.upstream == "up" && route.model == "gpt-4o-mini" &&
route.regions == [""] && cost.nano_usd > 0 && tokens.input_max > 5 && cost.usd < 1.0 && model == request.model && provider == "openai" && backend == "up"'}}]}}`)
	r := &Request{
		Method: "POST", Path: "/v1/chat/completions", Remote: netip.MustParseAddrPort("192.0.2.7:1234"),
		Body: []byte(`{"model":"gpt-4o-mini","service_tier":"default","temperature":0.25,"n":3,"max_tokens":50,"messages":[{"role":"system","content":"x"},{"role":"user","content":"hello"}],` +
			`"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}]}`),
		Header: headerList{"Authorization", "Bearer pk_good", "x-purser-team", "search", "x-purser-tag-stage", "prod"},
	}
	answer, err := w.gateway.Explain(r, w.keys[sha("pk_good")].p)
	if err != nil || answer.Decision != "allow" {
		t.Errorf("explained as %+v, %v", answer, err)
	}
	if a, body := w.serve(r); a.Status != 200 {
		t.Errorf("%d %s", a.Status, body)
	}
}

// TestWhichRoutesPoliciesAreAskedAbout: all of calls, and no lists of models.
func TestWhichRoutesPoliciesAreAskedAbout(t *testing.T) {
	w := newWorld(t, unasked(t), nil)
	w.rule(denyAll)
	for path, want := range map[string]int{"POST /v1/messages/count_tokens": 403, "POST /v1/moderations": 403, "POST /v1/embeddings": 403, "GET /v1/models": 200} {
		method, path, _ := strings.Cut(path, " ")
		body := `{"model":"claude-haiku-4-5","input":"x","messages":[{"role":"user","content":"x"}]}`
		if path == "/v1/embeddings" {
			body = `{"model":"text-embedding-3-small","input":"x"}`
		}
		if path == "/v1/moderations" {
			body = `{"input":"x"}`
		}
		if a, answer := w.send(method, path, body); a.Status != want {
			t.Errorf("%s: %d %s", path, a.Status, answer)
		}
	}
}

// TestExplainHoldsAndRecordsNothing, and says what comes before the policies.
func TestExplainHoldsAndRecordsNothing(t *testing.T) {
	w := newWorld(t, unasked(t), nil)
	key := &Principal{ID: "k1", Models: Allow{{"gpt-4o-mini"}}}
	call := func(path, body string) *Request {
		return &Request{Method: "POST", Path: path, Body: []byte(body), Header: headerList{}}
	}
	w.rule(denyAll)
	a, err := w.gateway.Explain(call("/v1/chat/completions", question), key)
	if err != nil || a.Decision != "deny" || a.Policy != "office" || len(a.Steps) != 1 || a.Steps[0].Result != policy.Applied {
		t.Errorf("%+v, %v", a, err)
	}
	for says, r := range map[string]*Request{
		"answered with 404": call("/v1/nothing", question), "lists of models": {Method: "GET", Path: "/v1/models", Header: headerList{}},
		"may not use": call("/v1/chat/completions", strings.Replace(question, "gpt-4o-mini", "gpt-4o", 1)), "invalid_json": call("/v1/chat/completions", "{"),
	} {
		if _, err := w.gateway.Explain(r, key); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is not in %v", says, err)
		}
	}
	w.gateway.seams.Rules = noRules{}
	if a, err := w.gateway.Explain(call("/v1/chat/completions", question), key); err != nil || a.Decision != "allow" {
		t.Errorf("without policies: %+v, %v", a, err)
	}
	if len(w.purse.held) > 0 || len(w.journal.records) > 0 {
		t.Error("something was held or recorded")
	}
}

// TestRulingsAreInTheFirstRecordAlone: of a call that was billed twice.
func TestRulingsAreInTheFirstRecordAlone(t *testing.T) {
	n := 0
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		if n++; n == 1 {
			panic(http.ErrAbortHandler) // nobody knows whether it is billed
		}
		answerJSON(rw, r)
	}, nil)
	w.rule("policies: {a: {rules: [{id: w, outcome: warn}]}}")
	a, body := w.ask(question)
	if a.Status != 200 || len(w.journal.records) != 2 || len(w.journal.records[0].Rulings) != 1 || len(w.journal.records[1].Rulings) != 0 || sent(a, headerPolicyWarning) == "" {
		t.Errorf("%d %s, %+v", a.Status, body, w.journal.records)
	}
}

// TestOneRequestIsNothingToTheNext: exchanges are used again.
func TestOneRequestIsNothingToTheNext(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	for range 10 {
		w.rule("policies: {a: {rules: [{id: w, outcome: warn}, {id: r, outcome: rewrite, set: {max_output_tokens: 5}}]}}")
		w.ask(question)
		w.gateway.seams.Rules = noRules{}
		a, body := w.ask(question)
		if a.Status != 200 || sent(a, headerPolicyWarning)+sent(a, headerPolicyRewrote) != "" || len(w.last().Rulings) != 0 {
			t.Fatalf("%v %s", a.Header, body)
		}
		if n := len(w.purse.held); w.purse.held[n-1] <= w.purse.held[n-2] {
			t.Fatalf("a cap of the request before bounds the hold: %v", w.purse.held)
		}
	}
}

// readyToBeJudged takes a request as far as the policies.
func (w *world) readyToBeJudged() *exchange {
	w.t.Helper()
	x := w.gateway.begin(&Request{
		Method: "POST", Path: "/v1/chat/completions", Body: []byte(question), Remote: netip.MustParseAddrPort("192.0.2.7:1"),
		Header: headerList{"Authorization", "Bearer pk_good", "x-purser-team", "search"},
	})
	w.t.Cleanup(x.leave)
	x.builtin()
	for _, stage := range []func() *dialect.Error{x.authenticate, x.decode, x.attribute, x.route, x.translate, x.terms} {
		if e := stage(); e != nil {
			w.t.Fatal(e)
		}
	}
	return x
}

func TestFormsCostARequestFewAllocations(t *testing.T) {
	w := newWorld(t, unasked(t), nil)
	w.rule("policies: {a: {rules: [{id: m, outcome: deny, unless: {models: ['gpt-*'], addresses: [192.0.2.0/24]}}, {id: o, outcome: deny, when: {over: {cost_usd: 1}}}]}}")
	x := w.readyToBeJudged()
	if n := testing.AllocsPerRun(100, func() {
		if e := x.judge(); e != nil {
			t.Fatal(e)
		}
	}); n > 3 {
		t.Errorf("%v allocations", n)
	}
}
