package planted

import (
	"fmt"
	"strings"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// handbook is instructions of about so many tokens, and how many the provider counts: text
// has a little more or less than four bytes to a token.
func (w *world) handbook(of string, tokens int64) (string, int64) {
	var b strings.Builder
	for n := 0; int64(b.Len()) < 4*tokens; n++ {
		fmt.Fprintf(&b, "%s rule %d: %s the %s before you %s the %s, %s. ", of, n, w.one(doings), w.one(topics), w.one(doings), w.one(topics), w.one(extras))
	}
	return b.String(), int64(float64(b.Len()) / (3.8 + 0.5*w.rand.Float64()))
}

// agents run, and some get stuck.
func (w *world) agents() {
	for i := range 4 {
		coder := caller{org: "acme", key: "acme-agents", agent: fmt.Sprintf("coder-%d", i), model: "claude-sonnet-4-5"}
		coder.system, coder.tokens = w.handbook(coder.agent, w.between(3000, 9000))
		for range 15 {
			w.runs(coder, "good: a run whose beginning is cached", true, seconds(60))
			w.runs(coder, "a run whose beginning is not cached", false, seconds(60))
			w.runs(coder, "good: a run too slow for the cache", false, seconds(500))
			w.stuck(coder)
			w.polls(coder)
		}
		w.serial++
		brief := coder
		brief.agent, brief.tokens = coder.agent+"-brief", 0
		brief.system = "You fix one thing at a time, number " + fmt.Sprint(w.serial)
		for range 10 {
			w.runs(brief, "good: a run with a short beginning", false, seconds(30))
		}
	}
	w.bookings()
}

// step is what an agent says next of its run.
func (w *world) step(n int) []turn {
	w.serial++
	return []turn{{"assistant", fmt.Sprintf("step %d: open file_%d.go and look at line %d", n, w.serial, w.between(1, 900))},
		{"user", fmt.Sprintf("file_%d.go: %s %s %d", w.serial, w.one(doings), w.one(topics), w.between(1, 1<<30))}}
}

// runs is one run. Its steps are pause apart, or more.
func (w *world) runs(a caller, kind string, cached bool, pause ledger.Instant) {
	at, run := w.sometime(), w.run(a.agent)
	turns := []turn{{"user", w.asks()}}
	// A beginning of the run's own: what other runs do is another story.
	a.system = "session " + run + ". " + a.system
	for n := range int(w.between(4, 12)) {
		p := w.send(kind, request{caller: a, at: at, run: run, turns: turns, output: w.between(80, 300), refined: func(r *record.Record) {
			if cached {
				to := price.CacheRead
				if n == 0 {
					to = price.CacheWrite5m
				}
				r.Usage[to], r.Usage[price.InputText] = a.tokens, r.Usage[price.InputText]-a.tokens
			}
		}})
		if kind == "a run whose beginning is not cached" && n > 0 {
			p.wasted("uncached_context", w.less(p, func(u *price.Usage) { u[price.CacheRead], u[price.InputText] = a.tokens, u[price.InputText]-a.tokens }))
		}
		at += pause + seconds(w.between(5, 60))
		turns = append(turns, w.step(n)...)
	}
}

// stuck is a run that gets nowhere.
func (w *world) stuck(a caller) {
	a.tokens, a.system = 0, "You book rooms. Do what you are told."
	at, run := w.sometime(), w.run(a.agent)
	turns := []turn{{"user", w.asks()}}
	switch w.rand.IntN(3) {
	case 0: // the same call, answered each time
		for n := range int(w.between(4, 9)) {
			p := w.send("stuck: the same call", request{caller: a, at: at, run: run, turns: turns})
			if n == 1 {
				p.whole("exact_repeat")
			} else if n > 1 {
				p.whole("retry_loop")
			}
			at += seconds(w.between(5, 60))
		}
	case 1: // the same call, which fails
		for n := range int(w.between(4, 9)) {
			p := w.send("stuck: a call that fails", request{caller: a, at: at, run: run, turns: turns})
			p.fail(record.UpstreamError)
			if n < 2 {
				p.whole("failed")
			} else {
				p.whole("retry_loop")
			}
			at += seconds(w.between(5, 60))
		}
	default: // the same step, in a conversation that grows: the rule about loops sees it
		for n := range int(w.between(7, 14)) {
			p := w.send("stuck: the same step", request{caller: a, at: at, run: run, turns: turns, refined: func(r *record.Record) {
				if n >= 5 {
					r.Rulings = []record.Ruling{{Policy: "loop/default", Rule: "repeat", Effect: record.PolicyWarned}}
				}
			}})
			if n >= 5 {
				p.whole("retry_loop")
			}
			turns = append(turns, turn{"assistant", "list the rooms"}, turn{"user", "no rooms"})
			at += seconds(w.between(5, 60))
		}
	}
}

// polls looks whether something has changed, and it has. Money goes fast meanwhile.
func (w *world) polls(a caller) {
	a.tokens, a.system = 0, "You watch builds and say what is to be done."
	at, run, done := w.sometime(), w.run(a.agent), int64(0)
	for n := range int(w.between(4, 10)) {
		done += w.between(1, 9)
		w.send("good: a poll that changes", request{caller: a, at: at, run: run, turns: []turn{{"user", fmt.Sprintf("build %s is at %d of 99 steps", run, done)}}, refined: func(r *record.Record) {
			if n > 2 {
				r.Rulings = []record.Ruling{{Policy: "loop/default", Rule: "burn", Effect: record.PolicyWarned}}
			}
		}})
		at += seconds(w.between(20, 60))
	}
}

// bookings are runs of which most are reported on, and runs of an agent of which none is.
func (w *world) bookings() {
	booker := caller{org: "globex", key: "globex-agents", agent: "booker", model: "gpt-4.1", system: "You book journeys."}
	silent := booker
	silent.agent = "explorer"
	for range 200 {
		w.books(booker, "good: a run with an outcome", w.sometime(), true)
	}
	for range 12 {
		w.books(booker, "a run without an outcome", w.sometime(), false)
		w.books(booker, "good: a run whose outcome is not there yet", Now-seconds(w.between(3600, 20*3600)), false)
	}
	for range 60 {
		w.books(silent, "good: a run of which nobody reports", w.sometime(), false)
	}
}

func (w *world) books(a caller, kind string, at ledger.Instant, reported bool) {
	run, success := w.run(a.agent), w.chance(0.8)
	turns := []turn{{"user", w.asks()}}
	for n := range int(w.between(2, 5)) {
		p := w.send(kind, request{caller: a, at: at, run: run, turns: turns})
		if reported {
			p.report(success)
		} else if kind == "a run without an outcome" {
			p.whole("no_outcome")
		}
		turns = append(turns, w.step(n)...)
		at += seconds(w.between(10, 200))
	}
}
