package simprovider

import (
	"bytes"
	"compress/gzip"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"
)

// ending says why an answer ended where it did.
type ending uint8

const (
	notEnded   ending = iota
	endedGone         // the caller hung up
	endedCut          // the plan cut it
	endedError        // the plan wants an error event here
)

// maxPending bounds what a stream without flushes gathers before it writes.
const maxPending = 64 << 10

// wire puts one answer on the connection, the way the plan says. After an
// ending other than notEnded it takes no more.
type wire struct {
	c       *conn
	plan    *Plan
	perSend int           // chunks in a write, 0 for as many as fit
	gap     time.Duration // between chunks
	ended   ending
	close   bool   // the connection must not be used again
	name    string // of the next event, "" for none
	frames  bool   // events are messages of AWS's event stream

	out     []byte // head or framing, then payload: what goes to the kernel
	pending []byte // events not yet written
	waiting int    // events in pending
	events  int    // events taken so far

	zip    *gzip.Writer
	zipped bytes.Buffer
}

func (w *wire) reset(c *conn, plan *Plan, cfg *Config) {
	w.c, w.plan, w.perSend, w.gap = c, plan, cfg.ChunksPerWrite, cfg.ChunkGap+plan.chunkGap
	w.ended, w.close = notEnded, plan.close || plan.idleClose
	w.out, w.pending, w.waiting, w.events, w.name, w.frames = w.out[:0], w.pending[:0], 0, 0, "", false
	if plan.burst {
		w.perSend, w.gap = 0, 0
	}
}

// head begins an answer: status line and the headers every answer has.
func (w *wire) head(status int, contentType string) {
	w.out = append(w.out[:0], "HTTP/1.1 "...)
	w.out = strconv.AppendInt(w.out, int64(status), 10)
	w.out = append(append(w.out, ' '), fasthttp.StatusMessage(status)...)
	w.out = append(w.out, "\r\nServer: simprovider\r\nDate: "...)
	w.out = fasthttp.AppendHTTPDate(w.out, time.Now())
	w.out = append(append(w.out, "\r\nContent-Type: "...), contentType...)
	w.out = append(w.out, "\r\n"...)
	if w.plan.close {
		w.out = append(w.out, "Connection: close\r\n"...)
	}
}

func (w *wire) header(name, value string) {
	w.out = append(append(w.out, name...), ": "...)
	w.out = append(append(w.out, value...), "\r\n"...)
}

func (w *wire) headerInt(name string, value int64) {
	w.out = append(append(w.out, name...), ": "...)
	w.out = append(strconv.AppendInt(w.out, value, 10), "\r\n"...)
}

// body ends an answer of known length.
func (w *wire) body(body []byte) {
	if w.plan.badJSON && len(body) > 1 {
		body = body[:len(body)/2]
	}
	if w.plan.gzip {
		body = w.compress(body)
		w.header("Content-Encoding", "gzip")
	}
	length := len(body) + w.plan.badLength
	if w.plan.badLength != 0 {
		length = max(length, 1)
		w.close = true
	}
	w.headerInt("Content-Length", int64(length))
	w.out = append(w.out, "\r\n"...)
	if w.plan.cutAfter >= 0 {
		w.send(body[:len(body)/2], false)
		w.stop(endedCut)
		return
	}
	w.send(body, false)
}

// stream ends the head of an answer of chunks.
func (w *wire) stream() {
	if w.plan.gzip {
		w.zipped.Reset()
		w.zip = gzip.NewWriter(&w.zipped)
		w.header("Content-Encoding", "gzip")
	}
	w.out = append(w.out, "Transfer-Encoding: chunked\r\n\r\n"...)
}

// named is event with the event's name.
func (w *wire) named(name string, data []byte) bool {
	w.name = name
	return w.event(data)
}

// event takes the data of one SSE event, and says whether to go on.
func (w *wire) event(data []byte) bool {
	switch {
	case w.ended != notEnded:
		return false
	case w.plan.cutAfter >= 0 && w.events >= w.plan.cutAfter:
		w.flush()
		return w.stop(endedCut)
	case w.plan.errorAfter >= 0 && w.events >= w.plan.errorAfter:
		w.flush()
		return w.stop(endedError)
	}
	if w.gap > 0 && w.events > 0 {
		w.flush()
		if w.c.wait(w.gap) {
			return w.stop(endedGone)
		}
	}
	w.appendEvent(data)
	w.events++
	w.waiting++
	if w.perSend > 0 && w.waiting >= w.perSend || len(w.pending) > maxPending && !w.plan.burst {
		w.flush()
	}
	return w.ended == notEnded
}

