package embed

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strings"
)

// A Spend is what vectors cost, for the savings they help to make to be told net.
type Spend struct {
	// Tokens is what the server billed: 0 for vectors that were remembered, and for
	// the static table.
	Tokens int64
	// PicoDollars is Tokens at the price that the embedder was given.
	PicoDollars int64
	// Estimated says that the server did not tell its tokens, and that they were
	// taken to be a quarter of the bytes.
	Estimated bool
}

// NanoDollars is the cost, rounded up.
func (s Spend) NanoDollars() int64 {
	n := s.PicoDollars / 1000
	if s.PicoDollars%1000 > 0 {
		n++
	}
	return n
}

// Add gives the sum of two spends; a sum beyond int64 stays at its end.
func (s Spend) Add(o Spend) Spend {
	return Spend{Tokens: sum(s.Tokens, o.Tokens), PicoDollars: sum(s.PicoDollars, o.PicoDollars), Estimated: s.Estimated || o.Estimated}
}

const maxInt64 = 1<<63 - 1

// sum and product are of numbers that are not negative.
func sum(a, b int64) int64 {
	if a > maxInt64-b {
		return maxInt64
	}
	return a + b
}

func product(a, b int64) int64 {
	if hi, lo := bits.Mul64(uint64(a), uint64(b)); hi == 0 && lo <= maxInt64 {
		return int64(lo)
	}
	return maxInt64
}

// Metered is an [Embedder] whose vectors cost something.
type Metered interface {
	Embedder
	// EmbedMetered is Embed, and tells what it cost, also beside an error.
	EmbedMetered(ctx context.Context, dst []float32, text string) (Spend, error)
}

// Measure embeds text with e, and tells what it cost: nothing, if e is not [Metered].
func Measure(ctx context.Context, e Embedder, dst []float32, text string) (Spend, error) {
	if m, ok := e.(Metered); ok {
		return m.EmbedMetered(ctx, dst, text)
	}
	return Spend{}, e.Embed(ctx, dst, text)
}

// batcher is an embedder that makes many vectors with one question.
type batcher interface {
	EmbedBatch(ctx context.Context, dst [][]float32, texts []string) (Spend, error)
}

// All gives a vector for each text, nil for a text that has nothing e knows. An
// embedder that can is asked for many at a time. The spend is told also beside an
// error.
func All(ctx context.Context, e Embedder, texts []string) ([][]float32, Spend, error) {
	out := make([][]float32, len(texts))
	all := make([]float32, len(texts)*e.Dim())
	for i := range out {
		out[i] = all[i*e.Dim() : (i+1)*e.Dim() : (i+1)*e.Dim()]
	}
	if b, ok := e.(batcher); ok {
		return batched(ctx, b, out, texts)
	}
	var spend Spend
	for i, text := range texts {
		s, err := Measure(ctx, e, out[i], text)
		spend = spend.Add(s)
		if errors.Is(err, ErrNoWords) {
			out[i] = nil
		} else if err != nil {
			return nil, spend, err
		}
	}
	return out, spend, nil
}

func batched(ctx context.Context, b batcher, out [][]float32, texts []string) ([][]float32, Spend, error) {
	var dst [][]float32
	var asked []string
	for i, text := range texts {
		if strings.TrimSpace(text) == "" {
			out[i] = nil
			continue
		}
		dst, asked = append(dst, out[i]), append(asked, text)
	}
	spend, err := b.EmbedBatch(ctx, dst, asked)
	if err != nil {
		return nil, spend, err
	}
	return out, spend, nil
}

// Nearest is the number of the vector of vs with the largest inner product with v,
// the first of equals, and that product; -1 if there is none. Vectors that are nil
// are passed over; the others have v's length.
func Nearest(vs [][]float32, v []float32) (int, float32) {
	best, at := float32(0), -1
	for i, w := range vs {
		if w == nil {
			continue
		}
		if c := Cosine(w, v); at < 0 || c > best {
			best, at = c, i
		}
	}
	return at, best
}

// ErrOtherEmbedder is the error for vectors of another embedder.
var ErrOtherEmbedder = errors.New("embed: vectors of another embedder")

// SameVectors says whether vectors kept under an embedder's ID can meet those of e.
// Its error names both IDs: what was kept is then of no use, and somebody should know.
func SameVectors(kept string, e Embedder) error {
	if kept != e.ID() {
		return fmt.Errorf("%w: kept are those of %q, asked for are those of %q", ErrOtherEmbedder, kept, e.ID())
	}
	return nil
}
