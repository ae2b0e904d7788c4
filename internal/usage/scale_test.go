package usage

import (
	"math/rand/v2"
	"testing"

	"purser/internal/record"
	"purser/ledger"
)

// minuteOf are the records of a busy minute.
func minuteOf(n int) []*record.Record {
	rng := rand.New(rand.NewPCG(1, 1))
	var list []*record.Record
	for range n {
		r := spread(rng, ledger.Minute)
		id := record.NewID(midnight + ledger.Instant(rng.Int64N(int64(ledger.Minute))))
		r.ID = id
		list = append(list, r)
	}
	return inOrder(list)
}

// BenchmarkBucket makes a bucket of 1,000 records; an operation is one record.
func BenchmarkBucket(b *testing.B) {
	list := minuteOf(1000)
	b.ReportAllocs()
	for range (b.N + len(list) - 1) / len(list) {
		bucket := newBucket(minutes.rowsMost())
		s := scan{into: bucket.record}
		for _, r := range list {
			s.count(r)
		}
		s.endRequest()
		bucket.finish()
		bucket.blocks()
	}
}

// BenchmarkMerge adds the blocks of minutes of 250 records; an operation is one record.
func BenchmarkMerge(b *testing.B) {
	list := minuteOf(250)
	from := newBucket(minutes.rowsMost())
	s := scan{into: from.record}
	for _, r := range list {
		s.count(r)
	}
	s.endRequest()
	block := from.blocks()[0]
	b.ReportAllocs()
	b.ResetTimer()
	to := newBucket(hours.rowsMost())
	for range (b.N + len(list) - 1) / len(list) {
		k, err := openBlock(block)
		if err != nil {
			b.Fatal(err)
		}
		if err := to.merge(k); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFold adds a block of 8,192 rows to 8,000 groups; an operation is one row.
func BenchmarkFold(b *testing.B) {
	from := newBucket(1 << 20)
	s := scan{into: from.record}
	for _, r := range minuteOf(blockRows) {
		s.count(r)
	}
	s.endRequest()
	block := from.blocks()[0]
	customer, _ := ParseField("customer")
	feature, _ := ParseField("feature")
	client, _ := ParseField("client")
	q := TotalsQuery{Range: Always, By: []Field{customer, feature, client}}
	t, err := newTally(&q)
	if err != nil {
		b.Fatal(err)
	}
	f := fold{q: &q, t: t}
	b.ReportAllocs()
	b.ResetTimer()
	for range (b.N + blockRows - 1) / blockRows {
		k, err := openBlock(block)
		if err != nil {
			b.Fatal(err)
		}
		if err := f.block(newView(k, midnight, nil), 0); err != nil {
			b.Fatal(err)
		}
	}
}
