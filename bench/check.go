package main

import (
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
		report, err := r.rig.client().Usage(ctx, admin.UsageQuery{})
		if err != nil {
			return recorded, fmt.Errorf("asking the node for its records: %w", err)
		}
		recorded = report.Total
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

// compare says what is wrong with the run, or nil.
func (r *run) compare(recorded admin.UsageRow) error {
	var errs []error
	if r.errors > 0 {
		errs = append(errs, fmt.Errorf("%d requests failed; the first: %w", r.errors, r.first))
	}
	if recorded.Requests != r.asked {
		errs = append(errs, fmt.Errorf("the node kept %d usage records of %d requests", recorded.Requests, r.asked))
	}
	if recorded.Cost != r.billed {
		errs = append(errs, fmt.Errorf("the records cost %d nano-dollars, the provider billed %d", recorded.Cost, r.billed))
	}
	return errors.Join(errs...)
}
