package ledger

import (
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"
)

// zoneOf turns a zone of the time zone database into data, as a node does.
func zoneOf(t failer, name string, from, to int) Zone {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatalf("%v", err)
	}
	at := time.Date(from, 1, 1, 0, 0, 0, 0, time.UTC).In(loc)
	_, offset := at.Zone()
	z := Zone{Name: name, Base: int32(offset)}
	for {
		_, end := at.ZoneBounds()
		if end.IsZero() || end.Year() > to {
			return z
		}
		if !end.After(at) {
			// Package time has bounds of no length on the last day of leap years.
			at = at.AddDate(0, 0, 1)
			continue
		}
		at = end
		_, offset = at.Zone()
		z.Transitions = append(z.Transitions, Transition{At: Instant(end.UnixNano()), Offset: int32(offset)})
	}
}

func instant(s string) Instant {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return Instant(at.UnixNano())
}

func stamp(i Instant) string {
	if i == MaxInstant {
		return "never"
	}
	return time.Unix(0, int64(i)).UTC().Format(time.RFC3339)
}

func TestWindowBounds(t *testing.T) {
	for _, c := range []struct {
		why        string
		kind       WindowKind
		zone       string
		at         string
		start, end string
	}{
		{"minutes", PerMinute, "UTC", "2026-03-04T05:06:07Z", "2026-03-04T05:06:00Z", "2026-03-04T05:07:00Z"},
		{"hours", PerHour, "UTC", "2026-03-04T05:06:07Z", "2026-03-04T05:00:00Z", "2026-03-04T06:00:00Z"},
		{"days", PerDay, "UTC", "2026-03-04T05:06:07Z", "2026-03-04T00:00:00Z", "2026-03-05T00:00:00Z"},
		{"weeks begin on Monday", PerWeek, "UTC", "2026-03-04T05:06:07Z", "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"},
		{"a Monday is its own week's first day", PerWeek, "UTC", "2026-03-02T00:00:00Z", "2026-03-02T00:00:00Z", "2026-03-09T00:00:00Z"},
		{"a Sunday belongs to the week before", PerWeek, "UTC", "2026-03-01T23:59:59Z", "2026-02-23T00:00:00Z", "2026-03-02T00:00:00Z"},
		{"months", PerMonth, "UTC", "2026-12-04T05:06:07Z", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"leap day", PerMonth, "UTC", "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"2100 is no leap year", PerMonth, "UTC", "2100-02-28T12:00:00Z", "2100-02-01T00:00:00Z", "2100-03-01T00:00:00Z"},
		{"total", Total, "UTC", "2026-03-04T05:06:07Z", "1970-01-01T00:00:00Z", "never"},
		{"local midnight", PerDay, "Asia/Kathmandu", "2026-03-04T18:14:59Z", "2026-03-03T18:15:00Z", "2026-03-04T18:15:00Z"},
		{"a day of 23 hours", PerDay, "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"a day of 25 hours", PerDay, "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
		{"the skipped hour has no window", PerHour, "Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"},
		{"the repeated hour is one window", PerHour, "Europe/Berlin", "2026-10-25T01:30:00Z", "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"},
		{"and its minutes are not", PerMinute, "Europe/Berlin", "2026-10-25T01:30:10Z", "2026-10-25T01:30:00Z", "2026-10-25T01:31:00Z"},
		{"half an hour forward", PerHour, "Australia/Lord_Howe", "2026-10-03T15:45:00Z", "2026-10-03T15:30:00Z", "2026-10-03T16:00:00Z"},
		{"half an hour back", PerHour, "Australia/Lord_Howe", "2026-04-04T15:15:00Z", "2026-04-04T14:00:00Z", "2026-04-04T15:30:00Z"},
		{"midnight skipped: the day begins at one", PerDay, "America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"midnight repeated: the day begins at the first", PerDay, "America/Havana", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"set back from midnight to eleven: one midnight", PerDay, "America/Sao_Paulo", "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"},
		{"a day that never was", PerDay, "Pacific/Apia", "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"and the day after it", PerDay, "Pacific/Apia", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"},
	} {
		w := Window{Kind: c.kind, Zone: zoneOf(t, c.zone, 2009, 2030)}
		if err := w.validate(); err != nil {
			t.Errorf("%s: %v", c.why, err)
		}
		start, end := w.Bounds(instant(c.at))
		if stamp(start) != c.start || stamp(end) != c.end {
			t.Errorf("%s: %s is in %s to %s, want %s to %s", c.why, c.at, stamp(start), stamp(end), c.start, c.end)
		}
	}
}

// TestL6WindowsPartitionTime walks through years of real zones from window to
// window: each must begin where the last ended and hold everything in between.
func TestL6WindowsPartitionTime(t *testing.T) {
	zones := []string{
		"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo",
		"Pacific/Apia", "Africa/Casablanca", "America/Havana", "Asia/Tehran", "Asia/Gaza", "Antarctica/Troll",
		"America/St_Johns", "Pacific/Chatham", "Africa/Monrovia", "Asia/Pyongyang", "Pacific/Kwajalein",
	}
	for _, name := range zones {
		zone := zoneOf(t, name, 1970, 2030)
		for _, kind := range []WindowKind{PerHour, PerDay, PerWeek, PerMonth} {
			w := Window{Kind: kind, Zone: zone}
			at, end := instant("1970-01-03T00:00:00Z"), instant("2026-01-01T00:00:00Z")
			if kind == PerHour {
				at = instant("2005-01-03T00:00:00Z")
			}
			at, _ = w.Bounds(at)
			for at < end {
				start, next := w.Bounds(at)
				last, lastNext := w.Bounds(next - 1)
				if start != at || next <= start || last != start || lastNext != next {
					t.Fatalf("%s, %s: window at %s is %s to %s, its last instant in %s to %s",
						name, kind, stamp(at), stamp(start), stamp(next), stamp(last), stamp(lastNext))
				}
				at = next
			}
		}
	}
}

// TestL6WindowsOfAnyZone does the same for zones that no country would have,
// against the definition read aloud: a boundary is the first instant at which
// the local clock has reached it.
func TestL6WindowsOfAnyZone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z := Zone{Base: drawOffset(t)}
		at := Instant(0)
		for range rapid.IntRange(0, 6).Draw(t, "transitions") {
			at += Instant(rapid.IntRange(1, 200_000).Draw(t, "after")) * Second
			z.Transitions = append(z.Transitions, Transition{At: at, Offset: drawOffset(t)})
		}
		kind := rapid.SampledFrom([]WindowKind{PerHour, PerDay, PerWeek, PerMonth}).Draw(t, "kind")
		w := Window{Kind: kind, Zone: z}
		if err := w.validate(); err != nil {
			t.Fatal(err)
		}
		x := Instant(rapid.Int64Range(0, int64(at)/int64(Second)+400_000).Draw(t, "at"))*Second +
			Instant(rapid.SampledFrom([]int64{0, 1, 999_999_999}).Draw(t, "fraction"))
		start, end := w.Bounds(x)
		if x < start || x >= end {
			t.Fatalf("%d is not in its window %d to %d", x, start, end)
		}
		if s, e := w.Bounds(start); s != start || e != end {
			t.Fatalf("the start of %d to %d is in %d to %d", start, end, s, e)
		}
		if s, e := w.Bounds(end - 1); s != start || e != end {
			t.Fatalf("the last instant of %d to %d is in %d to %d", start, end, s, e)
		}
		if s, _ := w.Bounds(end); s != end {
			t.Fatalf("after %d to %d comes a window from %d", start, end, s)
		}
		wantStart, wantEnd := readAloud(kind, &z, x)
		if start != wantStart || end != wantEnd {
			t.Fatalf("window of %d is %d to %d, want %d to %d", x, start, end, wantStart, wantEnd)
		}
	})
}

