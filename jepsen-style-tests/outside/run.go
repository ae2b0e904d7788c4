// Package outside breaks Purser from outside: clusters of real processes of the
// shipped binary, real faults, and the provider's bill as judge. See
// jepsen-style-tests/README.md.
package outside

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"purser/jepsen-style-tests/builds"
	"purser/jepsen-style-tests/faultfs"
	"purser/jepsen-style-tests/netlab"
	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/logs"
	"purser/jepsen-style-tests/outside/nemesis"
	"purser/jepsen-style-tests/outside/rig"
	"purser/jepsen-style-tests/outside/verdict"
	"purser/jepsen-style-tests/outside/workload"
)

// Options say what a run is. From the same options follow the same plan of faults and
// the same questions; the scheduling of processes does not.
type Options struct {
	Seed     uint64
	Nodes    int
	Time     time.Duration // of the faults
	Pace     time.Duration // a fault begins about so often
	AtOnce   int           // faults under way at a time
	Nemesis  string        // names and classes of faults, separated by commas; "" all
	Rate     float64       // requests a second at each node
	Workload string        // names of workloads; "" all
	Trace    string        // recorded traffic to replay
	Mode     netlab.Mode
	Mutation *builds.Mutation // a known bug to put back
	Revision string           // commit that the nodes are of, "" for the tree
	Builds   *builds.Builder
	Dir      string // of everything that the run leaves
	Again    string // the command that repeats it
	Log      func(format string, args ...any)
}

// Result is a run and its judgement.
type Result struct {
	History  *history.History
	End      *history.End
	Findings []verdict.Finding
	Plan     []nemesis.Planned
}

// world is a run under way.
type world struct {
	o      Options
	c      *rig.Cluster
	h      *history.History
	town   *workload.Town
	env    *nemesis.Env
	result *Result
	older  string // tag of the older build

	missing []string // faults that could not be made here, and why
}

// Run makes one run. An error is the harness's; what Purser did wrong is in the
// result.
func Run(ctx context.Context, o Options) (_ *Result, err error) {
	w := &world{o: o, result: &Result{}}
	asked, err := nemesis.Choose(nemesis.Table(), o.Nemesis)
	if err != nil {
		return nil, err
	}
	needs := w.needs(asked)
	variant := builds.Variant{Clock: needs.Clocks, TinySnapshots: needs.Tiny, Revision: o.Revision, Patch: o.Mutation}
	table, err := w.table(ctx, asked, needs)
	if err != nil {
		return nil, err
	}
	w.result.Plan = nemesis.Plan(o.Seed, table, o.Time, o.Pace)
	if err := w.open(ctx, variant); err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, w.h.Close(), w.c.Close())
	}()
	if err := w.town.Found(ctx); err != nil {
		return nil, fmt.Errorf("founding the budgets and keys: %w", err)
	}
	if err := w.strikeUnderLoad(ctx); err != nil {
		return nil, err
	}
	if err := w.end(ctx); err != nil {
		return nil, err
	}
	w.h.SortRequests()
	w.result.History = w.h
	w.result.Findings = append(w.result.Findings, verdict.Judge(w.h, w.result.End)...)
	w.result.Findings = append(w.result.Findings, logs.Judge(w.h, w.result.End)...)
	return w.result, nil
}

// needs says what the run provides for: what the faults that were asked for by name
// need, or, of all, what the seed draws, so that most runs are of the shipped build or
// near it.
func (w *world) needs(asked []nemesis.Fault) (n nemesis.Needs) {
	if w.o.Nemesis == "" {
		seed := w.o.Seed
		return nemesis.Needs{Clocks: seed%2 == 1, Tiny: seed%4 >= 2, Older: seed%5 == 0, Disks: true, Packets: true}
	}
	for _, f := range asked {
		n.Clocks = n.Clocks || f.Needs.Clocks
		n.Tiny = n.Tiny || f.Needs.Tiny
		n.Older = n.Older || f.Needs.Older
		n.Disks = n.Disks || f.Needs.Disks
		n.Packets = n.Packets || f.Needs.Packets
	}
	return n
}

// table is the faults that can be made here, of those that are asked for.
func (w *world) table(ctx context.Context, asked []nemesis.Fault, has nemesis.Needs) ([]nemesis.Fault, error) {
	l := nemesis.Lacks{}
	if w.o.Mode == netlab.Loopback {
		l.Packets = "the loopback device was asked for, whose links lose no single packets"
	} else if err := netlab.Supported(); err != nil {
		l.Packets = fmt.Sprintf("links of the loopback device lose no single packets, and there can be no network namespaces: %v", err)
	}
	if err := faultfs.Supported(); err != nil {
		l.Disks = err.Error()
	}
	if !has.Clocks {
		l.Clocks = "this seed's build has the machine's clock"
	}
	if !has.Tiny {
		l.Tiny = "this seed's build takes snapshots of the usual size"
	}
	if !has.Older {
		l.Older = "this seed's nodes begin with this build"
	} else if older, err := w.o.Builds.LastTag(ctx); err != nil {
		l.Older = err.Error()
	} else {
		w.older = older
	}
	table, missing := nemesis.Keep(asked, l)
	if len(table) == 0 {
		return nil, fmt.Errorf("no fault is left to be made: %s", strings.Join(missing, "; "))
	}
	for _, m := range missing {
		w.o.Log("left out: %s", m)
	}
	w.missing = missing
	return table, nil
}

