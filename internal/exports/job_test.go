package exports

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"purser/internal/focus"
	"purser/internal/record"
	"purser/ledger"
)

// past is what happened, for tests.
type past struct {
	records []*record.Record // in the order of their ids
	away    error            // a node does not answer
	asked   int              // days that were looked at
	read    int              // days whose records were read
	kept    time.Time        // records before are gone, but not what they came to
}

func (p *past) within(from, to time.Time) (list []*record.Record) {
	for _, r := range p.records {
		id, _ := record.ParseID(r.ID)
		if at := int64(id.At()); at >= from.UnixNano() && at < to.UnixNano() {
			list = append(list, r)
		}
	}
	return list
}

func (p *past) Known(_ context.Context, from, to time.Time) (s Sums, err error) {
	p.asked++
	for _, r := range p.within(from, to) {
		s.add(r)
	}
	return s, p.away
}

func (p *past) Each(_ context.Context, from, to time.Time, _ bool) (iter.Seq2[*record.Record, error], error) {
	p.read++
	return func(yield func(*record.Record, error) bool) {
		for _, r := range p.within(later(from, p.kept), to) {
			if !yield(r, nil) {
				return
			}
		}
	}, nil
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// spend adds a record of some nano-dollars.
func (p *past) spend(at time.Time, cost int64, kind record.Kind) {
	id := record.FirstID(ledger.Instant(at.UnixNano()))
	id[15] = byte(len(p.records))
	p.records = append(p.records, &record.Record{ID: id.String(), At: ledger.Instant(at.UnixNano()), Kind: kind, Outcome: record.Completed, Basis: record.FullHold,
		Cost: ledger.Amount(cost), List: ledger.Amount(cost), Priced: ledger.Amount(cost), Attempt: 1})
	slices.SortFunc(p.records, func(a, b *record.Record) int { return strings.Compare(a.ID, b.ID) })
}

func day(d, hour int) time.Time { return time.Date(2026, 10, d, hour, 0, 0, 0, time.UTC) }

func jobAt(t *testing.T, p *past, place Place) *Job {
	t.Helper()
	form, err := focus.Form{Format: focus.FOCUS, File: focus.Parquet}.Complete()
	if err != nil {
		t.Fatal(err)
	}
	return &Job{Form: form, From: day(29, 0), Place: place, Records: p, Temp: t.TempDir()}
}

func run(t *testing.T, j *Job, until time.Time) Result {
	t.Helper()
	res, err := j.Run(context.Background(), until, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// kept is a manifest and whether each of its files is what it says.
func kept(t *testing.T, place Place, j *Job, month string) *Manifest {
	t.Helper()
	m, err := load(context.Background(), place, j.Form, month)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Files {
		b, err := place.Get(context.Background(), m.dir()+f.Name, 1<<20)
		if err != nil || int64(len(b)) != f.Bytes {
			t.Fatalf("%s: %d bytes of %d, %v", f.Name, len(b), f.Bytes, err)
		}
		src, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if rows, cost, err := Total(src); err != nil || rows != f.Rows || cost != f.Cost {
			t.Errorf("%s: %d rows of %d, %d of %d, %v", f.Name, rows, f.Rows, cost, f.Cost, err)
		}
	}
	return m
}

func places(t *testing.T) map[string]Place {
	dir, err := NewDir(filepath.Join(t.TempDir(), "exports"))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]Place{"directory": dir, "bucket": newBucket(t).place(t)}
}

func TestAJobKeepsItsPlaceUpToDate(t *testing.T) {
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			p := &past{}
			p.spend(day(29, 1), 100, record.KindRequest)
			p.spend(day(30, 5), 200, record.KindRequest)
			j := jobAt(t, p, place)
			if got := run(t, j, day(30, 6)); got.Written != 2 {
				t.Fatalf("the first run: %+v", got)
			}
			first := kept(t, place, j, "2026-10")
			if first.Total.Cost != 300 || first.Closed || first.Revision != 1 {
				t.Errorf("%+v", first)
			}
			// Nothing new: nothing is written, not even the manifest.
			if got := run(t, j, day(30, 6)); got.Written != 0 || kept(t, place, j, "2026-10").Revision != 1 {
				t.Errorf("a run without news: %+v", got)
			}
			// Another node goes on where this one was; a late record and a correction count.
			p.spend(day(29, 2), 7, record.KindRequest)
			p.spend(day(30, 9), 11, record.KindRequest)
			p.spend(day(30, 9), -50, record.KindCorrection)
			if got := run(t, jobAt(t, p, place), day(31, 0)); got.Written != 2 {
				t.Errorf("after late records: %+v", got)
			}
			if m := kept(t, place, j, "2026-10"); m.Total.Cost != 268 || len(m.Changes) != 0 {
				t.Errorf("%+v", m)
			}
		})
	}
}

