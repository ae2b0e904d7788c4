package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load drives requests at a node, each different, JSON and SSE by turns of the seed.
type load struct {
	url, key   string
	client     *http.Client
	hangUps    float64 // share of requests whose client leaves in the middle
	noService  bool    // errors of the connection are expected: the node is being killed
	sent       atomic.Int64
	ok         atomic.Int64
	refused    atomic.Int64
	left       atomic.Int64
	cut        atomic.Int64 // streams that ended without [DONE], read to the end
	unexpected atomic.Pointer[string]
}

func newLoad(url, key string, connections int) *load {
	return &load{url: url + "/v1/chat/completions", key: key,
		client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: connections}}}
}

// run asks from n goroutines until ctx ends.
func (l *load) run(ctx context.Context, n int, seed uint64) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			for ctx.Err() == nil {
				l.one(ctx, r, i)
			}
		})
	}
	wg.Wait()
	l.client.CloseIdleConnections()
}

func (l *load) one(ctx context.Context, r *rand.Rand, worker int) {
	stream := r.IntN(2) == 0
	body := fmt.Sprintf(`{"model":"gpt-4.1-mini","service_tier":"default","stream":%t,"max_completion_tokens":%d,"messages":[{"role":"user","content":"worker %d question %d"}]}`,
		stream, 20+r.IntN(40), worker, r.Uint64())
	// A request that has begun is not broken off by the end of the run.
	ask, leave := context.WithCancel(context.WithoutCancel(ctx))
	defer leave()
	req, err := http.NewRequestWithContext(ask, http.MethodPost, l.url, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.key)
	req.Header.Set("Content-Type", "application/json")
	l.sent.Add(1)
	goes := r.Float64() < l.hangUps
	if goes && !stream {
		timer := time.AfterFunc(time.Duration(r.IntN(3000))*time.Microsecond, leave)
		defer timer.Stop()
	}
	res, err := l.client.Do(req)
	if err != nil {
		l.broken(goes, err)
		return
	}
	defer res.Body.Close()
	switch res.StatusCode {
	case 200:
	case 402:
		l.refused.Add(1)
		_, _ = io.Copy(io.Discard, res.Body)
		return
	default:
		b, _ := io.ReadAll(res.Body)
		l.broken(false, fmt.Errorf("status %d: %s", res.StatusCode, b))
		return
	}
	if goes && stream {
		buf := make([]byte, 1+r.IntN(2000))
		_, _ = io.ReadFull(res.Body, buf)
		l.left.Add(1)
		return // closing the body of an unread stream closes the connection
	}
	done, err := readWhole(res.Body, stream)
	switch {
	case err != nil:
		l.broken(goes, err)
	case !done:
		l.cut.Add(1)
	default:
		l.ok.Add(1)
	}
}

func (l *load) broken(expected bool, err error) {
	if expected {
		l.left.Add(1)
		return
	}
	if l.noService {
		l.left.Add(1)
		<-time.After(5 * time.Millisecond) // the node is down for a moment
		return
	}
	text := err.Error()
	l.unexpected.CompareAndSwap(nil, &text)
}

// check fails the test for what nobody expected.
func (l *load) check(t *testing.T) {
	t.Helper()
	if text := l.unexpected.Load(); text != nil {
		t.Errorf("a request ended unexpectedly: %s", *text)
	}
	if n := l.cut.Load(); n > 0 && !l.noService {
		t.Errorf("%d streams were cut short", n)
	}
}

func readWhole(body io.Reader, stream bool) (bool, error) {
	if !stream {
		_, err := io.Copy(io.Discard, body)
		return err == nil, err
	}
	done := false
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 64<<10), 1<<20)
	for lines.Scan() {
		done = done || bytes.Equal(lines.Bytes(), []byte("data: [DONE]"))
	}
	return done, lines.Err()
}
