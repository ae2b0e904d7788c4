package openai

import (
	"bytes"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/sse"
)

// Meter reads one chat stream as it passes and gives the bytes that go on to
// the client.
//
// The client gets whole events. One that asked for usage gets them as they are;
// any other without the usage chunk that the gateway asked for and without the
// usage members of the other chunks; every other byte is kept. Events that are
// not understood pass through.
//
// The zero Meter needs Reset. It may be reused, keeping its memory.
type Meter struct {
	report      dialect.Report
	scan        sse.Scanner
	strip       bool
	message     string // the member of a choice that holds text
	seen, ended choiceSet
	out         []byte
	copied      bool // this piece's output is in out
	before      likeness
}

// Reset implements dialect.Meter.
func (m *Meter) Reset(c *dialect.Call) {
	m.scan.Reset()
	*m = Meter{scan: m.scan, strip: !c.IncludeUsage, message: "delta", out: m.out[:0], before: likeness{event: m.before.event}}
	if c.Endpoint == dialect.Completions {
		m.message = completionText
	}
}

// Report is what the stream has said until now. It belongs to the meter.
func (m *Meter) Report() *dialect.Report { return &m.report }

// Feed takes the next bytes of the upstream and gives those for the client: a
// part of chunk or memory of the meter's, valid until the next call. It fails
// only on an event over the size limit, [sse.ErrTooLarge]; the stream cannot go
// on after that.
func (m *Meter) Feed(chunk []byte) ([]byte, error) {
	m.scan.Feed(chunk)
	m.out, m.copied = m.out[:0], false
	var whole []byte // events in a row that pass unchanged, not yet copied
	for {
		e, ok, err := m.scan.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		whole = m.pass(whole, e)
	}
	if !m.strip {
		return m.scan.Taken(), nil
	}
	return m.settle(whole), nil
}

// Finish says that the upstream has no more bytes, and gives the last ones for
// the client: an event that the upstream did not close.
func (m *Meter) Finish() []byte {
	m.out, m.copied = m.out[:0], false
	e, ok := m.scan.Rest()
	if !ok {
		return nil
	}
	whole := m.pass(nil, e)
	if !m.strip {
		return e.Raw
	}
	return m.settle(whole)
}

// pass adds event e to what goes to the client. Events in a row that stay as
// they are need no copy: whole grows over them.
func (m *Meter) pass(whole []byte, e sse.Event) []byte {
	cut := m.read(e)
	if !m.strip {
		return nil
	}
	if cut.Empty() && cut.Start == 0 {
		if len(whole) > 0 {
			return whole[:len(whole)+len(e.Raw)]
		}
		return e.Raw
	}
	m.out = append(m.out, whole...)
	m.copied = true
	switch {
	case cut != dropEvent:
		m.out = appendCut(m.out, e, cut)
	case e.Raw[0] == '\n': // it belongs to the CR that the event before ended with
		m.out = append(m.out, '\n')
	}
	return nil
}

func (m *Meter) settle(whole []byte) []byte {
	if !m.copied {
		return whole
	}
	m.out = append(m.out, whole...)
	return m.out
}

// dropEvent is the cut that takes a whole event away.
var dropEvent = dialect.Span{Start: -1, End: -1}

// read meters event e and says what to cut from its data.
func (m *Meter) read(e sse.Event) (cut dialect.Span) {
	if e.Lines == 0 {
		return cut
	}
	if n, cut, ok := m.before.match(e); ok {
		m.report.OutputBytes += int64(n)
		if n > 0 {
			m.report.Deltas++
		}
		return cut
	}
	m.before.known = false
	if done := bytes.TrimSpace(e.Data); string(done) == "[DONE]" {
		m.report.Done = true
		return cut
	}
	a := reader{
		cur:    jsonscan.Cursor{Doc: e.Data, LoneSurrogates: true},
		report: &m.report, message: m.message, seen: m.seen, ended: m.ended,
	}
	if a.chunk() != nil || a.cur.End() != nil {
		if string(e.Type) == "error" {
			m.report.Failed = &dialect.UpstreamError{Message: dialect.ClipError(string(e.Data[:min(len(e.Data), dialect.MaxErrorText)]))}
		}
		return cut
	}
	a.commit()
	m.seen, m.ended = a.seen, a.ended
	if string(e.Type) == "error" && m.report.Failed == nil {
		failed := readErrorValue(e.Data)
		m.report.Failed = &failed
	}
	switch {
	case a.usage.Empty(), len(e.Type) > 0: // chunks have no name: another event passes as it is
	case a.hasChoices && a.choices == 0 && e.Data[a.usage.Start] != 'n':
		return dropEvent
	default:
		cut = memberCut(e.Data, a.usageMember)
	}
	m.before.take(e, &a, cut)
	return cut
}

// memberCut widens the span of a member to the comma that goes with it.
func memberCut(data []byte, member dialect.Span) dialect.Span {
	blank := func(b byte) bool { return b == ' ' || b == '\t' || b == '\n' || b == '\r' }
	start := member.Start
	for start > 0 && blank(data[start-1]) {
		start--
	}
	if data[start-1] == ',' {
		return dialect.Span{Start: start - 1, End: member.End}
	}
	end := member.End
	for end < len(data) && blank(data[end]) {
		end++
	}
	if data[end] == ',' {
		return dialect.Span{Start: member.Start, End: end + 1}
	}
	return member
}

// appendCut appends event e without the part cut of its data.
func appendCut(dst []byte, e sse.Event, cut dialect.Span) []byte {
	if e.DataAt >= 0 {
		dst = append(dst, e.Raw[:e.DataAt+cut.Start]...)
		return append(dst, e.Raw[e.DataAt+cut.End:]...)
	}
	// Several data lines, which no provider is known to send for a chunk: the
	// event is written anew, its other fields left out.
	rest := append(append([]byte(nil), e.Data[:cut.Start]...), e.Data[cut.End:]...)
	for line := range bytes.SplitSeq(rest, []byte("\n")) {
		dst = append(dst, "data: "...)
		dst = append(append(dst, line...), '\n')
	}
	return append(dst, '\n')
}
