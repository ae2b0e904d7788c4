package learned

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"purser/ledger"

	"pgregory.net/rapid"
)

// on is a vector of unit length near an axis.
func on(axis, dim int, r *random) []float32 {
	v := make([]float32, dim)
	v[axis] = 1
	var norm float64
	for i := range v {
		v[i] += float32(0.2 * (r.float() - 0.5))
		norm += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(norm))
	}
	return v
}

// kinds is examples of n kinds of prompt, of which the first half only a large model
// answers.
func kinds(n, each int) (out []Example) {
	r := random{7}
	for i := range n * each {
		kind := i % n
		q := map[string]float64{"large": 0.9, "small": 0.88}
		if kind < n/2 {
			q["small"] = 0.2
		}
		got := map[string]float64{}
		for _, name := range []string{"large", "small"} {
			got[name] = bernoulli(&r, q[name])
		}
		out = append(out, Example{Vector: on(kind, 16, &r), Quality: got})
	}
	return out
}

var two = []Option{{ID: "large", Cost: 100}, {ID: "small", Cost: 10}}

// TestItSendsEachKindOfPromptWhereItIsAnswered: and cheaply where both answer it.
func TestItSendsEachKindOfPromptWhereItIsAnswered(t *testing.T) {
	r, err := Train(kinds(8, 60), Options{Embedder: "e", Clusters: 8, Alpha: 0.8, Top: 1, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	draw := random{99}
	for kind := range 8 {
		for range 20 {
			s, err := r.Score(on(kind, 16, &draw), two)
			if err != nil {
				t.Fatal(err)
			}
			if large := s.Scores[0] > s.Scores[1]; large != (kind < 4) || s.Known != 2 {
				t.Fatalf("kind %d: %+v", kind, s)
			}
		}
	}
}

// TestAlphaIsWhatQualityCounts: at 1 the better one is asked, at 0 the cheaper one.
func TestAlphaIsWhatQualityCounts(t *testing.T) {
	for alpha, large := range map[float64]bool{1: true, 0: false} {
		r, err := Train(kinds(2, 100), Options{Embedder: "e", Clusters: 2, Alpha: alpha, Top: 1})
		if err != nil {
			t.Fatal(err)
		}
		draw := random{3}
		s, err := r.Score(on(0, 16, &draw), two)
		if err != nil || (s.Scores[0] > s.Scores[1]) != large {
			t.Errorf("alpha %v: %+v %v", alpha, s, err)
		}
	}
}

// TestTrainingIsDeterministic: and what it makes can be written and read again.
func TestTrainingIsDeterministic(t *testing.T) {
	var first []byte
	for range 2 {
		r, err := Train(kinds(6, 30), Options{Embedder: "e", Alpha: 0.5, Seed: 5})
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = b
		}
		if string(b) != string(first) {
			t.Fatal("two trainings differ")
		}
		var again Router
		if err := json.Unmarshal(b, &again); err != nil || again.Validate() != nil {
			t.Fatal(err, again.Validate())
		}
		draw := random{4}
		v := on(1, 16, &draw)
		one, err1 := r.Score(v, two)
		other, err2 := again.Score(v, two)
		if err1 != nil || err2 != nil || !slices.Equal(one.Scores, other.Scores) {
			t.Fatalf("%+v %+v", one, other)
		}
	}
	big, err := Train(kinds(16, 100), Options{Embedder: "e", Clusters: MaxClusters, Alpha: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	big.Dim = 256
	if b, err := json.Marshal(big); err != nil || len(b)+MaxClusters*4*(256-16)/3 > 64<<10 {
		t.Errorf("the largest router of 256 values has about %d bytes, %v", len(b)+MaxClusters*4*(256-16)/3, err)
	}
}

// TestAFewOutcomesDecideNothing: a cluster's quality is drawn towards the mean of all.
func TestAFewOutcomesDecideNothing(t *testing.T) {
	draw := random{1}
	var list []Example
	for range 100 {
		list = append(list, Example{Vector: on(0, 16, &draw), Quality: map[string]float64{"a": 0.9, "b": 0.5}})
	}
	list = append(list, Example{Vector: on(9, 16, &draw), Quality: map[string]float64{"a": 0}}, Example{Vector: on(9, 16, &draw), Quality: map[string]float64{"c": 1}})
	r, err := Train(list, Options{Embedder: "e", Clusters: 2, Alpha: 1, Top: 1})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Score(on(9, 16, &draw), []Option{{ID: "a"}, {ID: "b"}})
	if err != nil || s.Scores[0] <= s.Scores[1] {
		t.Errorf("one bad outcome of a beats a hundred good ones: %+v %v", s, err)
	}
	if s, err := r.Score(on(9, 16, &draw), []Option{{ID: "new", Quality: 0.99}, {ID: "a"}}); err != nil || s.Known != 1 || s.Scores[0] <= s.Scores[1] {
		t.Errorf("what is assumed of a candidate that nothing is known of: %+v %v", s, err)
	}
	if _, err := r.Score([]float32{1}, two); err == nil {
		t.Error("a vector of another embedder is scored")
	}
}

// TestScoresAreTheSameHoweverOptionsAreOrdered, and lie between 0 and a million.
func TestScoresAreTheSameHoweverOptionsAreOrdered(t *testing.T) {
	r, err := Train(kinds(4, 40), Options{Embedder: "e", Alpha: 0.5})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		draw := random{rapid.Uint64().Draw(t, "seed")}
		v := on(rapid.IntRange(0, 15).Draw(t, "axis"), 16, &draw)
		options := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) Option {
			return Option{ID: rapid.SampledFrom([]string{"large", "small", "x", "y"}).Draw(t, "id"), Quality: rapid.Float64Range(0, 1).Draw(t, "assumed"), Cost: ledger.Amount(rapid.Int64Range(0, 1e12).Draw(t, "cost"))}
		}), 1, 4, func(o Option) string { return o.ID }).Draw(t, "options")
		s, err := r.Score(v, options)
		if err != nil {
			t.Fatal(err)
		}
		turned := slices.Clone(options)
		slices.Reverse(turned)
		other, err := r.Score(v, turned)
		if err != nil {
			t.Fatal(err)
		}
		for i, score := range s.Scores {
			if score < 0 || score > 1e6 || other.Scores[len(options)-1-i] != score {
				t.Fatalf("%+v: %v, turned %v", options, s.Scores, other.Scores)
			}
		}
	})
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	good := func() *Router {
		r, err := Train(kinds(2, 10), Options{Embedder: "e", Clusters: 2, Alpha: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for want, change := range map[string]func(*Router){
		"embedder is missing":   func(r *Router) { r.Embedder = "" },
		"dim is 0":              func(r *Router) { r.Dim = 0 },
		"alpha is NaN":          func(r *Router) { r.Alpha = math.NaN() },
		"clusters: there are 0": func(r *Router) { r.Clusters = nil; r.Top = 1 },
		"top is 3":              func(r *Router) { r.Top = 3 },
		"is not 16 bytes":       func(r *Router) { r.Clusters[1].Centroid = "AAAA" },
		"centroid is zero":      func(r *Router) { r.Clusters[0].Centroid = "AAAAAAAAAAAAAAAAAAAAAA==" },
		"not one value":         func(r *Router) { r.Clusters[0].Seen = nil },
		"a quality is not":      func(r *Router) { r.Clusters[0].Quality[0] = 2 },
		"there twice":           func(r *Router) { r.Candidates[1].ID = r.Candidates[0].ID },
		"percent is 90":         func(r *Router) { r.Canary = &Canary{Candidate: "a", Percent: 90} },
	} {
		r := good()
		change(r)
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	for want, list := range map[string][]Example{
		"no examples":       nil,
		"of 1 candidates":   {{Vector: []float32{1}, Quality: map[string]float64{"a": 1}}},
		"not within 0 to 1": {{Vector: []float32{1}, Quality: map[string]float64{"a": 2, "b": 1}}},
		"and others of 1":   {{Vector: []float32{1}}, {Vector: []float32{1, 0}}},
	} {
		if _, err := Train(list, Options{Embedder: "e"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestACanaryThatIsWorseGoes: soon where it is much worse, and seldom where it is as good.
func TestACanaryThatIsWorseGoes(t *testing.T) {
	const runs = 200
	for _, c := range []struct {
		canary, others float64
		least, most    int // of the runs that it is rolled back in
		soon           int64
	}{
		{0.5, 0.9, runs, runs, 120}, {0.9, 0.9, 0, runs / 20, 0}, {0.95, 0.9, 0, 0, 0}, {0.83, 0.9, runs * 95 / 100, runs, 0},
	} {
		r := random{11}
		back, outcomes := 0, int64(0)
		for range runs {
			canary := Canary{Candidate: "c", Percent: 10}
			var mine, others Tally
			for range 2100 {
				others.Add(bernoulli(&r, c.others))
				mine.Add(bernoulli(&r, c.canary))
				if reason, is := canary.Judge(&mine, &others); is {
					if reason == "" {
						t.Fatal("no reason")
					}
					back, outcomes = back+1, outcomes+mine.Count
					break
				}
			}
		}
		if back < c.least || back > c.most {
			t.Errorf("%.2f beside %.2f: rolled back in %d of %d runs, want %d to %d", c.canary, c.others, back, runs, c.least, c.most)
		}
		if c.soon > 0 && outcomes/int64(back) > c.soon {
			t.Errorf("%.2f beside %.2f: only after %d outcomes", c.canary, c.others, outcomes/int64(back))
		}
	}
	gone := Canary{Candidate: "c", Percent: 50, RolledBack: "2026-09-01T00:00:00Z"}
	if gone.Draws(0) || (*Canary)(nil).Draws(0) {
		t.Error("a canary that was rolled back gets requests")
	}
	if !(&Canary{Percent: 50}).Draws(1<<62) || (&Canary{Percent: 50}).Draws(3<<62) {
		t.Error("half of the requests are not half")
	}
}

func bernoulli(r *random, p float64) float64 {
	if r.float() < p {
		return 1
	}
	return 0
}

// TestTuningKeepsTheQualityForLess: the shape of the paper's result, on prompts of which
// half need the larger model: about its quality, at clearly less than its cost, and no
// other way of routing has both.
func TestTuningKeepsTheQualityForLess(t *testing.T) {
	list := kinds(12, 120)
	for i := range list {
		list[i].Cost = map[string]ledger.Amount{"large": 100, "small": 10}
	}
	train, test := list[:len(list)/2], list[len(list)/2:]
	o := Options{Embedder: "e", Clusters: 12, Seed: 3}
	alpha, err := Tune(train, o, 0.97)
	if err != nil {
		t.Fatal(err)
	}
	o.Alpha = alpha
	r, err := Train(train, o)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := r.Evaluate(test, 1)
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]Sums{}
	for _, s := range sums {
		of[s.Name] = s
	}
	l, large, small, chance := of["learned"], of["always large"], of["always small"], of["random"]
	if l.Quality < large.Quality-0.03 || l.Cost > large.Cost*7/10 || l.Quality < small.Quality+0.2 || l.Regret >= chance.Regret || l.Regret >= small.Regret {
		t.Errorf("alpha %v: %+v", alpha, sums)
	}
}
