package presidio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"purser/proxy/outside"
	"purser/proxy/redaction"
)

func client(t *testing.T, handler http.HandlerFunc, change func(*Config)) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	cfg := Default()
	cfg.Name, cfg.URL, cfg.Header = "ner", server.URL+"/", map[string]string{"Authorization": "Bearer x"}
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

// names answers with every Anna, counting code points as Presidio does.
func names(t *testing.T) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var q question
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || r.URL.Path != "/analyze" || r.Header.Get("Authorization") != "Bearer x" || q.Language != "en" {
			t.Errorf("%s %+v %v", r.URL, q, err)
		}
		list := []result{}
		for at := 0; ; {
			i := strings.Index(q.Text[at:], "Anna")
			if i < 0 {
				break
			}
			start := utf8.RuneCountInString(q.Text[:at+i])
			list = append(list, result{"PERSON", start, start + 4, 0.85}, result{"GUESS", start, start + 1, 0.1})
			at += i + 4
		}
		if err := json.NewEncoder(w).Encode(list); err != nil {
			t.Error(err)
		}
	}
}

func texts(list ...string) (out [][]byte) {
	for _, s := range list {
		out = append(out, []byte(s))
	}
	return out
}

func TestOffsetsOfCodePointsBecomeBytes(t *testing.T) {
	c := client(t, names(t), nil)
	in := texts("é漢🙂 Anna and Anna", "x", "nobody", "Anna")
	got, err := c.Analyze(t.Context(), &redaction.Hook{Name: "ner", MinScore: 0.5}, in)
	if err != nil || len(got) != len(in) {
		t.Fatal(got, err)
	}
	for i, want := range []int{2, 0, 0, 1} {
		if len(got[i]) != want {
			t.Errorf("text %d has %v", i, got[i])
		}
		for _, f := range got[i] {
			if string(in[i][f.Start:f.End]) != "Anna" || f.Entity != "PERSON" {
				t.Errorf("text %d: %+v", i, f)
			}
		}
	}
}

func TestALongTextIsAskedAboutInParts(t *testing.T) {
	var calls atomic.Int32
	answer := names(t)
	c := client(t, func(w http.ResponseWriter, r *http.Request) { calls.Add(1); answer(w, r) }, func(c *Config) { c.TextBytes = 1000 })
	text := []byte(strings.Repeat("é", 499) + "Anna" + strings.Repeat("漢", 1000))
	got, err := c.Analyze(t.Context(), &redaction.Hook{Name: "ner"}, [][]byte{text})
	if err != nil || calls.Load() < 4 {
		t.Fatal(err, calls.Load())
	}
	found := false
	for _, f := range got[0] {
		found = found || string(text[f.Start:f.End]) == "Anna"
	}
	if !found {
		t.Errorf("%v", got)
	}
}

func TestBadAnswersAreErrors(t *testing.T) {
	for what, body := range map[string]string{
		"no list": `{"error":"x"}`, "no JSON": `<html>`, "a span beyond": `[{"entity_type":"X","start":0,"end":99,"score":1}]`,
		"a negative span": `[{"entity_type":"X","start":-1,"end":2,"score":1}]`, "an empty span": `[{"entity_type":"X","start":2,"end":2,"score":1}]`,
		"too long": `[` + strings.Repeat(" ", maxAnswer) + `]`,
	} {
		c := client(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }, nil)
		if _, err := c.Analyze(t.Context(), &redaction.Hook{}, texts("some text")); err == nil || strings.Contains(err.Error(), "some text") {
			t.Errorf("%s: %v", what, err)
		}
	}
	c := client(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, nil)
	if _, err := c.Analyze(t.Context(), &redaction.Hook{}, texts("some text")); err == nil || !strings.Contains(err.Error(), "500") {
		t.Errorf("%v", err)
	}
	c = client(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
	}, nil)
	if _, err := c.Analyze(t.Context(), &redaction.Hook{}, texts("some text")); err == nil {
		t.Error("a redirect is followed")
	}
}

func TestASlowAnswerEndsAtTheTimeLimit(t *testing.T) {
	held := make(chan struct{})
	c := client(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-held:
		case <-r.Context().Done():
		}
	}, func(c *Config) { c.Timeout, c.Concurrent = 20*time.Millisecond, 1 })
	defer close(held)
	if _, err := c.Analyze(t.Context(), &redaction.Hook{}, texts("one text", "two texts")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestAfterSeveralFailuresItRests(t *testing.T) {
	var calls atomic.Int32
	c := client(t, func(w http.ResponseWriter, _ *http.Request) { calls.Add(1); w.WriteHeader(503) }, nil)
	for range 3 * outside.Failures {
		if _, err := c.Analyze(t.Context(), &redaction.Hook{}, texts("some text")); err == nil {
			t.Fatal("it fails and says nothing")
		}
	}
	if calls.Load() != outside.Failures {
		t.Errorf("it was called %d times", calls.Load())
	}
	if _, err := c.Analyze(t.Context(), &redaction.Hook{}, texts("some text")); !errors.Is(err, ErrResting) {
		t.Errorf("%v", err)
	}
	if c.rest.Resting(time.Now().Add(outside.RestsFor)) {
		t.Error("it rests for longer than it is to")
	}
}

func TestCallsAreBounded(t *testing.T) {
	c := client(t, names(t), nil)
	many := make([][]byte, maxCalls+1)
	for i := range many {
		many[i] = []byte("some text")
	}
	if _, err := c.Analyze(t.Context(), &redaction.Hook{}, many); !errors.Is(err, ErrTooMuch) {
		t.Errorf("%v", err)
	}
}

func TestBadConfigurationsAreRefused(t *testing.T) {
	for _, change := range []func(*Config){
		func(c *Config) { c.Name = "" }, func(c *Config) { c.URL = "ftp://x" }, func(c *Config) { c.URL = "x" }, func(c *Config) { c.Timeout = 0 },
		func(c *Config) { c.Concurrent = 0 }, func(c *Config) { c.TextBytes = 1 },
	} {
		cfg := Default()
		cfg.Name, cfg.URL = "ner", "http://localhost"
		change(&cfg)
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}
