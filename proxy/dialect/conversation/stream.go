package conversation

import "purser/proxy/dialect"

// Stream meters the stream of an upstream in its own dialect and gives the client
// the same in another. It is a dialect.Meter.
type Stream struct {
	meter  dialect.Meter
	reader Reader
	writer Writer
	set    Setting
	out    []byte
	state  streamState
	kept   *Answer // nil where it is not wanted
}

type streamState uint8

const (
	going streamState = iota
	finished
	ended
)

// NewStream makes a translation of streams: meter and reader of the upstream's
// dialect, writer of the client's.
func NewStream(meter dialect.Meter, reader Reader, writer Writer) *Stream {
	return &Stream{meter: meter, reader: reader, writer: writer}
}

// For says whose stream comes next. It comes before Reset.
func (s *Stream) For(set Setting) { s.set = set }

// Keep says that the answer of the stream that comes next is wanted whole as well. It
// comes before Reset.
func (s *Stream) Keep() { s.kept = &Answer{} }

// Forget takes Keep back.
func (s *Stream) Forget() { s.kept = nil }

// Told is the answer that the stream amounts to, nil where it is not wanted.
func (s *Stream) Told() *Answer { return s.kept }

// Reset implements dialect.Meter; c is the call as it was sent upstream.
func (s *Stream) Reset(c *dialect.Call) {
	s.meter.Reset(c)
	s.reader.Reset()
	s.writer.Reset(&s.set)
	s.out, s.state = s.out[:0], going
}

// Report implements dialect.Meter.
func (s *Stream) Report() *dialect.Report { return s.meter.Report() }

// Feed implements dialect.Meter.
func (s *Stream) Feed(chunk []byte) ([]byte, error) {
	if _, err := s.meter.Feed(chunk); err != nil {
		return nil, err
	}
	s.out = s.out[:0]
	if err := s.reader.Feed(chunk, s.event); err != nil {
		return nil, err
	}
	if s.state == finished && s.Report().Done {
		s.end()
	}
	return s.out, nil
}

// Finish implements dialect.Meter. A stream that was not told to its end stays
// without one, so that the client sees that something is missing.
func (s *Stream) Finish() []byte {
	s.meter.Finish()
	s.out = s.out[:0]
	if s.reader.Finish(s.event) == nil && s.state == finished {
		s.end()
	}
	return s.out
}

// event tells the client one event. Nothing follows a failure or the end.
func (s *Stream) event(e *Event) {
	if s.state != going {
		return
	}
	switch e.Kind {
	case Finish:
		s.state = finished
	case Fail:
		s.state = ended
	}
	s.out = s.writer.Append(s.out, e)
	if s.kept != nil && e.Kind != Fail {
		s.kept.Add(e)
	}
}

func (s *Stream) end() {
	s.state = ended
	s.out = s.writer.End(s.out, s.Report())
}
