package record

import (
	"encoding/binary"
	"unicode/utf8"

	"purser/ledger"
)

// The versions of the stored form. Version 2 has what a call costs at list
// prices and by the catalogue; in version 1 both are its cost. Version 3 has what
// policies did at its end; before it they did nothing. Version 4 has after it what
// the levers did; before it the baseline is the cost and what was saved. Version 5 has
// after that what else is known of the request, and records that are not of one.
const (
	version1 byte = 1
	version2 byte = 2
	version3 byte = 3
	version4 byte = 4
	version  byte = 5 // that is written
)

// Limits of a stored record. Append cuts texts to MaxText, which is far beyond
// any name a provider has; the counts are beyond what a request can have.
const (
	MaxText       = 1024
	MaxRulings    = 32
	MaxConsidered = 32
	maxSavings    = 32
	maxCharges    = 256
	maxSplit      = 16 << 10 // every dimension and tag with its longest value, and lengths
)

// idForm says how the id is stored.
const (
	idBytes byte = 0 // 16 bytes
	idText  byte = 1 // an id that is not of NewID
)

// flagStream is the only flag.
const flagStream byte = 1

// Append appends the stored form of r. Texts longer than MaxText are cut at a
// character; a record with more charges, savings, rulings or candidates than a request can have
// is a programmer's error and panics.
func Append(b []byte, r *Record) []byte {
	if len(r.Charges) > maxCharges || len(r.Savings) > maxSavings || len(r.Dims.Tags) > ledger.MaxTags || len(r.Rulings) > MaxRulings || len(r.Route.Considered) > MaxConsidered {
		panic("record: more charges, savings, tags, rulings or candidates than a request can have: " + r.ID)
	}
	b = append(b, version)
	b = appendID(b, r.ID)
	b = binary.AppendVarint(b, int64(r.At))
	b = appendDims(b, &r.Dims)
	for _, s := range [...]string{r.Endpoint, r.Dialect, r.Upstream, r.UpstreamID, r.Model, r.Served, r.Tier, r.Code, r.RateID, r.Prices} {
		b = appendText(b, s)
	}
	var flags byte
	if r.Stream {
		flags |= flagStream
	}
	b = append(b, flags, byte(r.Outcome), byte(r.Basis), byte(r.Bound), byte(r.Cache))
	b = appendUsage(b, r)
	for _, v := range [...]int64{int64(r.Status), int64(r.Attempt), int64(r.Attempts), int64(r.Cost), int64(r.Hold), int64(r.Overrun), r.Admit, r.FirstByte, r.Total} {
		b = binary.AppendVarint(b, v)
	}
	for _, v := range [...]ledger.Amount{r.List, r.Priced} { // mostly the cost itself
		b = binary.AppendVarint(b, int64(v-r.Cost))
	}
	b = binary.AppendUvarint(b, uint64(len(r.Savings)))
	for _, s := range r.Savings {
		b = append(b, byte(s.Lever))
		b = binary.AppendVarint(b, int64(s.Amount))
	}
	b = binary.AppendUvarint(b, uint64(len(r.Charges)))
	for i := range r.Charges {
		b = appendCharge(b, &r.Charges[i])
	}
	b = binary.AppendUvarint(b, uint64(len(r.Rulings)))
	for _, p := range r.Rulings {
		b = appendText(appendText(b, p.Policy), p.Rule)
		b = append(b, byte(p.Effect), bit(p.Shadow))
	}
	return appendMore(appendLevers(b, r), r)
}

// which parts of what version 5 adds a record has.
const (
	hasKind byte = 1 << iota
	hasTree
	hasClient
	hasTrace
	hasCredential
	hasOutput
	hasHashes
	hasMore = hasKind | hasTree | hasClient | hasTrace | hasCredential | hasOutput | hasHashes
)

func appendMore(b []byte, r *Record) []byte {
	at := len(b)
	b = append(b, 0)
	if r.Kind != KindRequest || r.Corrects != "" || r.Note != "" {
		b[at] |= hasKind
		b = appendText(appendText(append(b, byte(r.Kind)), r.Corrects), r.Note)
	}
	if r.Step != "" || r.Parent != "" {
		b[at] |= hasTree
		b = appendText(appendText(b, r.Step), r.Parent)
	}
	if r.Client != "" {
		b[at] |= hasClient
		b = appendText(b, r.Client)
	}
	if r.Trace != [16]byte{} || r.Caller != [8]byte{} {
		b[at] |= hasTrace
		b = append(append(b, r.Trace[:]...), r.Caller[:]...)
	}
	if r.Credential != "" {
		b[at] |= hasCredential
		b = appendText(b, r.Credential)
	}
	if r.OutputCap != 0 || r.Made != 0 || r.Delivered != 0 {
		b[at] |= hasOutput
		for _, v := range [...]int64{r.OutputCap, r.Made, r.Delivered} {
			b = binary.AppendVarint(b, v)
		}
	}
	if r.Gist != 0 || r.Prefix != 0 {
		b[at] |= hasHashes
		b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(b, r.Gist), r.Prefix)
	}
	return b
}