func drawOffset(t *rapid.T) int32 {
	if rapid.Bool().Draw(t, "round") {
		return int32(rapid.IntRange(-26*4, 26*4).Draw(t, "quarters")) * 900
	}
	return int32(rapid.IntRange(-maxOffset, maxOffset).Draw(t, "offset"))
}

// readAloud finds the window by trying boundaries one after the other, each by
// looking for the first instant that reaches it segment by segment. Boundaries
// come from package time.
func readAloud(kind WindowKind, z *Zone, x Instant) (start, end Instant) {
	reaches := func(local int64) Instant {
		for i := -1; ; i++ {
			at := (local - z.offset(i))
			if i >= 0 {
				at = max(at, z.at(i))
			}
			if i+1 == len(z.Transitions) || at < z.at(i+1) {
				return Instant(at) * Second
			}
		}
	}
	boundary := time.Unix(int64(x/Second), 0).UTC().AddDate(0, -2, -10)
	boundary = time.Date(boundary.Year(), boundary.Month(), 1, 0, 0, 0, 0, time.UTC)
	switch kind {
	case PerHour:
		boundary = time.Unix(int64(x/Second), 0).UTC().AddDate(0, 0, -6).Truncate(time.Hour)
	case PerWeek:
		for boundary.Weekday() != time.Monday {
			boundary = boundary.AddDate(0, 0, 1)
		}
	}
	for {
		next := boundary.Add(time.Hour)
		switch kind {
		case PerDay:
			next = boundary.AddDate(0, 0, 1)
		case PerWeek:
			next = boundary.AddDate(0, 0, 7)
		case PerMonth:
			next = boundary.AddDate(0, 1, 0)
		}
		if start, end = reaches(boundary.Unix()), reaches(next.Unix()); x < end {
			return start, end
		}
		boundary = next
	}
}

