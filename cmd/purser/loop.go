package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"purser/api/admin"
)

type loopCmd struct {
	List  loopListCmd  `cmd:"" help:"List the runs and sessions that the asked node has found to go round in circles."`
	Reset loopResetCmd `cmd:"" help:"Have a run or session counted anew, on every node."`
}

type loopListCmd struct{ remote }

// Run lists the trips.
func (c *loopListCmd) Run(ctx context.Context) error {
	list, err := c.client().ListTrips(ctx)
	if err != nil {
		return err
	}
	return c.print(list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "RULE\tOF\tKEY\tWHY\tTIMES\tMODE\tSINCE\tUNTIL")
		for _, x := range list {
			fmt.Fprintf(w, "%s\t%s=%s\t%s\t%s\t%d\t%s\t%s\t%s\n", x.Rule, x.Dim, x.Value, x.Key, x.Why, x.Times, x.Mode, x.Since, x.Until)
		}
	})
}

type loopResetCmd struct {
	remote
	Rule    string `arg:"" help:"The loop rule that found it."`
	OfRun   string `name:"run" help:"The run."`
	Session string `help:"The session."`
}

// Run resets it.
func (c *loopResetCmd) Run(ctx context.Context) error {
	in := admin.LoopReset{Dim: "run", Value: c.OfRun}
	switch {
	case (c.OfRun == "") == (c.Session == ""):
		return errors.New("say --run or --session")
	case c.Session != "":
		in = admin.LoopReset{Dim: "session", Value: c.Session}
	}
	if err := c.client().ResetLoop(ctx, c.Rule, in); err != nil {
		return err
	}
	fmt.Printf("reset %s %s\n", in.Dim, in.Value)
	return nil
}
