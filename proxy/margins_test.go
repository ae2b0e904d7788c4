package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"purser/ledger"

	"pgregory.net/rapid"
)

// TestAMarginCoversWhatWasBilled: whatever has been billed, the same call holds it
// next time, or a step more than it did, or is refused; and nothing makes calls hold
// less again.
func TestAMarginCoversWhatWasBilled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m margins
		k := marginKey{"up", "rate"}
		amount := rapid.Int64Range(1, 1<<40)
		for range rapid.IntRange(1, 8).Draw(t, "calls") {
			before := m.of(k)
			bound := Claim{ledger.Amount(amount.Draw(t, "usd")), ledger.Amount(amount.Draw(t, "tokens"))}
			used := margin(rapid.IntRange(0, int(before)).Draw(t, "used")) // others may have raised it meanwhile
			held := used.claim(bound)
			cost := Claim{ledger.Amount(amount.Draw(t, "cost")), ledger.Amount(amount.Draw(t, "billed"))}
			if covers(0, held, cost) {
				continue
			}
			now, raised := m.overran(k, used, held, cost)
			if now != m.of(k) || now < before || raised != (now > before) {
				t.Fatalf("from %d to %d, raised %v; known %d", before, now, raised, m.of(k))
			}
			if now <= maxMargin && now < used+maxStep && !covers(0, now.claim(bound), cost) {
				t.Fatalf("bound %+v, doubled %d times, does not cover %+v", bound, now, cost)
			}
		}
	})
}

func TestMarginsStopAtTheLargestAmount(t *testing.T) {
	if c := maxMargin.claim(Claim{USD: ledger.MaxAmount / 3, Tokens: 5}); c.USD != ledger.MaxAmount || c.Tokens != 5<<maxMargin {
		t.Errorf("%+v", c)
	}
}

func TestMarginsAtOnce(t *testing.T) {
	var m margins
	var calls sync.WaitGroup
	for i := range 64 {
		calls.Go(func() {
			k := marginKey{"up", fmt.Sprint(i % 8)}
			m.overran(k, 0, Claim{USD: 10}, Claim{USD: ledger.Amount(11 + 10*i)})
			m.of(k)
		})
	}
	calls.Wait()
	for i := range 8 {
		if at := m.of(marginKey{"up", fmt.Sprint(i)}); at != maxStep { // none of them held more than its bound
			t.Errorf("%d is doubled %d times", i, at)
		}
	}
}

// TestAnUpstreamThatBillsBeyondTheBound: the call is settled in full; the next of
// that model holds what it takes, of another does not; beyond the largest margin
// nothing more is sent.
func TestAnUpstreamThatBillsBeyondTheBound(t *testing.T) {
	var completion, sent int
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		sent++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"id":"c","object":"chat.completion","model":"m","service_tier":"default","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"length"}],"usage":{"prompt_tokens":8,"completion_tokens":%d}}`, completion)
	}, nil)
	const body = `{"model":"gpt-4o-mini","max_completion_tokens":100,"service_tier":"default","messages":[{"role":"user","content":"hello"}]}`
	completion = 100
	w.ask(body)
	bound := w.last().Hold
	for _, step := range []struct {
		billed int
		times  ledger.Amount // of the bound, that the call holds
		over   bool
	}{{250, 1, true}, {250, 4, false}, {395, 4, false}, {100, 4, false}, {2000, 4, true}, {2000, 16, true}, {2000, 32, false}, {20_000, 32, true}} {
		completion = step.billed
		w.ask(body)
		r := w.last()
		if r.Hold != step.times*bound || (r.Overrun > 0) != step.over || r.Cost-r.Overrun > r.Hold || w.purse.held[len(w.purse.held)-1] != r.Hold {
			t.Errorf("%+v: hold %d of bound %d, cost %d, overrun %d", step, r.Hold, bound, r.Cost, r.Overrun)
		}
	}
	before := sent
	if a, answer := w.ask(body); a.Status != 400 || !strings.Contains(answer, "cost_not_bounded") || sent != before {
		t.Errorf("%d %s", a.Status, answer)
	}
	completion = 10
	if a, _ := w.ask(strings.Replace(body, "gpt-4o-mini", "gpt-4.1-mini", 1)); a.Status != 200 || w.last().Hold > 4*bound {
		t.Errorf("another model: %d, hold %d", a.Status, w.last().Hold)
	}
}
