package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"purser/proxy/outside"
)

func client(t *testing.T, handler http.HandlerFunc, change func(*Config)) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	cfg := Default()
	cfg.Name, cfg.URL, cfg.Header, cfg.Timeout = "lingua", server.URL+"/compress", map[string]string{"Authorization": "Bearer x"}, 10*time.Second
	if change != nil {
		change(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// halves answers with the first half of each text.
func halves(t *testing.T, asked *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		var q question
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.URL.Path != "/compress" || r.Header.Get("Authorization") != "Bearer x" || q.Ratio != 0.5 {
			t.Errorf("%s %+v %v", r.URL, q, err)
		}
		for i, text := range q.Texts {
			q.Texts[i] = text[:len(text)/2]
		}
		if err := json.NewEncoder(w).Encode(map[string]any{"texts": q.Texts}); err != nil {
			t.Error(err)
		}
	}
}

func TestTextsAreShortenedAndRemembered(t *testing.T) {
	var asked atomic.Int64
	c := client(t, halves(t, &asked), nil)
	for i, want := range []int64{1, 1, 2} {
		scope := []string{"a", "a", "b"}[i]
		got, err := c.Shorten(t.Context(), scope, []string{"abcd", "éfgh\n\""}, 0.5)
		if err != nil || !slices.Equal(got, []string{"ab", "éf"}) || asked.Load() != want {
			t.Errorf("%q, %v, asked %d times, want %d", got, err, asked.Load(), want)
		}
	}
	// Of several texts only those that are not known are asked about.
	if got, err := c.Shorten(t.Context(), "a", []string{"wxyz", "abcd"}, 0.5); err != nil || !slices.Equal(got, []string{"wx", "ab"}) || asked.Load() != 3 {
		t.Errorf("%q, %v, asked %d times", got, err, asked.Load())
	}
}

func TestMemoryIsBounded(t *testing.T) {
	m := newMemory(10 * (overhead + 10))
	for i := range 50 {
		m.put(keyOf("s", fmt.Sprint(i), 0.5), strings.Repeat("x", 10))
		if _, ok := m.get(keyOf("s", "0", 0.5)); !ok && i < 40 {
			t.Fatal("what is asked for is forgotten first")
		}
	}
	if m.size > m.most || len(m.byKey) != 10 || m.order.Len() != 10 {
		t.Errorf("%d bytes, %d entries", m.size, len(m.byKey))
	}
	m.put(keyOf("s", "big", 0.5), strings.Repeat("x", m.most))
	if _, ok := m.get(keyOf("s", "big", 0.5)); ok {
		t.Error("an answer beyond the limit is remembered")
	}
	if keyOf("a", "bc", 0.5) == keyOf("ab", "c", 0.5) || keyOf("a", "b", 0.5) == keyOf("a", "b", 0.6) {
		t.Error("two questions have one key")
	}
}

func TestBadAnswersAreErrors(t *testing.T) {
	for name, answer := range map[string]string{
		"fewer": `{"texts":[]}`, "more": `{"texts":["a","b"]}`, "not JSON": `x`, "too long": `{"texts":["` + strings.Repeat("x", 1<<14) + `"]}`, "a list": `["a"]`, "nothing": ``,
	} {
		c := client(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }, nil)
		if got, err := c.Shorten(t.Context(), "", []string{"secret text"}, 0.5); err == nil || got[0] != "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	c := client(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, nil)
	if _, err := c.Shorten(t.Context(), "", []string{"x"}, 0.5); err == nil || !strings.Contains(err.Error(), "302") {
		t.Errorf("a redirect is followed: %v", err)
	}
	if _, err := c.Shorten(t.Context(), "", []string{strings.Repeat("x", maxQuestion+1)}, 0.5); !errors.Is(err, ErrTooMuch) {
		t.Error(err)
	}
}

func TestASlowAnswerEndsAtTheTimeLimit(t *testing.T) {
	let := make(chan struct{})
	c := client(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-let:
		case <-r.Context().Done():
		}
	}, func(c *Config) { c.Timeout = 20 * time.Millisecond })
	defer close(let)
	if _, err := c.Shorten(t.Context(), "", []string{"x"}, 0.5); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

func TestAfterSeveralFailuresItRests(t *testing.T) {
	var asked atomic.Int64
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusInternalServerError)
	}, nil)
	for range outside.Failures {
		if _, err := c.Shorten(t.Context(), "", []string{"x"}, 0.5); err == nil || errors.Is(err, ErrResting) {
			t.Fatal(err)
		}
	}
	if _, err := c.Shorten(t.Context(), "", []string{"x"}, 0.5); !errors.Is(err, ErrResting) || asked.Load() != outside.Failures {
		t.Errorf("%v, asked %d times", err, asked.Load())
	}
	if c.rest.Resting(time.Now().Add(outside.RestsFor)) {
		t.Error("it rests for longer than it is to")
	}
}

// TestMoreThanItMayBeAskedAtOnceGoesWithout: a request does not queue for a compressor.
func TestMoreThanItMayBeAskedAtOnceGoesWithout(t *testing.T) {
	began, let := make(chan struct{}), make(chan struct{})
	c := client(t, func(w http.ResponseWriter, _ *http.Request) {
		began <- struct{}{}
		<-let
		fmt.Fprint(w, `{"texts":["y"]}`)
	}, func(c *Config) { c.Concurrent = 1 })
	done := make(chan error)
	go func() {
		_, err := c.Shorten(context.Background(), "", []string{"x"}, 0.5)
		done <- err
	}()
	<-began
	if _, err := c.Shorten(t.Context(), "", []string{"z"}, 0.5); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	close(let)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestConfigurations(t *testing.T) {
	ok := Default()
	ok.Name, ok.URL = "a", "https://a.example/x"
	if err := ok.Validate(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(*Config){
		func(c *Config) { c.Name = "" }, func(c *Config) { c.URL = "ftp://a" }, func(c *Config) { c.URL = "/a" }, func(c *Config) { c.Timeout = time.Minute },
		func(c *Config) { c.Concurrent = 0 }, func(c *Config) { c.CacheBytes = -1 },
	} {
		bad := ok
		change(&bad)
		if _, err := New(bad); err == nil {
			t.Errorf("%+v", bad)
		}
	}
}