// which parts of what the levers did a record has.
const (
	hasRoute byte = 1 << iota
	hasPrompt
	hasSemantic
	hasShape
	hasFingerprint
	hasAll = hasRoute | hasPrompt | hasSemantic | hasShape | hasFingerprint
)

func appendLevers(b []byte, r *Record) []byte {
	b = binary.AppendVarint(b, int64(r.Baseline-r.Cost))
	at := len(b)
	b = append(b, 0)
	if t := &r.Route; t.Name != "" || t.Strategy != "" || t.Reason != "" || len(t.Considered) > 0 || t.Cluster != 0 || t.Canary {
		b[at] |= hasRoute
		b = appendText(appendText(appendText(b, t.Name), t.Strategy), t.Reason)
		b = binary.AppendUvarint(b, uint64(len(t.Considered)))
		for _, c := range t.Considered {
			b = binary.AppendVarint(appendText(appendText(b, c.Model), c.Upstream), c.Score)
			b = appendText(b, c.Why)
		}
		b = append(binary.AppendVarint(b, t.Cluster), bit(t.Canary))
	}
	if r.PromptVersion != 0 {
		b[at] |= hasPrompt
		b = binary.AppendVarint(b, r.PromptVersion)
	}
	if s := &r.Semantic; *s != (Semantic{}) {
		b[at] |= hasSemantic
		b = appendText(append(b, byte(s.Verdict)), s.Reason)
		for _, v := range [...]int64{s.Similarity, s.Probability, int64(s.Entry), s.Bound} {
			b = binary.AppendVarint(b, v)
		}
	}
	if s := &r.Shape; *s != (Shape{}) {
		b[at] |= hasShape
		b = appendText(b, s.Level)
		for _, v := range [...]int64{s.Before, s.After, s.Breakpoints} {
			b = binary.AppendVarint(b, v)
		}
	}
	if r.Fingerprint != 0 {
		b[at] |= hasFingerprint
		b = binary.BigEndian.AppendUint64(b, r.Fingerprint)
	}
	return b
}

func bit(set bool) byte {
	if set {
		return 1
	}
	return 0
}

func appendID(b []byte, s string) []byte {
	if id, ok := ParseID(s); ok {
		return append(append(b, idBytes), id[:]...)
	}
	return appendText(append(b, idText), s)
}

func appendDims(b []byte, d *ledger.Dimensions) []byte {
	var set uint64
	for i, v := range d.Values {
		if v != "" {
			set |= 1 << i
		}
	}
	b = binary.AppendUvarint(b, set)
	for _, v := range d.Values {
		if v != "" {
			b = appendText(b, v)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(d.Tags)))
	for _, t := range d.Tags {
		b = appendText(appendText(b, t.Name), t.Value)
	}
	return b
}

func appendUsage(b []byte, r *Record) []byte {
	var set uint64
	for m, v := range r.Usage {
		if v != 0 {
			set |= 1 << m
		}
	}
	b = binary.AppendUvarint(b, set)
	for _, v := range r.Usage {
		if v != 0 {
			b = binary.AppendVarint(b, v)
		}
	}
	return b
}

func appendCharge(b []byte, c *Charge) []byte {
	b = AppendAccount(b, c.Account)
	b = binary.AppendUvarint(b, uint64(c.Incarnation))
	b = binary.AppendVarint(b, int64(c.Held))
	return binary.AppendVarint(b, int64(c.Spent))
}

// AppendAccount appends the stored form of an account's key: equal keys have
// equal forms, and no form begins another.
func AppendAccount(b []byte, k ledger.AccountKey) []byte {
	b = binary.AppendUvarint(b, uint64(len(k.Budget)))
	b = append(b, k.Budget...)
	b = binary.AppendUvarint(b, uint64(len(k.Split)))
	b = append(b, k.Split...)
	return binary.AppendVarint(b, int64(k.Start))
}

func appendText(b []byte, s string) []byte {
	if len(s) > MaxText {
		n := MaxText
		for n > MaxText-utf8.UTFMax && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}
