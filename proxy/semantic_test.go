package proxy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/lever"
)

// fakeSemantic serves the last answer it learned in the same scope, whatever the
// question: so that what it is told of the scope is all that keeps questions apart.
type fakeSemantic struct {
	mu      sync.Mutex
	asked   []SemanticQuestion
	answers map[string][32]byte
	gone    int
	flight  Flight  // what Join gives
	shared  *Cached // the same
}

func scopeOf(q *SemanticQuestion) string {
	return fmt.Sprintf("%q", []string{q.Scope.Tenant, q.Scope.Route, q.Scope.Model, q.Scope.Endpoint, q.Holder, string(q.Rest)})
}

func (f *fakeSemantic) Ask(_ context.Context, q *SemanticQuestion) SemanticFound {
	f.mu.Lock()
	defer f.mu.Unlock()
	kept := *q
	kept.Rest = bytes.Clone(q.Rest)
	f.asked = append(f.asked, kept)
	if q.Why != "" {
		return SemanticFound{Semantic: record.Semantic{Verdict: record.SemanticIneligible, Reason: q.Why}}
	}
	found := SemanticFound{Visit: scopeOf(q), Gone: func() { f.gone++ }, Semantic: record.Semantic{Verdict: record.SemanticMiss, Reason: "empty"}}
	if key, ok := f.answers[scopeOf(q)]; ok {
		found.Key = key
		found.Semantic = record.Semantic{Verdict: record.SemanticServed, Similarity: 912_345, Probability: 995_000, Entry: 0xabc, Bound: 4_000}
		if q.Settings.Mode == lever.SemanticShadow {
			found.Verdict = record.SemanticWould
		}
	}
	return found
}

func (f *fakeSemantic) Learn(l SemanticLesson) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answers[l.Visit.(string)] = l.Key
}

func (f *fakeSemantic) Join(context.Context, [32]byte, int64, time.Duration) (Flight, *Cached) {
	return f.flight, f.shared
}

// shelfCache is an exact cache in memory. It keeps what the journal is given.
type shelfCache struct {
	fakeJournal
	mu   sync.Mutex
	body map[[32]byte]*Cached
}

func (c *shelfCache) Key(s CacheScope, canonical []byte) ([32]byte, int64) {
	return sha256.Sum256(fmt.Appendf(nil, "%q %q", s, canonical)), 0
}

func (c *shelfCache) Get(key [32]byte, ask CacheAsk) (*Cached, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.body[key]
	if ok && e.Created < ask.Created {
		return nil, false
	}
	return e, ok
}

func (c *shelfCache) Join(context.Context, [32]byte, CacheAsk) (Flight, *Cached, bool) {
	return nil, nil, false
}

func (c *shelfCache) Commit(r *record.Record, f *Fill) {
	c.fakeJournal.Commit(r, nil)
	if f != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.body[f.Key] = f.Answer
	}
}

// semanticRules gives every request the same semantic settings.
type semanticRules struct {
	noRules
	set lever.Semantic
}

func (r *semanticRules) Rules() (Rules, error) { return r, nil }

func (r *semanticRules) Levers(string, *ledger.Dimensions) lever.Set {
	s := lever.Default()
	s.Semantic = &r.set
	return s
}

// semanticWorld is a world with both caches. The upstream answers with how often it was
// asked.
func semanticWorld(t *testing.T) (w *world, f *fakeSemantic, c *shelfCache, rules *semanticRules, calls *int) {
	calls = new(int)
	w = newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		*calls++
		body, _ := io.ReadAll(r.Body)
		if bytes.Contains(body, []byte(`"stream":true`)) {
			rw.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(rw, "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"answer %d\"},\"finish_reason\":null}]}\n\n", *calls)
			fmt.Fprint(rw, "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n")
			fmt.Fprint(rw, "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-mini\",\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}\n\ndata: [DONE]\n\n")
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(rw, `{"id":"c","object":"chat.completion","model":"gpt-4o-mini","choices":[{"index":0,"message":{"role":"assistant","content":"answer %d"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}`, *calls)
	}, nil)
	f, c = &fakeSemantic{answers: map[string][32]byte{}}, &shelfCache{body: map[[32]byte]*Cached{}}
	c.fakeJournal = fakeJournal{}
	rules = &semanticRules{set: *lever.Default().Semantic}
	rules.set.Mode = lever.SemanticServe
	w.gateway.seams.Cache, w.gateway.seams.Semantic, w.gateway.seams.Journal, w.gateway.seams.Rules = c, f, c, rules
	return w, f, c, rules, calls
}

