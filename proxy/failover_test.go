package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/redaction"
	"purser/proxy/route"
	"purser/proxy/upstream"
)

// routedWorld is a gateway with a route, and what each of its upstreams was sent.
type routedWorld struct {
	*world
	mu        sync.Mutex
	anthropic []string // bodies
	openai    []string
	foreign   atomic.Value // http.HandlerFunc that the Anthropic upstream is instead
}

// newRouted starts one whose OpenAI upstream answers with first, and whose Anthropic
// upstream answers well. The route is named "smart".
func newRouted(t *testing.T, spec string, first func(w http.ResponseWriter, body string)) *routedWorld {
	t.Helper()
	v := &routedWorld{}
	v.world = newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		v.mu.Lock()
		foreign := strings.HasSuffix(r.URL.Path, "/messages")
		if foreign {
			v.anthropic = append(v.anthropic, string(b))
		} else {
			v.openai = append(v.openai, string(b))
		}
		v.mu.Unlock()
		if instead, ok := v.foreign.Load().(http.HandlerFunc); ok && foreign {
			instead(w, r)
			return
		}
		if foreign {
			claude("well", " met")(w, string(b))
			return
		}
		first(w, string(b))
	}, nil)
	v.gateway.policy.Base = time.Microsecond
	v.gateway.policy.MaxWait = time.Microsecond
	v.routes(spec)
	return v
}

// routes puts a route into the world.
func (v *routedWorld) routes(spec string) {
	v.t.Helper()
	var s route.Spec
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		v.t.Fatal(err)
	}
	r, err := route.Compile("smart", s)
	if err != nil {
		v.t.Fatal(err)
	}
	set, _ := v.gateway.seams.Rules.(ruled)
	v.gateway.seams.Rules = aliased{set, r}
}

func (v *routedWorld) asked() (openai, anthropic int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.openai), len(v.anthropic)
}

func sayingNo(status int, body string, headers ...string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// hangingUp breaks the connection off with the request read.
func hangingUp(w http.ResponseWriter, _ string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

const (
	twoCandidates = `{"candidates":[{"model":"gpt-4o-mini","upstream":"up"},{"model":"claude-haiku-4-5","upstream":"ant"}]}`
	smart         = `{"model":"smart","max_completion_tokens":50,"messages":[{"role":"user","content":"hello anna@example.com"}]}`
	smartStream   = `{"model":"smart","stream":true,"max_completion_tokens":50,"messages":[{"role":"user","content":"hello anna@example.com"}]}`
	openaiError   = `{"error":{"message":"sorry","type":"server_error","code":null,"param":null}}`
)

// TestTheNextCandidateAnswers a client of OpenAI's dialect, whole and as a stream, when
// the first has failed in a way that another may not: with a hold for each attempt, all
// of them ended, and charges for what may have been billed alone.
func TestTheNextCandidateAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		fail    func(http.ResponseWriter, string)
		charged bool
		why     string
	}{
		"500":           {sayingNo(500, openaiError), false, "status 500"},
		"502 of a page": {sayingNo(502, "<html>"), true, "status 502"},
		"503":           {sayingNo(503, openaiError, "Retry-After", "1"), false, "status 503"},
		"429":           {sayingNo(429, openaiError, "Retry-After", "3"), false, "status 429"},
		"no such model": {sayingNo(404, openaiError), false, "status 404"},
		"bad key":       {sayingNo(401, openaiError), false, "status 401"},
		"too long":      {sayingNo(400, `{"error":{"message":"This model's maximum context length is 8192 tokens.","code":"context_length_exceeded"}}`), false, "status 400"},
		"a hang-up":     {hangingUp, true, "upstream_unavailable"},
	} {
		for _, body := range []string{smart, smartStream} {
			v := newRouted(t, twoCandidates, c.fail)
			a, got := v.ask(body)
			if a.Status != 200 || !strings.Contains(strings.ReplaceAll(got, `"},"finish_reason":null}]}`, ""), "well") || !strings.Contains(got, "met") || sent(a, "x-purser-route") != "smart" || sent(a, "x-purser-model") != "claude-haiku-4-5" {
				t.Errorf("%s: %d %v %s", name, a.Status, a.Header, got)
			}
			if first, second := v.asked(); first != 1 || second != 1 {
				t.Errorf("%s: OpenAI was asked %d times, Anthropic %d", name, first, second)
			}
			r := v.last()
			if r.Outcome != record.Completed || r.Upstream != "ant" || r.Attempts != 2 || r.Dims.Values[ledger.DimProvider] != "anthropic" || r.Dims.Values[ledger.DimModel] != "claude-haiku-4-5" || r.Basis != record.Reported {
				t.Errorf("%s: %+v", name, r)
			}
			if n := len(v.journal.records); (n == 2) != c.charged {
				t.Errorf("%s: %d records", name, n)
			} else if c.charged {
				if was := v.journal.records[0]; was.Upstream != "up" || was.Cost == 0 || was.Cost != was.Hold || was.Basis != record.FullHold || was.Dims.Values[ledger.DimProvider] != "openai" {
					t.Errorf("%s: the first attempt is recorded as %+v", name, was)
				}
			}
			list := r.Route.Considered
			if r.Route.Name != "smart" || r.Route.Strategy != "fallback" || r.Route.Reason == "" || len(list) != 2 || list[0].Upstream != "up" || !strings.Contains(list[0].Why, "passed over: ") || !strings.Contains(list[0].Why, c.why) {
				t.Errorf("%s: %+v", name, r.Route)
			}
		}
	}
}

