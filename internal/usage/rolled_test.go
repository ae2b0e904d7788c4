package usage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"pgregory.net/rapid"
)

// midnight begins the days of these tests, in UTC.
const midnight = start - start%(24*ledger.Hour)

// spread makes a record that arrives within some days.
func spread(r *rand.Rand, within ledger.Instant) *record.Record {
	at := midnight + ledger.Instant(r.Int64N(int64(within)))
	if r.IntN(3) == 0 { // near the edges of buckets
		at = hours.down(at) + ledger.Instant(r.IntN(3)-1)
		at = max(at, midnight)
	}
	rec := draw(r, 0)
	rec.ID, rec.At = record.NewID(at), at
	rec.Baseline = rec.Cost + ledger.Amount(r.IntN(100))
	rec.Step, rec.Client, rec.Status, rec.Attempts = fmt.Sprintf("step%d", r.IntN(3)), fmt.Sprintf("client%d", r.IntN(20)), 200+r.IntN(3), 1+r.IntN(3)
	rec.Dims.Values[ledger.DimRun] = fmt.Sprint("run", r.IntN(5))
	rec.Dims.Values[ledger.DimTeam] = []string{"", "red", "blue"}[r.IntN(3)]
	rec.Dims.Values[ledger.DimFeature] = fmt.Sprint("f", r.IntN(40))
	if r.IntN(8) == 0 {
		rec.Kind = record.Kind(1 + r.IntN(3))
		rec.Outcome, rec.Cost = 0, ledger.Amount(r.IntN(2000)-1000)
		rec.List, rec.Priced, rec.Baseline = rec.Cost, rec.Cost, rec.Cost
	}
	return rec
}

// sameTotals compares reports number by number.
func sameTotals(got, want *Report) error {
	if len(got.Rows) != len(want.Rows) || len(got.Others) != len(want.Others) {
		return fmt.Errorf("%d rows and %d others, want %d and %d", len(got.Rows), len(got.Others), len(want.Rows), len(want.Others))
	}
	all := func(r *Report) []Row { return append(slices.Concat(r.Rows, r.Others), r.Total) }
	g, w := all(got), all(want)
	for i := range g {
		if err := sameRow(&g[i], &w[i]); err != nil {
			return fmt.Errorf("row %d of %q at %s: %w", i, w[i].Values, timeOf(w[i].Start), err)
		}
	}
	return nil
}

func sameRow(g, w *Row) error {
	if !slices.Equal(g.Values, w.Values) || g.Start != w.Start {
		return fmt.Errorf("it is %q at %s", g.Values, timeOf(g.Start))
	}
	for n := range numMeasures {
		if a := g.number(n); a != nil && *a != *w.number(n) {
			return fmt.Errorf("measure %d is %d, want %d", n, *a, *w.number(n))
		}
	}
	if g.Total != w.Total || g.FirstByte != w.FirstByte {
		return fmt.Errorf("latencies %v %v, want %v %v", g.Total, g.FirstByte, w.Total, w.FirstByte)
	}
	return nil
}

// asScanned answers a query from records, given in the order of their keys.
func asScanned(t interface{ Fatal(...any) }, recs []*record.Record, q TotalsQuery) *Report {
	tally, err := newTally(&q)
	if err != nil {
		t.Fatal(err)
	}
	s := scan{worth: q.Worth, into: func(r *record.Record) *Row {
		at := arrival(r)
		if at < q.Range.From || at >= q.Range.To || !q.selects(r) {
			return nil
		}
		tally.mine = tally.mine[:0]
		for _, f := range tally.by {
			tally.mine = append(tally.mine, f.of(r))
		}
		return tally.row(tally.mine, tally.interval(at))
	}}
	for _, r := range recs {
		own := *r
		own.Dims.Tags = slices.Clone(r.Dims.Tags)
		s.count(&own)
	}
	s.endRequest()
	rep, err := Merge(q, tally.part())
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func inOrder(recs []*record.Record) []*record.Record {
	out := slices.Clone(recs)
	slices.SortFunc(out, func(a, b *record.Record) int {
		return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Attempt, b.Attempt))
	})
	return out
}

