package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"purser/api/admin"
	"purser/internal/record"
	"purser/internal/simprovider"
)

// demoCmd is the promise, shown: one cap, three nodes, many agents, nodes killed
// without warning, and the provider's own bill as the judge.
type demoCmd struct {
	JSON   bool   `help:"Print only the result, as one JSON object."`
	Cap    string `help:"The cap in dollars." default:"1"`
	Agents int    `help:"Agents that call at the same time." default:"50"`
	Nodes  int    `help:"Nodes of the cluster." default:"3"`
	Least  int    `help:"Fewest requests to drive." default:"2000"`
	Seed   uint64 `help:"Seed of the agents and of the provider." default:"1"`
	Keep   string `help:"Keep the data, logs and bill in this directory." type:"path"`
}

// demoResult is the last line of `purser demo --json`.
type demoResult struct {
	Cap         int64   `json:"cap_nanousd"`
	Billed      int64   `json:"billed_nanousd"`   // the provider's own bill
	Spent       int64   `json:"spent_nanousd"`    // settled, without presumed
	Presumed    int64   `json:"presumed_nanousd"` // what killed nodes may have spent
	WrittenOff  int64   `json:"written_off_nanousd"`
	Overrun     int64   `json:"overrun_nanousd"`
	Requests    int64   `json:"requests"`
	Admitted    int64   `json:"admitted"`
	Refused     int64   `json:"refused"`
	CacheHits   int64   `json:"cache_hits"`
	Utilisation float64 `json:"utilisation"` // billed / cap
	Nodes       int     `json:"nodes"`
	Kills       int     `json:"kills"`

	// Of the usage records of all nodes.
	Coalesced int64            `json:"coalesced"`        // answered by an identical request in flight
	Baseline  int64            `json:"baseline_nanousd"` // without levers
	Savings   map[string]int64 `json:"savings_nanousd"`  // by lever

	Interrupted int64   `json:"interrupted"` // calls cut off by the kills
	Streams     int64   `json:"streams"`
	Seconds     float64 `json:"seconds"`
}

// leastUtilisation is what a demo must reach: a gateway that spends little is
// safe, and useless.
const leastUtilisation = 0.98

const (
	demoBudget     = "demo"
	demoPace       = "demo-pace"
	demoToken      = "demo-admin-token-of-one-run"
	demoBudgetWait = 30 * time.Second // for the last leases to come back
	demoRollWait   = 90 * time.Second // for a minute to end
)

// Run drives the demo and fails when the promise does not hold.
func (c *demoCmd) Run(ctx context.Context) error {
	dir, cleanup, err := c.directory()
	if err != nil {
		return err
	}
	defer cleanup()
	say := func(format string, args ...any) {
		if !c.JSON {
			fmt.Printf(format+"\n", args...)
		}
	}
	began := time.Now()
	rig, err := startRig(ctx, dir, c.Seed, c.Nodes)
	if err != nil {
		return err
	}
	defer rig.stop()
	say("provider  %s, with a bill of its own", rig.providerURL)
	var urls []string
	for _, n := range rig.nodes {
		say("node      %s  %s", n.id, n.url)
		urls = append(urls, n.url)
	}
	key, err := c.prepare(ctx, rig.admin(0))
	if err == nil {
		err = rig.sameDigests(ctx) // so that every node knows the key
	}
	if err != nil {
		return err
	}
	say("budget    %s USD in all, and a rate limit by the minute; %d agents on all nodes, half of their requests streams", c.Cap, c.Agents)

	load := newAgents(urls, key, c.Agents, c.Seed)
	running := make(chan error, 1)
	go func() { running <- load.run(ctx, int64(c.Least)) }()
	err = c.strike(ctx, rig, load, running, say)
	if err == nil {
		say("waiting   for the rate limit's minute to end")
		err = rolled(ctx, rig.admin(0))
	}
	load.stop.Store(true)
	if err = errors.Join(err, <-running); err != nil {
		return err
	}
	result, err := c.judge(ctx, rig, load)
	if err != nil {
		return err
	}
	result.Seconds = time.Since(began).Seconds()
	return c.report(result)
}

// prepare makes the budgets and the agents' key.
func (c *demoCmd) prepare(ctx context.Context, client *admin.Client) (secret string, err error) {
	for _, b := range []admin.Budget{
		{ID: demoBudget, Unit: "usd", Limit: json.Number(c.Cap), Window: "total"},
		{ID: demoPace, Unit: "requests", Limit: "1000000", Window: "minute"},
	} {
		if _, err := client.PutBudget(ctx, b); err != nil {
			return "", fmt.Errorf("making the budget %s: %w", b.ID, err)
		}
	}
	key, err := client.CreateKey(ctx, admin.NewKey{Name: "demo", Required: []string{"agent"}})
	if err != nil {
		return "", fmt.Errorf("making the key: %w", err)
	}
	return key.Secret, nil
}

// strike kills nodes under full load: the leader, one that holds leases, and the
// leader of then, each when another part of the money is gone. It returns when
// the cap is reached.
func (c *demoCmd) strike(ctx context.Context, rig *rig, load *agents, running chan error, say func(string, ...any)) error {
	parts := []int64{50, 70, 85} // percent of the cap
	for {
		select {
		case err := <-running:
			running <- nil
			return errors.Join(err, errors.New("the agents ended before the cap was reached"))
		case <-load.over:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		if rig.kills >= len(parts) || rig.billed()*100 < rig.capOf(c.Cap)*parts[rig.kills] {
			continue
		}
		victim, other, err := rig.leader(ctx)
		if err != nil {
			return err
		}
		role := "the leader"
		if rig.kills == 1 {
			victim, role = other, "a holder"
		}
		requests, billed := load.requests.Load(), float64(rig.billed())/1e9
		at := time.Now()
		if err := rig.kill(ctx, victim); err != nil {
			return err
		}
		say("kill -9   %s, %s, after %d requests and $%.4f; up again after %.1f s", victim.id, role, requests, billed, time.Since(at).Seconds())
	}
}

// rolled waits until the rate limit has begun another window.
func rolled(ctx context.Context, client *admin.Client) error {
	ctx, cancel := context.WithTimeout(ctx, demoRollWait)
	defer cancel()
	first := ""
	for {
		b, err := client.ShowBudget(ctx, demoPace)
		if err != nil {
			return fmt.Errorf("reading the rate limit: %w", err)
		}
		for _, a := range b.Accounts {
			if first == "" {
				first = a.WindowStart
			}
			if a.WindowStart > first && a.Spent > 0 {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no window rolled within %v", demoRollWait)
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func (c *demoCmd) directory() (string, func(), error) {
	if c.Keep != "" {
		return c.Keep, func() {}, os.MkdirAll(c.Keep, 0o755)
	}
	dir, err := os.MkdirTemp("", "purser-demo-")
	if err != nil {
		return "", nil, fmt.Errorf("making a temporary directory: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}

// judge compares the ledger with the provider's bill, once all is quiet.
func (c *demoCmd) judge(ctx context.Context, rig *rig, load *agents) (demoResult, error) {
	// The rate limit would lease its next minute just when the nodes are stopped,
	// and the last one to stop has nobody to return that to.
	if err := rig.admin(0).DeleteBudget(ctx, demoPace); err != nil {
		return demoResult{}, fmt.Errorf("closing the rate limit: %w", err)
	}
	account, err := settledAccount(ctx, rig.admin(0))
	if err != nil {
		return demoResult{}, err
	}
	if err := rig.sameDigests(ctx); err != nil {
		return demoResult{}, err
	}
	result := demoResult{Savings: map[string]int64{}}
	if err := result.addRecords(ctx, rig.admin(0)); err != nil {
		return demoResult{}, err
	}
	if err := rig.stopNodes(); err != nil {
		return demoResult{}, err
	}
	rows, err := simprovider.ReadBill(rig.bill)
	if err != nil {
		return demoResult{}, fmt.Errorf("reading the provider's bill: %w", err)
	}
	var billed int64
	for _, r := range rows {
		billed += int64(r.Cost)
	}
	result.Cap, result.Billed, result.Spent, result.Presumed = account.Limit, billed, account.Spent-account.Presumed, account.Presumed
	result.WrittenOff, result.Overrun = account.WrittenOff, account.Overrun
	result.Requests, result.Admitted, result.Refused = load.requests.Load(), load.admitted.Load(), load.refused.Load()
	result.CacheHits, result.Interrupted, result.Streams = load.hits.Load(), load.interrupted.Load(), load.streams.Load()
	result.Utilisation, result.Nodes, result.Kills = float64(billed)/float64(account.Limit), len(rig.nodes), rig.kills
	return result, nil
}

// addRecords adds what the levers did, by the records of all nodes.
func (r *demoResult) addRecords(ctx context.Context, client *admin.Client) error {
	report, err := client.Usage(ctx, admin.UsageQuery{})
	if err != nil {
		return fmt.Errorf("reading the usage: %w", err)
	}
	r.Coalesced += report.Total.Outcomes[record.Coalesced.String()]
	r.Baseline += report.Total.Baseline
	for lever, saved := range report.Total.Savings {
		r.Savings[lever] += saved
	}
	return nil
}

// settledAccount waits until nothing is out on a lease, and returns the account
// of the cap.
func settledAccount(ctx context.Context, client *admin.Client) (admin.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, demoBudgetWait)
	defer cancel()
	for {
		list, err := client.ListBudgets(ctx)
		if err != nil {
			return admin.Account{}, fmt.Errorf("reading the budgets: %w", err)
		}
		var account admin.Account
		out := int64(0)
		for _, b := range list {
			for _, a := range b.Accounts {
				out += a.Outstanding
				if b.ID == demoBudget {
					account = a
				}
			}
		}
		if out == 0 && account.Budget != "" {
			return account, nil
		}
		select {
		case <-ctx.Done():
			return admin.Account{}, fmt.Errorf("the budgets still have leases out after %v: %+v", demoBudgetWait, list)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// report prints the result and turns a broken promise into an error.
func (c *demoCmd) report(r demoResult) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if !c.JSON {
		w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w)
		for _, row := range []struct {
			name  string
			value string
			note  string
		}{
			{"cap", units("usd", r.Cap), ""},
			{"billed", units("usd", r.Billed), "the provider's own bill"},
			{"spent", units("usd", r.Spent), "settled by usage records"},
			{"presumed", units("usd", r.Presumed), "killed nodes may have spent it and cannot prove they did not"},
			{"overrun", units("usd", r.Overrun), "billed beyond a hold"},
			{"utilisation", fmt.Sprintf("%.4f", r.Utilisation), "billed / cap"},
			{"requests", fmt.Sprint(r.Requests), fmt.Sprintf("%d admitted, %d refused, %d cut off by the kills", r.Admitted, r.Refused, r.Interrupted)},
			{"cache hits", fmt.Sprint(r.CacheHits), fmt.Sprintf("cost nothing; %d of them were in flight at the same time", r.Coalesced)},
			{"saved", units("usd", r.saved()), "of " + units("usd", r.Baseline) + " without levers: " + r.savings()},
			{"nodes", fmt.Sprint(r.Nodes), "with the same ledger, by its digest"},
			{"kills", fmt.Sprint(r.Kills), "SIGKILL under load"},
		} {
			fmt.Fprintf(w, "%s\t%s\t%s\n", row.name, row.value, row.note)
		}
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Println()
	}
	fmt.Println(string(line))
	return errors.Join(c.broken(r)...)
}

func (r *demoResult) saved() (sum int64) {
	for _, saved := range r.Savings {
		sum += saved
	}
	return sum
}

func (r *demoResult) savings() string {
	var list []string
	for _, lever := range slices.Sorted(maps.Keys(r.Savings)) {
		list = append(list, lever+" "+units("usd", r.Savings[lever]))
	}
	return strings.Join(list, ", ")
}

func (c *demoCmd) broken(r demoResult) []error {
	var errs []error
	fail := func(broken bool, format string, args ...any) {
		if broken {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	fail(r.Billed > r.Cap, "the provider billed %s, more than the cap of %s", units("usd", r.Billed), units("usd", r.Cap))
	fail(r.Billed > r.Spent+r.Presumed, "the provider billed %s, but only %s are accounted for", units("usd", r.Billed), units("usd", r.Spent+r.Presumed))
	fail(r.Utilisation < leastUtilisation, "utilisation is %.4f, below %.2f", r.Utilisation, leastUtilisation)
	fail(r.Requests < int64(c.Least), "%d requests were driven, not %d", r.Requests, c.Least)
	fail(r.Kills < 3, "only %d nodes were killed", r.Kills)
	fail(r.CacheHits == 0 || r.Coalesced == 0 || r.saved() <= 0, "%d cache hits, %d coalesced and %d nano-dollars saved: the caches did nothing", r.CacheHits, r.Coalesced, r.saved())
	fail(r.Refused == 0, "no request was refused: the cap was not reached")
	return errs
}
