package nemesis

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/rig"
	"purser/jepsen-style-tests/outside/workload"
)

var budgetFaults = []Fault{
	{Name: "window-roll", Class: Budget, What: "a window of a minute is spent, and ends under load", Weight: 2, Strike: (*Strike).windowRoll},
	{Name: "cap-raise", Class: Budget, What: "a budget that is spent is raised", Strike: (*Strike).capRaise},
	{Name: "cap-lower", Class: Budget, What: "a budget under load is lowered, at times below what is spent, and raised again", Weight: 2, Strike: (*Strike).capLower},
	{Name: "cap-delete", Class: Budget, What: "a budget under load is deleted, and made again under another id", Strike: (*Strike).capDelete},
	{Name: "cap-storm", Class: Budget, What: "twenty changes of limits at all nodes at once", Strike: (*Strike).capStorm},
	{Name: "budget-many", Class: Budget, What: "a hundred budgets at once, used and deleted", Strike: (*Strike).budgetMany},
	{Name: "fence", Class: Budget, What: "a node is fenced while it is stopped; it ends when it hears, and another takes its place", Strike: (*Strike).fence},
	{Name: "key-revoke", Class: Budget, What: "a key is revoked under load", Weight: 2, Strike: (*Strike).keyRevoke},
	{Name: "key-revoke-behind", Class: Budget, What: "a key is revoked while a node is cut off until the log that tells of it is gone", Needs: Needs{Tiny: true}, Strike: (*Strike).keyRevokeBehind},
	{Name: "key-rotate", Class: Budget, What: "a key is given another secret under load, the old one counts for 2 s", Strike: (*Strike).keyRotate},
}

// unmade ends a fault as skipped that could not be prepared in time: others have the
// cluster in their hands.
func unmade(err error) error { return errBusy("it could not be made: " + err.Error()) }

// node draws one.
func (s *Strike) node() *rig.Node { return s.Cluster.Nodes[s.Rand.IntN(len(s.Cluster.Nodes))] }

// spend asks at all nodes, of the key and budget of a name, until a node refuses for
// money, or for so long.
func (s *Strike) spend(name string, within time.Duration) (refused bool) {
	var stop atomic.Bool
	s.loop(within, &stop, func(n *rig.Node) {
		r := s.Town.Trial(s, n, name, nil)
		if r.Refusal != nil && r.Refusal.ID == name {
			stop.Store(true)
		}
	})
	return stop.Load()
}

// loop does something at every node, two at a time at each and again and again, until it
// is stopped or the time is over.
func (s *Strike) loop(within time.Duration, stop *atomic.Bool, do func(*rig.Node)) {
	const each = 2
	const breath = 20 * time.Millisecond
	until := time.Now().Add(within)
	var all sync.WaitGroup
	for _, n := range s.Cluster.Nodes {
		for range each {
			all.Go(func() {
				for !stop.Load() && time.Now().Before(until) && s.Err() == nil {
					do(n)
					s.Last(breath)
				}
			})
		}
	}
	all.Wait()
}

// windowRoll spends the window of a minute to its end, goes on asking until after it, and
// sees requests admitted in the next.
func (s *Strike) windowRoll() error {
	release, err := s.Take("budget/" + workload.Rolls)
	if err != nil {
		return err
	}
	defer release()
	const spending, beyond = 4 * time.Second, 4 * time.Second
	roll := time.Now().Truncate(time.Minute).Add(time.Minute)
	if s.Last(time.Until(roll) - spending); s.Err() != nil {
		return errBusy("no window ends in the run's time")
	}
	refused := s.spend(workload.Rolls, time.Until(roll))
	var stop atomic.Bool
	var late atomic.Int64 // requests that were refused before the end and admitted after
	s.loop(time.Until(roll.Add(beyond)), &stop, func(n *rig.Node) {
		asked := time.Now()
		if r := s.Town.Trial(s, n, workload.Rolls, nil); r.Status == http.StatusOK && asked.After(roll) {
			if late.Add(1) > 20 {
				stop.Store(true)
			}
		}
	})
	if n := late.Load(); refused && n > 0 {
		s.Saw("spent before its end, %d requests admitted after", n)
	}
	return nil
}

// capRaise spends a small budget and raises it.
func (s *Strike) capRaise() error {
	release, err := s.Take("budget/"+workload.Edge, Made)
	if err != nil {
		return err
	}
	defer release()
	session := s.Town.Session()
	if !s.spend(workload.Edge, 5*time.Second) {
		return errBusy("the budget could not be spent")
	}
	before, err := s.Town.Read(s, session, s.node(), workload.Edge)
	if err != nil {
		return unmade(err)
	}
	limit := s.Town.Limit(workload.Edge, limitOf(before)+workload.Edged)
	if err := s.Town.Insist(s, session, workload.Edge, limit); err != nil {
		return unmade(err)
	}
	begun := time.Now()
	var stop atomic.Bool
	s.loop(5*time.Second, &stop, func(n *rig.Node) {
		if r := s.Town.Trial(s, n, workload.Edge, nil); r.Status == http.StatusOK {
			stop.Store(true)
		}
	})
	if stop.Load() {
		s.Saw("admitted again %v after it was raised", time.Since(begun).Round(time.Millisecond))
	}
	return nil
}

