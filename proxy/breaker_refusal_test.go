package proxy

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"purser/ledger"
	"purser/proxy/loop"
)

// TestABudgetsBreakerRefuses: an open one is as final as a spent budget, in each
// dialect; one that is half open is a reason to come again.
func TestABudgetsBreakerRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		trip          Trip
		status        int
		code, breaker string
		final         bool
	}{
		"open":      {Trip{Cause: "operator", Reason: "incident 7", Since: 1_790_000_000 * ledger.Second}, 402, "insufficient_quota", "open", true},
		"half open": {Trip{HalfOpen: true, Cause: "rate", Since: 1_790_000_000 * ledger.Second}, 429, "concurrency_limit_exceeded", "half_open", false},
	} {
		w := newWorld(t, unasked(t), nil)
		w.purse.refuse = Refusal{Account: ledger.AccountKey{Budget: "b"}, Unit: ledger.USD, Window: ledger.Total, ResetsAt: ledger.MaxInstant, Trip: &c.trip}
		for _, call := range asked {
			a, body := w.send("POST", call.path, call.body)
			if a.Status != c.status || w.last().Code != c.code || sent(a, "x-purser-budget-breaker") != c.breaker ||
				(sent(a, "x-should-retry") == "false") != c.final || (sent(a, "retry-after") != "") == c.final {
				t.Errorf("%s, %s: %d %s %v", name, call.name, a.Status, w.last().Code, a.Header)
			}
			if c.final && !strings.Contains(body, "incident 7") || !strings.Contains(body, "since 2026-09-2") {
				t.Errorf("%s, %s says %s", name, call.name, body)
			}
		}
		_, body := w.ask(question)
		if gjson.Get(body, "error.budget.breaker.state").Str != c.breaker || gjson.Get(body, "error.budget.breaker.cause").Str != c.trip.Cause ||
			gjson.Get(body, "error.budget.breaker.until").Type != gjson.Null || gjson.Get(body, "error.budget.breaker.since").Int() != 1_790_000_000 {
			t.Errorf("%s: %s", name, body)
		}
		_, body = w.ask(question, "User-Agent", "opencode/1.18.33")
		if strings.ContainsAny(gjson.Get(body, "error.message").Str, "0123456789") && c.final {
			t.Errorf("opencode is told %s", body)
		}
	}
}

// looping is rules with one about loops, and what it finds.
type looping struct {
	noRules
	rule  *loop.Rule
	found loop.Found
	left  []bool // whether each request that ended was answered
	told  int
}

func (l *looping) Rules() (Rules, error)              { return l, nil }
func (l *looping) Loop(*ledger.Dimensions) *loop.Rule { return l.rule }
func (l *looping) Tell(loop.Found)                    { l.told++ }
func (l *looping) Enter(_ *loop.Rule, s loop.Subject, _ loop.Evidence, _ ledger.Instant) (loop.Visit, loop.Found) {
	f := l.found
	f.Subject = s
	return loop.Visit{}, f
}
func (l *looping) Leave(_ loop.Visit, answered bool, _ ledger.Amount, _ ledger.Instant) {
	l.left = append(l.left, answered)
}

// TestALoopIsRefusedOrTold: as the rule says, and of runs and sessions alone.
func TestALoopIsRefusedOrTold(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	rule, err := (&loop.Spec{}).Rule("agents")
	if err != nil {
		t.Fatal(err)
	}
	l := &looping{rule: rule, found: loop.Found{Rule: "agents", Why: loop.Repeat, Times: 9, First: true, Until: 1_790_000_600 * ledger.Second}}
	w.gateway.seams.Rules, w.gateway.seams.Loops = l, l
	if a, body := w.ask(question); a.Status != 200 || sent(a, headerLoop) != "" {
		t.Errorf("of no run: %d %s", a.Status, body)
	}
	if a, body := w.ask(question, "x-purser-run", "r1"); a.Status != 200 || sent(a, headerLoop) != "repeat" || l.told != 1 {
		t.Errorf("watched: %d %v %s", a.Status, a.Header, body)
	}
	l.found.Enforce, l.found.First = true, false
	for agent, status := range map[string]int{"": 402, "codex_cli_rs/0.169.0": 429} {
		a, body := w.ask(question, "x-purser-session", "s1", "User-Agent", agent)
		if a.Status != status || sent(a, "x-should-retry") != "false" || w.last().Code != "loop_detected" || !strings.Contains(body, "this session was stopped: it made the same step 9 times") {
			t.Errorf("%q, enforced: %d %v %s", agent, a.Status, a.Header, body)
		}
	}
	if _, body := w.ask(question, "x-purser-session", "s1", "User-Agent", "opencode/1.18.33"); strings.ContainsAny(gjson.Get(body, "error.message").Str, "0123456789") {
		t.Errorf("opencode is told %s", body)
	}
	if len(l.left) != 5 || !l.left[1] || l.left[2] || l.told != 1 {
		t.Errorf("ended: %v, told %d times", l.left, l.told)
	}
}