// TestWindowBoundsAreTotal: no instant and no zone, however wrong, may panic.
func TestWindowBoundsAreTotal(t *testing.T) {
	for kind := range WindowKind(9) {
		for _, at := range []Instant{-MaxInstant - 1, -MaxInstant, -1, 0, 1, MaxInstant - 1, MaxInstant} {
			for _, offset := range []int32{0, -1 << 31, 1<<31 - 1} {
				z := Zone{Base: offset, Transitions: []Transition{{At: at, Offset: -offset}, {At: 5, Offset: offset}}}
				(&Window{Kind: kind, Zone: z}).Bounds(at)
			}
		}
	}
}

func TestCivilCalendar(t *testing.T) {
	for day := int64(-800_000); day < 800_000; day += 13 {
		at := time.Unix(day*daySeconds, 0).UTC()
		year, month := civilMonth(day)
		first := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC).Unix() / daySeconds
		if year != int64(at.Year()) || month != int64(at.Month()) || daysToMonth(year, month) != first {
			t.Fatalf("day %d is in %d-%d, which begins on %d; want %v", day, year, month, daysToMonth(year, month), at)
		}
	}
}

func BenchmarkBounds(b *testing.B) {
	for _, name := range []string{"UTC", "Europe/Berlin"} {
		w := Window{Kind: PerDay, Zone: zoneOf(b, name, 1970, 2100)}
		at := instant("2026-03-04T05:06:07Z")
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				w.Bounds(at)
			}
		})
	}
}

// TestZoneOfABudgetStays: another time zone database does not move the windows of
// a budget, nor keep its limit from being changed.
func TestZoneOfABudgetStays(t *testing.T) {
	s := New()
	b := Budget{ID: "b", Unit: USD, Limit: 5, Window: Window{Kind: PerDay, Zone: zoneOf(t, "Europe/Berlin", 2024, 2030)}}
	put := func(b Budget) Code { return s.Apply(0, PutBudget{Budget: b}).Code }
	put(b)
	next := b
	next.Limit, next.Window.Zone = 6, zoneOf(t, "Europe/Berlin", 2024, 2040)
	if code := put(next); code != Applied {
		t.Fatal(code)
	}
	got, _ := s.Budget("b")
	if got.Limit != 6 || len(got.Window.Zone.Transitions) != len(b.Window.Zone.Transitions) {
		t.Errorf("limit %d, %d transitions", got.Limit, len(got.Window.Zone.Transitions))
	}
	next.Window.Zone = zoneOf(t, "Europe/Madrid", 2024, 2030) // the same offsets under another name
	if code := put(next); code != Applied {
		t.Errorf("the same offsets: %s", code)
	}
	for _, other := range []string{"America/New_York", "UTC"} {
		next.Window.Zone = zoneOf(t, other, 2024, 2030)
		if code := put(next); code != BudgetImmutable {
			t.Errorf("%s: %s", other, code)
		}
	}
}
