package openai

import (
	"math/bits"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
)

// ReadAnswer reads a whole JSON answer of status 200 into r, which it resets. A
// body that is not such an answer gives a report without usage that is not Done.
func ReadAnswer(r *dialect.Report, e dialect.Endpoint, body []byte) {
	*r = dialect.Report{}
	if e == dialect.Responses || e == dialect.Compact {
		readResponse(r, body)
		return
	}
	a := reader{cur: jsonscan.Cursor{Doc: body, LoneSurrogates: true}, report: r, message: "message"}
	if e == dialect.Completions {
		a.message = completionText
	}
	if a.chunk() != nil || a.cur.End() != nil {
		*r = dialect.Report{}
		return
	}
	a.commit()
	r.Done = r.Failed == nil
	if e == dialect.Embeddings && a.data {
		r.Choices, r.Finished = 1, 1
	}
}

// completionText is the member of a legacy completion's choice that holds text.
const completionText = "text"

// reader reads one answer or one chunk of a stream. What it finds is committed
// to the report only when the whole of it could be read.
type reader struct {
	cur     jsonscan.Cursor
	report  *dialect.Report
	message string // the member of a choice that holds text: "message", "delta" or "text"

	id, model, tier jsonscan.Str
	padding         jsonscan.Str
	usage           dialect.Span // value of the usage member, null included
	usageMember     dialect.Span // the same with its key
	failure         dialect.Span // value of the error member
	choices         int          // entries of the choices array
	hasChoices      bool
	data            bool

	text   int64        // bytes of output text
	deltas int64        // choices that brought text
	texts  int          // strings of output text
	piece  jsonscan.Str // the last of them

	first       jsonscan.Str // finish reason met first
	seen, ended choiceSet
}

// choiceSet is a set of choice indices, of which there are at most MaxAnswers.
type choiceSet [2]uint64

func (s *choiceSet) add(i int64) {
	if i >= 0 && i < 128 {
		s[i>>6] |= 1 << (i & 63)
	}
}

func (s *choiceSet) has(i int64) bool { return s[i>>6]&(1<<(i&63)) != 0 }

func (s *choiceSet) size() int { return bits.OnesCount64(s[0]) + bits.OnesCount64(s[1]) }

// chunk reads an answer's or chunk's object.
func (a *reader) chunk() error {
	if a.cur.Kind() != jsonscan.Object {
		return &jsonscan.SyntaxError{Offset: a.cur.Pos, Reason: "expected an object"}
	}
	return a.cur.EachMember(func(key jsonscan.Str) error { return a.member(key) })
}

func (a *reader) member(key jsonscan.Str) error {
	k := a.cur.Kind()
	start := a.cur.Pos
	switch name := a.cur.Doc[key.Start:key.End]; string(name) {
	case "id":
		return text1(&a.cur, &a.id)
	case "model":
		return text1(&a.cur, &a.model)
	case "service_tier":
		return text1(&a.cur, &a.tier)
	case "obfuscation":
		return text1(&a.cur, &a.padding)
	case "choices":
		if k == jsonscan.Array {
			a.hasChoices = true
			return a.choiceList()
		}
	case "data":
		a.data = k == jsonscan.Array
	case "usage":
		err := a.cur.Skip()
		a.usage = dialect.Span{Start: start, End: a.cur.Pos}
		a.usageMember = dialect.Span{Start: key.Start - 1, End: a.cur.Pos}
		return err
	case "error":
		err := a.cur.Skip()
		if k != jsonscan.Null {
			a.failure = dialect.Span{Start: start, End: a.cur.Pos}
		}
		return err
	}
	return a.cur.Skip()
}

func (a *reader) choiceList() error {
	if err := a.cur.Open(); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := a.cur.Element(first)
		if !more || err != nil {
			return err
		}
		a.choices++
		if a.cur.Kind() != jsonscan.Object {
			if err := a.cur.Skip(); err != nil {
				return err
			}
			continue
		}
		if err := a.choice(); err != nil {
			return err
		}
	}
}

func (a *reader) choice() error {
	if err := a.cur.Open(); err != nil {
		return err
	}
	index := int64(a.choices - 1)
	finished := false
	before := a.text
	for first := true; ; first = false {
		key, more, err := a.cur.Member(first)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		k := a.cur.Kind()
		switch name := a.cur.Doc[key.Start:key.End]; {
		case string(name) == a.message:
			err = a.output("")
		case string(name) == "index" && k == jsonscan.Number:
			n, whole, e := a.cur.Int()
			if err = e; whole {
				index = n
			}
		case string(name) == "finish_reason" && k == jsonscan.String:
			var s jsonscan.Str
			if s, err = a.cur.String(); err == nil && a.first.End == 0 {
				a.first = s
			}
			finished = true
		default:
			err = a.cur.Skip()
		}
		if err != nil {
			return err
		}
	}
	a.seen.add(index)
	if finished {
		a.ended.add(index)
	}
	if a.text > before {
		a.deltas++
	}
	return nil
}

// output counts the text in a message or delta: every string in it but the
// names that are not the model's own output.
func (a *reader) output(name string) error {
	switch name {
	case "role", "id", "type":
		return a.cur.Skip()
	}
	switch a.cur.Kind() {
	case jsonscan.String:
		s, err := a.cur.String()
		a.text += int64(s.Len)
		a.texts, a.piece = a.texts+1, s
		return err
	case jsonscan.Object:
		return a.cur.EachMember(func(key jsonscan.Str) error { return a.output(outputName(a.cur.Doc[key.Start:key.End])) })
	case jsonscan.Array:
		return a.cur.EachElement(func(int) error { return a.output("") })
	}
	return a.cur.Skip()
}

func outputName(key []byte) string {
	switch string(key) {
	case "role":
		return "role"
	case "id":
		return "id"
	case "type":
		return "type"
	}
	return ""
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
	if a.tier.End > a.tier.Start && a.tier.Len <= maxTier && r.ServiceTier != string(a.cur.Name(a.tier)) {
		r.ServiceTier = a.cur.Text(a.tier)
	}
	if !a.usage.Empty() && a.cur.Doc[a.usage.Start] != 'n' {
		readUsage(r, a.cur.Doc[a.usage.Start:a.usage.End], &chatUsage)
	}
	if !a.failure.Empty() {
		failed := readErrorValue(a.cur.Doc[a.failure.Start:a.failure.End])
		r.Failed = &failed
	}
	r.OutputBytes += a.text
	r.Deltas += a.deltas
	r.Choices, r.Finished = a.seen.size(), a.ended.size()
}
