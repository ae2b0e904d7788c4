package main

import (
	"context"
	"fmt"
	"text/tabwriter"
)

type anomaliesCmd struct {
	remote
	ID    string `arg:"" optional:"" help:"Show this one, with the requests that made it."`
	Limit int    `help:"Most that are listed." default:"50"`
}

// Help says what an anomaly is.
func (anomaliesCmd) Help() string {
	return "An anomaly is a minute in which more was spent than the median of the minutes before and at this hour of the " +
		"week, by several times the usual variation. docs/anomalies.md says how it is found, and what is not."
}

// Run lists anomalies, or shows one.
func (c *anomaliesCmd) Run(ctx context.Context) error {
	if c.ID != "" {
		a, err := c.client().ShowAnomaly(ctx, c.ID)
		if err != nil {
			return err
		}
		return c.print(a, func(w *tabwriter.Writer) {
			fmt.Fprintf(w, "%s\nbegan\t%s\nflagged\t%s\nended\t%s\nscore\t%s, compared with %s\n\n", a.Summary, a.Began, a.Flagged, dash(a.Ended), a.Score, a.Compared)
			fmt.Fprintln(w, "REQUEST\tCOST\tMODEL\tRUN")
			for _, r := range a.Requests {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.ID, units("usd", r.Cost), dash(r.Model), dash(r.Run))
			}
		})
	}
	list, err := c.client().ListAnomalies(ctx, c.Limit)
	if err != nil {
		return err
	}
	return c.print(list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "ID\tOF\tFLAGGED\tENDED\tSPENT A MINUTE\tUSUAL\tSCORE")
		for _, a := range list {
			of := "everything"
			if a.Dimension != "" {
				of = a.Dimension + " " + a.Value
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t$%s\t$%s\t%s\n", a.ID, of, a.Flagged, dash(a.Ended), a.Spent, a.Usual, a.Score)
		}
	})
}
