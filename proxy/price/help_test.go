package price

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

// day is the first instant of a date.
func day(t testing.TB, date string) ledger.Instant {
	t.Helper()
	at, err := parseDate(date)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// tester is what a test and a property have in common.
type tester interface {
	Helper()
	Fatal(args ...any)
}

// one is a catalogue of the models, all of them the provider acme's.
func one(t tester, models ...Model) *Catalogue {
	t.Helper()
	for i := range models {
		models[i].Provider = "acme"
	}
	s := Snapshot{Version: formatVersion, Providers: []Provider{{ID: "acme"}}, Models: models}
	c, err := Parse(s.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// rate is the only rate of a model that has the rows.
func rate(t tester, rows ...Row) *Rate {
	t.Helper()
	r, ok := one(t, Model{ID: "m", Rates: rows}).Find("acme", "m", 0)
	if !ok {
		t.Fatal("the model has no rate at 0")
	}
	return r
}

// found is the rate of a model that must be there.
func found(t testing.TB, c *Catalogue, provider, model, date string) *Rate {
	t.Helper()
	r, ok := c.Find(provider, model, day(t, date))
	if !ok {
		t.Fatalf("no rate for %s/%s on %s", provider, model, date)
	}
	return r
}

// prices is a row's prices in pico-dollars.
type prices = map[string]int64

// drawRows makes rows of any tiers and bands, with prices left out at random.
func drawRows(t *rapid.T) []Row {
	var rows []Row
	for _, tier := range []string{"", "flex", "priority", "batch"} {
		if tier != "" && !rapid.Bool().Draw(t, "has "+tier) {
			continue
		}
		froms := rapid.SliceOfNDistinct(rapid.Int64Range(1, 50), 0, 2, rapid.ID[int64]).Draw(t, "thresholds")
		for _, from := range append([]int64{0}, froms...) {
			row := Row{Tier: tier, ContextFrom: from, Prices: prices{}}
			for m := range Meter(NumMeters) {
				if m == InputText || rapid.Bool().Draw(t, "lists "+m.String()) {
					row.Prices[m.String()] = rapid.Int64Range(0, 20_000).Draw(t, m.String())
				}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func drawRate(t *rapid.T) *Rate {
	m := Model{Provider: "acme", ID: "m", Rates: drawRows(t)}
	if rapid.Bool().Draw(t, "has hours") {
		extra := drawRows(t)
		for i := range extra {
			extra[i].Daily = "16:30-00:30"
		}
		m.Rates = append(m.Rates, extra...)
	}
	c, err := compile(&m, "")
	if err != nil {
		t.Fatal(err)
	}
	return c.at(ledger.Instant(rapid.Int64Range(0, int64(ledger.Day)).Draw(t, "at")))
}

func drawUsage(t *rapid.T, most int64) Usage {
	var u Usage
	for m := range u {
		if rapid.Bool().Draw(t, "uses "+Meter(m).String()) {
			u[m] = rapid.Int64Range(0, most).Draw(t, Meter(m).String())
		}
	}
	return u
}

func drawTier(t *rapid.T) Tier { return Tier(rapid.IntRange(0, int(Auto)).Draw(t, "tier")) }

// exact is what the twin says: a sum of big integers, over a thousand, rounded up.
func exact(r *Rate, u *Usage, t Tier) *big.Int {
	sum := new(big.Int)
	for m, n := range u {
		if n > 0 {
			unit := big.NewInt(r.Price(Meter(m), t, u.TotalInput()))
			sum.Add(sum, unit.Mul(unit, big.NewInt(n)))
		}
	}
	q, rest := sum.DivMod(sum, big.NewInt(1000), new(big.Int))
	if rest.Sign() > 0 {
		q.Add(q, big.NewInt(1))
	}
	if most := big.NewInt(int64(ledger.MaxAmount)); q.Cmp(most) > 0 {
		return most
	}
	return q
}
