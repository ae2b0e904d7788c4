package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"purser/api/admin"
)

// recordsTime bounds the wait for the last records to be written.
const recordsTime = 15 * time.Second

// check compares what the node recorded with what was asked and billed.
func (r *run) check(ctx context.Context) (recorded admin.UsageRow, err error) {
	ctx, cancel := context.WithTimeout(ctx, recordsTime)
	defer cancel()
	for {
		if recorded, err = r.records(ctx); err != nil {
			return recorded, err
		}
		if wrong := r.compare(recorded); wrong == nil || r.errors > 0 {
			return recorded, wrong
		}
		select {
		case <-ctx.Done():
			return recorded, r.compare(recorded)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// records are those of both nodes.
func (r *run) records(ctx context.Context) (sum admin.UsageRow, err error) {
	for _, p := range []*process{r.rig.node, r.rig.governed} {
		report, err := r.rig.client(p).Usage(ctx, admin.UsageQuery{})
		if err != nil {
			return sum, fmt.Errorf("asking the %s for its records: %w", p.name, err)
		}
		sum.Requests += report.Total.Requests
		sum.Cost += report.Total.Cost
	}
	return sum, nil
}

// governs says what of its rules the governed node did not go by, or nil.
func (r *run) governs(ctx context.Context) error {
	b, err := get(ctx, r.rig.governed.url+"/metrics")
	if err != nil {
		return fmt.Errorf("asking the governed node for its metrics: %w", err)
	}
	return r.governed(b)
}

func (r *run) governed(metrics []byte) error {
	if n := sumOf(metrics, ruledMeter); int64(n) != r.ruled {
		return fmt.Errorf("a rule that holds for each request held for %.0f of %d", n, r.ruled)
	}
	if n := sumOf(metrics, foundMeter); int64(n) < r.valued {
		return fmt.Errorf("%.0f values were found in %d requests that have some", n, r.valued)
	}
	return nil
}

// sumOf adds up the lines of metrics that begin so.
func sumOf(metrics []byte, name string) (sum float64) {
	for line := range bytes.Lines(metrics) {
		if bytes.HasPrefix(line, []byte(name)) {
			if n, err := numberAfter(line, string(line[:bytes.LastIndexByte(line, ' ')+1])); err == nil {
				sum += n
			}
		}
	}
	return sum
}

// compare says what is wrong with the run, or nil.
func (r *run) compare(recorded admin.UsageRow) error {
	var errs []error
	if r.errors > 0 {
		errs = append(errs, fmt.Errorf("%d requests failed; the first: %w", r.errors, r.first))
	}
	if recorded.Requests != r.asked {
		errs = append(errs, fmt.Errorf("the nodes kept %d usage records of %d requests", recorded.Requests, r.asked))
	}
	if recorded.Cost != r.billed {
		errs = append(errs, fmt.Errorf("the records cost %d nano-dollars, the provider billed %d", recorded.Cost, r.billed))
	}
	return errors.Join(errs...)
}