func zoned(t *rapid.T) ledger.Zone {
	name := rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo"}).Draw(t, "zone")
	location, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(0, int64(midnight)).In(location)
	_, base := at.Zone()
	zone := ledger.Zone{Name: name, Base: int32(base)}
	for range 6 {
		_, end := at.ZoneBounds()
		if end.IsZero() {
			break
		}
		_, offset := end.Zone()
		zone.Transitions = append(zone.Transitions, ledger.Transition{At: ledger.Instant(end.UnixNano()), Offset: int32(offset)})
		at = end
	}
	return zone
}

var askedFields = []string{"customer", "team", "feature", "model", "tag:job", "tag:none", "outcome", "status", "client", "step", "run", "kind", "error_class", "minute", "hour", "day", "week", "month", "parent"}

// drawQuery asks about anything within some days.
func drawQuery(t *rapid.T, within ledger.Instant) TotalsQuery {
	field := rapid.Map(rapid.SampledFrom(askedFields), func(s string) Field { f, _ := ParseField(s); return f })
	edge := func(name string) ledger.Instant {
		at := midnight + ledger.Instant(rapid.Int64Range(-int64(ledger.Hour), int64(within+ledger.Hour)).Draw(t, name))
		switch rapid.IntRange(0, 3).Draw(t, name+" on") {
		case 0:
			return days.down(at)
		case 1:
			return hours.down(at)
		case 2:
			return minutes.down(at)
		default:
			return at
		}
	}
	q := TotalsQuery{Range: Range{edge("from"), edge("to")}, By: rapid.SliceOfN(field, 0, 3).Draw(t, "by"), Limit: rapid.IntRange(0, 9).Draw(t, "limit")}
	if rapid.Bool().Draw(t, "intervals") {
		q.Interval = ledger.Window{Kind: rapid.SampledFrom([]ledger.WindowKind{ledger.PerHour, ledger.PerDay, ledger.PerWeek, ledger.PerMonth}).Draw(t, "interval"), Zone: zoned(t)}
	}
	if rapid.Bool().Draw(t, "filtered") {
		q.Where = []Condition{{Field: field.Draw(t, "where"), Values: rapid.SliceOfN(rapid.SampledFrom([]string{"", "acme", "red", "f3", "200", "client7", "run2", "step1", "completed", "request", "org"}), 1, 3).Draw(t, "values")}}
	}
	if rapid.Bool().Draw(t, "limited") {
		q.Within = []Condition{{Field: DimField(ledger.DimRef{Dim: ledger.DimTeam}), Values: []string{"red"}}, {Field: DimField(ledger.DimRef{Dim: ledger.DimCustomer}), Values: []string{"acme", ""}}}
	}
	if rapid.IntRange(0, 2).Draw(t, "mapped") == 0 {
		q.Mapping = &Mapping{Rules: []MappingRule{
			{When: []MappingMatch{{ledger.DimRef{Dim: ledger.DimCustomer}, []string{"a*"}}, {ledger.DimRef{Dim: ledger.DimTeam}, []string{""}}}, Set: []MappingValue{{ledger.DimRef{Dim: ledger.DimTeam}, "blue"}, {ledger.DimRef{Dim: ledger.DimTag, Tag: "none"}, "some"}}},
			{When: []MappingMatch{{ledger.DimRef{Dim: ledger.DimTeam}, []string{"blue"}}}, Set: []MappingValue{{ledger.DimRef{Dim: ledger.DimCustomer}, ""}}},
		}}
	}
	return q
}

// rollAt is a pass of the roller with everything due at once.
func rollAt(t interface{ Fatal(...any) }, x *Roller, at ledger.Instant) {
	x.nextHours, x.nextDays = 0, 0
	if err := x.Roll(context.Background(), at); err != nil {
		t.Fatal(err)
	}
}

