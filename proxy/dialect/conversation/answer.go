package conversation

import "purser/proxy/dialect"

// Stop is why an answer ended.
type Stop uint8

// The reasons.
const (
	StopUnknown  Stop = iota
	StopEnd           // the model has finished
	StopLength        // the cap was reached, or the context window
	StopSequence      // one of the client's stop sequences
	StopTools         // tools are to be run
	StopFiltered      // the model or the provider declined
	StopPaused        // the provider wants to be asked to go on
)

// Answer is a whole answer in no dialect. Parts are texts, thoughts, tool uses and
// refusals.
type Answer struct {
	ID, Model string
	Parts     []Part
	Stop      Stop
	Sequence  string // the stop sequence met
	// Left names what the answer has beyond this, and the client does not get.
	Left []string
}

// EventKind is what an event of a stream says.
type EventKind uint8

// The kinds, in the order they come: Begin, then for each part PartBegin,
// PartMore and PartEnd, one part at a time, then Finish. Fail may come instead of
// any of them and is the last.
const (
	Begin     EventKind = iota + 1 // ID, Model
	PartBegin                      // Part: its kind; of a tool use also ID and name
	PartMore                       // Text: a piece of text, of a thought, or of a tool's arguments
	PartSeal                       // Text: the seal of the thought that is open, whole
	PartEnd
	Finish // Stop, Sequence
	Fail   // Failed
)

// Event is one step of a streamed answer.
type Event struct {
	Kind      EventKind
	ID, Model string
	Part      Part
	Text      string
	Stop      Stop
	Sequence  string
	Failed    *dialect.UpstreamError
}

// Add takes the next event of a stream into the answer that it amounts to. Of a
// failure nothing is kept.
func (a *Answer) Add(e *Event) {
	switch e.Kind {
	case Begin:
		a.ID, a.Model = e.ID, e.Model
	case PartBegin:
		a.Parts = append(a.Parts, e.Part)
	case PartMore:
		if p := &a.Parts[len(a.Parts)-1]; p.Kind == ToolUse {
			p.Call.Arguments = append(p.Call.Arguments, e.Text...)
		} else {
			p.Text += e.Text
		}
	case PartSeal:
		a.Parts[len(a.Parts)-1].Seal = e.Text
	case Finish:
		a.Stop, a.Sequence = e.Stop, e.Sequence
	}
}

// Events of whole answers: what a stream that tells the answer would say.
func (a *Answer) Events() []Event {
	events := []Event{{Kind: Begin, ID: a.ID, Model: a.Model}}
	for _, p := range a.Parts {
		begin := Part{Kind: p.Kind, Call: Call{ID: p.Call.ID, Name: p.Call.Name}}
		events = append(events, Event{Kind: PartBegin, Part: begin})
		text := p.Text
		if p.Kind == ToolUse {
			text = string(p.Call.Arguments)
		}
		if text != "" {
			events = append(events, Event{Kind: PartMore, Text: text})
		}
		if p.Seal != "" {
			events = append(events, Event{Kind: PartSeal, Text: p.Seal})
		}
		events = append(events, Event{Kind: PartEnd})
	}
	return append(events, Event{Kind: Finish, Stop: a.Stop, Sequence: a.Sequence})
}
