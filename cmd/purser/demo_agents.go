package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// agents is the load of the demo: each agent asks one request after another, and
// seldom once the money is gone and enough requests were driven.
type agents struct {
	urls  []string // of the nodes; each agent begins with its own and moves on when it fails
	key   string
	count int
	seed  uint64
	http  *http.Client
	stop  atomic.Bool

	spent sync.Once
	over  chan struct{} // closed when the money is gone and enough requests were driven

	requests, admitted, refused, hits, interrupted, streams atomic.Int64
	exhausted                                               atomic.Int64 // refusals since the last admission
}

// enoughRefusals in a row, over all agents, mean that the cap is reached.
const enoughRefusals = 200

// trickleGap is how seldom an agent asks once the money is gone: requests go on,
// so that the window of the rate limit is seen to roll.
const trickleGap = time.Second

// requestTime bounds one request of an agent.
const requestTime = 30 * time.Second

func newAgents(urls []string, key string, count int, seed uint64) *agents {
	return &agents{
		urls: urls, key: key, count: count, seed: seed, over: make(chan struct{}),
		http: &http.Client{Timeout: requestTime, Transport: &http.Transport{MaxIdleConnsPerHost: count}},
	}
}

// run returns when it was stopped and every agent is done, with the first answer
// nobody expected.
func (a *agents) run(ctx context.Context, least int64) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for i := range a.count {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(a.seed, uint64(i)))
			at := i
			for first := true; ctx.Err() == nil && !a.stop.Load(); first = false {
				if a.exhausted.Load() >= enoughRefusals && a.requests.Load() >= least {
					a.spent.Do(func() { close(a.over) })
					a.pause(ctx, trickleGap)
				}
				answered, err := a.ask(ctx, r, i, first, a.urls[at%len(a.urls)])
				if err != nil {
					cancel(err)
				}
				if !answered {
					at++
				}
			}
		})
	}
	wg.Wait()
	a.http.CloseIdleConnections()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// ask sends one request. The first of every agent is the same question at about the same
// time; of the others one in ten repeats a common question, and the rest is new.
func (a *agents) ask(ctx context.Context, r *rand.Rand, agent int, first bool, url string) (answered bool, err error) {
	most := 60 + r.IntN(60)
	prompt := fmt.Sprintf("Agent %d, question %d: summarise what changed in module %d and say what to test next.", agent, r.Uint64(), r.IntN(1000))
	switch {
	case first:
		prompt, most = "What is on the agenda this morning?", 100
	case r.IntN(10) == 0:
		prompt, most = fmt.Sprintf("Common question %d: what is our refund policy?", r.IntN(20)), 100
	}
	stream := r.IntN(2) == 0
	body := fmt.Sprintf(`{"model":"gpt-4.1-mini","service_tier":"default","stream":%t,"max_completion_tokens":%d,"messages":[{"role":"system","content":"You are a careful engineer. %s"},{"role":"user","content":%q}]}`,
		stream, most, strings.Repeat("Answer in full sentences. ", 4), prompt)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Authorization", "Bearer "+a.key)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("x-purser-agent", fmt.Sprintf("agent-%02d", agent))
	a.requests.Add(1)
	if stream {
		a.streams.Add(1)
	}
	res, err := a.http.Do(req)
	if err != nil {
		return false, a.cutOff(ctx)
	}
	defer res.Body.Close()
	complete, err := readAnswer(res, stream)
	switch {
	case err != nil || res.StatusCode == http.StatusOK && !complete:
		return false, a.cutOff(ctx)
	case res.StatusCode == http.StatusOK:
		a.admitted.Add(1)
		if res.Header.Get("x-purser-cache") == "hit" {
			a.hits.Add(1) // given even when the budget is exhausted
		} else {
			a.exhausted.Store(0)
		}
		return true, nil
	case res.StatusCode == http.StatusPaymentRequired:
		a.refused.Add(1)
		a.exhausted.Add(1)
		return true, nil
	case res.StatusCode == http.StatusServiceUnavailable:
		return false, a.cutOff(ctx)
	default:
		return true, fmt.Errorf("an agent got status %d", res.StatusCode)
	}
}

// cutOff is what the kill does to a request under way: the agent tries the next
// one after a moment.
func (a *agents) cutOff(ctx context.Context) error {
	a.interrupted.Add(1)
	a.pause(ctx, 50*time.Millisecond)
	return nil
}

func (a *agents) pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// readAnswer reads the body and says whether it is whole.
func readAnswer(res *http.Response, stream bool) (bool, error) {
	if !stream || res.StatusCode != http.StatusOK {
		_, err := io.Copy(io.Discard, res.Body)
		return err == nil, err
	}
	done := false
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	for lines.Scan() {
		done = done || bytes.Equal(lines.Bytes(), []byte("data: [DONE]"))
	}
	return done, lines.Err()
}
