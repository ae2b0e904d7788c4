package usage

import (
	"errors"
	"fmt"

	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// Shelf is where the records of one node stand in this node's store, with their rollups:
// [Own] are the node's, another node's id is that of the copies that are kept of its own.
type Shelf string

// Own is the shelf of the records that this node wrote.
const Own Shelf = ""

// MaxShelf is the longest name of a shelf, in bytes: it has one byte for its length.
const MaxShelf = 255

// recordPrefix is what the keys of the shelf's records begin with.
func (s Shelf) recordPrefix() []byte {
	if s == Own {
		return []byte{store.PrefixRecord}
	}
	return s.named(store.PrefixCopy)
}

// rollupPrefix is what the keys of everything made of the shelf's records begin with.
func (s Shelf) rollupPrefix() []byte { return s.named(store.PrefixRollup) }

func (s Shelf) named(prefix byte) []byte {
	if len(s) > MaxShelf {
		panic(fmt.Sprintf("usage: a shelf has no name of %d bytes", len(s)))
	}
	return append(append(make([]byte, 0, 64), prefix, byte(len(s))), s...)
}

// recordKey is the key of a record.
func (s Shelf) recordKey(id record.ID, attempt int) []byte {
	return append(append(s.recordPrefix(), id[:]...), byte(attempt))
}

// recordBounds hold the records of requests that arrived in the range.
func (s Shelf) recordBounds(r Range) *pebble.IterOptions {
	from, to := record.FirstID(r.From), record.FirstID(max(r.From, r.To))
	return &pebble.IterOptions{
		LowerBound: append(s.recordPrefix(), from[:]...),
		UpperBound: append(s.recordPrefix(), to[:]...),
	}
}

// Copying puts copies of another node's records into one batch; [Journal.Copy] makes one.
type Copying struct {
	shelf  Shelf
	batch  *pebble.Batch
	number uint64
	kept   ledger.Instant // what is from before was dropped
	marked ledger.Instant // the minute marked last; -1 for none
}

// Copy writes the copies of a shelf that is not [Own] that put puts, together. Nothing of
// the shelf is dropped meanwhile.
func (j *Journal) Copy(s Shelf, d store.Durability, put func(*Copying) error) error {
	if s == Own {
		panic("usage: a node keeps no copies of its own records")
	}
	j.writes.RLock()
	defer j.writes.RUnlock()
	p, err := progressOf(j.db, s)
	if err != nil {
		return err
	}
	c := &Copying{shelf: s, batch: j.store.NewBatch(), number: j.marks.Add(1), kept: p.kept[records], marked: -1}
	if err := put(c); err != nil {
		return errors.Join(err, c.batch.Close())
	}
	return j.store.Apply(c.batch, d)
}

// Put adds a copy, in the form of [record.Append], and notes that what was rolled up of
// its minute lacks it. A copy that is there already is replaced. One of a day that was
// dropped is left out: it is rolled up, and would be counted twice.
func (c *Copying) Put(id record.ID, attempt int, encoded []byte) error {
	if id.At() < c.kept {
		return nil
	}
	if err := c.batch.Set(c.shelf.recordKey(id, attempt), encoded, nil); err != nil {
		return fmt.Errorf("add a copy of record %s: %w", id, err)
	}
	at := minutes.down(id.At())
	if at == c.marked {
		return nil
	}
	c.marked = at
	if err := c.batch.Set(c.shelf.markKey(minutes, at, c.number), nil, nil); err != nil {
		return fmt.Errorf("mark the minute of record %s: %w", id, err)
	}
	return nil
}
