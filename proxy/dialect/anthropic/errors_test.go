package anthropic

import (
	"encoding/json"
	"strings"
	"testing"

	"purser/proxy/dialect"
)

// TestErrorsByTheirCode has the type that each of the gateway's codes is told by.
func TestErrorsByTheirCode(t *testing.T) {
	for code, want := range map[dialect.Code]string{
		dialect.CodeInvalidKey: "authentication_error", dialect.CodeBoundDim: "permission_error", dialect.CodeModelNotFound: "not_found_error",
		dialect.CodeRouteNotFound: "not_found_error", dialect.CodeInvalidJSON: "invalid_request_error", dialect.CodeMethod: "invalid_request_error",
		dialect.CodeTooLarge: "request_too_large", dialect.CodeQuota: "billing_error", dialect.CodeRateLimit: "rate_limit_error",
		dialect.CodeConcurrency: "rate_limit_error", dialect.CodeUndecided: "overloaded_error", dialect.CodeOverloaded: "overloaded_error",
		dialect.CodeShuttingDown: "overloaded_error", dialect.CodeStorage: "api_error", dialect.CodeUpstream: "api_error",
		dialect.CodeUpstreamTimeout: "timeout_error", dialect.CodeInternal: "api_error",
	} {
		e := dialect.NewError(code, "tools.0", "it is \"%s\"", "so")
		e.RequestID = "req_7"
		status, headers, body := ErrorAnswer(e)
		var got struct {
			Type  string
			Error struct {
				Type, Message string
				Details       struct {
					Code  string `json:"error_code"`
					Param string
				}
			}
			RequestID string `json:"request_id"`
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		if status != e.Status || got.Type != "error" || got.Error.Type != want || got.Error.Message != `it is "so"` || got.Error.Details.Param != "tools.0" || got.RequestID != "req_7" {
			t.Errorf("%s: %d %s", code, status, body)
		}
		retry := ""
		for _, h := range headers {
			if h.Name == "x-should-retry" {
				retry = h.Value
			}
		}
		if (retry == "false") != (code == dialect.CodeQuota || code == dialect.CodeInvalidKey) || (got.Error.Details.Code == "spend_limit_reached") != (code == dialect.CodeQuota) {
			t.Errorf("%s: retry %q, %s", code, retry, body)
		}
	}
}

func TestRefusalForMoneyNamesTheBudget(t *testing.T) {
	e := dialect.NewError(dialect.CodeQuota, "", "no")
	e.Budget = &dialect.Budget{ID: "b", Unit: "usd", Window: "day", Limit: 5, Spent: 4, Needed: 3, ResetsAt: 99}
	if _, _, body := ErrorAnswer(e); !strings.Contains(string(body), `"budget":{"id":"b","account":"","unit":"usd","window":"day","limit":5,"spent":4,"held":0,"unreachable":0,"needed":3,"resets_at":99}`) || !json.Valid(body) {
		t.Errorf("%s", body)
	}
	e.Budget.ResetsAt, e.RetryAfterMillis = 0, 1500
	_, headers, body := ErrorAnswer(e)
	if !strings.Contains(string(body), `"resets_at":null`) || headers[2] != (dialect.Header{Name: "retry-after", Value: "2"}) || headers[3].Value != "1500" {
		t.Errorf("%v %s", headers, body)
	}
}

func TestModels(t *testing.T) {
	if got := string(AppendModels(nil, nil)); got != `{"data":[],"has_more":false,"first_id":null,"last_id":null}` {
		t.Error(got)
	}
	const one = `{"type":"model","id":"a","display_name":"a","created_at":"1970-01-01T00:00:00Z"}`
	got := string(AppendModels(nil, []dialect.Listed{{ID: "a"}, {ID: "b"}}))
	if got != `{"data":[`+one+`,`+strings.ReplaceAll(one, `"a"`, `"b"`)+`],"has_more":false,"first_id":"a","last_id":"b"}` {
		t.Error(got)
	}
}
