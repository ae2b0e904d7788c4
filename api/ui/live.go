package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// maxStreams bounds live streams, each of which asks the API once a second.
	maxStreams = 128
	// liveEvery is how often a stream looks for what changed.
	liveEvery = time.Second
	// liveTime is how long one stream lasts; browsers then begin another.
	liveTime = 10 * time.Minute
	// aliveEvery is how often a stream without news says something, so that one whose
	// reader went away is noticed.
	aliveEvery = 15 * time.Second
)

// live sends what the pages show of this moment, as server-sent events, at most one a
// second and only when something changed.
func (u *UI) live(w http.ResponseWriter, r *http.Request) {
	select {
	case u.streams <- struct{}{}:
		defer func() { <-u.streams }()
	default:
		http.Error(w, "too many live streams", http.StatusServiceUnavailable)
		return
	}
	now, err := u.pulse(r)
	if err != nil {
		http.Error(w, "no live values for this reader", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(w)
	tick, end := time.NewTicker(liveEvery), time.NewTimer(liveTime)
	defer tick.Stop()
	defer end.Stop()
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
		case <-r.Context().Done():
			return
		case <-end.C:
			return
		case <-tick.C:
		}
		if u.Ending() {
			return
		}
		if now, err = u.pulse(r); err != nil {
			return // the session may have ended; the next stream says so
		}
	}
}

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
