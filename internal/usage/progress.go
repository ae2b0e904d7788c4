package usage

import (
	"encoding/binary"
	"errors"
	"fmt"

	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// progress is how far a shelf is rolled up, and what of it was dropped.
type progress struct {
	// rolled is, by level, the end of the last bucket that was made: there is one for
	// each before it that has records, unless it was dropped. That of records is unused.
	rolled [numLevels]ledger.Instant
	// kept is, by level, the start of the day before which everything was dropped.
	// Records that are there all the same came later: they are in no bucket until the
	// roller has added them, which deletes them.
	kept [numLevels]ledger.Instant
}

const progressVersion = 1

func (p *progress) append(b []byte) []byte {
	b = append(b, progressVersion)
	for l := range numLevels {
		b = binary.AppendUvarint(b, uint64(p.rolled[l]))
		b = binary.AppendUvarint(b, uint64(p.kept[l]))
	}
	return b
}

func decodeProgress(b []byte) (p progress, err error) {
	if len(b) == 0 || b[0] != progressVersion {
		return p, fmt.Errorf("version of %x: %w", b, store.ErrNewer)
	}
	b = b[1:]
	for l := range numLevels {
		for _, to := range [...]*ledger.Instant{&p.rolled[l], &p.kept[l]} {
			v, n := binary.Uvarint(b)
			if n <= 0 || v > uint64(ledger.MaxInstant) {
				return p, store.ErrCorrupt
			}
			*to, b = ledger.Instant(v), b[n:]
		}
	}
	if len(b) > 0 {
		return p, store.ErrCorrupt
	}
	return p, nil
}

// progressOf reads a shelf's progress; the zero one where nothing was rolled up yet.
func progressOf(db pebble.Reader, s Shelf) (p progress, err error) {
	v, closer, err := db.Get(s.progressKey())
	if errors.Is(err, pebble.ErrNotFound) {
		return p, nil
	}
	if err != nil {
		return p, fmt.Errorf("read how far usage is rolled up: %w", err)
	}
	p, err = decodeProgress(v)
	if err = errors.Join(err, closer.Close()); err != nil {
		return p, fmt.Errorf("read how far usage is rolled up: %w", err)
	}
	return p, nil
}
