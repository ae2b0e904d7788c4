package proxy

import (
	"bytes"
	"context"
	"io"
	"strings"
	"time"

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
	a.Stream = &paced{ctx: x.g.base, left: a.Body, size: len(a.Body), span: min(time.Duration(max(tokens, 0))*paceToken, paceMost), began: time.Now()}
	a.Body = nil
}

func header(a *Answer, name string) string {
	for _, h := range a.Header {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// paced is a stream of events at about an even rate of bytes. The request has ended
// before; it is of the edge alone.
type paced struct {
	ctx   context.Context // ends when the node stops: the rest comes at once
	left  []byte
	size  int
	span  time.Duration
	began time.Time
}

// Next implements Stream.
func (p *paced) Next() ([]byte, error) {
	if len(p.left) == 0 {
		return nil, io.EOF
	}
	at := p.began.Add(time.Duration(float64(p.span) * float64(p.size-len(p.left)) / float64(p.size)))
	if wait := time.Until(at); wait > 0 && p.ctx.Err() == nil {
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-p.ctx.Done():
		}
		t.Stop()
	}
	end := bytes.Index(p.left, []byte("\n\n"))
	if end < 0 || p.ctx.Err() != nil {
		end = len(p.left) - 2
	}
	out := p.left[:end+2]
	p.left = p.left[end+2:]
	return out, nil
}

// Ready implements Stream: an event is there when its time has come.
func (p *paced) Ready() bool { return p.ctx.Err() != nil }

// Close implements Stream.
func (p *paced) Close() {}
