package anthropic

import (
	"bytes"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/sse"
)

// Meter reads one stream of events as it passes. The client gets the upstream's
// bytes as they are, in whole events, since usage is always part of a stream. The
// zero Meter needs Reset. It may be reused, keeping its memory.
type Meter struct {
	report dialect.Report
	scan   sse.Scanner
	counts counts
}

// Reset implements dialect.Meter.
func (m *Meter) Reset(*dialect.Call) {
	m.scan.Reset()
	*m = Meter{scan: m.scan, counts: newCounts()}
}

// Report is what the stream has said until now. It belongs to the meter.
func (m *Meter) Report() *dialect.Report { return &m.report }

// Feed takes the next bytes of the upstream and gives the client the events that
// are whole now. It fails only on an event over the size limit, [sse.ErrTooLarge].
func (m *Meter) Feed(chunk []byte) ([]byte, error) {
	m.scan.Feed(chunk)
	for {
		e, ok, err := m.scan.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return m.scan.Taken(), nil
		}
		m.event(e)
	}
}

// Finish says that the upstream has no more bytes, and gives an event that it did
// not close.
func (m *Meter) Finish() []byte {
	e, ok := m.scan.Rest()
	if !ok {
		return nil
	}
	m.event(e)
	return e.Raw
}

func (m *Meter) event(e sse.Event) {
	if e.Lines == 0 {
		return
	}
	r := &m.report
	a := reader{cur: jsonscan.Cursor{Doc: e.Data, LoneSurrogates: true}}
	if a.object(a.member) != nil || a.cur.End() != nil {
		if string(e.Type) == "error" {
			r.Failed = &dialect.UpstreamError{Message: dialect.ClipError(string(bytes.TrimSpace(e.Data[:min(len(e.Data), dialect.MaxErrorText)])))}
		}
		return
	}
	switch a.kind {
	case "message_start":
		m.begin(&a)
	case "content_block_start", "content_block_delta":
		r.OutputBytes += a.text
		r.Deltas += a.texts
	case "message_delta":
		if a.stop != "" {
			r.Finished, r.Finish = r.Choices, a.stop
		}
		if !a.usage.Empty() {
			m.counts.add(a.value(a.usage))
			m.counts.report(r)
		}
	case "message_stop":
		r.Done = r.Failed == nil
	case "error":
		failed := readError(e.Data)
		r.Failed = &failed
	}
}

// begin reads message_start. Its usage has the input, and of the output only a
// beginning: it is no usage until message_delta says more.
func (m *Meter) begin(a *reader) {
	in := reader{cur: jsonscan.Cursor{Doc: a.value(a.message), LoneSurrogates: true}}
	if a.message.Empty() || in.object(in.member) != nil {
		return
	}
	in.identity(&m.report)
	m.report.Choices = 1
	if !in.usage.Empty() {
		m.counts.add(in.value(in.usage))
		m.counts.output = -1
	}
	m.report.ServiceTier, m.report.Region = m.counts.billedTier(), m.counts.geo
}
