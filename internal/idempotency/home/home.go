package home

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"purser/internal/idempotency"
	"purser/internal/store"
	"purser/ledger"
)

// Config bounds what is kept.
type Config struct {
	TTL   time.Duration // of a key, at most [idempotency.LongestTTL]
	Keys  int64         // at a time
	Bytes int64         // of all answers; those for which there is no room are not kept
}

// Times is what time it may be, by the clocks there are.
type Times struct {
	Low, High ledger.Instant
}

// Sealer encrypts what is on disk, bound to what it belongs to. Both append to dst.
type Sealer interface {
	Seal(dst, plain, bound []byte) []byte
	Open(dst, sealed, bound []byte) ([]byte, error)
}

// stripes is how many keys can be worked on at once: each waits for the disk.
const stripes = 256

// Home is a node's part. [Open] makes one.
type Home struct {
	store *store.Store
	seal  Sealer
	cfg   Config
	times func() Times

	locks       [stripes]sync.Mutex // by the key's first byte
	keys, bytes atomic.Int64
	outbox      outbox
	closedUntil atomic.Int64 // nothing is granted before
	gone        gone
}

// Open reads what there is in a store.
func Open(s *store.Store, seal Sealer, cfg Config, times func() Times) (*Home, error) {
	h := &Home{store: s, seal: seal, cfg: cfg, times: times}
	err := h.each(roomClaim, func(_, value []byte) error {
		e, err := idempotency.DecodeEntry(value)
		if err != nil {
			return err
		}
		h.keys.Add(1)
		h.bytes.Add(e.Size)
		return nil
	})
	if err == nil {
		err = h.loadOutbox()
	}
	if err == nil {
		err = h.loadGone()
	}
	if err == nil {
		err = h.loadClosed()
	}
	if err != nil {
		return nil, fmt.Errorf("reading the idempotency keys: %w", err)
	}
	return h, nil
}

// The rooms of the prefix.
const (
	roomClaim  = 'c'
	roomAnswer = 'a'
	roomUntil  = 'x'
	roomOutbox = 'o'
	roomGone   = 'g'
	roomClosed = 'q'
)

func place(room byte, name []byte) []byte {
	return append([]byte{store.PrefixIdempotency, room}, name...)
}

func untilPlace(e *idempotency.Entry, k *idempotency.Key) []byte {
	b := binary.BigEndian.AppendUint64([]byte{store.PrefixIdempotency, roomUntil}, uint64(e.Until))
	return append(b, k[:]...)
}

// each reads a room, in order. The slices are valid until yield returns.
func (h *Home) each(room byte, yield func(name, value []byte) error) (err error) {
	it, err := h.store.DB().NewIter(&pebble.IterOptions{LowerBound: place(room, nil), UpperBound: place(room+1, nil)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, it.Close()) }()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return err
		}
		if err := yield(it.Key()[2:], value); err != nil {
			return err
		}
	}
	return it.Error()
}

func (h *Home) get(key []byte) ([]byte, error) {
	v, closer, err := h.store.DB().Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return append([]byte{}, v...), closer.Close()
}

func (h *Home) entry(k *idempotency.Key) (*idempotency.Entry, error) {
	b, err := h.get(place(roomClaim, k[:]))
	if b == nil || err != nil {
		return nil, err
	}
	return idempotency.DecodeEntry(b)
}

// Look says what an ask comes to, and what is known of its key. It writes nothing.
func (h *Home) Look(a *idempotency.Ask) (idempotency.Verdict, *idempotency.Entry, error) {
	e, err := h.entry(&a.Key)
	if err != nil {
		return 0, nil, fmt.Errorf("looking for an idempotency key: %w", err)
	}
	return e.Judge(a, h.times().Low), e, nil
}

// Claim grants a claim of a key that nobody has, durably, or says who has it. While the
// store is one that was rolled back it is [idempotency.Unavailable].
func (h *Home) Claim(a *idempotency.Ask, holder string) (idempotency.Verdict, *idempotency.Entry, error) {
	lock := h.lock(&a.Key)
	defer lock.Unlock()
	v, was, err := h.Look(a)
	if err != nil || v != idempotency.Free {
		return v, was, err
	}
	at := h.times()
	switch {
	case int64(at.Low) < h.closedUntil.Load():
		return idempotency.Unavailable, nil, nil
	case was == nil && h.keys.Load() >= h.cfg.Keys:
		return idempotency.Full, nil, nil
	}
	e := idempotency.Claim(a, holder, at.High+ledger.Instant(h.cfg.TTL))
	if err := h.replace(&a.Key, was, e, nil, store.Synced); err != nil {
		return 0, nil, fmt.Errorf("claiming an idempotency key: %w", err)
	}
	return idempotency.Granted, e, nil
}

