package copies

import (
	"encoding/binary"
	"errors"
	"fmt"

	"purser/ledger"
)

// form is the version of what this package stores and sends: their first byte.
const form = 1

// errForm is something that no known version has written.
var errForm = errors.New("it is of a form that this build does not know")

// token names one course of copying: a peer that does not know it has not got what was sent
// before.
type token [16]byte

// push is what a sender tells a peer at once.
type push struct {
	origin string // whose things these are
	token  token
	begin  bool // the course begins: nothing is expected to be there
	state  state
	items  []Item
}

// state is how far the copies of an origin are, when a push has been kept.
type state struct {
	complete bool           // everything from before the course began is there
	sealed   bool           // the origin has stopped, and everything is there
	upto     ledger.Instant // everything that was written before is there, if complete
	// incarnation is the origin's that has stopped; 0 of what is not sealed. A later one
	// may have written more.
	incarnation uint32
}

const (
	bitBegin = 1 << iota
	bitComplete
	bitSealed
)

// The verdicts of a peer on a push.
const (
	kept    byte = 1
	unknown byte = 2 // it does not know the course: begin anew
	full    byte = 3 // its disk has no room to spare
)

func (s state) bits() (b byte) {
	if s.complete {
		b |= bitComplete
	}
	if s.sealed {
		b |= bitSealed
	}
	return b
}

// stateLen is the length of what appendState writes.
const stateLen = 8 + 4

func appendState(b []byte, s state) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, uint64(s.upto)), s.incarnation)
}

// stateOf is the state of some bits and of what appendState wrote.
func stateOf(bits byte, b []byte) state {
	return state{
		complete: bits&bitComplete != 0, sealed: bits&bitSealed != 0,
		upto: ledger.Instant(binary.BigEndian.Uint64(b)), incarnation: binary.BigEndian.Uint32(b[8:]),
	}
}

func appendPush(b []byte, p *push) []byte {
	bits := p.state.bits()
	if p.begin {
		bits |= bitBegin
	}
	b = append(b, form, bits)
	b = append(b, p.token[:]...)
	b = appendState(b, p.state)
	b = appendString(b, p.origin)
	for _, it := range p.items {
		b = appendString(appendString(b, it.Key), it.Value)
	}
	return b
}

// decodePush reads a push, whose items are parts of b.
func decodePush(b []byte) (p push, err error) {
	const head = 2 + len(p.token) + stateLen
	if len(b) < head || b[0] != form {
		return p, fmt.Errorf("read copies: %w", errForm)
	}
	p.begin = b[1]&bitBegin != 0
	copy(p.token[:], b[2:])
	p.state = stateOf(b[1], b[head-stateLen:])
	origin, b, ok := cut(b[head:])
	p.origin = string(origin)
	for ok && len(b) > 0 {
		var it Item
		if it.Key, b, ok = cut(b); ok {
			it.Value, b, ok = cut(b)
		}
		p.items = append(p.items, it)
	}
	if !ok {
		return push{}, fmt.Errorf("read copies: %w", errForm)
	}
	return p, nil
}

// mark is what a node remembers of the copies that one sender gives it of an origin.
type mark struct {
	token token
	state state
}

func appendMark(b []byte, m *mark) []byte {
	b = append(b, form, m.state.bits())
	b = append(b, m.token[:]...)
	return appendState(b, m.state)
}

func decodeMark(b []byte) (m mark, err error) {
	const size = 2 + len(m.token) + stateLen
	if len(b) != size || b[0] != form {
		return m, fmt.Errorf("read what is known of copies: %w", errForm)
	}
	copy(m.token[:], b[2:])
	m.state = stateOf(b[1], b[size-stateLen:])
	return m, nil
}

// course is how far the copying of an origin's things to a peer is.
type course struct {
	peer  string
	token token
	begun bool   // the peer has been told
	done  bool   // everything from before was sent
	next  []byte // the first key, as the origin has it, that was not; empty for the first of all
}

func appendCourse(b []byte, c *course) []byte {
	var bits byte
	if c.begun {
		bits |= bitBegin
	}
	if c.done {
		bits |= bitComplete
	}
	b = append(b, form, bits)
	b = append(b, c.token[:]...)
	return appendString(appendString(b, c.peer), c.next)
}

func decodeCourse(b []byte) (c course, err error) {
	const head = 2 + len(c.token)
	if len(b) < head || b[0] != form {
		return c, fmt.Errorf("read how far copying is: %w", errForm)
	}
	c.begun, c.done = b[1]&bitBegin != 0, b[1]&bitComplete != 0
	copy(c.token[:], b[2:])
	peer, rest, ok := cut(b[head:])
	if ok {
		var next []byte
		next, rest, ok = cut(rest)
		c.peer, c.next = string(peer), append([]byte(nil), next...)
	}
	if !ok || len(rest) > 0 {
		return course{}, fmt.Errorf("read how far copying is: %w", errForm)
	}
	return c, nil
}

// appendString writes bytes behind their length, a uvarint.
func appendString[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// cut takes off what appendString wrote.
func cut(b []byte) (s, rest []byte, ok bool) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, false
	}
	return b[size : size+int(n)], b[size+int(n):], true
}
