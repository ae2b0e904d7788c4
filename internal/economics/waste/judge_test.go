package waste_test

import (
	"fmt"
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"purser/internal/economics"
	"purser/internal/economics/waste"
	"purser/internal/economics/waste/planted"
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

const minute = ledger.Minute

// told is a record with what was reported of it.
type told struct {
	record.Record
	economics.Evidence
}

// asked is a call of gpt-4.1 that was answered, at a minute of a day long ago.
func asked(at ledger.Instant, change func(*told)) told {
	t := told{}
	r := &t.Record
	r.At = planted.Now - 10*ledger.Day + at
	r.ID = record.FirstID(r.At).String()
	r.Model, r.Upstream, r.Outcome, r.Basis, r.Attempt, r.Attempts = "gpt-4.1", "openai", record.Completed, record.Reported, 1, 1
	r.Usage[price.InputText], r.Usage[price.OutputText] = 1000, 200
	r.Made, r.Delivered, r.Total, r.FirstByte = 800, 800, int64(2*ledger.Second), int64(ledger.Second)
	r.Gist, r.Fingerprint, r.Prefix = 0xabcdef, 7, 0xff00<<12
	r.Dims.Values[ledger.DimModel], r.Dims.Values[ledger.DimKey] = r.Model, "k1"
	if change != nil {
		change(&t)
	}
	if rate, ok := price.Embedded().Find("openai", r.Model, r.At); ok && r.Cost == 0 {
		r.Cost = rate.Cost(&r.Usage, price.Standard)
		r.Priced = r.Cost
	}
	return t
}

// verdicts are what becomes of some calls; parts are copies.
func verdicts(list []told) (out []waste.Verdict) {
	s := waste.NewSurvey(waste.Default(planted.Now), catalogue{price.Embedded()})
	for i := range list {
		s.Add(&list[i].Record, list[i].Evidence)
	}
	j := waste.NewJudge(s)
	for i := range list {
		v := j.Decide(&list[i].Record, list[i].Evidence)
		v.Parts = append([]waste.Part(nil), v.Parts...)
		out = append(out, v)
	}
	return out
}

// classOf is the class that takes all of a cost, None where nothing is taken.
func classOf(t *testing.T, v waste.Verdict) waste.Class {
	t.Helper()
	switch {
	case len(v.Parts) == 0:
		return waste.None
	case len(v.Parts) == 1 && v.Justified == 0:
		return v.Parts[0].Class
	}
	t.Fatalf("not one class alone: %+v", v)
	return 0
}

func TestRepeats(t *testing.T) {
	near := func(t *told) { t.Fingerprint, t.Gist = 8, t.Gist^1<<40 }
	for name, c := range map[string]struct {
		first, second func(*told)
		after         ledger.Instant
		want          waste.Class
	}{
		"the same":                       {nil, nil, minute, waste.ExactRepeat},
		"the same, without a cache's":    {func(t *told) { t.Fingerprint = 0 }, func(t *told) { t.Fingerprint = 0 }, minute, waste.ExactRepeat},
		"nearly the same":                {nil, near, minute, waste.NearRepeat},
		"two bits":                       {nil, func(t *told) { t.Fingerprint, t.Gist = 8, t.Gist^1<<40^1<<3 }, minute, waste.NearRepeat},
		"three bits":                     {nil, func(t *told) { t.Fingerprint, t.Gist = 8, t.Gist^1<<40^1<<3^1<<60 }, minute, waste.None},
		"other instructions":             {nil, func(t *told) { near(t); t.Prefix++ }, minute, waste.None},
		"another model":                  {nil, func(t *told) { near(t); t.Model = "gpt-4.1-mini"; t.Dims.Values[ledger.DimModel] = t.Model }, minute, waste.None},
		"after the hour":                 {nil, nil, 61 * minute, waste.None},
		"on purpose":                     {func(t *told) { t.Gist = 0 }, func(t *told) { t.Gist = 0 }, minute, waste.None},
		"of an answer that nobody got":   {func(t *told) { t.Delivered = 0 }, nil, minute, waste.None},
		"of an answer that was cut":      {func(t *told) { t.OutputCap = 200 }, nil, minute, waste.None},
		"of a call that failed for free": {func(t *told) { t.Outcome, t.Basis, t.Cost = record.UpstreamError, record.NoCharge, -1 }, nil, minute, waste.None},
		"that the semantic cache saw":    {func(t *told) { t.Gist = 0 }, func(t *told) { t.Gist, t.Semantic.Verdict = 0, record.SemanticWould }, minute, waste.NearRepeat},
		"to learn from":                  {func(t *told) { t.Gist = 0 }, func(t *told) { t.Gist, t.Semantic.Verdict = 0, record.SemanticExplored }, minute, waste.None},
	} {
		t.Run(name, func(t *testing.T) {
			list := []told{asked(0, c.first), asked(c.after, c.second)}
			list[0].Cost = max(list[0].Cost, 0)
			v := verdicts(list)
			if got := classOf(t, v[1]); got != c.want {
				t.Errorf("%v", got)
			}
			if c.want == waste.ExactRepeat && v[1].Parts[0].Of != list[0].ID {
				t.Errorf("of %q", v[1].Parts[0].Of)
			}
		})
	}
}

// A cache would not have had the answer any more, though somebody was given it since.
func TestAnAnswerIsAsOldAsItIs(t *testing.T) {
	v := verdicts([]told{asked(0, nil), asked(50*minute, nil), asked(70*minute, nil), asked(80*minute, nil)})
	for i, want := range []waste.Class{waste.None, waste.ExactRepeat, waste.None, waste.ExactRepeat} {
		if got := classOf(t, v[i]); got != want {
			t.Errorf("call %d: %v", i, got)
		}
	}
}

func TestLoops(t *testing.T) {
	run := func(t *told) { t.Dims.Values[ledger.DimRun] = "r1" }
	ruled := func(policy, rule string) func(*told) {
		return func(t *told) { t.Rulings = []record.Ruling{{Policy: policy, Rule: rule, Effect: record.PolicyWarned}} }
	}
	fails := func(t *told) {
		run(t)
		t.Outcome, t.Basis, t.Made, t.Delivered = record.UpstreamError, record.FullHold, 0, 0
	}
	v := verdicts([]told{asked(0, run), asked(minute, run), asked(2*minute, run), asked(30*minute, run)})
	for i, want := range []waste.Class{waste.None, waste.ExactRepeat, waste.RetryLoop, waste.ExactRepeat} {
		if got := classOf(t, v[i]); got != want {
			t.Errorf("the same call %d: %v", i, got)
		}
	}
	v = verdicts([]told{asked(0, fails), asked(minute, fails), asked(2*minute, fails)})
	for i, want := range []waste.Class{waste.Failed, waste.Failed, waste.RetryLoop} {
		if got := classOf(t, v[i]); got != want {
			t.Errorf("the failing call %d: %v", i, got)
		}
	}
	v = verdicts([]told{asked(0, ruled("loop/r", "cycle")), asked(200*minute, ruled("loop/r", "burn")), asked(400*minute, ruled("spend", "cycle"))})
	for i, want := range []waste.Class{waste.RetryLoop, waste.None, waste.None} {
		if got := classOf(t, v[i]); got != want {
			t.Errorf("ruling %d: %v", i, got)
		}
	}
}

// What is not a request is neither waste nor judged, and in the total.
func TestOtherKindsAreJustified(t *testing.T) {
	for _, k := range []record.Kind{record.KindCorrection, record.KindAdjustment, record.KindPresumed} {
		for _, cost := range []ledger.Amount{-500, 500} {
			r := asked(0, func(t *told) { t.Kind, t.Cost, t.Outcome = k, cost, 0 })
			if v := verdicts([]told{r}); len(v[0].Parts) != 0 || v[0].Justified != cost || v[0].Standing != waste.Unjudged {
				t.Errorf("%v of %d: %+v", k, cost, v[0])
			}
		}
	}
}

func TestStandingOfTheRest(t *testing.T) {
	for want, e := range map[waste.Standing]economics.Evidence{
		waste.Unjudged: {}, waste.Confirmed: {Successes: 1, Failures: 1}, waste.Fruitless: {Failures: 2},
	} {
		if v := verdicts([]told{asked(0, func(t *told) { t.Evidence = e })}); v[0].Standing != want {
			t.Errorf("%+v: %v", e, v[0].Standing)
		}
	}
}

// TestEveryNanoDollarIsInOnePlace, whatever the records say.
func TestEveryNanoDollarIsInOnePlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := ledger.Instant(0)
		var list []told
		for range rapid.IntRange(1, 60).Draw(t, "records") {
			at += ledger.Instant(rapid.Int64Range(0, int64(20*minute)).Draw(t, "later"))
			list = append(list, asked(at, func(x *told) {
				pick := func(name string, most int) int { return rapid.IntRange(0, most).Draw(t, name) }
				x.Kind = record.Kind(pick("kind", 9) / 7)
				x.Outcome, x.Basis = record.Outcome(1+pick("outcome", 9)), record.Basis(pick("basis", 5))
				x.Gist, x.Fingerprint, x.Prefix = uint64(pick("gist", 3)), uint64(pick("fingerprint", 2)), uint64(pick("prefix", 1))*(1<<20|15<<7)
				x.Model = []string{"gpt-4.1", "gpt-4.1-mini", "unheard-of"}[pick("model", 2)]
				x.Made, x.Delivered = int64(pick("made", 100)), int64(pick("delivered", 120))
				x.OutputCap = int64(pick("cap", 2)) * 100
				x.Attempts, x.Attempt = pick("attempts", 2), pick("attempt", 2)
				x.Semantic.Verdict = record.Verdict(pick("verdict", 5))
				x.Cost, x.Priced = ledger.Amount(rapid.Int64Range(-1000, 1<<62).Draw(t, "cost")), ledger.Amount(rapid.Int64Range(-5, 1<<62).Draw(t, "priced"))
				for m := range x.Usage {
					x.Usage[m] = rapid.Int64Range(-1, 1<<40).Draw(t, "usage")
				}
				x.Dims.Values[ledger.DimRun], x.Dims.Values[ledger.DimAgent] = fmt.Sprint(pick("run", 2)), fmt.Sprint(pick("agent", 1))
				x.Evidence = economics.Evidence{Successes: int64(pick("successes", 1)), Failures: int64(pick("failures", 1))}
			}))
		}
		for i, v := range verdicts(list) {
			sum, seen := v.Justified, map[waste.Class]bool{}
			for _, p := range v.Parts {
				if p.Amount <= 0 || seen[p.Class] {
					t.Fatalf("record %d: %+v", i, v)
				}
				seen[p.Class] = true
				sum += p.Amount
			}
			if sum != list[i].Cost || v.Cost != sum || v.Justified < 0 && list[i].Cost >= 0 {
				t.Fatalf("record %d of %d: %+v", i, list[i].Cost, v)
			}
		}
	})
}

