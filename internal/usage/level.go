package usage

import (
	"encoding/binary"

	"purser/ledger"
)

// level is the length of buckets, in UTC. Its numbers are stored.
type level byte

// The levels, from the finest. Records are the level below them.
const (
	minutes level = iota + 1
	hours
	days

	numLevels = int(days) + 1 // tables by level begin with an unused entry, or that of records
)

// records is the level of what is not rolled up.
const records level = 0

func (l level) length() ledger.Instant {
	return [numLevels]ledger.Instant{0, ledger.Minute, ledger.Hour, 24 * ledger.Hour}[l]
}

func (l level) String() string {
	return [numLevels]string{"record", "minute", "hour", "day"}[l]
}

// rowsMost bounds the rows of a bucket. One of a day takes up to 75 MB while it is made.
func (l level) rowsMost() int {
	return [numLevels]int{0, 1 << 13, 1 << 14, 3 << 14}[l]
}

// down is the start of the bucket that an instant is in.
func (l level) down(at ledger.Instant) ledger.Instant { return at - at%l.length() }

// up is the first start of a bucket that is not before an instant.
func (l level) up(at ledger.Instant) ledger.Instant { return l.down(at + l.length() - 1) }

// The rooms of a shelf's rollups; see package store for the whole layout.
const (
	roomBuckets  = 'b' // level(1) start(8) block(2): rows of a bucket
	roomMarks    = 'd' // level(1) start(8) number(8): the bucket is to be made again
	roomProgress = 'w' // how far everything is
)

func (s Shelf) markKey(l level, start ledger.Instant, number uint64) []byte {
	b := append(s.rollupPrefix(), roomMarks, byte(l))
	b = binary.BigEndian.AppendUint64(b, uint64(start))
	return binary.BigEndian.AppendUint64(b, number)
}

// bucketKey is what the keys of a bucket's blocks begin with.
func (s Shelf) bucketKey(l level, start ledger.Instant) []byte {
	b := append(s.rollupPrefix(), roomBuckets, byte(l))
	return binary.BigEndian.AppendUint64(b, uint64(start))
}

func (s Shelf) blockKey(l level, start ledger.Instant, block int) []byte {
	return binary.BigEndian.AppendUint16(s.bucketKey(l, start), uint16(block))
}

func (s Shelf) progressKey() []byte { return append(s.rollupPrefix(), roomProgress) }
