package price

import (
	"fmt"
	"math/big"
	"testing"
	"time"

	"pgregory.net/rapid"

	"purser/ledger"
)

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		text  string
		shift int
		n     int64
		exact bool
	}{
		{"2.5", PerMillion, 2_500_000, true},
		{"0.075", PerMillion, 75_000, true},
		{"0.000001", PerMillion, 1, true},
		{"0.0000001", PerMillion, 1, false},
		{"0.08333333333333334", PerMillion, 83_334, false},
		{"2.5", PerThousand, 2_500_000_000, true},
		{"0.01", PerOne, 10_000_000_000, true},
		{"2e5", 0, 200_000, true},
		{"1.25E-3", PerMillion, 1250, true},
		{".5", 1, 5, true},
		{"0", PerOne, 0, true},
		{"007", 0, 7, true},
		{"1000000000000000000", 0, 1e18, true},
	} {
		n, exact, err := Decimal(c.text, c.shift)
		if err != nil || n != c.n || exact != c.exact {
			t.Errorf("Decimal(%q, %d) is %d, %t, %v; want %d, %t", c.text, c.shift, n, exact, err, c.n, c.exact)
		}
	}
	for _, bad := range []string{"", ".", "1.", "-1", "+1", "1,5", "0x1", "NaN", "1e", "1e99", "1e1.5", "1000000000000000001", "１"} {
		if n, _, err := Decimal(bad, 0); err == nil {
			t.Errorf("Decimal(%q) is %d", bad, n)
		}
	}
}

func TestDecimalAgainstRationals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := fmt.Sprintf("%d.%s", rapid.Int64Range(0, 1e6).Draw(t, "whole"), rapid.StringMatching(`[0-9]{1,14}`).Draw(t, "fraction"))
		shift := rapid.IntRange(0, 12).Draw(t, "shift")
		want, _ := new(big.Rat).SetString(text)
		want.Mul(want, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(shift)), nil)))
		n, exact, err := Decimal(text, shift)
		if err != nil {
			if want.Cmp(big.NewRat(1e18, 1)) <= 0 {
				t.Fatal(err)
			}
			return
		}
		above := new(big.Rat).Sub(big.NewRat(n, 1), want)
		if above.Sign() < 0 || above.Cmp(big.NewRat(1, 1)) >= 0 || exact != (above.Sign() == 0) {
			t.Fatalf("Decimal(%q, %d) is %d, %t", text, shift, n, exact)
		}
	})
}

func TestDatesAgainstTheCalendar(t *testing.T) {
	for d := time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() < 2201; d = d.AddDate(0, 0, 1) {
		got, err := parseDate(d.Format("2006-01-02"))
		if err != nil || got != ledger.Instant(d.Unix())*ledger.Second {
			t.Fatalf("%s is %d, %v", d, got, err)
		}
	}
	for _, bad := range []string{"", "2026", "2026-1-1", "2026-13-01", "2026-00-01", "2026-02-29", "1900-01-01", "2026/01/01", "2026-01-01T"} {
		if at, err := parseDate(bad); err == nil {
			t.Errorf("%q is %d", bad, at)
		}
	}
}

func TestSpans(t *testing.T) {
	over, err := parseSpan("16:30-00:30")
	if err != nil {
		t.Fatal(err)
	}
	for clock, want := range map[ledger.Instant]bool{
		0:                             true,
		30 * ledger.Minute:            false,
		16*ledger.Hour + 29*60*1e9:    false,
		16*ledger.Hour + 30*60*1e9:    true,
		-1:                            true, // the last instant before the epoch
		-8 * ledger.Hour:              false,
		100*ledger.Day + 20*3600*1e9:  true,
		100*ledger.Day + 10*3600*1e9:  false,
		ledger.MaxInstant - 1<<62 - 1: over.has(ledger.MaxInstant - 1<<62 - 1),
	} {
		if over.has(clock) != want {
			t.Errorf("%d is in 16:30-00:30: %t", clock, !want)
		}
	}
	for _, bad := range []string{"1:00-2:00", "24:00-01:00", "01:60-02:00", "01:00-01:00", "01:00/02:00", "aa:bb-cc:dd"} {
		if s, err := parseSpan(bad); err == nil {
			t.Errorf("%q is %v", bad, s)
		}
	}
}

func TestNames(t *testing.T) {
	for m := range Meter(NumMeters) {
		if back, ok := ParseMeter(m.String()); !ok || back != m {
			t.Errorf("meter %d is %q, which is %d", m, m, back)
		}
	}
	if _, ok := ParseMeter("tokens"); ok {
		t.Error(`"tokens" is a meter`)
	}
	for tier := Standard; tier <= Auto; tier++ {
		if back, ok := ParseTier(tier.String()); !ok || back != tier {
			t.Errorf("tier %d is %q, which is %d", tier, tier, back)
		}
	}
	for name, want := range map[string]Tier{"default": Standard, "fast": Priority, "scale": Standard, "": Auto} {
		if tier, ok := ParseTier(name); !ok || tier != want {
			t.Errorf("%q is %s", name, tier)
		}
	}
	if tier, ok := ParseTier("ultrafast"); ok || tier != Auto {
		t.Errorf(`"ultrafast" is %s, %t`, tier, ok)
	}
	all := Input | Output | Calls | Meters(Requests)
	if all != every || Input&Output|Input&Calls|Output&Calls != 0 || Text&^(Input|Output) != 0 {
		t.Error("the sets of meters overlap or leave some out")
	}
	if Meter(200).String() != "meter(?)" || Tier(200).String() != "tier(?)" {
		t.Error("what is not a meter or a tier has a name")
	}
}
