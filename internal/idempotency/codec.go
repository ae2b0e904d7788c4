package idempotency

import (
	"encoding/binary"
	"errors"
	"math"

	"purser/internal/packed"
	"purser/ledger"
)

// codecVersion is the first byte of every form here, stored or sent.
const codecVersion = 1

// ErrMalformed is bytes that are of no form here, or of a newer one.
var ErrMalformed = errors.New("not an idempotency record of a version that this build reads")

// Limits of what is read.
const (
	maxHomes  = 4096
	maxFields = 128
)

// Field is a header field of an answer.
type Field struct {
	Name, Value string
}

// Answer is a finished answer, as the client got it.
type Answer struct {
	Status int
	Header []Field // those that belong to the answer itself
	Body   []byte  // of a stream, its bytes
	Served string  // the model, as the provider named it
}

// Size is what it counts against bounds in bytes.
func (a *Answer) Size() int64 {
	n := len(a.Body) + len(a.Served)
	for _, f := range a.Header {
		n += len(f.Name) + len(f.Value)
	}
	return int64(n)
}

// Reply is what a home says to an ask.
type Reply struct {
	Verdict Verdict
	Homes   []string // of Granted and Elsewhere: all that have to grant
	Request string   // that has the key, where another has
	Why     string   // of Unavailable, for the log
	Answer  *Answer  // of Replay
}

// Report is how a claim ended, for a home.
type Report struct {
	Key    Key
	Token  Token
	Ending Ending
	Answer *Answer // of Kept
}

// AppendEntry appends the stored form of an entry.
func AppendEntry(b []byte, e *Entry) []byte {
	b = append(b, codecVersion, byte(e.State))
	b = append(append(b, e.Print[:]...), e.Token[:]...)
	b = appendText(appendText(b, e.Holder), e.Request)
	b = binary.AppendVarint(b, int64(e.Until))
	return binary.AppendVarint(b, e.Size)
}

// DecodeEntry reads it.
func DecodeEntry(b []byte) (*Entry, error) {
	r := packed.Reader{Rest: b}
	version := r.Byte()
	e := &Entry{State: State(r.Byte())}
	copy(e.Print[:], r.Take(len(e.Print)))
	copy(e.Token[:], r.Take(len(e.Token)))
	e.Holder, e.Request = r.Text(), r.Text()
	e.Until, e.Size = ledger.Instant(r.Varint()), r.Varint()
	if version != codecVersion || !r.Whole() || e.State < Claimed || e.State > Lost || e.Size < 0 {
		return nil, ErrMalformed
	}
	return e, nil
}

// AppendAsk appends an ask as it is sent.
func AppendAsk(b []byte, a *Ask) []byte {
	b = append(append(b, codecVersion), a.Key[:]...)
	b = append(append(b, a.Print[:]...), a.Token[:]...)
	return binary.AppendVarint(appendText(b, a.Request), int64(a.Since))
}

// DecodeAsk reads it.
func DecodeAsk(b []byte) (*Ask, error) {
	r := packed.Reader{Rest: b}
	version, a := r.Byte(), &Ask{}
	copy(a.Key[:], r.Take(len(a.Key)))
	copy(a.Print[:], r.Take(len(a.Print)))
	copy(a.Token[:], r.Take(len(a.Token)))
	a.Request, a.Since = r.Text(), ledger.Instant(r.Varint())
	if version != codecVersion || !r.Whole() {
		return nil, ErrMalformed
	}
	return a, nil
}

// AppendReply appends a reply as it is sent.
func AppendReply(b []byte, p *Reply) []byte {
	b = append(b, codecVersion, byte(p.Verdict))
	b = AppendTexts(b, p.Homes)
	b = appendText(appendText(b, p.Request), p.Why)
	return appendOptional(b, p.Answer)
}

// DecodeReply reads it. The answer's body stays part of b.
func DecodeReply(b []byte) (*Reply, error) {
	r := packed.Reader{Rest: b}
	version, p := r.Byte(), &Reply{Verdict: Verdict(r.Byte())}
	p.Homes = ReadTexts(&r)
	p.Request, p.Why = r.Text(), r.Text()
	p.Answer = readOptional(&r)
	if version != codecVersion || !r.Whole() || p.Verdict == Replay && p.Answer == nil {
		return nil, ErrMalformed
	}
	return p, nil
}

// AppendReport appends a report as it is sent.
func AppendReport(b []byte, p *Report) []byte {
	b = append(append(b, codecVersion), p.Key[:]...)
	b = append(append(b, p.Token[:]...), byte(p.Ending))
	return appendOptional(b, p.Answer)
}

// DecodeReport reads it. The answer's body stays part of b.
func DecodeReport(b []byte) (*Report, error) {
	r := packed.Reader{Rest: b}
	version, p := r.Byte(), &Report{}
	copy(p.Key[:], r.Take(len(p.Key)))
	copy(p.Token[:], r.Take(len(p.Token)))
	p.Ending = Ending(r.Byte())
	p.Answer = readOptional(&r)
	if version != codecVersion || !r.Whole() || p.Ending < Released || p.Ending > Doubtful || (p.Answer != nil) != (p.Ending == Kept) {
		return nil, ErrMalformed
	}
	return p, nil
}

// AppendAnswer appends an answer, as it is stored (sealed) and sent.
func AppendAnswer(b []byte, a *Answer) []byte {
	b = binary.AppendUvarint(append(b, codecVersion), uint64(a.Status))
	b = binary.AppendUvarint(b, uint64(len(a.Header)))
	for _, f := range a.Header {
		b = appendText(appendText(b, f.Name), f.Value)
	}
	return appendText(appendText(b, a.Served), a.Body)
}

// DecodeAnswer reads it. The body stays part of b.
func DecodeAnswer(b []byte) (*Answer, error) {
	r := packed.Reader{Rest: b}
	version, a := r.Byte(), &Answer{Status: int(r.Uvarint(999))}
	n := r.Count()
	if n > maxFields {
		return nil, ErrMalformed
	}
	for range n {
		a.Header = append(a.Header, Field{r.Text(), r.Text()})
	}
	a.Served, a.Body = r.Text(), r.Bytes()
	if version != codecVersion || !r.Whole() {
		return nil, ErrMalformed
	}
	return a, nil
}

func appendOptional(b []byte, a *Answer) []byte {
	if a == nil {
		return append(b, 0)
	}
	return appendText(b, AppendAnswer(make([]byte, 0, a.Size()+64), a))
}

func readOptional(r *packed.Reader) *Answer {
	b := r.Bytes()
	if len(b) == 0 {
		return nil
	}
	a, err := DecodeAnswer(b)
	if err != nil {
		r.Fail()
		return nil
	}
	return a
}

// AppendTexts appends a list of names.
func AppendTexts(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendText(b, s)
	}
	return b
}

// ReadTexts reads it.
func ReadTexts(r *packed.Reader) (list []string) {
	n := r.Uvarint(math.MaxUint32)
	if n > maxHomes || n > uint64(len(r.Rest)) {
		r.Fail()
		return nil
	}
	for range n {
		list = append(list, r.Text())
	}
	return list
}

func appendText[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
