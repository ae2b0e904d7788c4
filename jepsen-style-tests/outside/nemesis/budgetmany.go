package nemesis

import (
	"errors"
	"fmt"
	"net/http"
	"sync"

	"purser/api/admin"
	"purser/jepsen-style-tests/outside/workload"
)

// budgetMany makes a hundred budgets at once, each of one feature and good for two
// requests or so; asks four times under each; and deletes them.
func (s *Strike) budgetMany() error {
	release, err := s.Take(Made)
	if err != nil {
		return err
	}
	defer release()
	const budgets, atOnce, asked = 100, 10, 4
	const limit = workload.Edged / 8
	number := s.Town.Number()
	turns := make(chan struct{}, atOnce)
	var mu sync.Mutex
	var made []string
	var errs []error
	admitted, refused := 0, 0
	var all sync.WaitGroup
	for i := range budgets {
		if s.Err() != nil {
			break
		}
		id := fmt.Sprintf("hundred-%d-%d", number, i)
		session, nodes := s.Town.Session(), s.Rand.Perm(len(s.Cluster.Nodes))
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			err := s.Town.Make(s, session, admin.Budget{ID: id, Unit: "usd", Window: "total", Match: map[string][]string{"feature": {id}}}, limit)
			mu.Lock()
			made = append(made, id)
			errs = append(errs, err)
			mu.Unlock()
			for try := range asked {
				if err != nil {
					return
				}
				r := s.Town.Trial(s, s.Cluster.Nodes[nodes[try%len(nodes)]], workload.Trials, func(_ *workload.Question, c *workload.Call) {
					c.Budgets = append(c.Budgets, id)
					c.Headers = map[string]string{"x-purser-feature": id}
				})
				mu.Lock()
				if r.Status == http.StatusOK {
					admitted++
				}
				if r.Refusal != nil && r.Refusal.ID == id {
					refused++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if admitted > 0 {
		s.Saw("%d budgets, %d requests admitted under them, %d refused", len(made), admitted, refused)
	}
	ctx, cancel := s.healing()
	defer cancel()
	if err := s.Town.Away(ctx, s.Town.Session(), made...); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return unmade(err)
	}
	return nil
}
