package copies

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"purser/internal/store"
	"purser/ledger"
)

const (
	// gather is how long the first note of a push waits for others.
	gather = 50 * time.Millisecond
	// lookEvery is how often the directory is looked at.
	lookEvery = time.Second
	// greetEvery is how often an idle peer is asked whether it still has the copies.
	greetEvery = time.Minute
	// pushWait bounds one push, which ends on the peer's disk.
	pushWait = 10 * time.Second
	// firstPause and lastPause are how long a peer that failed is left alone.
	firstPause = 500 * time.Millisecond
	lastPause  = 30 * time.Second

	// Of one push.
	maxItems     = 1024
	maxPushBytes = 1 << 20
	// maxTurn is how many pushes of what is new go before one of everything.
	maxTurn = 16

	// againRate is how fast everything is sent again, bytes a second: an hour of a busy
	// node in seconds, and a small part of what a disk and a network can do.
	againRate = 8 << 20

	// overtaken is how much later a note may be on disk than one with a later instant.
	// Those that are later yet are found when all are looked through, every allEvery.
	overtaken = 2 * ledger.Second
	allEvery  = time.Minute
)

// sender is the state of the one who sends.
type sender struct {
	from    []byte    // no note is below, or it was overtaken
	allAt   time.Time // when all notes were looked through
	lookAt  time.Time // when the directory was looked at
	lostAt  time.Time // when copies of nodes that are gone are looked at again
	greeted time.Time // when the peer last said that it has what it was sent
	paced   time.Time // when the next piece of everything may go
	own     pause
	lost    pause
}

// pause is how long a peer that fails is left alone.
type pause struct {
	next time.Time
	span time.Duration
}

func (p *pause) over() bool { return !time.Now().Before(p.next) }

// note takes the outcome of an attempt, and says whether to speak of it: of the first of
// several failures.
func (p *pause) note(err error) bool {
	if err == nil {
		*p = pause{}
		return false
	}
	first := p.span == 0
	p.span = min(max(2*p.span, firstPause), lastPause)
	p.next = time.Now().Add(p.span)
	return first
}

// errUnknown is a peer that has not got what this node thinks it has.
var errUnknown = errors.New("the peer does not know the copies that it was sent: everything is sent again")

// errFull is a peer whose disk has no room.
var errFull = errors.New("the peer's disk has no room for copies")

func (c *Copies) run(ctx context.Context) {
	if err := c.count(); err != nil {
		c.cfg.Log.Warn("how many records wait to be copied is not known", "error", err)
	}
	for {
		wait := c.round(ctx)
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		case <-c.noted:
			t.Reset(gather)
			select {
			case <-ctx.Done():
			case <-t.C:
			}
		}
	}
}

// round sends what there is to send, and returns how long to wait for more.
func (c *Copies) round(ctx context.Context) time.Duration {
	nodes := c.cfg.Nodes()
	wait := lookEvery
	if time.Since(c.sender.lookAt) >= lookEvery {
		c.sender.lookAt = time.Now()
		if err := c.noteGone(nodes); err != nil {
			c.cfg.Log.Warn("which nodes are gone is not noted", "error", err)
		}
	}
	if c.sender.own.over() {
		more, err := c.sendOwn(ctx, nodes)
		if ctx.Err() != nil {
			return 0
		}
		if c.sender.own.note(err) {
			c.cfg.Log.Warn("usage records are on this node alone until its peer takes copies", "error", err)
		}
		wait = min(wait, more)
	}
	if c.sender.lost.over() && !time.Now().Before(c.sender.lostAt) {
		more, err := c.passOn(ctx, nodes)
		if ctx.Err() != nil {
			return 0
		}
		if c.sender.lost.note(err) {
			c.cfg.Log.Warn("the usage records of a lost node have no second copy yet", "error", err)
		}
		c.sender.lostAt = time.Now().Add(more)
		wait = min(wait, more)
	}
	return wait
}

