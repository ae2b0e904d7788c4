package simprovider

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"purser/ledger"
	"purser/proxy/price"
)

const testKey = "sk-test-0001"

// patience is how long a test waits for what must happen.
const patience = 20 * time.Second

// quick is a configuration for tests: modes by request, control surface, a
// price of one nano-dollar for each token of input and two for output.
func quick(change ...func(*Config)) Config {
	cfg := Default()
	cfg.Keys = []string{testKey, "sk-test-0002"}
	cfg.Tokens = Bytes4
	cfg.RequestModes, cfg.Control = true, true
	cfg.Price = func(_ string, u price.Usage, _ string) (ledger.Amount, bool) {
		return ledger.Amount(u[price.InputText] + u[price.CacheRead] + 2*(u[price.OutputText]+u[price.OutputReasoning])), true
	}
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

// start serves a provider on a port of its own until the test ends.
func start(t testing.TB, cfg Config, prepare ...func(*Provider)) (*Provider, string) {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range prepare {
		f(p)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- p.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := p.Close(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return p, ln.Addr().String()
}

// post sends JSON with the test key; further pairs are headers.
func post(t testing.TB, addr, path, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	resp, raw, err := try(addr, path, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return resp, raw
}

// try is post for answers that may break off: what was read comes with the error.
func try(addr, path, body string, headers ...string) (*http.Response, string, error) {
	req, err := http.NewRequest("POST", "http://"+addr+path, strings.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true}, Timeout: patience}
	resp, err := client.Do(req)
	if err != nil {
		return nil, "", err
	}
	raw, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	return resp, string(raw), err
}

// rawCall sends one chat request on a connection of its own and returns the
// bytes of the answer, up to where the connection ended, and how it ended.
func rawCall(t testing.TB, addr, body string, headers ...string) (string, error) {
	t.Helper()
	nc := dial(t, addr)
	defer nc.Close()
	if _, err := io.WriteString(nc, rawRequest(body, append(headers, "Connection", "close")...)); err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(nc)
	return string(raw), err
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	nc.SetDeadline(time.Now().Add(patience))
	return nc
}

func rawRequest(body string, headers ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "POST /v1/chat/completions HTTP/1.1\r\nHost: sim\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n", testKey, len(body))
	for i := 0; i < len(headers); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", headers[i], headers[i+1])
	}
	return b.String() + "\r\n" + body
}

type usageJSON struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Total      int64 `json:"total_tokens"`
	PromptIn   struct {
		Cached int64 `json:"cached_tokens"`
		Write  int64 `json:"cache_write_tokens"`
	} `json:"prompt_tokens_details"`
	CompletionIn struct {
		Reasoning int64 `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

// bucketed is the usage as the gateway would book it: disjoint.
func (u *usageJSON) bucketed() price.Usage {
	var out price.Usage
	out[price.InputText] = u.Prompt - u.PromptIn.Cached - u.PromptIn.Write
	out[price.CacheRead], out[price.CacheWriteOther] = u.PromptIn.Cached, u.PromptIn.Write
	out[price.OutputText] = u.Completion - u.CompletionIn.Reasoning
	out[price.OutputReasoning] = u.CompletionIn.Reasoning
	out[price.Requests] = 1
	return out
}

type toolCallJSON struct {
	Index    int
	ID, Type string
	Function struct{ Name, Arguments string }
	Custom   struct{ Name, Input string }
}

type chatJSON struct {
	ID, Object, Model string
	Tier              string `json:"service_tier"`
	Fingerprint       string `json:"system_fingerprint"`
	Choices           []struct {
		Index   int
		Message struct {
			Role    string
			Content *string
			Calls   []toolCallJSON `json:"tool_calls"`
		}
		Delta struct {
			Role    string
			Content string
			Calls   []toolCallJSON `json:"tool_calls"`
		}
		Finish *string `json:"finish_reason"`
	}
	Usage *usageJSON
	Error *struct{ Message, Type, Code string }
}

func (c *chatJSON) content(i int) string {
	if c.Choices[i].Message.Content == nil {
		return ""
	}
	return *c.Choices[i].Message.Content
}

func decode[T any](t testing.TB, raw string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(raw), &v); err != nil {
		t.Fatalf("%v in %.300q", err, raw)
	}
	return v
}

func chat(t testing.TB, addr, body string, headers ...string) chatJSON {
	t.Helper()
	resp, raw := post(t, addr, "/v1/chat/completions", body, headers...)
	if resp.StatusCode != 200 {
		t.Fatalf("status %d: %s", resp.StatusCode, raw)
	}
	return decode[chatJSON](t, raw)
}

// streamed is an SSE body put together again.
type streamed struct {
	chunks  []chatJSON
	raws    []string // data of each event but [DONE]
	done    bool
	content map[int]string
	args    map[int]string // of choice 0, by tool call index
	calls   map[int]toolCallJSON
	finish  map[int]string
	usages  []usageJSON
}

func parseSSE(t testing.TB, raw string) *streamed {
	t.Helper()
	s := &streamed{content: map[int]string{}, args: map[int]string{}, calls: map[int]toolCallJSON{}, finish: map[int]string{}}
	lines := bufio.NewScanner(strings.NewReader(raw))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		switch {
		case !ok:
			continue
		case string(data) == "[DONE]":
			s.done = true
			continue
		}
		s.raws = append(s.raws, string(data))
		c := decode[chatJSON](t, string(data))
		s.chunks = append(s.chunks, c)
		if c.Usage != nil {
			s.usages = append(s.usages, *c.Usage)
		}
		for _, choice := range c.Choices {
			s.content[choice.Index] += choice.Delta.Content
			for _, call := range choice.Delta.Calls {
				if call.ID != "" {
					s.calls[call.Index] = call
				}
				s.args[call.Index] += call.Function.Arguments
			}
			if choice.Finish != nil {
				s.finish[choice.Index] = *choice.Finish
			}
		}
	}
	return s
}

func chatStream(t testing.TB, addr, body string, headers ...string) *streamed {
	t.Helper()
	resp, raw := post(t, addr, "/v1/chat/completions", body, headers...)
	if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		t.Fatalf("status %d: %s", resp.StatusCode, raw)
	}
	return parseSSE(t, raw)
}

// ask is a chat request with one user message; more are further fields.
func ask(text string, more ...string) string {
	content, _ := json.Marshal(text)
	b := `{"model":"gpt-4o","messages":[{"role":"user","content":` + string(content) + `}]`
	for _, m := range more {
		b += "," + m
	}
	return b + "}"
}

const (
	streaming = `"stream":true`
	metered   = `"stream":true,"stream_options":{"include_usage":true}`
)

// rowOf waits for the one bill row of a client request id.
func rowOf(t testing.TB, p *Provider, id string) Row {
	t.Helper()
	var rows []Row
	until(t, func() bool { rows = p.Bill().ByClient(id); return len(rows) > 0 })
	if len(rows) != 1 {
		t.Fatalf("%d rows for %s", len(rows), id)
	}
	return rows[0]
}

// until waits for a condition, without guessing how long it takes.
func until(t testing.TB, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("waited too long")
		}
	}
}
