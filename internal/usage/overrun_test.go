package usage

import (
	"testing"

	"purser/internal/record"
	"purser/ledger"
)

func TestOverrunIsProvenApart(t *testing.T) {
	j := openJournal(t, eager())
	account := ledger.AccountKey{Budget: "org"}
	for _, spent := range []ledger.Amount{7, 25, 13} {
		commit(t, j, &record.Record{ID: record.NewID(start), Attempt: 1,
			Charges: []record.Charge{{Account: account, Incarnation: 1, Held: 10, Spent: spent}}})
	}
	proven, err := j.Proven(account, 1)
	if err != nil || proven != 45 {
		t.Errorf("proven %d, want 45, %v", proven, err)
	}
	overrun, err := j.ProvenOverrun(account, 1)
	if err != nil || overrun != 15+3 {
		t.Errorf("overrun %d, want 18, %v", overrun, err)
	}
	if err := j.Forget(account, 1); err != nil {
		t.Fatal(err)
	}
	if overrun, err = j.ProvenOverrun(account, 1); err != nil || overrun != 0 {
		t.Errorf("forgotten: %d, %v", overrun, err)
	}
}
