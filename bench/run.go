package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// warmUp is driven at each target before the first round: leases are taken,
// connections opened and heaps grown by then.
const warmUp = 1500 * time.Millisecond

// The targets, in the order of the table.
const (
	direct = iota
	bare
	purser
	governed // another node, with policies, redaction and more
	targets
)

var targetNames = [targets]string{"direct", "ReverseProxy", "purser", "purser, governed"}

// kind is what a cell asks, and of whom.
type kind uint8

const (
	beside kind = iota // of the gateway, the proxy and the provider
	clean              // of both nodes, without a value that redaction looks for
	valued             // of both nodes, with values
)

// targets of a kind of cell.
func (k kind) targets() []int {
	if k == beside {
		return []int{direct, bare, purser}
	}
	return []int{purser, governed}
}

// cell is one line of the table's groups: a kind of answer at a number of connections.
type cell struct {
	kind        kind
	stream      bool
	paced       bool // the provider takes its time between events, and nobody is short of processors
	connections int
	rounds      [targets][]sample
}

func (c *cell) name() string {
	kind := "JSON"
	if c.stream {
		kind = "SSE"
	}
	if c.paced {
		kind = "SSE paced"
	}
	switch c.kind {
	case clean:
		kind += " without values"
	case valued:
		kind += " with values"
	}
	return fmt.Sprintf("%s, %d", kind, c.connections)
}

// plan is how long what is driven.
type plan struct {
	seconds time.Duration // of each cell, over all rounds
	rounds  int
}

// run is a whole measurement.
type run struct {
	rig     *rig
	plan    plan
	cells   []*cell
	prompts [valued + 1]prompts
	log     io.Writer
	asked   int64 // requests the nodes answered, those that they put off among them
	valued  int64 // of those the governed node answered: with values
	ruled   int64 // requests the governed node answered
	billed  int64 // nano-dollars the provider billed meanwhile
	putOff  int64 // requests that the nodes could not decide in time; they have a record each
	errors  int64
	first   error
}

func newRun(r *rig, p plan, log io.Writer) *run {
	out := &run{rig: r, plan: p, log: log}
	for _, stream := range []bool{false, true} {
		for _, n := range []int{1, 64} {
			out.cells = append(out.cells, &cell{stream: stream, connections: n})
		}
	}
	out.cells = append(out.cells, &cell{stream: true, paced: true, connections: 64})
	for _, stream := range []bool{false, true} {
		for _, n := range []int{1, 64} {
			for _, k := range []kind{clean, valued} {
				out.cells = append(out.cells, &cell{kind: k, stream: stream, connections: n})
			}
		}
	}
	out.prompts[clean], out.prompts[valued] = newPrompts(0), newPrompts(valuesEvery)
	return out
}

// measure drives all rounds. Each round begins with another target, so that
// none always follows the same one.
func (r *run) measure(ctx context.Context) error {
	for _, c := range r.cells {
		for _, t := range c.kind.targets() {
			if _, err := r.drive(ctx, c, t, warmUp/time.Duration(len(r.cells))); err != nil {
				return err
			}
		}
	}
	slice := r.plan.seconds / time.Duration(r.plan.rounds)
	for round := range r.plan.rounds {
		for _, c := range r.cells {
			of := c.kind.targets()
			for i := range of {
				t := of[(i+round)%len(of)]
				s, err := r.drive(ctx, c, t, slice)
				if err != nil {
					return err
				}
				c.rounds[t] = append(c.rounds[t], s)
			}
		}
		fmt.Fprintf(r.log, "round %d of %d is done\n", round+1, r.plan.rounds)
	}
	return nil
}

func (r *run) target(t int) (target, *process) {
	switch t {
	case direct:
		return target{targetNames[t], r.rig.provider.addr(), providerKey}, r.rig.provider
	case bare:
		return target{targetNames[t], r.rig.proxy.addr(), providerKey}, r.rig.proxy
	case governed:
		return target{targetNames[t], r.rig.governed.addr(), r.rig.governedKey}, r.rig.governed
	default:
		return target{targetNames[t], r.rig.node.addr(), r.rig.key}, r.rig.node
	}
}

// drive measures one cell of one round.
func (r *run) drive(ctx context.Context, c *cell, t int, d time.Duration) (s sample, err error) {
	if err := ctx.Err(); err != nil {
		return s, err
	}
	to, p := r.target(t)
	before, err := r.read(ctx, p)
	if err != nil {
		return s, err
	}
	out := load{target: to, prompts: r.prompts[c.kind], stream: c.stream, paced: c.paced, connections: c.connections, seconds: d}.run()
	after, err := r.read(ctx, p)
	if err != nil {
		return s, err
	}
	n := int64(len(out.latencies))
	if r.errors += out.errors; out.first != nil && r.first == nil {
		r.first = fmt.Errorf("%s connections: %w", c.name(), out.first)
	}
	if n == 0 {
		return s, fmt.Errorf("%s answered nothing: %w", to.name, r.first)
	}
	if t == governed {
		if r.ruled += n; c.kind == valued {
			r.valued += n
		}
	}
	if t == purser || t == governed {
		r.asked, r.putOff = r.asked+n+out.putOff, r.putOff+out.putOff
		r.billed += after.billed - before.billed
	}
	return sample{
		requests: n, errors: out.errors, rss: after.rss,
		p50: percentile(out.latencies, 0.5), p99: percentile(out.latencies, 0.99),
		first50: percentile(out.firsts, 0.5), first99: percentile(out.firsts, 0.99),
		rate: float64(n) / out.elapsed.Seconds(),
		cpu:  (after.cpu - before.cpu) / time.Duration(n), mallocs: (after.mallocs - before.mallocs) / float64(n),
	}, nil
}

// reading is the state of a process's meters at one moment.
type reading struct {
	cpu     time.Duration
	mallocs float64
	rss     int64
	billed  int64
}

func (r *run) read(ctx context.Context, p *process) (out reading, err error) {
	if out.mallocs, err = r.rig.mallocs(ctx, p); err != nil {
		return out, err
	}
	bill, err := r.rig.billed(ctx)
	if err != nil {
		return out, err
	}
	out.billed = int64(bill.Cost)
	if out.rss, err = residentBytes(p.pid()); err != nil {
		return out, err
	}
	out.cpu, err = cpuTime(p.pid())
	return out, err
}
