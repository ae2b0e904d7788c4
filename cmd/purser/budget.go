package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"purser/api/admin"
)

type budgetCmd struct {
	Set     budgetSetCmd     `cmd:"" help:"Create a budget, or change what is said of an existing one: what is left out stays as it was."`
	List    budgetListCmd    `cmd:"" help:"List the budgets with what is left of each account."`
	Show    budgetShowCmd    `cmd:"" help:"Show one budget, and where its money is."`
	Delete  budgetDeleteCmd  `cmd:"" help:"Close a budget; its accounts are kept."`
	Raise   budgetRaiseCmd   `cmd:"" help:"Raise a limit until a moment, or end a raise early."`
	Raises  budgetRaisesCmd  `cmd:"" help:"List the raises of a budget that are in force."`
	Trip    budgetTripCmd    `cmd:"" help:"Open the circuit breaker of a budget: all its requests are refused."`
	Reset   budgetResetCmd   `cmd:"" help:"Reset the circuit breaker of a budget."`
	Release budgetReleaseCmd `cmd:"" help:"Give back what a restored backup withheld of a budget."`
}

type budgetListCmd struct{ remote }

// Run lists the budgets.
func (c *budgetListCmd) Run(ctx context.Context) error {
	list, err := c.client().ListBudgets(ctx)
	if err != nil {
		return err
	}
	return c.print(list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "BUDGET\tUNIT\tLIMIT\tWINDOW\tACCOUNTS\tFULLEST\tSPENT")
		for _, b := range list {
			fullest, spent := "-", "-"
			var most int64 = -1
			for _, a := range b.Accounts {
				if a.Spent > most {
					most, fullest, spent = a.Spent, pairs(a.Split), units(a.Unit, a.Spent)
				}
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\n", b.ID, b.Unit, b.Limit, b.Window, len(b.Accounts), fullest, spent)
		}
	})
}

type budgetShowCmd struct {
	remote
	ID string `arg:"" help:"Name of the budget."`
}

// Run shows the budget.
func (c *budgetShowCmd) Run(ctx context.Context) error {
	b, err := c.client().ShowBudget(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.print(b, func(w *tabwriter.Writer) {
		printRule(w, b.Budget)
		for _, x := range b.Raises {
			fmt.Fprintf(w, "raise\t%s: %s for %s until %s %s\n", x.ID, x.By, orEach(x.Split), x.Until, x.Reason)
		}
		for _, k := range b.Breakers {
			fmt.Fprintf(w, "breaker\t%s for %s, by %s since %s %s\n", k.State, orEach(k.Split), k.Cause, k.Since, k.Reason)
		}
		fmt.Fprintln(w, "\nACCOUNT\tWINDOW FROM\tLIMIT\tSPENT\tOF THAT PRESUMED\tLEASED\tAVAILABLE\tWRITTEN OFF\tOF THAT WITHHELD\tOVERRUN\tSTATE\tBREAKER\tPER HOUR\tEXHAUSTED AT")
		for _, a := range b.Accounts {
			u := func(n int64) string { return units(a.Unit, n) }
			perHour, at := "-", "-"
			if f := a.Forecast; f != nil {
				if perHour, at = u(f.RatePerHour), "not in this window"; f.ExhaustsAt != nil {
					at = *f.ExhaustsAt
				}
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", pairs(a.Split), dash(a.WindowStart), u(a.Limit), u(a.Spent), u(a.Presumed), u(a.Outstanding), u(a.Available), u(a.WrittenOff), u(a.Withheld), u(a.Overrun), a.State, cmp.Or(a.Breaker.Cause, a.Breaker.State), perHour, at)
		}
	})
}

type budgetDeleteCmd struct {
	remote
	ID string `arg:"" help:"Name of the budget."`
}

// Run closes the budget.
func (c *budgetDeleteCmd) Run(ctx context.Context) error {
	if err := c.client().DeleteBudget(ctx, c.ID); err != nil {
		return err
	}
	fmt.Println("closed " + c.ID)
	return nil
}

type budgetReleaseCmd struct {
	remote
	ID  string `arg:"" help:"Name of the budget."`
	Yes bool   `help:"Yes: what is withheld was not spent, as the providers' bills show."`
}

// Run releases the budget.
func (c *budgetReleaseCmd) Run(ctx context.Context) error {
	if !c.Yes {
		return errors.New("what is withheld may have been spent after the backup was made: lower the limit by what the providers have billed since, and then say --yes")
	}
	if err := c.client().ReleaseBudget(ctx, c.ID); err != nil {
		return err
	}
	fmt.Println("released " + c.ID)
	return nil
}

func printRule(w *tabwriter.Writer, b admin.Budget) {
	fmt.Fprintf(w, "budget\t%s\nlimit\t%s %s %s", b.ID, b.Limit, b.Unit, windowWords(b.Unit, b.Window))
	if b.Zone != "" {
		fmt.Fprintf(w, " (%s)", b.Zone)
	}
	fmt.Fprintln(w)
	for dim, values := range b.Match {
		fmt.Fprintf(w, "match\t%s=%s\n", dim, strings.Join(values, "|"))
	}
	if len(b.Each) > 0 {
		fmt.Fprintf(w, "each\t%s\n", strings.Join(b.Each, ", "))
	}
	if b.Soft {
		fmt.Fprintln(w, "soft\tcounts, never refuses")
	}
	if k := b.Breaker; k != nil {
		fmt.Fprintf(w, "breaker\t%s\n", breakerWords(k))
	}
}

// windowWords says over what time a limit counts.
func windowWords(unit, window string) string {
	switch {
	case unit == "slots":
		return "at once"
	case window == "total":
		return "in total"
	}
	return "per " + window
}

func breakerWords(k *admin.BreakerRule) string {
	if k == nil {
		return "-"
	}
	words := []string{fmt.Sprintf("%d probes", k.Probes)}
	if k.RateTimes > 0 {
		words = append(words, fmt.Sprintf("trips at %d times its rate", k.RateTimes))
	}
	if k.Overrun != "" {
		words = append(words, "trips at each overrun of "+k.Overrun.String())
	}
	if k.CoolDown != "" {
		words = append(words, "rests for "+k.CoolDown)
	}
	return strings.Join(words, ", ")
}

// orEach names one account, or all.
func orEach(split map[string]string) string {
	if len(split) == 0 {
		return "every account"
	}
	return pairs(split)
}

// units writes an amount of the unit: dollars with six decimals, else a count.
func units(unit string, n int64) string {
	if unit != "usd" {
		return fmt.Sprint(n)
	}
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	return fmt.Sprintf("%s$%d.%06d", sign, n/1_000_000_000, n%1_000_000_000/1000)
}

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Say everything that is wrong with a configuration file."`
}
