package ui

import (
	"slices"

	"purser/api/admin"
)

// metric is what a chart or a table is about.
type metric struct {
	Key, Name string
	of        func(*admin.UsageRow) int64
	text      func(int64) string
	alone     bool // it does not add up over groups
}

var metrics = []metric{
	{"cost", "Cost", func(r *admin.UsageRow) int64 { return r.Cost }, money, false},
	{"requests", "Requests", func(r *admin.UsageRow) int64 { return r.Requests }, count, false},
	{"tokens", "Tokens", tokensOf, count, false},
	{"saved", "Saved", func(r *admin.UsageRow) int64 { return r.Saved }, money, false},
	{"errors", "Not answered", failures, count, false},
	{"p50", "Median time", func(r *admin.UsageRow) int64 { return r.TotalP50 }, latency, true},
	{"p99", "99th percentile", func(r *admin.UsageRow) int64 { return r.TotalP99 }, latency, true},
	{"first", "First token", func(r *admin.UsageRow) int64 { return r.FirstP50 }, latency, true},
}

// metricOf finds a metric; the cost where there is none of the name.
func metricOf(key string) metric {
	if i := slices.IndexFunc(metrics, func(m metric) bool { return m.Key == key }); i >= 0 {
		return metrics[i]
	}
	return metrics[0]
}

// answered are the outcomes of requests that got what they asked for.
var answered = []string{"completed", "cache_hit", "coalesced", "replayed"}

// failures are the requests of a row that did not.
func failures(r *admin.UsageRow) (n int64) {
	for name, count := range r.Outcomes {
		if !slices.Contains(answered, name) {
			n += count
		}
	}
	return n
}

// counts are the meters that count calls and not tokens.
var counts = []string{"web_search", "web_fetch", "code_exec", "file_search", "requests"}

// tokensOf is all tokens of a row.
func tokensOf(r *admin.UsageRow) (n int64) {
	for name, v := range r.Tokens {
		if !slices.Contains(counts, name) {
			n += v
		}
	}
	return n
}
