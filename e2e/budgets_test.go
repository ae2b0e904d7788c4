package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"purser/api/admin"
)

// denial is what a refusal tells of its budget.
type denial struct {
	Error struct {
		Code    string
		Message string
		Budget  struct {
			ID, Account, Window, Unit string
			Breaker                   *struct{ State, Cause, Reason string }
		}
	}
}

// hello asks a short question as whom the headers say, and reads a refusal.
func (r *rig) hello(key string, headers ...string) (status int, why denial, header http.Header) {
	r.t.Helper()
	return r.helloAt(r.url, key, headers...)
}

func (r *rig) helloAt(url, key string, headers ...string) (status int, why denial, header http.Header) {
	r.t.Helper()
	at := *r
	at.url = url
	status, body, header := at.ask(key, `{"model":"gpt-4o-mini","max_tokens":100,"messages":[{"role":"user","content":"Hello"}]}`, append(headers, "x-purser-cache", "off")...)
	if status != http.StatusOK {
		if err := json.Unmarshal([]byte(body), &why); err != nil {
			r.t.Errorf("%d with the body %s: %v", status, body, err)
		}
	}
	return status, why, header
}

// TestBudgetsForEverything: one mechanism counts dollars, tokens, requests and
// requests at once, for a subject or for each of many, in several windows.
func TestBudgetsForEverything(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	key := r.key(admin.NewKey{Name: "all", CacheOff: true}).Secret
	for _, b := range []admin.Budget{
		{ID: "customer-day", Each: []string{"customer"}, Unit: "usd", Limit: "0.00015", Window: "day"},
		{ID: "run", Each: []string{"run"}, Unit: "usd", Limit: "0.00015", Window: "total"},
		{ID: "member-minute", Each: []string{"member"}, Unit: "requests", Limit: "3", Window: "hour"},
		{ID: "member-day", Each: []string{"member"}, Unit: "requests", Limit: "1000", Window: "day"},
		{ID: "team-tokens", Each: []string{"team"}, Unit: "tokens", Limit: "150", Window: "hour"},
		{ID: "session-slots", Each: []string{"session"}, Unit: "slots", Limit: "1", Window: "total"},
	} {
		r.budget(b)
	}
	for name, c := range map[string]struct {
		header, budget, code string
		status, most         int
	}{
		"every customer, dollars a day":     {"x-purser-customer", "customer-day", "insufficient_quota", 402, 5},
		"every run, dollars in all":         {"x-purser-run", "run", "insufficient_quota", 402, 5},
		"every member, requests, 2 windows": {"x-purser-member", "member-minute", "rate_limit_exceeded", 429, 3},
		"every team, tokens an hour":        {"x-purser-team", "team-tokens", "rate_limit_exceeded", 429, 5},
	} {
		for _, subject := range []string{"a", "b"} { // each has its own
			given := 0
			for {
				status, why, _ := r.hello(key, c.header, subject)
				if status == http.StatusOK {
					if given++; given > c.most {
						t.Fatalf("%s: %d requests of %s are given", name, given, subject)
					}
					continue
				}
				if status != c.status || why.Error.Code != c.code || why.Error.Budget.ID != c.budget || given == 0 {
					t.Errorf("%s: after %d of %s: %d %+v", name, given, subject, status, why.Error)
				}
				break
			}
		}
	}
	slow := make(chan int)
	go func() {
		status, _, _ := r.hello(key, "x-purser-session", "s", "x-sim-mode", "slow-first=2s")
		slow <- status
	}()
	r.eventually("the slot is taken", func() error {
		if r.holds() == 0 {
			return errors.New("nothing is held")
		}
		return nil
	})
	if status, why, _ := r.hello(key, "x-purser-session", "s"); status != 429 || why.Error.Code != "concurrency_limit_exceeded" {
		t.Errorf("a second request at once: %d %+v", status, why.Error)
	}
	if status, _, _ := r.hello(key, "x-purser-session", "other"); status != 200 {
		t.Errorf("another session: %d", status)
	}
	if status := <-slow; status != 200 {
		t.Errorf("the first request: %d", status)
	}
}

// account is the one account of a budget.
func (r *rig) account(id string) (admin.Account, error) {
	b, err := r.admin.ShowBudget(context.Background(), id)
	if err == nil && len(b.Accounts) != 1 {
		err = fmt.Errorf("%d accounts", len(b.Accounts))
	}
	if err != nil {
		return admin.Account{}, err
	}
	return b.Accounts[0], nil
}

