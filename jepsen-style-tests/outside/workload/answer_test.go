package workload

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
)

const refusing = `{"id":"b","account":"b[x]","unit":"usd","window":"day","limit":50,"spent":40,"held":6,"unreachable":1,"needed":9,"resets_at":1767225600}`

func TestProblemsOfThreeDialectsAreRead(t *testing.T) {
	budget := &history.Budget{ID: "b", Account: "b[x]", Unit: "usd", Window: "day", Limit: 50, Spent: 40, Held: 6, Unreachable: 1, Needed: 9}
	for name, x := range map[string]struct {
		body, code string
		budget     *history.Budget
	}{
		"OpenAI's":                  {`{"error":{"message":"m","type":"insufficient_quota","param":null,"code":"insufficient_quota","budget":` + refusing + `}}`, "insufficient_quota", budget},
		"OpenAI's, without a code":  {`{"error":{"message":"m","type":"server_error","param":null,"code":null}}`, "server_error", nil},
		"Anthropic's":               {`{"type":"error","error":{"type":"billing_error","message":"m","details":{"error_code":"spend_limit_reached","budget":` + refusing + `}},"request_id":"r"}`, "spend_limit_reached", budget},
		"Anthropic's, a provider's": {`{"type":"error","error":{"type":"overloaded_error","message":"m"},"request_id":null}`, "overloaded_error", nil},
		"Gemini's":                  {`{"error":{"code":402,"message":"m","status":"FAILED_PRECONDITION","details":[{"@type":"x"},{"domain":"purser","metadata":{"code":"insufficient_quota"}}]}}`, "insufficient_quota", nil},
		"a page":                    {`<html>502</html>`, "", nil},
	} {
		code, got := problem([]byte(x.body))
		if code != x.code || (got == nil) != (x.budget == nil) || got != nil && *got != *x.budget {
			t.Errorf("%s is read as %q %+v, want %q %+v", name, code, got, x.code, x.budget)
		}
	}
}

func TestAStreamIsWholeAtItsEndAlone(t *testing.T) {
	for name, x := range map[string]struct {
		stream string
		ok     bool
		code   string
	}{
		"OpenAI's":                  {"data: {\"choices\":[]}\n\ndata: [DONE]\n\n", true, ""},
		"with CRLF and comments":    {": hm\r\n\r\ndata: {\"error\":null}\r\n\r\ndata: [DONE]\r\n\r\n", true, ""},
		"Anthropic's":               {"event: message_start\ndata: {\"type\":\"message_start\"}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n", true, ""},
		"cut":                       {"data: {\"choices\":[]}\n\n", false, ""},
		"nothing":                   {"", false, ""},
		"ended by an error":         {"data: {\"error\":{\"type\":\"t\",\"code\":\"upstream_invalid\"}}\n\ndata: [DONE]\n\n", false, "upstream_invalid"},
		"ended by Anthropic's":      {"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\"}}\n\n", false, "api_error"},
		"an answer that says so":    {"data: {\"choices\":[{\"delta\":{\"content\":\"[DONE]\"}}]}\n\n", false, ""},
		"an error without anything": {"data: {\"error\":{}}\n\n", false, "error"},
	} {
		if ok, code := whole([]byte(x.stream)); ok != x.ok || code != x.code {
			t.Errorf("%s is read as whole %v, code %q; want %v, %q", name, ok, code, x.ok, x.code)
		}
	}
}

func TestHeadersAndTrailerAreRead(t *testing.T) {
	var r history.Request
	tell(&r, http.Header{"X-Purser-Request-Id": {"req_1"}, "X-Purser-Cache": {"miss"}})
	if r.RequestID != "req_1" || r.Cache != "miss" || r.Costed || r.Replayed {
		t.Errorf("the headers are read as %+v", r)
	}
	tell(&r, http.Header{"X-Purser-Cost-Nanousd": {"0"}, "X-Purser-Idempotent-Replayed": {"true"}})
	if !r.Costed || r.Cost != 0 || !r.Replayed || r.RequestID != "req_1" || r.Cache != "miss" {
		t.Errorf("with the trailer, they are read as %+v", r)
	}
}

func TestOnlyWhatWasRefusedOrNeverSentHasNoEffect(t *testing.T) {
	for name, x := range map[string]struct {
		err  error
		want bool
	}{
		"refused":         {&admin.Fault{Status: 409, Code: "conflict"}, true},
		"not confirmed":   {admin.Undecided("who knows"), false},
		"a fault of its":  {&admin.Fault{Status: 500, Code: "internal"}, false},
		"no connection":   {fmt.Errorf("asking: %w", &net.OpError{Op: "dial", Err: errors.New("refused")}), true},
		"it broke":        {fmt.Errorf("asking: %w", &net.OpError{Op: "read", Err: errors.New("reset")}), false},
		"something other": {errors.New("unexpected EOF"), false},
	} {
		if got := effectless(x.err); got != x.want {
			t.Errorf("%s: has no effect: %v, want %v", name, got, x.want)
		}
	}
}

func TestAReaderStopsAndLeaves(t *testing.T) {
	stay := &reader{ctx: t.Context(), from: strings.NewReader("0123456789")}
	leave := &reader{ctx: t.Context(), from: strings.NewReader("0123456789"), how: Reading{LeaveAt: 4}}
	p := make([]byte, 4)
	for range 3 {
		if _, err := stay.Read(p); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := leave.Read(p); err != nil {
		t.Fatal(err)
	}
	if _, err := leave.Read(p); !errors.Is(err, errLeft) {
		t.Errorf("a client that hangs up after 4 bytes goes on: %v", err)
	}
}

func TestLimitsAreWrittenExactly(t *testing.T) {
	for n, want := range map[int64]string{1: "0.000000001", 1_000_000_000: "1.000000000", 12_345_678_901: "12.345678901"} {
		if got := limitText(n, "usd"); string(got) != want {
			t.Errorf("%d nano-dollars are written %s, want %s", n, got, want)
		}
	}
	if got := limitText(60, "requests"); string(got) != "60" {
		t.Errorf("60 requests are written %s", got)
	}
}

func TestNoLimitIsAskedForTwice(t *testing.T) {
	town := New(nil, nil, Options{})
	seen := map[int64]bool{}
	for range 5 {
		n := town.Limit("b", 100)
		if seen[n] || n < 100 || n > 104 {
			t.Errorf("about 100 is %d", n)
		}
		seen[n] = true
	}
	if n := town.Limit("other", 100); n != 100 {
		t.Errorf("another budget's is %d", n)
	}
}
