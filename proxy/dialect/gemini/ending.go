package gemini

import (
	"strconv"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// Ending ends a stream in the middle, by a chunk in which each candidate that goes
// on finishes for MAX_TOKENS, with the usage. The zero Ending needs Reset.
type Ending struct {
	report dialect.Report // for the id and the model
	ends   ends
}

// Reset implements dialect.Ending.
func (e *Ending) Reset(*dialect.Call) { *e = Ending{} }

// Frames implements dialect.Ending: one for each candidate. What a call of a
// function is billed at does not show in it: the arguments come as JSON that the
// meter does not count whole.
func (e *Ending) Frames() int64 { return dialect.FrameTokens * int64(e.report.Choices) }

// See implements dialect.Ending.
func (e *Ending) See(data []byte) {
	a := reader{cur: jsonscan.Cursor{Doc: data, LoneSurrogates: true}, report: &e.report, ends: e.ends}
	if a.chunk() != nil || a.cur.End() != nil {
		return
	}
	a.commit()
	e.ends = a.ends
}

// Append implements dialect.Ending.
func (e *Ending) Append(dst []byte, in, out int64) []byte {
	seen := e.ends.seen
	if seen == 0 {
		seen = 1
	}
	dst = append(dst, `data: {"candidates":[`...)
	more := false
	for i := range int64(64) {
		if bit := uint64(1) << i; seen&bit == 0 || e.ends.ended&bit != 0 {
			continue
		}
		if more {
			dst = append(dst, ',')
		}
		more = true
		dst = append(dst, `{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"MAX_TOKENS","index":`...)
		dst = append(strconv.AppendInt(dst, i, 10), '}')
	}
	dst = append(dst, `],"usageMetadata":{"promptTokenCount":`...)
	dst = strconv.AppendInt(dst, in, 10)
	dst = append(dst, `,"candidatesTokenCount":`...)
	dst = strconv.AppendInt(dst, out, 10)
	dst = append(dst, `,"totalTokenCount":`...)
	dst = append(strconv.AppendInt(dst, in+out, 10), '}')
	for _, f := range [...]struct{ name, value string }{{"modelVersion", e.report.Model}, {"responseId", e.report.ID}} {
		if f.value != "" {
			dst = append(append(append(dst, `,"`...), f.name...), `":`...)
			dst = jsonscan.AppendString(dst, f.value)
		}
	}
	return append(dst, "}\n\n"...)
}
