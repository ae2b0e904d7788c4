package archive

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"purser/internal/audit"
	"purser/internal/store"
)

// Followed is what following a trail has done.
type Followed struct {
	// Lacks says that entries are needed which the trail does not reach back to: those
	// after the archive's last, up to Until. Nothing later is written until they are
	// there, or the archive begins anew ([Archive.BeginAt]).
	Lacks bool
	Until audit.Head
	Aside int // entries that were set aside: the trail has others in their place
}

// Follow brings the archive up to a trail. What the archive has beyond the end of the
// trail stays: the trail may be on its way there.
func (a *Archive) Follow(t *audit.Trail) (f Followed, err error) {
	if f.Aside, err = a.agree(t); err != nil {
		return f, err
	}
	last := a.Span().Last.Seq
	switch {
	case last >= t.Head().Seq:
		return f, nil
	case last < t.Base().Seq:
		f.Lacks, f.Until = true, t.Base()
		return f, nil
	}
	return f, a.Extend(t.Recent()[last-t.Base().Seq:])
}

// agree sets aside what the trail has otherwise.
func (a *Archive) agree(t *audit.Trail) (aside int, err error) {
	span := a.Span()
	low := max(t.Base().Seq, span.After.Seq)
	seq := min(t.Head().Seq, span.Last.Seq)
	if seq < low {
		return 0, nil // nothing in common to compare
	}
	same := func(seq uint64) (bool, error) {
		want, known := t.At(seq)
		got, there, err := a.At(seq)
		return known && there && got == want, err
	}
	ok, err := same(seq)
	if ok || err != nil {
		return 0, err
	}
	for seq > low && !ok {
		seq--
		if ok, err = same(seq); err != nil {
			return 0, err
		}
	}
	if !ok { // nothing here is of this chain, as far as it can be seen
		return a.setAside(0, audit.Head{}, audit.Head{})
	}
	at, _ := t.At(seq)
	return a.setAside(seq, span.After, at)
}

// BeginAt makes the archive begin after an entry, because what comes before it cannot
// be had any more. What the archive has is set aside.
func (a *Archive) BeginAt(h audit.Head) (aside int, err error) { return a.setAside(0, h, h) }

// asideStep bounds the entries of one write.
const asideStep = 256

// setAside sets the entries above a seq aside, the last ones first: what is left is
// without gaps whenever it is cut short. The archive then goes from the anchor to last.
func (a *Archive) setAside(above uint64, anchor, last audit.Head) (aside int, err error) {
	for {
		b := a.store.NewBatch()
		n, lowest, err := a.move(b, above)
		if err == nil && n < asideStep {
			err = setAnchor(b, anchor)
		}
		if err != nil {
			return aside, errors.Join(err, b.Close())
		}
		if err := a.store.Apply(b, store.Synced); err != nil {
			return aside, err
		}
		aside += n
		if n < asideStep {
			a.set(Span{anchor, last})
			return aside, nil
		}
		if h, ok, err := a.At(lowest - 1); err != nil {
			return aside, err
		} else if ok {
			a.set(Span{a.Span().After, h})
		}
	}
}

// move adds to a batch that the last entries after a seq are set aside.
func (a *Archive) move(b *pebble.Batch, after uint64) (n int, lowest uint64, err error) {
	it, err := a.store.DB().NewIter(entries(after + 1))
	if err != nil {
		return 0, 0, fmt.Errorf("read the audit trail: %w", err)
	}
	for ok := it.Last(); ok && n < asideStep; ok = it.Prev() {
		digest := sha256.Sum256(it.Value())
		key := append([]byte{store.PrefixAudit, keyAside}, it.Key()[2:]...)
		err = errors.Join(b.Set(append(key, digest[:]...), it.Value(), nil), b.Delete(it.Key(), nil))
		if err != nil {
			break
		}
		n, lowest = n+1, seqOf(it.Key())
	}
	return n, lowest, errors.Join(err, it.Error(), it.Close())
}

// Aside counts what was set aside, ever.
func (a *Archive) Aside() (n int, err error) {
	it, err := a.store.DB().NewIter(&pebble.IterOptions{
		LowerBound: []byte{store.PrefixAudit, keyAside}, UpperBound: []byte{store.PrefixAudit, keyAside + 1},
	})
	if err != nil {
		return 0, fmt.Errorf("read what was set aside of the audit trail: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		n++
	}
	return n, errors.Join(it.Error(), it.Close())
}
