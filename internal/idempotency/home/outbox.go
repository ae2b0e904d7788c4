package home

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"purser/internal/idempotency"
	"purser/internal/packed"
	"purser/internal/store"
	"purser/ledger"
)

// Bounds of what waits for homes that do not answer. Beyond them a node asks for no
// claims: it could not say how they end.
const (
	maxWaiting      = 1 << 14
	maxWaitingBytes = 256 << 20
)

const parcelVersion = 1

type outbox struct {
	mu           sync.Mutex // held while a parcel that is there is changed
	count, bytes atomic.Int64
}

// Parcel is a report that homes are still to have.
type Parcel struct {
	Report idempotency.Report
	Homes  []string
	At     ledger.Instant // when the claim ended
}

func (h *Home) loadOutbox() error {
	return h.each(roomOutbox, func(_, value []byte) error {
		h.outbox.count.Add(1)
		h.outbox.bytes.Add(int64(len(value)))
		return nil
	})
}

// Room says whether there is room for another parcel.
func (h *Home) Room() bool {
	return h.outbox.count.Load() < maxWaiting && h.outbox.bytes.Load() < maxWaitingBytes
}

// Waiting is how many parcels there are.
func (h *Home) Waiting() int64 { return h.outbox.count.Load() }

// Send puts a parcel down. It survives a crash once something after it is synced.
func (h *Home) Send(p *Parcel) error {
	b := h.store.NewBatch()
	value := h.appendParcel(nil, p)
	if err := b.Set(place(roomOutbox, p.Report.Token[:]), value, nil); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := h.store.Apply(b, store.Buffered); err != nil {
		return fmt.Errorf("keeping how a claim ended: %w", err)
	}
	h.outbox.count.Add(1)
	h.outbox.bytes.Add(int64(len(value)))
	return nil
}

func (h *Home) appendParcel(b []byte, p *Parcel) []byte {
	b = binary.AppendVarint(append(b, parcelVersion), int64(p.At))
	b = idempotency.AppendTexts(b, p.Homes)
	return h.seal.Seal(b, idempotency.AppendReport(nil, &p.Report), bound(roomOutbox, p.Report.Token[:]))
}

// errSealed is a parcel that another data key has sealed.
var errSealed = errors.New("the parcel cannot be opened")

func (h *Home) readParcel(token, value []byte) (*Parcel, error) {
	r := packed.Reader{Rest: value}
	version, p := r.Byte(), &Parcel{At: ledger.Instant(r.Varint())}
	p.Homes = idempotency.ReadTexts(&r)
	if r.Bad || version != parcelVersion {
		return nil, idempotency.ErrMalformed
	}
	plain, err := h.seal.Open(nil, r.Rest, bound(roomOutbox, token))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSealed, err)
	}
	report, err := idempotency.DecodeReport(plain)
	if err != nil {
		return nil, err
	}
	p.Report = *report
	return p, nil
}

// Tokens lists the claims whose ends are still to be told, as many as most.
func (h *Home) Tokens(most int) (list []idempotency.Token, err error) {
	enough := errors.New("enough")
	err = h.each(roomOutbox, func(name, _ []byte) error {
		if len(name) != len(idempotency.Token{}) {
			return idempotency.ErrMalformed
		}
		if len(list) == most {
			return enough
		}
		list = append(list, idempotency.Token(name))
		return nil
	})
	if errors.Is(err, enough) {
		err = nil
	}
	return list, err
}

// Parcel reads one; nil where there is none any more, or none that can be read: that is
// dropped, and its claim stands for a call that may have been made.
func (h *Home) Parcel(t idempotency.Token) (*Parcel, error) {
	h.outbox.mu.Lock()
	defer h.outbox.mu.Unlock()
	value, err := h.get(place(roomOutbox, t[:]))
	if value == nil || err != nil {
		return nil, err
	}
	p, err := h.readParcel(t[:], value)
	if err != nil {
		return nil, errors.Join(err, h.drop(t, value))
	}
	return p, nil
}

// Delivered says that a home has it, or needs it no more.
func (h *Home) Delivered(t idempotency.Token, home string) error {
	h.outbox.mu.Lock()
	defer h.outbox.mu.Unlock()
	key := place(roomOutbox, t[:])
	value, err := h.get(key)
	if value == nil || err != nil {
		return err
	}
	p, err := h.readParcel(t[:], value)
	if err != nil {
		return err
	}
	p.Homes = slices.DeleteFunc(p.Homes, func(s string) bool { return s == home })
	if len(p.Homes) == 0 {
		return h.drop(t, value)
	}
	b := h.store.NewBatch()
	next := h.appendParcel(nil, p)
	if err := b.Set(key, next, nil); err != nil {
		return errors.Join(err, b.Close())
	}
	h.outbox.bytes.Add(int64(len(next) - len(value)))
	return h.store.Apply(b, store.Buffered)
}

func (h *Home) drop(t idempotency.Token, value []byte) error {
	b := h.store.NewBatch()
	if err := b.Delete(place(roomOutbox, t[:]), nil); err != nil {
		return errors.Join(err, b.Close())
	}
	h.outbox.count.Add(-1)
	h.outbox.bytes.Add(-int64(len(value)))
	return h.store.Apply(b, store.Buffered)
}

// Pending says whether the end of a claim is still to be told.
func (h *Home) Pending(t idempotency.Token) bool {
	value, err := h.get(place(roomOutbox, t[:]))
	return value != nil && err == nil
}
