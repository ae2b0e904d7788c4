package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"purser/api/admin"
	"purser/internal/access"
	"purser/internal/outcomes"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
	"purser/proxy/price"
)

// Defaults of a usage query.
const (
	defaultSpan   = 24 * ledger.Hour
	defaultGroups = 50
)

// Usage implements admin.Reports.
func (c control) Usage(ctx context.Context, q admin.UsageQuery) (admin.UsageReport, error) {
	to, err := instantOf(q.To, now())
	if err != nil {
		return admin.UsageReport{}, err
	}
	from, err := instantOf(q.From, to-defaultSpan)
	if err != nil {
		return admin.UsageReport{}, err
	}
	query := usage.TotalsQuery{Range: usage.Range{From: from, To: to}, Limit: q.Limit}
	if query.Limit == 0 {
		query.Limit = defaultGroups
	}
	for _, name := range q.Group {
		f, ok := usage.ParseField(name)
		if !ok {
			return admin.UsageReport{}, admin.Invalid(fmt.Sprintf("cannot group by %q: it is no dimension, tag:<name> or field of a record", name))
		}
		query.By = append(query.By, f)
	}
	if query.Where, err = conditions(q.Filter); err != nil {
		return admin.UsageReport{}, err
	}
	query.Within = within(q.Reach)
	if q.Worth {
		query.Worth = c.n.outcomes.Load().worth
	}
	report, nodes, err := c.n.totals(ctx, query)
	if err != nil {
		return admin.UsageReport{}, err
	}
	out := admin.UsageReport{From: timeText(from), To: timeText(to), Rows: []admin.UsageRow{}, Total: usageRow(&report.Total, nil), Nodes: nodes, Complete: true}
	for _, a := range nodes {
		out.Complete = out.Complete && a.Err == ""
	}
	for i := range report.Rows {
		group := map[string]string{}
		for j, f := range query.By {
			group[f.String()] = report.Rows[i].Values[j]
		}
		out.Rows = append(out.Rows, usageRow(&report.Rows[i], group))
	}
	if report.Other != nil {
		group := map[string]string{}
		for _, f := range query.By {
			group[f.String()] = "other"
		}
		out.Rows = append(out.Rows, usageRow(report.Other, group))
	}
	return out, nil
}

// conditions are those of a filter, by the names of its fields.
func conditions(filter map[string]string) (list []usage.Condition, err error) {
	for _, name := range slices.Sorted(maps.Keys(filter)) {
		f, ok := usage.ParseField(name)
		if !ok {
			return nil, admin.Invalid(fmt.Sprintf("cannot filter by %q: it is no dimension, tag:<name> or field of a record", name))
		}
		list = append(list, usage.Condition{Field: f, Values: []string{filter[name]}})
	}
	return list, nil
}

// Records implements admin.Reports.
func (c control) Records(ctx context.Context, q admin.UsageQuery, w io.Writer) error {
	to, err := instantOf(q.To, now())
	if err != nil {
		return err
	}
	from, err := instantOf(q.From, to-defaultSpan)
	if err != nil {
		return err
	}
	query := usage.Query{Range: usage.Range{From: from, To: to}, Limit: q.Limit, Within: within(q.Reach)}
	if query.Where, err = conditions(q.Filter); err != nil {
		return err
	}
	e := json.NewEncoder(w)
	for r, err := range c.n.records(ctx, query) {
		if err != nil {
			return err
		}
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

// within is whose records a reach counts; nil for everyone's.
func within(r access.Reach) []usage.Condition {
	if r.All {
		return nil
	}
	list := []usage.Condition{}
	for dim, values := range map[ledger.Dim][]string{ledger.DimTeam: r.Teams, ledger.DimOrg: r.Orgs, ledger.DimMember: r.Members} {
		if len(values) > 0 {
			list = append(list, usage.Condition{Field: usage.DimField(ledger.DimRef{Dim: dim}), Values: values})
		}
	}
	return list
}

func usageRow(r *usage.Row, group map[string]string) admin.UsageRow {
	out := admin.UsageRow{Group: group, Requests: r.Requests, Cost: int64(r.Cost), List: int64(r.List), Priced: int64(r.Priced), Overrun: int64(r.Overrun), Saved: int64(r.SavedTotal()), Tokens: map[string]int64{},
		Baseline: int64(r.Baseline), Semantic: r.Semantic, Error: r.SemanticBound, TotalP50: r.Total.P50, FirstP50: r.FirstByte.P50}
	if r.Judged > 0 {
		mean := float64(r.Worth) / float64(r.Judged) / outcomes.Whole
		out.Judged, out.Quality = r.Judged, &mean
	}
	for l, saved := range r.Saved {
		if saved != 0 {
			out.Savings = with(out.Savings, record.Lever(l).String(), int64(saved))
		}
	}
	for o, n := range r.Outcomes {
		if n != 0 {
			out.Outcomes = with(out.Outcomes, record.Outcome(o).String(), n)
		}
	}
	for m, n := range r.Usage {
		if n != 0 {
			out.Tokens[price.Meter(m).String()] = n
		}
	}
	return out
}

// with puts a value into a map, which it makes if there is none.
func with(m map[string]int64, name string, v int64) map[string]int64 {
	if m == nil {
		m = map[string]int64{}
	}
	m[name] = v
	return m
}
