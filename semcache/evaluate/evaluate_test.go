package evaluate

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"purser/semcache/decide"
	"purser/semcache/labelled"
)

func bench(t *testing.T) *Bench {
	t.Helper()
	b, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func find(t *testing.T, results []Result, figure string) Result {
	t.Helper()
	for _, r := range results {
		if r.Figure == figure {
			return r
		}
	}
	t.Fatalf("no figure %q", figure)
	return Result{}
}

func TestRejectionAtAShareKept(t *testing.T) {
	var pairs []scored
	for i := range 10 {
		pairs = append(pairs, scored{same: true, score: float64(i)}, scored{score: float64(i) - 3.5})
	}
	// Kept 0.8 of 0..9 is 2 and above; of -3.5..5.5 six are below.
	r := rejected("x", pairs, 0.8, func(s *scored) float64 { return s.score })
	if r.Value != 0.6 || r.N != 10 {
		t.Errorf("%+v", r)
	}
	for i := range pairs {
		if pairs[i].score < 5 {
			pairs[i].score = math.Inf(-1)
		}
	}
	if r := rejected("x", pairs, 0.8, func(s *scored) float64 { return s.score }); r.Note == "" || r.Value != 0 {
		t.Errorf("vetoes keep half, and it says %+v", r)
	}
}

func TestPrecisionByHitRate(t *testing.T) {
	var pairs []scored
	for i := range 100 {
		pairs = append(pairs, scored{same: i < 50, score: -float64(i)})
	}
	out := precision("x", pairs, func(s *scored) float64 { return s.score }, "")
	if r := find(t, out, "precision at hit rate 0.40"); r.Value != 1 || r.N != 40 {
		t.Errorf("%+v", r)
	}
	// 1 up to a half, then 50/k.
	want := 0.5
	for k := 51; k <= 100; k++ {
		want += 50 / float64(k) / 100
	}
	if r := find(t, out, "area under the curve"); math.Abs(r.Value-want) > 1e-9 {
		t.Errorf("area %v, want %v", r.Value, want)
	}
}

func TestTemplatesMeetTheirGoal(t *testing.T) {
	r := find(t, bench(t).Templates(300), "templates: right")
	if !r.Met || r.N < 5000 {
		t.Errorf("%+v", r)
	}
}

// pairsOfClasses are paraphrases of many questions, and near misses between them.
func pairsOfClasses() []labelled.Pair {
	var out []labelled.Pair
	for _, p := range strings.Fields("Norway Portugal Kenya Peru Vietnam Poland Chile Morocco Iceland Croatia Ghana Nepal") {
		for _, f := range [][2]string{{"What is the capital of ", "What is the capital city of "}, {"How do I travel to ", "What is the best way to travel to "}, {"Why is the economy of bananas growing in ", "Why does the economy of bananas grow in "}} {
			out = append(out, labelled.Pair{A: f[0] + p + "?", B: f[1] + p + "?", Same: true}, labelled.Pair{A: f[0] + p + "?", B: f[0] + "Spain?"})
		}
	}
	return out
}

func TestProtocolsCountWhatTheySay(t *testing.T) {
	b, pairs := bench(t), pairsOfClasses()
	var all []Result
	all = append(all, b.Pairs(pairs)...)
	all = append(all, b.Streams(pairs)...)
	all = append(all, b.Categorised(pairs)...)
	var same []labelled.Pair
	for _, p := range pairs {
		if p.Same {
			same = append(same, p)
		}
	}
	all = append(all, b.Retrieval(same)...)
	if r := find(t, all, "guards alone: near misses rejected"); r.Value != 1 || r.N == 0 {
		t.Errorf("other countries: %+v", r)
	}
	for _, r := range all {
		if math.IsNaN(r.Value) || r.N > 0 && (r.Low > r.Value+1e-9 || r.High < r.Value-1e-9) && !strings.Contains(r.Figure, "error") {
			t.Errorf("%+v", r)
		}
	}
	var out bytes.Buffer
	if err := Print(&out, all); err != nil || strings.Count(out.String(), "\n") != len(all)+1 {
		t.Errorf("%v: %s", err, out.String())
	}
}

func TestVCacheServesWhatItHasSeenEnoughOf(t *testing.T) {
	v := newVCache(0.05, true, rand.New(rand.NewPCG(1, 1)))
	if v.explore(1, 0.99) != 1 {
		t.Error("an entry without observations served")
	}
	for i := range 200 {
		s := 0.6 + 0.4*float64(i)/200
		v.seen[1] = append(v.seen[1], observation{s, s > 0.8})
	}
	if high, low := v.explore(1, 0.98), v.explore(1, 0.65); high > 0.2 || low < 0.9 {
		t.Errorf("explores %v at 0.98 and %v at 0.65", high, low)
	}
	v = newVCache(0.01, true, rand.New(rand.NewPCG(1, 1)))
	for i := range 50 {
		v.seen[2] = append(v.seen[2], observation{0.6 + 0.4*float64(i%10)/10, i%2 == 0})
	}
	if e := v.explore(2, 0.95); e < 0.9 {
		t.Errorf("similarity says nothing there, and it explores only %v", e)
	}
}

func TestVectorsAreReadByPair(t *testing.T) {
	const file = `{"vectors":[
		{"guard":"numeric","query":"Give me 5 tips","candidate":"Give me 6 tips","reject":true},
		{"guard":"entity","query":"Give me 5 tips","candidate":"Give me 6 tips","reject":false},
		{"guard":"entity","query":"Give me tips","candidate":"give me tips","reject":false}]}`
	out, err := bench(t).Vectors(strings.NewReader(file))
	if err != nil || len(out) != 2 || out[0].N != 1 || out[0].Value != 1 || out[1].N != 1 || out[1].Value != 1 {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := bench(t).Vectors(strings.NewReader("{")); err == nil {
		t.Error("damage was taken")
	}
}

// TestStreamGoesAsANodeDoes: a question of the same normal form is answered at once; of
// the others each that could be is asked anew at first; an answer that agrees needs no
// entry of its own, and a question that was wrong for an entry is not given it again.
func TestStreamGoesAsANodeDoes(t *testing.T) {
	const original, polite, other, wrong = "What is the capital of Norway?", "What is the capital of Norway, please?", "What is the capital city of Norway?", "What is the capital of Norwegians?"
	b := bench(t)
	w := b.world([]labelled.Pair{{A: original, B: polite, Same: true}, {A: original, B: other, Same: true}, {A: original, B: wrong}})
	stored := []bool{true, false, false, false}
	n := newNode(0.05, false, rand.New(rand.NewPCG(2, 1)))
	n.normal[w.normal(0)] = 0
	if f := n.find(w, 1, stored); !f.would || !f.normal || f.id != 0 {
		t.Fatalf("the same normal form: %+v", f)
	}
	for range 300 {
		n.measured, _ = n.measured.Observe(decide.Agrees, 0.7, 0.05, false)
	}
	f := n.find(w, 2, stored)
	if !f.would || f.normal || f.lower >= 0.95 {
		t.Fatalf("a bar that was earned: %+v", f)
	}
	if s := n.serve(w, 2, stored); !s.explored || !s.known || n.history[0].Good != 1 || n.measured.All != 1 {
		t.Fatalf("the first that could be answered: %+v, %+v", s, n.measured)
	}
	n.learn(w, 3, &found{id: 0, lower: 0.9, would: true})
	if f := n.find(w, 3, stored); f.id >= 0 {
		t.Fatalf("a question that it was wrong for: %+v", f)
	}
}