// sendOwn sends what was noted, and the next piece of everything where the peer lacks it.
func (c *Copies) sendOwn(ctx context.Context, nodes []Node) (time.Duration, error) {
	peer := Choose(c.cfg.Self, nodes)
	if peer == "" {
		return lookEvery, c.alone()
	}
	co, err := c.to(ctx, c.cfg.Self, peer, state{})
	if err != nil {
		return lookEvery, err
	}
	if time.Since(c.sender.greeted) > greetEvery {
		if err := c.tell(ctx, co, &push{origin: c.cfg.Self, state: state{complete: co.done, upto: c.known()}}); err != nil {
			return lookEvery, err
		}
	}
	more := true
	for i := 0; more && i < maxTurn; i++ {
		if more, err = c.sendNotes(ctx, co); err != nil {
			return lookEvery, err
		}
	}
	wait, err := c.sendAll(ctx, co, c.cfg.Self, func() state { return state{complete: true, upto: c.known()} })
	if more {
		wait = 0
	}
	return wait, err
}

// to is the course to a peer, which has been told of it.
func (c *Copies) to(ctx context.Context, origin, peer string, s state) (*course, error) {
	v, err := c.get(courseKey(origin))
	if err != nil {
		return nil, err
	}
	// One that cannot be read begins anew.
	co, err := decodeCourse(v)
	if err != nil || co.peer != peer {
		co = course{peer: peer}
		_, _ = rand.Read(co.token[:]) // it never fails
		if err := c.save(origin, &co); err != nil {
			return nil, err
		}
	}
	if co.begun {
		return &co, nil
	}
	if err := c.tell(ctx, &co, &push{origin: origin, begin: true, state: state{upto: s.upto}}); err != nil {
		return nil, err
	}
	co.begun = true
	return &co, c.save(origin, &co)
}

func (c *Copies) save(origin string, co *course) error {
	return c.set(courseKey(origin), appendCourse(nil, co), store.Synced)
}

// tell sends a push on a course.
func (c *Copies) tell(ctx context.Context, co *course, p *push) error {
	p.token = co.token
	ctx, cancel := context.WithTimeout(ctx, pushWait)
	defer cancel()
	answer, err := c.cfg.Push(ctx, co.peer, appendPush(nil, p))
	switch {
	case err != nil:
		return fmt.Errorf("copying to node %s: %w", co.peer, err)
	case len(answer) != 2 || answer[0] != form:
		return fmt.Errorf("copying to node %s: its answer: %w", co.peer, errForm)
	}
	switch answer[1] {
	case kept:
		if p.origin == c.cfg.Self {
			c.sender.greeted = time.Now()
		}
		return nil
	case unknown:
		return errors.Join(fmt.Errorf("copying to node %s: %w", co.peer, errUnknown), c.save(p.origin, &course{}))
	case full:
		return fmt.Errorf("copying to node %s: %w", co.peer, errFull)
	default:
		return fmt.Errorf("copying to node %s: its verdict %d: %w", co.peer, answer[1], errForm)
	}
}

// known is the instant up to which the peer has everything that was noted.
func (c *Copies) known() ledger.Instant {
	if at := c.oldest.Load(); at != 0 {
		return ledger.Instant(at)
	}
	return c.cfg.Now()
}

// sendNotes sends what some notes name. more: there may be others.
func (c *Copies) sendNotes(ctx context.Context, co *course) (more bool, err error) {
	notes, items, more, err := c.notes()
	if err != nil || len(notes) == 0 {
		return false, err
	}
	c.oldest.Store(int64(notedAt(notes[0])))
	upto := notedAt(notes[len(notes)-1])
	if err := c.tell(ctx, co, &push{origin: c.cfg.Self, items: items, state: state{complete: co.done, upto: upto}}); err != nil {
		return false, err
	}
	if !more {
		c.oldest.Store(0)
	}
	return more, c.strike(notes)
}

