package gemini

import (
	"errors"
	"fmt"
	"slices"

	"purser/proxy/dialect"
	"purser/proxy/dialect/conversation"
	wire "purser/proxy/dialect/gemini"
	"purser/proxy/dialect/jsontree"
	"purser/proxy/dialect/sse"
)

// What is wrong with an answer that cannot be told.
var (
	errFailed     = errors.New("gemini: the answer is an error")
	errNoAnswer   = errors.New("gemini: neither an answer nor a reason for none")
	errUnfinished = errors.New("gemini: the answer does not say why it ended")
)

// ReadAnswer implements conversation.Provider.
func (Dialect) ReadAnswer(body []byte) (*conversation.Answer, error) {
	var a conversation.Answer
	var failed error
	h := hearing{emit: func(e *conversation.Event) {
		if e.Kind == conversation.Fail {
			failed = errFailed
		}
		a.Add(e)
	}}
	if err := h.chunk(body); err != nil {
		return nil, err
	}
	if failed != nil {
		return nil, failed
	}
	if err := h.finish(); err != nil {
		return nil, err
	}
	a.Left = h.left
	return &a, nil
}

// NewReader implements conversation.Provider.
func (Dialect) NewReader() conversation.Reader { return &reader{} }

// reader reads one stream: events whose data are answers, each with what is new.
type reader struct {
	scan sse.Scanner
	h    hearing
}

// Reset implements conversation.Reader.
func (r *reader) Reset() {
	r.scan.Reset()
	r.h = hearing{}
}

// Feed implements conversation.Reader.
func (r *reader) Feed(chunk []byte, emit func(*conversation.Event)) error {
	r.h.emit = emit
	r.scan.Feed(chunk)
	for {
		e, ok, err := r.scan.Next()
		if err != nil {
			return fmt.Errorf("gemini: reading a stream: %w", err)
		}
		if !ok {
			return nil
		}
		if err := r.event(e); err != nil {
			return err
		}
	}
}

func (r *reader) event(e sse.Event) error {
	if e.Lines == 0 {
		return nil
	}
	return r.h.chunk(e.Data)
}

// Finish implements conversation.Reader. Only the end of the bytes ends a stream of
// Google's.
func (r *reader) Finish(emit func(*conversation.Event)) error {
	r.h.emit = emit
	if e, ok := r.scan.Rest(); ok {
		if err := r.event(e); err != nil {
			return err
		}
	}
	return r.h.finish()
}

// hearing turns an answer, whole or chunk by chunk, into events.
type hearing struct {
	emit  func(*conversation.Event)
	begun bool
	id    string                // of the answer
	open  conversation.PartKind // of the part that may go on, 0 for none
	calls int
	stop  conversation.Stop
	ended bool // it has said why it ends
	over  bool // it has failed
	left  []string
}

func (h *hearing) say(e conversation.Event) { h.emit(&e) }

// chunk reads one answer. Nothing is heard after a failure.
func (h *hearing) chunk(data []byte) error {
	if h.over {
		return nil
	}
	var r jsontree.Reader
	top := r.ReadAnswer(data, jsontree.Brackets)
	if top.Get("error").Has() {
		h.fail(data)
		return nil
	}
	candidates, feedback := top.Get("candidates"), top.Get("promptFeedback")
	if !h.begun && (candidates.Len() > 0 || feedback.Has()) {
		h.begun, h.id = true, top.Get("responseId").String()
		h.say(conversation.Event{Kind: conversation.Begin, ID: h.id, Model: top.Get("modelVersion").String()})
	}
	h.feedback(feedback)
	candidates.Each(h.candidate)
	if r.Err != nil {
		return fmt.Errorf("gemini: reading an answer: %w", r.Err)
	}
	return nil
}

func (h *hearing) fail(data []byte) {
	h.over = true
	var r dialect.Report
	wire.ReadAnswer(&r, dialect.Chat, data)
	h.say(conversation.Event{Kind: conversation.Fail, Failed: r.Failed})
}

// feedback reads why a prompt was refused. What Google says of it is all the answer
// there is.
func (h *hearing) feedback(n jsontree.Node) {
	reason := n.Get("blockReason").String()
	if reason == "" || reason == "BLOCKED_REASON_UNSPECIFIED" {
		return
	}
	h.ended, h.stop = true, conversation.StopFiltered
	if message := n.Get("blockReasonMessage").String(); message != "" {
		h.text(conversation.Refusal, message)
	}
}