// TestWhatIsTheRequestsFaultStays: the next candidate is not asked for what it would
// refuse too, nor once anything has gone to the client.
func TestWhatIsTheRequestsFaultStays(t *testing.T) {
	for name, c := range map[string]struct {
		body string
		fail func(http.ResponseWriter, string)
		says string
	}{
		"an invalid request": {smart, sayingNo(400, `{"error":{"message":"no such parameter","type":"invalid_request_error","code":null,"param":null}}`), "no such parameter"},
		"a stream that breaks off": {smartStream, func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"once\"}}]}\n\n")
			w.(http.Flusher).Flush()
			hangingUp(w, "")
		}, "<broken off>"},
	} {
		v := newRouted(t, twoCandidates, c.fail)
		_, got := v.ask(c.body)
		if first, second := v.asked(); first != 1 || second != 0 || !strings.Contains(got, c.says) {
			t.Errorf("%s: asked %d and %d, %s", name, first, second, got)
		}
	}
}

// TestAttemptsAreBounded: each candidate as often as the route says, and no request more
// than all candidates together may be.
func TestAttemptsAreBounded(t *testing.T) {
	v := newRouted(t, `{"max_attempts":2,"candidates":[{"model":"gpt-4o-mini","upstream":"up"},{"model":"gpt-4o","upstream":"up"}]}`, sayingNo(500, openaiError))
	a, got := v.ask(smart)
	if first, _ := v.asked(); first != 4 || a.Status != 500 || !strings.Contains(got, "sorry") {
		t.Errorf("asked %d times: %d %s", first, a.Status, got)
	}
	var many []string
	for i, m := range []string{"gpt-4o-mini", "gpt-4o", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "o3", "o3-mini", "o4-mini"} {
		many = append(many, fmt.Sprintf(`{"id":"c%d","model":%q,"upstream":"up"}`, i, m))
	}
	v = newRouted(t, `{"max_attempts":3,"candidates":[`+strings.Join(many, ",")+`]}`, sayingNo(500, openaiError))
	if a, _ := v.ask(smart); a.Status != 500 {
		t.Errorf("%d", a.Status)
	}
	if first, _ := v.asked(); first != maxCalls {
		t.Errorf("asked %d times, not %d", first, maxCalls)
	}
	v = newRouted(t, strings.Replace(twoCandidates, `{"c`, `{"retry_on":["rate_limit"],"c`, 1), sayingNo(500, openaiError))
	if a, _ := v.ask(smart); a.Status != 500 {
		t.Errorf("%d", a.Status)
	}
	if _, second := v.asked(); second != 0 {
		t.Error("the route goes on after a cause that it does not name")
	}
}

