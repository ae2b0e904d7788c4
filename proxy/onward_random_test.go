package proxy

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/lever"
	"purser/proxy/upstream"
)

// endings are how an upstream may end an attempt.
var endings = []string{"well", "500", "502", "429", "401", "400", "too long", "hang up", "broken off", "no usage"}

func endAs(w http.ResponseWriter, how string, messages bool) {
	switch how {
	case "well":
		if messages {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"id":"m","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","usage":{"input_tokens":10,"cache_creation_input_tokens":1000,"cache_read_input_tokens":300,"output_tokens":5}}`)
			return
		}
		answerJSON(w, nil)
	case "500", "502", "429", "401", "400":
		var status int
		_, _ = fmt.Sscan(how, &status)
		sayingNo(status, openaiError)(w, "")
	case "too long":
		sayingNo(400, `{"error":{"message":"prompt is too long"}}`)(w, "")
	case "hang up":
		hangingUp(w, "")
	case "broken off":
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, `{"id":`)
	case "no usage":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id":"c","type":"message","model":"m","content":[],"choices":[]}`)
	}
}

// TestNothingIsLostOnTheWay: however the candidates of a route end, with whatever budget,
// levers and cache: every hold ends once, what was spent is what the records say, each
// record's savings are what its baseline is above its cost, and each flight lands once.
func TestNothingIsLostOnTheWay(t *testing.T) {
	var script atomic.Pointer[[]string]
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		how := "well"
		if left := *script.Load(); len(left) > 0 {
			rest := left[1:]
			how = left[0]
			script.Store(&rest)
		}
		endAs(rw, how, strings.HasSuffix(r.URL.Path, "/messages"))
	}, nil)
	v := &routedWorld{world: w}
	w.gateway.policy.Base, w.gateway.policy.MaxWait = time.Microsecond, time.Microsecond
	w.gateway.upstreams[0].CacheKey = true
	w.gateway.upstreams[1].CacheMarks = []string{"*"}
	seen := map[string]bool{}
	const rounds = 150
	dice := rand.New(rand.NewPCG(6, 38))
	coin := func() bool { return dice.IntN(2) == 0 }
	for id := range rounds {
		w.gateway.breakers, w.gateway.cooldowns = upstream.NewBreakers(upstream.DefaultBreaker()), upstream.NewCooldowns()
		ends := make([]string, dice.IntN(7))
		for i := range ends {
			ends[i] = endings[dice.IntN(len(endings))]
		}
		script.Store(&ends)
		v.routes(`{"max_attempts":2,"retry_on":["error","rate_limit","unavailable","context_length","budget","timeout"],"baseline":"gpt-4o@up","candidates":[{"model":"claude-haiku-4-5","upstream":"ant"},{"model":"gpt-4o","upstream":"up"},{"model":"claude-sonnet-4-5","upstream":"ant"}]}`)
		specs := map[string]lever.Spec{}
		for _, model := range []string{"claude-haiku-4-5", "gpt-4o", "claude-sonnet-4-5"} {
			specs[model] = lever.Spec{
				Compression: &lever.CompressionSpec{Level: []string{"off", "near_lossless"}[dice.IntN(2)]},
				PromptCache: &lever.PromptCacheSpec{Mode: []string{"off", "coordinate"}[dice.IntN(2)]},
				Cache:       &lever.CacheSpec{Stale: "1m"},
			}
		}
		v.levers(specs)
		cache := flown{fakeCache{}, new([]CacheAsk), new([]*Fill), coin()}
		w.gateway.seams.Cache, w.gateway.seams.Journal = cache, filling{w.journal, cache.fakeCache}
		w.journal.records = nil
		w.purse.spent, w.purse.free = 0, []ledger.Amount{0, 1_000_000, 3_000_000, 8_000_000, 30_000_000, 1 << 40}[dice.IntN(6)]
		w.purse.refuse = Refusal{}
		if dice.IntN(10) == 0 {
			w.purse.refuse = Refusal{Unit: ledger.Requests, Window: ledger.PerMinute, ResetsAt: ledger.MaxInstant}
		}
		asks := 1 + dice.IntN(3)
		for range asks {
			if coin() {
				for _, e := range cache.fakeCache {
					e.Stale = true
				}
			}
			body := strings.Replace(twice["/v1/chat/completions"], `{"model":"gpt-4o"`, `{"max_completion_tokens":50,"model":"smart"`, 1)
			w.ask(strings.Replace(body, `{"role":"user","content":"go"}`, fmt.Sprintf(`{"role":"system","content":%q},{"role":"user","content":"go %d"}`, manual, id), 1))
		}
		if n := w.purse.outstanding(); n != 0 {
			t.Fatalf("round %d, %q: %d holds did not end", id, ends, n)
		}
		var cost ledger.Amount
		for _, r := range w.journal.records {
			cost += r.Cost
			seen["a charged failure"] = seen["a charged failure"] || r.Basis == record.FullHold
			seen["marks"] = seen["marks"] || r.Shape.Breakpoints > 0 && r.Outcome == record.Completed
			seen["compression"] = seen["compression"] || r.Shape.After < r.Shape.Before && r.Outcome == record.Completed
			seen["another candidate"] = seen["another candidate"] || r.Dims.Values[ledger.DimModel] != "claude-haiku-4-5" && r.Outcome == record.Completed
			seen["a stale answer"] = seen["a stale answer"] || r.Cache == record.CacheStale
			seen["a refusal"] = seen["a refusal"] || r.Outcome == record.Refused
			sum := r.Cost
			for _, s := range r.Savings {
				sum += s.Amount
			}
			if sum != r.Baseline {
				t.Fatalf("round %d, %q: the baseline is %d, not %d: %+v", id, ends, r.Baseline, sum, r)
			}
			if r.Basis == record.FullHold && (len(r.Savings) > 0 || r.Cost != r.Hold) {
				t.Fatalf("%+v", r)
			}
			if hit := r.Cache == record.CacheStale || r.Cache == record.CacheServed; hit && (len(r.Savings) != 1 || r.Shape != (record.Shape{})) {
				t.Fatalf("a hit with %+v, %+v", r.Savings, r.Shape)
			}
		}
		if cost != w.purse.spent {
			t.Fatalf("round %d, %q: the records say %d, the purse %d", id, ends, cost, w.purse.spent)
		}
		if len(*cache.landed) > len(w.journal.records) {
			t.Fatalf("%d landings of %d records", len(*cache.landed), len(w.journal.records))
		}
	}
	for _, what := range []string{"a charged failure", "marks", "compression", "another candidate", "a stale answer", "a refusal"} {
		if !seen[what] {
			t.Errorf("there was not %s among them", what)
		}
	}
}
