package reconcile

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"purser/ledger"
)

// Adjustment makes the records of a row say what was billed.
type Adjustment struct {
	ID       string        `json:"id"` // of the row, what was billed and what was adjusted before
	Day      string        `json:"day"`
	Provider string        `json:"provider"`
	Model    string        `json:"model,omitempty"`
	Key      string        `json:"credential,omitempty"`
	Amount   ledger.Amount `json:"amount_nanousd"` // may be negative
	Note     string        `json:"note"`
}

// Adjustments are those of rows that differ by more than rounding. Rows of days of
// which the report has nothing have none: it may only be late. Where records are missing
// there are none at all, since what looks like a difference is not known to be one.
//
// What was adjusted before counts as recorded, so that a second comparison with the
// same report has none, and one with a corrected report has what has changed.
func (c *Comparison) Adjustments() []Adjustment {
	var out []Adjustment
	if !c.Complete {
		return nil
	}
	for i := range c.Rows {
		row := &c.Rows[i]
		if row.Within || row.Drift == 0 || row.Lines == 0 {
			continue
		}
		note := "reconciled with a report of " + c.Provider
		if row.Item != "" {
			note += ": " + row.Item
		}
		out = append(out, Adjustment{ID: row.id(c.Provider), Day: row.Day, Provider: c.Provider, Model: row.Model, Key: row.Key, Amount: row.Drift, Note: note})
	}
	return out
}

// id names a row, what was billed for it and what was adjusted before: so the same
// adjustment has one name however often it is posted, and one that is due after another, as
// when records came late or a report was taken back, has a name of its own.
func (row *Row) id(provider string) string {
	b := []byte("purser reconciliation 2")
	for _, part := range []string{provider, row.Day, row.Model, row.Key} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	b = binary.AppendVarint(b, int64(row.Billed))
	b = binary.AppendVarint(b, int64(row.basis.adjusted))
	sum := sha256.Sum256(b)
	return "rec_" + hex.EncodeToString(sum[:13])
}
