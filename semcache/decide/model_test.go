package decide_test

import (
	"context"
	"math"
	"testing"

	"purser/semcache/decide"
	"purser/semcache/embed"
	"purser/semcache/labelled"
)

func fitted(t testing.TB) (*decide.Model, *decide.Params) {
	t.Helper()
	table, err := embed.NewStatic()
	if err != nil {
		t.Fatal(err)
	}
	p, err := decide.Fitted(table.ID())
	if err != nil {
		t.Fatalf("%v: fit again (go run ./tools/semfit model), the table has changed", err)
	}
	m, err := decide.NewModel(p, func(dst []float32, word string) bool { return table.Embed(context.Background(), dst, word) == nil })
	if err != nil {
		t.Fatal(err)
	}
	return m, p
}

func judge(m *decide.Model, a, b string) decide.Decision {
	x, y := m.View(decide.Prepare(a)), m.View(decide.Prepare(b))
	s := 0.0
	if x.Sentence() != nil && y.Sentence() != nil {
		s = float64(embed.Cosine(x.Sentence(), y.Sentence()))
	}
	return m.Judge(x, y, s, decide.NoMargin)
}

func TestModelTellsParaphrasesFromOthers(t *testing.T) {
	m, _ := fitted(t)
	for _, c := range []struct{ asked, same, other string }{
		{"How do I learn to play the guitar quickly?", "What is the fastest way to learn playing guitar?", "How do I learn to play the piano quickly?"},
		{"How can I lose weight?", "What should I do to lose weight?", "How can I lose my fear of heights?"},
		{"Why is the sky blue?", "What makes the sky blue?", "Why is the sea salty?"},
		{"What is the best way to save money?", "How can I save money?", "What is the best way to borrow money?"},
	} {
		same, other := judge(m, c.asked, c.same), judge(m, c.asked, c.other)
		if same.Probability <= other.Probability || same.Lower > same.Probability || same.Verdict.Vetoed() {
			t.Errorf("%q: the same %.3f (%s), another %.3f", c.asked, same.Probability, same.Verdict.Vetoes, other.Probability)
		}
	}
}

func TestModelIsSymmetricAndBounded(t *testing.T) {
	m, _ := fitted(t)
	judged := 0
	for _, p := range labelled.Generated(5, 30) {
		a, b := judge(m, p.A, p.B), judge(m, p.B, p.A)
		if a.Probability != b.Probability && math.Abs(a.Probability-b.Probability) > 0.05 {
			t.Errorf("%q, %q: %v one way, %v the other", p.A, p.B, a.Probability, b.Probability)
		}
		if a.Lower < 0 || a.Lower > a.Probability || a.Probability > 1 || a.Verdict.Vetoed() && a.Lower != 0 {
			t.Errorf("%q, %q: %v, lower %v", p.A, p.B, a.Probability, a.Lower)
		}
		if !a.Verdict.Vetoed() {
			judged++
		}
	}
	if judged == 0 {
		t.Fatal("everything was vetoed")
	}
}

// TestCompatParams: the checked-in parameters decode, are for the checked-in table, and
// come back byte for byte; damage is an error.
func TestCompatParams(t *testing.T) {
	_, p := fitted(t)
	raw := p.Append(nil)
	if _, err := decide.DecodeParams(raw); err != nil {
		t.Fatal(err)
	}
	for _, cut := range []int{0, 1, 10, len(raw) / 2, len(raw) - 1} {
		if _, err := decide.DecodeParams(raw[:cut]); err == nil {
			t.Errorf("%d of %d bytes were taken", cut, len(raw))
		}
	}
	if _, err := decide.DecodeParams(append(raw, 0)); err == nil {
		t.Error("a byte too many was taken")
	}
	if _, err := decide.Fitted("another table"); err == nil {
		t.Error("another table has parameters")
	}
}

func BenchmarkJudge(b *testing.B) {
	m, _ := fitted(b)
	x, y := m.View(decide.Prepare("How do I learn to play the guitar quickly?")), m.View(decide.Prepare("What is the fastest way to learn playing guitar?"))
	for b.Loop() {
		m.Judge(x, y, 0.8, 0.05)
	}
}

func BenchmarkPrepareAndView(b *testing.B) {
	m, _ := fitted(b)
	for b.Loop() {
		m.View(decide.Prepare("How do I learn to play the guitar quickly?"))
	}
}
