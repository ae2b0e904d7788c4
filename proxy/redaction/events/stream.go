package events

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/sse"
	"purser/proxy/redaction"
	"purser/proxy/redaction/body"
)

// Limits of what a stream holds back.
const (
	maxEvents = 4096
	maxBytes  = 4 << 20
)

// Setting is what a stream is redacted with.
type Setting struct {
	Dialect  Dialect
	Array    bool // Gemini's stream as one JSON array, instead of server-sent events
	JSONText bool // the request asks for JSON, so that the text is JSON
	Plan     *redaction.Plan
	Hasher   redaction.Hasher
	Values   *redaction.Values
}

// Stream redacts one stream. It belongs to one goroutine.
type Stream struct {
	Setting
	plan    *redaction.Plan
	hasher  redaction.Hasher
	values  *redaction.Values
	scanner *redaction.Scanner
	whole   *body.Redactor
	Counts  body.Counts

	events   sse.Scanner
	elements elements
	queue    []*event
	held     int // bytes in it
	channels []*channel
	out      []byte
}

// event is one that waits.
type event struct {
	plain  []byte // as it came, where raw is not; nil else
	raw    []byte
	at, to int // the data, in raw
	edits  []body.Edit
	pieces []*piece
	places []slot // of the pieces
}

// New makes one.
func New(s Setting) *Stream {
	t := &Stream{Setting: s, plan: s.Plan, hasher: s.Hasher, values: s.Values, whole: body.NewAnswer(s.Plan, s.Hasher, s.Values)}
	if s.Plan != nil {
		t.scanner = s.Plan.NewScanner()
	}
	return t
}

// Feed takes the next bytes of the stream and gives those that go on. They are the
// stream's own until its next call. After an error nothing goes on: it is a
// *body.Blocked, or the stream is not what it should be.
func (s *Stream) Feed(b []byte) ([]byte, error) {
	s.out = s.out[:0]
	var err error
	if s.Array {
		err = s.elements.each(b, func(raw []byte, at, to int) error { return s.event(raw, at, to) })
	} else {
		err = s.events.Each(b, s.sent)
	}
	return s.out, err
}

// Finish gives what is left at the stream's end.
func (s *Stream) Finish() ([]byte, error) {
	s.out = s.out[:0]
	if !s.Array {
		if e, ok := s.events.Rest(); ok {
			if err := s.sent(e); err != nil {
				return nil, err
			}
		}
	}
	if err := s.end(""); err != nil {
		return nil, err
	}
	s.release()
	if s.Array {
		s.out = append(s.out, s.elements.rest()...)
	}
	return s.out, nil
}

// sent takes a server-sent event. Data of several lines is joined to one.
func (s *Stream) sent(e sse.Event) error {
	if e.DataAt >= 0 || e.Lines == 0 {
		return s.event(e.Raw, max(e.DataAt, 0), max(e.DataAt, 0)+len(e.Data)*min(e.Lines, 1))
	}
	var raw []byte
	if len(e.Type) > 0 {
		raw = append(append(append(raw, "event: "...), e.Type...), '\n')
	}
	raw = append(raw, "data: "...)
	at := len(raw)
	raw = append(raw, bytes.ReplaceAll(e.Data, []byte{'\n'}, []byte{' '})...)
	to := len(raw)
	return s.add(&event{plain: bytes.Clone(e.Raw), raw: append(raw, "\n\n"...), at: at, to: to})
}

// event takes the next event, whose data is raw[at:to].
func (s *Stream) event(raw []byte, at, to int) error {
	if s.plain(raw[at:to]) { // as most are where only placeholders are sought: no copy
		s.out = append(s.out, raw...)
		return nil
	}
	return s.add(&event{raw: bytes.Clone(raw), at: at, to: to})
}

func (s *Stream) add(ev *event) error {
	data := ev.raw[ev.at:ev.to]
	if s.plain(data) {
		s.out = ev.append(s.out)
		return nil
	}
	s.queue = append(s.queue, ev)
	s.held += len(ev.raw)
	if len(data) > 0 {
		if err := s.hear(ev, data); err != nil {
			return err
		}
	}
	if len(s.queue) > maxEvents || s.held > maxBytes || len(s.channels) > maxEvents {
		if err := s.end(""); err != nil {
			return err
		}
	}
	s.release()
	return nil
}

