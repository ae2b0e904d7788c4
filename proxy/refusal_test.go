package proxy

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/tidwall/gjson"

	"purser/ledger"
)

// asked are calls that cost something, one of each dialect.
var asked = []struct {
	name, path, body string
}{
	{"openai", "/v1/chat/completions", question},
	{"responses", "/v1/responses", `{"model":"gpt-4o-mini","store":false,"max_output_tokens":50,"input":"hello"}`},
	{"anthropic", "/v1/messages", `{"model":"claude-haiku-4-5","max_tokens":50,"messages":[{"role":"user","content":"hello"}]}`},
	{"gemini", "/v1beta/models/gemini-2.0-flash:generateContent", `{"contents":[{"parts":[{"text":"hello"}]}],"generationConfig":{"maxOutputTokens":50}}`},
}

func unasked(t *testing.T) http.HandlerFunc {
	return func(http.ResponseWriter, *http.Request) { t.Error("the upstream was asked") }
}

// TestRefusalsForMoney: 402, or the status that the configuration says, by route
// before by default; never to be tried again, and Codex's own form to Codex.
func TestRefusalsForMoney(t *testing.T) {
	const codex = "codex_cli_rs/0.169.0"
	form := map[string][]string{ // what tells a client, by dialect
		"openai":    {`error.type="insufficient_quota"`, `error.code="insufficient_quota"`},
		"responses": {`error.type="insufficient_quota"`, `error.code="insufficient_quota"`},
		"anthropic": {`error.type="billing_error"`, `error.details.error_code="spend_limit_reached"`},
		"gemini":    {`error.status="FAILED_PRECONDITION"`, `error.details.1.violations.0.quotaId="BudgetPerDay-b"`},
	}
	imitated := map[string][]string{
		"openai": {`error.type="budget_exceeded"`, `error.code="429"`}, "responses": {`error.type="budget_exceeded"`, `error.code="429"`},
		"anthropic": form["anthropic"],
		"gemini":    {`error.status="RESOURCE_EXHAUSTED"`, `error.details.1.violations.0.quotaId="BudgetPerDay-b"`},
	}
	toCodex := map[string][]string{
		"openai": {`error.type="usage_limit_reached"`}, "responses": {`error.type="usage_limit_reached"`},
		"anthropic": form["anthropic"], "gemini": form["gemini"],
	}
	for _, x := range []struct {
		name   string
		change func(*Config)
		agent  string
		status func(dialect string) int
		form   map[string][]string
	}{
		{"by default", nil, "", func(string) int { return 402 }, form},
		{"as Portkey", func(c *Config) { c.DenyStatus = 412 }, "", func(string) int { return 412 }, form},
		{"as LiteLLM", func(c *Config) { c.DenyStatus = 429 }, "", func(string) int { return 429 }, imitated},
		{"by route", func(c *Config) {
			c.DenyStatus, c.DenyStatusByRoute = 429, map[string]int{"/v1/messages": 402, "/v1beta/models/{model}:generateContent": 412}
		}, "", func(d string) int { return map[string]int{"anthropic": 402, "gemini": 412}[d] }, nil},
		{"to Codex", func(c *Config) { c.DenyStatus = 412 }, codex, func(d string) int {
			return map[string]int{"openai": 429, "responses": 429, "anthropic": 412, "gemini": 412}[d]
		}, toCodex},
	} {
		w := newWorld(t, unasked(t), x.change)
		w.purse.free = 1
		for _, call := range asked {
			a, body := w.send("POST", call.path, call.body, "User-Agent", x.agent)
			want := x.status(call.name)
			if want == 0 {
				want = 429
			}
			if a.Status != want || sent(a, "x-should-retry") != "false" || sent(a, "retry-after") != "" {
				t.Errorf("%s, %s: %d %v %s", x.name, call.name, a.Status, a.Header, body)
			}
			if w.last().Status != want || w.last().Code != "insufficient_quota" {
				t.Errorf("%s, %s: recorded as %d %s", x.name, call.name, w.last().Status, w.last().Code)
			}
			for _, says := range x.form[call.name] {
				path, value, _ := strings.Cut(says, "=")
				if gjson.Get(body, path).Raw != value {
					t.Errorf("%s, %s: %s is not %s in %s", x.name, call.name, path, value, body)
				}
			}
		}
	}
}