// TestAPolicyThatForbidsACandidate passes it over, or ends the request where the route
// says so; where all are forbidden, the first denial is told.
func TestAPolicyThatForbidsACandidate(t *testing.T) {
	const noOpenAI = `policies: {eu: {rules: [{id: abroad, outcome: deny, message: not there, when: {providers: [openai]}}, {id: heed, outcome: warn}]}}`
	for name, c := range map[string]struct {
		policy, spec string
		status       int
		second       int
	}{
		"the next":   {noOpenAI, twoCandidates, 200, 1},
		"refused":    {noOpenAI, strings.Replace(twoCandidates, `{"c`, `{"on_denied":"refuse","c`, 1), 403, 0},
		"all denied": {`policies: {eu: {rules: [{id: abroad, outcome: deny, message: not there}]}}`, twoCandidates, 403, 0},
	} {
		v := newRouted(t, c.spec, func(http.ResponseWriter, string) {
			t.Errorf("%s: the upstream was asked that the policy forbids", name)
		})
		v.rule(c.policy)
		v.routes(c.spec)
		a, got := v.ask(smart)
		if _, second := v.asked(); a.Status != c.status || second != c.second {
			t.Errorf("%s: %d %s, Anthropic was asked %d times", name, a.Status, got, second)
		}
		r := v.last()
		denied := slices.ContainsFunc(r.Rulings, func(r record.Ruling) bool { return r.Effect == record.PolicyDenied })
		if denied != (c.status == 403) || (sent(a, headerPolicy) == "eu/abroad") != denied || denied && (!strings.Contains(got, "not there") || len(v.purse.held) > 0) {
			t.Errorf("%s: %+v %v %s", name, r.Rulings, a.Header, got)
		}
		if c.status == 200 && (sent(a, headerPolicyWarning) != "eu/heed" || !strings.Contains(r.Route.Considered[0].Why, "policy_denied by eu/abroad")) {
			t.Errorf("%s: %v %+v", name, a.Header, r.Route)
		}
	}
}

// TestAKeyReachesNoCandidateItMayNot use, whatever fails.
func TestAKeyReachesNoCandidateItMayNot(t *testing.T) {
	v := newRouted(t, twoCandidates, sayingNo(500, openaiError))
	v.keys[sha("pk_good")] = keyed{&Principal{ID: "k1", Providers: Allow{{"openai"}}}, KeyActive}
	a, _ := v.ask(smart)
	if first, second := v.asked(); a.Status != 500 || first != 1 || second != 0 {
		t.Errorf("%d, asked %d and %d", a.Status, first, second)
	}
	if list := v.last().Route.Considered; len(list) != 2 || list[1].Upstream != "ant" || list[1].Why != notPermitted {
		t.Errorf("%+v", list)
	}
	v.keys[sha("pk_good")] = keyed{&Principal{ID: "k1", Upstreams: Allow{{"google"}}}, KeyActive}
	if a, got := v.ask(smart); a.Status != 403 || !strings.Contains(got, "provider_not_allowed") || !strings.Contains(got, notPermitted) {
		t.Errorf("%d %s", a.Status, got)
	}
}

// TestEachCandidateIsRedactedForItself, from what the client has sent.
func TestEachCandidateIsRedactedForItself(t *testing.T) {
	v := newRouted(t, twoCandidates, sayingNo(500, openaiError))
	set, err := redaction.Compile([]redaction.Spec{
		{ID: "first", Action: redaction.Hash, Match: map[string][]string{"provider": {"openai"}}},
		{ID: "second", Action: redaction.Tokenise, Match: map[string][]string{"provider": {"anthropic"}}},
	}, redaction.Options{HashKey: []byte("k")})
	if err != nil {
		t.Fatal(err)
	}
	v.gateway.seams.Redactions = &fakeRedactions{set: set}
	if a, got := v.ask(smart); a.Status != 200 {
		t.Fatalf("%d %s", a.Status, got)
	}
	first, second := gjson.Get(v.openai[0], "messages.0.content").Str, gjson.Get(v.anthropic[0], "messages.0.content.0.text").Str
	if second == "" {
		second = gjson.Get(v.anthropic[0], "messages.0.content").Str
	}
	if !strings.HasPrefix(first, "hello ") || !strings.HasPrefix(second, "hello ") || strings.Contains(first+second, "anna") || first == second || strings.Contains(second, strings.TrimPrefix(first, "hello ")) {
		t.Errorf("OpenAI saw %q, Anthropic %q", first, second)
	}
	v.gateway.seams.Redactions = nil
	if a, _ := v.ask(smart); a.Status != 200 || !strings.Contains(v.anthropic[1], "anna@example.com") {
		t.Errorf("%d %s", a.Status, v.anthropic[1])
	}
}

