package node

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"

	"purser/api/admin"
	"purser/internal/children"
	"purser/internal/forecast"
	"purser/ledger"
)

// PutBudget implements admin.Budgets.
func (c control) PutBudget(ctx context.Context, in admin.Budget, expect admin.Expect) (admin.Budget, error) {
	b, err := ruleOf(in)
	if err != nil {
		return in, err
	}
	if err := notASlice(in.ID); err != nil {
		return in, err
	}
	if was, ok := c.n.fsm.Ledger().Budget(b.ID); ok && was.Window.Zone.Name == b.Window.Zone.Name {
		// The offsets it was made with stay: this node's database may be newer.
		b.Window.Zone = was.Window.Zone
	}
	cmd := ledger.PutBudget{Budget: b}
	if expect != nil {
		cmd.Expect = cmp.Or(*expect, ledger.ExpectNone)
	}
	if err := c.changeBudgets(ctx, cmd); err != nil {
		return in, err
	}
	return ruleText(&b), nil
}

// notASlice refuses changes of rules that cap slices of child keys.
func notASlice(id string) error {
	if children.IsSlice(ledger.BudgetID(id)) {
		return admin.Invalid("budgets whose names begin like " + id + " cap slices of child keys and are made by the gateway alone")
	}
	return nil
}

// DeleteBudget implements admin.Budgets.
func (c control) DeleteBudget(ctx context.Context, id string) error {
	return c.changeBudgets(ctx, ledger.DeleteBudget{ID: ledger.BudgetID(id)})
}

// ReleaseBudget implements admin.Budgets.
func (c control) ReleaseBudget(ctx context.Context, id string) error {
	return c.changeBudgets(ctx, ledger.Release{ID: ledger.BudgetID(id)})
}

func (c control) changeBudgets(ctx context.Context, cmd ledger.Command) error {
	ctx, cancel := context.WithTimeout(ctx, changeWait)
	defer cancel()
	out, err := c.n.changedLedger(ctx, cmd)
	if err != nil {
		return ambiguous(err)
	}
	if err := c.seen(ctx); err != nil {
		return err
	}
	switch out.Code {
	case ledger.Applied, ledger.Repeated:
		return nil
	case ledger.UnknownBudget:
		return admin.NotFound("no such budget")
	case ledger.BudgetImmutable:
		return admin.Conflict("unit, each and window of a budget cannot change, also after it was deleted; say those it was made with, or use another id")
	case ledger.StaleVersion:
		return admin.Conflict("the budget is not of the version that was to be changed: somebody changed, made or deleted it; read it again")
	case ledger.UnknownRaise:
		return admin.NotFound("no such raise is in force")
	case ledger.UnknownTrip:
		return admin.NotFound("this breaker is closed")
	case ledger.LimitReached:
		return admin.Conflict("there is no room for it: " + roomFor(cmd))
	default:
		return admin.Invalid("the ledger refused it: " + out.Code.String())
	}
}

// roomFor says what there is too much of.
func roomFor(cmd ledger.Command) string {
	switch cmd.(type) {
	case ledger.PutRaise:
		return fmt.Sprintf("a budget may have %d raises in force, and there is a bound for all of them; end some", ledger.MaxRaises)
	case ledger.TripBudget:
		return fmt.Sprintf("a budget may have %d breakers that are not closed; reset some, or trip the whole budget", ledger.MaxTrips)
	}
	return "there are as many budgets as the ledger takes; delete some"
}

// ShowBudgets implements admin.Budgets. Of one budget it has the leases, too. A gateway
// lists the rules, and of none the accounts.
func (c control) ShowBudgets(ctx context.Context, id string, how admin.Read) ([]admin.BudgetDetail, admin.Age, error) {
	if c.n.follower != nil && id != "" {
		return nil, 0, c.elsewhere()
	}
	age, err := c.catchUp(ctx, how)
	if err != nil {
		return nil, 0, err
	}
	var held holdings
	if id != "" {
		held = c.n.holdings(ctx, ledger.BudgetID(id))
	}
	state, at := c.n.fsm.Ledger(), now()
	list := []admin.BudgetDetail{}
	for b := range state.Budgets() {
		if id != "" && string(b.ID) != id {
			continue
		}
		d := admin.BudgetDetail{Budget: ruleText(b), Accounts: []admin.Account{}}
		raises, trips := state.Raises(b.ID), state.Trips(b.ID)
		for i := range raises {
			d.Raises = append(d.Raises, raiseText(b, &raises[i]))
		}
		for i := range trips {
			d.Breakers = append(d.Breakers, tripText(b, &trips[i]))
		}
		for v := range state.Accounts(b.ID) {
			a := accountText(b, v)
			a.Breaker = c.breakerText(trips, v, at)
			a.Forecast = c.forecast(v, raises, at)
			if held != nil {
				for l := range state.Leases(v.Key) {
					a.Leases = append(a.Leases, held.leaseText(v.Key, l))
				}
			}
			d.Accounts = append(d.Accounts, a)
		}
		list = append(list, d)
	}
	return list, age, nil
}

// breakerText is how the breaker of an account stands: tripped, else spent, else
// closed.
func (c control) breakerText(trips []ledger.BreakerTrip, v ledger.AccountView, at ledger.Instant) admin.Breaker {
	if t := covering(trips, v.Key.Split); t != nil {
		out := tripText(nil, t)
		out.Split = nil
		return out
	}
	if v.State == ledger.Open && v.Unit != ledger.Slots {
		if x, yes := c.n.breakers.exhausted(v, at); yes {
			return admin.Breaker{State: "open", Cause: "exhausted", Reason: x.reason(v), Since: timeText(x.since), Until: timeText(v.WindowEnd)}
		}
	}
	return admin.Breaker{State: "closed"}
}