func (w *wire) appendEvent(data []byte) {
	if w.frames {
		w.pending = appendFrame(w.pending, w.name, data)
		return
	}
	end := "\n\n"
	if w.plan.crlf {
		end = "\r\n\r\n"
	}
	if w.plan.comments {
		w.pending = append(append(w.pending, ": keep-alive"...), end...)
	}
	if w.name != "" {
		w.pending = append(append(append(w.pending, "event: "...), w.name...), end[:len(end)/2]...)
	}
	w.pending = append(append(w.pending, "data: "...), data...)
	w.pending = append(w.pending, end...)
}

// stop ends the answer early; the first reason stays.
func (w *wire) stop(why ending) bool {
	if w.ended == notEnded {
		w.ended = why
	}
	w.close = w.close || w.ended != endedError
	return false
}

// flush writes what is pending, head included.
func (w *wire) flush() {
	payload := w.pending
	w.pending, w.waiting = w.pending[:0], 0
	if w.ended == endedGone || len(payload) == 0 && len(w.out) == 0 {
		return
	}
	if w.plan.gzip && len(payload) > 0 {
		w.zip.Write(payload) // into memory: cannot fail
		w.zip.Flush()
		payload = w.zipped.Bytes()
		defer w.zipped.Reset()
	}
	w.send(payload, true)
}

// finish writes what is pending and the end of the stream.
func (w *wire) finish() {
	if w.plan.gzip {
		w.zip.Write(w.pending)
		w.zip.Close()
		w.pending = append(w.pending[:0], w.zipped.Bytes()...)
		w.zipped.Reset()
	}
	payload := w.pending
	w.pending = w.pending[:0]
	if w.ended == endedGone {
		return
	}
	if w.plan.split == splitNot {
		w.frame(payload)
		w.out = append(w.out, "0\r\n\r\n"...)
		w.write(w.out)
		w.out = w.out[:0]
		return
	}
	w.send(payload, true)
	w.write([]byte("0\r\n\r\n"))
}

// frame appends one HTTP chunk to what goes out.
func (w *wire) frame(payload []byte) {
	if len(payload) == 0 {
		return
	}
	w.out = strconv.AppendInt(w.out, int64(len(payload)), 16)
	w.out = append(append(w.out, "\r\n"...), payload...)
	w.out = append(w.out, "\r\n"...)
}

// send writes a payload behind what is in out. A split plan makes a write, and
// in a stream an HTTP chunk, of each fragment.
func (w *wire) send(payload []byte, chunked bool) {
	for {
		fragment := payload
		if w.plan.split != splitNot {
			fragment = payload[:w.plan.split.fragment(payload)]
		}
		if chunked {
			w.frame(fragment)
		} else {
			w.out = append(w.out, fragment...)
		}
		w.write(w.out)
		w.out = w.out[:0]
		payload = payload[len(fragment):]
		if len(payload) == 0 || w.ended == endedGone {
			return
		}
	}
}

// fragment is the length of the first write of a payload.
func (s splitting) fragment(payload []byte) int {
	for i := 1; i < len(payload); i++ {
		switch {
		case s == splitBytes,
			s == splitRune && !utf8.RuneStart(payload[i]),
			s == splitCRLF && payload[i-1] == '\r' && payload[i] == '\n':
			return i
		}
	}
	return len(payload)
}

func (w *wire) write(b []byte) {
	if w.ended == endedGone || len(b) == 0 {
		return
	}
	w.c.nc.SetWriteDeadline(time.Now().Add(writeTimeout)) // fails with the write, if at all
	if _, err := w.c.nc.Write(b); err != nil {
		w.ended, w.close = endedGone, true
	}
}

func (w *wire) compress(b []byte) []byte {
	w.zipped.Reset()
	z := gzip.NewWriter(&w.zipped)
	z.Write(b) // into memory: cannot fail
	z.Close()
	return bytes.Clone(w.zipped.Bytes())
}
