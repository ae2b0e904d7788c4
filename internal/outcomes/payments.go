package outcomes

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"purser/internal/economics"
	"purser/internal/packed"
	"purser/internal/store"
	"purser/ledger"

	"github.com/cockroachdb/pebble/v2"
)

// Limits of a payment.
const (
	// MaxPeriod bounds the time that a payment is for.
	MaxPeriod   = 366 * 24 * ledger.Hour
	MaxPayment  = 1_000_000_000 * ledger.NanoPerUSD // either way
	MaxRevision = 1 << 31
)

// CheckPayment says what keeps a payment from being kept, in words for who tells it, with
// the name of the field.
func CheckPayment(p *economics.Payment) (field string, err error) {
	optional := func(s string) bool { return s == "" || text(s, MaxName) }
	switch {
	case !text(p.ID, MaxID):
		return "id", fmt.Errorf("id has 1 to %d bytes of text", MaxID)
	case p.Revision < 1 || p.Revision > MaxRevision:
		return "revision", fmt.Errorf("revision is a whole number from 1 on")
	case p.Customer == "" || len(p.Customer) > ledger.MaxDimValue || !utf8.ValidString(p.Customer):
		return "customer", fmt.Errorf("customer has 1 to %d bytes of text", ledger.MaxDimValue)
	case !optional(p.Plan):
		return "plan", fmt.Errorf("plan has up to %d bytes of text", MaxName)
	case !optional(p.Cohort):
		return "cohort", fmt.Errorf("cohort has up to %d bytes of text", MaxName)
	case p.From <= 0 || p.To <= p.From || p.To-p.From > MaxPeriod:
		return "period", errors.New("the period begins before it ends, by 366 days at the most")
	case p.Amount < -MaxPayment || p.Amount > MaxPayment:
		return "amount", fmt.Errorf("amount is beyond %d dollars", MaxPayment/ledger.NanoPerUSD)
	}
	return "", nil
}

// paymentVersion is the first byte of a stored payment.
const paymentVersion byte = 1

// appendPayment appends the stored form: version; id, customer, plan, cohort (each length
// and bytes); revision, from, to, amount, taken (zigzag varints).
func appendPayment(b []byte, p *economics.Payment) []byte {
	b = append(b, paymentVersion)
	for _, s := range [...]string{p.ID, p.Customer, p.Plan, p.Cohort} {
		b = appendText(b, s)
	}
	for _, v := range [...]int64{p.Revision, int64(p.From), int64(p.To), int64(p.Amount), int64(p.Taken)} {
		b = binary.AppendVarint(b, v)
	}
	return b
}

func decodePayment(value []byte) (p economics.Payment, err error) {
	if len(value) == 0 {
		return p, ErrMalformed
	}
	if value[0] != paymentVersion {
		return p, fmt.Errorf("%w: %d", ErrVersion, value[0])
	}
	d := packed.Reader{Rest: value[1:]}
	for _, s := range [...]*string{&p.ID, &p.Customer, &p.Plan, &p.Cohort} {
		*s = d.Text()
	}
	p.Revision, p.From, p.To = d.Varint(), ledger.Instant(d.Varint()), ledger.Instant(d.Varint())
	p.Amount, p.Taken = ledger.Amount(d.Varint()), ledger.Instant(d.Varint())
	if !d.Whole() {
		return p, ErrMalformed
	}
	if field, err := CheckPayment(&p); err != nil {
		return p, fmt.Errorf("%w: %s", ErrMalformed, field)
	}
	return p, nil
}

// PaymentFrame appends a payment as one of many; see [PaymentFrames].
func PaymentFrame(b []byte, p *economics.Payment) []byte { return frame(b, appendPayment(nil, p)) }

// PaymentFrames visits the payments that were appended, until each fails.
func PaymentFrames(b []byte, each func(economics.Payment) error) error {
	return frames(b, func(value []byte) error {
		p, err := decodePayment(value)
		if err != nil {
			return err
		}
		return each(p)
	})
}

// Paid is what there is under a payment's id.
type Paid struct {
	State   State
	Payment economics.Payment // the one that is kept
	Differs string            // of a conflict: the first field in which the other says something else
}

// ComparedPayment is what a payment finds where another of its id is kept: what is kept
// stays, unless the other is a later revision (Recorded).
func ComparedPayment(kept, p *economics.Payment) Paid {
	switch {
	case p.Revision > kept.Revision:
		return Paid{State: Recorded, Payment: *p}
	case p.Revision < kept.Revision:
		return Paid{State: Outdated, Payment: *kept}
	}
	if d := differs(kept, p); d != "" {
		return Paid{Conflict, *kept, d}
	}
	return Paid{State: Known, Payment: *kept}
}

func differs(a, b *economics.Payment) string {
	switch {
	case a.Customer != b.Customer:
		return "customer"
	case a.Plan != b.Plan:
		return "plan"
	case a.Cohort != b.Cohort:
		return "cohort"
	case a.From != b.From || a.To != b.To:
		return "period"
	case a.Amount != b.Amount:
		return "amount"
	}
	return ""
}

// Payments keeps what customers paid in a node's store.
type Payments struct{ shelf shelf }

// OpenPayments gives the payments that a node keeps of its own. note, unless it is nil, is
// told of each key that is written.
func OpenPayments(s *store.Store, note Note) *Payments {
	return &Payments{shelf{store: s, prefix: []byte{store.PrefixRevenue}, note: note}}
}

func paymentMark(id string) []byte {
	sum := sha256.Sum256([]byte(id))
	return sum[:16]
}