func (c *shelfCache) last(t *testing.T) record.Record {
	t.Helper()
	c.fakeJournal.mu.Lock()
	defer c.fakeJournal.mu.Unlock()
	return c.records[len(c.records)-1]
}

func chatOf(text string, more string) string {
	return fmt.Sprintf(`{"model":"gpt-4o-mini","messages":[{"role":"system","content":"be brief"},{"role":"user","content":%q}]%s}`, text, more)
}

func TestSemanticHitCostsNothingAndIsBooked(t *testing.T) {
	w, _, c, _, calls := semanticWorld(t)
	w.ask(chatOf("what is the capital of France?", ""))
	first := c.last(t)
	if first.Cost == 0 || first.Semantic.Verdict != record.SemanticMiss {
		t.Fatalf("%+v", first)
	}
	spent := w.purse.spent
	a, body := w.ask(chatOf("the capital of France, which is it?", ""))
	got := c.last(t)
	if *calls != 1 || a.Status != 200 || !strings.Contains(body, "answer 1") || w.purse.spent != spent {
		t.Fatalf("%d calls, %s", *calls, body)
	}
	if got.Cost != 0 || got.Basis != record.NoCharge || got.Cache != record.CacheSemantic || got.Outcome != record.CacheHit || got.Semantic.Similarity != 912_345 || got.Attempts != 0 {
		t.Errorf("%+v", got)
	}
	if len(got.Savings) != 1 || got.Savings[0] != (record.Saving{Lever: record.LeverSemantic, Amount: first.Cost}) {
		t.Errorf("savings %+v", got.Savings)
	}
	if got.Usage.TotalInput() != 0 {
		t.Error("the hit counts as usage, and so as evidence of the provider's cache")
	}
}

// TestStreamAndWholeServeEachOther: what was answered whole is replayed as a stream, and
// the other way.
func TestStreamAndWholeServeEachOther(t *testing.T) {
	for _, first := range []string{"", `,"stream":true`} {
		second := map[string]string{"": `,"stream":true`, `,"stream":true`: ""}[first]
		w, _, _, _, calls := semanticWorld(t)
		w.ask(chatOf("what is the capital of France?", first))
		a, body := w.ask(chatOf("the capital of France, which is it?", second))
		if *calls != 1 || !strings.Contains(body, "answer 1") {
			t.Fatalf("%d calls, %s", *calls, body)
		}
		if streamed := strings.HasSuffix(strings.TrimSpace(body), "data: [DONE]"); streamed != (second != "") {
			t.Errorf("%s: %s", second, body)
		}
		if second == "" && !json.Valid([]byte(body)) || a.Status != 200 {
			t.Errorf("%d %s", a.Status, body)
		}
	}
}

