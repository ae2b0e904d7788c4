package directory

import (
	"fmt"

	"purser/ledger"
)

// The first byte of a record of alerts.
const (
	alertCounter = 0 // the Seq of the last alert; before the others
	alertMark    = 1 // key, rank, until
	alertEvent   = 2 // an alert
)

func appendRaise(b []byte, r *Raise) []byte {
	b = appendString(b, r.Key)
	b = appendInt(appendUint(b, uint64(r.Rank)), int64(r.Until))
	return appendString(appendString(b, r.Type), string(r.Body))
}

func (r *reader) raise() Raise {
	return Raise{Key: r.string(), Rank: r.uint32(), Until: ledger.Instant(r.int()), Type: r.string(), Body: r.body()}
}

func appendDelivery(b []byte, d *Delivery) []byte {
	b = append(appendString(b, d.Webhook), byte(d.State))
	b = appendInt(appendUint(b, uint64(d.Attempts)), int64(d.Last))
	return appendString(appendUint(b, uint64(d.Status)), d.Fault)
}

func (r *reader) delivery() Delivery {
	d := Delivery{Webhook: r.string(), State: DeliveryState(r.byte()), Attempts: r.uint32(), Last: ledger.Instant(r.int())}
	status := r.uint()
	r.bad = r.bad || status > 1<<16-1
	d.Status, d.Fault = uint16(status), r.string()
	return d
}

func (r *reader) uint32() uint32 {
	v := r.uint()
	r.bad = r.bad || v > 1<<32-1
	return uint32(v)
}

// body is nil for none.
func (r *reader) body() []byte {
	if b := r.bytes(); len(b) > 0 {
		return b
	}
	return nil
}

func appendRaises(b []byte, c *RaiseAlerts) []byte {
	b = appendUint(b, uint64(len(c.Raises)))
	for i := range c.Raises {
		b = appendRaise(b, &c.Raises[i])
	}
	return b
}

func (r *reader) raises() (c RaiseAlerts) {
	for range r.count() {
		c.Raises = append(c.Raises, r.raise())
	}
	return c
}

func appendNotes(b []byte, c *NoteDeliveries) []byte {
	b = appendUint(b, uint64(len(c.Notes)))
	for i := range c.Notes {
		b = appendDelivery(appendUint(b, c.Notes[i].Seq), &c.Notes[i].Delivery)
	}
	b = appendUint(b, uint64(len(c.Closed)))
	for _, seq := range c.Closed {
		b = appendUint(b, seq)
	}
	return b
}

func (r *reader) notes() (c NoteDeliveries) {
	for range r.count() {
		c.Notes = append(c.Notes, DeliveryNote{Seq: r.uint(), Delivery: r.delivery()})
	}
	for range r.count() {
		c.Closed = append(c.Closed, r.uint())
	}
	return c
}

// alertRecords yields the records of alerts: none while there never was one.
func (s *State) alertRecords(b []byte, yield func([]byte) bool) bool {
	record := func(kind byte) []byte { return append(b[:0], codecVersion, recordAlerts, kind) }
	if s.alertSeq == 0 && len(s.marks) == 0 {
		return true
	}
	if b = appendUint(record(alertCounter), s.alertSeq); !yield(b) {
		return false
	}
	for _, m := range s.marks {
		b = appendUint(appendString(record(alertMark), m.Key), uint64(m.Rank))
		if b = appendInt(b, int64(m.Until)); !yield(b) {
			return false
		}
	}
	for _, a := range s.alerts {
		b = appendUint(record(alertEvent), a.Seq)
		b = appendUint(appendString(b, a.Key), uint64(a.Rank))
		b = appendInt(appendString(b, a.Type), int64(a.At))
		b = appendBool(appendString(b, string(a.Body)), a.Open)
		b = appendUint(b, uint64(len(a.Deliveries)))
		for i := range a.Deliveries {
			b = appendDelivery(b, &a.Deliveries[i])
		}
		if !yield(b) {
			return false
		}
	}
	return true
}

func (s *State) loadAlerts(r *reader) error {
	sound := false
	switch r.byte() {
	case alertCounter:
		sound = s.alertSeq == 0 && len(s.marks) == 0
		s.alertSeq = r.uint()
	case alertMark:
		m := AlertMark{Key: r.string(), Rank: r.uint32(), Until: ledger.Instant(r.int())}
		last := len(s.marks) - 1
		sound = m.Key != "" && len(m.Key) <= maxAlertKey && m.Rank > 0 && last+1 < MaxAlertMarks &&
			(last < 0 || s.marks[last].Key < m.Key)
		s.marks = append(s.marks, &m)
	case alertEvent:
		a := Alert{Seq: r.uint(), Key: r.string(), Rank: r.uint32(), Type: r.string(), At: ledger.Instant(r.int()), Body: r.body(), Open: r.bool()}
		for range r.count() {
			a.Deliveries = append(a.Deliveries, r.delivery())
		}
		last := len(s.alerts) - 1
		sound = a.sound() && a.Seq <= s.alertSeq && last+1 < MaxAlerts && (last < 0 || s.alerts[last].Seq < a.Seq)
		s.alerts = append(s.alerts, &a)
	}
	if !r.bad && !sound {
		return fmt.Errorf("directory record of an alert is out of order or range: %w", ErrMalformed)
	}
	return nil // what is bad, the caller says
}

func (a *Alert) sound() bool {
	r := Raise{Key: a.Key, Type: a.Type, Body: a.Body}
	if a.Seq == 0 || !r.valid() || len(a.Body) == 0 || len(a.Deliveries) > MaxAlertTargets {
		return false
	}
	for i := range a.Deliveries {
		if !a.Deliveries[i].valid() || i > 0 && a.Deliveries[i-1].Webhook >= a.Deliveries[i].Webhook {
			return false
		}
	}
	return true
}
