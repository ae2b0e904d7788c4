package record

import (
	"encoding/binary"
	"errors"
	"fmt"

	"purser/ledger"
	"purser/proxy/price"
)

// Errors of decoding. Both mean that the bytes are not to be trusted.
var (
	ErrVersion   = errors.New("usage record of an unknown version")
	ErrMalformed = errors.New("malformed usage record")
)

// Decoder decodes records, sharing the texts that repeat from one to the next.
// The zero Decoder is ready.
type Decoder struct {
	known map[string]string
}

// maxKnown bounds the texts a Decoder remembers: enough for the names of a
// fleet, small enough to be made for each query.
const maxKnown = 4096

// Decode returns the record that b is the stored form of. It keeps no part of b.
func Decode(b []byte) (*Record, error) {
	r := new(Record)
	return r, new(Decoder).Decode(r, b)
}

// Decode replaces *r by the record that b is the stored form of, using the
// memory of r's slices. It keeps no part of b. After an error *r is undefined.
func (d *Decoder) Decode(r *Record, b []byte) error {
	if len(b) > 0 && (b[0] < version1 || b[0] > version) {
		return fmt.Errorf("%w: %d", ErrVersion, b[0])
	}
	in := input{b: b, d: d}
	form := in.byte()
	*r = Record{Dims: ledger.Dimensions{Tags: r.Dims.Tags[:0]}, Savings: r.Savings[:0], Charges: r.Charges[:0], Rulings: r.Rulings[:0], Route: Route{Considered: r.Route.Considered[:0]}}
	if in.byte() == idBytes {
		var id ID
		copy(id[:], in.take(len(id)))
		r.ID = id.String()
	} else {
		r.ID = string(in.bytes(MaxText))
	}
	r.At = ledger.Instant(in.varint())
	in.dims(&r.Dims)
	for _, p := range [...]*string{&r.Endpoint, &r.Dialect, &r.Upstream, &r.UpstreamID, &r.Model, &r.Served, &r.Tier, &r.Code, &r.RateID, &r.Prices} {
		if p == &r.UpstreamID { // never repeats
			*p = string(in.bytes(MaxText))
			continue
		}
		*p = in.text(MaxText)
	}
	flags := in.byte()
	r.Stream = flags&flagStream != 0
	r.Outcome, r.Basis, r.Bound, r.Cache = Outcome(in.byte()), Basis(in.byte()), Bound(in.byte()), CacheState(in.byte())
	in.usage(&r.Usage)
	r.Status, r.Attempt, r.Attempts = int(in.varint()), int(in.varint()), int(in.varint())
	r.Cost, r.Hold, r.Overrun = ledger.Amount(in.varint()), ledger.Amount(in.varint()), ledger.Amount(in.varint())
	r.Admit, r.FirstByte, r.Total = in.varint(), in.varint(), in.varint()
	r.List, r.Priced = r.Cost, r.Cost
	if form >= version2 {
		r.List, r.Priced = r.Cost+ledger.Amount(in.varint()), r.Cost+ledger.Amount(in.varint())
	}
	for range in.count(maxSavings) {
		r.Savings = append(r.Savings, Saving{Lever: Lever(in.byte()), Amount: ledger.Amount(in.varint())})
	}
	for range in.count(maxCharges) {
		r.Charges = append(r.Charges, in.charge())
	}
	if form >= version3 {
		for range in.count(MaxRulings) {
			r.Rulings = append(r.Rulings, Ruling{Policy: in.text(MaxText), Rule: in.text(MaxText), Effect: Effect(in.byte()), Shadow: in.bool()})
		}
	}
	r.Baseline = r.Cost
	if form >= version4 {
		in.levers(r)
	} else {
		for _, s := range r.Savings {
			r.Baseline += s.Amount
		}
	}
	if form >= version {
		in.more(r)
	}
	if in.bad || len(in.b) != 0 || flags&^flagStream != 0 {
		return ErrMalformed
	}
	return nil
}

// DecodeAccount decodes what [AppendAccount] wrote and returns the bytes after it.
func DecodeAccount(b []byte) (ledger.AccountKey, []byte, error) {
	in := input{b: b, d: new(Decoder)}
	k := in.account()
	if in.bad {
		return ledger.AccountKey{}, nil, fmt.Errorf("account key: %w", ErrMalformed)
	}
	return k, in.b, nil
}

// input is what is left to decode. After the first fault it yields zeroes.
type input struct {
	b   []byte
	d   *Decoder
	bad bool
}

func (in *input) fail() {
	in.bad, in.b = true, nil
}

func (in *input) take(n int) []byte {
	if n > len(in.b) {
		in.fail()
		return nil
	}
	p := in.b[:n]
	in.b = in.b[n:]
	return p
}

func (in *input) byte() byte {
	if p := in.take(1); p != nil {
		return p[0]
	}
	return 0
}

func (in *input) bool() bool {
	b := in.byte()
	if b > 1 {
		in.fail()
	}
	return b == 1
}

