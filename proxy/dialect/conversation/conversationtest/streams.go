package conversationtest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"purser/proxy/dialect/conversation"
)

// Read gives the events that a reader makes of a stream which comes in pieces of
// so many bytes, or whole where that is 0, with the pieces of a part's text joined.
func Read(r conversation.Reader, stream []byte, piece int) ([]conversation.Event, error) {
	var events []conversation.Event
	keep := func(e *conversation.Event) {
		if n := len(events); e.Kind == conversation.PartMore && n > 0 && events[n-1].Kind == conversation.PartMore {
			events[n-1].Text += e.Text
			return
		}
		c := *e
		if c.Failed != nil {
			failed := *c.Failed
			c.Failed = &failed
		}
		events = append(events, c)
	}
	r.Reset()
	if piece == 0 {
		piece = max(len(stream), 1)
	}
	for chunk := range slices.Chunk(stream, piece) {
		if err := r.Feed(slices.Clone(chunk), keep); err != nil {
			return events, err
		}
	}
	return events, r.Finish(keep)
}

// Split reads a stream whole and in pieces of every small size, and says where the
// events differ, "" for nowhere.
func Split(r conversation.Reader, stream []byte) string {
	want, err := Read(r, stream, 0)
	if err != nil {
		return "whole: " + err.Error()
	}
	for piece := 1; piece <= 7; piece++ {
		if got, err := Read(r, stream, piece); err != nil || !reflect.DeepEqual(got, want) {
			return fmt.Sprintf("in pieces of %d: %v\n %+v\n %+v", piece, err, got, want)
		}
	}
	return ""
}

// Ordered says what is wrong with the order of events, "" for nothing: see
// [conversation.EventKind].
func Ordered(events []conversation.Event) string {
	open, begun, over := false, false, false
	for i, e := range events {
		wrong := over
		switch e.Kind {
		case conversation.Begin:
			wrong = wrong || begun
			begun = true
		case conversation.PartBegin:
			wrong = wrong || !begun || open
			open = true
		case conversation.PartMore, conversation.PartSeal:
			wrong = wrong || !open
		case conversation.PartEnd:
			wrong = wrong || !open
			open = false
		case conversation.Finish:
			wrong = wrong || !begun || open
			over = true
		case conversation.Fail:
			over = true
		}
		if wrong {
			return fmt.Sprintf("event %d, of kind %d", i, e.Kind)
		}
	}
	return ""
}

// Write gives the stream that a writer makes of events.
func Write(w conversation.Writer, s *conversation.Setting, events []conversation.Event, end func([]byte) []byte) []byte {
	w.Reset(s)
	var out []byte
	for i := range events {
		out = w.Append(out, &events[i])
	}
	if end != nil {
		out = end(out)
	}
	return out
}

// Script writes events for people, a line each.
func Script(events []conversation.Event) string {
	kinds := [...]string{
		conversation.Text: "text", conversation.Image: "image", conversation.Document: "document", conversation.Audio: "audio",
		conversation.ToolUse: "tool", conversation.ToolResult: "result", conversation.Thought: "thought", conversation.Refusal: "refusal",
	}
	stops := [...]string{"unknown", "end", "length", "sequence", "tools", "filtered", "paused"}
	var b strings.Builder
	for _, e := range events {
		switch e.Kind {
		case conversation.Begin:
			fmt.Fprintf(&b, "%s\n", strings.TrimSpace("begin "+e.ID+" "+e.Model))
		case conversation.PartBegin:
			fmt.Fprintf(&b, "%s\n", strings.TrimSpace(kinds[e.Part.Kind]+" "+e.Part.Call.ID+" "+e.Part.Call.Name))
		case conversation.PartMore:
			fmt.Fprintf(&b, "  %q\n", e.Text)
		case conversation.PartSeal:
			fmt.Fprintf(&b, "  seal %q\n", e.Text)
		case conversation.PartEnd:
			b.WriteString("end\n")
		case conversation.Finish:
			fmt.Fprintf(&b, "%s\n", strings.TrimSpace("finish "+stops[e.Stop]+" "+e.Sequence))
		case conversation.Fail:
			fmt.Fprintf(&b, "fail %s %s %q\n", e.Failed.Type, e.Failed.Code, e.Failed.Message)
		}
	}
	return b.String()
}
