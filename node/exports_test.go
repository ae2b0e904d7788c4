package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
	"purser/internal/directory"
	"purser/internal/exports"
	"purser/internal/focus"
	"purser/internal/governance"
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/price"
)

// spending is a cent in each hour, for tests.
type spending struct {
	away  error
	since []time.Time // of the days that were looked at
}

func (s *spending) Known(_ context.Context, from, to time.Time) (exports.Sums, error) {
	s.since = append(s.since, from)
	n := int64(to.Sub(from) / time.Hour)
	return exports.Sums{Records: n, Cost: n * 1e7, List: n * 1e7}, s.away
}

func (s *spending) Each(_ context.Context, from, to time.Time, _ bool) (iter.Seq2[*record.Record, error], error) {
	return func(yield func(*record.Record, error) bool) {
		for at := from; !at.Add(time.Hour).After(to); at = at.Add(time.Hour) {
			id := record.FirstID(ledger.Instant(at.UnixNano()))
			if !yield(&record.Record{ID: id.String(), Basis: record.FullHold, Cost: 1e7, List: 1e7, Priced: 1e7}, nil) {
				return
			}
		}
	}, nil
}

// exportWorld is a leader, or not, with exports.
type exportWorld struct {
	*exporting
	spending
	leader bool
	list   []governance.KeptExport
	raised []string
	now    time.Time
	dir    string
}

