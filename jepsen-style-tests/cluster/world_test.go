package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"purser/cluster"
	"purser/cluster/pki"
	"purser/internal/purse"
	"purser/internal/store"
	"purser/internal/usage"
	"purser/jepsen-style-tests/check"
	"purser/jepsen-style-tests/links"
	"purser/ledger"
	"purser/raftfsm"
)

// world is some nodes, their links, a provider, and what was seen of it all.
type world struct {
	t         *testing.T
	seed      uint64
	mesh      *links.Mesh
	authority *pki.Authority
	members   []*member
	timing    cluster.Timing
	slow      *cluster.Timing // of the last node, if it is another
	purse     purse.Config
	log       *slog.Logger
	began     time.Time
	ahead     time.Duration // of every node's wall clock before the machine's
	clock     raftfsm.Clock
	aside     sync.WaitGroup // kills of processes that ended by themselves

	applied *check.Log
	ops     *check.Ops

	mu       sync.Mutex // guards what follows
	bill     []check.Row
	settles  []check.Settle
	acked    []check.Settle
	refusals []check.Refusal
	reads    []check.Read
	caps     []check.Cap
	limits   map[ledger.BudgetID]ledger.Budget // the latest asked for
	lost     []int64                           // when leaders were
	counts   counts
	problems []string
	calls    uint64
}

// counts are of requests, by how they ended.
type counts struct {
	admitted, refused, undecided, down, broken int
}

// quick suits nodes that share two cores: a hiccup of the machine is no failure.
func quick() cluster.Timing {
	return cluster.Timing{Election: 400 * time.Millisecond, Lease: 400 * time.Millisecond, Commit: 20 * time.Millisecond, InFlight: 1}
}

// lively is a purse whose waits suit a test of some seconds.
func lively() purse.Config {
	c := purse.Default()
	c.AuthorityTTL = 2 * time.Second
	c.Flush = 200 * time.Millisecond
	c.Idle = 5 * time.Second
	c.Horizon = 2 * time.Second
	c.ExchangeTimeout = time.Second
	return c
}

// newWorld starts a cluster with budgets. change, if not nil, may change the world
// before that.
func newWorld(t *testing.T, seed uint64, nodes int, budgets []ledger.Budget, change func(*world)) *world {
	t.Helper()
	w := &world{
		t: t, seed: seed, timing: quick(), purse: lively(), began: time.Now(),
		log: slog.New(slog.DiscardHandler), applied: check.NewLog(), ops: check.NewOps(), limits: map[ledger.BudgetID]ledger.Budget{},
	}
	if *nodelog {
		w.log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	w.clock = raftfsm.Clock{Wall: w.wall, Elapsed: func() time.Duration { return time.Since(w.began) }}
	if change != nil {
		change(w)
	}
	var names []string
	for i := range nodes {
		names = append(names, fmt.Sprint("n", i+1))
	}
	var err error
	if w.mesh, err = links.New(names...); err != nil {
		t.Fatal(err)
	}
	if w.authority, err = pki.NewAuthority("jepsen", time.Now()); err != nil {
		t.Fatal(err)
	}
	for i, name := range names {
		w.members = append(w.members, &member{w: w, name: name, number: i, raft: t.TempDir(), timing: w.timing, disk: vfs.NewCrashableMem()})
	}
	if w.slow != nil {
		w.members[nodes-1].timing = *w.slow
	}
	t.Cleanup(w.close)
	w.form()
	for _, b := range budgets {
		if !w.put(w.members[0], b) {
			t.Fatalf("seed %d: budget %s was not taken", seed, b.ID)
		}
	}
	for _, m := range w.members {
		w.eventually(m.name+" to know the budgets", func() bool { return m.running().knows() == len(budgets) })
	}
	return w
}

// form makes one cluster of the nodes.
func (w *world) form() {
	w.t.Helper()
	w.members[0].start(true)
	w.ready(w.members[0])
	first := w.members[0].running()
	for _, m := range w.members[1:] {
		m.start(false)
		for _, kind := range []cluster.ChangeKind{cluster.AddNonvoter, cluster.AddVoter} {
			if err := first.raft.Change(cluster.Change{Kind: kind, ID: m.name, Address: addressOf(m.name)}); err != nil {
				w.t.Fatal(err)
			}
		}
		w.ready(m)
	}
}

func (w *world) close() {
	w.mesh.Heal()
	for _, m := range w.members {
		m.kill(0, rand.New(rand.NewPCG(1, 1)))
	}
	w.aside.Wait()
	for _, m := range w.members {
		m.buried.Wait()
	}
	w.mesh.Close()
}

// at is the time of the history.
func (w *world) at() int64 { return int64(time.Since(w.began)) }

func (w *world) wall() ledger.Instant {
	return ledger.Instant(time.Now().Add(w.ahead).UnixNano())
}

func (w *world) wrong(problem string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.problems = append(w.problems, problem)
}

// found is what was told to be wrong until now.
func (w *world) found() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.problems)
}

