package gemini

import (
	"encoding/json"
	"strings"
	"testing"

	"purser/proxy/dialect"
)

type errorBody struct {
	Error struct {
		Code    int
		Message string
		Status  string
		Details []struct {
			Type            string `json:"@type"`
			Reason, Domain  string
			Metadata        map[string]string
			RetryDelay      string
			FieldViolations []struct{ Field, Description string }
			Violations      []struct{ QuotaMetric, QuotaID, QuotaValue string }
		}
	}
}

func answerOf(t *testing.T, e *dialect.Error) (int, map[string]string, errorBody) {
	t.Helper()
	status, header, body := ErrorAnswer(e, dialect.AnyClient)
	var b errorBody
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	h := map[string]string{}
	for _, f := range header {
		h[f.Name] = f.Value
	}
	return status, h, b
}

// TestRefusalForMoney has what the clients look at: no client tries a 402 again,
// and gemini-cli stops at a quota by the day (googleQuotaErrors.ts of 0.61.0).
func TestRefusalForMoney(t *testing.T) {
	e := dialect.NewError(dialect.CodeQuota, "", "no room in %q", "b")
	e.Budget = &dialect.Budget{ID: "team", Account: "team[a]", Unit: "usd", Window: "day", Limit: 10, Spent: 4, Held: 3, Needed: 5, ResetsAt: 1_800_000_000}
	status, header, b := answerOf(t, e)
	if status != 402 || b.Error.Code != 402 || b.Error.Status != "FAILED_PRECONDITION" || header["x-should-retry"] != "false" || header["retry-after"] != "" {
		t.Errorf("%d %v %+v", status, header, b)
	}
	info, quota := b.Error.Details[0], b.Error.Details[1]
	if info.Reason != "INSUFFICIENT_QUOTA" || info.Domain != "purser" || info.Metadata["spent"] != "4" || info.Metadata["resets_at"] != "1800000000" || info.Metadata["budget"] != "team" {
		t.Errorf("%+v", info)
	}
	if !strings.HasSuffix(quota.Type, "QuotaFailure") || quota.Violations[0].QuotaID != "BudgetPerDay-team" {
		t.Errorf("%+v", quota)
	}
	for _, d := range b.Error.Details {
		if d.RetryDelay != "" {
			t.Error("a refusal for money says when to try again")
		}
	}
}

// TestRateLimit is one that clients may wait for.
func TestRateLimit(t *testing.T) {
	e := dialect.NewError(dialect.CodeRateLimit, "", "slow down")
	e.RetryAfterMillis, e.Budget = 12_345, &dialect.Budget{ID: "rpmPerDay", Unit: "requests", Window: "minute"}
	status, header, b := answerOf(t, e)
	if status != 429 || b.Error.Status != "RESOURCE_EXHAUSTED" || header["retry-after"] != "13" || header["retry-after-ms"] != "12345" || header["x-should-retry"] != "" {
		t.Errorf("%d %v %+v", status, header, b)
	}
	last := b.Error.Details[len(b.Error.Details)-1]
	if !strings.HasSuffix(last.Type, "RetryInfo") || last.RetryDelay != "12.345s" {
		t.Errorf("%+v", last)
	}
	for _, d := range b.Error.Details {
		for _, v := range d.Violations {
			if strings.Contains(v.QuotaID, "PerDay") || strings.Contains(v.QuotaID, "Daily") || !strings.Contains(v.QuotaID, "PerMinute") {
				t.Errorf("a rate limit by the name of %s", v.QuotaID)
			}
		}
		if d.Metadata["resets_at"] != "" {
			t.Error("it resets at no time")
		}
	}
}

func TestEveryStatusHasAName(t *testing.T) {
	for code, want := range map[dialect.Code]string{
		dialect.CodeInvalidKey: "UNAUTHENTICATED", dialect.CodeModelNotAllowed: "PERMISSION_DENIED", dialect.CodeRouteNotFound: "NOT_FOUND",
		dialect.CodeMethod: "UNIMPLEMENTED", dialect.CodeTooLarge: "INVALID_ARGUMENT", dialect.CodeInvalidJSON: "INVALID_ARGUMENT",
		dialect.CodeUndecided: "UNAVAILABLE", dialect.CodeShuttingDown: "UNAVAILABLE", dialect.CodeUpstream: "UNAVAILABLE",
		dialect.CodeUpstreamTimeout: "DEADLINE_EXCEEDED", dialect.CodeInternal: "INTERNAL", dialect.CodeConcurrency: "RESOURCE_EXHAUSTED",
	} {
		e := dialect.NewError(code, "a.b", "because")
		status, _, b := answerOf(t, e)
		if b.Error.Status != want || b.Error.Code != status || b.Error.Message != "because" {
			t.Errorf("%s: %d %+v", code, status, b)
		}
		if v := b.Error.Details[1].FieldViolations; len(v) != 1 || v[0].Field != "a.b" {
			t.Errorf("%s: %+v", code, b.Error.Details)
		}
	}
}

func TestModels(t *testing.T) {
	var list struct {
		Models []struct {
			Name                       string
			SupportedGenerationMethods []string
		}
	}
	raw := AppendModels(nil, []dialect.Listed{{ID: "a"}, {ID: `b"`, Translated: true}})
	if err := json.Unmarshal(raw, &list); err != nil || len(list.Models) != 2 || list.Models[1].Name != `models/b"` || len(list.Models[0].SupportedGenerationMethods) != 3 || len(list.Models[1].SupportedGenerationMethods) != 1 {
		t.Errorf("%v %s", err, raw)
	}
	if raw := AppendModels(nil, nil); string(raw) != `{"models":[]}` {
		t.Errorf("%s", raw)
	}
}