func exportsOf(t *testing.T, specs ...string) *exportWorld {
	t.Helper()
	w := &exportWorld{leader: true, now: time.Date(2026, 11, 26, 10, 30, 0, 0, time.UTC), dir: t.TempDir()}
	k, _ := governance.KindOf("export")
	for i, spec := range specs {
		says, err := k.Decode([]byte(spec))
		if err != nil {
			t.Fatal(err)
		}
		made := ledger.Instant(w.now.UnixNano())
		w.list = append(w.list, governance.KeptExport{Object: &directory.Object{Ref: directory.Ref{ID: fmt.Sprintf("e%d", i)}, Version: 7, Created: made}, Says: says.(*governance.Export)})
	}
	w.exporting = newExporting(exportSeams{
		node: "n1", config: &ExportsConfig{Dir: w.dir}, temp: t.TempDir(),
		leads: func() bool { return w.leader }, confirm: func(context.Context) error { return nil },
		kept: func() ([]governance.KeptExport, []error) { return w.list, nil }, version: func() uint64 { return 1 },
		records: &w.spending, rates: func() focus.Rates { return price.Embedded() },
		raise: func(kind, subject string, detail map[string]string) {
			w.raised = append(w.raised, kind+" "+subject+" "+detail["failures"])
		},
		log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	return w
}

// tick lets time pass and looks.
func (w *exportWorld) tick(after time.Duration) admin.ExportState {
	w.now = w.now.Add(after)
	w.look(context.Background(), func() time.Time { return w.now })
	return w.states()[0]
}

func (w *exportWorld) files(t *testing.T) int {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(w.dir, "finance", "billing_period=2026-11", "focus-1.2-2026-11-*.csv"))
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

func TestTheLeaderKeepsExportsUp(t *testing.T) {
	w := exportsOf(t, `{"format":"focus","every":"hour","from":"2026-11-20","to":{"dir":"finance"}}`)
	w.leader = false
	if s := w.tick(0); s.State != "elsewhere" || w.files(t) != 0 {
		t.Fatalf("a node that does not lead: %+v", s)
	}
	w.leader = true
	s := w.tick(time.Second)
	// What is known until ten o'clock, a quarter of an hour late: seven days.
	if s.State != "written" || s.Days != 7 || w.files(t) != 7 || s.Next != "2026-11-26T11:15:00Z" {
		t.Fatalf("%+v, %d files", s, w.files(t))
	}
	// Until then nothing is looked at; then the days of the last 48 hours.
	w.since = nil
	if w.tick(10 * time.Minute); len(w.since) != 0 {
		t.Errorf("%v are looked at before it is time", w.since)
	}
	if s = w.tick(time.Hour); s.Days != 1 || len(w.since) != 3 {
		t.Errorf("the next hour: %+v, looked at %v", s, w.since)
	}
	// After a while away, everything that is missing comes at once.
	w.leader = false
	w.tick(time.Second)
	w.leader = true
	if s = w.tick(50 * time.Hour); s.Days != 3 || w.files(t) != 9 {
		t.Errorf("after two days away: %+v, %d files", s, w.files(t))
	}
}

func TestFailuresOfExportsAreShownAndToldOnce(t *testing.T) {
	w := exportsOf(t, `{"format":"focus","from":"2026-11-20","to":{"dir":"finance"}}`)
	w.away = errors.New("node n2 does not answer for its records")
	for i, pause := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute} {
		s := w.tick(0)
		next, err := time.Parse(time.RFC3339, s.Next)
		if err != nil || s.State != "failing" || s.Failures != i+1 || next.Sub(w.now) != pause || !strings.Contains(s.Error, "n2") || w.failing() != 1 {
			t.Fatalf("failure %d: %+v", i+1, s)
		}
		if w.tick(pause - time.Second); w.states()[0].Failures != i+1 {
			t.Errorf("it is tried again before %v are over", pause)
		}
		w.now = w.now.Add(time.Second)
	}
	if len(w.raised) != 1 || w.raised[0] != "export_failing e0 3" {
		t.Errorf("told are %v", w.raised)
	}
	w.away = nil
	if s := w.tick(time.Hour); s.State != "written" || s.Failures != 0 || s.Error != "" || w.failing() != 0 {
		t.Errorf("%+v", s)
	}
}

func TestExportsWithoutAPlaceSayWhatIsMissing(t *testing.T) {
	for spec, want := range map[string]string{
		`{"format":"focus","to":{"dir":"x"}}`: "exports.dir",
		`{"format":"usage","to":{"s3":{"region":"eu","bucket":"finance","access_key":"a","secret_key":"b"}}}`: `no "a" under exports.secrets`,
	} {
		w := exportsOf(t, spec)
		w.config = &ExportsConfig{}
		if s := w.tick(0); s.State != "failing" || !strings.Contains(s.Error, want) || !strings.Contains(s.Error, "n1") {
			t.Errorf("%s: %+v", spec, s)
		}
	}
}

func TestExportsThatChangeBeginAnew(t *testing.T) {
	w := exportsOf(t, `{"format":"focus","to":{"dir":"finance"}}`)
	w.tick(0)
	w.list[0].Object = &directory.Object{Ref: w.list[0].Ref, Version: 8, Created: w.list[0].Created}
	w.since = nil
	if w.tick(time.Second); len(w.since) == 0 {
		t.Error("an export that was changed waits for its time")
	}
	w.list[0].Says.Disabled = true
	if s := w.tick(time.Second); s.State != "disabled" || len(w.runs) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestRangesOfExports(t *testing.T) {
	at := ledger.Instant(time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC).UnixNano())
	text := func(i ledger.Instant) string { return time.Unix(0, int64(i)).UTC().Format(time.RFC3339) }
	for _, x := range []struct{ from, to, want string }{
		{"", "", "2026-11-01T00:00:00Z 2026-11-26T10:00:00Z"},
		{"", "2026-11-01", "2026-10-01T00:00:00Z 2026-11-01T00:00:00Z"},
		{"2026-10-05", "2026-10-06T12:00:00+02:00", "2026-10-05T00:00:00Z 2026-10-06T10:00:00Z"},
		{"2026-12-01", "", "from is not before to"},
		{"2025-01-01", "2026-11-01", "ask for it in parts"},
		{"last week", "", "neither a date"},
		{"", "1969-01-01", "neither a date"},
	} {
		r, err := exportRange(x.from, x.to, at)
		got := text(r.From) + " " + text(r.To)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, x.want) {
			t.Errorf("%q to %q: %s, want %s", x.from, x.to, got, x.want)
		}
	}
}

func TestExportsUnderWayAreForgotten(t *testing.T) {
	w := exportsOf(t, `{"format":"focus","from":"2026-11-25","to":{"dir":"finance"}}`)
	w.temp = filepath.Join(w.dir, ".under-way-n1")
	left := filepath.Join(w.temp, "purser-export-1")
	if err := errors.Join(os.MkdirAll(w.temp, 0o700), os.WriteFile(left, []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if s := w.tick(0); s.State != "written" || s.Days != 1 {
		t.Fatalf("%+v", s)
	}
	if list, err := os.ReadDir(w.temp); err != nil || len(list) > 0 {
		t.Errorf("%v is left, %v", list, err)
	}
}

// TestFilesAreMadeAFewAtATime: each takes memory, and who asks for more waits for their turn.
func TestFilesAreMadeAFewAtATime(t *testing.T) {
	x := exportsOf(t).exporting
	var leave func()
	for range maxExportFiles {
		var err error
		if leave, err = enter(context.Background(), x.files); err != nil {
			t.Fatal(err)
		}
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := enter(gone, x.files); !errors.Is(err, context.Canceled) {
		t.Errorf("one more is made: %v", err)
	}
	leave()
	if _, err := enter(context.Background(), x.files); err != nil {
		t.Error(err)
	}
}
