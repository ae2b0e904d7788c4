package statement

import (
	"bytes"
	"encoding/csv"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

// TestStatementsAddUp: what all are charged, less the markups, and what is not shared, is
// what was spent; lines add up to their owner's own cost, and charges to the charge.
func TestStatementsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var used []Used
		var spent ledger.Amount
		for range rapid.IntRange(0, 30).Draw(t, "rows") {
			u := Used{
				Owner: rapid.SampledFrom([]string{"", "acme", "bolt", "crane"}).Draw(t, "owner"), Of: []string{rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "model")},
				Cost: ledger.Amount(rapid.Int64Range(-1e9, 1e15).Draw(t, "cost")), Requests: 1,
			}
			spent += u.Cost
			used = append(used, u)
		}
		terms := Terms{Sharing: rapid.SampledFrom(Sharings).Draw(t, "sharing"), Markup: rapid.Int64Range(-Million/2, 2*Million).Draw(t, "markup")}
		out := Make(used, terms)
		sum := out.Unshared
		for _, s := range out.All {
			sum += s.Cost
			if s.Charge != s.Cost+s.Markup || s.Cost != s.Own.Cost+s.Shared {
				t.Fatalf("%+v", s)
			}
			var own, charged ledger.Amount
			for _, l := range s.Lines {
				own += l.Cost
				charged += l.Charge
			}
			if own != s.Own.Cost {
				t.Fatalf("lines of %d, of %d", own, s.Own.Cost)
			}
			if s.Own.Cost > 0 && s.Shared == 0 && charged != s.Charge {
				t.Fatalf("lines are charged %d of %d", charged, s.Charge)
			}
		}
		if sum != spent || out.Cost != spent {
			t.Fatalf("statements of %d, of %d spent", sum, spent)
		}
		if terms.Sharing == NotShared {
			for _, s := range out.All {
				if s.Shared != 0 {
					t.Fatalf("%s has a part of what is not shared", s.Owner)
				}
			}
		}
	})
}

// TestPartsAddUpAndAreNear: divided by weights, no part is a nano-dollar from its share.
func TestPartsAddUpAndAreNear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amount := ledger.Amount(rapid.Int64Range(-1e18, 1e18).Draw(t, "amount"))
		var weights []ledger.Amount
		total := new(big.Int)
		for range rapid.IntRange(1, 12).Draw(t, "parts") {
			w := rapid.Int64Range(0, 1e17).Draw(t, "weight")
			weights = append(weights, ledger.Amount(w))
			total.Add(total, big.NewInt(w))
		}
		parts, ok := Divide(amount, weights)
		if ok != (total.Sign() > 0) {
			t.Fatal(ok)
		}
		if !ok {
			return
		}
		var sum ledger.Amount
		for i, p := range parts {
			sum += p
			exact := new(big.Rat).SetFrac(new(big.Int).Mul(big.NewInt(int64(amount)), big.NewInt(int64(weights[i]))), total)
			off := new(big.Rat).Sub(exact, new(big.Rat).SetInt64(int64(p)))
			if off.Abs(off).Cmp(big.NewRat(1, 1)) >= 0 {
				t.Fatalf("part %d is %d, exactly %s", i, p, exact.FloatString(3))
			}
		}
		if sum != amount {
			t.Fatalf("%d of %d", sum, amount)
		}
	})
}

func TestAPartIsRoundedToTheNearest(t *testing.T) {
	for _, c := range []struct{ a, millionths, want int64 }{
		{100, 150_000, 15}, {3, 500_000, 2}, {-3, 500_000, -2}, {1, 499_999, 0}, {1e18, 1_000_000, 1e18}, {200, -100_000, -20},
	} {
		if got := part(ledger.Amount(c.a), c.millionths); int64(got) != c.want {
			t.Errorf("%d millionths of %d are %d, not %d", c.millionths, c.a, got, c.want)
		}
	}
}

func TestDollarsAreExact(t *testing.T) {
	for a, want := range map[ledger.Amount]string{0: "0.00", 1: "0.000000001", 1_500_000_000: "1.50", -12_345_000_000: "-12.345", 1_000_000_000_000: "1000.00"} {
		if got := Dollars(a); got != want {
			t.Errorf("%d is %q, not %q", a, got, want)
		}
	}
}

var hostile = Heading{Dimension: "customer", By: []string{"model"}, Period: "2026-11", Terms: Terms{Sharing: Proportional, Markup: 100_000}, Issuer: "node", Missing: []string{"<i>n2"}}

func hostileStatements() []Statement {
	return Make([]Used{
		{Owner: `=HYPERLINK("http://x")`, Of: []string{`<script>alert(1)</script>`}, Cost: 700, Requests: 1234567},
		{Owner: "acme, inc.", Of: []string{"+1"}, Cost: 300}, {Of: []string{"x"}, Cost: 100},
	}, hostile.Terms).All
}

// TestNoCellIsAFormula: what a spreadsheet would run is text; the charges of all rows are
// what is charged.
func TestNoCellIsAFormula(t *testing.T) {
	var b bytes.Buffer
	all := hostileStatements()
	if err := CSV(&b, &hostile, all); err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 5 || rows[1][0] != `'=HYPERLINK("http://x")` || rows[3][3] != "'+1" || rows[2][2] != "shared" {
		t.Errorf("%q", rows)
	}
	sum := new(big.Rat)
	for _, row := range rows[1:] {
		charge, ok := new(big.Rat).SetString(row[len(row)-1])
		if !ok {
			t.Fatalf("%q is no amount", row[len(row)-1])
		}
		sum.Add(sum, charge)
	}
	var want ledger.Amount
	for _, s := range all {
		want += s.Charge
	}
	if sum.Cmp(big.NewRat(int64(want), 1_000_000_000)) != 0 {
		t.Errorf("rows are charged %s, statements %s", sum.FloatString(9), Dollars(want))
	}
}

// TestNothingOfAPageRuns: names are texts, and the policy allows its own style alone.
func TestNothingOfAPageRuns(t *testing.T) {
	var b bytes.Buffer
	if err := HTML(&b, &hostile, hostileStatements()); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if strings.Contains(text, "<script") || strings.Contains(text, "<i>") || !strings.Contains(text, "&lt;script&gt;") || !strings.Contains(text, "&lt;i&gt;n2") {
		t.Error(text)
	}
	if !strings.Contains(text, "<style>"+style+"</style>") || strings.Contains(Policy(), "unsafe") {
		t.Errorf("the style is not the one of the policy %s", Policy())
	}
	if !strings.Contains(text, "1\u202f234\u202f567") {
		t.Error("numbers are not grouped")
	}
	b.Reset()
	if err := HTML(&b, &hostile, nil); err != nil || !strings.Contains(b.String(), "Nothing was used") {
		t.Errorf("%v: %s", err, b.String())
	}
}