// forecast is how long an account lasts; nil where there is too little to go by.
func (c control) forecast(v ledger.AccountView, raises []ledger.Raise, at ledger.Instant) *admin.Forecast {
	if v.State != ledger.Open || v.Unit == ledger.Slots {
		return nil
	}
	e, ok := c.n.pacer.estimate(v.Key, at)
	if !ok {
		return nil
	}
	out := &admin.Forecast{RatePerHour: int64(e.PerHour), Basis: admin.Basis{
		Source:  "spending that the ledger knew of, as this node saw it every few seconds; an average that weighs the last ten minutes most",
		Samples: e.Samples, Since: timeText(e.Since), SpanSeconds: seconds(e.At - e.Since), AgeSeconds: seconds(max(0, at-e.At)),
	}}
	if when, ends := forecast.Exhausts(v, raises, e.PerHour, at); ends {
		text := timeText(when)
		out.ExhaustsAt = &text
	}
	if v.WindowEnd < ledger.MaxInstant {
		text := timeText(v.WindowEnd)
		out.WindowEnd = &text
	}
	return out
}

func seconds(span ledger.Instant) float64 { return float64(span) / float64(ledger.Second) }

// PutRaise implements admin.Raises.
func (c control) PutRaise(ctx context.Context, budget string, in admin.Raise) (admin.Raise, error) {
	if err := notASlice(budget); err != nil {
		return in, err
	}
	b, c2, err := c.scope(ctx, budget, in.Split)
	if err != nil {
		return in, err
	}
	x := ledger.Raise{Budget: b.ID, ID: ledger.RaiseID(in.ID), All: c2.All, Split: c2.Split, Reason: in.Reason}
	if x.Amount, err = ParseLimit(in.By.String(), b.Unit); err != nil {
		return in, admin.Invalid("by: " + err.Error())
	}
	if x.Until, err = instantOf(in.Until, 0); err != nil {
		return in, err
	}
	if x.Until <= now() {
		return in, admin.Invalid("until is missing or in the past")
	}
	if err := x.Validate(); err != nil {
		return in, admin.Invalid(err.Error())
	}
	if err := c.changeBudgets(ctx, ledger.PutRaise{Raise: x}); err != nil {
		return in, err
	}
	return raiseText(b, &x), nil
}

// EndRaise implements admin.Raises.
func (c control) EndRaise(ctx context.Context, budget, id string) error {
	return c.changeBudgets(ctx, ledger.EndRaise{Budget: ledger.BudgetID(budget), ID: ledger.RaiseID(id)})
}

// TripBudget implements admin.Breakers.
func (c control) TripBudget(ctx context.Context, budget string, in admin.BreakerChange) (admin.Breaker, error) {
	b, s, err := c.scope(ctx, budget, in.Split)
	if err != nil {
		return admin.Breaker{}, err
	}
	rest, err := spanOf("for", in.For)
	if err != nil {
		return admin.Breaker{}, err
	}
	if len(in.Reason) > ledger.MaxReason {
		return admin.Breaker{}, admin.Invalid(fmt.Sprintf("reason has %d bytes, the most is %d", len(in.Reason), ledger.MaxReason))
	}
	if err := c.changeBudgets(ctx, ledger.TripBudget{Scope: s, Cause: ledger.ByOperator, Reason: in.Reason, For: rest}); err != nil {
		return admin.Breaker{}, err
	}
	return c.breakerOf(b, s), nil
}

// ResetBreaker implements admin.Breakers.
func (c control) ResetBreaker(ctx context.Context, budget string, in admin.BreakerChange) (admin.Breaker, error) {
	b, s, err := c.scope(ctx, budget, in.Split)
	if err != nil {
		return admin.Breaker{}, err
	}
	if err := c.changeBudgets(ctx, ledger.ResetBreaker{Scope: s, Close: in.Close}); err != nil {
		return admin.Breaker{}, err
	}
	return c.breakerOf(b, s), nil
}

// breakerOf is how the breaker of exactly a scope stands.
func (c control) breakerOf(b *ledger.Budget, s ledger.Scope) admin.Breaker {
	if t, ok := tripOf(c.n.fsm.Ledger().Trips(b.ID), s); ok {
		return tripText(b, &t)
	}
	return admin.Breaker{State: "closed", Split: splitText(b, s.Split)}
}

// scope reads which accounts of a budget are meant: that of a split, or all.
func (c control) scope(ctx context.Context, budget string, split map[string]string) (*ledger.Budget, ledger.Scope, error) {
	if err := c.n.catchUp(ctx); err != nil {
		return nil, ledger.Scope{}, ambiguous(err)
	}
	b, ok := c.n.fsm.Ledger().Budget(ledger.BudgetID(budget))
	if !ok {
		return nil, ledger.Scope{}, admin.NotFound("no budget " + strconv.Quote(budget))
	}
	s := ledger.Scope{Budget: b.ID, All: len(split) == 0}
	if s.All {
		return b, s, nil
	}
	values := make([]string, len(b.Each))
	for i, ref := range b.Each {
		values[i] = split[ref.String()]
	}
	if len(split) != len(b.Each) || slices.Contains(values, "") {
		var names []string
		for _, ref := range b.Each {
			names = append(names, ref.String())
		}
		return nil, s, admin.Invalid(fmt.Sprintf("split names one account by a value of each dimension the budget splits by, and no other: %v", names))
	}
	s.Split = ledger.MakeSplit(values...)
	return b, s, nil
}
