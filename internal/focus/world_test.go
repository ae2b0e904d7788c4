package focus

import (
	"bytes"
	"fmt"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// tester is a test, of rapid's or the standard library's.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// november is when the records of tests were made, but for those that say otherwise.
var november = time.Date(2026, 11, 26, 10, 15, 0, 0, time.UTC)

func at(t time.Time) ledger.Instant { return ledger.Instant(t.UnixNano()) }

// idAt is an id of an instant that differs by n.
func idAt(t time.Time, n int) string {
	id := record.FirstID(at(t))
	id[14], id[15] = byte(n>>8), byte(n)
	return id.String()
}

// contracted is the embedded catalogue with a contract for one of its providers.
func contracted(t tester) *price.Catalogue {
	t.Helper()
	c, err := price.Embedded().WithDiscounts([]price.Discount{{Provider: "openai", Percent: "12.3457", Meters: []string{"input", "output"}}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// bought is a record of a call, priced by the catalogue as the gateway does it.
func bought(t tester, c *price.Catalogue, when time.Time, n int, provider, model string, tier price.Tier, u price.Usage) *record.Record {
	t.Helper()
	rate, ok := c.Find(provider, model, at(when))
	if !ok {
		t.Fatalf("the catalogue has no %s/%s", provider, model)
	}
	r := &record.Record{
		ID: idAt(when, n), At: at(when), Upstream: provider, Model: model, Served: model, Tier: tier.String(), Outcome: record.Completed, Basis: record.Reported,
		Usage: u, RateID: rate.ID, Cost: rate.Cost(&u, tier), Priced: rate.Cost(&u, tier), List: rate.List().Cost(&u, tier), Attempt: 1, Attempts: 1,
	}
	r.Baseline = r.Cost
	r.Dims.Values[ledger.DimProvider], r.Dims.Values[ledger.DimModel] = provider, model
	return r
}

// charges are the rows that records become.
func charges(t tester, o Options, records ...*record.Record) (rows []Charge) {
	t.Helper()
	m := NewMapper(o, func(c *Charge) error { rows = append(rows, *c); return nil })
	for _, r := range records {
		if err := m.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// written is rows as a CSV file.
func written(t tester, v Version, rows []Charge) []byte {
	t.Helper()
	var b bytes.Buffer
	table := Focus(v)
	w, err := NewCSV(&b, table.Columns())
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if err := w.Write(table.Cells(nil, &rows[i])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// checked is what the checker says of a CSV file.
func checked(t tester, v Version, file []byte) Report {
	t.Helper()
	src, err := ReadCSV(bytes.NewReader(file), Focus(v).Columns())
	if err != nil {
		t.Fatal(err)
	}
	report, err := Check(v, src)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// mixed is one of everything that becomes rows.
func mixed(t tester, c *price.Catalogue) []*record.Record {
	t.Helper()
	full := bought(t, c, november, 1, "openai", "gpt-5", price.Standard, price.Usage{price.InputText: 1200, price.CacheRead: 800, price.OutputText: 333, price.OutputReasoning: 77, price.WebSearch: 2, price.Requests: 1})
	full.Dims.Values[ledger.DimTeam], full.Dims.Values[ledger.DimCustomer], full.Dims.Values[ledger.DimRun] = "search", "acme", "run-1"
	full.Dims.Tags = []ledger.Tag{{Name: "job", Value: "nightly"}}
	full.Savings = []record.Saving{{Lever: record.LeverNativeCache, Amount: 500}}
	again := bought(t, c, november.Add(time.Minute), 2, "openai", "gpt-5", price.Standard, price.Usage{price.InputText: 1, price.OutputText: 1, price.Requests: 1})
	again.Dims = full.Dims
	again.Dims.Values[ledger.DimRun] = "run-2"
	hit := &record.Record{ID: idAt(november.Add(2*time.Minute), 3), Outcome: record.CacheHit, Cache: record.CacheServed, Baseline: 4321, Savings: []record.Saving{{Lever: record.LeverExactCache, Amount: 4321}}, Attempt: 1}
	hit.Dims = full.Dims
	said := bought(t, c, november.Add(3*time.Minute), 4, "anthropic", "claude-sonnet-4-5", price.Standard, price.Usage{price.InputText: 10, price.OutputText: 20, price.Requests: 1})
	said.Basis, said.Cost = record.ReportedCost, 777
	held := &record.Record{ID: idAt(november.Add(4*time.Minute), 5), Outcome: record.Truncated, Basis: record.FullHold, Upstream: "openai", Cost: 99_999, List: 99_999, Priced: 99_999, Attempt: 1}
	held.Dims.Values[ledger.DimProvider], held.Dims.Values[ledger.DimModel] = "openai", "=HYPERLINK(\"http://x\")"
	gone := bought(t, c, november.Add(5*time.Minute), 6, "openai", "gpt-5", price.Standard, price.Usage{price.InputText: 100, price.OutputText: 10, price.Requests: 1})
	gone.RateID += "+override" // of a catalogue that is not there
	fix := &record.Record{ID: idAt(november.Add(6*time.Minute), 7), At: at(november.AddDate(0, 0, 1)), Kind: record.KindCorrection, Corrects: full.ID, Cost: -100, Note: "billed at another tier"}
	late := &record.Record{ID: idAt(november.Add(7*time.Minute), 8), At: at(november.AddDate(0, 1, 0)), Kind: record.KindAdjustment, Cost: 55, Note: "@rounding of the provider"}
	lost := &record.Record{ID: idAt(november.Add(8*time.Minute), 9), At: at(november), Kind: record.KindPresumed, Cost: 12}
	refused := &record.Record{ID: idAt(november.Add(9*time.Minute), 10), Outcome: record.Refused, Attempt: 1}
	next := bought(t, c, november.Add(time.Hour), 11, "openai", "gpt-5", price.Flex, price.Usage{price.InputText: 7, price.OutputText: 3, price.Requests: 1})
	same := bought(t, c, november.Add(time.Hour+time.Minute), 12, "openai", "gpt-5", price.Standard, price.Usage{price.InputText: 7, price.OutputText: 3, price.WebSearch: 1})
	return []*record.Record{full, again, hit, said, held, gone, fix, late, lost, refused, next, same}
}

func total(records []*record.Record) (cost, saved int64) {
	for _, r := range records {
		cost += int64(r.Cost)
		for _, s := range r.Savings {
			saved += int64(s.Amount)
		}
	}
	return cost, saved
}

func nano(n int64) string { return fmt.Sprint(scaled(n, nanoScale)) }
