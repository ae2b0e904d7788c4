package bound

import (
	"testing"

	"purser/proxy/dialect"
)

// TestImagesOfClaude: patches of 28 pixels, at most as many as the largest model
// sees unless the picture must not be scaled down.
func TestImagesOfClaude(t *testing.T) {
	for _, x := range []struct {
		img  dialect.Image
		want int64 // 0: no bound
	}{
		{dialect.Image{Width: 28, Height: 28}, 2},
		{dialect.Image{Width: 29, Height: 28}, 3},
		{dialect.Image{Width: 1092, Height: 1092}, 1521 + 77},
		{dialect.Image{Width: 8000, Height: 8000}, claudeMost},
		{dialect.Image{Link: true}, claudeMost},
		{dialect.Image{Width: 8000, Height: 8000, Detail: dialect.DetailOriginal}, 286*286 + 4090},
		{dialect.Image{Link: true, Detail: dialect.DetailOriginal}, 0},
	} {
		got, ok := imageTokens([]dialect.Image{x.img}, "claude-opus-4-8")
		if ok != (x.want > 0) || got != x.want {
			t.Errorf("%+v: %d, %v; want %d", x.img, got, ok, x.want)
		}
		// Anthropic's older formula is within.
		if px := int64(x.img.Width) * int64(x.img.Height); ok && px > 0 && got < min(px/750, 4784) {
			t.Errorf("%+v: %d is less than a token for 750 pixels", x.img, got)
		}
	}
}

func TestWhatAProviderAddsIsInTheBound(t *testing.T) {
	c := dialect.Call{Endpoint: dialect.Chat, N: 1, TextBytes: 10}
	without, ok := Input(&c, Model{Name: "claude-x"}, Bytes)
	c.Added = 1024
	with, ok2 := Input(&c, Model{Name: "claude-x"}, Bytes)
	if !ok || !ok2 || with.Tokens != without.Tokens+1024 {
		t.Errorf("%d without, %d with", without.Tokens, with.Tokens)
	}
}
