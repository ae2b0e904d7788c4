package bound

import (
	"fmt"
	"strings"
	"testing"

	"purser/proxy/dialect"
)

const prose = "The purser keeps the ship's money; each request is metered, priced and settled exactly once (see section 6). " +
	"func main() {\n\tfmt.Println(\"hello\", 12345)\n}\n日本語のテキスト und Überraschungen. "

func BenchmarkInput(b *testing.B) {
	body := fmt.Sprintf(`{"model":"m","messages":[{"role":"system","content":"You help."},{"role":"user","content":%q}]}`, strings.Repeat(prose, 20))
	c := decode(b, dialect.Chat, body)
	m := Model{Tokenizer: o200k}
	Warm(o200k)
	for s, name := range map[Step]string{Bytes: "bytes", Vocabulary: "vocabulary", Exact: "exact"} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(c.TextBytes)
			b.ReportAllocs()
			for b.Loop() {
				Input(c, m, s)
			}
		})
	}
	b.Run("library", func(b *testing.B) {
		text := strings.Repeat(prose, 20)
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		for b.Loop() {
			_, _ = load(o200k).codec.Count(text)
		}
	})
}

func BenchmarkWarm(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		build(encodings[o200k])
	}
}

func TestVocabularyDoesNotAllocate(t *testing.T) {
	c := decode(t, dialect.Chat, `{"model":"m","messages":[{"role":"user","content":"plain words, no escapes in them"}]}`)
	m := Model{Tokenizer: o200k}
	for s := Bytes; s <= Exact; s++ {
		if n := testing.AllocsPerRun(100, func() { Input(c, m, s) }); n != 0 {
			t.Errorf("step %d allocates %v times", s, n)
		}
	}
}
