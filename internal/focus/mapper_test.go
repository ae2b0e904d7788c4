package focus

import (
	"errors"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

func TestRowsAddUpToTheRecords(t *testing.T) {
	c := contracted(t)
	models := [...][2]string{{"openai", "gpt-5"}, {"openai", "gpt-4o"}, {"anthropic", "claude-sonnet-4-5"}, {"google", "gemini-2.5-pro"}}
	rapid.Check(t, func(t *rapid.T) {
		var records []*record.Record
		var perRecord = map[string]int64{}
		when := november
		for i := range rapid.IntRange(1, 40).Draw(t, "records") {
			when = when.Add(time.Duration(rapid.IntRange(0, 3_000_000_000_000).Draw(t, "gap")))
			var u price.Usage
			for m := range u {
				if rapid.IntRange(0, 3).Draw(t, "meter") == 0 {
					u[m] = rapid.Int64Range(0, 3_000_000).Draw(t, "count")
				}
			}
			which := rapid.SampledFrom(models[:]).Draw(t, "model")
			r := bought(t, c, when, i, which[0], which[1], rapid.SampledFrom([]price.Tier{price.Standard, price.Flex, price.Priority, price.Batch}).Draw(t, "tier"), u)
			switch rapid.IntRange(0, 5).Draw(t, "kind") {
			case 0: // the provider says what it costs
				r.Cost, r.Basis = ledger.Amount(rapid.Int64Range(0, 1<<50).Draw(t, "cost")), record.ReportedCost
			case 1: // unknown usage
				r.Usage, r.Cost, r.Basis = price.Usage{}, ledger.Amount(rapid.Int64Range(1, 1<<40).Draw(t, "hold")), record.FullHold
				r.List, r.Priced = r.Cost, r.Cost
			case 2: // prices that are no longer known
				r.RateID = "openai/gone"
			case 3:
				r.Kind, r.Cost = record.KindCorrection, ledger.Amount(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "change"))
			}
			r.Dims.Values[ledger.DimTeam] = rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "team")
			records = append(records, r)
			perRecord[r.ID] += int64(r.Cost)
		}
		for _, o := range []Options{{Rates: c}, {Rates: c, Daily: true}, {Rates: c, Single: true}, {}} {
			rows := charges(t, o, records...)
			report := checked(t, V12, written(t, V12, rows))
			cost, _ := total(records)
			want := nano(cost)
			if len(rows) == 0 {
				if cost != 0 {
					t.Fatalf("no rows for %s", want)
				}
				continue
			}
			if report.Sums["BilledCost"] != want || report.Sums["EffectiveCost"] != want {
				t.Fatalf("%+v: billed %s, effective %s, the records cost %s", o, report.Sums["BilledCost"], report.Sums["EffectiveCost"], want)
			}
			if len(report.Findings) > 0 {
				t.Fatalf("%+v: %+v", o, report.Findings)
			}
			if o.Single {
				sums := map[string]int64{}
				for _, row := range rows {
					if row.kind == record.KindRequest {
						sums[row.request] += row.billed
					}
				}
				for id, sum := range sums {
					if sum != perRecord[id] {
						t.Fatalf("the rows of %s add up to %d, it cost %d", id, sum, perRecord[id])
					}
				}
			}
		}
	})
}

func TestPricesMakeTheAmountsAgain(t *testing.T) {
	c := contracted(t)
	r := bought(t, c, november, 1, "openai", "gpt-5", price.Standard, price.Usage{price.InputText: 1_234_567, price.OutputText: 89})
	r.Tier = "" // the provider said nothing
	rows := charges(t, Options{Rates: c}, r)
	if len(rows) != 2 {
		t.Fatalf("%d rows for two meters", len(rows))
	}
	rate, _ := c.Find("openai", "gpt-5", r.At)
	var list, agreed Decimal
	for i, row := range rows {
		units := map[price.Meter]int64{price.InputText: 1_234_567, price.OutputText: 89}[row.meter]
		if row.quantity != units || !row.metered() {
			t.Errorf("row %d: %d of %v, metered %v", i, row.quantity, row.meter, row.metered())
		}
		cells := Focus(V12).Cells(nil, &row)
		for j, col := range Focus(V12).Columns() {
			switch col.Name {
			case "ListCost":
				list = addDecimal(list, cells[j].Number)
			case "ContractedCost":
				agreed = addDecimal(agreed, cells[j].Number)
			}
		}
	}
	// The record's amounts are those, rounded up once.
	for name, x := range map[string][2]Decimal{"list": {list, scaled(int64(r.List), nanoScale)}, "contracted": {agreed, scaled(int64(r.Priced), nanoScale)}} {
		if up := ceil(x[0]); up.Cmp(x[1]) != 0 {
			t.Errorf("%s: exact %s, rounded up %s, the record has %s", name, x[0], up, x[1])
		}
	}
	if list.Cmp(agreed) <= 0 {
		t.Errorf("list %s is not above contracted %s", list, agreed)
	}
	if !strings.Contains(rows[0].skuPrice(), rate.ID) {
		t.Errorf("the price %s is not named by its rate %s", rows[0].skuPrice(), rate.ID)
	}
}

func addDecimal(a, b Decimal) Decimal {
	if a.Units == nil {
		return b
	}
	x, _ := a.At(30)
	y, _ := b.At(30)
	return Decimal{new(big.Int).Add(x.Units, y.Units), 30}
}