// notes reads what is to be sent next: some notes, and what they name as it is now.
func (c *Copies) notes() (notes [][]byte, items []Item, more bool, err error) {
	if time.Since(c.sender.allAt) > allEvery {
		c.sender.from, c.sender.allAt = noteKey(0, 0), time.Now()
	}
	it, err := c.db.NewIter(&pebble.IterOptions{LowerBound: c.sender.from, UpperBound: after([]byte{store.PrefixQueue, roomNotes})})
	if err != nil {
		return nil, nil, false, fmt.Errorf("read what is to be copied: %w", err)
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	size := 0
	for ok := it.First(); ok; ok = it.Next() {
		if len(notes) == maxItems || size >= maxPushBytes {
			return notes, items, true, nil
		}
		if len(it.Key()) != noteLen {
			return nil, nil, false, fmt.Errorf("the note under %x: %w", it.Key(), store.ErrCorrupt)
		}
		key, err := it.ValueAndErr()
		if err != nil {
			return nil, nil, false, fmt.Errorf("read what is to be copied: %w", err)
		}
		notes = append(notes, append([]byte(nil), it.Key()...))
		value, err := c.get(key)
		if err != nil {
			return nil, nil, false, err
		}
		if value != nil { // else it is gone again
			items = append(items, Item{append([]byte(nil), key...), value})
			size += len(key) + len(value)
		}
	}
	return notes, items, false, it.Error()
}

// strike removes notes of what the peer has.
func (c *Copies) strike(notes [][]byte) error {
	b := c.cfg.Store.NewBatch()
	for _, key := range notes {
		if err := b.SingleDelete(key, nil); err != nil { // each was written once
			return errors.Join(fmt.Errorf("strike what was copied: %w", err), b.Close())
		}
	}
	if err := c.cfg.Store.Apply(b, store.Buffered); err != nil {
		return err
	}
	c.unsent.Add(-int64(len(notes)))
	c.sender.from = noteKey(notedAt(notes[len(notes)-1])-overtaken, 0)
	return nil
}

// alone forgets what was noted: there is no node to send it to, and one that comes is sent
// everything.
func (c *Copies) alone() error {
	v, err := c.get(courseKey(c.cfg.Self))
	if err != nil || v == nil && c.unsent.Load() == 0 {
		return err
	}
	notes := []byte{store.PrefixQueue, roomNotes}
	b := c.cfg.Store.NewBatch()
	if err := errors.Join(b.DeleteRange(notes, after(notes), nil), b.Delete(courseKey(c.cfg.Self), nil)); err != nil {
		return errors.Join(fmt.Errorf("forget what is to be copied: %w", err), b.Close())
	}
	c.unsent.Store(0)
	c.oldest.Store(0)
	return c.cfg.Store.Apply(b, store.Buffered)
}

// count finds how many notes there are from before.
func (c *Copies) count() (err error) {
	it, err := c.under([]byte{store.PrefixQueue, roomNotes})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	n := int64(0)
	for ok := it.First(); ok; ok = it.Next() {
		if n == 0 && len(it.Key()) == noteLen {
			c.oldest.CompareAndSwap(0, int64(notedAt(it.Key())))
		}
		n++
	}
	c.unsent.Store(n) // those that are noted meanwhile are counted, or were
	return it.Error()
}

// seal sends what waits, and tells the peer that nothing more comes.
func (c *Copies) seal(ctx context.Context) error {
	peer := Choose(c.cfg.Self, c.cfg.Nodes())
	if peer == "" {
		return nil
	}
	if err := c.cfg.Flush(ctx); err != nil {
		return err
	}
	co, err := c.to(ctx, c.cfg.Self, peer, state{})
	c.sender.allAt = time.Time{} // those that were overtaken, too
	for more := true; more && err == nil; {
		more, err = c.sendNotes(ctx, co)
	}
	if err != nil {
		return err
	}
	// Where not everything was sent yet, the rest of it waits for this node to come back.
	s := state{complete: co.done, upto: c.cfg.Now()}
	if co.done {
		s.sealed, s.incarnation = true, c.cfg.Incarnation()
	}
	return c.tell(ctx, co, &push{origin: c.cfg.Self, state: s})
}

// told is what a log says of copies.
func told(origin string, co *course) []any {
	return []any{slog.String("of", origin), slog.String("peer", co.peer)}
}