// extras are the members of a candidate that a client of Google's could use.
var extras = [...]string{"citationMetadata", "groundingMetadata", "urlContextMetadata", "logprobsResult"}

func (h *hearing) candidate(i int, n jsontree.Node) {
	if index := n.Get("index"); index.Int() != 0 || i > 0 && !index.Has() {
		h.leave(n)
		return
	}
	content := n.Get("content")
	content.Get("parts").Each(func(_ int, p jsontree.Node) { h.part(p) })
	for _, name := range extras {
		if m := n.Get(name); m.Has() {
			h.leave(m)
		}
	}
	if reason := n.Get("finishReason").String(); reason != "" && reason != "FINISH_REASON_UNSPECIFIED" {
		h.ended, h.stop = true, stopOf(reason)
	}
}

// maxLeft bounds what is named of an answer's rest.
const maxLeft = 32

func (h *hearing) leave(n jsontree.Node) {
	if len(h.left) < maxLeft && !slices.Contains(h.left, n.At()) {
		h.left = append(h.left, n.At())
	}
}

// stopOf is why an answer ended. What is not known is for no dialect to guess.
func stopOf(reason string) conversation.Stop {
	switch reason {
	case "STOP":
		return conversation.StopEnd
	case "MAX_TOKENS":
		return conversation.StopLength
	case "CONTINUATION":
		return conversation.StopPaused
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return conversation.StopFiltered
	default: // OTHER, MALFORMED_FUNCTION_CALL and the like
		return conversation.StopUnknown
	}
}

func (h *hearing) part(n jsontree.Node) {
	signature := n.Get("thoughtSignature").String()
	thought := n.Get("thought").Bool()
	text, call := n.Get("text"), n.Get("functionCall")
	switch {
	case call.Has():
		h.call(call, signature)
	case text.Has() && thought:
		h.text(conversation.Thought, text.String())
		h.seal(signature)
	case text.Has() || signature != "":
		h.text(conversation.Text, text.String())
		if signature != "" {
			h.close()
			h.seal(signature)
		}
	default: // pictures, code that ran at Google
		n.Members(func(_ string, m jsontree.Node) { h.leave(m) })
	}
}

// text goes on with a part of the kind, or begins one.
func (h *hearing) text(k conversation.PartKind, text string) {
	if text == "" {
		return
	}
	h.begin(k)
	h.say(conversation.Event{Kind: conversation.PartMore, Text: text})
}

func (h *hearing) begin(k conversation.PartKind) {
	if h.open == k {
		return
	}
	h.close()
	h.open = k
	h.say(conversation.Event{Kind: conversation.PartBegin, Part: conversation.Part{Kind: k}})
}

func (h *hearing) close() {
	if h.open != 0 {
		h.open = 0
		h.say(conversation.Event{Kind: conversation.PartEnd})
	}
}

// seal ends a thought with its signature: the one that is open, or one that shows
// nothing.
func (h *hearing) seal(signature string) {
	if signature == "" {
		return
	}
	h.begin(conversation.Thought)
	h.say(conversation.Event{Kind: conversation.PartSeal, Text: ours + signature})
	h.close()
}

// call tells of a call of a function, which comes whole.
func (h *hearing) call(n jsontree.Node, signature string) {
	h.close()
	name, arguments := n.Get("name").String(), n.Get("args").Object()
	if arguments == nil {
		arguments = []byte("{}")
	}
	stem := stemOf(n.Get("id").String(), h.id, name, h.calls, arguments)
	h.calls++
	begin := conversation.Part{Kind: conversation.ToolUse, Call: conversation.Call{ID: sealedID(stem, signature), Name: name}}
	h.say(conversation.Event{Kind: conversation.PartBegin, Part: begin})
	h.say(conversation.Event{Kind: conversation.PartMore, Text: string(arguments)})
	h.say(conversation.Event{Kind: conversation.PartEnd})
}

// finish ends the answer. Calls of functions end with STOP like all else.
func (h *hearing) finish() error {
	switch {
	case h.over:
		return nil
	case !h.begun:
		return errNoAnswer
	case !h.ended:
		return errUnfinished
	}
	h.over = true
	h.close()
	if h.stop == conversation.StopEnd && h.calls > 0 {
		h.stop = conversation.StopTools
	}
	h.say(conversation.Event{Kind: conversation.Finish, Stop: h.stop})
	return nil
}
