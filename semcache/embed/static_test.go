package embed

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// prompt is text of about n tokens, of common words.
func prompt(n int) string {
	words := strings.Fields("how do i configure the reverse proxy so that requests from the new billing service are retried only when no byte was sent yet and the budget allows")
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(words[i%len(words)])
	}
	return b.String()
}

func TestStaticFindsWhatIsAlike(t *testing.T) {
	s := static(t)
	vectors, spend, err := All(t.Context(), s, []string{
		"How do I reset my password?", "how can i reset the password", "What is the capital of France?", "", "!!! \x00",
	})
	if err != nil || spend != (Spend{}) {
		t.Fatal(spend, err)
	}
	if vectors[3] != nil || vectors[4] == nil {
		t.Error("a text without words has a vector, or one of punctuation has none")
	}
	if at, c := Nearest(vectors[1:], vectors[0]); at != 0 || c < 0.7 {
		t.Errorf("the nearest is %d with %v", at, c)
	}
	if c := Cosine(vectors[0], vectors[2]); c > 0.6 {
		t.Errorf("two questions about different things have the cosine %v", c)
	}
	if at, _ := Nearest([][]float32{nil}, vectors[0]); at != -1 {
		t.Errorf("nothing has a nearest: %d", at)
	}
}

func TestStaticReadsMaxTokens(t *testing.T) {
	s := static(t)
	a, b := make([]float32, s.Dim()), make([]float32, s.Dim())
	most := strings.Repeat("word ", MaxTokens-1)
	for _, c := range []struct {
		name, x, y string
		same       bool
	}{
		{"the last token", most + "garden", most + "elephants", false},
		{"what follows", most + "garden", most + "garden elephants", true},
		{"a word that the bound cuts", most + "kubernetes", most + "kubernetic", true},
	} {
		if err := errors.Join(s.Embed(t.Context(), a, c.x), s.Embed(t.Context(), b, c.y)); err != nil {
			t.Fatal(err)
		}
		if same := slices.Equal(a, b); same != c.same {
			t.Errorf("%s: the vectors are the same: %v", c.name, same)
		}
	}
	if err := s.Embed(t.Context(), a, strings.Repeat(" ", MaxTextBytes)+"word"); !errors.Is(err, ErrNoWords) {
		t.Errorf("what is beyond %d bytes was read: %v", MaxTextBytes, err)
	}
	if err := s.Embed(t.Context(), a[:5], "word"); !errors.Is(err, ErrDimension) {
		t.Errorf("a short dst: %v", err)
	}
}

func TestStaticAllocatesNothing(t *testing.T) {
	s := static(t)
	dst := make([]float32, s.Dim())
	for _, text := range []string{prompt(20), "Größe, naïve café 北京 안녕 😀", strings.Repeat("é", 300)} {
		if n := testing.AllocsPerRun(100, func() { _ = s.Embed(t.Context(), dst, text) }); n != 0 {
			t.Errorf("%.12q: %v allocations", text, n)
		}
	}
}

func TestADamagedTableIsRefused(t *testing.T) {
	if _, err := parseTable(tableFile); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"", "PSTB", tableFile[:tableHeader], tableFile[:len(tableFile)-1], tableFile + "x",
		"XSTB" + tableFile[4:], tableFile[:4] + "\x02" + tableFile[5:],
		tableFile[:8] + "\xff\xff\xff\xff" + tableFile[12:], tableFile[:12] + "\x00\x00\x00\x00" + tableFile[16:],
		tableFile[:16] + "\xff\xff\xff\xff" + tableFile[20:], tableFile[:tableHeader] + "\n" + tableFile[tableHeader+1:],
	} {
		if _, err := parseTable(bad); err == nil {
			t.Errorf("a table of %d bytes that begins with %.20q was taken", len(bad), bad)
		}
	}
}

