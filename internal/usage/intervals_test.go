package usage

import (
	"errors"
	"strings"
	"testing"
	"time"

	"purser/ledger"
)

// Berlin's clocks in 2026: forward on 29 March, back on 25 October, at 01:00 UTC.
var berlin = ledger.Zone{Name: "Europe/Berlin", Base: 3600, Transitions: []ledger.Transition{
	{At: utc("2026-03-29T01:00:00Z"), Offset: 7200}, {At: utc("2026-10-25T01:00:00Z"), Offset: 3600},
}}

func utc(text string) ledger.Instant {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return ledger.Instant(t.UnixNano())
}

func TestIntervalsAreThoseOfTheirZone(t *testing.T) {
	kolkata := ledger.Zone{Name: "Asia/Kolkata", Base: 19800}
	for name, c := range map[string]struct {
		from, to string
		kind     ledger.WindowKind
		zone     ledger.Zone
		hours    []float64 // of each interval
	}{
		"a day of 23 hours":          {"2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z", ledger.PerDay, berlin, []float64{24, 23, 24}},
		"a day of 25 hours":          {"2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z", ledger.PerDay, berlin, []float64{24, 25, 24}},
		"an hour that is twice":      {"2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z", ledger.PerHour, berlin, []float64{1, 2, 1}},
		"half an hour off":           {"2026-05-01T18:30:00Z", "2026-05-03T18:30:00Z", ledger.PerDay, kolkata, []float64{24, 24}},
		"a week with a change":       {"2026-10-18T22:00:00Z", "2026-10-25T23:00:00Z", ledger.PerWeek, berlin, []float64{169}},
		"a range that is not whole":  {"2026-05-01T12:00:00Z", "2026-05-02T12:00:00Z", ledger.PerDay, ledger.Zone{}, []float64{24, 24}},
		"February, and a bit of May": {"2026-02-01T00:00:00Z", "2026-05-01T00:00:01Z", ledger.PerMonth, ledger.Zone{}, []float64{28 * 24, 31 * 24, 30 * 24, 31 * 24}},
	} {
		q := TotalsQuery{Range: Range{utc(c.from), utc(c.to)}, Interval: ledger.Window{Kind: c.kind, Zone: c.zone}}
		starts, err := q.intervals()
		if err != nil || len(starts) != len(c.hours) {
			t.Errorf("%s: %d intervals, want %d: %v", name, len(starts), len(c.hours), err)
			continue
		}
		for i, start := range starts {
			_, end := q.Interval.Bounds(start)
			if got := float64(end-start) / float64(ledger.Hour); got != c.hours[i] {
				t.Errorf("%s: interval %d has %v hours, want %v", name, i, got, c.hours[i])
			}
		}
	}
}

func TestQueriesThatAreTooWideSayWhy(t *testing.T) {
	customer := DimField(ledger.DimRef{Dim: ledger.DimCustomer})
	year := Range{utc("2026-01-01T00:00:00Z"), utc("2027-01-01T00:00:00Z")}
	for says, q := range map[string]TotalsQuery{
		"more than 2200 intervals": {Range: year, Interval: ledger.Window{Kind: ledger.PerHour}},
		"more than 65536 rows":     {Range: year, Interval: ledger.Window{Kind: ledger.PerDay}, By: []Field{customer}, Limit: 200},
	} {
		var refused QueryError
		if err := q.Check(); !errors.As(err, &refused) || !strings.Contains(string(refused), says) {
			t.Errorf("%v, want %q", err, says)
		}
	}
	q := TotalsQuery{Range: year, Interval: ledger.Window{Kind: ledger.PerDay}, By: []Field{customer}}
	if q.Limit = q.MostGroups(); q.Check() != nil || q.Limit < 100 {
		t.Errorf("the most groups, %d: %v", q.Limit, q.Check())
	}
	if q.Interval.Kind = ledger.PerMinute; q.MostGroups() != MaxGroups {
		t.Error("of a range that is refused anyway")
	}
}