// TestMemoryIsBounded: what no longer fits is forgotten, and is justified.
func TestMemoryIsBounded(t *testing.T) {
	o := waste.Default(planted.Now)
	o.Limits = waste.Limits{Calls: 4, Runs: 2, Groups: 2, Models: 1}
	s := waste.NewSurvey(o, catalogue{price.Embedded()})
	var list []told
	for i := range 40 {
		list = append(list, asked(ledger.Instant(i)*ledger.Second, func(t *told) {
			t.Gist, t.Fingerprint, t.Prefix = uint64(i)<<32|0xff, uint64(i)+1, uint64(i)<<12
			t.Dims.Values[ledger.DimRun], t.Dims.Values[ledger.DimAgent] = fmt.Sprint(i), fmt.Sprint(i)
		}))
	}
	list = append(list, asked(minute, func(t *told) { t.Gist, t.Fingerprint = 0xff, 1 }))
	for i := range list {
		s.Add(&list[i].Record, list[i].Evidence)
	}
	if !s.Full {
		t.Error("the survey does not say that it is full")
	}
	j := waste.NewJudge(s)
	for i := range list {
		if v := j.Decide(&list[i].Record, list[i].Evidence); len(v.Parts) > 0 {
			t.Errorf("record %d: %+v", i, v)
		}
	}
}

