package raftfsm

import "sync"

// watcher is one subscription: a goroutine that calls fn, and its alarm.
type watcher struct {
	alarm chan struct{} // one pending alarm stands for any number of changes
	stop  chan struct{}
	ended chan struct{}
}

// Subscribe calls fn with the present versions, and again each time one of them
// has changed, from one goroutine of its own. Changes that happen during a call
// are reported together by the next one; the state fn reads is at least as new
// as the versions it is given. fn may take its time: entries do not wait for it.
//
// The returned function ends the subscription and waits for a call that is
// running; fn itself must not call it.
func (f *FSM) Subscribe(fn func(Versions)) (stop func()) {
	w := &watcher{alarm: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{})}
	f.mu.Lock()
	f.watchers[w] = struct{}{}
	f.mu.Unlock()
	go f.report(w, fn)
	return sync.OnceFunc(func() {
		f.mu.Lock()
		delete(f.watchers, w)
		f.mu.Unlock()
		close(w.stop)
		<-w.ended
	})
}

func (f *FSM) report(w *watcher, fn func(Versions)) {
	defer close(w.ended)
	last := f.Versions()
	fn(last)
	for {
		select {
		case <-w.stop:
			return
		case <-w.alarm:
		}
		if v := f.Versions(); v != last {
			last = v
			fn(v)
		}
	}
}

// Versions returns the present versions.
func (f *FSM) Versions() Versions {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changes
}

func (f *FSM) wakeLocked() {
	for w := range f.watchers {
		select {
		case w.alarm <- struct{}{}:
		default: // it has not looked since the last one
		}
	}
}