// TestAnOpenBreakerIsPassedBy: a candidate that ails is tried after the others, and where
// its breaker refuses, the next one answers at once.
func TestAnOpenBreakerIsPassedBy(t *testing.T) {
	v := newRouted(t, twoCandidates, sayingNo(500, openaiError))
	key := upstream.BreakerKey{Upstream: "up", Model: "gpt-4o-mini"}
	for v.gateway.breakers.State(time.Now(), key) != upstream.Open {
		if a, got := v.ask(smart); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, got)
		}
	}
	before, _ := v.asked()
	a, _ := v.ask(smart)
	if after, _ := v.asked(); a.Status != 200 || after != before {
		t.Errorf("%d, asked %d times more", a.Status, after-before)
	}
	if r := v.last(); r.Attempts != 1 || r.Route.Considered[0].Upstream != "ant" || !strings.Contains(r.Route.Considered[1].Why, "circuit breaker is open") {
		t.Errorf("%+v", r.Route)
	}
	// Of two that fail, the one whose breaker is open comes last, and says so.
	v.routes(`{"candidates":[{"model":"gpt-4o-mini","upstream":"up"},{"model":"gpt-4o","upstream":"up"}]}`)
	if a, got := v.ask(smart); a.Status != 503 || v.last().Attempts != 1 || !strings.Contains(got, "given a rest") {
		t.Errorf("%d %s %+v", a.Status, got, v.last())
	}
}

// TestALimitedUpstreamRests: after a 429, others go to the next candidate at once.
func TestALimitedUpstreamRests(t *testing.T) {
	v := newRouted(t, twoCandidates, sayingNo(429, openaiError, "Retry-After", "30"))
	for range 3 {
		if a, got := v.ask(smart); a.Status != 200 {
			t.Fatalf("%d %s", a.Status, got)
		}
	}
	if first, second := v.asked(); first != 1 || second != 3 {
		t.Errorf("asked %d and %d times", first, second)
	}
}

// TestABudgetPassesACandidateOver where the route says so: what does not fit at one may
// fit at a cheaper one, and the cap holds at each.
func TestABudgetPassesACandidateOver(t *testing.T) {
	const dearFirst = `{"strategy":"budget_aware","candidates":[{"model":"claude-opus-4-1","upstream":"ant"},{"model":"gpt-4o-mini","upstream":"up"}]}`
	v := newRouted(t, dearFirst, func(w http.ResponseWriter, _ string) { answerJSON(w, nil) })
	v.purse.free = 200_000 // nano-dollars: some 50 tokens of the second
	a, got := v.ask(smart)
	if first, second := v.asked(); a.Status != 200 || first != 1 || second != 0 {
		t.Fatalf("%d %s, asked %d and %d", a.Status, got, first, second)
	}
	if r := v.last(); !strings.Contains(r.Route.Considered[0].Why, "insufficient_quota") || r.Cost > 200_000 {
		t.Errorf("%+v", r)
	}
	v.purse.free = 0
	if a, got := v.ask(smart); a.Status != 402 || !strings.Contains(got, "insufficient_quota") {
		t.Errorf("%d %s", a.Status, got)
	}
	v.routes(strings.Replace(dearFirst, "budget_aware", "fallback", 1))
	v.purse.free = 200_000
	if a, _ := v.ask(smart); a.Status != 402 {
		t.Errorf("a fallback route goes on after a budget: %d", a.Status)
	}
}

// TestSpentBudgetsMoveRequests to the cheaper candidate.
func TestSpentBudgetsMoveRequests(t *testing.T) {
	v := newRouted(t, `{"strategy":"budget_aware","baseline":"claude-opus-4-1@ant","candidates":[{"model":"claude-opus-4-1","upstream":"ant"},{"model":"gpt-4o-mini","upstream":"up"}]}`, func(w http.ResponseWriter, _ string) { answerJSON(w, nil) })
	if a, _ := v.ask(smart); a.Status != 200 || v.last().Upstream != "ant" {
		t.Errorf("%d %+v", a.Status, v.last())
	}
	v.purse.spent = ledger.NanoPerUSD // of a budget of one dollar
	if a, _ := v.ask(smart); a.Status != 200 || v.last().Upstream != "up" || !strings.Contains(v.last().Route.Reason, "100 % of the tightest budget") {
		t.Errorf("%d %+v", a.Status, v.last())
	}
}

// TestAFailoverIsKeptAsItsOwn: the answer of the second candidate is never given to a
// request that the first would have answered.
func TestAFailoverIsKeptAsItsOwn(t *testing.T) {
	cache := fakeCache{}
	down := true
	v := newRouted(t, twoCandidates, func(w http.ResponseWriter, body string) {
		if down {
			sayingNo(500, openaiError)(w, body)
			return
		}
		answerJSON(w, nil)
	})
	v.gateway.seams.Cache = cache
	v.gateway.seams.Journal = keepingJournal{v.journal, cache}
	if a, got := v.ask(smart); a.Status != 200 || !strings.Contains(got, "well met") || len(cache) != 1 {
		t.Fatalf("%d %s, %d entries", a.Status, got, len(cache))
	}
	down = false
	if a, got := v.ask(smart); a.Status != 200 || !strings.Contains(got, `"hi"`) || sent(a, "x-purser-cache") != "miss" {
		t.Errorf("%d %s", a.Status, got)
	}
	v.routes(`{"candidates":[{"model":"claude-haiku-4-5","upstream":"ant"}]}`)
	if a, got := v.ask(smart); a.Status != 200 || !strings.Contains(got, "well met") || sent(a, "x-purser-cache") != "hit" {
		t.Errorf("%d %v %s", a.Status, a.Header, got)
	}
}

