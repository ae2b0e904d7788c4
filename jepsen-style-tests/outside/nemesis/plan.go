package nemesis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"purser/jepsen-style-tests/outside/history"
)

// Planned is a fault of a plan: when it begins, and what it draws from.
type Planned struct {
	At   time.Duration
	Seed uint64
	Fault
}

// Choose keeps the faults of a list of names and classes, separated by commas; "all"
// and "" keep all.
func Choose(table []Fault, names string) ([]Fault, error) {
	if names == "" || names == "all" {
		return table, nil
	}
	var kept []Fault
	for name := range strings.SplitSeq(names, ",") {
		name = strings.TrimSpace(name)
		known := false
		for _, f := range table {
			if f.Name != name && string(f.Class) != name {
				continue
			}
			if known = true; !slices.ContainsFunc(kept, func(k Fault) bool { return k.Name == f.Name }) {
				kept = append(kept, f)
			}
		}
		if !known {
			return nil, fmt.Errorf("there is no fault and no class %q; make jepsen-list names them", name)
		}
	}
	return kept, nil
}

// Plan draws faults for a time, so that about one begins in each pace. Every class that
// the table has comes once before any comes again, so that a short run meets all.
func Plan(seed uint64, table []Fault, length, pace time.Duration) (plan []Planned) {
	rng := rand.New(rand.NewPCG(seed, 0x6e656d65736973))
	var round []Class
	for at := time.Duration(rng.Int64N(int64(pace))); at < length && len(table) > 0; at += pace/2 + time.Duration(rng.Int64N(int64(pace))) {
		if len(round) == 0 {
			round = classesOf(table)
			rng.Shuffle(len(round), func(i, j int) { round[i], round[j] = round[j], round[i] })
		}
		class := round[0]
		round = round[1:]
		plan = append(plan, Planned{At: at, Seed: rng.Uint64(), Fault: draw(rng, table, class)})
	}
	return plan
}

func classesOf(table []Fault) (list []Class) {
	for _, c := range Classes {
		if slices.ContainsFunc(table, func(f Fault) bool { return f.Class == c }) {
			list = append(list, c)
		}
	}
	return list
}

func draw(rng *rand.Rand, table []Fault, class Class) Fault {
	total := 0
	for _, f := range table {
		if f.Class == class {
			total += max(1, f.Weight)
		}
	}
	pick := rng.IntN(total)
	for _, f := range table {
		if f.Class != class {
			continue
		}
		if pick -= max(1, f.Weight); pick < 0 {
			return f
		}
	}
	panic("a draw beyond the weights")
}

// Run makes the faults of a plan, at most so many at a time, and returns when all are
// healed. One whose time comes while as many are going on waits for its turn. Errors are in the history.
func (e *Env) Run(ctx context.Context, plan []Planned, atOnce int) {
	begun := time.Now()
	turns := make(chan struct{}, atOnce)
	var going sync.WaitGroup
	defer going.Wait()
	for i, p := range plan {
		wait := time.NewTimer(p.At - time.Since(begun))
		select {
		case <-ctx.Done():
			wait.Stop()
			return
		case <-wait.C:
		}
		select {
		case <-ctx.Done():
			return
		case turns <- struct{}{}:
		}
		going.Go(func() {
			defer func() { <-turns }()
			e.strike(ctx, i+1, &p)
		})
	}
}

func (e *Env) strike(ctx context.Context, seq int, p *Planned) {
	s := &Strike{Context: ctx, Env: e, Rand: rand.New(rand.NewPCG(p.Seed, 0x737472696b65)),
		fault: history.Fault{Seq: seq, Name: p.Name, Class: string(p.Class), Begun: e.History.Now()}}
	e.begin()
	err := p.Strike(s)
	e.end()
	s.fault.Ended = e.History.Now()
	var busy errBusy
	switch {
	case errors.As(err, &busy):
		s.fault.Skipped = busy.Error()
	case err != nil:
		s.fault.Err = err.Error()
	}
	e.History.Struck(s.fault)
}