func TestTally(t *testing.T) {
	list := []told{asked(0, nil), asked(minute, nil), asked(2*minute, nil), asked(3*minute, func(t *told) { t.Gist = 0; t.Dims.Values[ledger.DimKey] = "k2" })}
	by := waste.By{Name: "key", Of: func(r *record.Record) string { return r.Dims.Values[ledger.DimKey] }}
	s := waste.NewSurvey(waste.Default(planted.Now), catalogue{price.Embedded()})
	for i := range list {
		s.Add(&list[i].Record, list[i].Evidence)
	}
	j, tally := waste.NewJudge(s), waste.NewTally([]waste.By{by}, 1, 1)
	for i := range list {
		v := j.Decide(&list[i].Record, list[i].Evidence)
		tally.Add(&list[i].Record, &v)
	}
	cost := list[0].Cost
	if score, ok := tally.Score(); !ok || score != 0.5 || tally.Wasted[waste.ExactRepeat] != 2*cost {
		t.Errorf("score %v, %+v", score, tally.Sum)
	}
	f := tally.Findings()
	if len(f) != 1 || f[0].Amount != 2*cost || f[0].Records != 2 || f[0].Saves != 2*cost || len(f[0].Examples) != 1 || f[0].Examples[0].ID != list[1].ID {
		t.Errorf("findings %+v", f)
	}
	for range 2 { // asking does not change what is asked about
		r := tally.Ranks(5)
		if len(r) != 1 || len(r[0].Groups) != 1 || r[0].Groups[0].Value != "k1" || r[0].Groups[0].Waste() != 2*cost || r[0].Rest == nil || r[0].Rest.Total != cost {
			t.Errorf("ranks %+v", r)
		}
		if r := tally.Ranks(0); len(r[0].Groups) != 0 || r[0].Rest.Total != 4*cost {
			t.Errorf("none asked for: %+v", r)
		}
	}
	if _, ok := new(waste.Sum).Score(); ok {
		t.Error("there is a score of nothing")
	}
}

