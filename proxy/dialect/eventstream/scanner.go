package eventstream

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream/eventstreamapi"
)

// ContentType is that of an answer which is such a stream.
const ContentType = "application/vnd.amazon.eventstream"

// MaxFrame is the default limit of one frame's bytes.
const MaxFrame = 8 << 20

// What can be wrong with a stream. None of them quotes it.
var (
	ErrTooLarge = errors.New("event stream frame over the size limit")
	ErrChecksum = errors.New("event stream checksum does not match")
	ErrFrame    = errors.New("event stream frame that is malformed")
)

// Kind is what a message is.
type Kind uint8

// The kinds. Exceptions are those that the service's model names, errors any other.
const (
	Data Kind = iota
	Exception
	Failure
)

// Event is one message. Its bytes are valid until the next call of Next.
type Event struct {
	Kind    Kind
	Type    string // the event's type, the exception's, or the error's code
	Message string // of an error, "" else: an exception has its message in the payload
	Payload []byte
	Raw     []byte // the frame as it came; not to be appended to
}

// preludeSize are the two lengths with their checksum; frameSize is the least that
// a frame has, which is that and the checksum at its end.
const (
	preludeSize = 12
	frameSize   = preludeSize + 4
)

// maxHeaders bounds the headers of one frame in bytes: services send some 150, and
// the library looks through all it has for each one more.
const maxHeaders = 16 << 10

// Scanner cuts a stream into messages. The zero value is ready.
type Scanner struct {
	Max int // largest frame in bytes; 0 means MaxFrame

	buf  []byte // owned: fed, and not yet given
	at   int    // in buf: where the next frame begins
	err  error  // after an error there is no telling where a frame begins
	read bytes.Reader
	out  []byte // the payload given last
}

// Reset readies the scanner for another stream, keeping its memory.
func (s *Scanner) Reset() { *s = Scanner{Max: s.Max, buf: s.buf[:0], out: s.out[:0]} }

// Feed takes the next piece, and keeps nothing of it. All messages of the piece
// before must have been taken with Next, until it gave false.
func (s *Scanner) Feed(piece []byte) {
	if s.err != nil {
		return
	}
	if s.at > 0 {
		s.buf, s.at = s.buf[:copy(s.buf, s.buf[s.at:])], 0
	}
	s.buf = append(s.buf, piece...)
}

// Next gives the next whole message; false means that more bytes are needed. An
// error is the end: every later call gives it too.
func (s *Scanner) Next() (Event, bool, error) {
	if s.err != nil {
		return Event{}, false, s.err
	}
	size, err := s.frame()
	if err != nil {
		s.err = err
		return Event{}, false, err
	}
	if size == 0 || len(s.buf)-s.at < size {
		return Event{}, false, nil
	}
	raw := s.buf[s.at : s.at+size]
	e, err := s.decode(raw)
	if err != nil {
		s.err = err
		return Event{}, false, err
	}
	s.at += size
	return e, true, nil
}

// Rest says how many bytes are left of a frame that did not end: when the stream
// has, it broke off.
func (s *Scanner) Rest() int { return len(s.buf) - s.at }

// frame is the size of the frame that begins here, 0 if that is not known yet.
func (s *Scanner) frame() (int, error) {
	b := s.buf[s.at:]
	if len(b) < preludeSize {
		return 0, nil
	}
	if crc32.ChecksumIEEE(b[:8]) != binary.BigEndian.Uint32(b[8:]) {
		return 0, ErrChecksum
	}
	size, headers := int64(binary.BigEndian.Uint32(b)), int64(binary.BigEndian.Uint32(b[4:]))
	limit := int64(MaxFrame)
	if s.Max > 0 {
		limit = int64(s.Max)
	}
	switch {
	case size > limit, headers > maxHeaders && headers <= size-frameSize:
		return 0, ErrTooLarge
	case size < frameSize || headers > size-frameSize:
		return 0, ErrFrame
	}
	return int(size), nil
}

// decode reads a whole frame, its checksum before anything in it.
func (s *Scanner) decode(raw []byte) (Event, error) {
	body, sum := raw[:len(raw)-4], raw[len(raw)-4:]
	if crc32.ChecksumIEEE(body) != binary.BigEndian.Uint32(sum) {
		return Event{}, ErrChecksum
	}
	s.read.Reset(raw)
	m, err := eventstream.NewDecoder().Decode(&s.read, s.out[:0])
	if err != nil || s.read.Len() != 0 {
		return Event{}, ErrFrame
	}
	if m.Payload != nil {
		s.out = m.Payload
	}
	e := Event{Payload: m.Payload, Raw: raw}
	name := eventstreamapi.EventTypeHeader
	switch text(m.Headers, eventstreamapi.MessageTypeHeader) {
	case eventstreamapi.EventMessageType:
	case eventstreamapi.ExceptionMessageType:
		e.Kind, name = Exception, eventstreamapi.ExceptionTypeHeader
	case eventstreamapi.ErrorMessageType:
		e.Kind, name = Failure, eventstreamapi.ErrorCodeHeader
		e.Message = text(m.Headers, eventstreamapi.ErrorMessageHeader)
	default:
		return Event{}, ErrFrame
	}
	e.Type = text(m.Headers, name)
	return e, nil
}

// text is the value of a header, "" if there is none or it is not a string.
func text(h eventstream.Headers, name string) string {
	v, ok := h.Get(name).(eventstream.StringValue)
	if !ok {
		return ""
	}
	return string(v)
}
