package anthropic

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// ReadAnswer reads a whole JSON answer of status 200 into r, which it resets. A
// body that is not such an answer gives a report without usage that is not Done.
func ReadAnswer(r *dialect.Report, body []byte) {
	*r = dialect.Report{}
	a := reader{cur: jsonscan.Cursor{Doc: body, LoneSurrogates: true}}
	if a.object(a.member) != nil || a.cur.End() != nil {
		return
	}
	if a.kind != "message" {
		if a.kind == "error" {
			failed := readError(body)
			r.Failed = &failed
		}
		return
	}
	a.identity(r)
	n := newCounts()
	if !a.usage.Empty() && n.add(a.value(a.usage)) {
		n.report(r)
	}
	r.OutputBytes, r.Deltas = a.text, a.texts
	r.Done, r.Choices = true, 1
	if a.stop != "" {
		r.Finished, r.Finish = 1, a.stop
	}
}

// reader reads one answer, or one event of a stream.
type reader struct {
	cur     jsonscan.Cursor
	kind    string // type
	id      jsonscan.Str
	model   jsonscan.Str
	stop    string       // stop_reason
	usage   dialect.Span // value
	message dialect.Span // value, of message_start
	failure dialect.Span // value of error
	text    int64        // bytes of output
	texts   int64        // strings of output
}

func (a *reader) value(s dialect.Span) []byte { return a.cur.Doc[s.Start:s.End] }

// object reads the object ahead; do reads the value of each key.
func (a *reader) object(do func(name []byte) error) error {
	return a.cur.EachMember(func(key jsonscan.Str) error { return do(a.cur.Doc[key.Start:key.End]) })
}

// member reads one member of an answer or of an event.
func (a *reader) member(name []byte) error {
	k := a.cur.Kind()
	switch {
	case k == jsonscan.String:
		return a.stringMember(name)
	case k == jsonscan.Array && string(name) == "content":
		return a.output(nil)
	case k == jsonscan.Object:
		switch string(name) {
		case "usage":
			return a.span(&a.usage)
		case "message":
			return a.span(&a.message)
		case "error":
			return a.span(&a.failure)
		case "delta":
			return a.object(a.delta)
		case "content_block":
			return a.output(nil)
		}
	}
	return a.cur.Skip()
}

func (a *reader) stringMember(name []byte) error {
	s, err := a.cur.String()
	if err != nil {
		return err
	}
	switch string(name) {
	case "type":
		a.kind = eventType(a.cur.Doc[s.Start:s.End])
	case "id":
		a.id = s
	case "model":
		a.model = s
	case "stop_reason":
		a.stop = a.cur.Text(s)
	}
	return nil
}

// eventType gives the type without an allocation for those that are met.
func eventType(name []byte) string {
	switch string(name) {
	case "content_block_delta":
		return "content_block_delta"
	case "content_block_start":
		return "content_block_start"
	case "content_block_stop":
		return "content_block_stop"
	case "message_start":
		return "message_start"
	case "message_delta":
		return "message_delta"
	case "message_stop":
		return "message_stop"
	case "message":
		return "message"
	case "error":
		return "error"
	case "ping":
		return "ping"
	}
	return ""
}

func (a *reader) span(to *dialect.Span) error {
	start := a.cur.Pos
	err := a.cur.Skip()
	*to = dialect.Span{Start: start, End: a.cur.Pos}
	return err
}

// delta reads a member of a delta: output, or why the answer ended.
func (a *reader) delta(name []byte) error {
	if string(name) == "stop_reason" && a.cur.Kind() == jsonscan.String {
		return a.stringMember(name)
	}
	return a.output(name)
}

// output counts the strings of the model's own output in a block, a delta or a
// list of blocks.
func (a *reader) output(name []byte) error {
	switch string(name) {
	case "type", "id", "name", "tool_use_id", "signature", "stop_reason", "stop_sequence":
		return a.cur.Skip()
	}
	switch a.cur.Kind() {
	case jsonscan.String:
		s, err := a.cur.String()
		if s.Len > 0 {
			a.text, a.texts = a.text+int64(s.Len), a.texts+1
		}
		return err
	case jsonscan.Object:
		return a.object(a.output)
	case jsonscan.Array:
		return a.cur.EachElement(func(int) error { return a.output(nil) })
	}
	return a.cur.Skip()
}

// identity notes the id and the model, which do not change within a stream.
func (a *reader) identity(r *dialect.Report) {
	if a.id.Len > 0 && a.id.Len <= MaxModel && r.ID == "" {
		r.ID = a.cur.Text(a.id)
	}
	if a.model.Len > 0 && a.model.Len <= MaxModel && r.Model == "" {
		r.Model = a.cur.Text(a.model)
	}
}

// readError reads an error body or event.
func readError(body []byte) (e dialect.UpstreamError) {
	a := reader{cur: jsonscan.Cursor{Doc: body, LoneSurrogates: true}}
	if a.object(a.member) != nil || a.failure.Empty() {
		return dialect.UpstreamError{Message: dialect.ClipError(string(body[:min(len(body), dialect.MaxErrorText)]))}
	}
	in := reader{cur: jsonscan.Cursor{Doc: a.value(a.failure), LoneSurrogates: true}}
	_ = in.object(func(name []byte) error { // read before without error
		if in.cur.Kind() != jsonscan.String {
			return in.cur.Skip()
		}
		s, err := in.cur.String()
		switch string(name) {
		case "type":
			e.Type = dialect.ClipError(in.cur.Text(s))
		case "message":
			e.Message = dialect.ClipError(in.cur.Text(s))
		}
		return err
	})
	return e
}
