package usage

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"
)

// run is the committer. There is one, so groups reach the disk in order.
func (j *Journal) run() {
	defer close(j.ended)
	for {
		g, last := j.take()
		if g != nil {
			j.write(g)
		}
		if last {
			return
		}
	}
}

// take waits until the open group is due and replaces it by an empty one. The
// last group, nil if it is empty, comes with true.
func (j *Journal) take() (*group, bool) {
	for {
		<-j.work
		for {
			j.mu.Lock()
			wait, due := j.due()
			if due {
				g, last := j.open, j.closed
				if g.entries == 0 { // closed
					j.mu.Unlock()
					_ = g.batch.Close() // never applied: only recycles its memory
					return nil, true
				}
				j.open, j.writing = j.newGroup(), g
				j.room.Broadcast()
				j.mu.Unlock()
				return g, last
			}
			j.mu.Unlock()
			if wait == 0 {
				break
			}
			j.timer.Reset(wait)
			select {
			case <-j.timer.C:
			case <-j.work:
				j.timer.Stop()
			}
		}
	}
}

// due says whether the open group is to be written now, or else how long it may
// linger; 0 means until somebody wakes the committer.
func (j *Journal) due() (time.Duration, bool) {
	g := j.open
	switch {
	case j.closed:
		return 0, true
	case g.entries == 0:
		return 0, false
	case g.hurry, g.entries >= j.cfg.MaxGroupEntries, g.bytes >= j.cfg.MaxGroupBytes, j.waiting > 0:
		return 0, true
	}
	left := j.cfg.Linger - time.Since(g.began)
	return left, left <= 0
}

// write puts the group on disk, and tells those who wait.
func (j *Journal) write(g *group) {
	g.err = j.apply(g)
	j.mu.Lock()
	j.stats.Groups++
	if g.err != nil {
		j.room.Broadcast()
	}
	j.mu.Unlock()
	close(g.done)
}

func (j *Journal) apply(g *group) error {
	if err := errors.Join(g.addSums(store.PrefixProof, g.proofs), g.addSums(store.PrefixOverrun, g.overrun)); err != nil {
		return err
	}
	for start := range g.marks {
		g.set(Own.markKey(minutes, start, j.marks.Add(1)), nil)
	}
	j.writes.RLock()
	defer j.writes.RUnlock()
	return j.store.Apply(g.batch, store.Synced)
}

// addSums adds what the group spent of each lease to what is stored.
func (g *group) addSums(prefix byte, sums map[lease]ledger.Amount) error {
	var key, value []byte
	for l, n := range sums {
		key = appendLeaseKey(key[:0], prefix, l)
		value = store.AppendSum(value[:0], int64(n))
		if err := g.batch.Merge(key, value, nil); err != nil {
			return fmt.Errorf("add the proofs of a group: %w", err)
		}
	}
	return nil
}

// The keys of this package; see package store for the whole layout.

const (
	recordKeyLen = 1 + len(record.ID{}) + 1
	maxAttempt   = 255 // one byte of the key
)

func appendLeaseKey(b []byte, prefix byte, l lease) []byte {
	b = binary.BigEndian.AppendUint32(append(b, prefix), l.incarnation)
	return record.AppendAccount(b, l.account)
}
