package node

import (
	"encoding/json"
	"testing"
	"time"

	"purser/api/admin"
	"purser/ledger"
)

func TestLimitsAreReadExactly(t *testing.T) {
	for text, want := range map[string]ledger.Amount{
		"1": 1_000_000_000, "0.10": 100_000_000, "12.5": 12_500_000_000, "0.000000001": 1, "1000000": 1_000_000_000_000_000, "0": 0,
	} {
		got, err := ParseLimit(text, ledger.USD)
		if err != nil || got != want {
			t.Errorf("%s dollars: %d, want %d, %v", text, got, want, err)
		}
		if back, err := ParseLimit(limitText(got, ledger.USD), ledger.USD); err != nil || back != want {
			t.Errorf("%s dollars come back as %d, %v", text, back, err)
		}
	}
	for _, text := range []string{"", "-1", "+1", "1e3", "0.0000000001", ".5", "1.2.3", "1,5", "NaN", "99999999999999999999", "0x10"} {
		if got, err := ParseLimit(text, ledger.USD); err == nil {
			t.Errorf("%q dollars are read as %d", text, got)
		}
	}
	if got, err := ParseLimit("600", ledger.Requests); err != nil || got != 600 {
		t.Errorf("600 requests: %d, %v", got, err)
	}
	if got, err := ParseLimit("1.5", ledger.Requests); err == nil {
		t.Errorf("1.5 requests are read as %d", got)
	}
}

// TestZonesAsDataAgreeWithTheDatabase compares day windows with the local
// midnights of the machine's own time zone database, over three years.
func TestZonesAsDataAgreeWithTheDatabase(t *testing.T) {
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "America/Havana", "Pacific/Auckland", "UTC"} {
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		zone, err := zoneOf(name)
		if err != nil {
			t.Fatal(err)
		}
		w := ledger.Window{Kind: ledger.PerDay, Zone: zone}
		for at := time.Date(2026, 1, 1, 0, 30, 0, 0, time.UTC); at.Year() < 2029; at = at.Add(5 * time.Hour) {
			start, end := w.Bounds(ledger.Instant(at.UnixNano()))
			if int64(start) > at.UnixNano() || int64(end) <= at.UnixNano() {
				t.Fatalf("%s: the window of %s does not hold it", name, at)
			}
			from, to := time.Unix(0, int64(start)).In(loc), time.Unix(0, int64(end)-1).In(loc)
			if from.YearDay() != to.YearDay() || from.YearDay() != at.In(loc).YearDay() {
				t.Fatalf("%s: the day of %s is from %s to %s", name, at.In(loc), from, to)
			}
		}
	}
}

func TestBudgetsOfTheAPI(t *testing.T) {
	in := admin.Budget{ID: "per-customer", Unit: "usd", Limit: json.Number("12.5"), Window: "month", Zone: "Europe/Berlin",
		Match: map[string][]string{"team": {"b", "a", "a"}, "tag:plan": {"pro"}}, Each: []string{"customer"}, Alerts: []int{90, 50}}
	rule, err := ruleOf(in)
	if err != nil {
		t.Fatal(err)
	}
	out := ruleText(&rule)
	if out.Limit != "12.5" || out.Window != "month" || out.Zone != "Europe/Berlin" || len(out.Match["team"]) != 2 || out.Each[0] != "customer" || out.Alerts[0] != 50 {
		t.Errorf("came back as %+v", out)
	}
	for name, change := range map[string]func(*admin.Budget){
		"unit":       func(b *admin.Budget) { b.Unit = "euro" },
		"limit":      func(b *admin.Budget) { b.Limit = "-1" },
		"window":     func(b *admin.Budget) { b.Window = "fortnight" },
		"zone":       func(b *admin.Budget) { b.Zone = "Mars/Olympus" },
		"local zone": func(b *admin.Budget) { b.Zone = "Local" },
		"match":      func(b *admin.Budget) { b.Match = map[string][]string{"colour": {"red"}} },
		"each":       func(b *admin.Budget) { b.Each = []string{"colour"} },
		"alert":      func(b *admin.Budget) { b.Alerts = []int{101} },
		"id":         func(b *admin.Budget) { b.ID = "Not An ID" },
	} {
		bad := in
		change(&bad)
		if _, err := ruleOf(bad); err == nil {
			t.Errorf("%s: %+v was accepted", name, bad)
		}
	}
}
