package converse

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/eventstream"
	"purser/proxy/dialect/jsonscan"
)

// Meter reads one stream of events as it passes. The zero Meter needs Reset. It may
// be reused, keeping its memory.
type Meter struct {
	report dialect.Report
	scan   eventstream.Scanner
}

// Reset implements dialect.Meter.
func (m *Meter) Reset(*dialect.Call) {
	m.scan.Reset()
	m.report = dialect.Report{}
}

// Report is what the stream has said until now. It belongs to the meter.
func (m *Meter) Report() *dialect.Report { return &m.report }

// Feed takes the next bytes of the upstream and gives them back. It fails on a frame
// that is over the size limit or damaged.
func (m *Meter) Feed(chunk []byte) ([]byte, error) {
	m.scan.Feed(chunk)
	for {
		e, ok, err := m.scan.Next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return chunk, nil
		}
		m.event(e)
	}
}

// Finish says that the upstream has no more bytes. A frame that did not end says
// nothing.
func (m *Meter) Finish() []byte { return nil }

func (m *Meter) event(e eventstream.Event) {
	r := &m.report
	if failed, ok := Failed(e); ok {
		r.Failed, r.Done = &failed, false
		return
	}
	a := reader{cur: jsonscan.Cursor{Doc: e.Payload, LoneSurrogates: true}}
	if a.object(a.member) != nil || a.cur.End() != nil {
		return
	}
	switch e.Type {
	case "messageStart":
		r.Choices = 1
	case "contentBlockStart", "contentBlockDelta":
		r.OutputBytes += a.text
		r.Deltas += a.texts
	case "messageStop":
		a.stopped(r)
	case "metadata":
		a.metered(r)
		r.Done = r.Failed == nil && r.Finished > 0
	}
}

// Failed is the error that an event of a stream is, if it is one.
func Failed(e eventstream.Event) (failed dialect.UpstreamError, ok bool) {
	switch e.Kind {
	case eventstream.Exception:
		failed = ReadError(e.Payload)
	case eventstream.Failure:
		failed.Message = dialect.ClipError(e.Message)
	case eventstream.Data:
		return failed, false
	}
	failed.Type = clip(e.Type)
	return failed, true
}
