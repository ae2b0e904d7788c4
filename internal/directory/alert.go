package directory

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"purser/ledger"
)

// Limits of the tables of alerts (L9).
const (
	// MaxOpenAlerts bounds the alerts that are still to be delivered. While there
	// is no room nothing is raised: what an alert is about lasts longer, and is
	// raised when there is.
	MaxOpenAlerts = 1024
	// MaxAlerts bounds the alerts that are remembered with their deliveries, open
	// ones included. At some 500 bytes each this is a megabyte, at most eight.
	MaxAlerts = 2048
	// MaxAlertMarks bounds what is remembered as raised already.
	MaxAlertMarks = 1 << 16
	// MaxAlertTargets bounds the webhooks that one alert goes to.
	MaxAlertTargets = 32
	// MaxRaises and MaxNotes bound one command.
	MaxRaises = 64
	MaxNotes  = 256

	maxAlertKey  = 256
	maxAlertType = 64
	maxAlertBody = 2 << 10
	maxWebhook   = MaxObjectID
	maxFault     = 32
)

// Alert is something that arose, once, and is to be told to webhooks. It is
// never written after it was handed out.
type Alert struct {
	Seq  uint64 // from 1; no two alerts of a cluster have the same
	Key  string // of the condition it is about
	Rank uint32 // how far the condition went; 0: it is over
	Type string
	At   ledger.Instant
	Body []byte // a JSON object, not looked at here
	Open bool   // it is still to be delivered
	// Deliveries by webhook, at most MaxAlertTargets; none before the first attempt.
	Deliveries []Delivery
}

// ID names the alert for receivers, who drop what they have seen. It is the same
// on every node, and differs between alerts of two clusters that go back to one
// backup.
func (a *Alert) ID() string {
	h := sha256.New()
	b := binary.BigEndian.AppendUint64(nil, a.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(a.At))
	b = binary.BigEndian.AppendUint32(b, a.Rank)
	h.Write(append(b, a.Key...))
	return "evt_" + hex.EncodeToString(h.Sum(nil)[:16])
}

// Delivery returns how far the delivery to a webhook is.
func (a *Alert) Delivery(webhook string) (Delivery, bool) {
	if i, ok := findDelivery(a.Deliveries, webhook); ok {
		return a.Deliveries[i], true
	}
	return Delivery{}, false
}

// DeliveryState is how a delivery stands.
type DeliveryState uint8

// The states of a delivery.
const (
	DeliveryPending   DeliveryState = 1 // it failed, and is tried again
	DeliveryDone      DeliveryState = 2 // the receiver took it
	DeliveryAbandoned DeliveryState = 3 // it is not tried again
)

// String returns the state in a word.
func (s DeliveryState) String() string {
	switch s {
	case DeliveryPending:
		return "pending"
	case DeliveryDone:
		return "delivered"
	case DeliveryAbandoned:
		return "abandoned"
	default:
		return "unknown"
	}
}

// Delivery is what became of one alert at one webhook.
type Delivery struct {
	Webhook  string
	State    DeliveryState
	Attempts uint32 // that were noted; those of a node that died meanwhile are not
	Last     ledger.Instant
	Status   uint16 // HTTP status of the last answer, 0 for none
	Fault    string // why the last attempt failed, in a word; never an address or a secret
}

// AlertMark remembers how far a condition went, so that it is told once.
type AlertMark struct {
	Key   string
	Rank  uint32
	Until ledger.Instant // then it is forgotten
}

// RaiseAlerts tells of conditions that arose, went further or are over. It is
// carried out whole, or not at all.
type RaiseAlerts struct {
	Raises []Raise
}

// Raise is a condition and how far it has gone. It becomes an alert if its rank is
// above the one that is remembered; rank 0 ends the condition, and becomes an
// alert if there was one and it has a Body.
type Raise struct {
	Key   string
	Rank  uint32
	Until ledger.Instant // how long it is remembered
	Type  string
	Body  []byte
}

// NoteDeliveries writes down what became of deliveries, and closes alerts to which
// nothing more is to be done.
type NoteDeliveries struct {
	Notes  []DeliveryNote
	Closed []uint64 // by Seq
}

// DeliveryNote is the state of one delivery.
type DeliveryNote struct {
	Seq uint64 // of the alert
	Delivery
}

// Kind implements Command.
func (RaiseAlerts) Kind() Kind { return KindRaiseAlerts }

// Kind implements Command.
func (NoteDeliveries) Kind() Kind { return KindNoteDeliveries }

// AboutAlerts reports whether a command concerns alerts alone: nothing that
// requests go by.
func AboutAlerts(c Command) bool {
	switch c.(type) {
	case RaiseAlerts, NoteDeliveries:
		return true
	}
	return false
}

// Alerts returns the alerts that are remembered, the oldest first. It must not be changed.
func (s *State) Alerts() []*Alert { return s.alerts }

// OpenAlerts counts the alerts that are still to be delivered.
func (s *State) OpenAlerts() int {
	n := 0
	for _, a := range s.alerts {
		if a.Open {
			n++
		}
	}
	return n
}

// AlertMark returns how far a condition was told.
func (s *State) AlertMark(key string) (AlertMark, bool) {
	i, ok := findMark(s.marks, key)
	if !ok || s.marks[i].Until <= s.now {
		return AlertMark{}, false
	}
	return *s.marks[i], true
}