// patience bounds every wait for something that must come.
const patience = 30 * time.Second

// eventually waits for a condition that others bring about. It gives up when
// something was found to be wrong.
func (w *world) eventually(what string, ok func() bool) time.Duration {
	w.t.Helper()
	began := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if wrong := w.found(); len(wrong) > 0 {
			w.t.Fatalf("seed %d: waiting for %s: %s", w.seed, what, strings.Join(wrong, "; "))
		}
		if time.Since(began) > patience {
			w.t.Fatalf("seed %d: waited %v in vain: %s", w.seed, patience, what)
		}
		<-tick.C
	}
	return time.Since(began)
}

func (w *world) ready(m *member) {
	w.t.Helper()
	w.eventually(m.name+" to be ready", func() bool { return m.running() != nil })
}

// leader is a node that leads and has a quorum behind it, nil if there is none.
func (w *world) leader() *member {
	for _, m := range w.members {
		if l := m.running(); l != nil && l.raft.Leader() {
			if _, err := l.raft.ReadIndex(); err == nil {
				return m
			}
		}
	}
	return nil
}

// mustLead waits for a leader.
func (w *world) mustLead() (m *member) {
	w.t.Helper()
	w.eventually("a leader", func() bool { m = w.leader(); return m != nil })
	return m
}

func (w *world) others(m *member) []*member {
	return slices.DeleteFunc(slices.Clone(w.members), func(o *member) bool { return o == m })
}

// isolate holds everything from and to a node, or lets it go.
func (w *world) isolate(m *member, held bool) {
	for _, o := range w.others(m) {
		w.mesh.Hold(m.name, o.name, held)
		w.mesh.Hold(o.name, m.name, held)
	}
}

const operatorWait = 2 * time.Second

// put changes a budget through a node. A limit is never asked for twice.
func (w *world) put(m *member, b ledger.Budget) bool {
	l := m.running()
	if l == nil {
		return false
	}
	w.mu.Lock()
	w.caps = append(w.caps, check.Cap{Budget: b.ID, Limit: b.Limit, At: w.at()})
	w.limits[b.ID] = b
	w.mu.Unlock()
	ctx, cancel := context.WithTimeout(l.ctx, operatorWait)
	defer cancel()
	out, err := l.propose(ctx, ledger.PutBudget{Budget: b})
	return err == nil && out.Code == ledger.Applied
}

// read reads an account on a node as a session, linearizably.
func (w *world) read(session int, m *member, key ledger.AccountKey) (ledger.AccountView, bool) {
	l := m.running()
	if l == nil {
		return ledger.AccountView{}, false
	}
	r := check.Read{Session: session, Node: m.name, Invoke: w.at()}
	ctx, cancel := context.WithTimeout(l.ctx, operatorWait)
	defer cancel()
	if err := l.current(ctx); err != nil {
		return ledger.AccountView{}, false
	}
	var ok bool
	if r.View, ok = l.fsm.Ledger().Account(key); !ok {
		return r.View, false
	}
	r.Return = w.at()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads = append(w.reads, r)
	return r.View, true
}

