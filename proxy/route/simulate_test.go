package route

import (
	"strings"
	"testing"

	"purser/ledger"
	"purser/proxy/price"
)

// TestSimulationPricesRequestsOfThePast at each candidate, and moves with a budget.
func TestSimulationPricesRequestsOfThePast(t *testing.T) {
	large, _ := price.Embedded().Find("openai", "gpt-4o", 1_790_000_000*ledger.Second)
	small, _ := price.Embedded().Find("openai", "gpt-4o-mini", 1_790_000_000*ledger.Second)
	if large == nil || small == nil {
		t.Fatal("the catalogue has no prices for the test")
	}
	rates := []*price.Rate{large, small, nil}
	run := func(spec Spec, budget ledger.Amount, lines ...string) Simulated {
		t.Helper()
		s, err := NewSimulation(made(t, spec), rates, budget)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			a, err := ReadAsked([]byte(line))
			if err != nil {
				t.Fatal(err)
			}
			s.Add(a)
		}
		return s.Report()
	}
	const line = `{"input_tokens":1000,"cached_tokens":400,"output_tokens":100}`
	one := run(Spec{Strategy: Cheapest, Candidates: of("large", "small", "unpriced")}, 0, line)
	var u price.Usage
	u[price.InputText], u[price.CacheRead], u[price.OutputText] = 600, 400, 100
	dear, cheap := large.Cost(&u, price.Standard), small.Cost(&u, price.Standard)
	if one.Requests != 1 || one.Unserved != 0 || one.Cost != cheap || one.Of[0] != (SimulatedCandidate{"large", 0, 0, dear}) || one.Of[1] != (SimulatedCandidate{"small", 1, cheap, cheap}) || one.Of[2] != (SimulatedCandidate{Name: "unpriced"}) {
		t.Errorf("%+v, large costs %d and small %d", one, dear, cheap)
	}
	many := strings.Split(strings.Repeat(line+"\n", 199)+line, "\n")
	free := run(Spec{Strategy: BudgetAware, Candidates: of("large", "small", "unpriced")}, 0, many...)
	tight := run(Spec{Strategy: BudgetAware, Candidates: of("large", "small", "unpriced")}, 100*dear, many...)
	if free.Of[0].Led != 200 || tight.Of[0].Led < 80 || tight.Of[0].Led > 100 || tight.Of[0].Led+tight.Of[1].Led != 200 || tight.Cost != tight.Of[0].Cost+tight.Of[1].Cost {
		t.Errorf("%+v, with a budget %+v", free, tight)
	}
	rules := run(Spec{Strategy: Rules, Candidates: []Candidate{{Model: "large", When: `dims.team == "search" && request.tools > 0`}, {Model: "small"}, {Model: "c", When: "false"}}}, 0,
		`{"at":"2026-09-21T14:13:20.1Z","dimensions":{"team":"search","tag:job":"x"},"usage":{"input":10,"output":5},"tools":2}`, `{"timestamp":27,"input_length":10,"output_length":5,"hash_ids":[1]}`)
	if rules.Of[0].Led != 1 || rules.Of[1].Led != 1 {
		t.Errorf("%+v", rules)
	}
	for _, s := range []Spec{{Strategy: Fastest, Candidates: of("a")}, {Strategy: Learned, Learner: "l", Candidates: of("a")}} {
		if _, err := NewSimulation(made(t, s), nil, 0); err == nil {
			t.Errorf("%s can be simulated", s.Strategy)
		}
	}
}

// TestBadTraces are refused with what is wrong with them.
func TestBadTraces(t *testing.T) {
	for line, says := range map[string]string{
		`{`:                                     "it is no request",
		`{}`:                                    "nothing of tokens",
		`{"input_tokens":-1,"output_tokens":5}`: "no number of tokens",
		`{"input_tokens":5,"cached_tokens":6}`:  "no number of tokens",
		`{"usage":{"moon":3}}`:                  `"moon" is no meter`,
		`{"input_tokens":5,"dimensions":{"x":""}}`: `"x" is none`,
		`{"input_tokens":5,"at":"yesterday"}`:      "at is no time",
	} {
		if _, err := ReadAsked([]byte(line)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// FuzzReadAsked: a trace is a file of whoever runs the command, and any line of it is a
// request or an error.
func FuzzReadAsked(f *testing.F) {
	f.Add([]byte(`{"input_tokens":1000,"cached_tokens":400,"output_tokens":100,"tools":1,"needs":["images"]}`))
	f.Add([]byte(`{"at":"2026-09-21T14:13:20Z","usage":{"input":10,"output":5},"dimensions":{"tag:a":"b"}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		a, err := ReadAsked(line)
		if err != nil {
			return
		}
		for _, n := range a.Usage {
			if n < 0 || n > maxTokens {
				t.Errorf("%d tokens", n)
			}
		}
	})
}
