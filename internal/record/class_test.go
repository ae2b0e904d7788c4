package record

import (
	"slices"
	"testing"
)

func TestClasses(t *testing.T) {
	seen := map[Class]bool{}
	for _, c := range []struct {
		r    Record
		want Class
	}{
		{Record{Outcome: Completed, Status: 200}, ClassNone},
		{Record{Outcome: CacheHit}, ClassNone},
		{Record{Kind: KindAdjustment}, ClassNone},
		{Record{Outcome: Refused, Code: "insufficient_quota", Status: 402}, ClassBudget},
		{Record{Outcome: Refused, Code: "rate_limit_exceeded", Status: 429}, ClassRateLimit},
		{Record{Outcome: Refused, Code: "concurrency_limit_exceeded", Status: 429}, ClassRateLimit},
		{Record{Outcome: CutShort, Status: 200}, ClassBudget},
		{Record{Outcome: CutShort, Code: "undecided"}, ClassUndecided},
		{Record{Outcome: Denied, Code: "policy_denied", Status: 403}, ClassPolicy},
		{Record{Outcome: Denied, Code: "loop_detected", Status: 402}, ClassPolicy},
		{Record{Outcome: Denied, Status: 200}, ClassPolicy},
		{Record{Outcome: Denied, Code: "api_key_expired", Status: 401}, ClassKey},
		{Record{Outcome: Denied, Code: "invalid_json", Status: 400}, ClassBadRequest},
		{Record{Outcome: Denied, Code: "one_of_tomorrow", Status: 400}, ClassBadRequest},
		{Record{Outcome: Denied, Code: "internal_error", Status: 500}, ClassInternal},
		{Record{Outcome: UpstreamError, Code: "upstream_unavailable", Status: 429}, ClassProviderRateLimit},
		{Record{Outcome: UpstreamError, Status: 529}, ClassProviderOverload},
		{Record{Outcome: UpstreamError, Status: 500}, ClassProviderError},
		{Record{Outcome: UpstreamError}, ClassProviderError},
		{Record{Outcome: Truncated, Status: 200}, ClassProviderError},
		{Record{Outcome: UpstreamError, Code: "upstream_timeout", Status: 504}, ClassTimeout},
		{Record{Outcome: Disconnected, Status: 200}, ClassClientGone},
		{Record{Outcome: Undecided, Code: "storage_unavailable", Status: 503}, ClassStorage},
		{Record{Outcome: Undecided, Code: "credential_unavailable", Status: 503}, ClassUndecided},
		{Record{Outcome: Undecided, Status: 503}, ClassUndecided},
	} {
		if got := c.r.Class(); got != c.want {
			t.Errorf("%s %q %d is %q, want %q", c.r.Outcome, c.r.Code, c.r.Status, got, c.want)
		}
		seen[c.r.Class()] = true
	}
	for _, c := range Classes {
		if !seen[c] {
			t.Errorf("nothing is of class %q", c)
		}
	}
	for code, c := range classOf {
		if !slices.Contains(Classes[:], c) {
			t.Errorf("%s is of the class %q, which is not in the list", code, c)
		}
	}
}