// accounts are all that a state has.
func accounts(s *ledger.State) (all []ledger.AccountView) {
	for b := range s.Budgets() {
		for v := range s.Accounts(b.ID) {
			all = append(all, v)
		}
	}
	return all
}

// settle ends the trouble: everything is healed, every node that is not fenced
// runs, returns what it has, and all are at the same entry. It returns how long
// that took, and the ledger.
func (w *world) settle() (took time.Duration, ends []ledger.AccountView) {
	w.t.Helper()
	began := time.Now()
	w.mesh.Heal()
	for _, m := range w.members {
		m.mu.RLock()
		down := m.life == nil && !m.fenced
		m.mu.RUnlock()
		if down {
			m.start(false)
		}
	}
	var draining sync.WaitGroup
	for _, m := range w.members {
		if m.fenced {
			continue
		}
		w.ready(m)
		l := m.running()
		draining.Go(func() {
			ctx, cancel := context.WithTimeout(l.ctx, patience)
			defer cancel()
			if err := l.purse.Drain(ctx); err != nil {
				w.wrong(fmt.Sprintf("C8: %s does not return what it holds: %v", m.name, err))
			}
		})
	}
	draining.Wait()
	for _, m := range w.members {
		if m.fenced {
			continue
		}
		l := m.running()
		w.eventually(m.name+" to be up to date", func() bool {
			ctx, cancel := context.WithTimeout(l.ctx, time.Second)
			defer cancel()
			return l.current(ctx) == nil
		})
		ends = accounts(l.fsm.Ledger())
		for _, problem := range check.Drained(m.name, ends) {
			w.wrong(problem)
		}
	}
	return time.Since(began), ends
}

// records are the settlements that the nodes' disks hold, also that of a node that
// is down for good.
func (w *world) records() (all []check.Settle) {
	w.t.Helper()
	for _, m := range w.members {
		if l := m.running(); l != nil {
			if err := l.usage.Flush(w.t.Context()); err != nil {
				w.t.Fatal(err)
			}
			all = append(all, w.recordsIn(l.usage)...)
			continue
		}
		m.buried.Wait()
		s, err := store.Open(store.Options{Dir: "store", FS: m.disk, CacheBytes: 8 << 20, Fatal: func(err error) { w.wrong(err.Error()) }, Log: w.log})
		if err != nil {
			w.t.Fatal(err)
		}
		j, err := usage.Open(s, usage.DefaultConfig())
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, w.recordsIn(j)...)
		if err := errors.Join(j.Close(), s.Close()); err != nil {
			w.t.Fatal(err)
		}
	}
	return all
}

func (w *world) recordsIn(j *usage.Journal) (all []check.Settle) {
	w.t.Helper()
	for r, err := range j.Records(w.t.Context(), usage.Query{Range: usage.Always}) {
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, settlesOf(r)...)
	}
	return all
}

// verdict runs the checkers over what was seen, after settle.
func (w *world) verdict(ends []ledger.AccountView) []string {
	w.t.Helper()
	records := w.records()
	w.mu.Lock()
	defer w.mu.Unlock()
	ops := w.ops.All() // before the log, which then has all that was answered
	entries := w.applied.Entries()
	wrong := slices.Concat(w.problems, w.applied.Wrong(), check.Capped(w.bill, w.caps),
		check.Settled(w.bill, w.settles, ends), check.Kept(w.acked, records),
		check.Monotone(w.reads), check.Justified(w.refusals, entries, w.bill))
	known, bad := check.Resolve(ops, entries)
	illegal, undecided := check.Linear(known, w.reads, linearLimit)
	for _, u := range undecided {
		w.t.Log(u)
	}
	return slices.Concat(wrong, bad, illegal)
}

const linearLimit = 20 * time.Second