func (in *input) varint() int64 {
	v, n := binary.Varint(in.b)
	if n <= 0 {
		in.fail()
		return 0
	}
	in.b = in.b[n:]
	return v
}

func (in *input) uvarint(most uint64) uint64 {
	v, n := binary.Uvarint(in.b)
	if n <= 0 || v > most {
		in.fail()
		return 0
	}
	in.b = in.b[n:]
	return v
}

// count is how many items follow. Each takes a byte at least, so no count makes
// the decoder allocate more than the input is long.
func (in *input) count(most uint64) int {
	n := int(in.uvarint(most))
	if n > len(in.b) {
		in.fail()
		return 0
	}
	return n
}

func (in *input) bytes(most uint64) []byte { return in.take(int(in.uvarint(most))) }

func (in *input) text(most uint64) string {
	p := in.bytes(most)
	if len(p) == 0 {
		return ""
	}
	if s, ok := in.d.known[string(p)]; ok {
		return s
	}
	s := string(p)
	if in.d.known == nil {
		in.d.known = make(map[string]string)
	}
	if len(in.d.known) < maxKnown {
		in.d.known[s] = s
	}
	return s
}

func (in *input) dims(d *ledger.Dimensions) {
	set := in.uvarint(1<<ledger.NumDims - 1)
	for i := range d.Values {
		if set&(1<<i) != 0 {
			d.Values[i] = in.text(MaxText)
		}
	}
	for range in.count(ledger.MaxTags) {
		d.Tags = append(d.Tags, ledger.Tag{Name: in.text(MaxText), Value: in.text(MaxText)})
	}
}

func (in *input) usage(u *price.Usage) {
	set := in.uvarint(1<<price.NumMeters - 1)
	for m := range u {
		if set&(1<<m) != 0 {
			u[m] = in.varint()
		}
	}
}

func (in *input) account() ledger.AccountKey {
	return ledger.AccountKey{
		Budget: ledger.BudgetID(in.text(MaxText)),
		Split:  ledger.Split(in.text(maxSplit)),
		Start:  ledger.Instant(in.varint()),
	}
}

func (in *input) levers(r *Record) {
	r.Baseline = r.Cost + ledger.Amount(in.varint())
	has := in.byte()
	if has&^hasAll != 0 {
		in.fail()
	}
	if has&hasRoute != 0 {
		t := &r.Route
		t.Name, t.Strategy, t.Reason = in.text(MaxText), in.text(MaxText), string(in.bytes(MaxText))
		for range in.count(MaxConsidered) {
			t.Considered = append(t.Considered, Considered{Model: in.text(MaxText), Upstream: in.text(MaxText), Score: in.varint(), Why: string(in.bytes(MaxText))})
		}
		t.Cluster, t.Canary = in.varint(), in.bool()
	}
	if has&hasPrompt != 0 {
		r.PromptVersion = in.varint()
	}
	if has&hasSemantic != 0 {
		s := &r.Semantic
		s.Verdict, s.Reason = Verdict(in.byte()), in.text(MaxText)
		s.Similarity, s.Probability, s.Entry, s.Bound = in.varint(), in.varint(), uint64(in.varint()), in.varint()
	}
	if has&hasShape != 0 {
		s := &r.Shape
		s.Level, s.Before, s.After, s.Breakpoints = in.text(MaxText), in.varint(), in.varint(), in.varint()
	}
	if has&hasFingerprint != 0 {
		if b := in.take(8); b != nil {
			r.Fingerprint = binary.BigEndian.Uint64(b)
		}
	}
}

func (in *input) more(r *Record) {
	has := in.byte()
	if has&^hasMore != 0 {
		in.fail()
	}
	if has&hasKind != 0 {
		r.Kind, r.Corrects, r.Note = Kind(in.byte()), string(in.bytes(MaxText)), string(in.bytes(MaxText))
	}
	if has&hasTree != 0 {
		r.Step, r.Parent = string(in.bytes(MaxText)), string(in.bytes(MaxText))
	}
	if has&hasClient != 0 {
		r.Client = in.text(MaxText)
	}
	if has&hasTrace != 0 {
		copy(r.Trace[:], in.take(len(r.Trace)))
		copy(r.Caller[:], in.take(len(r.Caller)))
	}
	if has&hasCredential != 0 {
		r.Credential = in.text(MaxText)
	}
	if has&hasOutput != 0 {
		r.OutputCap, r.Made, r.Delivered = in.varint(), in.varint(), in.varint()
	}
	if has&hasHashes != 0 {
		if b := in.take(16); b != nil {
			r.Gist, r.Prefix = binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])
		}
	}
}

func (in *input) charge() Charge {
	return Charge{
		Account:     in.account(),
		Incarnation: uint32(in.uvarint(1<<32 - 1)),
		Held:        ledger.Amount(in.varint()),
		Spent:       ledger.Amount(in.varint()),
	}
}
