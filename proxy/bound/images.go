package bound

import (
	"strings"

	"purser/proxy/dialect"
)

// formula is how a family of models counts an image's tokens, after OpenAI's
// "Images and vision" guide. A tile family counts base, and in high detail tile
// for each square of 512 pixels; a patch family counts the squares of 32
// pixels up to patches, times permille.
type formula struct {
	model      string
	base, tile int64
	patches    int64
	permille   int64
}

// Claude's models see patches of 28 pixels, after a picture is scaled down to what
// the model sees at most: 4,784 patches of the largest, per Anthropic's "Vision"
// guide. An older guide counts one token for 750 pixels, which is five
// in a hundred more.
const (
	claudePrefix = "claude-"
	claudePatch  = 28
	claudeMost   = 5_120
)

// claudeTokens bounds one picture; false where neither its size nor the largest is
// known, as of one that is not to be scaled down.
func claudeTokens(img *dialect.Image) (int64, bool) {
	known := img.Width > 0 && img.Height > 0
	switch whole := img.Detail == dialect.DetailOriginal; {
	case !known && whole:
		return 0, false
	case !known:
		return claudeMost, true
	default:
		patches := ceilDiv(int64(img.Width), claudePatch) * ceilDiv(int64(img.Height), claudePatch)
		n := patches + ceilDiv(patches, 20)
		if !whole {
			n = min(n, claudeMost)
		}
		return n, true
	}
}

// formulas of the models whose way of counting is published. Where the guide
// and what was seen on bills differ, the larger is here.
var formulas = []formula{
	{model: "gpt-4o", base: 85, tile: 170},
	{model: "chatgpt-4o", base: 85, tile: 170},
	{model: "gpt-4.1", base: 85, tile: 170},
	{model: "gpt-4.5-preview", base: 85, tile: 170},
	{model: "gpt-4-turbo", base: 85, tile: 170},
	{model: "gpt-4o-mini", base: 2833, tile: 5667},
	{model: "gpt-5", base: 70, tile: 140},
	{model: "gpt-5-chat", base: 70, tile: 140},
	{model: "o1", base: 75, tile: 150},
	{model: "o1-pro", base: 75, tile: 150},
	{model: "o3", base: 75, tile: 150},
	{model: "o3-pro", base: 75, tile: 150},
	{model: "computer-use-preview", base: 65, tile: 129},
	{model: "gpt-4.1-mini", patches: 1536, permille: 1620},
	{model: "gpt-4.1-nano", patches: 1536, permille: 2460},
	{model: "gpt-5-mini", patches: 1536, permille: 1620},
	{model: "gpt-5-nano", patches: 1536, permille: 2460},
	{model: "gpt-5.4-mini", patches: 2500, permille: 1620},
	{model: "gpt-5.4-nano", patches: 2500, permille: 2460},
	{model: "o4-mini", patches: 1536, permille: 1720},
}

// formulaOf finds the formula for a model: the name itself, or with a date or
// "latest" after it. Another suffix is another model.
func formulaOf(model string) *formula {
	for i := range formulas {
		rest, ok := strings.CutPrefix(model, formulas[i].model)
		if !ok {
			continue
		}
		if rest == "" || rest == "-latest" || len(rest) > 4 && strings.HasPrefix(rest, "-20") ||
			len(rest) == 5 && rest[0] == '-' && rest[1] >= '0' && rest[1] <= '9' {
			return &formulas[i]
		}
	}
	return nil
}

// imageTokens bounds the tokens of the images. It is false when no formula is
// known for one of them.
func imageTokens(images []dialect.Image, model string) (int64, bool) {
	if len(images) == 0 {
		return 0, true
	}
	var n int64
	if strings.HasPrefix(model, claudePrefix) {
		for i := range images {
			tokens, ok := claudeTokens(&images[i])
			if !ok {
				return 0, false
			}
			n += tokens
		}
		return n, true
	}
	if strings.HasPrefix(model, "gemini-") {
		return geminiImages(images, model)
	}
	f := formulaOf(model)
	if f == nil {
		return 0, false
	}
	for i := range images {
		if images[i].Detail == dialect.DetailOriginal {
			return 0, false // none of these models has it
		}
		n += f.tokens(&images[i])
	}
	return n, true
}

func (f *formula) tokens(img *dialect.Image) int64 {
	known := img.Width > 0 && img.Height > 0
	w, h := int64(img.Width), int64(img.Height)
	if f.patches > 0 { // detail makes no difference
		n := f.patches
		if known {
			n = min(n, ceilDiv(w, 32)*ceilDiv(h, 32))
		}
		return ceilDiv(n*f.permille, 1000)
	}
	if img.Detail == dialect.DetailLow {
		return f.base
	}
	tiles := int64(4 * 2) // of 2048 by 768
	if known {
		tiles = tilesOf(w, h)
	}
	return f.base + f.tile*tiles
}

// tilesOf scales a picture down, never up, to fit into 2048 by 2048 and then to
// a shorter side of 768, and counts the squares of 512 it covers.
func tilesOf(w, h int64) int64 {
	if long := max(w, h); long > 2048 {
		w, h = ceilDiv(w*2048, long), ceilDiv(h*2048, long)
	}
	if short := min(w, h); short > 768 {
		w, h = ceilDiv(w*768, short), ceilDiv(h*768, short)
	}
	return ceilDiv(w, 512) * ceilDiv(h, 512)
}

// geminiImages bounds pictures after Google's "Media resolution" and "Image
// understanding" guides. Gemini 3 gives each as many tokens as its resolution
// says, at most those of ultra high. Before it a picture is 258, or 258 for each
// tile; a tile's side is two thirds of the shorter side, from 256 to 768, and at
// high resolution up to nine such views come on top.
func geminiImages(images []dialect.Image, model string) (int64, bool) {
	const ultraHigh, tile, views = 2_240, 258, 10
	switch {
	case strings.HasPrefix(model, "gemini-3"):
		return ultraHigh * int64(len(images)), true
	case !strings.HasPrefix(model, "gemini-2.") && !strings.HasPrefix(model, "gemini-1.5"):
		return 0, false
	}
	var n int64
	for i := range images {
		w, h := int64(images[i].Width), int64(images[i].Height)
		if w == 0 || h == 0 {
			return 0, false
		}
		side := min(max(min(w, h)*2/3, 256), 768)
		n += tile * (ceilDiv(w, side)*ceilDiv(h, side) + views)
	}
	return n, true
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }
