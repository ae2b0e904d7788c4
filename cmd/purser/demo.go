package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"purser/api/admin"
	"purser/internal/simprovider"
)

// demoCmd is the promise, shown: one cap, many agents, a node killed without
// warning, and the provider's own bill as the judge.
type demoCmd struct {
	JSON   bool   `help:"Print only the result, as one JSON object."`
	Cap    string `help:"The cap in dollars." default:"1"`
	Agents int    `help:"Agents that call at the same time." default:"50"`
	Least  int    `help:"Fewest requests to drive." default:"2000"`
	Seed   uint64 `help:"Seed of the agents and of the provider." default:"1"`
	Keep   string `help:"Keep the data, logs and bill in this directory." type:"path"`
}

// demoResult is the last line of `purser demo --json`.
type demoResult struct {
	Cap         int64   `json:"cap_nanousd"`
	Billed      int64   `json:"billed_nanousd"`   // the provider's own bill
	Spent       int64   `json:"spent_nanousd"`    // settled, without presumed
	Presumed    int64   `json:"presumed_nanousd"` // what the killed node may have spent
	WrittenOff  int64   `json:"written_off_nanousd"`
	Overrun     int64   `json:"overrun_nanousd"`
	Requests    int64   `json:"requests"`
	Admitted    int64   `json:"admitted"`
	Refused     int64   `json:"refused"`
	CacheHits   int64   `json:"cache_hits"`
	Utilisation float64 `json:"utilisation"` // billed / cap
	Nodes       int     `json:"nodes"`
	Kills       int     `json:"kills"`

	Interrupted int64   `json:"interrupted"` // calls cut off by the kill
	Streams     int64   `json:"streams"`
	Seconds     float64 `json:"seconds"`
}

// leastUtilisation is what a demo must reach: a gateway that spends little is
// safe, and useless.
const leastUtilisation = 0.95

const (
	demoBudget     = "demo"
	demoToken      = "demo-admin-token-of-one-run"
	demoBudgetWait = 30 * time.Second // for the last leases to come back
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
	rig, err := startRig(ctx, dir, c.Seed)
	if err != nil {
		return err
	}
	defer rig.stop()
	say("provider  %s, with a bill of its own", rig.providerURL)
	say("node      %s", rig.nodeURL)

	client := &admin.Client{URL: rig.nodeURL, Token: demoToken}
	if _, err := client.PutBudget(ctx, admin.Budget{ID: demoBudget, Unit: "usd", Limit: json.Number(c.Cap), Window: "total"}); err != nil {
		return fmt.Errorf("making the budget: %w", err)
	}
	key, err := client.CreateKey(ctx, admin.NewKey{Name: "demo", Required: []string{"agent"}})
	if err != nil {
		return fmt.Errorf("making the key: %w", err)
	}
	say("budget    %s USD in all; %d agents, half of their requests streams", c.Cap, c.Agents)

	load := newAgents(rig.nodeURL, key.Secret, c.Agents, c.Seed)
	running := make(chan error, 1)
	go func() { running <- load.run(ctx, int64(c.Least)) }()
	killed := false
	for waiting := true; waiting; {
		select {
		case err := <-running:
			if err != nil {
				return err
			}
			waiting = false
		case <-time.After(20 * time.Millisecond):
			// The kill comes when half of the money is gone, under full load.
			if !killed && rig.billed()*2 >= rig.capOf(c.Cap) {
				if err := rig.killNode(ctx); err != nil {
					return err
				}
				killed = true
				say("kill -9   after %d requests and $%.4f; the node is up again", load.requests.Load(), float64(rig.billed())/1e9)
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	result, err := c.judge(ctx, client, rig, load)
	if err != nil {
		return err
	}
	result.Seconds = time.Since(began).Seconds()
	return c.report(result)
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
func (c *demoCmd) judge(ctx context.Context, client *admin.Client, rig *rig, load *agents) (demoResult, error) {
	account, err := settledAccount(ctx, client)
	if err != nil {
		return demoResult{}, err
	}
	if err := rig.stopNode(); err != nil {
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
	return demoResult{
		Cap: account.Limit, Billed: billed, Spent: account.Spent - account.Presumed, Presumed: account.Presumed,
		WrittenOff: account.WrittenOff, Overrun: account.Overrun,
		Requests: load.requests.Load(), Admitted: load.admitted.Load(), Refused: load.refused.Load(), CacheHits: load.hits.Load(),
		Interrupted: load.interrupted.Load(), Streams: load.streams.Load(),
		Utilisation: float64(billed) / float64(account.Limit), Nodes: 1, Kills: rig.kills,
	}, nil
}

// settledAccount waits until nothing of the demo's budget is out on a lease.
func settledAccount(ctx context.Context, client *admin.Client) (admin.Account, error) {
	ctx, cancel := context.WithTimeout(ctx, demoBudgetWait)
	defer cancel()
	for {
		b, err := client.ShowBudget(ctx, demoBudget)
		if err != nil {
			return admin.Account{}, fmt.Errorf("reading the budget: %w", err)
		}
		if len(b.Accounts) == 1 && b.Accounts[0].Outstanding == 0 {
			return b.Accounts[0], nil
		}
		select {
		case <-ctx.Done():
			return admin.Account{}, fmt.Errorf("the budget still has leases out after %v: %+v", demoBudgetWait, b.Accounts)
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
			{"presumed", units("usd", r.Presumed), "the killed node may have spent it and cannot prove it did not"},
			{"overrun", units("usd", r.Overrun), "billed beyond a hold"},
			{"utilisation", fmt.Sprintf("%.4f", r.Utilisation), "billed / cap"},
			{"requests", fmt.Sprint(r.Requests), fmt.Sprintf("%d admitted, %d refused, %d cut off by the kill", r.Admitted, r.Refused, r.Interrupted)},
			{"cache hits", fmt.Sprint(r.CacheHits), "cost nothing"},
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
	fail(r.Kills < 1, "the node was not killed")
	fail(r.Refused == 0, "no request was refused: the cap was not reached")
	return errs
}
