package usage

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"purser/internal/record"
	"purser/ledger"
)

// BenchmarkCommit commits records of a common size without waiting, on a real disk.
func BenchmarkCommit(b *testing.B) {
	s, _ := openStore(b, nil, b.TempDir())
	j := journalOn(b, s, DefaultConfig())
	rng := rand.New(rand.NewPCG(1, 1))
	recs := make([]*record.Record, 4096)
	for i := range recs {
		recs[i] = draw(rng, i)
	}
	var n atomic.Int64
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			r := *recs[i%int64(len(recs))]
			r.ID = record.NewID(start + ledger.Instant(i))
			j.Commit(Entry{Record: &r})
		}
	})
	if err := j.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.StopTimer()
	st := j.Stats()
	b.ReportMetric(float64(st.Bytes)/float64(st.Entries), "bytes/record")
	b.ReportMetric(float64(st.Entries)/float64(st.Groups), "records/group")
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	if err := s.DB().Flush(); err != nil {
		b.Fatal(err)
	}
	if err := s.DB().Compact(b.Context(), []byte{0}, []byte{0xff}, true); err != nil {
		b.Fatal(err)
	}
	// By the store's own count: compaction deletes tables while a directory is read.
	tables := s.DB().Metrics().Total()
	b.ReportMetric(float64(tables.TablesSize)/float64(st.Entries), "disk-bytes/record")
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCommitAndWait is what a caller pays who waits for the disk.
func BenchmarkCommitAndWait(b *testing.B) {
	s, _ := openStore(b, nil, b.TempDir())
	j := journalOn(b, s, DefaultConfig())
	rec := draw(rand.New(rand.NewPCG(1, 1)), 1)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		r := *rec
		for pb.Next() {
			r.ID = record.NewID(start)
			if err := j.Commit(Entry{Record: &r}).Wait(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.StopTimer()
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkTotals scans 200,000 records; an operation is one record.
func BenchmarkTotals(b *testing.B) {
	s, _ := openStore(b, nil, b.TempDir())
	j := journalOn(b, s, DefaultConfig())
	rng := rand.New(rand.NewPCG(1, 1))
	const n = 200_000
	for i := range n {
		j.Commit(Entry{Record: draw(rng, i)})
	}
	if err := j.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := s.DB().Flush(); err != nil {
		b.Fatal(err)
	}
	by := []Field{DimField(ledger.DimRef{Dim: ledger.DimCustomer}), {kind: modelServed}}
	b.ReportAllocs()
	b.ResetTimer()
	for range (b.N + n - 1) / n {
		if _, err := j.Totals(b.Context(), TotalsQuery{Range: Always, By: by}); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	b.ReportMetric(float64((b.N+n-1)/n*n)/b.Elapsed().Seconds(), "records/s")
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}
