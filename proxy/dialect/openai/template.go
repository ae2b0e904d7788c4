package openai

import (
	"bytes"

	"purser/proxy/dialect/jsonscan"
)

// template is an event whose only effect that adds up is one piece of content.
// Most events of a stream differ from the one before in nothing but that piece:
// such an event sets all else to what it is, so only its piece has to be read.
// A template is void as soon as any other event was read.
type template struct {
	choice     *foldedChoice // nil: there is no template
	text       []byte        // the piece with its quotes, part of the event
	head, tail []byte        // of the event, up to and from the quotes, both included
}

var contentKey = []byte("content")

// complete takes the text, which is a part of event, for the piece that varies.
// The event was folded without error, so that it is JSON and text is a string.
func (t *template) complete(event []byte) {
	// Slices of one array that were cut at their ends only by length tell where they begin.
	from := cap(event) - cap(t.text)
	to := from + len(t.text)
	t.head, t.tail = event[:from+1], event[to-1:]
}

// match returns the piece of an event that is otherwise the template, without
// quotes; false if the event is another, or no JSON.
func (t *template) match(event []byte) ([]byte, bool) {
	if t.choice == nil || len(event) < len(t.head)+len(t.tail) || !bytes.HasPrefix(event, t.head) || !bytes.HasSuffix(event, t.tail) {
		return nil, false
	}
	cur := jsonscan.Cursor{Doc: event, Pos: len(t.head) - 1}
	if _, err := cur.String(); err != nil || cur.Pos != len(event)-len(t.tail)+1 {
		return nil, false
	}
	return event[len(t.head) : len(event)-len(t.tail)], true
}
