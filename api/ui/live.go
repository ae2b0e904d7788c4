package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
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
	r = r.WithContext(ctx)
	now, err := u.pulse(r)
	if err != nil {
		cancel()
		http.Error(w, "There are no live values for this reader.", http.StatusForbidden)
		return
	}
	watch := u.watch(r)
	defer func() { cancel(); <-watch.over }()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	before, said := "", time.Time{}
	for {
		text := ""
		switch {
		case now != before:
			text = "event: pulse\ndata: " + now + "\n\n"
		case u.Now().Sub(said) >= aliveEvery:
			text = ": alive\n\n"
		}
		if text != "" {
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
		case <-watch.over:
			return // and the browser begins again, if it may
		case <-tick.C:
		}
		if u.Ending() {
			return
		}
		select {
		case <-watch.news:
			if now, err = u.pulse(r); err != nil {
				return // the session may have ended; the next stream says so
			}
		default:
		}
	}
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
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				u.Log.Error("live values of the dashboard were broken off", slog.Any("panic", v))
			}
		}()
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

// pulse is what was spent and asked today, as JSON: texts by the names of the places
// that show them, and a mark that changes with them.
func (u *UI) pulse(r *http.Request) (string, error) {
	c := &Call{R: r, Now: u.Now(), u: u}
	today, err := c.today()
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]string{
		"mark": fmt.Sprintf("%d %d", today.Total.Requests, today.Total.Cost), "spent": money(today.Total.Cost), "requests": grouped(today.Total.Requests),
		"saved": money(today.Total.Saved), "tokens": count(tokensOf(&today.Total)),
	})
	return string(text), err
}
