package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"purser/api/admin"
)

type semcacheCmd struct {
	Stats   semcacheStatsCmd   `cmd:"" help:"Show what a node's semantic cache has done, and the error that was measured on each route."`
	Explain semcacheExplainCmd `cmd:"" help:"Ask a node what a request would find in the semantic cache, and why."`
	Reset   semcacheResetCmd   `cmd:"" help:"Begin anew what was measured of a route, so that it serves again."`
	Eval    semcacheEvalCmd    `cmd:"" help:"Measure the semantic decision on labelled pairs: how many near misses it rejects, and how often it errs."`
	Purge   semcachePurgeCmd   `cmd:"" help:"Remove entries of a node's semantic cache, of the tier that nodes share, and their answers."`
}

type semcacheStatsCmd struct{ remote }

// Run shows the counts.
func (c *semcacheStatsCmd) Run(ctx context.Context) error {
	s, err := c.client().SemcacheStats(ctx)
	if err != nil {
		return err
	}
	return c.print(s, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "embedder\t%s\nentries\t%d\ntenants\t%d\nscopes\t%d\n", s.Embedder, s.Entries, s.Tenants, s.Scopes)
		for _, group := range []struct {
			name string
			of   map[string]uint64
		}{{"verdict", s.Verdicts}, {"reason", s.Reasons}, {"label", s.Labels}, {"count", s.Counts}} {
			for _, name := range slices.Sorted(maps.Keys(group.of)) {
				if n := group.of[name]; n > 0 {
					fmt.Fprintf(w, "%s %s\t%d\n", group.name, name, n)
				}
			}
		}
		if len(s.Routes) > 0 {
			fmt.Fprintln(w, "\nROUTE\tMAY BE WRONG\tBAR\tLABELS\tWRONG\tUNDECIDED\tERROR, 95 % EACH")
		}
		for _, r := range s.Routes {
			bar := fmt.Sprintf("%.4f", r.Bar)
			if r.Off {
				bar = "off"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%s to %s\n", r.Route, hundredths(r.Bound), bar, r.Labels, r.Wrong, r.Undecided, hundredths(r.Lower), hundredths(r.Upper))
		}
		fmt.Fprintln(w, "\nFROM\tHIT RATIO\tPRECISION\tLABELS")
		for _, p := range s.Curve {
			precision := "-"
			if p.Labels > 0 {
				precision = hundredths(p.Precision)
			}
			fmt.Fprintf(w, "%.3f\t%s\t%s\t%d\n", p.From, hundredths(p.HitRatio), precision, p.Labels)
		}
	})
}

func hundredths(x float64) string { return fmt.Sprintf("%.2f %%", 100*x) }

type semcacheExplainCmd struct {
	remote
	Key    string            `required:"" help:"Id of the key that would send the request."`
	Path   string            `help:"Path of the request." default:"/v1/chat/completions"`
	Body   string            `required:"" help:"File with the request's body; - for standard input."`
	Text   string            `help:"Ask this instead of the request's question."`
	Header map[string]string `help:"A header of the request: --header x-purser-team=search (repeat)."`
}

// Run asks.
func (c *semcacheExplainCmd) Run(ctx context.Context) error {
	body, err := readInput(c.Body)
	if err != nil {
		return err
	}
	if !json.Valid(body) {
		return fmt.Errorf("%s is not JSON", c.Body)
	}
	t, err := c.client().ExplainSemcache(ctx, admin.SemcacheQuestion{Call: admin.PolicyCall{Key: c.Key, Path: c.Path, Headers: c.Header, Body: body}, Text: c.Text})
	if err != nil {
		return err
	}
	return c.print(t, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "verdict\t%s\nreason\t%s\nscope\t%s\nneeds\t%.4f\n", t.Verdict, t.Reason, t.Scope, t.Bar)
		if len(t.Candidates) > 0 {
			fmt.Fprintln(w, "\nENTRY\tSIMILARITY\tRIGHT\tAT LEAST\tWHY")
		}
		for _, e := range t.Candidates {
			fmt.Fprintf(w, "%s\t%.4f\t%.4f\t%.4f\t%s\n", e.Entry, e.Similarity, e.Probability, e.Lower, e.Reason)
			for _, g := range e.Guards {
				fmt.Fprintf(w, "\t\t\t\tforbids: %s\n", g)
			}
			for _, g := range e.Doubts {
				fmt.Fprintf(w, "\t\t\t\tdoubts: %s\n", g)
			}
			if len(e.Features) > 0 {
				var all []string
				for _, name := range slices.Sorted(maps.Keys(e.Features)) {
					all = append(all, fmt.Sprintf("%s %.3g", name, e.Features[name]))
				}
				fmt.Fprintf(w, "\t\t\t\t%s\n", strings.Join(all, ", "))
			}
		}
	})
}

type semcachePurgeCmd struct {
	remote
	Tenant string `help:"Everything of a tenant's: org:<id>, or key:<id> of a key without an organisation."`
	Scope  string `help:"Everything of a scope, as explain shows it."`
	Entry  string `help:"One entry, as usage records name it."`
	All    bool   `help:"Everything."`
}

// Run purges.
func (c *semcachePurgeCmd) Run(ctx context.Context) error {
	if c.Tenant == "" && c.Scope == "" && c.Entry == "" && !c.All {
		return errors.New("give --tenant, --scope, --entry or --all")
	}
	p, err := c.client().PurgeSemcache(ctx, admin.SemcachePurge{Tenant: c.Tenant, Scope: c.Scope, Entry: c.Entry, All: c.All})
	if err != nil {
		return err
	}
	return c.print(p, func(w *tabwriter.Writer) { fmt.Fprintf(w, "removed\t%d\n", p.Removed) })
}

type semcacheResetCmd struct {
	remote
	Route string `help:"The upstream's name (default all)."`
}

// Run resets.
func (c *semcacheResetCmd) Run(ctx context.Context) error {
	p, err := c.client().ResetSemcache(ctx, admin.SemcacheReset{Route: c.Route})
	if err != nil {
		return err
	}
	return c.print(p, func(w *tabwriter.Writer) { fmt.Fprintf(w, "reset\t%d\n", p.Removed) })
}