// End takes down how a claim ended. An answer for which there is no room is not kept.
func (h *Home) End(r *idempotency.Report, d store.Durability) error {
	lock := h.lock(&r.Key)
	defer lock.Unlock()
	was, err := h.entry(&r.Key)
	if err != nil {
		return fmt.Errorf("ending the claim of an idempotency key: %w", err)
	}
	how, answer := r.Ending, r.Answer
	if how == idempotency.Kept && h.bytes.Load()+answer.Size() > h.cfg.Bytes {
		how, answer = idempotency.Unkept, nil
	}
	var size int64
	if answer != nil {
		size = answer.Size()
	}
	next, ok := was.End(r.Token, how, size)
	if !ok {
		return nil
	}
	if err := h.replace(&r.Key, was, next, answer, d); err != nil {
		return fmt.Errorf("ending the claim of an idempotency key: %w", err)
	}
	return nil
}

// Answer reads the answer that is kept of a key. One that cannot be opened is
// [ErrNoAnswer]: the key it was sealed with is gone.
func (h *Home) Answer(k *idempotency.Key) (*idempotency.Answer, error) {
	sealed, err := h.get(place(roomAnswer, k[:]))
	if err != nil {
		return nil, err
	}
	plain, err := h.seal.Open(nil, sealed, bound(roomAnswer, k[:]))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	a, err := idempotency.DecodeAnswer(plain)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return a, nil
}

// ErrNoAnswer is an answer that is kept and cannot be read.
var ErrNoAnswer = errors.New("the kept answer cannot be read")

func bound(room byte, name []byte) []byte {
	return append(append([]byte("purser idempotency\x00"), room), name...)
}

// replace writes what is known of a key in the place of what was. The key is locked.
func (h *Home) replace(k *idempotency.Key, was, e *idempotency.Entry, answer *idempotency.Answer, d store.Durability) error {
	b := h.store.NewBatch()
	var errs []error
	do := func(err error) { errs = append(errs, err) }
	var keys, bytes int64
	if was != nil {
		keys, bytes = -1, -was.Size
		do(b.Delete(untilPlace(was, k), nil))
		if was.State == idempotency.Answered {
			do(b.Delete(place(roomAnswer, k[:]), nil))
		}
	}
	if e == nil {
		do(b.Delete(place(roomClaim, k[:]), nil))
	} else {
		keys, bytes = keys+1, bytes+e.Size
		do(b.Set(place(roomClaim, k[:]), idempotency.AppendEntry(nil, e), nil))
		do(b.Set(untilPlace(e, k), nil, nil))
	}
	if answer != nil {
		plain := idempotency.AppendAnswer(make([]byte, 0, answer.Size()+64), answer)
		do(b.Set(place(roomAnswer, k[:]), h.seal.Seal(nil, plain, bound(roomAnswer, k[:])), nil))
	}
	if err := errors.Join(errs...); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := h.store.Apply(b, d); err != nil {
		return err
	}
	h.keys.Add(keys)
	h.bytes.Add(bytes)
	return nil
}

func (h *Home) lock(k *idempotency.Key) *sync.Mutex {
	l := &h.locks[k[0]]
	l.Lock()
	return l
}

// Kept is how many keys and bytes of answers there are.
func (h *Home) Kept() (keys, bytes int64) { return h.keys.Load(), h.bytes.Load() }

// sweepAtOnce bounds what one sweep takes, so that others get their turn.
const sweepAtOnce = 1000

// Sweep forgets keys whose time is over, and says whether there are more.
func (h *Home) Sweep() (more bool, err error) {
	now := h.times().Low
	var over []idempotency.Key
	stop := errors.New("enough")
	err = h.each(roomUntil, func(name, _ []byte) error {
		if len(name) != 8+len(idempotency.Key{}) {
			return idempotency.ErrMalformed
		}
		if ledger.Instant(binary.BigEndian.Uint64(name)) > now || len(over) == sweepAtOnce {
			return stop
		}
		over = append(over, idempotency.Key(name[8:]))
		return nil
	})
	if err != nil && !errors.Is(err, stop) {
		return false, fmt.Errorf("sweeping the idempotency keys: %w", err)
	}
	for i := range over {
		if err := h.forget(&over[i], now); err != nil {
			return false, fmt.Errorf("sweeping the idempotency keys: %w", err)
		}
	}
	return len(over) == sweepAtOnce, nil
}

func (h *Home) forget(k *idempotency.Key, now ledger.Instant) error {
	lock := h.lock(k)
	defer lock.Unlock()
	was, err := h.entry(k)
	if err != nil || was == nil || now < was.Until {
		return err
	}
	return h.replace(k, was, nil, nil, store.Buffered)
}
