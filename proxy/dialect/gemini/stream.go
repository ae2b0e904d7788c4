package gemini

import (
	"bytes"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/sse"
)

// Meter reads one stream as it passes and gives the bytes that go on to the
// client: whole events, as they are, or, for a client that did not ask for events,
// their data as the elements of a JSON array.
//
// A stream has no event that ends it. It is done when its bytes end and every
// candidate has said why it finished, or the prompt was refused.
//
// The zero Meter needs Reset. It may be reused, keeping its memory.
type Meter struct {
	report dialect.Report
	scan   sse.Scanner
	ends   ends
	array  bool
	begun  bool // the array's bracket went out
	out    []byte
}

// Reset implements dialect.Meter.
func (m *Meter) Reset(c *dialect.Call) {
	m.scan.Reset()
	*m = Meter{scan: m.scan, array: c.StreamType != "", out: m.out[:0]}
}

// Report is what the stream has said until now. It belongs to the meter.
func (m *Meter) Report() *dialect.Report { return &m.report }

// Feed takes the next bytes of the upstream and gives those for the client: a
// part of chunk or memory of the meter's, valid until the next call. It fails
// only on an event over the size limit, [sse.ErrTooLarge]; the stream cannot go
// on after that.
func (m *Meter) Feed(chunk []byte) ([]byte, error) {
	m.scan.Feed(chunk)
	m.out = m.out[:0]
	for {
		e, ok, err := m.scan.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		m.event(e)
	}
	if m.array {
		return m.out, nil
	}
	return m.scan.Taken(), nil
}

// Finish says that the upstream has no more bytes, and gives the last ones for
// the client: an event that the upstream did not close, and the array's end.
func (m *Meter) Finish() []byte {
	m.out = m.out[:0]
	e, ok := m.scan.Rest()
	if ok {
		m.event(e)
	}
	m.report.Done = m.report.Failed == nil && m.ends.whole()
	if !m.array {
		return e.Raw
	}
	if !m.begun {
		m.out = append(m.out, '[')
	}
	return append(m.out, ']')
}

// event meters event e and puts it into the array.
func (m *Meter) event(e sse.Event) {
	if e.Lines == 0 {
		return
	}
	if m.array {
		if m.begun {
			m.out = append(m.out, ",\r\n"...)
		} else {
			m.out = append(m.out, '[')
		}
		m.begun = true
		m.out = append(m.out, bytes.TrimSpace(e.Data)...)
	}
	a := reader{cur: jsonscan.Cursor{Doc: e.Data, LoneSurrogates: true}, report: &m.report, ends: m.ends}
	if a.chunk() != nil || a.cur.End() != nil {
		return
	}
	a.commit()
	m.ends = a.ends
}