// TestNoFiguresForOpencode, which takes these digits anywhere in an answer for the
// status of a passing failure. Others are told how much is missing.
func TestNoFiguresForOpencode(t *testing.T) {
	status := regexp.MustCompile(`429|500|502|503|504|524`)
	for agent, plain := range map[string]bool{"opencode/1.18.33 ai-sdk/provider-utils/4.0.23": true, "OpenAI/JS 7.57": false} {
		w := newWorld(t, unasked(t), nil)
		w.purse.refuse = Refusal{
			Account: ledger.AccountKey{Budget: "b"}, Unit: ledger.USD, Window: ledger.PerMonth,
			Limit: 500_000_000_000, Spent: 499_429_000_000, Held: 503_000_000, Needed: 524_000_000, ResetsAt: 1_795_000_000 * ledger.Second,
		}
		for _, call := range asked {
			a, body := w.send("POST", call.path, call.body, "User-Agent", agent)
			told := strings.ReplaceAll(body, sent(a, "request-id"), "") // is drawn
			if found := status.FindString(told); a.Status != 402 || (found == "") != plain || plain && !strings.Contains(body, "it resets at 2026-11-18T") {
				t.Errorf("%q, %s: found %q in %d %s", agent, call.name, found, a.Status, body)
			}
		}
	}
}

// TestRateLimitsSpeakTheDialect: a genuine 429 that says when to try again, in the
// headers that the dialect's clients read.
func TestRateLimitsSpeakTheDialect(t *testing.T) {
	const now = 1_790_000_000 // as the world's clock says
	for _, unit := range []ledger.Unit{ledger.Requests, ledger.Tokens} {
		w := newWorld(t, unasked(t), nil)
		w.purse.refuse = Refusal{
			Account: ledger.AccountKey{Budget: "limit-daily"}, Unit: unit, Window: ledger.PerMinute,
			Limit: 60, Spent: 50, Held: 7, Needed: 5, ResetsAt: (now + 12) * ledger.Second,
		}
		for _, call := range asked {
			a, body := w.send("POST", call.path, call.body)
			if a.Status != 429 || sent(a, "retry-after") != "12" || sent(a, "retry-after-ms") != "12000" || sent(a, "x-should-retry") != "" {
				t.Errorf("%s, %s: %d %v %s", unit, call.name, a.Status, a.Header, body)
			}
			want := map[string]string{
				fmt.Sprintf("x-ratelimit-limit-%s", unit): "60", fmt.Sprintf("x-ratelimit-remaining-%s", unit): "3", fmt.Sprintf("x-ratelimit-reset-%s", unit): "12s",
			}
			switch call.name {
			case "anthropic":
				want = map[string]string{
					fmt.Sprintf("anthropic-ratelimit-%s-limit", unit): "60", fmt.Sprintf("anthropic-ratelimit-%s-remaining", unit): "3",
					fmt.Sprintf("anthropic-ratelimit-%s-reset", unit): "2026-09-21T14:13:32Z",
				}
				if gjson.Get(body, "error.type").String() != "rate_limit_error" {
					t.Errorf("%s: %s", unit, body)
				}
			case "gemini":
				want = nil
				if gjson.Get(body, "error.status").String() != "RESOURCE_EXHAUSTED" ||
					gjson.Get(body, `error.details.#(retryDelay).retryDelay`).String() != "12.000s" ||
					gjson.Get(body, `error.details.#(violations).violations.0.quotaId`).String() != "LimitPerMinute" {
					t.Errorf("%s: %s", unit, body)
				}
			default:
				if gjson.Get(body, "error.code").String() != "rate_limit_exceeded" {
					t.Errorf("%s: %s", unit, body)
				}
			}
			for name, value := range want {
				if got := sent(a, name); got != value {
					t.Errorf("%s, %s: %s is %q, not %q", unit, call.name, name, got, value)
				}
			}
		}
	}
}

