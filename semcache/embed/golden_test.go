package embed

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"testing"
)

// golden is a line of testdata/golden.jsonl, which tools/distill wrote with the
// tokenizer of the model: a text, its tokens (nil where there is none), and the
// first values of its vector.
type golden struct {
	Text   string    `json:"text"`
	Tokens []*string `json:"tokens"`
	Vector []float64 `json:"vector"`
}

func readGolden(t testing.TB) []golden {
	t.Helper()
	f, err := os.Open("testdata/golden.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []golden
	for s := bufio.NewScanner(f); s.Scan(); {
		var g golden
		if err := json.Unmarshal(s.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	if len(all) < 100 {
		t.Fatalf("only %d golden lines", len(all))
	}
	return all
}

func static(t testing.TB) *Static {
	t.Helper()
	s, err := NewStatic()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTokensAreThoseOfTheModel(t *testing.T) {
	s := static(t)
	for _, g := range readGolden(t) {
		var ids [MaxTokens]int32
		n := s.table.tokens(&ids, g.Text)
		if n != len(g.Tokens) {
			t.Errorf("%q has %d tokens %q, want %d", g.Text, n, spelled(s, ids[:n]), len(g.Tokens))
			continue
		}
		for i, id := range ids[:n] {
			want := g.Tokens[i]
			if (want == nil) != (id == unknown) || want != nil && s.table.token(id) != *want {
				t.Errorf("%q: token %d is %q, want %v", g.Text, i, spelled(s, ids[i:i+1]), want)
			}
		}
	}
}

func spelled(s *Static, ids []int32) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		if id != unknown {
			out[i] = s.table.token(id)
		}
	}
	return out
}

func TestVectorsAreThoseOfTheDistiller(t *testing.T) {
	s := static(t)
	dst := make([]float32, s.Dim())
	for _, g := range readGolden(t) {
		err := s.Embed(t.Context(), dst, g.Text)
		if g.Vector == nil {
			if err != ErrNoWords {
				t.Errorf("%q: %v, want ErrNoWords", g.Text, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", g.Text, err)
			continue
		}
		for i, want := range g.Vector {
			if math.Abs(float64(dst[i])-want) > 2e-6 {
				t.Errorf("%q: value %d is %v, want %v", g.Text, i, dst[i], want)
			}
		}
	}
}

// TestTheIDIsOfTheTable: another table without another ID would mix vectors.
func TestTheIDIsOfTheTable(t *testing.T) {
	sum := sha256.Sum256([]byte(tableFile))
	if got := hex.EncodeToString(sum[:]); got != tableSum {
		t.Errorf("table.bin has the SHA-256 %s; sum.go says %s: run make embedder", got, tableSum)
	}
}
