package nemesis

import (
	"errors"
	"net/http"
	"time"

	"purser/internal/simprovider"
	"purser/jepsen-style-tests/outside/history"
	"purser/jepsen-style-tests/outside/workload"
)

// provider is claimed by what the provider does to every call.
const provider = "provider"

var providerFaults = []Fault{
	{Name: "provider-429", Class: Provider, What: "429 with retry-after to every call, 1 to 6 s", Strike: func(s *Strike) error {
		return s.refuse("429=1s", http.StatusTooManyRequests)
	}},
	{Name: "provider-529", Class: Provider, What: "529 to every call, 1 to 6 s", Strike: func(s *Strike) error {
		return s.refuse("529", 529)
	}},
	{Name: "provider-500", Class: Provider, What: "500 to every call, 1 to 6 s", Strike: func(s *Strike) error {
		return s.refuse("500", http.StatusInternalServerError)
	}},
	{Name: "provider-timeout-billed", Class: Provider, What: "calls that are billed and never answered", Weight: 2, Strike: func(s *Strike) error {
		return s.misbehave("bill-timeout")
	}},
	{Name: "provider-reset-billed", Class: Provider, What: "calls that are billed and whose connection is reset", Weight: 2, Strike: func(s *Strike) error {
		return s.misbehave("bill-reset")
	}},
	{Name: "provider-no-usage", Class: Provider, What: "answers that do not say what they used", Strike: func(s *Strike) error {
		return s.misbehave("no-usage")
	}},
	{Name: "provider-cut", Class: Provider, What: "answers whose connection breaks in the middle", Strike: func(s *Strike) error {
		return s.misbehave("cut=2")
	}},
	{Name: "provider-slow", Class: Provider, What: "answers that begin after 2 s and come slowly", Strike: func(s *Strike) error {
		return s.misbehave("slow-first=2s+slow-chunks=50ms")
	}},
	{Name: "provider-bad-json", Class: Provider, What: "answers that are no JSON, and billed", Strike: func(s *Strike) error {
		return s.misbehave("bad-json")
	}},
	{Name: "provider-over-cap", Class: Provider, What: "calls of a budget of their own that are billed above their output caps", Strike: (*Strike).overCap},
	{Name: "provider-down", Class: Provider, What: "SIGKILL of the provider, started again after up to 5 s", Weight: 2, Strike: (*Strike).providerDown},
}

// misbehave has the provider answer every call in a way that bills, for a time; it was
// seen if the bill has calls of that kind.
func (s *Strike) misbehave(mode string) error {
	n, err := s.behind(mode, func(billed []simprovider.Row, _ int64) (n int) {
		for i := range billed {
			if billed[i].Mode == mode {
				n++
			}
		}
		return n
	})
	if n > 0 {
		s.Saw("%d calls were billed so", n)
	}
	return err
}

// refuse has it refuse every call; it was seen if clients were told of it.
func (s *Strike) refuse(mode string, status int) error {
	n, err := s.behind(mode, func(_ []simprovider.Row, since int64) int {
		return s.History.Since(since, func(r *history.Request) bool { return r.Status == status && r.Refusal == nil })
	})
	if n > 0 {
		s.Saw("%d requests were answered with %d", n, status)
	}
	return err
}

// behind has the provider misbehave for some seconds, and counts what came of it. Until
// something has, it goes on for a while: the nodes' circuit breakers may be open from
// what another fault did, and let single calls through from time to time.
func (s *Strike) behind(mode string, count func(billed []simprovider.Row, since int64) int) (n int, err error) {
	release, err := s.Take(provider)
	if err != nil {
		return 0, err
	}
	defer release()
	size, err := s.Cluster.BillSize()
	if err != nil {
		return 0, err
	}
	since := s.History.Now()
	if err := s.Cluster.Mode(s, mode); err != nil {
		return 0, err
	}
	s.Last(s.Between(time.Second, 6*time.Second))
	const more, look = 10, time.Second
	for range more {
		var billed []simprovider.Row
		if billed, err = s.Cluster.RowsSince(size); err != nil {
			break
		}
		if n = count(billed, since); n > 0 || s.Err() != nil {
			break
		}
		s.Last(look)
	}
	ctx, cancel := s.healing()
	defer cancel()
	return n, errors.Join(err, s.Cluster.Mode(ctx, ""))
}

// overCap asks for calls that are billed above the cap that was written into them. What
// the budget of these calls is charged beyond its holds is its overrun.
func (s *Strike) overCap() error {
	const calls = 12
	size, err := s.Cluster.BillSize()
	if err != nil {
		return err
	}
	const mode = "over-cap=3"
	for range calls {
		n := s.Cluster.Nodes[s.Rand.IntN(len(s.Cluster.Nodes))]
		s.Town.Trial(s, n, workload.Overcap, func(q *workload.Question, c *workload.Call) {
			q.Model, c.Mode = overCapModel, mode
			q.Stream = s.Rand.IntN(2) == 0
		})
		if s.Err() != nil {
			break
		}
	}
	billed, err := s.Cluster.RowsSince(size)
	if err != nil {
		return err
	}
	over := 0
	for i := range billed {
		if r := &billed[i]; r.Mode == mode && r.Model == overCapModel {
			over++
		}
	}
	if over > 0 {
		s.Saw("%d calls were billed above their caps", over)
	}
	return nil
}

// overCapModel is one that no workload asks for: what nodes learn of its bills changes
// the holds of no other requests.
const overCapModel = "gpt-4.1-mini"

func (s *Strike) providerDown() error {
	release, err := s.Take(provider)
	if err != nil {
		return err
	}
	defer release()
	since := s.History.Now()
	err = s.Cluster.KillProvider()
	if err == nil {
		s.Last(s.Between(200*time.Millisecond, 5*time.Second))
		n := s.History.Since(since, func(r *history.Request) bool { return r.Code == "upstream_unavailable" })
		s.Saw("it died; %d requests were told so", n)
	}
	return errors.Join(err, s.Cluster.StartProvider())
}
