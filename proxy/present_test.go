package proxy

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"purser/internal/record"
)

// leaver is a client that leaves when it is told to.
type leaver struct{ gone atomic.Bool }

func (l *leaver) Gone() bool { return l.gone.Load() }

// waitingCache has nothing, and lets a request wait for one in flight that never lands.
type waitingCache struct{ waiting chan struct{} }

func (waitingCache) Key(CacheScope, []byte) ([32]byte, int64) { return [32]byte{1}, 0 }
func (waitingCache) Get([32]byte, CacheAsk) (*Cached, bool)   { return nil, false }
func (c waitingCache) Join(ctx context.Context, _ [32]byte, ask CacheAsk) (Flight, *Cached, bool) {
	close(c.waiting)
	select {
	case <-ctx.Done():
	case <-time.After(ask.Wait):
	}
	return nil, nil, false
}

// TestAWaitForAnIdenticalRequestEndsWithItsClient, and nothing is asked for it.
func TestAWaitForAnIdenticalRequestEndsWithItsClient(t *testing.T) {
	called := false
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) { called = true; answerJSON(w, r) }, nil)
	cache := waitingCache{make(chan struct{})}
	w.gateway.seams.Cache = cache
	client := &leaver{}
	go func() { <-cache.waiting; client.gone.Store(true) }()
	began := time.Now()
	body := strings.Replace(question, `"messages"`, `"temperature":0,"messages"`, 1)
	a, _ := w.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(body), Client: client,
		Header: headerList{"Authorization", "Bearer pk_good"}})
	r := w.last()
	if a.Status != 499 || r.Outcome != record.Disconnected || r.Code != "client_gone" || called || r.Cost != 0 {
		t.Errorf("%d, called %t, %+v", a.Status, called, r)
	}
	if took := time.Since(began); took > w.gateway.cfg.CoalesceWait/2 {
		t.Errorf("it waited for %v", took)
	}
}

// TestAWaitBetweenAttemptsEndsWithItsClient: no further one is made.
func TestAWaitBetweenAttemptsEndsWithItsClient(t *testing.T) {
	calls := 0
	client := &leaver{}
	w := newWorld(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		client.gone.Store(true)
		w.Header().Set("Retry-After", "9")
		w.WriteHeader(429)
		fmt.Fprint(w, `{"error":{"message":"slow down","type":"requests","code":"rate_limit_exceeded"}}`)
	}, nil)
	began := time.Now()
	a, _ := w.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(question), Client: client,
		Header: headerList{"Authorization", "Bearer pk_good"}})
	r := w.last()
	if a.Status != 499 || calls != 1 || r.Attempts != 1 || r.Outcome != record.Disconnected || r.Cost != 0 || w.purse.spent != 0 {
		t.Errorf("%d, %d calls, %+v", a.Status, calls, r)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it waited for %v", took)
	}
}

// TestAClientThatStaysIsWaitedWith: its next attempt is made.
func TestAClientThatStaysIsWaitedWith(t *testing.T) {
	calls := 0
	w := newWorld(t, func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls == 1 {
			w.Header().Set("Retry-After-Ms", "600") // longer than it takes to look for the client
			w.WriteHeader(429)
			fmt.Fprint(w, `{"error":{"message":"slow down"}}`)
			return
		}
		answerJSON(w, r)
	}, nil)
	a, _ := w.serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(question), Client: &leaver{},
		Header: headerList{"Authorization", "Bearer pk_good"}})
	if a.Status != 200 || calls != 2 {
		t.Errorf("%d, %d calls", a.Status, calls)
	}
}
