package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
)

const hello = `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}`

// TestBadInputIsRefusedClearly: each mistake has its status, a stable code, a
// message that says what to do, and leaves no hold behind.
func TestBadInputIsRefusedClearly(t *testing.T) {
	r := newRig(t, rigOptions{config: "requests:\n  attempts: 1\n"})
	r.budget(usd("cap", "10"))
	good := r.key(admin.NewKey{Name: "good"}).Secret
	revoked := r.key(admin.NewKey{Name: "revoked"})
	if _, err := r.admin.RevokeKey(context.Background(), revoked.ID); err != nil {
		t.Fatal(err)
	}
	expiring := r.key(admin.NewKey{Name: "expired", Expires: time.Now().Add(1200 * time.Millisecond).UTC().Format(time.RFC3339Nano)})
	strict := r.key(admin.NewKey{Name: "strict", Required: []string{"customer"}, Models: []string{"gpt-4o"}, Bound: map[string]string{"team": "search"}}).Secret
	manyTags := make([]string, 0, 34)
	for i := range 17 {
		manyTags = append(manyTags, fmt.Sprintf("x-purser-tag-t%d", i), "v")
	}
	r.eventually("the key has expired", func() error {
		keys, err := r.admin.ListKeys(context.Background())
		if err != nil {
			return err
		}
		for _, k := range keys {
			if k.ID == expiring.ID && k.State == "expired" {
				return nil
			}
		}
		return fmt.Errorf("not yet")
	})
	for name, c := range map[string]struct {
		key, body string
		headers   []string
		status    int
		code      string
	}{
		"malformed JSON":             {good, `{"model":`, nil, 400, "invalid_json"},
		"not an object":              {good, `[1]`, nil, 400, "invalid_type"},
		"wrong type":                 {good, `{"model":7,"messages":[]}`, nil, 400, "invalid_type"},
		"model missing":              {good, `{"messages":[{"role":"user","content":"x"}]}`, nil, 400, "missing_required_parameter"},
		"field twice":                {good, `{"model":"gpt-4o-mini","model":"gpt-4o","messages":[{"role":"user","content":"x"}]}`, nil, 400, "ambiguous_field"},
		"negative cap":               {good, `{"model":"gpt-4o-mini","max_tokens":-1,"messages":[{"role":"user","content":"x"}]}`, nil, 400, "invalid_value"},
		"unpriced model":             {good, `{"model":"no-such-model","messages":[{"role":"user","content":"x"}]}`, nil, 400, "model_not_priced"},
		"unknown key":                {"pk_wrong", hello, nil, 401, "invalid_api_key"},
		"revoked key":                {revoked.Secret, hello, nil, 401, "api_key_revoked"},
		"expired key":                {expiring.Secret, hello, nil, 401, "api_key_expired"},
		"required dimension missing": {strict, strings.Replace(hello, "gpt-4o-mini", "gpt-4o", 1), nil, 400, "missing_dimension"},
		"model not allowed":          {strict, hello, []string{"x-purser-customer", "acme"}, 403, "model_not_allowed"},
		"bound dimension overridden": {strict, hello, []string{"x-purser-customer", "acme", "x-purser-team", "other"}, 403, "dimension_bound"},
		"unknown dimension":          {good, hello, []string{"x-purser-costumer", "acme"}, 400, "invalid_dimension"},
		"value too long":             {good, hello, []string{"x-purser-customer", strings.Repeat("x", 257)}, 400, "invalid_dimension"},
		"too many tags":              {good, hello, manyTags, 400, "invalid_dimension"},
		"oversized body":             {good, `{"model":"` + strings.Repeat("x", 33<<20) + `"}`, nil, 413, "request_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body, _ := r.ask(c.key, c.body, c.headers...)
			var e struct {
				Error struct{ Message, Type, Code string }
			}
			if err := json.Unmarshal([]byte(body), &e); err != nil {
				t.Fatalf("status %d, not an error body: %.200s", status, body)
			}
			if status != c.status || e.Error.Code != c.code || len(e.Error.Message) < 10 || e.Error.Type == "" {
				t.Errorf("got %d %+v, want %d %s", status, e.Error, c.status, c.code)
			}
			if len(c.key) > 10 && strings.Contains(body, c.key) {
				t.Errorf("the answer repeats the key: %s", body)
			}
		})
	}
	for name, c := range map[string]struct {
		raw    string
		status string
	}{
		"header injection":  {"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nx-purser-customer: a\x00b\r\nContent-Length: 0\r\n\r\n", "400"},
		"two lengths":       {"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "400"},
		"length and chunks": {"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
		"unknown route":     {"GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n", "404"},
		"route not priced":  {"POST /v1/images/generations HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "403"},
		"wrong method":      {"GET /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n", "405"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := rawStatus(t, r.url, c.raw); got != c.status {
				t.Errorf("status %s, want %s", got, c.status)
			}
		})
	}
	if h := r.holds(); h != 0 {
		t.Errorf("%d holds are left", h)
	}
	b, err := r.admin.ShowBudget(context.Background(), "cap")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range b.Accounts {
		if a.Spent != 0 {
			t.Errorf("bad input cost %d", a.Spent)
		}
	}
}

func rawStatus(t *testing.T, url, raw string) string {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte(raw)); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	return fmt.Sprint(res.StatusCode)
}