// TestNobodyIsToldToWaitForLong: SDKs do not wait longer than a minute, but some
// ask again at once when they are told to.
func TestNobodyIsToldToWaitForLong(t *testing.T) {
	const now = 1_790_000_000
	for _, x := range []struct {
		window ledger.WindowKind
		resets ledger.Instant
		after  string
		quota  string
	}{
		{ledger.PerHour, (now + 1800) * ledger.Second, "1800", "LimitPerHour"},
		{ledger.PerDay, (now + 80_000) * ledger.Second, "80000", "LimitPerDay"},
		{ledger.Total, ledger.MaxInstant, "", "LimitPerDay"},
	} {
		w := newWorld(t, unasked(t), nil)
		w.purse.refuse = Refusal{Account: ledger.AccountKey{Budget: "b"}, Unit: ledger.Requests, Window: x.window, Limit: 60, Spent: 60, Needed: 1, ResetsAt: x.resets}
		for _, call := range asked {
			a, body := w.send("POST", call.path, call.body)
			if a.Status != 429 || sent(a, "retry-after") != x.after || sent(a, "x-should-retry") != "false" {
				t.Errorf("%s, %s: %d %v", x.window, call.name, a.Status, a.Header)
			}
			if call.name == "gemini" && gjson.Get(body, `error.details.#(violations).violations.0.quotaId`).String() != x.quota {
				t.Errorf("%s: %s", x.window, body)
			}
		}
	}
	w := newWorld(t, unasked(t), nil)
	w.purse.refuse = Refusal{Account: ledger.AccountKey{Budget: "b"}, Unit: ledger.Slots, Limit: 2, Held: 2, Needed: 1, ResetsAt: ledger.MaxInstant}
	for _, call := range asked {
		a, body := w.send("POST", call.path, call.body)
		if a.Status != 429 || sent(a, "retry-after") != "1" || sent(a, "x-should-retry") != "" || strings.Contains(body, "PerMinute") {
			t.Errorf("slots, %s: %d %v %s", call.name, a.Status, a.Header, body)
		}
	}
}

// TestErrorsOfTheEdgeSpeakTheDialect, as far as the request is known.
func TestErrorsOfTheEdgeSpeakTheDialect(t *testing.T) {
	for _, x := range []struct {
		path   string
		header headerList
		says   string // of a 413
	}{
		{"", nil, `error.code="request_too_large"`},
		{"/v1/chat/completions", nil, `error.type="invalid_request_error"`},
		{"/v1/chat/completions", headerList{headerVersion, defaultVersion}, `error.code="request_too_large"`},
		{"/v1/responses", nil, `error.code="request_too_large"`},
		{"/v1/messages", nil, `error.type="request_too_large"`},
		{"/v1/models", headerList{headerVersion, defaultVersion}, `error.type="request_too_large"`},
		{"/nowhere", headerList{headerVersion, defaultVersion}, `error.details.error_code="request_too_large"`},
		{"/v1beta/models/m:generateContent", nil, `error.status="INVALID_ARGUMENT"`},
		{"/v1/models/m:generateContent", nil, `error.details.0.reason="REQUEST_TOO_LARGE"`},
		{"/upload/v1beta/files", nil, `error.code=413`},
	} {
		contentType, body := ErrorBody(&Request{Path: x.path, Header: x.header}, 413, "request_too_large", "too large")
		path, want, _ := strings.Cut(x.says, "=")
		if got := gjson.GetBytes(body, path).Raw; got != want || !strings.HasPrefix(contentType, "application/json") || gjson.GetBytes(body, "error.message").String() != "too large" {
			t.Errorf("%s %v: %s is %s, not %s, in %s %s", x.path, x.header, path, got, want, contentType, body)
		}
	}
	for path, want := range map[string]string{"/v1/messages": `"timeout_error"`, "/v1beta/models": `"DEADLINE_EXCEEDED"`, "/v1/completions": `"request_timeout"`} {
		if _, body := ErrorBody(&Request{Path: path, Header: headerList{}}, 408, "request_timeout", "slow"); !strings.Contains(string(body), want) {
			t.Errorf("%s: %s", path, body)
		}
	}
}
