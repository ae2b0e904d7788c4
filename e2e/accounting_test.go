package e2e

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"purser/internal/record"
	"purser/internal/simprovider"
	"purser/internal/store"
	"purser/internal/usage"
	"purser/ledger"
)

// records reads every usage record of a node that has stopped, by the id its
// upstream call was given ("<request>-<attempt>").
func (r *rig) records() map[string]*record.Record {
	r.t.Helper()
	s, err := store.Open(store.Options{Dir: filepath.Join(r.dir, "data", "store"), Log: slog.New(slog.DiscardHandler),
		Fatal: func(err error) { panic(err) }})
	if err != nil {
		r.t.Fatal(err)
	}
	j, err := usage.Open(s, usage.DefaultConfig())
	if err != nil {
		r.t.Fatal(err)
	}
	all := map[string]*record.Record{}
	for rec, err := range j.Records(context.Background(), usage.Query{Range: usage.Range{From: 0, To: ledger.MaxInstant}}) {
		if err != nil {
			r.t.Fatal(err)
		}
		if rec.Attempt == 0 {
			continue // nothing was sent that could be billed
		}
		id := fmt.Sprintf("%s-%d", rec.ID, rec.Attempt)
		if all[id] != nil {
			r.t.Errorf("two records of the call %s", id)
		}
		copied := *rec
		all[id] = &copied
	}
	if err := j.Close(); err != nil {
		r.t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		r.t.Fatal(err)
	}
	return all
}

// accounts is the comparison of records and bill, by call.
type accounts struct {
	billed, recorded int64 // sums
	unrecorded       int64 // of billed rows without a record
	unbilled         int   // charged records without a row
	different        int   // both there, with different costs
	rows             int
}

func compare(t *testing.T, rows []simprovider.Row, records map[string]*record.Record) accounts {
	t.Helper()
	out := accounts{rows: len(rows), billed: sum(rows)}
	seen := map[string]bool{}
	for _, row := range rows {
		if seen[row.ClientRequestID] {
			t.Errorf("the provider billed the call %s twice", row.ClientRequestID)
		}
		seen[row.ClientRequestID] = true
		rec := records[row.ClientRequestID]
		switch {
		case rec == nil:
			out.unrecorded += int64(row.Cost)
		case rec.Cost != row.Cost || rec.Usage != row.Usage:
			if rec.Basis == record.FullHold && rec.Cost >= row.Cost {
				continue // the usage was lost; the whole hold covers it
			}
			out.different++
			if out.different < 4 {
				t.Errorf("call %s: billed %d (%v), recorded %d (%v), basis %v, outcome %v", row.ClientRequestID, row.Cost, row.Usage, rec.Cost, rec.Usage, rec.Basis, rec.Outcome)
			}
		}
	}
	for id, rec := range records {
		out.recorded += int64(rec.Cost)
		if rec.Cost > 0 && !seen[id] && rec.Basis != record.FullHold {
			out.unbilled++
			t.Errorf("call %s: %d recorded and nothing billed, basis %v, outcome %v", id, rec.Cost, rec.Basis, rec.Outcome)
		}
	}
	return out
}
