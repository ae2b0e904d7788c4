package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// requestTime bounds one request, far beyond what a busy machine needs.
const requestTime = 20 * time.Second

const (
	outputTokens = 50               // of every answer, one a chunk
	streamEvents = outputTokens + 4 // the role, the finish reason, the usage, [DONE]
	maxAnswer    = 1 << 20          // a body beyond this is an error
	kindsOfUser  = 8                // customers and agents the requests are spread over

	// requestsOfSession is about how many have one session: no two are alike, and no
	// rule about loops stops them.
	requestsOfSession = 16

	// paceGap is between the events of a paced stream: about as fast as models write.
	paceGap = 10 * time.Millisecond
	// paceSpread is between the beginnings of paced streams, so that they do not all
	// begin at once, time and again.
	paceSpread = streamEvents * paceGap / 64
)

// target is where a cell sends its requests.
type target struct {
	name, addr, key string
}

// serial numbers every request of the run, so that no two are alike.
var serial atomic.Int64

// load drives connections back to back until the time is over.
type load struct {
	target      target
	prompts     prompts // nil: those of about a kilobyte
	stream      bool
	paced       bool // the provider writes an event every paceGap
	connections int
	seconds     time.Duration
}

// outcome is what a load saw.
type outcome struct {
	latencies []time.Duration // sorted
	firsts    []time.Duration // until the first part of each answer's body, sorted
	putOff    int64           // requests that a node could not decide in time, as it may, and that were followed by others
	errors    int64
	first     error // one of them
	elapsed   time.Duration
}

// mostPutOff is how many requests of a connection may be put off: more is not the
// machine's doing.
const mostPutOff = 2

// errUndecided is an answer that says to try again: nothing was sent.
var errUndecided = errors.New("status 503: undecided")

func (l load) run() outcome {
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		out   outcome
		began = time.Now()
		until = began.Add(l.seconds)
	)
	for i := range l.connections {
		wg.Go(func() {
			mine, firsts, putOff, err := l.worker(i, until)
			mu.Lock()
			defer mu.Unlock()
			out.putOff += putOff
			out.latencies = append(out.latencies, mine...)
			out.firsts = append(out.firsts, firsts...)
			if err != nil {
				out.errors++
				out.first = fmt.Errorf("%s: %w", l.target.name, err)
			}
		})
	}
	wg.Wait()
	out.elapsed = time.Since(began)
	slices.Sort(out.latencies)
	slices.Sort(out.firsts)
	return out
}

// worker asks on one connection; its first error ends it.
func (l load) worker(id int, until time.Time) (latencies, firsts []time.Duration, putOff int64, err error) {
	nc, err := net.DialTimeout("tcp", l.target.addr, requestTime)
	if err != nil {
		return nil, nil, 0, err
	}
	defer nc.Close()
	c := &conn{nc: nc, r: bufio.NewReaderSize(nc, 32<<10)}
	if l.paced {
		<-time.After(time.Duration(id) * paceSpread)
	}
	for now := time.Now(); now.Before(until); {
		if err := nc.SetDeadline(now.Add(requestTime)); err != nil {
			return latencies, firsts, putOff, err
		}
		switch err := c.ask(l, id); {
		case errors.Is(err, errUndecided) && putOff < mostPutOff:
			putOff++
			now = time.Now()
			continue
		case err != nil:
			return latencies, firsts, putOff, err
		}
		done := time.Now()
		latencies, firsts = append(latencies, done.Sub(now)), append(firsts, c.first.Sub(now))
		now = done
	}
	return latencies, firsts, putOff, nil
}

// conn is one client connection with its buffers.
type conn struct {
	nc                  net.Conn
	r                   *bufio.Reader
	request, body, text []byte
	first               time.Time // the first part of the body was here
}

// ask sends one request and reads its whole answer, which it checks.
func (c *conn) ask(l load, id int) error {
	if l.prompts != nil {
		c.text = l.prompts.append(c.text[:0], l.stream)
	} else {
		c.text = appendPrompt(c.text[:0], l.stream)
	}
	c.request = appendRequest(c.request[:0], l, id, c.text)
	if _, err := c.nc.Write(c.request); err != nil {
		return err
	}
	status, err := c.answer()
	if err != nil {
		return err
	}
	return complete(status, c.body, l.stream)
}

