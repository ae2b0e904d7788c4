package main

import (
	"bufio"
	"bytes"
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
	stream      bool
	connections int
	seconds     time.Duration
}

// outcome is what a load saw.
type outcome struct {
	latencies []time.Duration // sorted
	errors    int64
	first     error // one of them
	elapsed   time.Duration
}

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
			mine, err := l.worker(i, until)
			mu.Lock()
			defer mu.Unlock()
			out.latencies = append(out.latencies, mine...)
			if err != nil {
				out.errors++
				out.first = fmt.Errorf("%s: %w", l.target.name, err)
			}
		})
	}
	wg.Wait()
	out.elapsed = time.Since(began)
	slices.Sort(out.latencies)
	return out
}

// worker asks on one connection; its first error ends it.
func (l load) worker(id int, until time.Time) ([]time.Duration, error) {
	nc, err := net.DialTimeout("tcp", l.target.addr, requestTime)
	if err != nil {
		return nil, err
	}
	defer nc.Close()
	c := &conn{nc: nc, r: bufio.NewReaderSize(nc, 32<<10)}
	var latencies []time.Duration
	for now := time.Now(); now.Before(until); {
		if err := nc.SetDeadline(now.Add(requestTime)); err != nil {
			return latencies, err
		}
		if err := c.ask(l.target, l.stream, id); err != nil {
			return latencies, err
		}
		done := time.Now()
		latencies = append(latencies, done.Sub(now))
		now = done
	}
	return latencies, nil
}

// conn is one client connection with its buffers.
type conn struct {
	nc                  net.Conn
	r                   *bufio.Reader
	request, body, text []byte
}

// ask sends one request and reads its whole answer, which it checks.
func (c *conn) ask(t target, stream bool, id int) error {
	c.text = appendPrompt(c.text[:0], stream)
	c.request = appendRequest(c.request[:0], t, id, c.text)
	if _, err := c.nc.Write(c.request); err != nil {
		return err
	}
	status, err := c.answer()
	if err != nil {
		return err
	}
	return complete(status, c.body, stream)
}

// appendPrompt appends a chat request of about a kilobyte that was never sent before.
func appendPrompt(b []byte, stream bool) []byte {
	b = append(b, `{"model":"gpt-4.1-mini","service_tier":"default","max_completion_tokens":64,`...)
	if stream {
		b = append(b, `"stream":true,"stream_options":{"include_usage":true},`...)
	}
	b = append(b, `"messages":[{"role":"system","content":"You are a careful engineer.`...)
	for range 24 {
		b = append(b, " Answer in full sentences, and cite."...)
	}
	b = append(b, `"},{"role":"user","content":"Question `...)
	b = strconv.AppendInt(b, serial.Add(1), 10)
	return append(b, `: what changed in the module, and what should be tested next?"}]}`...)
}

func appendRequest(b []byte, t target, id int, body []byte) []byte {
	b = append(b, "POST /v1/chat/completions HTTP/1.1\r\nHost: "...)
	b = append(b, t.addr...)
	b = append(b, "\r\nUser-Agent: purser-bench\r\nAccept: application/json\r\nContent-Type: application/json\r\nAuthorization: Bearer "...)
	b = append(b, t.key...)
	b = append(b, "\r\nx-purser-customer: customer-"...)
	b = strconv.AppendInt(b, int64(id%kindsOfUser), 10)
	b = append(b, "\r\nx-purser-agent: agent-"...)
	b = strconv.AppendInt(b, int64(id/2%kindsOfUser), 10)
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
	return err
}

func (c *conn) line() ([]byte, error) {
	line, err := c.r.ReadSlice('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

// complete says whether body is all of an answer.
func complete(status int, body []byte, stream bool) error {
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
