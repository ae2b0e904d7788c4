package focus

import (
	"fmt"
	"io"
	"testing"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// BenchmarkMapper is one record on its way into rows of an hour with 200 sets of
// dimensions.
func BenchmarkMapper(b *testing.B) {
	c := contracted(b)
	list := make([]*record.Record, 2000)
	for i := range list {
		list[i] = bought(b, c, november.Add(time.Duration(i)*time.Millisecond), i, "openai", "gpt-5", price.Standard, price.Usage{price.InputText: 1200, price.CacheRead: 800, price.OutputText: int64(i), price.Requests: 1})
		list[i].Dims.Values[ledger.DimCustomer] = fmt.Sprint(i % 200)
	}
	table := Focus(V12)
	w, err := NewCSV(io.Discard, table.Columns())
	if err != nil {
		b.Fatal(err)
	}
	m := NewMapper(Options{Rates: c}, func(c *Charge) error { return w.Write(table.Cells(nil, c)) })
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := m.Add(list[i%len(list)]); err != nil {
			b.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		b.Fatal(err)
	}
}
