package openai

import (
	"bytes"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/sse"
)

// ResponsesMeter reads one stream of a response as it passes. The client gets
// every byte as it came, in whole events: those of a response are numbered, and
// their usage is in the last of them whether the client asks for it or not.
//
// The zero ResponsesMeter needs Reset. It may be reused, keeping its memory.
type ResponsesMeter struct {
	report dialect.Report
	scan   sse.Scanner
	calls  toolCalls
}

// Reset implements dialect.Meter.
func (m *ResponsesMeter) Reset(*dialect.Call) {
	m.scan.Reset()
	*m = ResponsesMeter{scan: m.scan}
}

// Report is what the stream has said until now. It belongs to the meter.
func (m *ResponsesMeter) Report() *dialect.Report { return &m.report }

// Feed implements dialect.Meter: it gives the events that are whole now. It fails
// only on an event over the size limit, [sse.ErrTooLarge].
func (m *ResponsesMeter) Feed(chunk []byte) ([]byte, error) {
	m.scan.Feed(chunk)
	for {
		e, ok, err := m.scan.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return m.scan.Taken(), nil
		}
		m.read(e)
	}
}

// Finish implements dialect.Meter: it gives an event that the upstream did not close.
func (m *ResponsesMeter) Finish() []byte {
	e, ok := m.scan.Rest()
	if !ok {
		return nil
	}
	m.read(e)
	return e.Raw
}

// responseEvent is what is read of an event.
type responseEvent struct {
	kind           jsonscan.Str
	delta          jsonscan.Str
	response, item dialect.Span
	failure        dialect.Span
	hasDelta       bool
}

func readEvent(data []byte) (e responseEvent, err error) {
	cur := jsonscan.Cursor{Doc: data, LoneSurrogates: true}
	err = cur.EachMember(func(key jsonscan.Str) (err error) {
		object := cur.Kind() == jsonscan.Object
		start := cur.Pos
		name := data[key.Start:key.End]
		switch string(name) {
		case "type":
			err = text1(&cur, &e.kind)
		case "delta":
			e.hasDelta = cur.Kind() == jsonscan.String
			err = text1(&cur, &e.delta)
		default:
			err = cur.Skip()
		}
		if object {
			e.object(name, dialect.Span{Start: start, End: cur.Pos})
		}
		return err
	})
	if err == nil {
		err = cur.End()
	}
	return e, err
}

func (e *responseEvent) object(name []byte, at dialect.Span) {
	switch string(name) {
	case "response":
		e.response = at
	case "item":
		e.item = at
	case "error":
		e.failure = at
	}
}

// read meters one event. Events that are not understood change nothing.
func (m *ResponsesMeter) read(e sse.Event) {
	if e.Lines == 0 {
		return
	}
	x, err := readEvent(e.Data)
	if err != nil {
		if string(e.Type) == "error" {
			m.report.Failed = &dialect.UpstreamError{Message: dialect.ClipError(string(e.Data[:min(len(e.Data), dialect.MaxErrorText)]))}
		}
		return
	}
	kind := e.Type
	if x.kind.Len > 0 {
		kind = e.Data[x.kind.Start:x.kind.End]
	}
	switch {
	case x.hasDelta:
		m.report.OutputBytes += int64(x.delta.Len)
		m.report.Deltas++
	case string(kind) == "error", !x.failure.Empty() && x.response.Empty():
		m.fail(e.Data, x.failure)
	case !x.response.Empty():
		m.response(e.Data[x.response.Start:x.response.End], kind)
	case !x.item.Empty() && bytes.HasSuffix(kind, []byte("output_item.done")):
		m.item(e.Data[x.item.Start:x.item.End])
	}
}

func (m *ResponsesMeter) fail(data []byte, failure dialect.Span) {
	if !failure.Empty() {
		data = data[failure.Start:failure.End]
	}
	failed := readErrorValue(data)
	m.report.Failed = &failed
}

// response reads the response as an event gives it; that of the last event is
// the whole of it.
func (m *ResponsesMeter) response(raw, kind []byte) {
	a := response{cur: jsonscan.Cursor{Doc: raw, LoneSurrogates: true}, report: &m.report}
	if a.read() != nil {
		return
	}
	a.calls.atLeast(m.calls)
	a.commit()
	switch string(kind) {
	case "response.completed", "response.incomplete":
		m.report.Done, m.report.Finished = true, 1
	case "response.failed":
		m.report.Done = true
		if m.report.Failed == nil {
			m.report.Failed = &dialect.UpstreamError{}
		}
	}
}

// item reads an item that is whole.
func (m *ResponsesMeter) item(raw []byte) {
	a := response{cur: jsonscan.Cursor{Doc: raw, LoneSurrogates: true}, report: &m.report}
	if a.item() != nil {
		return
	}
	m.calls.webSearch += a.calls.webSearch
	m.calls.fileSearch += a.calls.fileSearch
	m.calls.codeExec += a.calls.codeExec
	for _, id := range a.kept {
		keep(&m.report, a.cur.Text(id))
	}
}