// Put keeps payments, each unless the same or a later revision of its id is kept. It
// returns what there is under each, and has it on disk. The payments have passed
// [CheckPayment].
func (s *Payments) Put(list []economics.Payment) ([]Paid, error) {
	marks := make([][]byte, len(list))
	for i := range list {
		marks[i] = paymentMark(list[i].ID)
	}
	defer s.shelf.hold(marks)()
	out := make([]Paid, len(list))
	b, written := s.shelf.store.NewBatch(), map[string]economics.Payment{}
	for i := range list {
		var err error
		if out[i], err = s.put(b, list[i], marks[i], written); err == nil && out[i].State == Recorded {
			written[string(marks[i])] = list[i]
			err = s.shelf.set(b, list[i].To, marks[i], appendPayment(nil, &list[i]))
		}
		if err != nil {
			return nil, fmt.Errorf("keep revenue: %w", errors.Join(err, b.Close()))
		}
	}
	return out, s.shelf.store.Apply(b, store.Synced)
}

// put decides about one payment, and deletes the one that it takes the place of.
func (s *Payments) put(b *pebble.Batch, p economics.Payment, mark []byte, written map[string]economics.Payment) (Paid, error) {
	kept, found := written[string(mark)]
	if !found {
		value, err := s.shelf.get(mark)
		if err == nil && value != nil {
			kept, err = decodePayment(value)
			found = true
		}
		if err != nil {
			return Paid{}, err
		}
	}
	if !found {
		return Paid{State: Recorded, Payment: p}, nil
	}
	out := ComparedPayment(&kept, &p)
	if out.State != Recorded {
		return out, nil
	}
	return out, b.Delete(s.shelf.key(kept.To, mark), nil)
}

// Revise puts payments in the place of earlier revisions that are kept here, and leaves
// alone what is not. It returns what is kept here of their ids afterwards.
func (s *Payments) Revise(list []economics.Payment) (kept []economics.Payment, err error) {
	var own []economics.Payment
	for _, p := range list {
		value, err := s.shelf.get(paymentMark(p.ID))
		if err != nil {
			return nil, fmt.Errorf("read revenue: %w", err)
		}
		if value != nil {
			own = append(own, p)
		}
	}
	if len(own) == 0 {
		return nil, nil
	}
	paid, err := s.Put(own)
	for _, p := range paid {
		kept = append(kept, p.Payment)
	}
	return kept, err
}

// From visits the payments for times that end after an instant, in the order of their
// ends, until each fails.
func (s *Payments) From(ctx context.Context, from ledger.Instant, each func(economics.Payment) error) error {
	err := s.shelf.from(ctx, from, func(until ledger.Instant, mark, value []byte) (bool, error) {
		p, err := decodePayment(value)
		if err != nil {
			return false, err
		}
		if is, err := s.shelf.current(until, mark); !is || err != nil {
			return true, err
		}
		return true, each(p)
	})
	if err != nil {
		return fmt.Errorf("read revenue: %w", err)
	}
	return nil
}

// Concerning visits what a question about [from, to) has to know, until each fails: the
// payments for times that overlap it, and corrections for other times, of which another node
// may have an earlier revision for this one. A correction that ends more than [MaxPeriod]
// before is not found.
func (s *Payments) Concerning(ctx context.Context, from, to ledger.Instant, each func(economics.Payment) error) error {
	return s.From(ctx, max(from, MaxPeriod)-MaxPeriod, func(p economics.Payment) error {
		if p.Revision == 1 && (p.From >= to || p.To <= from) {
			return nil
		}
		return each(p)
	})
}

// DropBefore deletes the payments for times that ended by an instant.
func (s *Payments) DropBefore(ctx context.Context, at ledger.Instant) error {
	return s.shelf.dropBefore(ctx, at)
}

// MaxPaid is how many payments one question takes into account: a hundred thousand
// customers for ten months.
const MaxPaid = 1_000_000

// ErrTooManyPaid is a question about more payments than are taken into account at once.
var ErrTooManyPaid = fmt.Errorf("there are more than %d payments of that time", MaxPaid)

// Ledger gathers payments from all nodes, each id once: the highest revision counts.
type Ledger struct {
	From, To  ledger.Instant
	of        map[string]economics.Payment
	conflicts map[string]bool
}

// NewLedger gathers payments for times that overlap [from, to).
func NewLedger(from, to ledger.Instant) *Ledger {
	return &Ledger{from, to, map[string]economics.Payment{}, map[string]bool{}}
}

// Add takes a payment of some node into account.
func (l *Ledger) Add(p economics.Payment) error {
	kept, found := l.of[p.ID]
	if !found && len(l.of) == MaxPaid {
		return ErrTooManyPaid
	}
	if found {
		c := ComparedPayment(&kept, &p)
		if c.State == Conflict {
			l.conflicts[p.ID] = true
		}
		if c.State != Recorded && (c.State == Outdated || firstPaid(&kept, &p) <= 0) {
			return nil
		}
	}
	l.of[p.ID] = p
	return nil
}

// firstPaid is the order in which, of payments of one revision, the first counts.
func firstPaid(a, b *economics.Payment) int {
	return cmp.Or(cmp.Compare(a.Taken, b.Taken), cmp.Compare(string(appendPayment(nil, a)), string(appendPayment(nil, b))))
}

// Payments lists those that overlap the time, by when they begin.
func (l *Ledger) Payments() []economics.Payment {
	list := make([]economics.Payment, 0, len(l.of))
	for _, p := range l.of {
		if p.From < l.To && p.To > l.From {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b economics.Payment) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.ID, b.ID)) })
	return list
}

// Conflicts is how many ids nodes have different payments of one revision of.
func (l *Ledger) Conflicts() int { return len(l.conflicts) }
