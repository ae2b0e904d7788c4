package outcomes

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"purser/internal/economics"
	"purser/internal/record"
	"purser/ledger"

	"pgregory.net/rapid"
)

const day = 24 * ledger.Hour

func where(t testing.TB, from, to ledger.Instant, of map[string]string) Join {
	t.Helper()
	j := Join{Kind: OfWhere, From: from, To: to}
	for name, v := range of {
		ref, err := ledger.ParseDimRef(name)
		if err != nil {
			t.Fatal(err)
		}
		j.Where = append(j.Where, Match{ref, v})
	}
	return j
}

// report is one that is right, of a run.
func report(id string, change func(*Report)) Report {
	r := Report{ID: id, Name: "resolved", Key: "k1", Org: "acme", At: 10 * day, Told: true, Taken: 11 * day, Source: ByClient, Count: 1, Success: Succeeded, Join: Join{Kind: OfRun, Name: "run-1"}}
	if change != nil {
		change(&r)
	}
	return r
}

func put(t testing.TB, s *Reports, list ...Report) []Kept {
	t.Helper()
	for i := range list {
		if field, err := list[i].Check(); err != nil {
			t.Fatal(field, err)
		}
	}
	kept, err := s.Put(list)
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

func listed(t testing.TB, s *Reports, from ledger.Instant) (ids []string) {
	t.Helper()
	if err := s.From(context.Background(), from, func(r *Report) (bool, error) { ids = append(ids, r.ID); return true, nil }); err != nil {
		t.Fatal(err)
	}
	return ids
}

// TestTheSameAgainIsKnownAndOtherwiseAConflict, which says in what, and the first stays.
func TestTheSameAgainIsKnownAndOtherwiseAConflict(t *testing.T) {
	s := OpenReports(open(t).store, nil)
	first := report("a", nil)
	kept := put(t, s, first, report("a", nil), report("b", nil))
	if kept[0].State != Recorded || kept[1].State != Known || kept[2].State != Recorded {
		t.Fatalf("%v %v %v", kept[0].State, kept[1].State, kept[2].State)
	}
	for field, change := range map[string]func(*Report){
		"":        func(r *Report) { r.Taken, r.Key, r.Source = 99, "k2", ByImport },
		"name":    func(r *Report) { r.Name = "other" },
		"at":      func(r *Report) { r.At++ },
		"count":   func(r *Report) { r.Count = 2 },
		"success": func(r *Report) { r.Success = Failed },
		"quality": func(r *Report) { r.Judged = true },
		"value":   func(r *Report) { r.Valued = true },
		"join":    func(r *Report) { r.Join.Name = "run-2" },
	} {
		got := put(t, s, report("a", change))[0]
		if got.Differs != field || (got.State == Conflict) != (field != "") || got.Report.Taken != first.Taken || got.Report.Name != first.Name {
			t.Errorf("another %s: %+v", field, got)
		}
	}
	if got := put(t, s, report("a", func(r *Report) { r.At, r.Told = 12*day, false }))[0]; got.State != Known {
		t.Errorf("a report again that does not say when: %+v", got)
	}
	if got := put(t, s, report("a", func(r *Report) { r.Org = "umbrella" }))[0]; got.State != Recorded {
		t.Errorf("the id of another organisation: %+v", got)
	}
	named, err := s.Named("a")
	if err != nil || len(named) != 2 || named[0].ID != "a" {
		t.Errorf("%+v %v", named, err)
	}
	if r, found, err := s.Get(first.Mark()); err != nil || !found || r.Differs(&first) != "" {
		t.Errorf("%+v %v %v", r, found, err)
	}
}

// TestOutcomesAreKeptAsLongAsTheirRequests, and found again by nothing afterwards.
func TestOutcomesAreKeptAsLongAsTheirRequests(t *testing.T) {
	s := OpenReports(open(t).store, nil)
	old := record.NewID(3 * day)
	put(t, s,
		report("request", func(r *Report) { r.Join = Join{Kind: OfRequest, Name: old} }),
		report("run", nil), // of requests until day 17
		report("window", func(r *Report) { r.Join = where(t, 4*day, 30*day, map[string]string{"customer": "c"}) }))
	if got := listed(t, s, 0); !slices.Equal(got, []string{"request", "run", "window"}) {
		t.Fatal(got)
	}
	if got := listed(t, s, 17*day-1); !slices.Equal(got, []string{"run", "window"}) {
		t.Error(got)
	}
	if err := s.DropBefore(context.Background(), 20*day); err != nil {
		t.Fatal(err)
	}
	if got := listed(t, s, 0); !slices.Equal(got, []string{"window"}) {
		t.Error(got)
	}
	gone := report("run", nil)
	if _, found, err := s.Get(gone.Mark()); found || err != nil {
		t.Error("it is found", err)
	}
	if kept := put(t, s, gone)[0]; kept.State != Recorded {
		t.Errorf("%+v", kept)
	}
}

func anyReport(t *rapid.T) Report {
	r := Report{
		ID: rapid.StringMatching(`[a-z0-9:-]{1,20}`).Draw(t, "id"), Name: rapid.StringMatching(`[a-z_]{1,8}`).Draw(t, "name"),
		Key: rapid.SampledFrom([]string{"", "k1", "k2"}).Draw(t, "key"), Org: rapid.SampledFrom([]string{"", "acme", "umbrella"}).Draw(t, "org"),
		At: ledger.Instant(rapid.Int64Range(1, int64(40*day)).Draw(t, "at")), Taken: ledger.Instant(rapid.Int64Range(1, int64(40*day)).Draw(t, "taken")),
		Told: rapid.Bool().Draw(t, "told"), Source: ByClient, Count: rapid.Int64Range(1, MaxCount).Draw(t, "count"), Success: rapid.SampledFrom([]Verdict{Unsaid, Succeeded, Failed}).Draw(t, "success"),
	}
	if r.Judged = rapid.Bool().Draw(t, "judged"); r.Judged {
		r.Quality = rapid.Int64Range(0, Whole).Draw(t, "quality")
	}
	if r.Valued = rapid.Bool().Draw(t, "valued"); r.Valued {
		r.Value = ledger.Amount(rapid.Int64Range(-int64(MaxValue), int64(MaxValue)).Draw(t, "value"))
	}
	names := rapid.SampledFrom([]string{"x", "y"})
	switch kind := rapid.SampledFrom([]JoinKind{OfRequest, OfRun, OfSession, OfTrace, OfWhere}).Draw(t, "kind"); kind {
	case OfRequest:
		r.Join = Join{Kind: kind, Name: record.FirstID(ledger.Instant(rapid.Int64Range(0, 9).Draw(t, "request")) * day).String()}
	case OfTrace:
		r.Join = Join{Kind: kind, Name: fmt.Sprintf("%032x", rapid.IntRange(0, 2).Draw(t, "trace"))}
	case OfWhere:
		from := ledger.Instant(rapid.Int64Range(0, 9).Draw(t, "from")) * day
		r.Join = Join{Kind: kind, From: from, To: from + ledger.Instant(rapid.Int64Range(1, 5).Draw(t, "days"))*day}
		r.Join.Where = []Match{{ledger.DimRef{Dim: ledger.DimCustomer}, names.Draw(t, "customer")}}
		if rapid.Bool().Draw(t, "feature") {
			r.Join.Where = append(r.Join.Where, Match{ledger.DimRef{Dim: ledger.DimTag, Tag: "job"}, names.Draw(t, "job")})
		}
	default:
		r.Join = Join{Kind: kind, Name: names.Draw(t, "run")}
	}
	return r
}

func anyRecord(t *rapid.T) *record.Record {
	name := rapid.SampledFrom([]string{"", "x", "y"})
	r := &record.Record{At: ledger.Instant(rapid.Int64Range(0, 9).Draw(t, "record at")) * day}
	r.ID = record.FirstID(r.At).String()
	for _, d := range []ledger.Dim{ledger.DimRun, ledger.DimSession, ledger.DimCustomer} {
		r.Dims.Values[d] = name.Draw(t, d.String())
	}
	r.Dims.Values[ledger.DimKey] = rapid.SampledFrom([]string{"k1", "k2"}).Draw(t, "record key")
	r.Dims.Values[ledger.DimOrg] = rapid.SampledFrom([]string{"", "acme", "umbrella"}).Draw(t, "record org")
	if v := name.Draw(t, "record job"); v != "" {
		r.Dims.Tags = []ledger.Tag{{Name: "job", Value: v}}
	}
	r.Trace[15] = byte(rapid.IntRange(0, 2).Draw(t, "record trace"))
	if rapid.Bool().Draw(t, "corrects") {
		r.Kind, r.Corrects, r.ID = record.KindCorrection, r.ID, record.NewID(r.At)
	}
	return r
}

// joins says, as slowly as can be, whether a report is of a record.
func joins(o *Report, r *record.Record) bool {
	own := o.Key == "" && o.Org == "" || o.Key != "" && o.Key == r.Dims.Values[ledger.DimKey] || o.Org != "" && o.Org == r.Dims.Values[ledger.DimOrg]
	request := r.ID
	if r.Corrects != "" {
		request = r.Corrects
	}
	switch o.Join.Kind {
	case OfRequest:
		return own && o.Join.Name == request
	case OfRun:
		return own && o.Join.Name == r.Dims.Values[ledger.DimRun]
	case OfSession:
		return own && o.Join.Name == r.Dims.Values[ledger.DimSession]
	case OfTrace:
		return own && r.Trace != [16]byte{} && o.Join.Name == hex.EncodeToString(r.Trace[:])
	}
	for _, m := range o.Join.Where {
		own = own && r.Dims.Get(m.Dim) == m.Value
	}
	return own && o.Join.From <= r.At && r.At < o.Join.To
}

// TestTheIndexFindsWhatASearchDoes: the sums of what the index finds for a record are those
// of the reports that are of it, each once.
func TestTheIndexFindsWhatASearchDoes(t *testing.T) {
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		g := NewGathered(0, 10*day, "")
		for i := range rapid.IntRange(0, 40).Draw(t, "reports") {
			r := anyReport(t)
			r.ID = fmt.Sprint(i)
			if err := g.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		x, err := g.Index()
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			r := anyRecord(t)
			var want, got economics.Evidence
			for _, o := range g.Reports() {
				if joins(&o, r) {
					want.Add(o.Evidence())
				}
			}
			seen := map[int32]bool{}
			for _, i := range x.Of(r, nil) {
				if seen[i] {
					t.Fatalf("target %d is there twice", i)
				}
				seen[i] = true
				got.Add(x.Targets[i].Evidence)
			}
			if got != want {
				t.Fatalf("%+v, want %+v", got, want)
			}
			if e := x.Evidence(r); e.Outcomes+e.Wide != want.Outcomes {
				t.Fatalf("%+v of %+v", e, want)
			}
			found += len(seen)
		}
	})
	if found < 100 {
		t.Errorf("%d targets were found in all: the test showed nothing", found)
	}
}

