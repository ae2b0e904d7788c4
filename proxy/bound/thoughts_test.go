package bound

import (
	"testing"

	"purser/proxy/dialect"
)

func TestThoughtsComeBesideTheCap(t *testing.T) {
	for _, x := range []struct {
		model string
		off   bool
		want  int64 // beside the cap of one answer
	}{
		{"gemini-2.5-flash", false, 24_576},
		{"gemini-2.5-flash", true, 0},
		{"gemini-2.5-flash-lite", true, 0},
		{"gemini-2.5-pro", false, 32_768},
		{"gemini-2.5-pro", true, 32_768}, // cannot do without
		{"gemini-2.0-flash-001", false, 0},
		{"gemini-2.0-flash-thinking-exp", false, 65_536},
		{"gemini-3-pro-preview", true, 65_536}, // a level, which 0 is not
		{"a-model-of-tomorrow", false, 65_536},
	} {
		c := dialect.Call{Endpoint: dialect.Chat, N: 2, Thinks: true, NoThinking: x.off}
		if got := Output(&c, Model{Name: x.model}, 100); got != 2*(100+x.want) {
			t.Errorf("%s, off %v: %d", x.model, x.off, got)
		}
	}
	c := dialect.Call{Endpoint: dialect.Chat, N: 1}
	if got := Output(&c, Model{Name: "gemini-2.5-pro"}, 100); got != 100 {
		t.Errorf("a dialect whose cap covers reasoning: %d", got)
	}
}

// TestGeminiImages: at least the counts that Google's guides give.
func TestGeminiImages(t *testing.T) {
	for _, x := range []struct {
		model         string
		width, height int
		least, most   int64
		ok            bool
	}{
		{"gemini-2.0-flash", 300, 200, 258, 5_000, true},
		{"gemini-2.5-pro", 960, 540, 6 * 258, 5_000, true},      // tiles of 360
		{"gemini-2.5-flash", 3072, 3072, 16 * 258, 7_000, true}, // tiles of 768
		{"gemini-2.5-flash", 10_000, 100, 40 * 258, 14_000, true},
		{"gemini-2.5-flash", 0, 0, 0, 0, false},
		{"gemini-3-pro-preview", 0, 0, 2_240, 2_240, true},
		{"gemini-4-carbon", 300, 200, 0, 0, false},
	} {
		got, ok := imageTokens([]dialect.Image{{Width: x.width, Height: x.height}}, x.model)
		if ok != x.ok || got < x.least || got > x.most {
			t.Errorf("%s, %d by %d: %d %v", x.model, x.width, x.height, got, ok)
		}
	}
}
