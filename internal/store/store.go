package store

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// The prefixes of the keys; see the package comment.
const (
	PrefixIdentity byte = 'i'
	PrefixMarks    byte = 'm'
	PrefixProof    byte = 'p'
	PrefixOverrun  byte = 'o'
	PrefixRecord   byte = 'r'
	PrefixCache    byte = 'c'
	PrefixPlace    byte = 'd'
	PrefixAudit    byte = 'a'
	PrefixSemantic byte = 's'
	PrefixPurge    byte = 't'
	PrefixOutcome  byte = 'u'
	PrefixReport   byte = 'v'
	PrefixRevenue  byte = 'b'
	PrefixHeard    byte = 'V'
	PrefixRollup   byte = 'g'
	PrefixCopy     byte = 'R'
	PrefixQueue    byte = 'q'

	PrefixIdempotency byte = 'k'
)

// The errors that [Open] wraps.
var (
	ErrLocked  = errors.New("the store is held by another process")
	ErrCorrupt = errors.New("the store is damaged")
	ErrNewer   = errors.New("the store was written by a newer version")
)

// ErrClosed is returned for writes after [Store.Close] began.
var ErrClosed = errors.New("the store is closed")

// KV is one key and value to be written in somebody else's batch.
type KV struct {
	Key, Value []byte
}

// Durability says when a write is done.
type Durability uint8

// The durabilities.
const (
	// Buffered writes survive once a later synced write does; a crash may lose them.
	Buffered Durability = iota
	// Synced writes have been forced to disk when the call returns.
	Synced
)

// Options say where and how the store is opened.
type Options struct {
	// Dir is the directory; it is made if there is none.
	Dir string
	// CacheBytes bounds the block cache and the memtables, which are reserved
	// within it: 16 MiB, and up to 64 MiB while the disk is behind. Default
	// 128 MiB; with less than 48 MiB filters are read again for every lookup (a
	// random read is about 3 µs from the cache and 15 µs or more without).
	CacheBytes int64
	// Fatal must end the process, at once and without using the store: it may be
	// called with Pebble's locks held. It is called at most once. Required.
	Fatal func(error)
	// Log receives the store's events; nil means slog.Default().
	Log *slog.Logger
	// FS is the file system; nil means the machine's.
	FS vfs.FS
}

const (
	defaultCacheBytes = 128 << 20

	// memTableBytes is large enough that a group of records with their cache
	// fills goes through the memtable, and small enough that the four of them
	// which may wait for the disk stay in proportion to the block cache.
	memTableBytes = 16 << 20

	// Cache keys are hashes: each compaction of fresh tables (level 0) rewrites all
	// that is below. compactFrom of them at a time does so a quarter as often as
	// Pebble's 4 would; a lookup passes the fresh tables by their filters. Writes
	// stop when compaction is hopelessly behind.
	compactFrom = 16
	stopAt      = 64

	// maxOpenFiles bounds descriptors; at 2 MiB and more a table this is far
	// beyond the size a node's store is meant to have.
	maxOpenFiles = 1024

	// formatVersion of the files. It has WAL sync chunks, which tell a torn tail
	// from a damaged one.
	formatVersion = pebble.FormatValueSeparation
)

// Store is the node's Pebble store. [Open] makes one.
type Store struct {
	db       *pebble.DB
	lock     *pebble.Lock
	cache    *pebble.Cache
	identity Identity
	fs       vfs.FS
	dir      string

	fatal  func(error)
	once   sync.Once
	failed atomic.Pointer[error]
	closed atomic.Bool
}

// DB is Pebble itself, for reading. Writes go through [Store.Apply].
func (s *Store) DB() *pebble.DB { return s.db }

// Identity is what was written when the store was made.
func (s *Store) Identity() Identity { return s.identity }

// NewBatch returns an empty batch for [Store.Apply].
func (s *Store) NewBatch() *pebble.Batch { return s.db.NewBatch() }

// Apply writes the batch, whole or not at all, and closes it. An error means
// that the store has failed, or is closed.
func (s *Store) Apply(b *pebble.Batch, d Durability) error {
	defer func() { _ = b.Close() }() // closing a batch only recycles its memory
	if err := s.Err(); err != nil {
		return err
	}
	opts := pebble.NoSync
	if d == Synced {
		opts = pebble.Sync
	}
	if err := s.db.Apply(b, opts); err != nil {
		s.Fail(fmt.Errorf("write to the store: %w", err))
	}
	// Pebble reports a failed log to its logger only, and returns nil.
	if p := s.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// Err is nil as long as the store takes writes.
func (s *Store) Err() error {
	if p := s.failed.Load(); p != nil {
		return *p
	}
	if s.closed.Load() {
		return ErrClosed
	}
	return nil
}

// Fail stops all writing for good and calls the Fatal function. Only the first
// error counts.
func (s *Store) Fail(err error) {
	s.once.Do(func() {
		err = fmt.Errorf("%w; nothing more is written: free or repair the disk and start the node again", err)
		s.failed.Store(&err)
		s.fatal(err)
	})
}

// Close flushes and closes the store. Readers must have ended. A failed store is
// left as it is: what Pebble does after a failed sync is not defined.
func (s *Store) Close() error {
	if err := s.Err(); err != nil {
		return err
	}
	s.closed.Store(true)
	err := s.db.Close()
	s.cache.Unref()
	if err := errors.Join(err, s.lock.Close()); err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}

func (s *Store) pebbleOptions(o Options) *pebble.Options {
	log := o.Log
	if log == nil {
		log = slog.Default()
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = defaultCacheBytes
	}
	s.cache = pebble.NewCache(o.CacheBytes)
	p := &pebble.Options{
		FS:           o.FS,
		Cache:        s.cache,
		Lock:         s.lock,
		Merger:       sumMerger,
		MemTableSize: memTableBytes,
		MaxOpenFiles: maxOpenFiles,

		L0CompactionThreshold: compactFrom,
		L0StopWritesThreshold: stopAt,

		FormatMajorVersion: formatVersion,
		Logger:             &logger{store: s, log: log},
		EventListener:      s.events(log),
	}
	// A node's store is read by point (a cached answer, a proof) and written
	// once: filters on every level, and compression that costs little.
	for i := range p.Levels {
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	p.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	return p
}
