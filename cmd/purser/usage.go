package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"purser/api/admin"
)

type usageCmd struct {
	Show    usageShowCmd    `cmd:"" default:"withargs" help:"What was used, by any dimension (what usage alone does)."`
	Request usageRequestCmd `cmd:"" help:"The records of one request, as JSON."`
	Run     usageRunCmd     `cmd:"" help:"An agent's run, as a tree of its requests."`
	Adjust  usageAdjustCmd  `cmd:"" help:"Add an amount that is known later: a correction of a request, or an adjustment of a time."`
}

type usageShowCmd struct {
	remote
	asked
	By       []string `help:"Group by these: customer, feature, agent, model, tag:<name>, outcome, error_class …; docs/usage.md lists them."`
	Interval string   `help:"A row for each minute, hour, day, week or month." enum:",minute,hour,day,week,month" default:""`
	Limit    int      `help:"Most groups shown, by cost; the rest is summed as other (default 50, less with many intervals)."`
	Raw      bool     `help:"Groups as they were recorded, without mappings."`
	CSV      bool     `help:"Print CSV instead of a table: money in nano-dollars, no total." name:"csv"`
}

// asked is about which requests a question is.
type asked struct {
	From   string   `help:"From when: RFC 3339, a date, or so long ago, such as 90m or 30d (default 24 hours ago)."`
	To     string   `help:"Until when: RFC 3339 or a date (default now)."`
	Zone   string   `help:"The time zone of dates, days, weeks and months, such as Europe/Berlin (default UTC)."`
	Filter []string `help:"Only requests with this value: --filter team=search. Of the same dimension several times: with any of the values." sep:"none"`
}

// query is the question without its groups.
func (a *asked) query() (admin.UsageQuery, error) {
	q := admin.UsageQuery{From: a.From, To: a.To, Zone: a.Zone, Filter: map[string]string{}, AnyOf: map[string][]string{}}
	if ago, ok := agoOf(a.From); ok {
		q.From = time.Now().Add(-ago).UTC().Format(time.RFC3339)
	}
	for _, f := range a.Filter {
		name, value, ok := strings.Cut(f, "=")
		if !ok {
			return q, fmt.Errorf("--filter %q is not <dimension>=<value>", f)
		}
		q.AnyOf[name] = append(q.AnyOf[name], value)
	}
	return q, nil
}

// agoOf reads a time before the present one: a duration, or whole days such as 30d.
func agoOf(text string) (time.Duration, bool) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, d >= 0
	}
	var days int
	if n, err := fmt.Sscanf(text, "%dd", &days); n != 1 || err != nil || days < 0 || fmt.Sprintf("%dd", days) != text {
		return 0, false
	}
	return time.Duration(days) * 24 * time.Hour, true
}

// Run asks and prints the report.
func (c *usageShowCmd) Run(ctx context.Context) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	q.Group, q.Interval, q.Limit, q.Raw = c.By, c.Interval, c.Limit, c.Raw
	report, err := c.client().Usage(ctx, q)
	if err != nil {
		return err
	}
	for _, name := range report.Collapsed {
		fmt.Fprintf(os.Stderr, "purser: rarer values of %s are in \"other\": of so long a time they are kept no more, or too many\n", name)
	}
	sayMissing(os.Stderr, report.Nodes)
	if c.CSV {
		return report.WriteCSV(os.Stdout, &q)
	}
	return c.print(report, func(w *tabwriter.Writer) { c.table(w, &report) })
}

// sayMissing says whose records an answer lacks, or may lack.
func sayMissing(w io.Writer, nodes []admin.NodeAnswer) {
	for _, n := range nodes {
		switch {
		case n.Err != "":
			fmt.Fprintf(w, "purser: the records of node %s are missing: %s\n", n.Node, n.Err)
		case n.MayLack:
			fmt.Fprintf(w, "purser: node %s answers for node %s, and may lack its last records\n", n.By, n.Node)
		}
	}
}

func (c *usageShowCmd) table(w *tabwriter.Writer, report *admin.UsageReport) {
	names := append([]string{}, c.By...)
	if c.Interval != "" {
		names = append([]string{"start"}, names...)
	}
	fmt.Fprintf(w, "%s\tREQUESTS\tINPUT\tCACHED\tOUTPUT\tLIST\tCOST\tSAVED\tP50\tP99\n", strings.ToUpper(dash(strings.Join(names, "\t"))))
	rows := report.Rows
	if len(names) == 0 {
		rows = nil // there is one, the total
	}
	line := func(cells []string, r *admin.UsageRow) {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\n", strings.Join(cells, "\t"), r.Requests,
			r.Tokens["input"], r.Tokens["cache_read"], r.Tokens["output"]+r.Tokens["output_reasoning"], units("usd", r.List), units("usd", r.Cost), units("usd", r.Saved),
			spanText(r.TotalP50), spanText(r.TotalP99))
	}
	for i := range rows {
		var cells []string
		for _, name := range names {
			if name == "start" && c.Interval != "" {
				cells = append(cells, rows[i].Start)
			} else {
				cells = append(cells, dash(printable(rows[i].Group[name])))
			}
		}
		line(cells, &rows[i])
	}
	total := make([]string, max(len(names), 1))
	total[0] = "total"
	line(total, &report.Total)
}

// spanText is a time in a table; "-" where there was nothing to measure.
func spanText(ns int64) string {
	if ns == 0 {
		return "-"
	}
	d := time.Duration(ns)
	switch {
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	default:
		return d.Round(10 * time.Millisecond).String()
	}
}

type usageRequestCmd struct {
	remote
	ID string `arg:"" help:"The request's id: the header x-purser-request-id of its answer."`
}

// Run prints the records of a request.
func (c *usageRequestCmd) Run(ctx context.Context) error {
	out, err := c.client().Request(ctx, c.ID)
	if err != nil {
		return err
	}
	c.JSON = true
	sayMissing(os.Stderr, out.Nodes)
	return c.print(out, nil)
}

type usageRunCmd struct {
	remote
	asked
	Name  string `arg:"" help:"The run, as its requests name it (x-purser-run)."`
	Limit int    `help:"Most requests shown (default 2000)."`
}

// Run prints a run.
func (c *usageRunCmd) Run(ctx context.Context) error {
	q, err := c.query()
	if err != nil {
		return err
	}
	q.Limit = c.Limit
	tree, err := c.client().Run(ctx, c.Name, q)
	if err != nil {
		return err
	}
	sayMissing(os.Stderr, tree.Nodes)
	return c.print(tree, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "STEP\tAT\tAGENT\tMODEL\tOUTCOME\tTOKENS\tCOST\tTOOK\tREQUEST")
		var show func(list []admin.RunCall, depth int)
		show = func(list []admin.RunCall, depth int) {
			for i := range list {
				r := &list[i]
				outcome := r.Outcome
				if r.Class != "" {
					outcome += " (" + r.Class + ")"
				}
				fmt.Fprintf(w, "%s%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", strings.Repeat("  ", depth), dash(printable(r.Step)), r.At, dash(printable(r.Agent)), dash(printable(r.Model)),
					outcome, r.Tokens, units("usd", r.Cost), spanText(r.Total), r.ID)
				show(r.Children, depth+1)
			}
		}
		show(tree.Roots, 0)
		more := ""
		if tree.More {
			more = " and more that are not shown"
		}
		fmt.Fprintf(w, "%d requests%s, %s\n", tree.Calls, more, units("usd", tree.Cost))
	})
}