// TestOfOneIDTheFirstCountsWhateverTheOrder in which nodes tell of it.
func TestOfOneIDTheFirstCountsWhateverTheOrder(t *testing.T) {
	a, b, c := report("a", nil), report("a", func(r *Report) { r.Taken, r.Count = 12*day, 5 }), report("a", func(r *Report) { r.Taken, r.Count = 12*day, 4 })
	for _, order := range [][]Report{{a, b, c}, {c, b, a}, {b, a, c, b}} {
		g := NewGathered(0, 100*day, "resolved")
		for _, r := range order {
			if err := g.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		if got := g.Reports(); len(got) != 1 || got[0].Count != 1 || g.Conflicts() != 1 {
			t.Errorf("%+v, %d conflicts", got, g.Conflicts())
		}
	}
	g := NewGathered(0, 100*day, "another")
	if err := g.Add(a); err != nil || len(g.Reports()) != 0 {
		t.Error("an outcome of another name counts", err)
	}
}

// TestAQualityThatAReportBroughtIsNotThereTwice, and one that it did not is.
func TestAQualityThatAReportBroughtIsNotThereTwice(t *testing.T) {
	id := record.NewID(day)
	r := report("a", func(r *Report) { r.Join = Join{Kind: OfRequest, Name: id} })
	o, ok := r.Brings()
	if !ok || o.Quality != Whole {
		t.Fatalf("%+v %v", o, ok)
	}
	other := o
	other.Quality = 5
	for _, c := range []struct {
		kept Outcome
		want int
	}{{o, 1}, {other, 2}} {
		g := NewGathered(0, 9*day, "")
		if err := errors.Join(g.Add(c.kept.Report()), g.Add(r)); err != nil {
			t.Fatal(err)
		}
		if got := len(g.Reports()); got != c.want {
			t.Errorf("%d reports, want %d", got, c.want)
		}
	}
}

// TestCompatReportV1: bytes that were written once are read for good.
func TestCompatReportV1(t *testing.T) {
	list := []Report{
		{ID: "evt-1", Name: "ticket_resolved", Key: "key_1", Org: "acme", At: 1_790_000_000_000_000_001, Told: true, Taken: 1_790_000_000_500_000_000, Source: ByClient, Count: 1, Success: Succeeded, Judged: true, Quality: 875_000, Join: Join{Kind: OfRun, Name: "run-7"}},
		{ID: "cs:2", Name: "searches", At: 1_790_000_000_000_000_000, Taken: 1_790_000_000_500_000_000, Source: ByStripe, Count: 25, Valued: true, Value: -12_500_000_001, Join: Join{Kind: OfWhere, From: 1_789_948_800_000_000_000, To: 1_790_035_200_000_000_000, Where: []Match{{ledger.DimRef{Dim: ledger.DimCustomer}, "globex"}, {ledger.DimRef{Dim: ledger.DimTag, Tag: "job"}, "nightly"}}}},
	}
	path := filepath.Join("testdata", "report_v1.hex")
	var lines []string
	for i := range list {
		m := list[i].Mark()
		lines = append(lines, hex.EncodeToString(OpenReports(nil, nil).shelf.key(list[i].Until(), m[:]))+" "+hex.EncodeToString(list[i].appendValue(nil)))
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) && *update {
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSpace(string(golden)), "\n"); !slices.Equal(got, lines) {
		t.Fatal("they are written otherwise: that takes another version")
	}
	for i, line := range lines {
		_, v, _ := strings.Cut(line, " ")
		value, err := hex.DecodeString(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeReport(value)
		if err != nil || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", list[i]) {
			t.Errorf("%+v %v", got, err)
		}
	}
}

// TestReportsAreReadAsTheyWereWritten, one and many.
func TestReportsAreReadAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var want, got []Report
		var b []byte
		for range rapid.IntRange(0, 5).Draw(t, "n") {
			r := anyReport(t)
			if _, err := r.Check(); err != nil {
				t.Fatal(err)
			}
			want = append(want, r)
			b = AppendFrame(b, &r)
		}
		if err := Frames(b, func(r Report) error { got = append(got, r); return nil }); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Fatalf("%+v is not %+v", got, want)
		}
	})
}

