package gemini

import (
	"math/bits"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/price"
)

// ReadAnswer reads a whole JSON answer of status 200 into r, which it resets. A
// body that is not such an answer gives a report without usage that is not Done.
func ReadAnswer(r *dialect.Report, e dialect.Endpoint, body []byte) {
	*r = dialect.Report{}
	a := reader{cur: jsonscan.Cursor{Doc: body, LoneSurrogates: true}, report: r}
	if a.chunk() != nil || a.cur.End() != nil {
		return
	}
	a.commit()
	if e != dialect.Embeddings {
		r.Done = r.Failed == nil && a.ends.whole()
		return
	}
	if r.Done = a.embedded && r.Failed == nil; r.Done {
		r.Choices, r.Finished = 1, 1
	}
}

// reader reads one answer or one chunk of a stream. What it finds is committed
// to the report only when the whole of it could be read.
type reader struct {
	cur    jsonscan.Cursor
	report *dialect.Report

	id, model jsonscan.Str
	usage     dialect.Span // value of usageMetadata, when not null
	failure   dialect.Span // value of error, when not null
	embedded  bool
	generated bool // has candidates

	text   int64 // bytes of output text
	deltas int64 // candidates that brought text
	first  jsonscan.Str
	ends   ends
}

// ends is which candidates of an answer there are, and which of them have ended.
type ends struct {
	seen, ended uint64 // by index
	paused      bool   // one ended only to be continued by another call
	blocked     bool   // the prompt was refused: there are none
}

// whole says that every candidate has said why it ended.
func (e *ends) whole() bool { return e.blocked || e.seen != 0 && e.seen == e.ended }

const (
	aCandidates = iota + 1
	aUsage
	aModel
	aID
	aFeedback
	aError
	aEmbedding
	aEmbeddings
)

var answerNames = newNames("candidates", "usageMetadata", "modelVersion", "responseId", "promptFeedback", "error",
	"embedding", "embeddings")

// chunk reads an answer's or chunk's object.
func (a *reader) chunk() error {
	if a.cur.Kind() != jsonscan.Object {
		return &jsonscan.SyntaxError{Offset: a.cur.Pos, Reason: "expected an object"}
	}
	return a.each(func(key []byte) error {
		field, exact := answerNames.find(key)
		k := a.cur.Kind()
		start := a.cur.Pos
		if !exact || k == jsonscan.Null {
			return a.cur.Skip()
		}
		var err error
		switch field {
		case aModel:
			return a.string(&a.model)
		case aID:
			return a.string(&a.id)
		case aCandidates:
			return a.candidates()
		case aFeedback:
			return a.feedback()
		case aUsage:
			err = a.cur.Skip()
			a.usage = dialect.Span{Start: start, End: a.cur.Pos}
			return err
		case aError:
			err = a.cur.Skip()
			a.failure = dialect.Span{Start: start, End: a.cur.Pos}
			return err
		case aEmbedding, aEmbeddings:
			a.embedded = true
		}
		return a.cur.Skip()
	})
}

// each calls do with each key of the object ahead; do reads the value. Any other
// value is read over.
func (a *reader) each(do func(key []byte) error) error {
	if a.cur.Kind() != jsonscan.Object {
		return a.cur.Skip()
	}
	return a.cur.EachMember(func(key jsonscan.Str) error { return do(a.cur.Name(key)) })
}

// string reads a string into s and any other value over.
func (a *reader) string(s *jsonscan.Str) error {
	if a.cur.Kind() != jsonscan.String {
		return a.cur.Skip()
	}
	got, err := a.cur.String()
	*s = got
	return err
}

// feedback reads why a prompt was refused, if it was.
func (a *reader) feedback() error {
	return a.each(func(key []byte) error {
		if string(key) != "blockReason" || a.cur.Kind() != jsonscan.String {
			return a.cur.Skip()
		}
		reason, err := a.cur.String()
		if string(a.cur.Name(reason)) != "BLOCKED_REASON_UNSPECIFIED" {
			a.ends.blocked, a.first = true, reason
		}
		return err
	})
}

func (a *reader) candidates() error {
	if a.cur.Kind() != jsonscan.Array {
		return a.cur.Skip()
	}
	if err := a.cur.Open(); err != nil {
		return err
	}
	for i := int64(0); ; i++ {
		more, err := a.cur.Element(i == 0)
		if !more || err != nil {
			return err
		}
		a.generated = true
		if err := a.candidate(i); err != nil {
			return err
		}
	}
}

// candidate reads the one at place, which is its index where it names none.
func (a *reader) candidate(place int64) error {
	finished, before := false, a.text
	err := a.each(func(key []byte) (err error) {
		switch k := a.cur.Kind(); {
		case string(key) == "content":
			return a.output(true)
		case string(key) == "index" && k == jsonscan.Number:
			n, whole, err := a.cur.Int()
			if whole {
				place = n
			}
			return err
		case string(key) == "finishReason" && k == jsonscan.String:
			reason, err := a.cur.String()
			switch string(a.cur.Name(reason)) {
			case "FINISH_REASON_UNSPECIFIED":
				return err
			case "CONTINUATION":
				a.ends.paused = true
			}
			finished = true
			if a.first.End == 0 {
				a.first = reason
			}
			return err
		}
		return a.cur.Skip()
	})
	bit := uint64(1) << (place & 63)
	a.ends.seen |= bit
	if finished {
		a.ends.ended |= bit
	}
	if a.text > before {
		a.deltas++
	}
	return err
}

// output counts the text in a content: every string in it that is the model's
// own. Names are those of an object there, not within a function's arguments.
func (a *reader) output(names bool) error {
	switch a.cur.Kind() {
	case jsonscan.String:
		s, err := a.cur.String()
		a.text += int64(s.Len)
		return err
	case jsonscan.Object:
		return a.each(func(key []byte) error {
			switch string(key) {
			case "role", "id", "thoughtSignature", "mimeType":
				if names {
					return a.cur.Skip()
				}
			case "inlineData": // is in usage alone
				return a.cur.Skip()
			case "args":
				return a.output(false)
			}
			return a.output(names)
		})
	case jsonscan.Array:
		return a.cur.EachElement(func(int) error { return a.output(names) })
	}
	return a.cur.Skip()
}

// commit moves what was read into the report. Later values win, but for the id
// and model, which do not change within a stream.
func (a *reader) commit() {
	r := a.report
	keep := func(s *string, v jsonscan.Str) {
		if v.End > v.Start && *s == "" && v.Len <= MaxModel {
			*s = a.cur.Text(v)
		}
	}
	keep(&r.ID, a.id)
	keep(&r.Model, a.model)
	keep(&r.Finish, a.first)
	switch {
	case !a.usage.Empty():
		readUsage(r, a.cur.Doc[a.usage.Start:a.usage.End])
	case a.generated && r.State == dialect.UsageReported:
		// A count from before this part of the answer is not the bill.
		r.State, r.Why, r.Usage = dialect.UsageUnusable, "an answer that went on after its usage", price.Usage{}
	}
	if !a.failure.Empty() {
		failed := readErrorValue(a.cur.Doc[a.failure.Start:a.failure.End])
		r.Failed = &failed
	}
	r.OutputBytes += a.text
	r.Deltas += a.deltas
	r.Choices, r.Finished = bits.OnesCount64(a.ends.seen), bits.OnesCount64(a.ends.ended)
	if a.ends.paused {
		r.Finished = 0 // the rest of it is another call's
	}
}
