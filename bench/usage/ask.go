package main

import (
	"context"
	"fmt"
	"time"

	"purser/internal/usage"
	"purser/ledger"
)

// questions are over all days.
var questions = []struct {
	what     string
	by       []string
	interval ledger.WindowKind
	where    map[string]string
}{
	{"everything", nil, 0, nil},
	{"customer, feature", []string{"customer", "feature"}, 0, nil},
	{"customer, model", []string{"customer", "model"}, 0, nil},
	{"team, model", []string{"team", "model"}, 0, nil},
	{"key, outcome", []string{"key", "outcome"}, 0, nil},
	{"agent, provider, of one team", []string{"agent", "provider"}, 0, map[string]string{"team": "team-03"}},
	{"team, model, each day", []string{"team", "model"}, ledger.PerDay, nil},
	{"one customer, each day", nil, ledger.PerDay, map[string]string{"customer": "customer-0007"}},
	{"feature, each hour", []string{"feature"}, ledger.PerHour, nil},
	{"step, client", []string{"step", "client"}, 0, nil},
}

// ask measures questions and look-ups, and compares what they say with what was written.
func ask(ctx context.Context, j *usage.Journal, w *written, rounds int) error {
	fmt.Printf("%d days, grouped by:\n", over)
	for _, q := range questions {
		query := usage.TotalsQuery{Range: usage.Range{From: begin, To: begin + span()}, Interval: ledger.Window{Kind: q.interval}, Limit: 50}
		if q.interval == ledger.PerHour {
			query.Limit = 40
		}
		for _, name := range q.by {
			f, ok := usage.ParseField(name)
			if !ok {
				return fmt.Errorf("no field %q", name)
			}
			query.By = append(query.By, f)
		}
		for name, value := range q.where {
			f, ok := usage.ParseField(name)
			if !ok {
				return fmt.Errorf("no field %q", name)
			}
			query.Where = append(query.Where, usage.Condition{Field: f, Values: []string{value}})
		}
		var times []time.Duration
		var rep *usage.Report
		busy := processor()
		for range rounds {
			began := time.Now()
			var err error
			if rep, err = j.Totals(ctx, query); err != nil {
				return fmt.Errorf("%s: %w", q.what, err)
			}
			times = append(times, time.Since(began))
		}
		if q.where == nil && (rep.Total.Cost != w.cost || rep.Total.Requests != w.requests) {
			return fmt.Errorf("%s: %d requests of %d nano-dollars, and %d of %d were written", q.what, rep.Total.Requests, rep.Total.Cost, w.requests, w.cost)
		}
		given := ""
		if len(rep.Given) > 0 {
			given = fmt.Sprintf("; rarer values of %v are other", rep.GivenNames())
		}
		busy = (processor() - busy) / time.Duration(rounds)
		const to = 100 * time.Microsecond
		fmt.Printf("  %-30s p50 %8v  p95 %8v  processor %8v  %6d rows%s\n", q.what, quantile(times, 50).Round(to), quantile(times, 95).Round(to), busy.Round(to), len(rep.Rows), given)
	}
	var times []time.Duration
	for _, id := range w.ids[:min(len(w.ids), 2000)] {
		began := time.Now()
		list, err := j.Get(ctx, id)
		if err != nil || len(list) != 1 {
			return fmt.Errorf("look up %s: %d records, %w", id, len(list), err)
		}
		times = append(times, time.Since(began))
	}
	fmt.Printf("a request by its id: p50 %v, p95 %v, p99 %v of %d\n", quantile(times, 50), quantile(times, 95), quantile(times, 99), len(times))
	fmt.Println("every sum is what was written")
	return nil
}
