// Package workload is who uses the cluster in a run: budgets, keys, and clients of
// several kinds, each of which notes what it asked and what it was told.
package workload

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/rig"
)

// Options say how busy a town is.
type Options struct {
	Seed  uint64
	Rate  float64 // requests a second at each node, of all workloads together
	Only  string  // names of workloads, separated by commas; "" for all
	Trace string  // file of recorded traffic to replay, "" for none
}

// Town is the budgets, keys and clients of a run. Its methods may be called by any
// number of goroutines.
type Town struct {
	Cluster *rig.Cluster
	History *history.History

	o       Options
	haste   atomic.Int64 // how many times as fast as usual clients come
	numbers atomic.Int64
	trades  []*trade

	mu       sync.Mutex
	rules    map[string]admin.Budget   // those that are there, as they were made
	limits   map[string]map[int64]bool // asked for, by budget
	secrets  map[string]string         // by key
	sessions int
}

// trade is one workload: what it has, and what its clients do.
type trade struct {
	name    string
	share   float64 // of the requests, beside the others' shares
	clients int     // at each node
	budgets []budget
	keys    []admin.NewKey // their IDs are their names
	// ask is one operation of a client.
	ask func(context.Context, *client)
	// staff, if there, is what goes on beside the clients, until ctx ends.
	staff func(context.Context)
}

// budget is one to be made, with its limit in its unit.
type budget struct {
	admin.Budget
	limit int64
}

// client is one of a trade's at a node, which it always asks.
type client struct {
	id    int
	trade *trade
	node  *rig.Node
	rand  *rand.Rand
	crowd crowd // of customers, where the trade has some
	seq   int
}

// next is the ID of the client's next operation.
func (c *client) next() string {
	c.seq++
	return fmt.Sprintf("%s-%d-%d", c.trade.name, c.id, c.seq)
}

// New is a town without anything in it.
func New(c *rig.Cluster, h *history.History, o Options) *Town {
	t := &Town{Cluster: c, History: h, o: o, rules: map[string]admin.Budget{}, limits: map[string]map[int64]bool{}, secrets: map[string]string{}}
	t.haste.Store(1)
	return t
}

// everything is a budget in dollars that covers every request: what a crash leaves
// without a record is within what it says that it may have been.
const (
	everything = "everything"
	endless    = 1_000_000 * 1_000_000_000
)

// Found makes budgets and keys, and waits until every node serves every key.
func (t *Town) Found(ctx context.Context) error {
	trades, err := t.chosen()
	if err != nil {
		return err
	}
	t.trades = trades
	session := t.Session()
	if err := t.Make(ctx, session, admin.Budget{ID: everything, Unit: "usd", Window: "total"}, endless); err != nil {
		return err
	}
	for _, tr := range append(slices.Clone(t.trades), t.grounds()) {
		for _, b := range tr.budgets {
			if err := t.Make(ctx, session, b.Budget, b.limit); err != nil {
				return fmt.Errorf("workload %s: %w", tr.name, err)
			}
		}
		for _, k := range tr.keys {
			if err := t.NewKey(ctx, session, k); err != nil {
				return fmt.Errorf("workload %s: %w", tr.name, err)
			}
		}
	}
	return nil
}

// chosen are the trades that were asked for.
func (t *Town) chosen() ([]*trade, error) {
	all, err := t.all()
	if err != nil || t.o.Only == "" || t.o.Only == "all" {
		return all, err
	}
	var kept []*trade
	for name := range strings.SplitSeq(t.o.Only, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(all, func(tr *trade) bool { return tr.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no workload %q; there are %s", name, strings.Join(names(all), ", "))
		}
		if !slices.Contains(kept, all[i]) {
			kept = append(kept, all[i])
		}
	}
	return kept, nil
}

func names(trades []*trade) (list []string) {
	for _, tr := range trades {
		list = append(list, tr.name)
	}
	return list
}

// Run has all clients ask until ctx ends, and waits for what is under way.
func (t *Town) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	id := 0
	for _, tr := range t.trades {
		if tr.staff != nil {
			all.Go(func() { tr.staff(ctx) })
		}
		for _, n := range t.Cluster.Nodes {
			for range tr.clients {
				id++
				c := &client{id: id, trade: tr, node: n, rand: rand.New(rand.NewPCG(t.o.Seed, uint64(id)))}
				c.crowd = newCrowd(c.rand, customers)
				all.Go(func() { t.serve(ctx, c) })
			}
		}
	}
	for range readers {
		session := t.Session()
		all.Go(func() { t.look(ctx, session) })
	}
}

// rate is how many requests a second a workload makes at one node.
func (t *Town) rate(tr *trade) float64 {
	sum := 0.0
	for _, other := range t.trades {
		if other.clients > 0 {
			sum += other.share
		}
	}
	return t.o.Rate * tr.share / sum
}

// serve has a client ask at its rate. One that was kept waiting does not catch up on
// more than a second.
func (t *Town) serve(ctx context.Context, c *client) {
	rate := t.rate(c.trade) / float64(c.trade.clients)
	for due := time.Now(); ; {
		due = due.Add(gap(c.rand, rate) / time.Duration(t.haste.Load()))
		if late := time.Since(due); late > time.Second {
			due = due.Add(late - time.Second)
		}
		if !pause(ctx, time.Until(due)) {
			return
		}
		c.trade.ask(ctx, c)
	}
}

// Hurry has all clients come so many times as often as usual, for a time.
func (t *Town) Hurry(ctx context.Context, times int64, d time.Duration) {
	t.haste.Store(times)
	pause(ctx, d)
	t.haste.Store(1)
}

// readers are sessions that read budgets all the time.
const readers = 3

// look is one of them.
func (t *Town) look(ctx context.Context, session int) {
	rng := rand.New(rand.NewPCG(t.o.Seed, 0x6c6f6f6b<<8|uint64(session)))
	for pause(ctx, between(rng, 200*time.Millisecond, 1200*time.Millisecond)) {
		list := t.looked()
		of := list[rng.IntN(len(list))]
		if of == manyBudget && rng.IntN(10) > 0 {
			continue // its answer has a thousand accounts
		}
		_, _ = t.Read(ctx, session, t.Cluster.Nodes[rng.IntN(len(t.Cluster.Nodes))], of) // it is in the history
	}
}

// looked are the budgets that are there, in order.
func (t *Town) looked() (list []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range t.rules {
		list = append(list, id)
	}
	slices.Sort(list)
	return list
}
