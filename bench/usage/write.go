package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"purser/internal/usage"
	"purser/ledger"
)

// parts is how many turns writing with and without rolling up take.
const parts = 10

// written is what was written.
type written struct {
	cost     ledger.Amount
	requests int64
	ids      []string // some of them
}

// taken are times of one kind of turn.
type taken struct {
	commits []time.Duration // of the call that takes a record
	waits   []time.Duration // until one is on disk
	records int
	span    time.Duration
}

// write writes n records, and rolls up in every other turn at the same time.
func write(ctx context.Context, j *usage.Journal, n int) (*written, error) {
	w, out := newWorld(1), &written{}
	var turns [2]taken
	x := j.Roller(usage.Own)
	x.Rest = 3 // as a node has it
	at := begin
	for part := range parts {
		rolling := part%2 == 1
		t := &turns[part%2]
		stop, stopped := make(chan struct{}), make(chan error, 1)
		if rolling {
			go func() { stopped <- roll(ctx, x, at, stop) }()
		} else {
			stopped <- nil
		}
		began := time.Now()
		for i := part * n / parts; i < (part+1)*n/parts; i++ {
			at = begin + ledger.Instant(i)*(span()/ledger.Instant(n))
			r := w.record(at)
			out.cost += r.Cost
			out.requests++
			if i%997 == 0 {
				out.ids = append(out.ids, r.ID)
			}
			from := time.Now()
			receipt := j.Commit(usage.Entry{Record: r})
			if i%16 == 0 {
				t.commits = append(t.commits, time.Since(from))
			}
			if i%4096 == 0 {
				if err := receipt.Wait(ctx); err != nil {
					return nil, err
				}
				t.waits = append(t.waits, time.Since(from))
			}
		}
		if err := j.Flush(ctx); err != nil {
			return nil, err
		}
		t.records += n / parts
		t.span += time.Since(began)
		close(stop)
		if err := <-stopped; err != nil {
			return nil, err
		}
	}
	plain, rolling := &turns[0], &turns[1]
	plain.tell("without rolling up")
	rolling.tell("while rolling up")
	fmt.Printf("while rolling up: %.2f of the records a second; the median of taking one is %.2f times as long, that of waiting for the disk %.2f times\n",
		rolling.rate()/plain.rate(), ratio(rolling.commits, plain.commits), ratio(rolling.waits, plain.waits))
	return out, nil
}

// roll rolls up until it is to stop, at the time that the records have; so it is busy all
// the time, as a node is that has fallen behind.
func roll(ctx context.Context, x *usage.Roller, from ledger.Instant, stop <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	for ctx.Err() == nil {
		if err := x.Roll(ctx, from); err != nil && ctx.Err() == nil {
			return err
		}
		from += ledger.Hour
	}
	return nil
}

func (t *taken) rate() float64 { return float64(t.records) / t.span.Seconds() }

func (t *taken) tell(what string) {
	fmt.Printf("%-20s %9.0f records/s; taking one: p50 %v, p99 %v; until it is on disk: p50 %v, p99 %v\n", what, t.rate(),
		quantile(t.commits, 50), quantile(t.commits, 99), quantile(t.waits, 50), quantile(t.waits, 99))
}

func ratio(a, b []time.Duration) float64 {
	return float64(quantile(a, 50)) / float64(max(quantile(b, 50), 1))
}

func quantile(list []time.Duration, percent int) time.Duration {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)].Round(100 * time.Nanosecond)
}
