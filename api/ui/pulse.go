package ui

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// pulses are the live values that somebody watches, by the reach, on which alone they
// depend: however many watch, the API is asked once.
type pulses struct {
	mu sync.Mutex
	by map[string]*pulse
}

// pulse is one of them.
type pulse struct {
	watchers int // guarded by the mutex of pulses
	stop     context.CancelFunc
	over     chan struct{} // closed when nothing more will come

	mu      sync.Mutex
	text    string        // "" at first
	changed chan struct{} // closed when there is another text
}

func (p *pulse) read() (text string, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text, p.changed
}

func (p *pulse) set(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if text != p.text {
		p.text = text
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// join watches the values of a reach. The first who does lends the credential that the API
// is asked with; when that is no good any more, the pulse is over for all, and their
// browsers begin again, each with its own.
func (u *UI) join(reach string, r *http.Request) *pulse {
	u.pulses.mu.Lock()
	defer u.pulses.mu.Unlock()
	if p := u.pulses.by[reach]; p != nil {
		p.watchers++
		return p
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(r.Context()), liveTime)
	p := &pulse{watchers: 1, stop: stop, over: make(chan struct{}), changed: make(chan struct{})}
	if u.pulses.by == nil {
		u.pulses.by = map[string]*pulse{}
	}
	u.pulses.by[reach] = p
	r = r.Clone(ctx)
	go func() {
		defer close(p.over)
		defer stop()
		defer u.forget(reach, p)
		defer u.survive()
		u.beat(p, r)
	}()
	return p
}

// leave ends a watch; the last who leaves waits until the API is no longer asked.
func (u *UI) leave(reach string, p *pulse) {
	u.pulses.mu.Lock()
	p.watchers--
	last := p.watchers == 0
	u.pulses.mu.Unlock()
	if last {
		u.forget(reach, p)
		p.stop()
		<-p.over
	}
}

// forget has the next who watches begin anew.
func (u *UI) forget(reach string, p *pulse) {
	u.pulses.mu.Lock()
	defer u.pulses.mu.Unlock()
	if u.pulses.by[reach] == p {
		delete(u.pulses.by, reach)
	}
}

// survive keeps a panic of the API on a goroutine of ours from ending the process, as
// net/http does on its own.
func (u *UI) survive() {
	if v := recover(); v != nil && v != http.ErrAbortHandler {
		u.Log.Error("live values of the dashboard were broken off", slog.Any("panic", v))
	}
}

// beat keeps a pulse up to date: when requests have ended, at most once in liveEvery.
func (u *UI) beat(p *pulse, r *http.Request) {
	watching, end := context.WithCancel(r.Context())
	watch := u.watch(r.WithContext(watching))
	defer func() { end(); <-watch.over }()
	tick := time.NewTicker(liveEvery)
	defer tick.Stop()
	for {
		text, err := u.pulse(r)
		if err != nil {
			return // the session may have ended; the next stream says so
		}
		p.set(text)
		for news := false; !news; {
			select {
			case <-watch.over:
				return
			case <-tick.C:
			}
			select {
			case <-watch.news:
				news = true
			default:
			}
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