// FuzzDecodeReport: no bytes are more than refused.
func FuzzDecodeReport(f *testing.F) {
	r := report("a", nil)
	f.Add(r.appendValue(nil))
	r.Join = Join{Kind: OfWhere, From: 1, To: 2, Where: []Match{{ledger.DimRef{Dim: ledger.DimTag, Tag: "job"}, "x"}}}
	f.Add(r.appendValue(nil))
	f.Fuzz(func(t *testing.T, value []byte) {
		r, err := decodeReport(value)
		if err != nil {
			return
		}
		if again, err := decodeReport(r.appendValue(nil)); err != nil || again.Differs(&r) != "" {
			t.Errorf("%+v %+v %v", r, again, err)
		}
	})
}

// TestWhatCannotBeKeptIsSaid by the name of the field.
func TestWhatCannotBeKeptIsSaid(t *testing.T) {
	for field, change := range map[string]func(*Report){
		"id":      func(r *Report) { r.ID = "a\nb" },
		"name":    func(r *Report) { r.Name = strings.Repeat("x", MaxName+1) },
		"count":   func(r *Report) { r.Count = 0 },
		"quality": func(r *Report) { r.Quality = Whole + 1 },
		"value":   func(r *Report) { r.Value = -MaxValue - 1 },
		"at":      func(r *Report) { r.At = 0 },
	} {
		r := report("a", change)
		if got, err := r.Check(); err == nil || got != field {
			t.Errorf("%s: %s %v", field, got, err)
		}
	}
	for name, j := range map[string]Join{
		"nothing":       {},
		"no request":    {Kind: OfRequest, Name: "req_1"},
		"no run":        {Kind: OfRun},
		"a short trace": {Kind: OfTrace, Name: "ab"},
		"upper case":    {Kind: OfTrace, Name: strings.Repeat("A", 32)},
		"no dimensions": {Kind: OfWhere, From: 1, To: 2},
		"no window":     where(t, 5, 5, map[string]string{"customer": "c"}),
		"too wide":      where(t, 1, 2+MaxWindow, map[string]string{"customer": "c"}),
		"no value":      where(t, 1, 2, map[string]string{"customer": ""}),
		"twice":         {Kind: OfWhere, From: 1, To: 2, Where: []Match{{ledger.DimRef{Dim: ledger.DimCustomer}, "a"}, {ledger.DimRef{Dim: ledger.DimCustomer}, "b"}}},
	} {
		r := report("a", func(r *Report) { r.Join = j })
		if field, err := r.Check(); err == nil || field != "join" {
			t.Errorf("%s: %s %v", name, field, err)
		}
	}
}
