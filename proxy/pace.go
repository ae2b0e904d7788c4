package proxy

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"purser/proxy/price"
)

// A paced replay takes the time that a model might have taken, for clients that show
// text as it comes.
const (
	// paceToken is the time of an output token: 100 in a second.
	paceToken = 10 * time.Millisecond
	// paceMost bounds a replay: it holds a connection.
	paceMost = 15 * time.Second
)

// pace turns a replay that is whole into one that comes event by event. Only streams
// of server-sent events are: the frames of others are passed on as they are.
func (x *exchange) pace(a *Answer, c *Cached) {
	if !strings.HasPrefix(header(a, "Content-Type"), "text/event-stream") || len(a.Body) == 0 {
		return
	}
	tokens := c.Usage[price.OutputText] + c.Usage[price.OutputReasoning]
	p := &paced{ctx: x.g.base, span: min(time.Duration(max(tokens, 0))*paceToken, paceMost), began: time.Now()}
	for event := range bytes.SplitAfterSeq(a.Body, []byte("\n\n")) {
		if len(event) > 0 {
			p.left = appendPieces(p.left, event)
		}
	}
	for _, event := range p.left {
		p.size += len(event)
	}
	a.Stream, a.Body = p, nil
}

func header(a *Answer, name string) string {
	for _, h := range a.Header {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// paceBytes of text are in an event of a paced replay: some ten tokens.
const paceBytes = 40

// deltas is where the events of the dialects have text that clients put together.
var deltas = [...]string{"choices.0.delta.content", "choices.0.delta.reasoning_content", "delta.text", "delta.thinking", "candidates.0.content.parts.0.text"}

// indivisible are members that are about the text of an event and cannot be divided with it.
var indivisible = [...]string{"choices.0.logprobs", "candidates.0.finishReason", "sequence_number"}

// appendPieces appends an event, divided where it has a long text that may be.
func appendPieces(list [][]byte, event []byte) [][]byte {
	const data = "data: "
	at := bytes.Index(event, []byte(data))
	if at < 0 {
		return append(list, event)
	}
	doc := bytes.TrimRight(event[at+len(data):], "\n")
	for _, path := range indivisible {
		if r := gjson.GetBytes(doc, path); r.Exists() && r.Type != gjson.Null {
			return append(list, event)
		}
	}
	for _, path := range deltas {
		r := gjson.GetBytes(doc, path)
		if r.Type != gjson.String || len(r.Str) <= paceBytes || r.Index == 0 {
			continue
		}
		head, tail := event[:at+len(data)+r.Index], event[at+len(data)+r.Index+len(r.Raw):]
		for text := r.Str; text != ""; {
			n := min(paceBytes, len(text))
			for n < len(text) && !utf8.RuneStart(text[n]) {
				n++
			}
			quoted, err := json.Marshal(text[:n])
			if err != nil {
				return append(list, event) // no string fails
			}
			list = append(list, slices.Concat(head, quoted, tail))
			text = text[n:]
		}
		return list
	}
	return append(list, event)
}

// paced is a stream of events at about an even rate of bytes. The request has ended
// before; it is of the edge alone.
type paced struct {
	ctx   context.Context // ends when the node stops: the rest comes at once
	left  [][]byte
	size  int // bytes of all events
	sent  int
	span  time.Duration
	began time.Time
}

// Next implements Stream.
func (p *paced) Next() ([]byte, error) {
	if len(p.left) == 0 {
		return nil, io.EOF
	}
	out := p.left[0]
	p.left = p.left[1:]
	wait := time.Until(p.began.Add(time.Duration(float64(p.span) * float64(p.sent) / float64(p.size))))
	p.sent += len(out)
	if wait <= 0 || p.ctx.Err() != nil {
		return out, nil
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.ctx.Done():
	}
	return out, nil
}

// Ready implements Stream: what comes next comes in its time.
func (p *paced) Ready() bool { return false }

// Close implements Stream.
func (p *paced) Close() {}