// BenchmarkEfficiency reads a workload twice, as a report does, without the store.
func BenchmarkEfficiency(b *testing.B) {
	list := planted.Make(1, *size, price.Embedded())
	prices := catalogue{price.Embedded()}
	b.ReportAllocs()
	for b.Loop() {
		s := waste.NewSurvey(waste.Default(planted.Now), prices)
		for _, p := range list {
			s.Add(&p.Record, p.Evidence)
		}
		j, tally := waste.NewJudge(s), waste.NewTally([]waste.By{{Name: "agent", Of: func(r *record.Record) string { return r.Dims.Values[ledger.DimAgent] }}}, 1000, 20)
		for _, p := range list {
			v := j.Decide(&p.Record, p.Evidence)
			tally.Add(&p.Record, &v)
		}
	}
	b.ReportMetric(float64(len(list))*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkEfficiencyMemory fills everything that is remembered: each record is of its own
// run, task, beginning and question.
func BenchmarkEfficiencyMemory(b *testing.B) {
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	for b.Loop() {
		const n = 1 << 18
		prices := catalogue{price.Embedded()}
		of := func(i int) told {
			return asked(ledger.Instant(i)*ledger.Second/1000, func(t *told) {
				h := uint64(i) * 0x9e3779b97f4a7c15
				t.Gist, t.Fingerprint, t.Prefix = h, h, h&^0xfff|15<<7
				t.OutputCap = int64(i%2) * 200
				t.Dims.Values[ledger.DimRun], t.Dims.Values[ledger.DimAgent] = fmt.Sprint(i), fmt.Sprint(i%5000)
				t.Evidence = economics.Evidence{Outcomes: 1, Successes: 1}
			})
		}
		before := heap()
		s := waste.NewSurvey(waste.Default(planted.Now), prices)
		for i := range n {
			t := of(i)
			s.Add(&t.Record, t.Evidence)
		}
		j := waste.NewJudge(s)
		for i := range n {
			t := of(i)
			j.Decide(&t.Record, t.Evidence)
		}
		b.ReportMetric(float64(heap()-before)/1e6, "MB")
		runtime.KeepAlive(s)
		runtime.KeepAlive(j)
	}
}