// appendPrompt appends a chat request of about a kilobyte that was never sent before.
func appendPrompt(b []byte, stream bool) []byte {
	b = appendOpening(b, stream)
	b = append(b, `"},{"role":"user","content":"Question `...)
	b = strconv.AppendInt(b, serial.Add(1), 10)
	return append(b, `: what changed in the module, and what should be tested next?"}]}`...)
}

// appendOpening appends a chat request up to the end of what the operator says in it.
func appendOpening(b []byte, stream bool) []byte {
	b = append(b, `{"model":"gpt-4.1-mini","service_tier":"default","max_completion_tokens":64,`...)
	if stream {
		b = append(b, `"stream":true,"stream_options":{"include_usage":true},`...)
	}
	b = append(b, `"messages":[{"role":"system","content":"You are a careful engineer.`...)
	for range 24 {
		b = append(b, " Answer in full sentences, and cite."...)
	}
	return b
}

func appendRequest(b []byte, l load, id int, body []byte) []byte {
	b = append(b, "POST /v1/chat/completions HTTP/1.1\r\nHost: "...)
	b = append(b, l.target.addr...)
	b = append(b, "\r\nUser-Agent: purser-bench\r\nAccept: application/json\r\nContent-Type: application/json\r\nAuthorization: Bearer "...)
	b = append(b, l.target.key...)
	b = append(b, "\r\nx-purser-customer: customer-"...)
	b = strconv.AppendInt(b, int64(id%kindsOfUser), 10)
	b = append(b, "\r\nx-purser-agent: agent-"...)
	b = strconv.AppendInt(b, int64(id/2%kindsOfUser), 10)
	b = append(b, "\r\nx-purser-session: session-"...)
	b = strconv.AppendInt(b, serial.Load()/requestsOfSession, 10)
	if l.paced {
		b = append(append(b, "\r\nx-sim-mode: slow-chunks="...), paceGap.String()...)
	}
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	return append(b, body...)
}

// answer reads one answer into c.body. It knows the two framings a server may
// choose here, Content-Length and chunks, and takes all else for an error.
func (c *conn) answer() (status int, err error) {
	line, err := c.line()
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("the status line is %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("the status line is %q", line)
	}
	length, chunked := -1, false
	for {
		if line, err = c.line(); err != nil {
			return 0, err
		}
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case bytes.EqualFold(name, []byte("content-length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > maxAnswer {
				return 0, fmt.Errorf("the content length is %q", value)
			}
		case bytes.EqualFold(name, []byte("transfer-encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		}
	}
	c.body = c.body[:0]
	switch {
	case chunked:
		return status, c.chunks()
	case length >= 0:
		return status, c.read(length)
	default:
		return 0, fmt.Errorf("an answer of status %d is neither chunked nor of a known length", status)
	}
}

func (c *conn) chunks() error {
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		n, err := strconv.ParseInt(string(line), 16, 32)
		if err != nil || n < 0 || len(c.body)+int(n) > maxAnswer {
			return fmt.Errorf("a chunk's size is %q", line)
		}
		if err := c.read(int(n)); err != nil {
			return err
		}
		if line, err = c.line(); err != nil {
			return err
		}
		if len(line) != 0 {
			return fmt.Errorf("a chunk ends in %q", line)
		}
		if n == 0 {
			return nil
		}
	}
}

// read appends n bytes to the body.
func (c *conn) read(n int) error {
	from := len(c.body)
	c.body = slices.Grow(c.body, n)[:from+n]
	_, err := io.ReadFull(c.r, c.body[from:])
	if from == 0 {
		c.first = time.Now()
	}
	return err
}

func (c *conn) line() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

// complete says whether body is all of an answer.
func complete(status int, body []byte, stream bool) error {
	if status == 503 && bytes.Contains(body, []byte(`"code":"undecided"`)) {
		return fmt.Errorf("%w: %.300s", errUndecided, body)
	}
	if status != 200 {
		return fmt.Errorf("status %d: %.300s", status, body)
	}
	if stream {
		if n := bytes.Count(body, []byte("data: ")); n != streamEvents || !bytes.HasSuffix(body, []byte("data: [DONE]\n\n")) {
			return fmt.Errorf("a stream has %d of %d events and ends in %.40q", n, streamEvents, body[max(0, len(body)-40):])
		}
		return nil
	}
	if !bytes.HasSuffix(body, []byte("}}}")) || !bytes.Contains(body, []byte(`"completion_tokens":50,`)) {
		return fmt.Errorf("an answer of %d bytes is not whole", len(body))
	}
	return nil
}
