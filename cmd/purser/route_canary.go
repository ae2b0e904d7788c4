package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"purser/api/admin"
	"purser/proxy/route/learned"
)

type routeCanaryCmd struct {
	remote
	Name      string  `arg:"" help:"The router."`
	Candidate string  `help:"The candidate, by its id within the route. Without it or --stop, the canary there is is shown." xor:"what"`
	Percent   float64 `help:"Its share of the requests." default:"5"`
	Floor     float64 `help:"The quality that it has to reach, 0 to 1 (default: that of the other requests, less the margin)."`
	Margin    float64 `help:"How much worse than the others it may be (default 0.05)."`
	Least     int64   `help:"After how many outcomes it has to be shown to be good enough (default 1000)."`
	Stop      bool    `help:"Take the canary out: the candidate is routed to like any other." xor:"what"`
}

// Run shows, puts or takes out a canary.
func (c *routeCanaryCmd) Run(ctx context.Context) error {
	o, r, err := c.router(ctx, c.Name)
	if err != nil {
		return err
	}
	switch {
	case c.Candidate != "":
		r.Canary = &learned.Canary{Candidate: c.Candidate, Percent: c.Percent, Floor: c.Floor, Margin: c.Margin, Least: c.Least, Since: time.Now().Unix()}
	case c.Stop && r.Canary == nil:
		return errors.New("the router has no canary")
	case c.Stop:
		r.Canary = nil
	default:
		return c.print(r.Canary, func(w *tabwriter.Writer) { printCanary(w, r.Canary) })
	}
	if err := r.Validate(); err != nil {
		return err
	}
	return c.putRouter(ctx, c.Name, r, admin.Version(o.Version))
}

func printCanary(w *tabwriter.Writer, c *learned.Canary) {
	if c == nil {
		fmt.Fprintln(w, "no canary")
		return
	}
	fmt.Fprintf(w, "candidate\t%s\nshare\t%v %%\nsince\t%s\n", c.Candidate, c.Percent, time.Unix(c.Since, 0).UTC().Format(time.RFC3339))
	if c.RolledBack != "" {
		fmt.Fprintf(w, "rolled back\t%s\nbecause\t%s\n", c.RolledBack, c.Reason)
	}
}