// limitOf is the limit of a budget with one account, 0 if it has none yet.
func limitOf(b admin.BudgetDetail) (limit int64) {
	for _, a := range b.Accounts {
		limit = max(limit, a.Limit)
	}
	return limit
}

// capLower lowers a budget under load to about what is spent of it, and raises it.
func (s *Strike) capLower() error {
	list := s.Town.Plentiful()
	if len(list) == 0 {
		return errBusy("no budget under load that does not end")
	}
	of := list[s.Rand.IntN(len(list))]
	release, err := s.Take("budget/"+of, Made)
	if err != nil {
		return err
	}
	defer release()
	session := s.Town.Session()
	before, err := s.Town.Read(s, session, s.node(), of)
	if err != nil {
		return unmade(err)
	}
	var spent int64
	for _, a := range before.Accounts {
		spent = max(spent, a.Spent)
	}
	low := s.Town.Limit(of, max(1, spent/2+s.Rand.Int64N(spent/2+1)))
	if s.Rand.IntN(2) == 0 {
		low = s.Town.Limit(of, spent+s.Rand.Int64N(workload.Edged))
	}
	since := s.History.Now()
	err = s.Town.SetLimit(s, session, s.node(), of, low)
	refusals := func() int {
		return s.History.Since(since, func(r *history.Request) bool { return r.Refusal != nil && r.Refusal.ID == of })
	}
	if err == nil {
		const more = 5 * time.Second
		s.Last(s.Between(time.Second, 4*time.Second))
		s.until(more, func() bool { return refusals() > 0 })
	}
	refused := refusals()
	ctx, cancel := s.healing()
	defer cancel()
	if err := s.persist(ctx, session, of, s.Town.Limit(of, workload.Plenty+s.Rand.Int64N(workload.Plenty))); err != nil {
		return err
	}
	if refused > 0 {
		s.Saw("%s refused %d requests at the limit %d", of, refused, low)
	}
	return nil
}

// persist sets a limit whatever it takes.
func (s *Strike) persist(ctx context.Context, session int, of string, limit int64) error {
	for {
		err := s.Town.Insist(ctx, session, of, limit)
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// capDelete deletes a budget while it is spent from, and makes another of the same
// requests.
func (s *Strike) capDelete() error {
	release, err := s.Take(Made)
	if err != nil {
		return err
	}
	defer release()
	session := s.Town.Session()
	number := s.Town.Number()
	project := fmt.Sprintf("p%d", number)
	rule := func(id string) admin.Budget {
		return admin.Budget{ID: id, Unit: "usd", Window: "total", Match: map[string][]string{"project": {project}}}
	}
	first, second := fmt.Sprintf("doomed-%d", number), fmt.Sprintf("after-%d", number)
	if err := s.Town.Make(s, session, rule(first), workload.Plenty); err != nil {
		return unmade(err)
	}
	var covers atomic.Pointer[string] // the budget that covers requests that begin
	covers.Store(&first)
	var stop atomic.Bool
	var before, after atomic.Int64
	var busy sync.WaitGroup
	busy.Go(func() {
		s.loop(time.Minute, &stop, func(n *rig.Node) {
			of := covers.Load()
			r := s.Town.Trial(s, n, workload.Trials, func(_ *workload.Question, c *workload.Call) {
				c.Headers = map[string]string{"x-purser-project": project}
				if of != nil {
					c.Budgets = append(c.Budgets, *of)
				}
			})
			switch {
			case r.Status != http.StatusOK || of == nil:
			case *of == first:
				before.Add(1)
			default:
				after.Add(1)
			}
		})
	})
	s.Last(s.Between(300*time.Millisecond, time.Second))
	ctx, cancel := s.healing()
	defer cancel()
	covers.Store(nil)
	err = s.Town.Away(ctx, session, first)
	if err == nil {
		if err = s.Town.Make(ctx, session, rule(second), workload.Plenty); err == nil {
			covers.Store(&second)
			s.Last(s.Between(300*time.Millisecond, time.Second))
		}
	}
	stop.Store(true)
	busy.Wait()
	covers.Store(nil)
	if b, a := before.Load(), after.Load(); err == nil && b > 0 && a > 0 {
		s.Saw("%d requests under the one, %d under the other", b, a)
	}
	if err != nil {
		return unmade(err)
	}
	return s.Town.Away(ctx, session, second)
}

// capStorm changes limits at all nodes at once; none is low enough to refuse.
func (s *Strike) capStorm() error {
	list := s.Town.Plentiful()
	if len(list) == 0 {
		return errBusy("no budget under load that does not end")
	}
	var what []string
	for _, of := range list {
		what = append(what, "budget/"+of)
	}
	release, err := s.Take(what...)
	if err != nil {
		return err
	}
	defer release()
	const changes = 20
	var done atomic.Int64
	var all sync.WaitGroup
	for i := range changes {
		of, n := list[i%len(list)], s.Cluster.Nodes[i%len(s.Cluster.Nodes)]
		limit := s.Town.Limit(of, workload.Plenty+s.Rand.Int64N(workload.Plenty))
		session := s.Town.Session()
		all.Go(func() {
			if s.Town.SetLimit(s, session, n, of, limit) == nil {
				done.Add(1)
			}
		})
	}
	all.Wait()
	if n := done.Load(); n > 0 {
		s.Saw("%d of %d changes were confirmed", n, changes)
	}
	return nil
}