// keepingJournal fills a cache as the node's does.
type keepingJournal struct {
	*fakeJournal
	cache fakeCache
}

func (j keepingJournal) Commit(r *record.Record, f *Fill) {
	if f != nil {
		j.cache[f.Key] = f.Answer
	}
	j.fakeJournal.Commit(r, f)
}

// TestVectorsOfAnotherModelAreNotMixed with those of the first.
func TestVectorsOfAnotherModelAreNotMixed(t *testing.T) {
	v := newRouted(t, `{"candidates":[{"model":"text-embedding-3-small","upstream":"up"},{"model":"text-embedding-3-large","upstream":"up"}]}`, sayingNo(500, openaiError))
	a, _ := v.send("POST", "/v1/embeddings", `{"model":"smart","input":"hello"}`)
	if first, _ := v.asked(); a.Status != 500 || first != 1 {
		t.Errorf("%d, asked %d times", a.Status, first)
	}
}

// TestASessionKeepsToItsCandidate, and sessions spread over all.
func TestASessionKeepsToItsCandidate(t *testing.T) {
	v := newRouted(t, strings.Replace(twoCandidates, `{"c`, `{"strategy":"weighted","sticky":"session","c`, 1), func(w http.ResponseWriter, _ string) { answerJSON(w, nil) })
	led := map[string]int{}
	for i := range 40 {
		session := fmt.Sprintf("s-%d", i)
		first := ""
		for range 3 {
			if a, got := v.ask(smart, "x-purser-session", session); a.Status != 200 {
				t.Fatalf("%d %s", a.Status, got)
			}
			if up := v.last().Upstream; first == "" {
				first = up
			} else if up != first {
				t.Fatalf("%s went to %s, and then to %s", session, first, up)
			}
		}
		led[first]++
	}
	if led["up"] < 10 || led["ant"] < 10 {
		t.Errorf("%v", led)
	}
}

// TestTheFastestLeads as it was measured.
func TestTheFastestLeads(t *testing.T) {
	v := newRouted(t, strings.Replace(twoCandidates, `{"c`, `{"strategy":"fastest","sticky":"session","c`, 1), func(w http.ResponseWriter, _ string) { answerJSON(w, nil) })
	note := func(up, model string, took time.Duration) {
		v.gateway.latencies.note(latencyKey{up, model, false}, 1_790_000_000*ledger.Second, took)
	}
	lead := func() string {
		t.Helper()
		n := map[string]int{}
		for i := range 40 {
			v.ask(smart, "x-purser-session", fmt.Sprint(i))
			n[v.last().Upstream]++
		}
		if n["up"] > n["ant"] {
			return "up"
		}
		return "ant"
	}
	for range 40 {
		note("up", "gpt-4o-mini", 90*time.Second)
		note("ant", "claude-haiku-4-5", 10*time.Second)
	}
	if got := lead(); got != "ant" {
		t.Errorf("%s leads", got)
	}
	for range 40 {
		note("up", "gpt-4o-mini", time.Nanosecond)
		note("ant", "claude-haiku-4-5", 90*time.Second)
	}
	if got := lead(); got != "up" {
		t.Errorf("%s leads", got)
	}
}

// TestLatenciesAreBounded: models are named by clients.
func TestLatenciesAreBounded(t *testing.T) {
	var l latencies
	for i := range 2 * maxLatencies {
		l.note(latencyKey{"u", fmt.Sprint(i), false}, ledger.Instant(i+1), time.Second)
	}
	if len(l.table) != maxLatencies {
		t.Errorf("%d are kept", len(l.table))
	}
	if p, _ := l.of(latencyKey{"u", fmt.Sprint(2*maxLatencies - 1), false}, 2*maxLatencies); p != int64(time.Second) {
		t.Errorf("the newest is %d", p)
	}
	if p, _ := l.of(latencyKey{"u", "0", false}, 2*maxLatencies); p != 0 {
		t.Error("the oldest is kept")
	}
}
