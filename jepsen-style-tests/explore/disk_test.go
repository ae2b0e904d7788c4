package explore

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"purser/internal/purse"
	"purser/ledger"
)

// leaseID names a lease on disk.
type leaseID struct {
	account     ledger.AccountKey
	incarnation uint32
}

// disk is what survives a crash: marks, and the sums of usage records.
type disk struct {
	seq     uint64
	marks   map[leaseID]ledger.Amount
	records map[leaseID]ledger.Amount
}

// SaveMarks implements purse.MarkStore.
func (d *disk) SaveMarks(seq uint64, marks []purse.Mark) error {
	if seq <= d.seq {
		return errors.New("the sequence of the marks does not grow")
	}
	d.seq = seq
	for _, m := range marks {
		id := leaseID{m.Account, m.Incarnation}
		if m.Gone {
			delete(d.marks, id)
		} else {
			d.marks[id] = m.Amount
		}
	}
	return nil
}

// LoadMarks implements purse.MarkStore.
func (d *disk) LoadMarks() (uint64, []purse.Mark, error) {
	var out []purse.Mark
	for _, id := range sorted(d.marks) {
		out = append(out, purse.Mark{Account: id.account, Incarnation: id.incarnation, Amount: d.marks[id]})
	}
	return d.seq, out, nil
}

func (d *disk) proofs(a ledger.AccountKey, incarnation uint32) (purse.Proof, error) {
	return purse.Proof{Spent: d.records[leaseID{a, incarnation}]}, nil
}

func (d *disk) record(c purse.Charge) { d.records[leaseID{c.Account, c.Incarnation}] += c.Spent }

func (d *disk) clone() disk {
	return disk{seq: d.seq, marks: maps.Clone(d.marks), records: maps.Clone(d.records)}
}

func (d *disk) appendTo(b []byte) []byte {
	b = fmt.Appendf(b, "disk %d", d.seq)
	for _, of := range []map[leaseID]ledger.Amount{d.marks, d.records} {
		for _, id := range sorted(of) {
			b = fmt.Appendf(b, " %d/%d=%d", id.account.Start, id.incarnation, of[id])
		}
		b = append(b, ';')
	}
	return b
}

func sorted(of map[leaseID]ledger.Amount) []leaseID {
	ids := make([]leaseID, 0, len(of))
	for id := range of {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b leaseID) int {
		return cmp.Or(cmp.Compare(a.account.Start, b.account.Start), cmp.Compare(a.incarnation, b.incarnation))
	})
	return ids
}
