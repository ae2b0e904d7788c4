package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"

	"purser/api/admin"
)

type economicsCmd struct {
	Efficiency economicsEfficiencyCmd `cmd:"" default:"withargs" help:"What was spent, and how much of it was justified: the score, the classes of waste with their levers, and who wasted most."`
	Units      economicsUnitsCmd      `cmd:"" help:"What was had for the money: cost per outcome, margins, trends and break-even, by any dimension."`
	Explain    economicsExplainCmd    `cmd:"" help:"The requests behind it, and the evidence."`
}

// economicsQuery is what both ask about.
type economicsQuery struct {
	remote
	From   string            `help:"From when, RFC 3339 (default 24 hours ago)."`
	To     string            `help:"Until when, RFC 3339 (default now)."`
	Filter map[string]string `help:"Only requests with this value are added up: --filter team=search. What repeats what is looked for among all that you reach."`
	Limit  int               `help:"Most rows of each ranking." default:"5"`
	Raw    bool              `help:"Whose it is as it was recorded, without the rules of tags."`
}

func (c *economicsQuery) query() admin.EfficiencyQuery {
	return admin.EfficiencyQuery{From: c.From, To: c.To, Filter: c.Filter, Limit: c.Limit, Raw: c.Raw}
}

// ask asks, and says on standard error how far the node is.
func (c *economicsQuery) ask(ctx context.Context, q admin.EfficiencyQuery) (admin.EfficiencyReport, error) {
	told := false
	report, err := c.client().Efficiency(ctx, q, func(p admin.EfficiencyProgress) {
		if !c.JSON {
			told = true
			fmt.Fprintf(os.Stderr, "\rreading %d of 2: %d records", p.Pass, p.Records)
		}
	})
	if told {
		fmt.Fprintf(os.Stderr, "\r%50s\r", "")
	}
	return report, err
}

type economicsEfficiencyCmd struct {
	economicsQuery
	By []string `help:"Rank the values of these together, too (customer, tag:<name> …)."`
}

// Help says how to read the tables.
func (economicsEfficiencyCmd) Help() string {
	return "SCORE is the share of what was spent that was justified. A dollar counts as justified where there is no evidence against it: " +
		"UNJUDGED is the part of which nothing is known, CONFIRMED the part of which a success or a value was reported, FRUITLESS that of which failures were. " +
		"SAVING is what the lever would have saved of the waste, less what it costs; - where that cannot be told. docs/efficiency.md says how each class is found."
}

// Run prints the report.
func (c *economicsEfficiencyCmd) Run(ctx context.Context) error {
	q := c.query()
	q.Group = c.By
	report, err := c.ask(ctx, q)
	if err != nil {
		return err
	}
	return c.print(report, func(w *tabwriter.Writer) {
		printSum(w, &report)
		printFindings(w, &report)
		for _, r := range report.Ranks {
			fmt.Fprintf(w, "\n%s\tSCORE\tWASTED\tSPENT\tMOST OF IT\n", strings.ToUpper(r.By))
			for _, row := range r.Rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", row.Value, score(row.Score), units("usd", row.Wasted), units("usd", row.Total), dash(most(row.Classes)))
			}
			if r.Rest != nil {
				fmt.Fprintf(w, "(others)\t%s\t%s\t%s\t%s\n", score(r.Rest.Score), units("usd", r.Rest.Wasted), units("usd", r.Rest.Total), dash(most(r.Rest.Classes)))
			}
		}
	})
}

type economicsExplainCmd struct {
	economicsQuery
	What string `arg:"" help:"A class of waste (exact_repeat), a dimension's value (agent=coder), or the id of a request (req_…)."`
}

// Run prints the requests.
func (c *economicsExplainCmd) Run(ctx context.Context) error {
	q := c.query()
	class, filter, request := admin.Explained(c.What)
	q.Class, q.Request = class, request
	for name, value := range filter {
		if q.Filter == nil {
			q.Filter = map[string]string{}
		}
		q.Filter[name] = value
	}
	report, err := c.ask(ctx, q)
	if err != nil {
		return err
	}
	return c.print(report, func(w *tabwriter.Writer) {
		if request != "" {
			for _, v := range report.Request {
				fmt.Fprintf(w, "%s\tattempt %d\tcost %s\tjustified %s\t(%s)\n", v.ID, v.Attempt, units("usd", v.Cost), units("usd", v.Justified), v.Standing)
				for i := range v.Parts {
					printEvidence(w, &v.Parts[i])
				}
			}
			printNotes(w, &report)
			return
		}
		if class == "" {
			printSum(w, &report)
		}
		printFindings(w, &report)
		for _, f := range report.Findings {
			fmt.Fprintf(w, "\n%s\tWASTED\tLEVER\tREQUEST\tEVIDENCE\n", strings.ToUpper(f.Class))
			for i := range f.Requests {
				printEvidence(w, &f.Requests[i])
			}
		}
	})
}

func printSum(w *tabwriter.Writer, r *admin.EfficiencyReport) {
	s := &r.Sum
	fmt.Fprintln(w, "FROM\tTO\tSPENT\tSCORE\tWASTED\tCONFIRMED\tFRUITLESS\tUNJUDGED\tREQUESTS\tWITH WASTE")
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\n", r.From, r.To, units("usd", s.Total), score(s.Score), units("usd", s.Wasted),
		units("usd", s.Confirmed), units("usd", s.Fruitless), units("usd", s.Unjudged), s.Records, s.Wasteful)
	printNotes(w, r)
}

func printNotes(w *tabwriter.Writer, r *admin.EfficiencyReport) {
	for _, n := range r.Notes {
		fmt.Fprintln(w, "note: "+n)
	}
	for _, n := range r.Nodes {
		if n.Err != "" {
			fmt.Fprintf(w, "missing: the records of node %s: %s\n", n.Node, n.Err)
		}
	}
}

func printFindings(w *tabwriter.Writer, r *admin.EfficiencyReport) {
	if len(r.Findings) == 0 {
		fmt.Fprintln(w, "no waste was found")
		return
	}
	fmt.Fprintln(w, "\nCLASS\tWASTED\tSHARE\tREQUESTS\tLEVER\tSAVING\tDEAREST")
	for _, f := range r.Findings {
		saving, share, dearest := "-", "-", "-"
		if f.Saving != nil {
			saving = units("usd", *f.Saving)
		}
		if r.Sum.Total > 0 {
			share = percent(float64(f.Wasted) / float64(r.Sum.Total))
		}
		if len(f.Requests) > 0 {
			dearest = f.Requests[0].ID
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", f.Class, units("usd", f.Wasted), share, f.Records, dash(f.Lever), saving, dearest)
	}
}

func printEvidence(w *tabwriter.Writer, e *admin.EfficiencyEvidence) {
	why := e.Why
	if e.Repeats != "" {
		why += ": " + e.Repeats
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", e.Class, units("usd", e.Wasted), dash(e.Lever), e.ID, why)
}

func score(s *float64) string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%.3f", *s)
}

// most is the dearest class.
func most(classes map[string]int64) (name string) {
	for c, a := range classes {
		if name == "" || a > classes[name] || a == classes[name] && c < name {
			name = c
		}
	}
	return name
}