func ceil(d Decimal) Decimal {
	n, rest := new(big.Int).QuoRem(d.Units, pow10(d.Scale-nanoScale), new(big.Int))
	if rest.Sign() > 0 {
		n.Add(n, big.NewInt(1))
	}
	return Decimal{n, nanoScale}
}

func TestEverythingIsShown(t *testing.T) {
	c := contracted(t)
	records := mixed(t, c)
	for _, v := range Versions {
		rows := charges(t, Options{Rates: c}, records...)
		file := written(t, v, rows)
		report := checked(t, v, file)
		if len(report.Findings) > 0 {
			t.Errorf("%s: %+v", v, report.Findings)
		}
		cost, saved := total(records)
		var requests, hits, avoided int64
		for _, r := range rows {
			requests, hits, avoided = requests+r.requests, hits+r.hits, avoided+r.avoided
		}
		if got := report.Sums["BilledCost"]; got != nano(cost) || avoided != saved {
			t.Errorf("%s: billed %s of %s, avoided %d of %d", v, got, nano(cost), avoided, saved)
		}
		if requests != 8 || hits != 1 { // those that came to something
			t.Errorf("%s: %d requests, %d from the cache", v, requests, hits)
		}
		golden(t, "mixed-"+string(v)+".csv", file)
	}
}

var update = flag.Bool("update", false, "write testdata again")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	want, err := os.ReadFile(path)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err != nil || string(want) != string(got) {
		t.Errorf("%s is not what was written (-update writes it again): %v\n%s", path, err, got)
	}
}

func TestCorrectionsOfAMonthThatIsOver(t *testing.T) {
	month := time.Date(2026, 10, 31, 23, 59, 0, 0, time.UTC)
	made := func(known time.Time) Charge {
		rows := charges(t, Options{}, &record.Record{ID: idAt(month, 1), At: at(known), Kind: record.KindCorrection, Cost: -5})
		if len(rows) != 1 || rows[0].billed != -5 {
			t.Fatalf("%+v", rows)
		}
		return rows[0]
	}
	if made(month.Add(59 * time.Second)).late {
		t.Error("a correction within the month is called one of an invoiced month")
	}
	if !made(month.Add(time.Minute)).late {
		t.Error("a correction of the month before is not called one")
	}
}

// TestGrownTablesAreHandedOutEarly: sums hold however small the table is.
func TestGrownTablesAreHandedOutEarly(t *testing.T) {
	c := contracted(t)
	var rows []Charge
	m := NewMapper(Options{Rates: c}, func(c *Charge) error { rows = append(rows, *c); return nil })
	m.most = 2
	records := mixed(t, c)
	for _, r := range records {
		if err := m.Add(r); err != nil {
			t.Fatal(err)
		}
		if len(m.open) > 2 {
			t.Fatalf("%d rows are open", len(m.open))
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	cost, _ := total(records)
	if got := checked(t, V12, written(t, V12, rows)); got.Sums["BilledCost"] != nano(cost) || len(got.Findings) > 0 {
		t.Errorf("%+v", got)
	}
	if few := charges(t, Options{Rates: c}, records...); len(few) >= len(rows) {
		t.Errorf("%d rows, and %d with a table that has room", len(rows), len(few))
	}
}

func TestAnErrorOfTheReceiverEndsTheRows(t *testing.T) {
	full := errors.New("the disk is full")
	calls := 0
	m := NewMapper(Options{}, func(*Charge) error { calls++; return full })
	for _, r := range mixed(t, contracted(t)) {
		_ = m.Add(r)
	}
	if err := m.Close(); !errors.Is(err, full) || calls != 1 {
		t.Errorf("%v after %d rows", err, calls)
	}
}

func TestSplitIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(-1<<62, 1<<62).Draw(t, "total")
		weights := []*big.Int{big.NewInt(rapid.Int64Range(1, 1<<62).Draw(t, "first"))}
		for range rapid.IntRange(0, 20).Draw(t, "more") {
			weights = append(weights, big.NewInt(rapid.Int64Range(0, 1<<62).Draw(t, "weight")))
		}
		sum := new(big.Int)
		for _, w := range weights {
			sum.Add(sum, w)
		}
		var got int64
		for i, share := range split(n, weights) {
			got += share
			exact := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(n), weights[i]), sum)
			off := new(big.Rat).Sub(new(big.Rat).SetInt64(share), exact)
			if off.Abs(off).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("share %d is %d, exactly %s", i, share, exact.FloatString(6))
			}
		}
		if got != n {
			t.Fatalf("the shares of %d add up to %d", n, got)
		}
	})
}

func TestDecimalsAreWrittenAndRead(t *testing.T) {
	for text, d := range map[string]Decimal{"0": whole(0), "-0.000000001": scaled(-1, 9), "1.5": scaled(1_500_000_000, 9), "12": scaled(12_000, 3), "9223372036854775807": whole(1<<63 - 1)} {
		if got := d.String(); got != text {
			t.Errorf("%s is written %s", text, got)
		}
		if read, err := ParseDecimal(text); err != nil || read.Cmp(d) != 0 {
			t.Errorf("%s is read as %v, %v", text, read, err)
		}
	}
	for _, text := range []string{"", "+1", "1.", ".5", "1e3", "0x1", "1,000", "--1", "1.2.3", "NaN", " 1", fmt.Sprintf("%065d", 1)} {
		if d, err := ParseDecimal(text); err == nil {
			t.Errorf("%q is read as %s", text, d)
		}
	}
}
