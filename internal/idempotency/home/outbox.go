package home

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"

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
	// tellAtOnce bounds the parcels that are listed for one home.
	tellAtOnce = 256
)

const parcelVersion = 1

// outbox is what there is to tell, but for the reports themselves.
type outbox struct {
	mu    sync.Mutex
	homes map[idempotency.Token][]string // that are still to have it
	sizes map[idempotency.Token]int64
	bytes int64
}

// Parcel is a report that homes are still to have.
type Parcel struct {
	Report idempotency.Report
	Homes  []string
	At     ledger.Instant // when the claim ended
}

func (h *Home) loadOutbox() error {
	h.outbox.homes, h.outbox.sizes = map[idempotency.Token][]string{}, map[idempotency.Token]int64{}
	return h.each(roomOutbox, func(name, value []byte) error {
		if len(name) != len(idempotency.Token{}) {
			return idempotency.ErrMalformed
		}
		p, _, err := readHead(value)
		if err == nil {
			h.outbox.put(idempotency.Token(name), p.Homes, len(value))
		}
		return err
	})
}

func (o *outbox) put(t idempotency.Token, homes []string, size int) {
	o.bytes += int64(size) - o.sizes[t]
	o.homes[t], o.sizes[t] = homes, int64(size)
}

func (o *outbox) remove(t idempotency.Token) {
	o.bytes -= o.sizes[t]
	delete(o.homes, t)
	delete(o.sizes, t)
}

// Room says whether there is room for another parcel.
func (h *Home) Room() bool { return h.room(1) }

// Spare says whether there is room for many.
func (h *Home) Spare() bool { return h.room(4) }

func (h *Home) room(share int64) bool {
	h.outbox.mu.Lock()
	defer h.outbox.mu.Unlock()
	return int64(len(h.outbox.homes)) < maxWaiting/share && h.outbox.bytes < maxWaitingBytes/share
}

// Waiting is how many parcels there are.
func (h *Home) Waiting() int64 {
	h.outbox.mu.Lock()
	defer h.outbox.mu.Unlock()
	return int64(len(h.outbox.homes))
}

// Awaited lists the homes that are still to have something.
func (h *Home) Awaited() (list []string) {
	h.outbox.mu.Lock()
	defer h.outbox.mu.Unlock()
	for _, homes := range h.outbox.homes {
		for _, home := range homes {
			if !slices.Contains(list, home) {
				list = append(list, home)
			}
		}
	}
	return list
}

// For lists claims whose ends a home is still to have, not all where they are many.
func (h *Home) For(home string) (list []idempotency.Token) {
	h.outbox.mu.Lock()
	defer h.outbox.mu.Unlock()
	for t, homes := range h.outbox.homes {
		if slices.Contains(homes, home) {
			if list = append(list, t); len(list) == tellAtOnce {
				break
			}
		}
	}
	return list
}

// Pending says whether the end of a claim is still to be told.
func (h *Home) Pending(t idempotency.Token) bool {
	h.outbox.mu.Lock()
	defer h.outbox.mu.Unlock()
	_, ok := h.outbox.homes[t]
	return ok
}

// Send puts a parcel down. It survives a crash once something after it is synced.
func (h *Home) Send(p *Parcel) error {
	h.outbox.mu.Lock()
	defer h.outbox.mu.Unlock()
	head := binary.AppendVarint([]byte{parcelVersion}, int64(p.At))
	head = idempotency.AppendTexts(head, p.Homes)
	t := p.Report.Token
	value := h.seal.Seal(head, idempotency.AppendReport(nil, &p.Report), bound(roomOutbox, t[:]))
	if err := h.set(t, p.Homes, value); err != nil {
		return fmt.Errorf("keeping how a claim ended: %w", err)
	}
	return nil
}

func (h *Home) set(t idempotency.Token, homes []string, value []byte) error {
	b := h.store.NewBatch()
	if err := b.Set(place(roomOutbox, t[:]), value, nil); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := h.store.Apply(b, store.Buffered); err != nil {
		return err
	}
	h.outbox.put(t, homes, len(value))
	return nil
}

func (h *Home) drop(t idempotency.Token) error {
	b := h.store.NewBatch()
	if err := b.Delete(place(roomOutbox, t[:]), nil); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := h.store.Apply(b, store.Buffered); err != nil {
		return err
	}
	h.outbox.remove(t)
	return nil
}

// readHead reads a parcel but for its report, which is sealed.
func readHead(value []byte) (p *Parcel, sealed []byte, err error) {
	r := packed.Reader{Rest: value}
	version, p := r.Byte(), &Parcel{At: ledger.Instant(r.Varint())}
	p.Homes = idempotency.ReadTexts(&r)
	if r.Bad || version != parcelVersion {
		return nil, nil, idempotency.ErrMalformed
	}
	return p, r.Rest, nil
}

// errSealed is a parcel that another data key has sealed.
var errSealed = errors.New("the parcel cannot be opened")

// Parcel reads one; nil where there is none any more, or none that can be read: that is
// dropped, and its claim stands for a call that may have been made.
func (h *Home) Parcel(t idempotency.Token) (*Parcel, error) {
	h.outbox.mu.Lock()
	defer h.outbox.mu.Unlock()
	value, err := h.get(place(roomOutbox, t[:]))
	if value == nil || err != nil {
		return nil, err
	}
	p, sealed, err := readHead(value)
	if err != nil {
		return nil, errors.Join(err, h.drop(t))
	}
	plain, err := h.seal.Open(nil, sealed, bound(roomOutbox, t[:]))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errSealed, err), h.drop(t))
	}
	report, err := idempotency.DecodeReport(plain)
	if err != nil {
		return nil, errors.Join(err, h.drop(t))
	}
	p.Report = *report
	return p, nil
}

// Delivered says that a home has it, or needs it no more.
func (h *Home) Delivered(t idempotency.Token, home string) error {
	h.outbox.mu.Lock()
	defer h.outbox.mu.Unlock()
	value, err := h.get(place(roomOutbox, t[:]))
	if value == nil || err != nil {
		return err
	}
	p, sealed, err := readHead(value)
	if err != nil {
		return err
	}
	p.Homes = slices.DeleteFunc(p.Homes, func(s string) bool { return s == home })
	if len(p.Homes) == 0 {
		return h.drop(t)
	}
	head := binary.AppendVarint([]byte{parcelVersion}, int64(p.At))
	return h.set(t, p.Homes, append(idempotency.AppendTexts(head, p.Homes), sealed...))
}