// state waits until the breaker of a budget's one account is in a state.
func (r *rig) state(id, state, cause string) {
	r.t.Helper()
	r.eventually("the breaker of "+id+" is "+state, func() error {
		a, err := r.account(id)
		if err == nil && (a.Breaker.State != state || a.Breaker.Cause != cause) {
			err = fmt.Errorf("it is %+v", a.Breaker)
		}
		return err
	})
}

// gauge reads a metric of the node.
func (r *rig) gauge(name string) string {
	r.t.Helper()
	res, err := http.Get(r.url + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	if err := res.Write(&b); err != nil {
		r.t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// TestASpentBudgetOpensAndARaiseIsProbed: open while nothing fits, half open after a
// raise, closed when the probes have ended well; each is seen in the API, the
// metrics and the events.
func TestASpentBudgetOpensAndARaiseIsProbed(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{provider: []string{"--output-min", "100", "--output-max", "120"}})
	key := r.key(admin.NewKey{Name: "all", CacheOff: true}).Secret
	b := usd("cap", "0.003")
	b.Breaker = &admin.BreakerRule{Probes: 2}
	r.budget(b)
	r.givesOne(key)
	for range 200 {
		if status, why, _ := r.hello(key); status != http.StatusOK {
			if status != 402 || why.Error.Budget.ID != "cap" {
				t.Fatalf("%d %+v", status, why.Error)
			}
			break
		}
	}
	r.state("cap", "open", "exhausted")
	if g := r.gauge("purser_budgets_exhausted"); g != "1" {
		t.Errorf("%q accounts are exhausted", g)
	}
	r.settled("cap") // so that the ledger knows it all
	raise := admin.Raise{ID: "more", By: "1", Until: time.Now().Add(time.Hour).UTC().Format(time.RFC3339), Reason: "a test"}
	if _, err := r.admin.PutRaise(context.Background(), "cap", raise); err != nil {
		t.Fatal(err)
	}
	r.state("cap", "half_open", "raise")
	if g := r.gauge(`purser_budget_breakers{state="half_open"}`); g != "1" {
		t.Errorf("%q breakers are half open", g)
	}

	slow := make(chan int)
	go func() {
		status, _, _ := r.hello(key, "x-sim-mode", "slow-first=2s")
		slow <- status
	}()
	r.eventually("a probe is under way", func() error {
		if r.holds() == 0 {
			return errors.New("nothing is held")
		}
		return nil
	})
	status, why, header := r.hello(key)
	if status != 429 || why.Error.Budget.Breaker == nil || header.Get("x-purser-budget-breaker") != "half_open" || header.Get("retry-after") == "" {
		t.Errorf("beside a probe: %d %+v %v", status, why.Error, header)
	}
	if status := <-slow; status != 200 {
		t.Errorf("the probe: %d", status)
	}
	r.eventually("the second probe is let through", func() error {
		if status, why, _ := r.hello(key); status != 200 {
			return fmt.Errorf("%d %+v", status, why.Error)
		}
		return nil
	})
	r.state("cap", "closed", "")
	if log, err := os.ReadFile(r.node.log); err != nil || !strings.Contains(string(log), "budget_exhausted") ||
		strings.Count(string(log), "kind=budget_breaker")+strings.Count(string(log), `"kind":"budget_breaker"`) < 2 {
		t.Errorf("the events are not all there: %v", err)
	}
	if err := r.admin.EndRaise(context.Background(), "cap", "more"); err != nil {
		t.Fatal(err)
	}
	a, err := r.account("cap")
	if err != nil || a.Limit != 3_000_000 || a.Available >= 0 {
		t.Errorf("after the raise the account is %+v, %v", a, err)
	}
	r.eventually("what was granted under the raise is returned, and requests are refused", func() error {
		if status, _, _ := r.hello(key); status != 402 {
			return fmt.Errorf("%d", status)
		}
		return nil
	})
}

// givesOne sees one request through, and that nothing is open.
func (r *rig) givesOne(key string) {
	r.t.Helper()
	if status, why, _ := r.hello(key); status != 200 {
		r.t.Fatalf("%d %+v", status, why.Error)
	}
	r.state("cap", "closed", "")
}

// TestARaiseEndsByItself: nobody has to end it.
func TestARaiseEndsByItself(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	key := r.key(admin.NewKey{Name: "all", CacheOff: true}).Secret
	r.budget(usd("cap", "0.0001"))
	if status, _, _ := r.hello(key); status != 402 {
		t.Fatalf("a request larger than the budget: %d", status)
	}
	until := time.Now().Add(3 * time.Second).UTC().Truncate(time.Second)
	raise := admin.Raise{ID: "x", By: "1", Until: until.Format(time.RFC3339)}
	if _, err := r.admin.PutRaise(context.Background(), "cap", raise); err != nil {
		t.Fatal(err)
	}
	if status, why, _ := r.hello(key); status != 200 {
		t.Fatalf("while the limit is raised: %d %+v", status, why.Error)
	}
	r.eventually("requests are refused again", func() error {
		status, _, _ := r.hello(key)
		if early := time.Now().Before(until); status != 402 || early {
			return fmt.Errorf("%d, before its time: %v", status, early)
		}
		return nil
	})
	if list, err := r.admin.ListRaises(context.Background(), "cap"); err != nil || len(list) != 0 {
		t.Errorf("raises %+v, %v", list, err)
	}
	for name, bad := range map[string]admin.Raise{
		"in the past":   {ID: "y", By: "1", Until: "2020-01-01T00:00:00Z"},
		"of nothing":    {ID: "y", By: "0", Until: "2099-01-01T00:00:00Z"},
		"below nothing": {ID: "y", By: "-1", Until: "2099-01-01T00:00:00Z"},
		"without end":   {ID: "y", By: "1"},
		"of one split":  {ID: "y", By: "1", Until: "2099-01-01T00:00:00Z", Split: map[string]string{"customer": "a"}},
		"a bad name":    {ID: "Y!", By: "1", Until: "2099-01-01T00:00:00Z"},
		"a long reason": {ID: "y", By: "1", Until: "2099-01-01T00:00:00Z", Reason: strings.Repeat("x", 300)},
	} {
		var f *admin.Fault
		if _, err := r.admin.PutRaise(context.Background(), "cap", bad); !errors.As(err, &f) || f.Status != 400 {
			t.Errorf("a raise %s: %v", name, err)
		}
	}
}

// TestATripStopsEveryNode: an operator's word on one node is the others' within a
// second, cached answers included.
func TestATripStopsEveryNode(t *testing.T) {
	t.Parallel()
	c := newTrio(t, "", "5")
	ctx := context.Background()
	var took []time.Duration
	for round := range 3 {
		began := time.Now()
		if _, err := c.peers[round].admin.TripBudget(ctx, "cap", admin.BreakerChange{Reason: "incident 7"}); err != nil {
			t.Fatal(err)
		}
		for _, p := range c.peers {
			c.eventually(p.id+" refuses", func() error {
				status, why, header := c.helloAt(p.url, c.key.Secret)
				if status != 402 || why.Error.Budget.Breaker == nil || why.Error.Budget.Breaker.Reason != "incident 7" || header.Get("x-purser-budget-breaker") != "open" {
					return fmt.Errorf("%d %+v", status, why.Error)
				}
				return nil
			})
		}
		took = append(took, time.Since(began))
		if out, err := c.peers[(round+1)%3].admin.ResetBreaker(ctx, "cap", admin.BreakerChange{}); err != nil || out.State != "closed" {
			t.Fatalf("%+v, %v", out, err)
		}
		for _, p := range c.peers {
			c.serves(p, c.key.Secret)
		}
	}
	t.Logf("all three nodes refused within %v", took)
	for _, d := range took {
		if d > time.Second {
			t.Errorf("it took %v", d)
		}
	}
	c.leasesAddUp()
	c.digestsAgree()
}

// digestsAgree: any member has everyone's last digest, and those of one entry are equal.
func (c *trio) digestsAgree() {
	c.t.Helper()
	c.eventually("every member has a digest of the same entry", func() error {
		m, err := c.peers[1].admin.Members(context.Background())
		if err != nil {
			return err
		}
		var first *admin.Checkpoint
		for _, n := range m.Nodes {
			switch {
			case n.Checkpoint == nil:
				return fmt.Errorf("%s has none", n.ID)
			case first == nil:
				first = n.Checkpoint
			case *n.Checkpoint != *first:
				return fmt.Errorf("%s has %+v, another %+v", n.ID, *n.Checkpoint, *first)
			}
		}
		return nil
	})
}

// leasesAddUp: any node says what each has of the cap, and that is what is outstanding.
func (c *trio) leasesAddUp() {
	c.t.Helper()
	c.eventually("every node says what it has", func() error {
		b, err := c.peers[2].admin.ShowBudget(context.Background(), "cap")
		if err != nil {
			return err
		}
		out, held := int64(0), 0
		for _, l := range b.Accounts[0].Leases {
			out += l.Out
			if l.Held != nil {
				held++
			}
		}
		if held != len(c.peers) || out != b.Accounts[0].Outstanding {
			return fmt.Errorf("%d nodes answered, leases of %d, outstanding %d: %+v", held, out, b.Accounts[0].Outstanding, b.Accounts[0].Leases)
		}
		return nil
	})
}