// WithoutAlerts is the state for those that deliver none.
func (s *State) WithoutAlerts() *State {
	c := s.Clone()
	c.alerts, c.marks, c.alertSeq = nil, nil, 0
	return c
}

func findMark(list []*AlertMark, key string) (int, bool) {
	return slices.BinarySearchFunc(list, key, func(m *AlertMark, key string) int { return cmp.Compare(m.Key, key) })
}

func findAlert(list []*Alert, seq uint64) (int, bool) {
	return slices.BinarySearchFunc(list, seq, func(a *Alert, seq uint64) int { return cmp.Compare(a.Seq, seq) })
}

func findDelivery(list []Delivery, webhook string) (int, bool) {
	return slices.BinarySearchFunc(list, webhook, func(d Delivery, webhook string) int { return cmp.Compare(d.Webhook, webhook) })
}

func (r *Raise) valid() bool {
	return r.Key != "" && len(r.Key) <= maxAlertKey && len(r.Type) <= maxAlertType && len(r.Body) <= maxAlertBody &&
		(r.Rank == 0 || r.Type != "" && len(r.Body) > 0)
}

func (d *Delivery) valid() bool {
	return d.Webhook != "" && len(d.Webhook) <= maxWebhook && len(d.Fault) <= maxFault &&
		d.State >= DeliveryPending && d.State <= DeliveryAbandoned
}

func (s *State) raiseAlerts(c *RaiseAlerts) Code {
	if len(c.Raises) > MaxRaises {
		return InvalidCommand
	}
	for i := range c.Raises {
		if !c.Raises[i].valid() {
			return InvalidCommand
		}
	}
	marks := slices.DeleteFunc(slices.Clone(s.marks), func(m *AlertMark) bool { return m.Until <= s.now })
	alerts, seq, changed := s.alerts, s.alertSeq, false
	for _, r := range c.Raises {
		at, known := findMark(marks, r.Key)
		switch {
		case r.Rank == 0 && !known, r.Rank > 0 && known && marks[at].Rank >= r.Rank, r.Rank > 0 && r.Until <= s.now:
			continue
		case r.Rank == 0:
			marks = slices.Delete(marks, at, at+1)
		case known:
			marks[at] = &AlertMark{r.Key, r.Rank, r.Until}
		default:
			marks = slices.Insert(marks, at, &AlertMark{r.Key, r.Rank, r.Until})
		}
		changed = true
		if len(r.Body) > 0 {
			seq++
			alerts = append(alerts[:len(alerts):len(alerts)], &Alert{
				Seq: seq, Key: r.Key, Rank: r.Rank, Type: r.Type, At: s.now, Body: slices.Clone(r.Body), Open: true,
			})
		}
	}
	next := State{alerts: alerts}
	switch {
	case !changed:
		return Unchanged
	case len(marks) > MaxAlertMarks, len(alerts) > len(s.alerts) && next.OpenAlerts() > MaxOpenAlerts:
		return NoRoomForAlerts
	}
	s.version++
	s.marks, s.alerts, s.alertSeq = marks, forgetAlerts(alerts), seq
	return Applied
}

// forgetAlerts drops the oldest closed alerts beyond MaxAlerts.
func forgetAlerts(list []*Alert) []*Alert {
	over := len(list) - MaxAlerts
	if over <= 0 {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(a *Alert) bool {
		drop := over > 0 && !a.Open
		if drop {
			over--
		}
		return drop
	})
}

// noteDeliveries changes open alerts alone: what is final stays so, and a note of a
// leader that was replaced comes too late.
func (s *State) noteDeliveries(c *NoteDeliveries) Code {
	if len(c.Notes)+len(c.Closed) > MaxNotes {
		return InvalidCommand
	}
	for i := range c.Notes {
		if !c.Notes[i].valid() {
			return InvalidCommand
		}
	}
	alerts, changed := slices.Clone(s.alerts), false
	for _, n := range c.Notes {
		at, ok := findAlert(alerts, n.Seq)
		if !ok || !alerts[at].Open {
			continue
		}
		if a, ok := alerts[at].noting(n.Delivery); ok {
			alerts[at], changed = a, true
		}
	}
	for _, seq := range c.Closed {
		if at, ok := findAlert(alerts, seq); ok && alerts[at].Open {
			a := *alerts[at]
			a.Open = false
			alerts[at], changed = &a, true
		}
	}
	if !changed {
		return Unchanged
	}
	s.version++
	s.alerts = alerts
	return Applied
}

// noting is the alert with another state of a delivery, unless that was final.
func (a *Alert) noting(d Delivery) (*Alert, bool) {
	at, known := findDelivery(a.Deliveries, d.Webhook)
	if known && (a.Deliveries[at].State != DeliveryPending || a.Deliveries[at] == d) || !known && len(a.Deliveries) >= MaxAlertTargets {
		return a, false
	}
	next := *a
	next.Deliveries = slices.Clone(a.Deliveries)
	if known {
		next.Deliveries[at] = d
	} else {
		next.Deliveries = slices.Insert(next.Deliveries, at, d)
	}
	return &next, true
}