// plain says that an event has nothing to do with a placeholder: nothing is looked for
// but these, none has begun before, and none begins in it, in whatever form.
func (s *Stream) plain(data []byte) bool {
	return s.plan == nil && len(s.queue) == 0 && bytes.IndexByte(data, '<') < 0 && bytes.IndexByte(data, '\\') < 0
}

func (s *Stream) hear(ev *event, data []byte) error {
	h := s.Dialect.hear(data, s.JSONText)
	var touched []*channel
	for _, place := range h.slots {
		c := s.channel(place)
		raw := data[place.start:place.end]
		ev.pieces = append(ev.pieces, c.add(raw, bytes.IndexByte(raw, '\\') >= 0))
		ev.places = append(ev.places, place)
		if !slices.Contains(touched, c) {
			touched = append(touched, c)
		}
	}
	for _, c := range touched {
		if err := s.decide(c, false); err != nil {
			return err
		}
	}
	skip := func(start int) bool {
		return slices.ContainsFunc(h.slots, func(p slot) bool { return p.start == start })
	}
	edits, err := s.whole.AnswerEdits(data, skip)
	if _, bad := asSyntax(err); bad {
		err = s.unread(data)
	}
	if err != nil {
		return err
	}
	ev.edits = edits
	if h.all {
		return s.end("")
	}
	for _, prefix := range h.ended {
		if err := s.end(prefix); err != nil {
			return err
		}
	}
	return nil
}

var errUnread = errors.New("an event that is not JSON has a value in it that is not to pass")

// unread looks at an event that is not JSON, such as [DONE]. It goes on as it is, or
// not at all.
func (s *Stream) unread(data []byte) error {
	if s.plan == nil {
		return nil
	}
	found, full := s.scanner.Scan(data)
	if full {
		return redaction.ErrTooMany
	}
	for i := range found {
		f := &found[i]
		s.Counts.Add(f)
		switch f.Action {
		case redaction.Report:
		case redaction.Block:
			return &body.Blocked{Finding: f.Name(), Spec: f.Spec}
		default:
			return errUnread
		}
	}
	return nil
}

func asSyntax(err error) (*jsonscan.SyntaxError, bool) {
	e, ok := err.(*jsonscan.SyntaxError)
	return e, ok
}

// channel finds the channel of a slot.
func (s *Stream) channel(p slot) *channel {
	for _, c := range s.channels {
		if c.name == p.channel {
			return c
		}
	}
	c := &channel{name: p.channel, inJSON: p.inJSON}
	s.channels = append(s.channels, c)
	return c
}

// end decides the rest of channels whose names begin so, and forgets them.
func (s *Stream) end(prefix string) error {
	left := s.channels[:0]
	for _, c := range s.channels {
		if !strings.HasPrefix(c.name, prefix) {
			left = append(left, c)
			continue
		}
		if err := s.decide(c, true); err != nil {
			return err
		}
	}
	clear(s.channels[len(left):])
	s.channels = left
	return nil
}

// release lets go of events from the first on, as long as they are decided.
func (s *Stream) release() {
	n := 0
	for ; n < len(s.queue); n++ {
		ev := s.queue[n]
		if slices.ContainsFunc(ev.pieces, func(p *piece) bool { return !p.decided }) {
			break
		}
		s.out = ev.append(s.out)
		s.held -= len(ev.raw)
	}
	s.queue = slices.Delete(s.queue, 0, n)
}

// append writes the event with its edits.
func (ev *event) append(dst []byte) []byte {
	edits := ev.edits
	for i, p := range ev.pieces {
		for _, e := range body.InString(p.raw, p.escaped, p.edits) {
			e.Start, e.End = e.Start+ev.places[i].start, e.End+ev.places[i].start
			edits = append(edits, e)
		}
	}
	if len(edits) == 0 {
		if ev.plain != nil {
			return append(dst, ev.plain...)
		}
		return append(dst, ev.raw...)
	}
	slices.SortFunc(edits, func(a, b body.Edit) int { return a.Start - b.Start })
	dst = append(dst, ev.raw[:ev.at]...)
	dst = body.Apply(dst, ev.raw[ev.at:ev.to], edits)
	return append(dst, ev.raw[ev.to:]...)
}