func TestAClosedMonthSaysWhatChanged(t *testing.T) {
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			p := &past{}
			p.spend(day(31, 23), 100, record.KindRequest)
			j := jobAt(t, p, place)
			november := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
			run(t, j, november)
			m := kept(t, place, j, "2026-10")
			if !m.Closed {
				t.Fatalf("the month is not closed: %+v", m)
			}
			before, _ := m.File("2026-10-31")
			p.spend(day(31, 23), -30, record.KindCorrection)
			run(t, j, november.AddDate(0, 0, 9))
			m = kept(t, place, j, "2026-10")
			if len(m.Changes) != 1 || m.Changes[0].Before != before || m.Changes[0].After.Cost != 70 || m.Changes[0].At != "2026-11-10T00:00:00Z" {
				t.Errorf("%+v", m.Changes)
			}
			if m.Changes[0].After.SHA256 == before.SHA256 {
				t.Error("the file was not replaced")
			}
			// Looking again writes nothing: a closed month is never twice different in silence.
			if got := run(t, j, november.AddDate(0, 0, 10)); got.Written != 0 || kept(t, place, j, "2026-10").Revision != m.Revision {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestWhatIsGoneStaysWritten: retention, or a node that is away, takes nothing back.
func TestWhatIsGoneStaysWritten(t *testing.T) {
	p := &past{}
	p.spend(day(29, 1), 100, record.KindRequest)
	p.spend(day(29, 2), 100, record.KindRequest)
	place := places(t)["directory"]
	j := jobAt(t, p, place)
	run(t, j, day(30, 0))
	p.records = p.records[:1]
	if got := run(t, j, day(31, 0)); got.Written != 0 || got.Gone != 1 {
		t.Errorf("%+v", got)
	}
	if m := kept(t, place, j, "2026-10"); m.Total.Cost != 200 {
		t.Errorf("the file lost what is gone: %+v", m.Total)
	}
	p.away = errors.New("node n3 does not answer")
	p.spend(day(30, 1), 100, record.KindRequest)
	if _, err := j.Run(context.Background(), day(31, 0), time.Time{}); !errors.Is(err, p.away) {
		t.Errorf("a part is taken for the whole: %v", err)
	}
}

// TestRecordsThatAreGoneOverwriteNothing: sums are kept longer than records. A day whose
// records are gone is not made anew of those that are left, and not begun with nothing.
func TestRecordsThatAreGoneOverwriteNothing(t *testing.T) {
	p := &past{}
	p.spend(day(29, 1), 100, record.KindRequest)
	p.spend(day(29, 20), 100, record.KindRequest)
	place := places(t)["directory"]
	j := jobAt(t, p, place)
	run(t, j, day(30, 0))
	p.kept = day(29, 12)
	p.spend(day(29, 21), -50, record.KindCorrection)
	p.spend(day(28, 1), 7, record.KindRequest)
	j.From = day(28, 0)
	for range 2 {
		if got := run(t, j, day(30, 0)); got.Written != 0 || got.Gone != 2 {
			t.Errorf("%+v", got)
		}
	}
	if m := kept(t, place, j, "2026-10"); m.Total.Cost != 200 || len(m.Files) != 1 {
		t.Errorf("%+v", m)
	}
}

// TestFilesThatAreNotAsTheyWereAreWrittenAgain: one that was taken away, and one that
// another leader put there late.
func TestFilesThatAreNotAsTheyWereAreWrittenAgain(t *testing.T) {
	for name, place := range places(t) {
		p := &past{}
		p.spend(day(29, 1), 100, record.KindRequest)
		j := jobAt(t, p, place)
		run(t, j, day(30, 0))
		m := kept(t, place, j, "2026-10")
		path := m.Path(Day{Name: "2026-10-29"})
		if err := place.Put(context.Background(), path, strings.NewReader("older"), 5); err != nil {
			t.Fatal(err)
		}
		if got := run(t, j, day(30, 0)); got.Written != 1 {
			t.Errorf("%s, over another file: %+v", name, got)
		}
		kept(t, place, j, "2026-10")
		if d, ok := place.(*Dir); ok {
			if err := os.Remove(d.Local(path)); err != nil {
				t.Fatal(err)
			}
			if got := run(t, j, day(30, 0)); got.Written != 1 {
				t.Errorf("a file that is gone: %+v", got)
			}
		}
		if got := run(t, j, day(30, 0)); got.Written != 0 {
			t.Errorf("%s, without news: %+v", name, got)
		}
		if _, err := place.Size(context.Background(), "nothing"); !errors.Is(err, ErrNotThere) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWhoLeadsNoMorePutsNothing: making a file takes long, and another may lead by then.
func TestWhoLeadsNoMorePutsNothing(t *testing.T) {
	p := &past{}
	p.spend(day(29, 1), 100, record.KindRequest)
	place := places(t)["directory"]
	j := jobAt(t, p, place)
	lost := errors.New("another leads")
	j.Still = func(context.Context) error {
		if p.read > 0 {
			return lost
		}
		return nil
	}
	if _, err := j.Run(context.Background(), day(30, 0), time.Time{}); !errors.Is(err, lost) {
		t.Errorf("%v", err)
	}
	if m := kept(t, place, j, "2026-10"); len(m.Files) != 0 {
		t.Errorf("%+v", m)
	}
	if list, err := os.ReadDir(place.(*Dir).root); err != nil || len(list) > 0 {
		t.Errorf("%v is there, %v", list, err)
	}
}

func TestOnlyRecentDaysAreLookedAt(t *testing.T) {
	p := &past{}
	p.spend(day(29, 1), 1, record.KindRequest)
	p.spend(day(31, 1), 1, record.KindRequest)
	j := jobAt(t, p, places(t)["directory"])
	run(t, j, day(31, 12))
	p.asked = 0
	if _, err := j.Run(context.Background(), day(31, 13), day(30, 12)); err != nil || p.asked != 2 {
		t.Errorf("%d days are asked for, %v", p.asked, err)
	}
}

// breaking is a place that fails after some writes.
type breaking struct {
	Place
	left int
}

var errBroken = errors.New("the disk is full")

func (b *breaking) Put(ctx context.Context, path string, body io.ReadSeeker, size int64) error {
	if b.left--; b.left < 0 {
		return errBroken
	}
	return b.Place.Put(ctx, path, body, size)
}

// TestARunThatBreaksOffIsGoneOnWith: wherever it stops, the next run makes it whole.
func TestARunThatBreaksOffIsGoneOnWith(t *testing.T) {
	for left := range 8 {
		p := &past{}
		for d := range 5 {
			p.spend(day(27+d, 1), 100, record.KindRequest)
		}
		place := places(t)["directory"]
		j := jobAt(t, p, &breaking{place, left})
		j.From = day(27, 0)
		until := day(31, 23)
		if _, err := j.Run(context.Background(), until, time.Time{}); (err != nil) != (left < 6) || err != nil && !errors.Is(err, errBroken) {
			t.Fatalf("with %d writes: %v", left, err)
		}
		j.Place = place
		run(t, j, until)
		if m := kept(t, place, j, "2026-10"); m.Total.Cost != 500 || len(m.Files) != 5 {
			t.Errorf("with %d writes: %+v", left, m)
		}
		parts, err := filepath.Glob(filepath.Join(place.(*Dir).root, "*", ".*part"))
		if err != nil || len(parts) > 0 {
			t.Errorf("with %d writes, %v are left", left, parts)
		}
		spools, err := os.ReadDir(j.Temp)
		if err != nil || len(spools) > 0 {
			t.Errorf("with %d writes, %v are left", left, spools)
		}
	}
}

func TestTwoExportsDoNotShareAPlace(t *testing.T) {
	p := &past{}
	p.spend(day(29, 1), 100, record.KindRequest)
	place := places(t)["directory"]
	j := jobAt(t, p, place)
	run(t, j, day(30, 0))
	j.Form.Rows = focus.Daily
	if _, err := j.Run(context.Background(), day(30, 0), time.Time{}); !errors.Is(err, errAnotherForm) {
		t.Errorf("another form overwrites the files: %v", err)
	}
	if err := place.Put(context.Background(), NewManifest(j.Form, "2026-10").name(), strings.NewReader("{"), 1); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Run(context.Background(), day(30, 0), time.Time{}); err == nil || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("something else is overwritten: %v", err)
	}
}

func TestMonthsAreOfWholeDays(t *testing.T) {
	list := Months(time.Date(2026, 2, 27, 13, 0, 0, 0, time.UTC), time.Date(2026, 3, 2, 7, 30, 0, 0, time.UTC))
	b, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || len(list[0].Days) != 2 || len(list[1].Days) != 2 || list[1].Days[1].To.Hour() != 7 || list[0].Days[0].From.Hour() != 0 {
		t.Errorf("%s", b)
	}
}
