package proxy

import (
	"errors"
	"io"
	"sync"
	"time"

	"purser/internal/record"
)

// maxReadAhead bounds what is kept of a sliced stream for a client that takes it
// slowly: some thousand events. A client that far behind has its stream held
// whole, and then read at its pace.
const maxReadAhead = 1 << 20

// ahead is a sliced stream that is read ahead of its client. What the provider
// has made shows only when it is read, and a slow client must not keep it from
// that: meanwhile buffers on the way would fill with output that no hold covers.
//
// A goroutine reads; it alone works with the exchange until it is done. The end of
// the exchange falls to whichever comes second, it or the edge's Close.
type ahead struct {
	mu    sync.Mutex
	moved sync.Cond // something below changed
	queue []byte    // read and not taken
	taken []byte    // the client's, until it asks for more
	made  int64     // bytes of the answer's text in what was read
	given int64     // of those, in what was taken
	err   error     // how it ended, io.EOF for well; nil while it goes on
	done  bool      // the reader is
	gone  bool      // the client is

	// Of a client that has gone before the end: one of these.
	draining bool // the rest is read, as one of the gateway's drains
	stop     bool // there are too many of those
}

// readAhead begins to read the stream that a answers with.
func (x *exchange) readAhead(a *Answer) {
	x.attempt.sliced.ending = x.ending()
	x.attempt.sliced.ending.Reset(&x.call)
	x.stream.scan.Reset()
	f := &ahead{}
	f.moved.L = &f.mu
	x.stream.ahead = f
	a.Header = append(a.Header, HeaderField{headerHold, "sliced"})
	go x.pump(f) // the gateway's Wait waits for the exchange, and so for this
}

// pump reads the stream and ends it, if that falls to it.
func (x *exchange) pump(f *ahead) {
	x.read(f)
	drains := x.g.drains
	if last, draining := f.finish(); last {
		x.endStream(record.Disconnected)
		if draining {
			<-drains
		}
	}
}

// read reads the stream to its end.
func (x *exchange) read(f *ahead) {
	defer func() {
		if v := recover(); v != nil {
			x.broke(v)
			f.put(nil, 0, errBroke)
		}
	}()
	near := false
	for {
		out, err := x.pull()
		gone, stop := f.put(out, x.stream.meter.Report().OutputBytes, err)
		if err != nil || stop || gone && x.g.base.Err() != nil {
			break
		}
		if gone && !near {
			near = true
			x.attempt.nearEnd(x.g.cfg.DrainTime)
		}
		if !f.roomy() && !x.stream.over {
			x.slowClient(f)
		}
	}
}

// nearEnd bounds the rest of an attempt. One that was cut has none.
func (a *attempt) nearEnd(rest time.Duration) {
	if a.res != nil {
		a.res.SetDeadline(time.Now().Add(rest))
	}
}

// slowClient holds the stream whole, and then waits for its client; or ends it.
func (x *exchange) slowClient(f *ahead) {
	if x.attempt.sliced.covered < x.route_.cap && !x.extend(x.route_.cap) {
		out, err := x.cutStream(nil)
		if err != nil {
			x.stream.over, x.stream.err = true, err
		}
		f.put(x.show(out), x.stream.meter.Report().OutputBytes, nil)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) > maxReadAhead && !f.gone {
		f.moved.Wait()
	}
}

// put adds what was read, with the bytes of text that the answer has until there, and
// says whether the client is gone and whether to stop for that.
func (f *ahead) put(out []byte, made int64, err error) (gone, stop bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.gone {
		f.queue = append(f.queue, out...)
	}
	f.made = max(f.made, made)
	f.err = err
	f.moved.Broadcast()
	return f.gone, f.stop
}

// delivered is how many bytes of the answer's text were in what the client took.
func (f *ahead) delivered() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.given
}

func (f *ahead) roomy() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.queue) <= maxReadAhead
}

// finish says that the reader is done. If the client has gone before, the end is
// the reader's.
func (f *ahead) finish() (last, draining bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done = true
	if f.err == nil {
		f.err = io.ErrUnexpectedEOF
	}
	f.moved.Broadcast()
	return f.gone, f.draining
}

func (f *ahead) ready() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.queue) > 0 || f.done
}

// nextAhead gives the client what there is, or waits for it.
func (x *exchange) nextAhead() ([]byte, error) {
	f := x.stream.ahead
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.queue) == 0 && !f.done {
		f.moved.Wait()
	}
	if len(f.queue) == 0 {
		if errors.Is(f.err, io.EOF) {
			x.trail()
		}
		return nil, f.err
	}
	f.queue, f.taken = f.taken[:0], f.queue
	f.given = f.made
	f.moved.Broadcast()
	if x.rec.FirstByte == 0 {
		x.firstByte()
	}
	return f.taken, nil
}

// closeAhead is Close of a stream that is read ahead. While the reader goes on it
// is one of the drains, or if there are too many it stops at what it has.
func (x *exchange) closeAhead() {
	f := x.stream.ahead
	f.mu.Lock()
	all := f.done && len(f.queue) == 0
	f.gone, f.queue = true, nil
	done := f.done
	if !done {
		select {
		case x.g.drains <- struct{}{}:
			f.draining = true
		default:
			x.g.log.Warn("too many abandoned streams to drain; what was seen is charged", "request", x.rec.ID)
			f.stop = true
		}
	}
	f.moved.Broadcast()
	f.mu.Unlock()
	switch {
	case !done:
	case all:
		x.endStream(record.Completed)
	default:
		x.endStream(record.Disconnected)
	}
}