// TestNormalizeSaysWhyItCannot also holds it to length 1 for any values.
func TestNormalizeSaysWhyItCannot(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		v    []float32
		want error
	}{{[]float32{0, 0}, ErrZero}, {nil, ErrZero}, {[]float32{1, nan}, ErrNotFinite}, {[]float32{inf, 1}, ErrNotFinite}, {[]float32{inf, -inf}, ErrNotFinite}} {
		if err := Normalize(c.v); !errors.Is(err, c.want) {
			t.Errorf("%v: %v", c.v, err)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		v := make([]float32, 1+r.IntN(300))
		size := math.Pow(10, float64(r.IntN(76)-38))
		for i := range v {
			v[i] = float32(r.NormFloat64() * size)
		}
		if err := Normalize(v); err != nil {
			if v[0] != 0 && !errors.Is(err, ErrNotFinite) {
				t.Errorf("%v: %v", v[0], err)
			}
			continue
		}
		var sum float64
		for _, x := range v {
			sum += float64(x) * float64(x)
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("length² %v", sum)
		}
	}
}

// FuzzStatic: any text becomes a unit vector or has no words; its tokens are of the
// vocabulary, and spell no more than was in the text.
func FuzzStatic(f *testing.F) {
	for _, g := range readGolden(f) {
		f.Add(g.Text)
	}
	f.Add("\xff\xfe broken \xe2\x82 bytes")
	f.Add(strings.Repeat("ab", 5000))
	f.Fuzz(func(t *testing.T, text string) {
		s := static(t)
		var ids [MaxTokens]int32
		n := s.table.tokens(&ids, text)
		known, spelled := 0, 0
		for _, id := range ids[:n] {
			if id == unknown {
				continue
			}
			known++
			spelled += utf8.RuneCountInString(strings.TrimPrefix(s.table.token(id), "##"))
		}
		// A character decomposes into at most four that are kept.
		if most := 4 * utf8.RuneCountInString(text); spelled > most {
			t.Fatalf("%d characters spelled from at most %d", spelled, most)
		}
		dst := make([]float32, s.Dim())
		err := s.Embed(t.Context(), dst, text)
		if (known == 0) != errors.Is(err, ErrNoWords) {
			t.Fatalf("%d known tokens, and %v", known, err)
		}
		if err == nil && math.Abs(float64(Cosine(dst, dst))-1) > 1e-5 {
			t.Fatalf("length² %v", Cosine(dst, dst))
		}
	})
}

// twin is the longest-piece spelling by the definition: every beginning, the longest
// first; nil if a rest has none.
func twin(known map[string]bool, word string) []string {
	var out []string
	for at := 0; at < len(word); {
		size := len(word) - at
		for ; size > 0; size-- {
			piece := word[at : at+size]
			if at > 0 {
				piece = "##" + piece
			}
			if known[piece] {
				out = append(out, piece)
				break
			}
		}
		if size == 0 {
			return nil
		}
		at += size
	}
	return out
}

func TestSpellingIsTheDefinitions(t *testing.T) {
	s := static(t)
	known := map[string]bool{}
	for i := range s.table.scales {
		known[s.table.token(int32(i))] = true
	}
	r := rand.New(rand.NewPCG(2, 3))
	for range 1000 {
		var b strings.Builder
		for range 1 + r.IntN(4) {
			b.WriteString(strings.TrimPrefix(s.table.token(int32(r.IntN(len(s.table.scales)))), "##"))
		}
		word := strings.Map(func(c rune) rune {
			if 'a' <= c && c <= 'z' {
				return c
			}
			return -1
		}, b.String())
		if word == "" {
			continue
		}
		var ids [MaxTokens]int32
		n := s.table.tokens(&ids, word)
		got := spelled(s, ids[:n])
		want := twin(known, word)
		if want == nil {
			want = []string{""}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func BenchmarkStatic(b *testing.B) {
	s := static(b)
	dst := make([]float32, s.Dim())
	for _, n := range []int{8, 16, 32, 64, 128, 512} {
		text := prompt(n)
		b.Run(fmt.Sprintf("tokens=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Embed(b.Context(), dst, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := parseTable(tableFile); err != nil {
			b.Fatal(err)
		}
	}
}
