package ui

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	// maxStreams bounds live streams.
	maxStreams = 128
	// liveEvery is the least time between two looks at what changed.
	liveEvery = time.Second
	// liveTime is how long one stream lasts; browsers then begin another.
	liveTime = 10 * time.Minute
	// aliveEvery is how often a stream without news says something, so that one whose
	// reader went away is noticed.
	aliveEvery = 15 * time.Second
)

// live sends what the pages show of this moment, as server-sent events (WHATWG HTML,
// section 9.2): at most one a second, and only when requests have ended that the reader may see.
func (u *UI) live(w http.ResponseWriter, r *http.Request) {
	select {
	case u.streams <- struct{}{}:
		defer func() { <-u.streams }()
	default:
		http.Error(w, "There are too many live streams.", http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), liveTime)
	defer cancel()
	r = r.WithContext(ctx)
	reach, err := u.watches(r)
	if err != nil {
		http.Error(w, "There are no live values for this reader.", http.StatusForbidden)
		return
	}
	p := u.join(reach, r)
	defer u.leave(reach, p)
	out := http.NewResponseController(w)
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	before, said := "", time.Time{}
	for {
		now, changed := p.read()
		text := ""
		switch {
		case now != before:
			// Whoever may no longer see it is told nothing more.
			if may, err := u.watches(r); err != nil || may != reach {
				return
			}
			text = "event: pulse\ndata: " + now + "\n\n"
		case before != "" && u.Now().Sub(said) >= aliveEvery:
			text = ": alive\n\n"
		}
		if text != "" {
			w.Header().Set("Content-Type", "text/event-stream")
			w.Header().Set("X-Accel-Buffering", "no")
			if _, err := fmt.Fprint(w, text); err != nil {
				return
			}
			if err := out.Flush(); err != nil {
				return
			}
			before, said = now, u.Now()
		}
		select {
		case <-ctx.Done():
			return
		case <-p.over:
			if before == "" {
				http.Error(w, "There are no live values at present.", http.StatusServiceUnavailable)
			}
			return // and the browser begins again, if it may
		case <-changed:
		case <-tick.C:
		}
		if u.Ending() {
			return
		}
	}
}

// watches writes down whose requests a reader may watch.
func (u *UI) watches(r *http.Request) (string, error) {
	c := &Call{R: r, u: u}
	if err := c.Get("/whoami", nil, &c.Who); err != nil {
		return "", err
	}
	if !c.Can("usage:read") {
		return "", &fault{status: http.StatusForbidden, message: "usage:read is not among the permissions"}
	}
	return c.reach("usage:read")
}

// watch listens to the API's live records, on a goroutine of its own that ends with the
// request's context; then over is closed.
func (u *UI) watch(r *http.Request) *tap {
	t := &tap{header: http.Header{}, news: make(chan struct{}, 1), over: make(chan struct{}), ctx: r.Context()}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "/admin/v1/usage/live", http.NoBody)
	if err != nil {
		panic(err) // the address is a constant
	}
	u.lend(req, r)
	go func() {
		defer close(t.over)
		defer u.survive()
		u.API.ServeHTTP(t, req)
	}()
	return t
}

// tap takes the events of live records, and keeps of them that there were any.
type tap struct {
	ctx    context.Context
	header http.Header
	news   chan struct{} // has room for one: there is news, however much
	over   chan struct{}
}

// Header implements http.ResponseWriter.
func (t *tap) Header() http.Header { return t.header }

// WriteHeader implements http.ResponseWriter.
func (t *tap) WriteHeader(int) {}

// Write implements http.ResponseWriter.
func (t *tap) Write(p []byte) (int, error) {
	if !bytes.Contains(p, []byte(`"records":[]`)) {
		select {
		case t.news <- struct{}{}:
		default:
		}
	}
	return len(p), t.ctx.Err()
}

// Flush implements http.Flusher.
func (t *tap) Flush() {}
