package waste_test

import (
	"flag"
	"maps"
	"slices"
	"testing"

	"purser/internal/economics/waste"
	"purser/internal/economics/waste/planted"
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

var (
	seeds = flag.Int("seeds", 3, "workloads that are made")
	first = flag.Uint64("first", 1, "the first seed")
	size  = flag.Int("size", 1, "their size: some ten thousand records each")
)

// catalogue has the prices of records by their rates.
type catalogue struct{ *price.Catalogue }

func (c catalogue) Terms(r *record.Record) waste.Terms {
	rate, ok := c.Find(r.Upstream, r.Model, r.At)
	if !ok {
		return waste.Terms{}
	}
	return waste.Terms{Rate: rate, Shortest: 1024}
}

// found is what was planted of a class, found of it, and both.
type found struct{ planted, found, both ledger.Amount }

func (f found) precision() float64 { return float64(f.both) / float64(max(f.found, 1)) }
func (f found) recall() float64    { return float64(f.both) / float64(max(f.planted, 1)) }

// judged is what the judge makes of a workload.
type judged struct {
	classes  map[string]*found
	good     map[string][2]int // by kind: records that cost something, and those of them that were called waste
	all, bad int
	tally    *waste.Tally
}

func judge(t testing.TB, list []*planted.Planted) *judged {
	t.Helper()
	prices := catalogue{price.Embedded()}
	s := waste.NewSurvey(waste.Default(planted.Now), prices)
	for _, p := range list {
		s.Add(&p.Record, p.Evidence)
	}
	if s.Full {
		t.Error("the survey is full")
	}
	j := waste.NewJudge(s)
	out := &judged{classes: map[string]*found{}, good: map[string][2]int{}, tally: waste.NewTally(nil, 0, 5)}
	of := func(class string) *found {
		if out.classes[class] == nil {
			out.classes[class] = &found{}
		}
		return out.classes[class]
	}
	var total ledger.Amount
	for _, p := range list {
		v := j.Decide(&p.Record, p.Evidence)
		out.tally.Add(&p.Record, &v)
		total += p.Record.Cost
		sum := v.Justified
		for _, part := range v.Parts {
			if part.Amount <= 0 {
				t.Fatalf("%s: %v takes %d", p.Kind, part.Class, part.Amount)
			}
			sum += part.Amount
			f := of(part.Class.String())
			f.found += part.Amount
			f.both += min(part.Amount, p.Waste[part.Class.String()])
		}
		if sum != p.Record.Cost {
			t.Fatalf("%s: the parts add up to %d of %d", p.Kind, sum, p.Record.Cost)
		}
		for class, a := range p.Waste {
			of(class).planted += a
		}
		if len(p.Waste) == 0 && p.Record.Cost > 0 {
			n := out.good[p.Kind]
			n[0]++
			out.all++
			if len(v.Parts) > 0 {
				n[1]++
				out.bad++
			}
			out.good[p.Kind] = n
		}
	}
	if s := &out.tally.Sum; s.Total != total || s.Justified+s.Waste() != total || s.Confirmed+s.Fruitless+s.Unjudged != s.Justified {
		t.Errorf("total %d: %+v", total, s)
	}
	return out
}

// TestPlantedWasteIsFound: of each class at least 95 % of the dollars, and of what is called
// waste at least 95 % is; no dollar is counted twice; of a hundred requests that were
// justified at most one is called waste in any part.
func TestPlantedWasteIsFound(t *testing.T) {
	for i := range *seeds {
		seed := *first + uint64(i)
		list := planted.Make(seed, *size, price.Embedded())
		got := judge(t, list)
		for c := range waste.Class(waste.NumClasses) {
			f := got.classes[c.String()]
			if f == nil || f.planted == 0 {
				t.Fatalf("seed %d: nothing was planted of %v", seed, c)
			}
			if f.precision() < 0.95 || f.recall() < 0.95 {
				t.Errorf("seed %d: %v: precision %.3f, recall %.3f", seed, c, f.precision(), f.recall())
			}
			t.Logf("seed %d: %-18s planted %9.4f USD, precision %.3f, recall %.3f", seed, c, float64(f.planted)/1e9, f.precision(), f.recall())
		}
		if got.bad*100 > got.all {
			t.Errorf("seed %d: %d of %d justified requests are called waste", seed, got.bad, got.all)
		}
		score, _ := got.tally.Score()
		t.Logf("seed %d: %d records, %.2f USD, score %.3f; %d of %d justified requests called waste", seed, len(list), float64(got.tally.Total)/1e9, score, got.bad, got.all)
		for _, kind := range slices.Sorted(maps.Keys(got.good)) {
			if n := got.good[kind]; n[1] > 0 {
				t.Logf("seed %d:   %s: %d of %d", seed, kind, n[1], n[0])
			}
		}
		if t.Failed() {
			t.Fatalf("to repeat: go test ./internal/economics/waste -run TestPlantedWasteIsFound -v -first %d -seeds 1 -size %d", seed, *size)
		}
	}
}
