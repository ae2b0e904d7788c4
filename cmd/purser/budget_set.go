package main

import (
	"cmp"
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

type budgetSetCmd struct {
	remote
	ID     string   `arg:"" help:"Name of the budget: a-z, 0-9, '.', '_', '-'."`
	Limit  string   `arg:"" optional:"" help:"Limit for each account and window: dollars for usd (\"12.50\"), else a count."`
	Unit   string   `help:"usd (default), tokens, requests or slots."`
	Window string   `help:"total (default), minute, hour, day, week or month."`
	Zone   string   `help:"Time zone the window follows, such as Europe/Berlin (default UTC)."`
	Match  []string `help:"Cover only requests with this dimension value: --match team=search (repeat; values of one dimension are alternatives). All of them replace those there were."`
	Each   []string `help:"One account for each value of this dimension: --each customer."`
	Soft   bool     `help:"Count and alert, never refuse."`
	Hard   bool     `help:"The end of --soft."`
	Alert  []int    `help:"Alert at these percentages of the limit."`

	Probes    *int    `help:"Requests that must end well before an open breaker is closed (default 0)."`
	RateTimes *int    `help:"Trip an account that is spent so many times as fast as it was (default 0, never)."`
	Overrun   *string `help:"Trip an account each time so much more than the holds was billed, as the limit is written (default 0, never)."`
	CoolDown  *string `help:"How long a breaker rests that tripped by itself, such as 10m (default: until it is reset)."`

	Clear []string `help:"Take away: match, alert, breaker." enum:"match,alert,breaker"`
	Yes   bool     `help:"Yes: also where other requests are covered than before, or they are not refused any more."`
}

// Run writes the budget, as a change of what is there.
func (c *budgetSetCmd) Run(ctx context.Context) error {
	client := c.client()
	was, expect, err := c.present(ctx, client)
	if err != nil {
		return err
	}
	next, err := c.apply(was)
	if err != nil {
		return err
	}
	changes, risky := changesOf(was, next)
	if risky && !c.Yes {
		return fmt.Errorf("this changes which requests %s covers, or whether it refuses them:\n  %s\nsay --yes to do it", c.ID, strings.Join(changes, "\n  "))
	}
	next.Version = 0
	out, err := client.PutBudgetIf(ctx, next, expect)
	if err != nil {
		return err
	}
	return c.print(out, func(w *tabwriter.Writer) {
		printRule(w, out)
		for _, line := range changes {
			fmt.Fprintf(w, "changed\t%s\n", line)
		}
		if was != nil && len(changes) == 0 {
			fmt.Fprintln(w, "changed\tnothing")
		}
	})
}

// present is the budget as it is, nil for none, and what a change then expects.
func (c *budgetSetCmd) present(ctx context.Context, client *admin.Client) (*admin.Budget, admin.Expect, error) {
	list, err := client.ListBudgets(ctx) // also a gateway lists them
	if err != nil {
		return nil, nil, err
	}
	for i := range list {
		if b := &list[i].Budget; b.ID == c.ID {
			return b, admin.Version(b.Version), nil
		}
	}
	return nil, admin.Version(0), nil
}

// apply is the budget with what the flags say.
func (c *budgetSetCmd) apply(was *admin.Budget) (admin.Budget, error) {
	b := admin.Budget{ID: c.ID, Unit: "usd", Window: "total"}
	if was != nil {
		b = *was
	} else if c.Limit == "" {
		return b, fmt.Errorf("there is no budget %s: say its limit to make it", c.ID)
	}
	if c.Limit != "" && !isNumber(c.Limit) {
		return b, fmt.Errorf("limit %q is not a number", c.Limit)
	}
	b.Limit = json.Number(cmp.Or(c.Limit, b.Limit.String()))
	b.Unit, b.Window, b.Zone = cmp.Or(c.Unit, b.Unit), cmp.Or(c.Window, b.Window), cmp.Or(c.Zone, b.Zone)
	if len(c.Each) > 0 {
		b.Each = c.Each
	}
	if len(c.Match) > 0 {
		b.Match = map[string][]string{}
	}
	for _, m := range c.Match {
		name, value, ok := strings.Cut(m, "=")
		if !ok {
			return b, fmt.Errorf("--match %q is not <dimension>=<value>", m)
		}
		b.Match[name] = append(b.Match[name], value)
	}
	if c.Soft && c.Hard {
		return b, errors.New("--soft or --hard, not both")
	}
	b.Soft = (b.Soft || c.Soft) && !c.Hard
	if len(c.Alert) > 0 {
		b.Alerts = c.Alert
	}
	var err error
	if b.Breaker, err = c.breaker(b.Breaker); err != nil {
		return b, err
	}
	for _, what := range c.Clear {
		switch what {
		case "match":
			b.Match = nil
		case "alert":
			b.Alerts = nil
		case "breaker":
			b.Breaker = nil
		}
	}
	return b, nil
}

func (c *budgetSetCmd) breaker(was *admin.BreakerRule) (*admin.BreakerRule, error) {
	if c.Probes == nil && c.RateTimes == nil && c.Overrun == nil && c.CoolDown == nil {
		return was, nil
	}
	var k admin.BreakerRule
	if was != nil {
		k = *was
	}
	if c.Probes != nil {
		k.Probes = *c.Probes
	}
	if c.RateTimes != nil {
		k.RateTimes = *c.RateTimes
	}
	if c.Overrun != nil {
		if *c.Overrun != "" && !isNumber(*c.Overrun) {
			return nil, fmt.Errorf("--overrun %q is not a number", *c.Overrun)
		}
		k.Overrun = json.Number(*c.Overrun)
	}
	if c.CoolDown != nil {
		k.CoolDown = *c.CoolDown
	}
	return &k, nil
}

// isNumber says that a text can be a number of JSON; a node says whether it will do.
func isNumber(s string) bool {
	var n json.Number
	return json.Unmarshal([]byte(s), &n) == nil && n != ""
}

// changesOf says in words what becomes of a budget, none for one that is made. It is
// risky where other requests are covered, or covered ones are not refused any more.
func changesOf(was *admin.Budget, next admin.Budget) (changes []string, risky bool) {
	if was == nil {
		return nil, false
	}
	note := func(name, from, to string) bool {
		if from != to {
			changes = append(changes, fmt.Sprintf("%s: %s → %s", name, cmp.Or(from, "(none)"), cmp.Or(to, "(none)")))
		}
		return from != to
	}
	note("limit", was.Limit.String(), next.Limit.String())
	note("unit", was.Unit, next.Unit)
	note("window", was.Window, next.Window)
	note("zone", was.Zone, next.Zone)
	risky = note("match", matchWords(was.Match), matchWords(next.Match))
	note("each", strings.Join(was.Each, ", "), strings.Join(next.Each, ", "))
	if note("soft", fmt.Sprint(was.Soft), fmt.Sprint(next.Soft)) && next.Soft {
		risky = true
	}
	note("alerts", fmt.Sprint(was.Alerts), fmt.Sprint(next.Alerts))
	note("breaker", breakerWords(was.Breaker), breakerWords(next.Breaker))
	return changes, risky
}

// matchWords writes conditions the same whatever their order.
func matchWords(match map[string][]string) string {
	if len(match) == 0 {
		return "every request"
	}
	var out []string
	for _, dim := range slices.Sorted(maps.Keys(match)) {
		values := slices.Compact(slices.Sorted(slices.Values(match[dim])))
		out = append(out, dim+"="+strings.Join(values, "|"))
	}
	return strings.Join(out, ", ")
}
