package loop

import "testing"

// TestShortTextsAreComparedExactly: with a bin for each feature, whatever the seed.
func TestShortTextsAreComparedExactly(t *testing.T) {
	of := func(text string) *sketch {
		w := words{left: 1 << 10}
		w.add(text)
		return &w.sketch
	}
	a := of("let me check running 7 of 40 parts are done")
	for text, most := range map[string]float64{
		"let me check running 8 of 40 parts are done": 0.8, // 8 of 12 features, but for bins that two share
		"nothing of that kind at all":                 0.2,
	} {
		if got := a.alike(of(text)); got > most {
			t.Errorf("%q is alike by %v, at most %v", text, got, most)
		}
	}
	if got := a.alike(of("Let me check. Running: 7 of 40 parts are done!")); got != 1 {
		t.Errorf("the same words are alike by %v", got)
	}
}
