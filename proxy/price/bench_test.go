package price

import (
	"testing"

	"purser/ledger"
)

var sink ledger.Amount

func TestHotPathDoesNotAllocate(t *testing.T) {
	c, at := Embedded(), ledger.Instant(1_795_000_000)*ledger.Second
	u := Usage{InputText: 1000, CacheRead: 5000, OutputText: 300, OutputReasoning: 700, Requests: 1}
	r, _ := c.Find("openai", "gpt-5.6-sol", at)
	c.Find("openai", "gpt-5.6-sol-2026-07-09", at)
	for what, f := range map[string]func(){
		"Cost":           func() { sink += r.Cost(&u, Standard) },
		"Cost auto":      func() { sink += r.Cost(&u, Auto) },
		"Bound":          func() { sink += r.Bound(300_000, 8192, Auto) },
		"BoundOf":        func() { sink += r.BoundOf(Extent{Input: 1000, Output: 100, Meters: Text}, Standard) },
		"Find":           func() { c.Find("openai", "gpt-5.6-sol", at) },
		"Find a pattern": func() { c.Find("openai", "gpt-5.6-sol-2026-07-09", at) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", what, n)
		}
	}
}

func BenchmarkCost(b *testing.B) {
	r, _ := Embedded().Find("openai", "gpt-5.6-sol", ledger.MaxInstant-1)
	u := Usage{InputText: 1000, CacheRead: 5000, OutputText: 300, OutputReasoning: 700, Requests: 1}
	b.ReportAllocs()
	for b.Loop() {
		sink += r.Cost(&u, Standard)
	}
}

func BenchmarkBoundOf(b *testing.B) {
	r, _ := Embedded().Find("openai", "gpt-5.6-sol", ledger.MaxInstant-1)
	e := Extent{Input: 6000, Output: 8192, Meters: Text}
	b.ReportAllocs()
	for b.Loop() {
		sink += r.BoundOf(e, Auto)
	}
}

func BenchmarkFind(b *testing.B) {
	c := Embedded()
	for _, name := range []string{"gpt-4o-mini", "gpt-5.6-sol-2026-07-09", "no-such-model"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.Find("openai", name, ledger.MaxInstant-1)
			}
		})
	}
}

func BenchmarkParseEmbedded(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		s, err := decode(snapshot)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := build(s); err != nil {
			b.Fatal(err)
		}
	}
}
