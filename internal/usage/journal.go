package usage

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"purser/internal/record"
	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// Config says how records are grouped.
type Config struct {
	// Linger is how long the first record of a group waits for others before the
	// disk is asked. Default 5 ms, 0 to 1 s: the longest time by which a record
	// that nobody waits for is later on disk than it could be.
	Linger time.Duration
	// MaxGroupEntries bounds a group. Default 1024, 1 to 65536.
	MaxGroupEntries int
	// MaxGroupBytes bounds a group's records and cache fills; one entry may pass
	// it. Default 4 MiB, 64 KiB to 6 MiB, so that a group fits Pebble's memtable.
	MaxGroupBytes int
}

// DefaultConfig is what [Config.Validate] accepts as it is.
func DefaultConfig() Config {
	return Config{Linger: 5 * time.Millisecond, MaxGroupEntries: 1024, MaxGroupBytes: 4 << 20}
}

// Validate reports every field that is out of its range.
func (c Config) Validate() error {
	var errs []error
	in := func(name string, v, low, high int64) {
		if v < low || v > high {
			errs = append(errs, fmt.Errorf("%s is %d, not within %d to %d", name, v, low, high))
		}
	}
	in("linger_ns", int64(c.Linger), 0, int64(time.Second))
	in("max_group_entries", int64(c.MaxGroupEntries), 1, 1<<16)
	in("max_group_bytes", int64(c.MaxGroupBytes), 64<<10, 6<<20)
	return errors.Join(errs...)
}

// ErrClosed is the error of a record that came after [Journal.Close].
var ErrClosed = errors.New("the usage journal is closed")

// Entry is one finished request.
type Entry struct {
	// Record is stored as it is. Its ID is one of [record.NewID]; the pair of ID
	// and Attempt is stored once. Its Charges are added to the proofs.
	Record *record.Record
	// Extra is written in the same batch, such as a cache fill.
	Extra []store.KV
}

// Journal makes finished requests durable. [Open] makes one.
type Journal struct {
	*Reader // of [Own]

	cfg   Config
	bufs  sync.Pool // *[]byte, for encoding outside of the lock
	timer *time.Timer
	work  chan struct{} // capacity 1: the open group wants the committer
	ended chan struct{} // the committer has
	marks atomic.Uint64 // the last mark's number: no two of a store share one

	// writes is held for reading while records are written, and for writing while old
	// ones are dropped: none comes in between unseen.
	writes sync.RWMutex

	mu      sync.Mutex // guards what follows
	open    *group     // takes entries
	writing *group     // the last one taken
	room    *sync.Cond // the open group was taken
	waiting int        // commits that wait for room
	closed  bool
	stats   Stats
	claimed ledger.Instant // records of minutes before it mark these: they are rolled up, or about to be
}

// Stats are counts since the journal was opened.
type Stats struct {
	Entries, Groups, Bytes uint64
	Blocked                uint64 // commits that had to wait for room
}

// group is what is written together.
type group struct {
	batch   *pebble.Batch
	entries int
	bytes   int
	began   time.Time
	proofs  map[lease]ledger.Amount // spent
	overrun map[lease]ledger.Amount // of that, beyond the holds
	marks   map[ledger.Instant]bool // minutes that were rolled up without a record of it
	hurry   bool                    // somebody waits: do not linger
	done    chan struct{}
	err     error // set before done is closed
}

// lease is one node incarnation's allowance of an account.
type lease struct {
	account     ledger.AccountKey
	incarnation uint32
}

// Open starts a journal on the store. It must be closed before the store is.
func Open(s *store.Store, cfg Config) (*Journal, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("usage journal: %w", err)
	}
	p, err := progressOf(s.DB(), Own)
	if err != nil {
		return nil, fmt.Errorf("usage journal: %w", err)
	}
	j := &Journal{
		claimed: p.rolled[minutes],
		Reader:  &Reader{shelf: Own, store: s, db: s.DB()}, cfg: cfg,
		work: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	j.marks.Store(rand.Uint64())
	j.room = sync.NewCond(&j.mu)
	j.bufs.New = func() any { b := make([]byte, 0, 1<<10); return &b }
	j.open = j.newGroup()
	j.timer = time.NewTimer(time.Hour)
	j.timer.Stop()
	go j.run()
	return j, nil
}

func (j *Journal) newGroup() *group {
	return &group{batch: j.store.NewBatch(), proofs: make(map[lease]ledger.Amount), overrun: map[lease]ledger.Amount{}, done: make(chan struct{})}
}

// Receipt stands for an entry that was given to the journal.
type Receipt struct {
	j   *Journal
	g   *group
	err error
}

