package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"purser/api/admin"
)

type forecastCmd struct {
	remote
	Window string `help:"What it is of: day, week or month." default:"month"`
	Zone   string `help:"The zone whose days and months those are, such as Europe/Berlin (default UTC)."`
	By     string `help:"Of the values of this dimension that spent most, instead of everything."`
	Of     string `help:"budgets or spending (default both)."`
	Limit  int    `help:"Most values, or accounts of budgets." default:"20"`
}

// Help says how to read it.
func (forecastCmd) Help() string {
	return "EXPECTED is what the window will come to at its end, by what the hours of the week before usually come to; LOW and HIGH " +
		"are an interval that is to hold in four cases of five. docs/forecasts.md says how it is made."
}

// Run prints what windows will come to.
func (c *forecastCmd) Run(ctx context.Context) error {
	list, err := c.client().Forecasts(ctx, admin.ProjectionQuery{Window: c.Window, Zone: c.Zone, Group: c.By, Limit: c.Limit}, c.Of)
	if err != nil {
		return err
	}
	return c.print(list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "OF\tUNTIL\tSPENT\tEXPECTED\tLOW\tHIGH\tLIMIT\tBY")
		for _, p := range list {
			of := "everything"
			switch {
			case p.Budget != "":
				of = "budget " + p.Budget
				for name, value := range p.Split {
					of += " " + name + "=" + value
				}
			case p.Dimension != "":
				of = p.Dimension + " " + p.Value
			}
			by := p.Shape
			if p.Why != "" {
				by = p.Why
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", of, p.To, units("usd", p.Spent), dollars(p.Expected), dollars(p.Low), dollars(p.High), dollars(p.Limit), by)
		}
	})
}
