package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"purser/api/admin"
)

type savingsCmd struct {
	remote
	From   string            `help:"From when, RFC 3339 (default 24 hours ago)."`
	To     string            `help:"Until when, RFC 3339 (default now)."`
	By     []string          `help:"Group by these dimensions (customer, route, model, prompt_version …), or by day or hour."`
	Filter map[string]string `help:"Only requests with this value: --filter team=search."`
	Limit  int               `help:"Most groups shown; the rest is summed as other." default:"50"`
}

// Help says how to read the table.
func (savingsCmd) Help() string {
	return "WITHOUT LEVERS is what the requests would have cost: COST and the columns of the levers add up to it. " +
		"A lever's column is what it saved less what it cost itself. ERROR is the upper bound of the share of wrong " +
		"answers that the semantic cache answered under. docs/levers.md says how it is counted."
}

// Run prints what the levers saved.
func (c *savingsCmd) Run(ctx context.Context) error {
	report, err := c.client().Usage(ctx, admin.UsageQuery{From: c.From, To: c.To, Group: c.By, Filter: c.Filter, Limit: c.Limit})
	if err != nil {
		return err
	}
	rows := report.Rows
	if len(c.By) == 0 {
		rows = nil // there is one, the total
	}
	levers := leversOf(append(slices.Clone(rows), report.Total))
	return c.print(report, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "%s\tREQUESTS\tWITHOUT LEVERS\tCOST\tSAVED\tSHARE", strings.ToUpper(dash(strings.Join(c.By, "\t"))))
		for _, l := range levers {
			fmt.Fprintf(w, "\t%s", strings.ToUpper(strings.ReplaceAll(l, "_", " ")))
		}
		fmt.Fprintln(w, "\tERROR")
		for _, r := range append(rows, report.Total) {
			names := make([]string, 0, max(len(c.By), 1))
			for _, g := range c.By {
				names = append(names, dash(r.Group[g]))
			}
			if len(r.Group) == 0 {
				names = append([]string{"total"}, names[:max(len(names)-1, 0)]...)
			}
			share := "-"
			if r.Baseline > 0 {
				share = percent(float64(r.Saved) / float64(r.Baseline))
			}
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s", strings.Join(names, "\t"), r.Requests, units("usd", r.Baseline), units("usd", r.Cost), units("usd", r.Saved), share)
			for _, l := range levers {
				fmt.Fprintf(w, "\t%s", units("usd", r.Savings[l]))
			}
			bound := "-"
			if r.Semantic > 0 {
				bound = fmt.Sprintf("<= %.2f%%", float64(r.Error)/10_000)
			}
			fmt.Fprintf(w, "\t%s\n", bound)
		}
	})
}

// leversOf are the levers that saved or cost something, in order of name.
func leversOf(rows []admin.UsageRow) []string {
	seen := map[string]bool{}
	for _, r := range rows {
		for l := range r.Savings {
			seen[l] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}
