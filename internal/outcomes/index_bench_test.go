package outcomes

import (
	"fmt"
	"runtime"
	"testing"

	"purser/internal/record"
	"purser/ledger"
)

// BenchmarkEvidence looks up records among 100,000 outcomes of runs and customers: what a
// question adds to the reading of each record.
func BenchmarkEvidence(b *testing.B) {
	g := NewGathered(0, 100*day, "")
	for i := range 100_000 {
		r := report(fmt.Sprint(i), func(r *Report) {
			r.Join.Name = fmt.Sprint("run-", i)
			if i%2 == 0 {
				at := ledger.Instant(i%90) * day
				r.Join = where(b, at, at+day, map[string]string{"customer": fmt.Sprint("customer-", i%1000)})
			}
		})
		if _, err := r.Check(); err != nil {
			b.Fatal(err)
		}
		if err := g.Add(r); err != nil {
			b.Fatal(err)
		}
	}
	x, err := g.Index()
	if err != nil {
		b.Fatal(err)
	}
	records := make([]record.Record, 1024)
	found := 0
	for i := range records {
		r := &records[i]
		r.At = ledger.Instant(i%90) * day
		r.ID = record.NewID(r.At)
		r.Dims.Values[ledger.DimOrg], r.Dims.Values[ledger.DimKey] = "acme", "k1"
		r.Dims.Values[ledger.DimRun], r.Dims.Values[ledger.DimCustomer] = fmt.Sprint("run-", i*97), fmt.Sprint("customer-", i%1000)
		if e := x.Evidence(r); e.Known() {
			found++
		}
	}
	if found < len(records)/4 {
		b.Fatalf("of %d records something is known of %d", len(records), found)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		x.Evidence(&records[i%len(records)])
	}
}

// BenchmarkGathered says what a question holds in memory with as many outcomes as one takes
// into account.
func BenchmarkGathered(b *testing.B) {
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		g := NewGathered(0, 100*day, "")
		for i := range MaxGathered {
			if err := g.Add(report(fmt.Sprint("outcome-", i), func(r *Report) { r.Join.Name = fmt.Sprint("run-of-some-agent-", i) })); err != nil {
				b.Fatal(err)
			}
		}
		x, err := g.Index()
		if err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB-with-reports")
		runtime.KeepAlive(g)
		g = nil
		runtime.GC()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "MB-index")
		runtime.KeepAlive(x)
	}
}
