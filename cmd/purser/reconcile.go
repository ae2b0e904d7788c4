package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"purser/api/admin"
	"purser/internal/reconcile"
	"purser/ledger"
)

type reconcileCmd struct {
	Import reconcileImportCmd `cmd:"" help:"Compare a provider's cost report with the usage records, by day, model and key."`
}

type reconcileImportCmd struct {
	remote
	File        string            `arg:"" help:"The report: pages of OpenAI's /v1/organization/costs or of Anthropic's /v1/organizations/cost_report, or CSV (docs/reconciliation.md)." type:"existingfile"`
	Provider    string            `help:"Whose report it is, as the price catalogue names it." required:""`
	Format      string            `help:"openai, anthropic or csv (default that of the provider, else csv)." enum:",openai,anthropic,csv" default:""`
	Key         map[string]string `help:"Tell keys apart: the provider's id of a key, project or workspace, and the credential of Purser's that it is: --key key_abc=openai-prod."`
	All         bool              `help:"Show rows that agree, too."`
	Post        bool              `help:"Post the adjustments that make the records say what was billed. They may be posted again; not with --key, since adjustments are of no credential."`
	Adjustments string            `help:"Write the adjustments that would make the records say what was billed, one as JSON on each line, to this file; it must not be there." placeholder:"FILE"`
}

// Run reads the report, asks what was recorded on its days, and prints the comparison.
func (c *reconcileImportCmd) Run(ctx context.Context) error {
	if c.Post && len(c.Key) > 0 {
		return errors.New("--post does not go with --key: an adjustment is of no credential, so that rows by key would still differ")
	}
	report, err := c.read()
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	recorded, complete, err := c.recorded(ctx, report)
	if err != nil {
		return err
	}
	var keys map[string]string
	if len(c.Key) > 0 {
		keys = c.Key
	}
	result := reconcile.Compare(report, recorded, reconcile.Options{Keys: keys, Complete: complete})
	if err := c.print(result, func(w *tabwriter.Writer) { c.table(w, result) }); err != nil {
		return err
	}
	if c.Adjustments != "" {
		if err := c.write(result); err != nil {
			return err
		}
	}
	if c.Post {
		return c.post(ctx, result)
	}
	return nil
}

// post posts the adjustments one by one. Where it ends early it may be run again: what
// was posted is posted once.
func (c *reconcileImportCmd) post(ctx context.Context, r *reconcile.Comparison) error {
	client, list := c.client(), r.Adjustments()
	for i := range list {
		a := &list[i]
		in := admin.NewAdjustment{ID: a.ID, At: a.Day + "T00:00:00Z", Amount: json.Number(exactUSD(int64(a.Amount))), Model: a.Model, Dimensions: map[string]string{"provider": a.Provider}, Note: a.Note}
		if _, err := client.PostAdjustment(ctx, in); err != nil {
			return fmt.Errorf("the adjustment %s of %s, after %d that were posted: %w", a.ID, a.Day, i, err)
		}
	}
	fmt.Fprintf(os.Stderr, "%d adjustments posted\n", len(list))
	return nil
}

// dollars writes nano-dollars exactly.
func exactUSD(n int64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s%d.%09d", sign, n/1_000_000_000, n%1_000_000_000)
}

func (c *reconcileImportCmd) read() (*reconcile.Report, error) {
	raw, err := os.ReadFile(c.File)
	if err != nil {
		return nil, err
	}
	format := c.Format
	if format == "" {
		format = "csv"
		if c.Provider == "openai" || c.Provider == "anthropic" {
			format = c.Provider
		}
	}
	var r *reconcile.Report
	switch format {
	case "openai":
		r, err = reconcile.ReadOpenAI(raw)
	case "anthropic":
		r, err = reconcile.ReadAnthropic(raw)
	default:
		r, err = reconcile.ReadCSV(c.Provider, raw)
	}
	if err != nil {
		return nil, err
	}
	r.Provider = c.Provider
	return r, nil
}

// maxGroups is as many as a node gives.
const maxGroups = 8192

