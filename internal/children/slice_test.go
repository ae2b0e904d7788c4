package children

import (
	"testing"

	"pgregory.net/rapid"

	"purser/internal/directory"
	"purser/ledger"
)

// TestASliceHasOneAccount: whenever within its life a child spends, by any clock that
// is less than two hours wrong, it is charged to one account.
func TestASliceHasOneAccount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		expires := ledger.Instant(rapid.Int64Range(2, 40_000*86400).Draw(t, "expires")) * ledger.Second
		if rapid.Bool().Draw(t, "at midnight") {
			expires = expires / ledger.Day * ledger.Day
		}
		s := Slice{Generation: 1, Limit: 5, Expires: expires}
		w := s.Rule().Window
		from := expires - directory.MaxChildLife
		spent := max(0, from+ledger.Instant(rapid.Int64Range(0, int64(directory.MaxChildLife)).Draw(t, "spent")))
		off := ledger.Instant(rapid.Int64Range(-110*60, 110*60).Draw(t, "clock")) * ledger.Second
		start, end := w.Bounds(max(0, spent+off))
		if a := s.Account(); a.Start != start || expires >= end {
			t.Fatalf("spent at %d by a clock off by %d: account of %d to %d, that of its end begins at %d", spent, off, start, end, a.Start)
		}
	})
}

func TestALongDayHas52Hours(t *testing.T) {
	for _, day := range []int64{1, 19_782, 20_000, 20_783} {
		w := ledger.Window{Kind: ledger.PerDay, Zone: longDay(day)}
		noon := ledger.Instant(day) * ledger.Day
		from, to := noon-26*ledger.Hour, noon+26*ledger.Hour
		for _, at := range []ledger.Instant{from, from + 1, noon - 2*ledger.Hour - ledger.Second, noon - 2*ledger.Hour, noon, to - 1} {
			if start, end := w.Bounds(max(0, at)); start != from || end != to {
				t.Errorf("day %d at %d hours: %d to %d, want %d to %d", day, (at-noon)/ledger.Hour, start, end, from, to)
			}
		}
		if start, _ := w.Bounds(to); start != to {
			t.Errorf("day %d: the next begins at %d", day, start)
		}
	}
}

func TestOneRuleForManyChildren(t *testing.T) {
	s := Slice{Child: directory.ChildID{1}, Generation: 1, Limit: 5, Expires: 20_000*ledger.Day + 1}
	same, later, deeper, more := s, s, s, s
	same.Child, same.Expires = directory.ChildID{2}, 20_001*ledger.Day-1
	later.Expires = 20_001 * ledger.Day
	deeper.Generation = 2
	more.Limit = 6
	if s.ID() != same.ID() || s.Account() == same.Account() {
		t.Error("two children of one class have two rules, or one account")
	}
	for _, other := range []Slice{later, deeper, more} {
		if s.ID() == other.ID() {
			t.Errorf("%v and %v share a rule", s, other)
		}
	}
	if !IsSlice(s.ID()) || IsSlice("purser") || IsSlice("key.x.usd.total") {
		t.Error("rules of slices are not told apart")
	}
	for at, over := range map[ledger.Instant]bool{20_000 * ledger.Day: false, 20_002*ledger.Day + ledger.Day - 1: false, 20_003 * ledger.Day: true} {
		if Over(s.ID(), at) != over {
			t.Errorf("at day %d: over %v", at/ledger.Day, !over)
		}
	}
	if Over("key.x.1.5", 1<<62) || Over("purser.slice.", 1<<62) {
		t.Error("what is no rule of a slice is over")
	}
}