// TestUpstreamFaults: what the provider does wrong costs at most the hold, is
// answered clearly, and leaves no hold behind.
func TestUpstreamFaults(t *testing.T) {
	r := newRig(t, rigOptions{config: "requests:\n  attempts: 1\ncache:\n  enabled: false\n"})
	r.budget(usd("cap", "10"))
	for mode, want := range map[string]struct {
		status int
		costs  bool
	}{
		"429": {429, false}, "500": {500, false}, "529": {529, false}, "502": {502, true},
		"no-usage": {200, true}, "over-cap=3": {200, true},
	} {
		t.Run(mode, func(t *testing.T) {
			id := "fault-" + strings.Map(func(c rune) rune {
				if c == '=' {
					return '-'
				}
				return c
			}, mode)
			b := usd(id, "1")
			b.Match = map[string][]string{"feature": {id}}
			r.budget(b)
			key := r.key(admin.NewKey{Name: id, Bound: map[string]string{"feature": id}}).Secret
			status, body, _ := r.ask(key, strings.Replace(hello, `{"model"`, `{"max_completion_tokens":20,"model"`, 1), "x-sim-mode", mode)
			if status != want.status {
				t.Errorf("status %d, want %d: %.300s", status, want.status, body)
			}
			if status != 200 && !strings.Contains(body, `"message"`) {
				t.Errorf("not an error in the caller's dialect: %.200s", body)
			}
			if a := r.settled(id); (a.Spent > 0) != want.costs {
				t.Errorf("the account: %+v", a)
			}
		})
	}
	if h := r.holds(); h != 0 {
		t.Errorf("%d holds are left", h)
	}
}

// TestUnreachableUpstream: nothing was sent, so nothing is charged.
func TestUnreachableUpstream(t *testing.T) {
	r := newRig(t, rigOptions{upstream: "http://127.0.0.1:1/v1", config: "requests:\n  attempts: 2\n"})
	r.budget(usd("cap", "10"))
	status, body, _ := r.ask(r.key(admin.NewKey{Name: "k"}).Secret, hello)
	if status != 502 || !strings.Contains(body, "upstream_unavailable") {
		t.Errorf("status %d: %s", status, body)
	}
	if a := r.settled("cap"); a.Spent != 0 {
		t.Errorf("an unreachable upstream cost %d", a.Spent)
	}
	if h := r.holds(); h != 0 {
		t.Errorf("%d holds are left", h)
	}
}

// TestDamagedStoresAreNotServed: a node whose data is damaged or gone does not
// start, and says what to do.
func TestDamagedStoresAreNotServed(t *testing.T) {
	for name, c := range map[string]struct {
		damage func(t *testing.T, data string)
		says   string
	}{
		"store damaged": {func(t *testing.T, data string) { scribble(t, filepath.Join(data, "store"), "MANIFEST-*") }, "store"},
		"store gone":    {func(t *testing.T, data string) { remove(t, filepath.Join(data, "store")) }, "node.id"},
		"raft damaged":  {func(t *testing.T, data string) { scribble(t, filepath.Join(data, "raft"), "*.db") }, "raft"},
		"raft gone":     {func(t *testing.T, data string) { remove(t, filepath.Join(data, "raft")) }, "raft"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, rigOptions{})
			r.budget(usd("cap", "10"))
			r.ask(r.key(admin.NewKey{Name: "k"}).Secret, hello)
			r.stopNode()
			c.damage(t, filepath.Join(r.dir, "data"))
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			out, err := exec.CommandContext(ctx, binary, "serve", "--config", r.configFile()).CombinedOutput()
			if err == nil || ctx.Err() != nil {
				t.Fatalf("the node started, or hung, on damaged data: %v\n%s", err, out)
			}
			if strings.Contains(string(out), "goroutine ") || !strings.Contains(string(out), c.says) {
				t.Errorf("the node does not say clearly what is wrong:\n%s", out)
			}
		})
	}
}

func scribble(t *testing.T, dir, pattern string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("no file %s in %s: %v", pattern, dir, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range min(len(b), 64<<10) {
			b[i] ^= 0x5a
		}
		if err := os.WriteFile(f, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func remove(t *testing.T, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
}
