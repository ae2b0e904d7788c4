package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"purser/api/admin"
)

type budgetRaiseCmd struct {
	remote
	ID     string            `arg:"" help:"Name of the budget."`
	By     string            `help:"How much is added to the limit, as it is written: dollars for usd, else a count."`
	Until  string            `help:"Until when, RFC 3339, such as 2026-12-01T00:00:00Z."`
	For    map[string]string `help:"One account instead of all: --for customer=acme."`
	Reason string            `help:"Why; it is shown in lists and in the audit log."`
	As     string            `help:"Name of the raise (default a new one); one that is there is replaced."`
	End    string            `help:"End the raise of this name, instead of beginning one."`
}

// Run begins the raise, or ends one.
func (c *budgetRaiseCmd) Run(ctx context.Context) error {
	if c.End != "" {
		if c.By+c.Until+c.As != "" {
			return errors.New("--end ends a raise, and begins none: leave --by, --until and --as out")
		}
		if err := c.client().EndRaise(ctx, c.ID, c.End); err != nil {
			return err
		}
		fmt.Println("ended " + c.End)
		return nil
	}
	if c.By == "" || c.Until == "" {
		return errors.New("a raise needs --by and --until")
	}
	if !isNumber(c.By) {
		return fmt.Errorf("--by %q is not a number", c.By)
	}
	in := admin.Raise{ID: c.As, Split: c.For, By: json.Number(c.By), Until: c.Until, Reason: c.Reason}
	if in.ID == "" {
		in.ID = "raise-" + strings.ToLower(rand.Text()[:10])
	}
	out, err := c.client().PutRaise(ctx, c.ID, in)
	if err != nil {
		return err
	}
	return c.print(out, func(w *tabwriter.Writer) { printRaises(w, []admin.Raise{out}) })
}

type budgetRaisesCmd struct {
	remote
	ID string `arg:"" help:"Name of the budget."`
}

// Run lists the raises.
func (c *budgetRaisesCmd) Run(ctx context.Context) error {
	list, err := c.client().ListRaises(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.print(list, func(w *tabwriter.Writer) { printRaises(w, list) })
}

func printRaises(w *tabwriter.Writer, list []admin.Raise) {
	fmt.Fprintln(w, "RAISE\tBY\tACCOUNT\tUNTIL\tREASON")
	for _, x := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", x.ID, x.By, orEach(x.Split), x.Until, dash(x.Reason))
	}
}

type budgetTripCmd struct {
	remote
	ID     string            `arg:"" help:"Name of the budget."`
	For    map[string]string `help:"One account instead of all: --for customer=acme."`
	Reason string            `help:"Why; callers that are refused are told." required:""`
	Rest   string            `help:"After what time probes are let through, such as 10m (default: when it is reset)."`
}

// Run opens the breaker.
func (c *budgetTripCmd) Run(ctx context.Context) error {
	out, err := c.client().TripBudget(ctx, c.ID, admin.BreakerChange{Split: c.For, Reason: c.Reason, For: c.Rest})
	if err != nil {
		return err
	}
	return c.print(out, func(w *tabwriter.Writer) { printBreaker(w, c.ID, out) })
}

type budgetResetCmd struct {
	remote
	ID    string            `arg:"" help:"Name of the budget."`
	For   map[string]string `help:"One account instead of all: --for customer=acme."`
	Close bool              `help:"Close it at once, without probes."`
}

// Run resets the breaker.
func (c *budgetResetCmd) Run(ctx context.Context) error {
	out, err := c.client().ResetBreaker(ctx, c.ID, admin.BreakerChange{Split: c.For, Close: c.Close})
	if err != nil {
		var fault *admin.Fault
		if others := c.others(ctx); errors.As(err, &fault) && fault.Code == "conflict" && len(others) > 0 {
			return fmt.Errorf("%w; that of %s is %s: --for resets it", err, pairs(others[0].Split), others[0].State)
		}
		return err
	}
	return c.print(out, func(w *tabwriter.Writer) {
		printBreaker(w, c.ID, out)
		for _, k := range c.others(ctx) {
			fmt.Fprintf(w, "still %s\t%s, by %s %s: --for resets it\n", k.State, pairs(k.Split), k.Cause, k.Reason)
		}
	})
}

// others are the breakers of single accounts, which a reset of the budget leaves as
// they are. A gateway does not know them.
func (c *budgetResetCmd) others(ctx context.Context) []admin.Breaker {
	if len(c.For) > 0 {
		return nil
	}
	b, err := c.client().ShowBudget(ctx, c.ID)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(b.Breakers, func(k admin.Breaker) bool { return len(k.Split) == 0 })
}

func printBreaker(w *tabwriter.Writer, id string, k admin.Breaker) {
	fmt.Fprintf(w, "budget\t%s, %s\nbreaker\t%s\n", id, orEach(k.Split), k.State)
	if k.Since != "" {
		fmt.Fprintf(w, "since\t%s, by %s %s\n", k.Since, k.Cause, k.Reason)
	}
	if k.Until != "" {
		fmt.Fprintf(w, "until\t%s\n", k.Until)
	}
	if k.Probes > 0 {
		fmt.Fprintf(w, "probes\t%d to go\n", k.Probes)
	}
}
