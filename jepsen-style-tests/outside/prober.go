package outside

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/rig"
)

// prober asks every node, all the time, what it has itself.
type prober struct{ w *world }

const (
	probeEvery    = 500 * time.Millisecond
	probePatience = 2 * time.Second
	processEvery  = 10 // probes
)

// accountsEvery is how many probes go by until accounts are looked at again: in a long
// run they would fill the memory.
func (p *prober) accountsEvery() int {
	const often, looks = 4, 30
	return max(often, int(p.w.o.Time/(looks*probeEvery)))
}

func (p *prober) run(ctx context.Context) {
	var all sync.WaitGroup
	for _, n := range p.w.c.Nodes {
		all.Go(func() {
			tick := time.NewTicker(probeEvery)
			defer tick.Stop()
			for i := 0; ; i++ {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
					p.w.h.Sampled(p.look(ctx, n, i))
				}
			}
		})
	}
	all.Wait()
}

func (p *prober) look(ctx context.Context, n *rig.Node, i int) history.Sample {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	s := history.Sample{At: p.w.h.Now(), Node: n.Place, Is: n.ID()}
	status, err := n.Here().Status(ctx)
	if err != nil {
		s.Down = true
		return s
	}
	fill(p.w.h, &s, &status)
	if i%p.accountsEvery() == 0 {
		if budgets, err := n.Here().ListBudgets(ctx); err == nil {
			s.Accounts = accounts(budgets)
		}
	}
	if i%processEvery == 0 {
		s.RSS, s.FDs = process(n.PID())
		s.Goroutines = goroutines(ctx, p.w.c.HTTP(), n.URL())
	}
	return s
}

func fill(h *history.History, s *history.Sample, status *admin.Status) {
	s.Is, s.State, s.Role, s.Leader, s.Term = status.Node, status.State, status.Role, status.Leader, status.Term
	if at, err := time.Parse(time.RFC3339, status.LedgerTime); err == nil { // "" before the first entry
		s.LedgerTime = h.At(at)
	}
	s.Applied, s.Generation, s.Digest, s.Holds, s.Incarnation = status.AppliedLog, status.Generation, status.Digest, status.Holds, status.Incarnation
}

func accounts(budgets []admin.BudgetDetail) (list []admin.Account) {
	for _, b := range budgets {
		list = append(list, b.Accounts...)
	}
	return list
}

// process reads what a process uses from /proc; zero for one that is gone.
func process(pid int) (rss int64, fds int) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, 0
	}
	if fields := strings.Fields(string(b)); len(fields) > 1 {
		pages, _ := strconv.ParseInt(fields[1], 10, 64) // the kernel writes numbers
		rss = pages * int64(os.Getpagesize())
	}
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return rss, 0
	}
	return rss, len(open)
}

// goroutines is what a node's metrics say, 0 for nothing.
func goroutines(ctx context.Context, client *http.Client, url string) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/metrics", nil)
	if err != nil {
		return 0
	}
	res, err := client.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), "go_goroutines "); ok {
			n, _ := strconv.ParseFloat(text, 64) // 0 for what is no number
			return int(n)
		}
	}
	return 0
}