// recorded asks a node day by day, so that a long report has not more groups than one
// answer takes. complete says that no record is known to be missing.
func (c *reconcileImportCmd) recorded(ctx context.Context, report *reconcile.Report) (out []reconcile.Recorded, complete bool, err error) {
	by := []string{"model", "model_served", "basis", "tier"}
	if len(c.Key) > 0 {
		by = append(by, "credential")
	}
	from, to := report.Span()
	complete = true
	client := c.client()
	for at := from; at < to; at += 24 * ledger.Hour {
		day := time.Unix(0, int64(at)).UTC()
		answer, err := client.Usage(ctx, admin.UsageQuery{
			From: day.Format(time.RFC3339), To: day.Add(24 * time.Hour).Format(time.RFC3339), Group: by, Filter: map[string]string{"provider": c.Provider}, Limit: maxGroups, Raw: true,
		})
		if err != nil {
			return nil, false, err
		}
		complete = complete && answer.Complete
		for _, name := range answer.Collapsed {
			if name == "model" || name == "model_served" || name == "credential" {
				return nil, false, errors.New("what is kept of " + day.Format(time.DateOnly) + " does not tell every " + name + " apart any more (docs/usage.md, how long what is kept); read a report of later days")
			}
		}
		for i := range answer.Rows {
			row := &answer.Rows[i]
			if row.Group["model"] == "other" && row.Group["basis"] == "other" {
				return nil, false, errors.New("the records of " + day.Format(time.DateOnly) + " have more groups than one answer takes; compare without --key")
			}
			if row.Cost == 0 && row.Requests == 0 {
				continue
			}
			out = append(out, reconcile.Recorded{
				Day: day.Format(time.DateOnly), Model: cmp.Or(named(row, "model_served"), named(row, "model")), Key: named(row, "credential"), Basis: named(row, "basis"), Tier: named(row, "tier"),
				Requests: row.Requests, Retries: row.Retries, Cost: ledger.Amount(row.Cost), Presumed: ledger.Amount(row.Presumed), Adjusted: ledger.Amount(row.Adjusted),
			})
		}
	}
	return out, complete, nil
}

// named is a row's value of a group, "" for none.
func named(row *admin.UsageRow, group string) string {
	if v := row.Group[group]; v != admin.Unallocated {
		return v
	}
	return ""
}

func (c *reconcileImportCmd) table(w *tabwriter.Writer, r *reconcile.Comparison) {
	fmt.Fprintf(w, "DAY\tMODEL\tKEY\tBILLED\tRECORDED\tDRIFT\t\tLIKELY CAUSE\n")
	shown := 0
	for i := range r.Rows {
		row := &r.Rows[i]
		if row.Within && !c.All {
			continue
		}
		shown++
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.Day, dash(cmp.Or(row.Model, row.Item)), dash(row.Key), units("usd", int64(row.Billed)), units("usd", int64(row.Recorded)), units("usd", int64(row.Drift)), relative(row.Relative), causes(row))
	}
	fmt.Fprintf(w, "total\t\t\t%s\t%s\t%s\t%s\t%d of %d rows agree\n", units("usd", int64(r.Billed)), units("usd", int64(r.Recorded)), units("usd", int64(r.Drift)), relative(r.Relative), agreeing(r), len(r.Rows))
	for _, l := range r.Left {
		fmt.Fprintf(w, "left out\t%s: %s\n", l.At, l.Why)
	}
	if !r.Complete {
		fmt.Fprintf(w, "records are missing: nodes did not answer, and nothing is adjusted\n")
	}
}

func agreeing(r *reconcile.Comparison) (n int) {
	for i := range r.Rows {
		if r.Rows[i].Within {
			n++
		}
	}
	return n
}

func relative(f *float64) string {
	if f == nil {
		return "-"
	}
	return fmt.Sprintf("%+.2f %%", *f*100)
}

// causes names a row's, with how much each can be.
func causes(row *reconcile.Row) string {
	var out []string
	for _, cause := range row.Causes {
		s := string(cause.Kind)
		if cause.Most > 0 {
			s += " up to " + units("usd", int64(cause.Most))
		}
		out = append(out, s)
	}
	return dash(strings.Join(out, ", "))
}

// write makes the file of adjustments.
func (c *reconcileImportCmd) write(r *reconcile.Comparison) error {
	f, err := os.OpenFile(c.Adjustments, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("the adjustments: %w", err)
	}
	e := json.NewEncoder(f)
	for _, a := range r.Adjustments() {
		err = errors.Join(err, e.Encode(a))
	}
	return errors.Join(err, f.Close())
}
