package outcomes

import (
	"encoding/binary"
	"fmt"
	"math"

	"purser/internal/packed"
	"purser/ledger"
)

// reportVersion is the first byte of a stored report.
const reportVersion byte = 1

// Flags of a stored report.
const (
	flagTold byte = 1 << iota
	flagJudged
	flagValued
)

// appendValue appends the stored form: version, flags, source, verdict, kind of join; id,
// name, key, organisation, the join's name (each length and bytes); at, taken, value, from,
// to (zigzag varints); count, quality (varints); the number of matches, and of each its
// dimension (a byte), tag and value.
func (r *Report) appendValue(b []byte) []byte {
	flags := bit(r.Told, flagTold) | bit(r.Judged, flagJudged) | bit(r.Valued, flagValued)
	b = append(b, reportVersion, flags, byte(r.Source), byte(r.Success), byte(r.Join.Kind))
	for _, s := range [...]string{r.ID, r.Name, r.Key, r.Org, r.Join.Name} {
		b = appendText(b, s)
	}
	for _, v := range [...]int64{int64(r.At), int64(r.Taken), int64(r.Value), int64(r.Join.From), int64(r.Join.To)} {
		b = binary.AppendVarint(b, v)
	}
	b = binary.AppendUvarint(b, uint64(r.Count))
	b = binary.AppendUvarint(b, uint64(r.Quality))
	b = binary.AppendUvarint(b, uint64(len(r.Join.Where)))
	for _, m := range r.Join.Where {
		b = appendText(appendText(append(b, byte(m.Dim.Dim)), m.Dim.Tag), m.Value)
	}
	return b
}

func bit(set bool, f byte) byte {
	if set {
		return f
	}
	return 0
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// decodeReport reads a stored report.
func decodeReport(value []byte) (r Report, err error) {
	if len(value) == 0 {
		return r, ErrMalformed
	}
	if value[0] != reportVersion {
		return r, fmt.Errorf("%w: %d", ErrVersion, value[0])
	}
	d := packed.Reader{Rest: value[1:]}
	flags := d.Byte()
	r.Told, r.Judged, r.Valued = flags&flagTold != 0, flags&flagJudged != 0, flags&flagValued != 0
	r.Source, r.Success, r.Join.Kind = Source(d.Byte()), Verdict(d.Byte()), JoinKind(d.Byte())
	for _, s := range [...]*string{&r.ID, &r.Name, &r.Key, &r.Org, &r.Join.Name} {
		*s = d.Text()
	}
	r.At, r.Taken, r.Value = ledger.Instant(d.Varint()), ledger.Instant(d.Varint()), ledger.Amount(d.Varint())
	r.Join.From, r.Join.To = ledger.Instant(d.Varint()), ledger.Instant(d.Varint())
	r.Count, r.Quality = int64(d.Uvarint(math.MaxInt64)), int64(d.Uvarint(math.MaxInt64))
	n := d.Uvarint(math.MaxInt64)
	if n > MaxWhere {
		return r, ErrMalformed
	}
	for range n {
		r.Join.Where = append(r.Join.Where, Match{ledger.DimRef{Dim: ledger.Dim(d.Byte()), Tag: d.Text()}, d.Text()})
	}
	if !d.Whole() {
		return r, ErrMalformed
	}
	for _, m := range r.Join.Where { // before Check: names of dimensions need one that there is
		if m.Dim.Dim > ledger.DimTag || (m.Dim.Dim == ledger.DimTag) != (m.Dim.Tag != "") {
			return r, ErrMalformed
		}
	}
	if flags&^(flagTold|flagJudged|flagValued) != 0 || r.Success > Failed || !r.Judged && r.Quality != 0 || !r.Valued && r.Value != 0 {
		return r, ErrMalformed
	}
	if field, err := r.Check(); err != nil {
		return r, fmt.Errorf("%w: %s", ErrMalformed, field)
	}
	return r, nil
}

// AppendFrame appends a report as one of many; see [Frames].
func AppendFrame(b []byte, r *Report) []byte { return frame(b, r.appendValue(nil)) }

// Frames visits the reports that were appended, until each fails.
func Frames(b []byte, each func(Report) error) error {
	return frames(b, func(value []byte) error {
		r, err := decodeReport(value)
		if err != nil {
			return err
		}
		return each(r)
	})
}

// frame appends a stored form as one of many: its length, and its bytes.
func frame(b, value []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(value))), value...)
}

func frames(b []byte, each func(value []byte) error) error {
	for len(b) > 0 {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			return ErrMalformed
		}
		if err := each(b[w : w+int(n)]); err != nil {
			return err
		}
		b = b[w+int(n):]
	}
	return nil
}