func (w *world) open(ctx context.Context, v builds.Variant) error {
	if err := os.MkdirAll(w.o.Dir, 0o700); err != nil {
		return fmt.Errorf("making the run's directory: %w", err)
	}
	binary, err := w.o.Builds.Build(ctx, v)
	if err != nil {
		return err
	}
	newer, begins, biller := binary, "", binary
	if v.Revision != "" { // its provider may bill otherwise
		if biller, err = w.o.Builds.Build(ctx, builds.Variant{}); err != nil {
			return err
		}
		keys, err := w.o.Builds.Has(ctx, v.Revision, "internal/idempotency")
		if err != nil {
			return err
		}
		if !keys {
			begins = v.Revision // a build that does not know idempotency keys is not judged by them
		}
	}
	if w.wants(func(f nemesis.Fault) bool { return f.Needs.Older }) { // the nodes begin with it, to be upgraded
		begins = w.older
		if binary, err = w.o.Builds.Build(ctx, builds.Variant{Revision: begins, Clock: v.Clock}); err != nil {
			return err
		}
	}
	ro := rig.Options{Nodes: w.o.Nodes, Seed: w.o.Seed, Dir: w.o.Dir, Binary: binary, Biller: biller, Clocks: v.Clock, Mode: w.o.Mode, Disks: w.wants(func(f nemesis.Fault) bool { return f.Needs.Disks }), Log: w.o.Log}
	if w.c, err = rig.Open(ctx, ro); err != nil {
		return fmt.Errorf("opening the cluster: %w", err)
	}
	network := w.c.Lab.Mode().String()
	if why := w.c.Lab.Why(); why != "" {
		network += " (" + why + ")"
	}
	w.h, err = history.Begin(filepath.Join(w.o.Dir, "history.jsonl"), history.Meta{Seed: w.o.Seed, Nodes: w.o.Nodes, Network: network, Build: v.String(), Older: begins, Missing: w.missing, Authority: int64(w.c.Authority()), Again: w.o.Again})
	if err != nil {
		return errors.Join(err, w.c.Close())
	}
	w.town = workload.New(w.c, w.h, workload.Options{Seed: w.o.Seed, Rate: w.o.Rate, Only: w.o.Workload, Trace: w.o.Trace})
	w.env = nemesis.NewEnv(w.c, w.h, w.town)
	w.env.Newer = newer
	return nil
}

// wants says whether a fault of the plan needs something.
func (w *world) wants(what func(nemesis.Fault) bool) bool {
	return slices.ContainsFunc(w.result.Plan, func(p nemesis.Planned) bool { return what(p.Fault) })
}

// calm is how long the clients go on after the last fault is healed.
const calm = 5 * time.Second

// strikeUnderLoad is the run: clients and prober, and the plan of faults among them.
func (w *world) strikeUnderLoad(ctx context.Context) error {
	load, stopLoad := context.WithCancel(ctx)
	defer stopLoad()
	var busy sync.WaitGroup
	defer busy.Wait()
	p := &prober{w: w}
	busy.Go(func() { w.town.Run(load) })
	looking, stopLooking := context.WithCancel(ctx)
	defer stopLooking()
	busy.Go(func() { p.run(looking) })
	busy.Go(func() { w.watch(looking) })
	wait(ctx, calm/2)

	striking, stopStriking := context.WithTimeout(ctx, w.o.Time)
	defer stopStriking()
	busy.Go(func() { w.progress(striking) })
	w.env.Run(striking, w.result.Plan, w.o.AtOnce)
	stopStriking()
	if err := w.heal(ctx); err != nil {
		return err
	}
	wait(ctx, calm)
	stopLoad()
	stopLooking()
	busy.Wait()
	return ctx.Err()
}

// watch notes when this machine does not run what is due: then the nodes have no less
// reason to be late than this process.
func (w *world) watch(ctx context.Context) {
	const every, late = 10 * time.Millisecond, 100 * time.Millisecond
	timer := time.NewTimer(every)
	defer timer.Stop()
	for begun := w.h.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		at := w.h.Now()
		if time.Duration(at-begun) > every+late {
			w.h.Starving(history.Starved{From: begun, To: at})
		}
		begun = at
		timer.Reset(every)
	}
}

// heal leaves nothing broken, whatever the faults forgot. That a node does not come
// back is a finding.
func (w *world) heal(ctx context.Context) error {
	w.c.Lab.Heal()
	errs := []error{w.c.Mode(ctx, "")}
	for _, n := range w.c.Nodes {
		if n.Disk != nil {
			n.Disk.Clear()
		}
		if n.Clock != nil {
			n.Clock.Reset()
		}
		errs = append(errs, n.Resume())
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("healing: %w", err)
	}
	for _, n := range w.c.Nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	for _, n := range w.c.Nodes {
		if err := n.Ready(ctx); err != nil {
			w.found("recovery", "%s did not come back after the heal: %v", n.Place, err)
		}
	}
	if err := w.c.Vote(ctx); err != nil {
		w.found("recovery", "%v", err)
	}
	return ctx.Err()
}

func (w *world) found(checker, format string, args ...any) {
	w.result.Findings = append(w.result.Findings, verdict.Finding{Checker: checker, What: fmt.Sprintf(format, args...)})
}

// progress says how far a long run is.
func (w *world) progress(ctx context.Context) {
	const every = 30 * time.Second
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			requests, changes, faults := w.h.Counts()
			w.o.Log("seed %d, %v of %v: %d requests, %d changes, %d of %d faults", w.o.Seed, time.Duration(w.h.Now()).Round(time.Second), w.o.Time, requests, changes, faults, len(w.result.Plan))
		}
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
