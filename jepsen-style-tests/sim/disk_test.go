package sim

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

// disk is what survives a crash: marks and usage records. It is one store, so a
// rollback takes both back.
type disk struct {
	seq     uint64
	marks   map[leaseID]ledger.Amount
	records map[leaseID]purse.Proof // summed
}

func newDisk() disk {
	return disk{marks: map[leaseID]ledger.Amount{}, records: map[leaseID]purse.Proof{}}
}

// image is a copy of the disk as it is.
func (d *disk) image() disk {
	return disk{seq: d.seq, marks: maps.Clone(d.marks), records: maps.Clone(d.records)}
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
	for id, amount := range d.marks {
		out = append(out, purse.Mark{Account: id.account, Incarnation: id.incarnation, Amount: amount})
	}
	slices.SortFunc(out, func(a, b purse.Mark) int { // so that a history repeats to the byte
		return cmp.Or(cmp.Compare(a.Account.Budget, b.Account.Budget), cmp.Compare(a.Account.Split, b.Account.Split),
			cmp.Compare(a.Account.Start, b.Account.Start), cmp.Compare(a.Incarnation, b.Incarnation))
	})
	return d.seq, out, nil
}

func (d *disk) proofs(a ledger.AccountKey, incarnation uint32) (purse.Proof, error) {
	return d.records[leaseID{a, incarnation}], nil
}

// overruns implements purse.Overruns.
func (d *disk) overruns() ([]purse.LeaseID, error) {
	var out []purse.LeaseID
	for id, p := range d.records {
		if p.Overrun > 0 {
			out = append(out, purse.LeaseID{Account: id.account, Incarnation: id.incarnation})
		}
	}
	slices.SortFunc(out, func(a, b purse.LeaseID) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return out, nil
}

// record makes one charge durable.
func (d *disk) record(c purse.Charge) {
	id := leaseID{c.Account, c.Incarnation}
	p := d.records[id]
	p.Spent += c.Spent
	p.Overrun += max(0, c.Spent-c.Held)
	d.records[id] = p
}
