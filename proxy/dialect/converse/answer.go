package converse

import (
	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// ReadAnswer reads a whole JSON answer of status 200 into r, which it resets. A body
// that is not such an answer gives a report without usage that is not Done.
func ReadAnswer(r *dialect.Report, body []byte) {
	*r = dialect.Report{}
	a := reader{cur: jsonscan.Cursor{Doc: body, LoneSurrogates: true}}
	if a.object(a.member) != nil || a.cur.End() != nil || !a.answered {
		return
	}
	r.OutputBytes, r.Deltas = a.text, a.texts
	r.Done, r.Choices = true, 1
	a.stopped(r)
	a.metered(r)
}

// reader reads one answer, or one event of a stream.
type reader struct {
	cur      jsonscan.Cursor
	answered bool   // there is a message
	stop     string // stopReason
	tier     string // serviceTier.type
	usage    dialect.Span
	text     int64 // bytes of output
	texts    int64 // strings of output
}

// object reads the object ahead; do reads the value of each key. Any other value is
// read over.
func (a *reader) object(do func(name []byte) error) error {
	if a.cur.Kind() != jsonscan.Object {
		return a.cur.Skip()
	}
	return a.cur.EachMember(func(key jsonscan.Str) error { return do(a.cur.Name(key)) })
}

// member reads one member of an answer or of an event.
func (a *reader) member(name []byte) error {
	switch string(name) {
	case "output":
		return a.object(func(name []byte) error {
			if string(name) != "message" {
				return a.cur.Skip()
			}
			a.answered = a.cur.Kind() == jsonscan.Object
			return a.object(func(name []byte) error {
				if string(name) != "content" {
					return a.cur.Skip()
				}
				return a.output(nil)
			})
		})
	case "delta", "start":
		return a.output(nil)
	case "stopReason":
		return a.word(&a.stop)
	case "usage":
		start, end, err := a.cur.Value()
		a.usage = dialect.Span{Start: start, End: end}
		return err
	case "serviceTier":
		return a.object(func(name []byte) error {
			if string(name) != "type" {
				return a.cur.Skip()
			}
			return a.word(&a.tier)
		})
	}
	return a.cur.Skip()
}

// word reads a short string, and any other value over.
func (a *reader) word(to *string) error {
	if a.cur.Kind() != jsonscan.String {
		return a.cur.Skip()
	}
	s, err := a.cur.String()
	if err == nil && s.Len <= maxWord {
		*to = a.cur.Text(s)
	}
	return err
}

// output counts the strings of the model's own output in a list of blocks, a block
// or a delta.
func (a *reader) output(name []byte) error {
	switch string(name) {
	case "toolUseId", "name", "type", "signature", "redactedContent":
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

func (a *reader) stopped(r *dialect.Report) {
	if a.stop != "" {
		r.Finished, r.Finish = r.Choices, a.stop
	}
}

func (a *reader) metered(r *dialect.Report) {
	if a.tier != "" {
		r.ServiceTier = a.tier
	}
	if a.usage.Empty() {
		return
	}
	var n counts
	n.read(a.cur.Doc[a.usage.Start:a.usage.End])
	if n.given {
		n.report(r)
	}
}

// ReadError reads the body of an error, or of an exception in a stream. What kind it
// is of is not in it.
func ReadError(body []byte) (e dialect.UpstreamError) {
	a := reader{cur: jsonscan.Cursor{Doc: body, LoneSurrogates: true}}
	err := a.object(func(name []byte) error {
		if string(name) != "message" && string(name) != "Message" || a.cur.Kind() != jsonscan.String {
			return a.cur.Skip()
		}
		s, err := a.cur.String()
		if err == nil {
			e.Message = dialect.ClipError(a.cur.Text(s))
		}
		return err
	})
	if err != nil || e.Message == "" {
		e.Message = dialect.ClipError(string(body[:min(len(body), dialect.MaxErrorText)]))
	}
	return e
}