// Wait returns when the entry is on disk: nil, or the error for which it may not
// be. It makes the journal write at once. When ctx ends first, the entry is still
// written.
func (r Receipt) Wait(ctx context.Context) error {
	if r.g == nil {
		return r.err
	}
	r.j.hurry(r.g)
	select {
	case <-r.g.done:
		return r.g.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Commit takes the entry and returns; it blocks only while a full group waits for
// the disk. Nothing of the entry is read after it has returned.
func (j *Journal) Commit(e Entry) Receipt {
	id, ok := record.ParseID(e.Record.ID)
	if !ok || e.Record.Attempt < 0 || e.Record.Attempt > maxAttempt {
		panic(fmt.Sprintf("usage: record %q, attempt %d, has no place in the journal", e.Record.ID, e.Record.Attempt))
	}
	var key [recordKeyLen]byte
	key[0] = store.PrefixRecord // see Shelf.recordKey
	copy(key[1:], id[:])
	key[recordKeyLen-1] = byte(e.Record.Attempt)
	buf := j.bufs.Get().(*[]byte)
	*buf = record.Append((*buf)[:0], e.Record)
	r := j.add(key[:], *buf, &e)
	j.bufs.Put(buf)
	return r
}

func (j *Journal) add(key, value []byte, e *Entry) Receipt {
	size := len(key) + len(value)
	for _, kv := range e.Extra {
		size += len(kv.Key) + len(kv.Value)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.full(size) {
		j.stats.Blocked++
	}
	for !j.closed && j.store.Err() == nil && j.full(size) {
		j.waiting++
		j.wake()
		j.room.Wait()
		j.waiting--
	}
	if err := j.store.Err(); err != nil {
		return Receipt{err: err}
	}
	if j.closed {
		return Receipt{err: ErrClosed}
	}
	g := j.open
	g.set(key, value)
	if at := minutes.down(record.ID(key[1 : 1+len(record.ID{})]).At()); at < j.claimed {
		if g.marks == nil {
			g.marks = map[ledger.Instant]bool{}
		}
		g.marks[at] = true
	}
	for _, kv := range e.Extra {
		g.set(kv.Key, kv.Value)
	}
	for _, c := range e.Record.Charges {
		if c.Spent != 0 {
			g.proofs[lease{c.Account, c.Incarnation}] += c.Spent
		}
		if over := c.Spent - c.Held; over > 0 {
			g.overrun[lease{c.Account, c.Incarnation}] += over
		}
	}
	g.entries++
	g.bytes += size
	if g.entries == 1 {
		g.began = time.Now()
		j.wake()
	} else if g.entries >= j.cfg.MaxGroupEntries || g.bytes >= j.cfg.MaxGroupBytes {
		j.wake()
	}
	j.stats.Entries++
	j.stats.Bytes += uint64(size)
	return Receipt{j: j, g: g}
}

// full says whether the open group has no room for so many bytes more.
func (j *Journal) full(size int) bool {
	g := j.open
	return g.entries > 0 && (g.entries >= j.cfg.MaxGroupEntries || g.bytes+size > j.cfg.MaxGroupBytes)
}

// set adds to the batch; a batch that is not yet applied is memory and cannot fail.
func (g *group) set(key, value []byte) {
	if err := g.batch.Set(key, value, nil); err != nil {
		panic(fmt.Sprintf("usage: add to a batch: %v", err))
	}
}

// claim has records of minutes before an instant mark them from here on. Those that came
// before are on disk after a [Journal.Flush].
func (j *Journal) claim(before ledger.Instant) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.claimed = max(j.claimed, before)
}

func (j *Journal) wake() {
	select {
	case j.work <- struct{}{}:
	default:
	}
}

func (j *Journal) hurry(g *group) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if g == j.open && !g.hurry {
		g.hurry = true
		j.wake()
	}
}

// Flush returns when everything committed before is on disk and can be queried.
func (j *Journal) Flush(ctx context.Context) error {
	j.mu.Lock()
	g := j.open
	if g.entries == 0 {
		g = j.writing
	}
	j.mu.Unlock()
	if g == nil {
		return j.store.Err()
	}
	return Receipt{j: j, g: g}.Wait(ctx)
}

// Stats returns the counts.
func (j *Journal) Stats() Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.stats
}

// Close writes what was committed, and ends the journal. It returns the error
// for which something may not be on disk.
func (j *Journal) Close() error {
	j.mu.Lock()
	j.closed = true
	j.room.Broadcast()
	j.wake()
	j.mu.Unlock()
	<-j.ended
	return j.store.Err()
}
