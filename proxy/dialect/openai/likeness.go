package openai

import (
	"bytes"

	"purser/proxy/dialect"
	"purser/proxy/dialect/jsonscan"
	"purser/proxy/dialect/sse"
)

// likeness is the event before, for those that differ from it in one piece of
// output text, in the padding that OpenAI adds against traffic analysis, and in
// nothing else. Most events of a stream do, and all that such an event says anew
// is how long its piece is: everything else it sets to what it is.
type likeness struct {
	known   bool
	event   []byte       // a copy of its data
	piece   dialect.Span // the text in it, without quotes
	padding dialect.Span // the same, behind the piece; empty at the end of event for none
	cut     dialect.Span // what it loses
}

// take remembers event e, which a has read and which loses cut, if others can be
// measured by it. An event that reports usage or an error is not
// one of many.
func (l *likeness) take(e sse.Event, a *reader, cut dialect.Span) {
	usage := !a.usage.Empty() && e.Data[a.usage.Start] != 'n'
	padded := a.padding.End > 0
	if a.texts != 1 || usage || !a.failure.Empty() || len(e.Type) > 0 || e.DataAt < 0 ||
		padded && a.padding.Start < a.piece.End {
		return
	}
	l.known = true
	l.event = append(l.event[:0], e.Data...)
	l.piece = dialect.Span{Start: a.piece.Start, End: a.piece.End}
	l.padding = dialect.Span{Start: len(e.Data), End: len(e.Data)}
	if padded {
		l.padding = dialect.Span{Start: a.padding.Start, End: a.padding.End}
	}
	l.cut = cut
}

// match gives the bytes of output text in e and what it loses; false means that
// e has to be read.
func (l *likeness) match(e sse.Event) (text int, cut dialect.Span, ok bool) {
	if !l.known || len(e.Type) > 0 || e.DataAt < 0 || !bytes.HasPrefix(e.Data, l.event[:l.piece.Start]) {
		return 0, cut, false
	}
	cur := jsonscan.Cursor{Doc: e.Data, Pos: l.piece.Start - 1, LoneSurrogates: true}
	piece, err := cur.String()
	between := l.event[l.piece.End:l.padding.Start]
	if err != nil || !bytes.HasPrefix(e.Data[piece.End:], between) {
		return 0, cut, false
	}
	end := piece.End + len(between)
	if l.padding.End < len(l.event) {
		cur.Pos = end - 1
		padding, err := cur.String()
		if err != nil {
			return 0, cut, false
		}
		end = padding.End
	}
	if !bytes.Equal(e.Data[end:], l.event[l.padding.End:]) {
		return 0, cut, false
	}
	cut = l.cut
	grown := 0
	switch {
	case cut.Start >= l.padding.End:
		grown = end - l.padding.End
	case cut.Start >= l.piece.End:
		grown = piece.End - l.piece.End
	}
	return piece.Len, dialect.Span{Start: cut.Start + grown, End: cut.End + grown}, true
}
