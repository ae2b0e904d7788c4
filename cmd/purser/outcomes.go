package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"purser/api/admin"
)

type outcomesCmd struct {
	Import outcomesImportCmd `cmd:"" help:"Report outcomes from a CSV file; those that were reported before count once."`
	List   outcomesListCmd   `cmd:"" help:"List the outcomes of a time."`
	Show   outcomesShowCmd   `cmd:"" help:"Show the outcomes of an id, of each who reported one."`
}

type outcomesImportCmd struct {
	remote
	File string `arg:"" help:"CSV, the first line with the names of its columns; - for standard input."`
}

// Help says what the columns are.
func (outcomesImportCmd) Help() string {
	return "The columns id and name are needed. Others: at (RFC 3339), success (true or false), quality (0 to 1), value (dollars), currency (USD), count; " +
		"and what the outcome is of: request_id, run, session, trace_id, or dimensions such as customer and tag:<name> with from and to, or of the day of at. " +
		"A line that cannot be kept is said with its number, and the others are kept."
}

// Run sends the file in parts.
func (c *outcomesImportCmd) Run(ctx context.Context) error {
	return importFile(ctx, &c.remote, c.File, func(ctx context.Context, part []byte) (admin.Imported, error) {
		return c.client().ImportOutcomes(ctx, "text/csv", part)
	})
}

type outcomesListCmd struct {
	remote
	From  string `help:"From when, RFC 3339: of the requests that they can be of (default 24 hours ago)."`
	To    string `help:"Until when, RFC 3339 (default now)."`
	Name  string `help:"Only outcomes of this name."`
	Limit int    `help:"Most outcomes, the latest first." default:"100"`
}

// Run lists them.
func (c *outcomesListCmd) Run(ctx context.Context) error {
	return printOutcomes(ctx, &c.remote, admin.OutcomeQuery{From: c.From, To: c.To, Name: c.Name, Limit: c.Limit})
}

type outcomesShowCmd struct {
	remote
	ID string `arg:"" help:"The outcome's id."`
}

// Run shows them.
func (c *outcomesShowCmd) Run(ctx context.Context) error {
	return printOutcomes(ctx, &c.remote, admin.OutcomeQuery{ID: c.ID})
}

func printOutcomes(ctx context.Context, r *remote, q admin.OutcomeQuery) error {
	list, err := r.client().ListOutcomes(ctx, q)
	if err != nil {
		return err
	}
	if q.ID != "" && list.Total == 0 {
		return admin.NotFound(fmt.Sprintf("no outcome %q", q.ID))
	}
	return r.print(list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "ID\tNAME\tAT\tCOUNT\tSUCCESS\tQUALITY\tVALUE\tOF\tBY\tSOURCE")
		for _, o := range list.Outcomes {
			success := "-"
			if o.Success != nil {
				success = fmt.Sprint(*o.Success)
			}
			of := o.OfName
			if len(o.Where) > 0 {
				of = fmt.Sprintf("%s from %s to %s", pairs(o.Where), o.From, o.To)
			}
			by := dash(o.Org)
			if o.Org == "" {
				by = dash(o.Key)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s %s\t%s\t%s\n", o.ID, o.Name, o.At, o.Count, success, plain(o.Quality), dollars(o.Value), o.Of, of, by, o.Source)
		}
		if list.Total > len(list.Outcomes) {
			fmt.Fprintf(w, "\n%d more; --limit shows them.\n", list.Total-len(list.Outcomes))
		}
	})
}

type revenueCmd struct {
	Import revenueImportCmd `cmd:"" help:"Tell what customers paid from a CSV file; a higher revision of an id corrects it."`
	List   revenueListCmd   `cmd:"" help:"List what customers paid."`
}

type revenueImportCmd struct {
	remote
	File string `arg:"" help:"CSV, the first line with the names of its columns; - for standard input."`
}

// Help says what the columns are.
func (revenueImportCmd) Help() string {
	return "The columns id, customer and amount (dollars) are needed, and period (a month such as 2026-03, UTC) or from and to. " +
		"Others: plan, cohort, currency (USD), revision (from 1; the highest of an id counts)."
}

// Run sends the file in parts.
func (c *revenueImportCmd) Run(ctx context.Context) error {
	return importFile(ctx, &c.remote, c.File, func(ctx context.Context, part []byte) (admin.Imported, error) {
		return c.client().ImportRevenue(ctx, "text/csv", part)
	})
}

type revenueListCmd struct {
	remote
	From     string `help:"From when, RFC 3339 (default 24 hours ago)."`
	To       string `help:"Until when, RFC 3339 (default now)."`
	Customer string `help:"Only of this customer."`
	Limit    int    `help:"Most payments." default:"100"`
}

// Run lists them.
func (c *revenueListCmd) Run(ctx context.Context) error {
	list, err := c.client().ListRevenue(ctx, admin.RevenueQuery{From: c.From, To: c.To, Customer: c.Customer, Limit: c.Limit})
	if err != nil {
		return err
	}
	return c.print(list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "ID\tREVISION\tCUSTOMER\tPLAN\tCOHORT\tFROM\tTO\tAMOUNT")
		for _, p := range list.Revenue {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", p.ID, p.Revision, p.Customer, dash(p.Plan), dash(p.Cohort), p.From, p.To, units("usd", p.Amount))
		}
		fmt.Fprintf(w, "\n%d payments, of which %s is for this time.\n", list.Total, units("usd", list.Sum))
	})
}
