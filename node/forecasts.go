package node

import (
	"context"
	"fmt"
	"slices"

	"purser/api/admin"
	"purser/internal/access"
	"purser/internal/forecast"
	"purser/internal/usage"
	"purser/ledger"
)

// projectedHours is how much of the past a projection goes by.
const projectedHours = 28 * 24

// Project implements admin.Forecasts.
func (c control) Project(ctx context.Context, q admin.ProjectionQuery) (out []admin.Projection, err error) {
	window, err := calendarWindow(q.Window, q.Zone)
	if err != nil {
		return nil, err
	}
	at := now()
	from, to := window.Bounds(at)
	spent := usage.TotalsQuery{Range: usage.Range{From: from, To: at}, Within: within(q.Reach), Limit: q.Limit}
	if spent.Mapping, err = c.n.mapping(); err != nil {
		return nil, admin.Undecided("whose spending it is cannot be said: " + err.Error())
	}
	p := admin.Projection{Window: window.Kind.String(), From: timeText(from), To: timeText(to)}
	if q.Group != "" {
		f, err := fieldOf(q.Group, "group")
		if err != nil {
			return nil, err
		}
		spent.By, p.Dimension = []usage.Field{f}, f.String()
	}
	report, nodes, err := c.n.totals(ctx, spent)
	if err != nil {
		return nil, err
	}
	p.Complete = admin.Complete(nodes)
	if q.Group == "" {
		p.Spent = int64(report.Total.Cost)
		err := c.project(ctx, &p, usage.TotalsQuery{Within: spent.Within}, at, to)
		return []admin.Projection{p}, err
	}
	for _, row := range report.Rows {
		p := p
		p.Value, p.Spent = row.Values[0], int64(row.Cost)
		of := usage.TotalsQuery{Where: []usage.Condition{{Field: spent.By[0], Values: row.Values}}, Within: spent.Within, Mapping: spent.Mapping}
		if p.Value == "" {
			p.Value = admin.Unallocated
		}
		if err := c.project(ctx, &p, of, at, to); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// calendarWindow is the day, week or month of a zone.
func calendarWindow(name, zone string) (w ledger.Window, err error) {
	if name == "" {
		name = "month"
	}
	if w.Kind, err = ledger.ParseWindowKind(name); err != nil || w.Kind < ledger.PerDay {
		return w, admin.Invalid(fmt.Sprintf("window %q is none of day, week and month", name))
	}
	w.Zone, err = zoneOf(zone)
	return w, err
}

// ProjectAccount implements admin.Forecasts.
func (c control) ProjectAccount(ctx context.Context, b admin.Budget, a admin.Account) (admin.Projection, error) {
	limit := a.Limit
	p := admin.Projection{Budget: b.ID, Split: a.Split, Window: b.Window, From: a.WindowStart, To: a.WindowEnd, Spent: a.Spent + a.WrittenOff, Limit: &limit, Complete: true}
	to, err := instantOf(a.WindowEnd, 0)
	if err != nil {
		return p, err
	}
	var where []usage.Condition
	for name, values := range b.Match {
		f, err := fieldOf(name, "filter")
		if err != nil {
			return p, err
		}
		where = append(where, usage.Condition{Field: f, Values: values})
	}
	for name, value := range a.Split {
		f, err := fieldOf(name, "filter")
		if err != nil {
			return p, err
		}
		where = append(where, usage.Condition{Field: f, Values: []string{value}})
	}
	// Budgets match what was recorded, whatever the rules of tags make of it.
	return p, c.project(ctx, &p, usage.TotalsQuery{Where: where, Within: within(access.Reach{All: true})}, now(), to)
}

// project completes a projection by what was spent in the hours before, of what is asked for.
func (c control) project(ctx context.Context, p *admin.Projection, of usage.TotalsQuery, at, until ledger.Instant) error {
	end := at / ledger.Hour * ledger.Hour
	begin := end - projectedHours*ledger.Hour
	of.Range, of.Interval = usage.Range{From: begin, To: end}, ledger.Window{Kind: ledger.PerHour}
	report, nodes, err := c.n.totals(ctx, of)
	if err != nil {
		return err
	}
	p.Complete = p.Complete && admin.Complete(nodes)
	h := history(report.Rows, begin, end)
	p.Hours = len(h.Amounts)
	got, ok := forecast.Project(h, at, until)
	if !ok {
		p.Why = fmt.Sprintf("%d whole hours are known since the first request, and a forecast needs three", p.Hours)
		return nil
	}
	p.Shape = got.Shape
	expected, low, high := p.Spent+int64(got.Expected), p.Spent+int64(got.Low), p.Spent+int64(got.High)
	p.Expected, p.Low, p.High = &expected, &low, &high
	return nil
}

// history is what was spent in each hour that is known as a whole: the first one in which
// something was spent began before that, unless it was spent from the beginning.
func history(rows []usage.Row, begin, end ledger.Instant) (h forecast.History) {
	if len(rows) == 0 {
		return h
	}
	first := slices.MinFunc(rows, func(a, b usage.Row) int { return int(min(max(a.Start-b.Start, -1), 1)) }).Start
	if first > begin {
		first += ledger.Hour
	}
	h.From = int64(first / ledger.Hour)
	h.Amounts = make([]ledger.Amount, int64(end/ledger.Hour)-h.From)
	for _, r := range rows {
		if r.Start >= first {
			h.Amounts[int64(r.Start/ledger.Hour)-h.From] += r.Cost
		}
	}
	return h
}
