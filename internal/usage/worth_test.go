package usage

import (
	"errors"
	"testing"

	"purser/internal/record"
	"purser/ledger"
)

// TestReportedQualityCountsOnceForARequest: in the group of its last record, of those
// that have one; and what cannot be read is no sum.
func TestReportedQualityCountsOnceForARequest(t *testing.T) {
	j := openJournal(t, eager())
	worth := map[record.ID]int64{}
	for i, c := range []struct {
		version  int64
		attempts int
		quality  int64 // -1: none reported
	}{{1, 1, 1_000_000}, {1, 2, 500_000}, {1, 1, -1}, {2, 1, 250_000}} {
		r := record.Record{ID: record.NewID(start + ledger.Instant(i)), At: start, PromptVersion: c.version, Outcome: record.Completed}
		for n := range c.attempts {
			r.Attempt = n + 1
			commit(t, j, &r)
		}
		if id, ok := record.ParseID(r.ID); ok && c.quality >= 0 {
			worth[id] = c.quality
		}
	}
	version, _ := ParseField("prompt_version")
	q := TotalsQuery{Range: Always, By: []Field{version}, Worth: func(id record.ID) (int64, bool, error) {
		v, ok := worth[id]
		return v, ok, nil
	}}
	rep, err := j.Totals(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rep.Rows {
		if want := map[string][2]int64{"1": {2, 1_500_000}, "2": {1, 250_000}}[r.Values[0]]; r.Judged != want[0] || r.Worth != want[1] {
			t.Errorf("version %s: %d of a quality of %d, want %v", r.Values[0], r.Judged, r.Worth, want)
		}
	}
	if rep.Total.Judged != 3 || rep.Total.Worth != 1_750_000 || rep.Total.Requests != 4 {
		t.Errorf("in all %+v", rep.Total)
	}
	q.Worth = nil
	if rep, err := j.Totals(t.Context(), q); err != nil || rep.Total.Judged != 0 {
		t.Errorf("nobody asked: %+v %v", rep, err)
	}
	broken := errors.New("broken")
	q.Worth = func(record.ID) (int64, bool, error) { return 0, false, broken }
	if _, err := j.Totals(t.Context(), q); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}
