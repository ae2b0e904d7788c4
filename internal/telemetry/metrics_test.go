package telemetry

import (
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"purser/internal/record"
	"purser/proxy/price"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("scrape answered %d", w.Code)
	}
	return w.Body.String()
}

func zeroGauges() Gauges {
	zero := func() float64 { return 0 }
	return Gauges{Holds: zero, Ready: func() float64 { return 1 }, Applied: zero, Gossip: zero, Foreign: zero, Followers: zero, Copies: func() (float64, float64) { return 0, 0 }, Alerts: zero, Exports: zero,
		Upstreams: func() []UpstreamHealth { return []UpstreamHealth{{"openai", 1, 7}, {"azure", 0, 0}} },
		Breakers:  func() (open, halfOpen, spent float64) { return 2, 1, 3 },
		Loops:     func() map[string]float64 { return map[string]float64{"repeat": 2} },
		Caches:    func() map[string]int64 { return map[string]int64{"entries": 3, "fills": 4} },
		Idempotency: func() (Idempotency, bool) {
			return Idempotency{Claims: map[string]int64{"granted": 5, "unknown": 1}, Keys: 6, Bytes: 700, Waiting: 2}, true
		},
		Budgets: func() ([]BudgetAmount, bool) {
			return []BudgetAmount{{Budget: "teams", Window: "month", Team: "core", Limit: 10, Spent: 4, Outstanding: 2, Presumed: 1}}, false
		},
		Sent: func() (Sent, bool) {
			return Sent{Queued: 1, Told: 9, Dropped: 2, SpansSent: 7, SpansFailed: 3, MetricsFailed: 4}, true
		},
		Shared: func() (SharedTier, bool) {
			one := map[string]uint64{"done": 4}
			return SharedTier{Ready: true, Queued: 5, Lookups: map[string]uint64{"found": 6}, Points: one, Purges: one, Sweeps: one}, true
		}}
}

func completed(model string) *record.Record {
	r := &record.Record{Endpoint: "/v1/chat/completions", Outcome: record.Completed, Upstream: "openai", Model: model, Attempts: 1,
		Cost: 2_500_000_000, Overrun: 500_000_000, Basis: record.Reported, Total: 1e9, FirstByte: 1e6, Admit: 1e6,
		Savings: []record.Saving{{Lever: record.LeverNativeCache, Amount: 1_000_000_000}, {Lever: record.LeverCompression, Amount: -500_000_000}},
		Route:   record.Route{Name: "fast"}, Shape: record.Shape{Breakpoints: 2}}
	r.Usage[price.InputText], r.Usage[price.OutputText] = 7, 11
	r.Usage[price.CacheRead], r.Usage[price.CacheWrite1h], r.Usage[price.CacheWrite5m] = 13, 3, 2
	return r
}

