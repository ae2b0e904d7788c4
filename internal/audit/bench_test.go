package audit

import (
	"testing"

	"purser/ledger"
)

// BenchmarkVerify verifies a chain of 10,000 changes of a budget.
func BenchmarkVerify(b *testing.B) {
	trail, list := New(), []Link{}
	for i := range 10_000 {
		trail.Record(ledger.Instant(i), &goldenFacts)
		list = append(list, trail.Recent()[len(trail.Recent())-1])
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(sequence(list), Expect{Heads: []Head{trail.Head()}}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(list)), "ns/entry")
}

// BenchmarkRecord appends one change.
func BenchmarkRecord(b *testing.B) {
	trail := New()
	b.ReportAllocs()
	for b.Loop() {
		trail.Record(1, &goldenFacts)
	}
}