// answered is the value of an answer's header.
func answered(a *Answer, name string) string {
	for _, h := range a.Header {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// TestOnlyKeysWithTheRightSeeThatAHitIsSemantic: to others it is a hit as any other.
func TestOnlyKeysWithTheRightSeeThatAHitIsSemantic(t *testing.T) {
	w, _, _, _, _ := semanticWorld(t)
	w.ask(chatOf("what is the capital of France?", ""))
	a, _ := w.ask(chatOf("the capital of France, which is it?", ""))
	if answered(a, "x-purser-cache") != "semantic" || answered(a, headerSimilarity) != "0.9123" || answered(a, headerEntry) != "0000000000000abc" || answered(a, "Age") == "" {
		t.Errorf("%+v", a.Header)
	}
	w.keys[sha("pk_good")] = keyed{&Principal{ID: "k1", Barred: TraceCache}, KeyActive}
	a, _ = w.ask(chatOf("the capital of France, which is it then?", ""))
	if answered(a, "x-purser-cache") != "hit" {
		t.Errorf("%+v", a.Header)
	}
	for _, h := range a.Header {
		if strings.Contains(strings.ToLower(h.Name), "semantic") {
			t.Errorf("%s is shown", h.Name)
		}
	}
}

func TestShadowOffAndBypassAskTheProvider(t *testing.T) {
	w, f, c, rules, calls := semanticWorld(t)
	w.ask(chatOf("what is the capital of France?", ""))
	rules.set.Mode = lever.SemanticShadow
	w.ask(chatOf("the capital of France, which is it?", ""))
	if *calls != 2 || c.last(t).Semantic.Verdict != record.SemanticWould {
		t.Fatalf("%d calls, %+v", *calls, c.last(t).Semantic)
	}
	rules.set.Mode = lever.SemanticServe
	asked := len(f.asked)
	w.ask(chatOf("which is the capital of France?", ""), "x-purser-cache", "bypass")
	rules.set.Mode = lever.SemanticOff
	w.ask(chatOf("tell me the capital of France?", ""))
	if *calls != 4 || len(f.asked) != asked {
		t.Errorf("%d calls, asked %d times more", *calls, len(f.asked)-asked)
	}
}

func TestAnswerThatIsGoneIsAMiss(t *testing.T) {
	w, f, c, _, calls := semanticWorld(t)
	w.ask(chatOf("what is the capital of France?", ""))
	clear(c.body)
	_, body := w.ask(chatOf("the capital of France, which is it?", ""))
	if *calls != 2 || f.gone != 1 || !strings.Contains(body, "answer 2") || c.last(t).Semantic.Reason != "answer_gone" {
		t.Errorf("%d calls, %d gone, %s, %+v", *calls, f.gone, body, c.last(t).Semantic)
	}
}

// TestAnswerThatIsTooOldForOneStaysForOthers: a request that takes only newer answers
// does not take the entry from those who take it.
func TestAnswerThatIsTooOldForOneStaysForOthers(t *testing.T) {
	w, f, c, _, calls := semanticWorld(t)
	w.ask(chatOf("what is the capital of France?", ""))
	w.ask(chatOf("the capital of France, which is it?", ""), "Cache-Control", "max-age=10")
	if *calls != 2 || f.gone != 0 || c.last(t).Semantic.Verdict != record.SemanticMiss || c.last(t).Semantic.Reason != "too_old" {
		t.Errorf("%d calls, %d gone, %+v", *calls, f.gone, c.last(t).Semantic)
	}
}

// TestAnAnswerThatCannotBeGivenIsNotReplaced: where the answer to a question that means
// the same cannot be told as a stream, the request makes one of its own, which is kept as
// that and not as the other's.
func TestAnAnswerThatCannotBeGivenIsNotReplaced(t *testing.T) {
	w, _, c, _, calls := semanticWorld(t)
	w.ask(chatOf("what is the capital of France?", ""))
	broken := &Cached{Body: []byte("no answer"), Model: "gpt-4o-mini"}
	for key := range c.body {
		c.body[key] = broken
	}
	w.ask(strings.Replace(chatOf("the capital of France, which is it?", ""), "{", `{"stream":true,`, 1))
	if *calls != 2 || len(c.body) != 2 {
		t.Fatalf("%d calls, %d answers", *calls, len(c.body))
	}
	kept := 0
	for _, e := range c.body {
		if e == broken {
			kept++
		}
	}
	if kept != 1 {
		t.Error("the answer to one question is kept as that to another")
	}
}

// landed is a flight that says how it ended.
type landed struct{ with *Fill }

func (l *landed) Land(f *Fill) { l.with = f }
func (l *landed) Abandon()     {}

// TestTheSameQuestionInFlightIsAskedOnce: whoever leads lands with the answer, and who
// follows gets it, without a call of its own.
func TestTheSameQuestionInFlightIsAskedOnce(t *testing.T) {
	w, f, c, _, calls := semanticWorld(t)
	lead := &landed{}
	f.flight = lead
	w.ask(chatOf("what is the capital of France?", ""))
	if *calls != 1 || lead.with == nil || !strings.Contains(string(lead.with.Answer.Body), "answer 1") {
		t.Fatalf("%d calls, landed with %+v", *calls, lead.with)
	}
	clear(f.answers)
	f.flight, f.shared = nil, lead.with.Answer
	_, body := w.ask(chatOf("What is the capital of  France?", ""))
	if got := c.last(t); *calls != 1 || !strings.Contains(body, "answer 1") || got.Cache != record.CacheShared || got.Outcome != record.Coalesced {
		t.Errorf("%d calls, %+v", *calls, got)
	}
}

func TestIsolationNeedsItsDimension(t *testing.T) {
	w, f, _, rules, calls := semanticWorld(t)
	rules.set.Isolation = lever.PerCustomer
	for i, customer := range []string{"a", "b", "a"} {
		w.ask(chatOf(fmt.Sprintf("question number %c", 'p'+i), ""), "x-purser-customer", customer)
	}
	if *calls != 2 {
		t.Errorf("%d calls, want one for each customer", *calls)
	}
	w.ask(chatOf("question of nobody", ""))
	if q := f.asked[len(f.asked)-1]; q.Why != "holder" || *calls != 3 {
		t.Errorf("%+v, %d calls", q, *calls)
	}
}

// TestContextsThatDifferNeverShare: 10,000 pairs of conversations that end with the same
// question. They have one scope only where all of what came before is equal, once it is
// in canonical form.
func TestContextsThatDifferNeverShare(t *testing.T) {
	w, f, _, _, _ := semanticWorld(t)
	w.gateway.seams.Cache = missing{} // nothing is answered from the exact cache
	random := rand.New(rand.NewPCG(10, 26))
	scope := func(c *talked) string {
		before := len(f.asked)
		if a, body := w.ask(c.body(random)); a.Status != 200 || len(f.asked) != before+1 {
			t.Fatalf("%d %s", a.Status, body)
		}
		q := f.asked[before]
		if q.Why != "" || q.Text != c.question {
			t.Fatalf("%q, %q of %s", q.Why, q.Text, c.body(random))
		}
		f.asked, f.answers = f.asked[:0], map[string][32]byte{}
		return scopeOf(&q)
	}
	const pairs = 10_000
	equal := 0
	for range pairs {
		a := randomChat(random)
		b := a.mutated(random)
		same := a.equal(b)
		if same {
			equal++
		}
		if got := scope(a) == scope(b); got != same {
			t.Fatalf("equal scopes: %v, equal contexts: %v\n%s\n%s", got, same, a.body(random), b.body(random))
		}
	}
	if equal < pairs/20 || equal > pairs/2 {
		t.Errorf("%d of %d pairs were equal: the test shows little", equal, pairs)
	}
}

// missing is a cache that has nothing.
type missing struct{}

func (missing) Key(CacheScope, []byte) (k [32]byte, since int64) { return k, 0 }
func (missing) Get([32]byte, CacheAsk) (*Cached, bool)           { return nil, false }
func (missing) Join(context.Context, [32]byte, CacheAsk) (Flight, *Cached, bool) {
	return nil, nil, false
}

// talked is a conversation that ends with a question.
type talked struct {
	turns       []string // user and assistant in turn, the first the user's
	system      string
	temperature string
	format      string
	question    string
}

func randomChat(r *rand.Rand) *talked {
	c := &talked{system: sentence(r), temperature: []string{"", "0", "0.5", "1"}[r.IntN(4)], question: "and what about the other one?"}
	for range 2 * r.IntN(3) {
		c.turns = append(c.turns, sentence(r))
	}
	if r.IntN(4) == 0 {
		c.format = `{"type":"json_object"}`
	}
	return c
}

func sentence(r *rand.Rand) string {
	words := []string{"yes", "no", "cancel", "it", "order", "1", "2", "please", "Ä", "\"", "\\", "\n"}
	var b strings.Builder
	for range 1 + r.IntN(4) {
		b.WriteString(words[r.IntN(len(words))] + " ")
	}
	return b.String()
}

// mutated is the same conversation, or one that differs in one place.
func (c *talked) mutated(r *rand.Rand) *talked {
	m := *c
	m.turns = slices.Clone(c.turns)
	switch r.IntN(7) {
	case 0, 1: // only the writing of it differs
	case 2:
		m.system = sentence(r)
	case 3:
		m.temperature = []string{"", "0", "0.5", "1"}[r.IntN(4)]
	case 4:
		m.turns = append(m.turns, sentence(r), sentence(r))
	case 5:
		if len(m.turns) > 0 {
			m.turns[r.IntN(len(m.turns))] = sentence(r)
		}
	case 6:
		if n := len(m.turns); n > 1 { // the same words, said by others
			m.turns[n-1], m.turns[n-2] = m.turns[n-2], m.turns[n-1]
		}
	}
	return &m
}

func (c *talked) equal(o *talked) bool {
	return c.system == o.system && c.temperature == o.temperature && c.format == o.format && slices.Equal(c.turns, o.turns)
}

// body writes the request: in an order of members, a spelling of numbers and white space
// that mean nothing, and as a stream or not.
func (c *talked) body(r *rand.Rand) string {
	text := func(s string) string {
		b, _ := json.Marshal(s)
		if r.IntN(2) == 0 {
			return strings.ReplaceAll(string(b), "e", `\u0065`)
		}
		return string(b)
	}
	message := func(role, s string) string {
		if r.IntN(2) == 0 {
			return fmt.Sprintf(`{"role":%q,"content":%s}`, role, text(s))
		}
		return fmt.Sprintf(`{ "content": %s, "role" :%q}`, text(s), role)
	}
	list := []string{message("system", c.system)}
	for i, s := range c.turns {
		list = append(list, message([]string{"user", "assistant"}[i%2], s))
	}
	list = append(list, message("user", c.question))
	members := []string{`"model":"gpt-4o-mini"`, `"messages":[` + strings.Join(list, ",") + `]`}
	if c.temperature != "" {
		members = append(members, `"temperature":`+map[string]string{"0": "0.0", "0.5": "5e-1", "1": "1.00"}[c.temperature])
	}
	if c.format != "" {
		members = append(members, `"response_format":`+c.format)
	}
	if r.IntN(2) == 0 {
		members = append(members, `"user":"`+fmt.Sprint(r.IntN(9))+`"`)
	}
	r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	return "{" + strings.Join(members, ", ") + "}"
}

// TestAnAnswerThatCannotBeReplayedIsNotWrittenOver: the request makes one, under its own
// key and not that of the other question.
func TestAnAnswerThatCannotBeReplayedIsNotWrittenOver(t *testing.T) {
	w, _, c, _, calls := semanticWorld(t)
	w.ask(question)
	if len(c.body) != 1 {
		t.Fatalf("%d answers are kept", len(c.body))
	}
	for _, e := range c.body {
		e.Body = []byte(`{"choices":3}`)
	}
	other := strings.Replace(question, "hello", "good day", 1)
	if other == question {
		t.Fatal("one question")
	}
	a, got := w.ask(strings.Replace(other, `{"model"`, `{"stream":true,"model"`, 1))
	if a.Status != 200 || *calls != 2 || !strings.Contains(got, "answer 2") || len(c.body) != 2 || c.last(t).Semantic.Reason != "not_replayed" {
		t.Errorf("%d %s: %d calls, %d answers, %+v", a.Status, got, *calls, len(c.body), c.last(t).Semantic)
	}
}