// Whatever was rolled up when, and whatever came late: an answer is that of the records.
func TestRollupsAnswerAsRecordsDo(t *testing.T) {
	const within = 4 * 24 * ledger.Hour
	for _, shelf := range []Shelf{Own, "node-2"} {
		t.Run("shelf "+string(shelf), func(t *testing.T) {
			s := seed(t)
			rng := rand.New(rand.NewPCG(s, 1))
			j := openJournal(t, eager())
			x := j.Roller(shelf)
			var recs []*record.Record
			put := func(n int) {
				for range n {
					r := spread(rng, within)
					list := []*record.Record{r}
					for a := 2; a <= 1+rng.IntN(3) && r.Kind == record.KindRequest; a++ {
						again := *spread(rng, within)
						again.Kind = record.KindRequest
						again.ID, again.At, again.Attempt = r.ID, r.At, a
						list = append(list, &again)
					}
					recs = append(recs, list...)
					putOn(t, j, shelf, list...)
				}
			}
			put(200)
			for _, at := range []ledger.Instant{ledger.Hour, 30 * ledger.Hour, 31 * ledger.Hour, within, within + 24*ledger.Hour} {
				rollAt(t, x, midnight+at)
				put(40) // late, and not marked days yet
				sorted := inOrder(recs)
				checks := 0
				rapid.Check(t, func(t *rapid.T) {
					q := drawQuery(t, within)
					got, err := j.Shelf(shelf).Totals(context.Background(), q)
					if err != nil {
						t.Fatal(err)
					}
					if err := sameTotals(got, asScanned(t, sorted, q)); err != nil {
						t.Fatal(err)
					}
					if len(got.Given) > 0 {
						t.Fatalf("%v are said to be given up", got.Given)
					}
					checks++
				})
			}
			if n := countKeys(t, j.store, store.PrefixRollup); n < 5 {
				t.Errorf("%d keys of rollups", n)
			}
		})
	}
}