func TestObserveCountsWhatTheRecordSays(t *testing.T) {
	m := New(zeroGauges())
	m.Observe(completed("gpt-4o"))
	m.Observe(completed("gpt-4o"))
	m.Observe(&record.Record{Endpoint: "/v1/chat/completions", Outcome: record.Refused, Code: "insufficient_quota"})
	m.Observe(&record.Record{Rulings: []record.Ruling{{Policy: "p", Rule: "r", Effect: record.PolicyDenied}, {Policy: "p", Rule: "s", Effect: record.PolicyWarned, Shadow: true}}})
	m.Exchanged(3 * time.Millisecond)
	got := scrape(t, m)
	for _, want := range []string{
		`purser_requests_total{code="",endpoint="/v1/chat/completions",outcome="completed"} 2`,
		`purser_requests_total{code="insufficient_quota",endpoint="/v1/chat/completions",outcome="refused"} 1`,
		`purser_tokens_total{meter="input",model="gpt-4o",upstream="openai"} 14`,
		`purser_cost_usd_total{model="gpt-4o",upstream="openai"} 5`,
		`purser_overrun_usd_total 1`,
		`purser_saved_usd_total{lever="native_cache"} 2`,
		`purser_lever_loss_usd_total{lever="compression"} 1`,
		`purser_prompt_cache_tokens_total{model="gpt-4o",part="read",route="fast",upstream="openai"} 26`,
		`purser_prompt_cache_tokens_total{model="gpt-4o",part="written",route="fast",upstream="openai"} 10`,
		`purser_prompt_cache_tokens_total{model="gpt-4o",part="uncached",route="fast",upstream="openai"} 14`,
		`purser_prompt_cache_breakpoints_total{model="gpt-4o",upstream="openai"} 4`,
		`purser_policy_rulings_total{effect="denied",mode="enforce",policy="p",rule="r"} 1`,
		`purser_policy_rulings_total{effect="warned",mode="shadow",policy="p",rule="s"} 1`,
		`purser_ready 1`,
		`purser_upstream_breakers_open{upstream="openai"} 1`,
		`purser_upstream_breakers_open{upstream="azure"} 0`,
		`purser_upstream_calls_in_flight{upstream="openai"} 7`,
		`purser_semcache_shared_ready 1`,
		`purser_semcache_shared_queued 5`,
		`purser_semcache_shared_lookups_total{outcome="found"} 6`,
		`purser_budget_limit_usd{budget="teams",key="",member="",org="",project="",team="core",window="month"} 10`,
		`purser_budget_spent_usd{budget="teams",key="",member="",org="",project="",team="core",window="month"} 4`,
		`purser_budget_accounts_cut 1`,
		`purser_idempotency_claims_total{outcome="granted"} 5`,
		`purser_idempotency_keys 6`,
		`purser_idempotency_bytes 700`,
		`purser_idempotency_reports_waiting 2`,
		`purser_telemetry_requests_total 9`,
		`purser_telemetry_requests_dropped_total 2`,
		`purser_telemetry_spans_total{outcome="failed"} 3`,
		`purser_telemetry_exports_total{outcome="failed",signal="metrics"} 4`,
		`purser_exchange_seconds_bucket{le="0.0025"} 0`,
		`purser_exchange_seconds_bucket{le="0.005"} 1`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the scrape lacks %s", want)
		}
	}
}

func TestModelLabelsAreBounded(t *testing.T) {
	m := New(zeroGauges())
	for i := range 10 * maxModels {
		m.Observe(completed(fmt.Sprintf("model-%d", i)))
	}
	if n := strings.Count(scrape(t, m), "\npurser_cost_usd_total{"); n != maxModels+1 {
		t.Errorf("%d values of the label model, want %d and other", n, maxModels)
	}
}

func TestEntityLabelsAreBounded(t *testing.T) {
	m := New(zeroGauges())
	for i := range 10 * maxEntities {
		m.Redacted(fmt.Sprintf("OWN_%d", i), "mask", 2)
	}
	got := scrape(t, m)
	if n := strings.Count(got, "\npurser_redaction_findings_total{"); n != maxEntities+1 || !strings.Contains(got, `purser_redaction_findings_total{action="mask",entity="OWN_0"} 2`) {
		t.Errorf("%d values of the label entity, want %d and other", n, maxEntities)
	}
}

func TestEveryMetricIsDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	m := New(zeroGauges())
	r := completed("gpt-4o")
	r.Rulings = []record.Ruling{{Policy: "p", Rule: "r", Effect: record.PolicyWarned}}
	r.Semantic.Verdict = record.SemanticMiss
	r.Savings = append(r.Savings, record.Saving{Lever: record.LeverNativeCache, Amount: -1})
	m.Observe(r)
	m.Redacted("EMAIL", "mask", 1)
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^# HELP (purser_\w+) `).FindAllStringSubmatch(scrape(t, m), -1) {
		names = append(names, match[1])
	}
	if len(names) < 10 {
		t.Fatalf("only %d metrics: %v", len(names), names)
	}
	for _, n := range names {
		if !strings.Contains(string(doc), "`"+n+"`") {
			t.Errorf("docs/metrics.md does not have %s", n)
		}
	}
	for _, match := range regexp.MustCompile("`(purser_\\w+)`").FindAllStringSubmatch(string(doc), -1) {
		if !slices.Contains(names, match[1]) {
			t.Errorf("docs/metrics.md has %s, which does not exist", match[1])
		}
	}
}

// TestABudgetsNamesEndNoScrape, and with it the node.
func TestABudgetsNamesEndNoScrape(t *testing.T) {
	g := zeroGauges()
	g.Budgets = func() ([]BudgetAmount, bool) {
		return []BudgetAmount{{Budget: "b\xff", Team: "t\xff\"\n", Limit: 1}}, true
	}
	if got := scrape(t, New(g)); !strings.Contains(got, "purser_budget_limit_usd{budget=\"b\ufffd\"") {
		t.Error("the budget is not shown")
	}
}
