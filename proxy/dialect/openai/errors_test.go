package openai

import (
	"encoding/json"
	"strings"
	"testing"

	"purser/proxy/dialect"
)

func headers(list []dialect.Header) map[string]string {
	m := map[string]string{}
	for _, h := range list {
		m[h.Name] = h.Value
	}
	return m
}

func quotaError() *dialect.Error {
	e := dialect.NewError(dialect.CodeQuota, "", "The billing budget '%s' is spent; it resets at 2026-12-01.", "team-month")
	e.Budget = &dialect.Budget{ID: "team-month", Account: `team "red"`, Unit: "usd", Window: "month",
		Limit: 5_000_000_000, Spent: 4_000_000_000, Held: 900_000_000, Unreachable: 50_000_000, Needed: 120_000_000, ResetsAt: 1796083200}
	return e
}

func TestRefusalForMoney(t *testing.T) {
	status, header, body := ErrorAnswer(quotaError(), dialect.AnyClient)
	h := headers(header)
	if status != 402 || h["x-should-retry"] != "false" || h["content-type"] != "application/json" || h["retry-after"] != "" {
		t.Errorf("%d %v", status, h)
	}
	want := `{"error":{"message":"The billing budget 'team-month' is spent; it resets at 2026-12-01.","type":"insufficient_quota","param":null,"code":"insufficient_quota",` +
		`"budget":{"id":"team-month","account":"team \"red\"","unit":"usd","window":"month","limit":5000000000,"spent":4000000000,"held":900000000,"unreachable":50000000,"needed":120000000,"resets_at":1796083200}}}`
	if string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

func TestRefusalForMoneyToCodex(t *testing.T) {
	status, header, body := ErrorAnswer(quotaError(), dialect.ClientOf([]byte("codex_cli_rs/0.169 (Linux)"), nil))
	if status != 429 || headers(header)["x-should-retry"] != "false" {
		t.Errorf("%d %v", status, header)
	}
	if want := `{"error":{"type":"usage_limit_reached","message":"The billing budget 'team-month' is spent; it resets at 2026-12-01.","resets_at":1796083200}}`; string(body) != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
	// Only money is told in its own form.
	if status, _, _ := ErrorAnswer(dialect.NewError(dialect.CodeInvalidKey, "", "x"), dialect.Codex); status != 401 {
		t.Errorf("%d", status)
	}
}

func TestRateLimitAndUndecided(t *testing.T) {
	for code, want := range map[dialect.Code]int{dialect.CodeRateLimit: 429, dialect.CodeConcurrency: 429, dialect.CodeUndecided: 503, dialect.CodeShuttingDown: 503} {
		e := dialect.NewError(code, "", "wait")
		e.RetryAfterMillis = 1500
		status, header, _ := ErrorAnswer(e, dialect.AnyClient)
		h := headers(header)
		if status != want || h["retry-after"] != "2" || h["retry-after-ms"] != "1500" || h["x-should-retry"] != "" {
			t.Errorf("%s: %d %v", code, status, h)
		}
	}
}

// Whatever is in an error, its body is JSON in OpenAI's shape.
func TestErrorBodiesAreJSON(t *testing.T) {
	e := dialect.NewError(dialect.CodeInvalidValue, "a\"\x00b", "%s", "line\nbreak \xff \u2028")
	for _, body := range [][]byte{AppendError(nil, e), AppendError(nil, quotaError()),
		[]byte(strings.TrimSpace(strings.TrimPrefix(string(AppendStreamError(nil, e)), "data: ")))} {
		var v struct {
			Error struct{ Message, Type, Code, Param string }
		}
		if err := json.Unmarshal(body, &v); err != nil || v.Error.Message == "" || v.Error.Type == "" || v.Error.Code == "" {
			t.Errorf("%s: %v %+v", body, err, v)
		}
	}
}

// What we write, we read.
func TestReadError(t *testing.T) {
	for body, want := range map[string]dialect.UpstreamError{
		string(AppendError(nil, quotaError())):                                               {Type: "insufficient_quota", Code: "insufficient_quota", Message: "The billing budget 'team-month' is spent; it resets at 2026-12-01."},
		`{"error":{"message":"Bad","type":"invalid_request_error","param":"n","code":null}}`: {Type: "invalid_request_error", Param: "n", Message: "Bad"},
		`{"error":"plain"}`:                    {Message: "plain"},
		`{"error":{"code":429,"message":"x"}}`: {Code: "429", Message: "x"},
		`{"x":1,"error":{"message":"late"}}`:   {Message: "late"},
		` <html>Bad Gateway</html> `:           {Message: "<html>Bad Gateway</html>"},
		`{"error":`:                            {Message: `{"error":`},
		`{"error":null}`:                       {},
		``:                                     {},
	} {
		if got := ReadError([]byte(body)); got != want {
			t.Errorf("%s: %+v, want %+v", body, got, want)
		}
	}
	long := ReadError([]byte(`{"error":{"message":"` + strings.Repeat("é", 5000) + `"}}`))
	if len(long.Message) > dialect.MaxErrorText || !strings.HasSuffix(long.Message, "é") {
		t.Errorf("%d bytes", len(long.Message))
	}
}

func TestModels(t *testing.T) {
	got := string(AppendModels(nil, []dialect.Listed{{ID: "gpt-4o", Owner: "openai"}, {ID: `a"b`, Owner: "purser"}}))
	want := `{"object":"list","data":[{"id":"gpt-4o","object":"model","created":0,"owned_by":"openai"},{"id":"a\"b","object":"model","created":0,"owned_by":"purser"}]}`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := string(AppendModels(nil, nil)); got != `{"object":"list","data":[]}` {
		t.Errorf("%s", got)
	}
}
