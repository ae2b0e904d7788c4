package embed

import (
	"context"
	"sync"
)

// MaxTokens is how many tokens of a text the static table reads; what follows has
// no part in the vector. Callers whose texts may be longer bound them first.
const MaxTokens = 512

// MaxTextBytes is how many bytes of a text it looks at: spaces are no tokens, and
// a text of them has to end, too.
const MaxTextBytes = 32 << 10

// staticPipeline is the version of what happens between a text and its vector,
// beside the table. Raise it with any change that moves a vector.
const staticPipeline = "1"

// Static is the embedded table. Its vectors are the same on every machine.
type Static struct {
	table *table
}

var loadStatic = sync.OnceValues(func() (*Static, error) {
	t, err := parseTable(tableFile)
	if err != nil {
		return nil, err
	}
	return &Static{table: t}, nil
})

// NewStatic gives the embedded table, which is indexed when first asked for and then
// shared. The error says that the build is damaged.
func NewStatic() (*Static, error) { return loadStatic() }

// StaticID is the ID of the embedded table, without indexing it.
func StaticID() string { return "static:" + tableSum[:16] + ":" + staticPipeline }

// ID implements [Embedder].
func (s *Static) ID() string { return StaticID() }

// Dim implements [Embedder].
func (s *Static) Dim() int { return s.table.dim }

// Embed implements [Embedder]. It allocates nothing.
func (s *Static) Embed(_ context.Context, dst []float32, text string) error {
	if len(dst) != s.table.dim {
		return ErrDimension
	}
	clear(dst)
	var ids [MaxTokens]int32
	n := s.table.tokens(&ids, text)
	known := 0
	for _, id := range ids[:n] {
		if id != unknown {
			s.table.add(dst, id)
			known++
		}
	}
	if known == 0 {
		return ErrNoWords
	}
	return Normalize(dst)
}