// putOn commits records to this node's own shelf, or copies them to another.
func putOn(t testing.TB, j *Journal, shelf Shelf, recs ...*record.Record) {
	t.Helper()
	if shelf == Own {
		commit(t, j, recs...)
		return
	}
	err := j.Copy(shelf, store.Synced, func(c *Copying) error {
		for _, r := range recs {
			id, _ := record.ParseID(r.ID)
			if err := c.Put(id, r.Attempt, record.Append(nil, r)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Copies that come again after their day was dropped are in its sums already.
func TestCopiesOfADroppedDayCountOnce(t *testing.T) {
	const shelf, day = Shelf("node-2"), 24 * ledger.Hour
	j := openJournal(t, eager())
	rng := rand.New(rand.NewPCG(seed(t), 1))
	var recs []*record.Record
	for range 50 {
		recs = append(recs, spread(rng, 2*day))
	}
	putOn(t, j, shelf, recs...)
	x := j.Roller(shelf)
	keep := Retention{Records: day, Minutes: day, Hours: day, Days: 100 * day}
	if err := x.Retain(t.Context(), keep, midnight+2*day+ledger.Hour); err != nil {
		t.Fatal(err)
	}
	putOn(t, j, shelf, recs...)
	q := TotalsQuery{Range: Range{midnight, midnight + 2*day}}
	for range 2 { // before it is rolled up, and after
		got, err := j.Shelf(shelf).Totals(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if err := sameTotals(got, asScanned(t, inOrder(recs), q)); err != nil {
			t.Error(err)
		}
		rollAt(t, x, midnight+2*day+ledger.Hour)
	}
}

// A bucket that is full gives up values; what it says still adds up, what it names is whole,
// and it says what it does not tell.
func TestFullBucketsAddUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	const within = 2 * ledger.Hour
	var recs []*record.Record
	for range 3000 {
		recs = append(recs, spread(rng, within))
	}
	sorted := inOrder(recs)
	whole := asScanned(t, sorted, TotalsQuery{Range: Always})
	for _, most := range []int{1, 7, 60, 500, 5000} {
		b := newBucket(most)
		b.block = 1 + most/3
		s := scan{into: b.record}
		for i, r := range sorted {
			if s.count(r); i == len(sorted)/2 { // in two parts
				s.endRequest()
				first := b
				first.finish()
				b = newBucket(most)
				b.block = 1 + most/3
				for _, block := range first.blocks() {
					k, err := openBlock(block)
					if err != nil {
						t.Fatal(err)
					}
					if err := b.merge(k); err != nil {
						t.Fatal(err)
					}
				}
				s = scan{into: b.record}
			}
		}
		s.endRequest()
		b.finish()
		if len(b.rows) > most {
			t.Errorf("%d rows, most %d", len(b.rows), most)
		}
		blocks := b.blocks()
		for _, name := range askedFields {
			f, _ := ParseField(name)
			q := TotalsQuery{Range: Always, By: []Field{f}}
			tally, err := newTally(&q)
			if err != nil {
				t.Fatal(err)
			}
			exact := asScanned(t, sorted, q)
			told := false
			for _, block := range blocks {
				k, err := openBlock(block)
				if err != nil {
					t.Fatal(err)
				}
				w := newView(k, hours.down(midnight), nil)
				if k.first {
					_, group, err := w.doubt(&q)
					if err != nil {
						t.Fatal(err)
					}
					told = group == nil
				}
				fold := fold{q: &q, t: tally}
				if err := fold.block(w, 0); err != nil {
					t.Fatal(err)
				}
			}
			if f.ofTime() {
				continue
			}
			got, err := Merge(q, tally.part())
			if err != nil {
				t.Fatal(err)
			}
			if err := sameRow(&got.Total, &whole.Total); err != nil {
				t.Fatalf("most %d by %s: %v", most, name, err)
			}
			for i := range got.Rows {
				r := &got.Rows[i]
				if r.Values[0] == otherValue {
					if told {
						t.Errorf("most %d: %s has values given up and does not say so", most, name)
					}
					continue
				}
				at := slices.IndexFunc(exact.Rows, func(e Row) bool { return e.Values[0] == r.Values[0] })
				if at < 0 {
					t.Fatalf("most %d: there is no %s %q", most, name, r.Values[0])
				}
				if err := sameRow(r, &exact.Rows[at]); err != nil {
					t.Errorf("most %d: %s %q is not whole: %v", most, name, r.Values[0], err)
				}
			}
		}
	}
}

// Seeded crashes while records come and are rolled up, late ones among them, and old ones
// dropped: what is left adds up to the records that are left.
func TestCrashLeavesRollupsExact(t *testing.T) {
	s := seed(t)
	rounds := 25
	if testing.Short() {
		rounds = 8
	}
	for round := range rounds {
		crashRolling(t, s+uint64(round))
	}
}

func crashRolling(t *testing.T, seed uint64) {
	const within = 2 * 24 * ledger.Hour
	rng := rand.New(rand.NewPCG(seed, 1))
	c := &crasher{fs: vfs.NewCrashableMem(), rng: rng, left: 1 << 30, safe: map[string]bool{}}
	s, _ := openStore(t, errorfs.Wrap(c.fs, c), "data")
	j := journalOn(t, s, eager())
	c.mu.Lock()
	c.left = 1 + rng.IntN(400)
	c.mu.Unlock()
	rng = rand.New(rand.NewPCG(seed, 2)) // the other is the crasher's
	x := j.Roller(Own)
	written := 0
	for at := ledger.Instant(0); at < within+2*24*ledger.Hour; at += 3 * ledger.Hour {
		for range 6 {
			r := spread(rng, within)
			written++
			commit(t, j, r)
			c.waited(r.ID)
		}
		rollAt(t, x, midnight+at)
	}
	check := func(j *Journal, what string, whole bool) {
		var left []*record.Record
		for r, err := range j.Records(t.Context(), Query{Range: Always}) {
			if err != nil {
				t.Fatal(err)
			}
			own := *r
			own.Dims.Tags, own.Savings = slices.Clone(r.Dims.Tags), slices.Clone(r.Savings)
			left = append(left, &own)
		}
		if whole && len(left) != written {
			t.Fatalf("seed %d, %s: %d records of %d", seed, what, len(left), written)
		}
		customer, _ := ParseField("customer")
		q := TotalsQuery{Range: Range{midnight, midnight + within}, By: []Field{customer}, Interval: ledger.Window{Kind: ledger.PerDay}}
		got, err := j.Totals(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if err := sameTotals(got, asScanned(t, left, q)); err != nil {
			t.Fatalf("seed %d, %s: %v", seed, what, err)
		}
	}
	check(j, "without a crash", true)
	if err := errors.Join(j.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
	if c.after == nil {
		return
	}
	s, _ = openStore(t, c.after, "data")
	j = journalOn(t, s, eager())
	check(j, "after the crash", false)
	rollAt(t, j.Roller(Own), midnight+within+2*24*ledger.Hour)
	check(j, "after the crash and another pass", false)
	if err := errors.Join(j.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}

// Dropping records, minutes and hours leaves the totals of what is longer, also when
// something comes late to what was dropped.
func TestDroppingLeavesTotals(t *testing.T) {
	const within = 4 * 24 * ledger.Hour
	s := seed(t)
	rng := rand.New(rand.NewPCG(s, 1))
	j := openJournal(t, eager())
	x := j.Roller(Own)
	var recs []*record.Record
	put := func(n int) {
		for range n {
			r := spread(rng, within)
			recs = append(recs, r)
			commit(t, j, r)
		}
	}
	day := 24 * ledger.Hour
	ask := func(what string, from, to ledger.Instant, kind ledger.WindowKind, by ...string) {
		t.Helper()
		q := TotalsQuery{Range: Range{midnight + from, midnight + to}, Interval: ledger.Window{Kind: kind}}
		for _, name := range by {
			f, _ := ParseField(name)
			q.By = append(q.By, f)
		}
		got, err := j.Totals(t.Context(), q)
		if err != nil {
			t.Fatal(what, err)
		}
		if err := sameTotals(got, asScanned(t, inOrder(recs), q)); err != nil {
			t.Error(what, err)
		}
	}
	put(500)
	keep := Retention{Records: 2 * day, Minutes: day, Hours: 3 * day, Days: 100 * day}
	retain := func(at ledger.Instant) {
		t.Helper()
		if err := x.Retain(t.Context(), keep, midnight+at); err != nil {
			t.Fatal(err)
		}
	}
	retain(within + ledger.Hour)
	kept, err := j.Kept()
	if err != nil || kept != midnight+2*day {
		t.Fatalf("kept from %s, %v", timeOf(kept), err)
	}
	n := len(ids(t, j, Query{Range: Range{To: kept}}))
	if n != 0 {
		t.Errorf("%d records are left of what was dropped", n)
	}
	ask("days", 0, within, ledger.PerDay, "customer", "feature")
	ask("hours that are kept", day, within, ledger.PerHour, "team")
	put(50) // late, of all days
	ask("days, with late records", 0, within, ledger.PerDay, "customer", "feature")
	ask("hours, with late records", day, within, ledger.PerHour, "team")
	rollAt(t, x, midnight+within+ledger.Hour)
	if n := len(ids(t, j, Query{Range: Range{To: kept}})); n != 0 {
		t.Errorf("%d late records are neither in buckets nor gone", n)
	}
	ask("days, rolled again", 0, within, ledger.PerDay, "customer", "feature")
	ask("hours, rolled again", day, within, ledger.PerHour, "team")
	for name, q := range map[string]TotalsQuery{
		"an edge within a day":       {Range: Range{midnight + ledger.Hour, midnight + within}},
		"an edge within an hour":     {Range: Range{midnight + day + ledger.Minute, midnight + within}},
		"days of another zone":       {Range: Range{midnight, midnight + within}, Interval: ledger.Window{Kind: ledger.PerDay, Zone: ledger.Zone{Base: 1800}}},
		"hours of a day":             {Range: Range{midnight, midnight + within}, Interval: ledger.Window{Kind: ledger.PerHour}},
		"a filter by what is not in": {Range: Range{midnight, midnight + within}, Where: []Condition{{Field: DimField(ledger.DimRef{Dim: ledger.DimRun}), Values: []string{"run1"}}}},
		"what answers were worth":    {Range: Range{midnight, midnight + within}, Worth: func(record.ID) (int64, bool, error) { return 0, false, nil }},
	} {
		var refused QueryError
		if _, err := j.Totals(t.Context(), q); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	run, _ := ParseField("run")
	rep, err := j.Totals(t.Context(), TotalsQuery{Range: Range{midnight, midnight + day}, By: []Field{run}})
	if err != nil || !rep.Given[run] || len(rep.Rows) != 1 || rep.Rows[0].Values[0] != otherValue {
		t.Errorf("runs of a day without records: %+v, %v", rep, err)
	}
	// Everything goes in the end, and what comes then is not brought back.
	keep.Days = 3 * day
	retain(30 * day)
	put(1)
	rollAt(t, x, midnight+31*day)
	if rep, err := j.Totals(t.Context(), TotalsQuery{Range: Always}); err != nil || rep.Total.Records != 0 {
		t.Errorf("after everything was dropped: %+v, %v", rep, err)
	}
}
