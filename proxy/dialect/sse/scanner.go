package sse

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// MaxEvent is the default limit of one event's bytes.
const MaxEvent = 8 << 20

// ErrTooLarge says that an event passed the scanner's limit.
var ErrTooLarge = errors.New("server-sent event over the size limit")

// Event is what stands between two blank lines. Its slices are valid until the
// next Feed.
type Event struct {
	Raw  []byte // as it came, with the blank line that ends it; not to be appended to
	Data []byte // the data lines, joined by \n; a part of Raw if there is only one
	Type []byte // of the event field, nil for the default

	// DataAt is where Data is in Raw, or -1 when it was joined.
	DataAt int
	Lines  int // data lines; zero for an event that is not dispatched
}

// Scanner cuts a stream into events. The zero value is ready.
type Scanner struct {
	Max int // largest event in bytes; 0 means MaxEvent

	fed   []byte // work as it was when Next began on the piece
	taken int    // of fed: what was given as events
	work  []byte // bytes not yet given: of buf, or of the piece fed
	buf   []byte // owned
	owned bool   // work is in buf

	pos   int  // in work: where the next line begins
	next  int  // in work: how far the line has been looked through
	bom   bool // the start of the stream is behind us
	crEnd bool // the last event ended with a CR: an LF that follows belongs to it

	first, last int // data of the first data line, in work
	lines       int
	kindAt      [2]int
	joined      []byte
}

// Reset readies the scanner for another stream, keeping its memory.
func (s *Scanner) Reset() {
	*s = Scanner{Max: s.Max, buf: s.buf[:0], joined: s.joined[:0]}
}

// Feed takes the next piece. All events of the piece before must have been
// taken with Next, until it gave false. The piece must stay unchanged for as
// long as its events are used.
func (s *Scanner) Feed(piece []byte) {
	s.taken = 0
	if len(s.work) == 0 {
		s.work, s.owned = piece, false
	} else {
		s.keep()
		s.buf = append(s.buf, piece...)
		s.work = s.buf
	}
	s.fed = s.work
}

// Taken gives the events that Next gave since the last Feed as one piece, as they
// came. It is valid until the next Feed, and not to be appended to.
func (s *Scanner) Taken() []byte { return s.fed[:s.taken] }

// keep moves what is left into the scanner's own memory.
func (s *Scanner) keep() {
	if !s.owned {
		s.buf = append(s.buf[:0], s.work...)
	} else if len(s.work) > 0 && &s.work[0] != &s.buf[0] {
		s.buf = s.buf[:copy(s.buf, s.work)]
	}
	s.work, s.owned = s.buf, true
}

// Next gives the next whole event; false means that more bytes are needed.
func (s *Scanner) Next() (Event, bool, error) {
	for {
		end, after, ok := s.line()
		if !ok {
			break
		}
		from := s.pos
		s.pos, s.next = after, after
		if end == from {
			return s.event(after), true, nil
		}
		s.field(from, end)
	}
	if limit := s.limit(); len(s.work) > limit {
		return Event{}, false, ErrTooLarge
	}
	if !s.owned {
		// The piece is the caller's to overwrite. Events given before are in
		// it, not in buf.
		s.keep()
	}
	return Event{}, false, nil
}

func (s *Scanner) limit() int {
	if s.Max > 0 {
		return s.Max
	}
	return MaxEvent
}

// Rest gives what is left when the stream has ended: an event that no blank
// line closed. Data of a last line without an end is in it too.
func (s *Scanner) Rest() (Event, bool) {
	if len(s.work) == 0 {
		return Event{}, false
	}
	s.start()
	end := len(s.work)
	if end > s.pos && s.work[end-1] == '\r' {
		end--
	}
	if end > s.pos {
		s.field(s.pos, end)
	}
	return s.event(len(s.work)), true
}

// start goes past a byte order mark, and past the LF of a line end that the
// piece before was cut in. It is false when that cannot be told yet.
func (s *Scanner) start() bool {
	if s.crEnd && len(s.work) > 0 {
		s.crEnd = false
		if s.work[0] == '\n' {
			s.pos, s.next = 1, 1
		}
	}
	if !s.bom {
		const mark = "\xef\xbb\xbf"
		n := min(len(mark), len(s.work))
		if string(s.work[:n]) == mark[:n] {
			if n < len(mark) {
				return false
			}
			s.pos, s.next = n, n
		}
		s.bom = true
	}
	return true
}

// line finds the end of the line at pos and where the next one begins.
func (s *Scanner) line() (end, after int, ok bool) {
	if len(s.work) == 0 || !s.start() {
		return 0, 0, false
	}
	i := lineEnd(s.work[s.next:])
	if i < 0 {
		s.next = len(s.work)
		return 0, 0, false
	}
	end = s.next + i
	if s.work[end] == '\n' {
		return end, end + 1, true
	}
	if end+1 < len(s.work) {
		if s.work[end+1] == '\n' {
			return end, end + 2, true
		}
		return end, end + 1, true
	}
	// A CR at the very end. If its line is blank, the event is whole and goes
	// out now: an LF that may follow is put before the next one. Else there is
	// no hurry to know.
	if end == s.pos {
		s.crEnd = true
		return end, end + 1, true
	}
	s.next = end
	return 0, 0, false
}

// lineEnd gives the index of the first CR or LF, or -1. It looks at eight bytes
// at a time for one below 0x0e; text has few of those.
func lineEnd(b []byte) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	i := 0
	for {
		for len(b)-i >= 8 {
			w := binary.LittleEndian.Uint64(b[i:])
			if (w-ones*0x0e)&^w&highs != 0 {
				break
			}
			i += 8
		}
		for end := min(i+8, len(b)); i < end; i++ {
			if b[i] == '\n' || b[i] == '\r' {
				return i
			}
		}
		if i == len(b) {
			return -1
		}
	}
}

// field notes the line work[from:end].
func (s *Scanner) field(from, end int) {
	line := s.work[from:end]
	name, value := line, end
	if i := bytes.IndexByte(line, ':'); i >= 0 {
		name, value = line[:i], from+i+1
		if value < end && s.work[value] == ' ' {
			value++
		}
	}
	switch string(name) {
	case "data":
		if s.lines == 0 {
			s.first, s.last = value, end
		} else {
			if s.lines == 1 {
				s.joined = append(s.joined[:0], s.work[s.first:s.last]...)
			}
			s.joined = append(s.joined, '\n')
			s.joined = append(s.joined, s.work[value:end]...)
		}
		s.lines++
	case "event":
		s.kindAt = [2]int{value, end}
	}
}

// event gives the event that ends at work[end] and goes on after it.
func (s *Scanner) event(end int) Event {
	e := Event{Raw: s.work[:end], Lines: s.lines, DataAt: -1}
	switch {
	case s.lines == 1:
		e.Data, e.DataAt = s.work[s.first:s.last], s.first
	case s.lines > 1:
		e.Data = s.joined
	}
	if s.kindAt[1] > s.kindAt[0] {
		e.Type = s.work[s.kindAt[0]:s.kindAt[1]]
	}
	s.work = s.work[end:]
	s.taken += end
	s.pos, s.next, s.lines, s.kindAt = 0, 0, 0, [2]int{}
	return e
}

// Each takes the next piece of a stream and calls do with each event that is
// complete with it.
func (s *Scanner) Each(piece []byte, do func(Event) error) error {
	s.Feed(piece)
	for {
		e, ok, err := s.Next()
		if err != nil || !ok {
			return err
		}
		if err := do(e); err != nil {
			return err
		}
	}
}
