package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"purser/api/admin"
)

type economicsUnitsCmd struct {
	remote
	From     string            `help:"From when, RFC 3339 or a date (default 24 hours ago)."`
	To       string            `help:"Until when, RFC 3339 or a date (default now)."`
	By       []string          `help:"Group by these (customer, feature, plan, cohort, tag:<name> …)."`
	Filter   map[string]string `help:"Only requests with this value: --filter team=search."`
	Outcome  string            `help:"Only outcomes of this name: outcomes of different names do not add up to anything."`
	Interval string            `help:"minute, hour, day, week or month: trends, and when margins will be 0."`
	Zone     string            `help:"The zone of days, weeks and months, such as Europe/Berlin (default UTC)."`
	Limit    int               `help:"Most groups shown; the rest is summed as other." default:"50"`
	CSV      bool              `help:"Print CSV."`
}

// Help says how to read the table.
func (economicsUnitsCmd) Help() string {
	return "COVERED is the share of the cost that is of requests with outcomes: what follows from outcomes says nothing of the rest. " +
		"PER OUTCOME is the cost of those requests for one outcome, PER SUCCESS for one that was a success; LOADED is all cost for one outcome. " +
		"VALUE MARGIN goes by the values of outcomes, MARGIN by what customers paid, which has its own coverage in --json and --csv. " +
		"- is what is not known, because a half of it is missing. docs/economics.md says how it is counted."
}

// Run asks and prints the report.
func (c *economicsUnitsCmd) Run(ctx context.Context) error {
	q := admin.UnitsQuery{Outcome: c.Outcome, UsageQuery: admin.UsageQuery{From: c.From, To: c.To, Group: c.By, Filter: c.Filter, Interval: c.Interval, Zone: c.Zone, Limit: c.Limit}}
	report, err := c.client().Units(ctx, q)
	if err != nil {
		return err
	}
	for _, n := range report.Nodes {
		if n.Err != "" {
			fmt.Fprintf(os.Stderr, "purser: node %s is missing: %s\n", n.Node, n.Err)
		}
	}
	if c.CSV {
		return report.WriteCSV(os.Stdout, &q)
	}
	return c.print(report, func(w *tabwriter.Writer) { unitsTable(w, c.By, &report) })
}

func unitsTable(w *tabwriter.Writer, by []string, report *admin.UnitsReport) {
	names := make([]string, 0, len(by))
	for _, g := range by {
		names = append(names, strings.ToUpper(g))
	}
	if len(names) == 0 {
		names = []string{"-"}
	}
	fmt.Fprintln(w, strings.Join(names, "\t")+"\tREQUESTS\tCOST\tOUTCOMES\tCOVERED\tPER OUTCOME\tLOADED\tPER SUCCESS\tQUALITY\tVALUE\tVALUE MARGIN\tREVENUE\tMARGIN")
	rows := report.Rows
	if len(by) == 0 {
		rows = nil // there is one, the total
	}
	for i := range rows {
		cells := make([]string, 0, len(by))
		for _, g := range by {
			cells = append(cells, dash(rows[i].Group[g]))
		}
		fmt.Fprintln(w, strings.Join(cells, "\t")+unitsLine(&rows[i].Units))
	}
	total := append([]string{"total"}, make([]string, max(len(by)-1, 0))...)
	fmt.Fprintln(w, strings.Join(total, "\t")+unitsLine(&report.Total.Units))
	for i := range report.Rows {
		for _, t := range report.Rows[i].Trends {
			fmt.Fprintln(w, trendLine(by, &report.Rows[i], &t))
		}
	}
	if len(report.Names) > 1 {
		list := make([]string, 0, len(report.Names))
		for _, n := range report.Names {
			list = append(list, fmt.Sprintf("%s (%d)", n.Name, n.Outcomes))
		}
		fmt.Fprintf(w, "\nOutcomes of several names are added up here; --outcome takes one: %s\n", strings.Join(list, ", "))
	}
	if n := report.Unjoined; n != nil && *n > 0 {
		fmt.Fprintf(w, "\n%d reports are of no request of this time.\n", *n)
	}
}

func unitsLine(u *admin.Units) string {
	return fmt.Sprintf("\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s", u.Requests, units("usd", u.Cost), plain(u.Outcomes), share(u.Coverage.Outcomes),
		dollars(u.PerOutcome), dollars(u.PerLoaded), dollars(u.PerSuccess), plain(u.Quality), dollars(u.Value), share(u.ValueMargin), dollars(u.Revenue), share(u.Margin))
}

func trendLine(by []string, row *admin.UnitsRow, t *admin.UnitsTrend) string {
	of := "all"
	if len(by) > 0 {
		list := make([]string, 0, len(by))
		for _, g := range by {
			list = append(list, g+"="+row.Group[g])
		}
		of = strings.Join(list, ",")
	}
	text := fmt.Sprintf("\n%s of %s: %+.4g for each interval (%.4g to %.4g, 95 %%, of %d)", strings.ReplaceAll(t.Measure, "_", " "), of, t.Slope, t.Low, t.High, t.Intervals)
	if b := t.BreakEven; b != nil {
		text += fmt.Sprintf("; it is 0 on %s (%s to %s)", b.At, b.Soonest, dash(b.Latest))
	}
	return text
}

func dollars(v *int64) string {
	if v == nil {
		return "-"
	}
	return units("usd", *v)
}

func share(v *float64) string {
	if v == nil {
		return "-"
	}
	return percent(*v)
}

func plain(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.6g", *v)
}
