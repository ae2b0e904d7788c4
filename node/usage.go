package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

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
	query, location, err := c.totalsQuery(&q)
	if err != nil {
		return admin.UsageReport{}, err
	}
	// A gateway has no accounts to tell of.
	whole := q.Reach.All && len(query.Where) == 0 && c.n.follower == nil
	report, nodes, unrecorded, err := c.n.totalsOf(ctx, query, whole)
	var refused usage.QueryError
	switch {
	case errors.As(err, &refused):
		return admin.UsageReport{}, admin.Invalid(refused.Error())
	case err != nil:
		return admin.UsageReport{}, err
	}
	out := admin.UsageReport{
		From: timeText(query.Range.From), To: timeText(query.Range.To), Rows: make([]admin.UsageRow, 0, len(report.Rows)),
		Total: usageRow(&report.Total, nil, location), Nodes: nodes, Complete: admin.Complete(nodes), Unrecorded: unrecorded,
	}
	for _, f := range query.By {
		if report.Given[f] {
			out.Collapsed = append(out.Collapsed, f.String())
		}
	}
	// The rest of an interval comes after its groups.
	others := report.Others
	for i := range report.Rows {
		r := &report.Rows[i]
		for len(others) > 0 && others[0].Start < r.Start {
			out.Rows = append(out.Rows, otherRow(&others[0], query.By, location))
			others = others[1:]
		}
		group := map[string]string{}
		for j, f := range query.By {
			group[f.String()] = r.Values[j]
			if r.Values[j] == "" && !q.Raw && f.Attribution() {
				group[f.String()] = admin.Unallocated
			}
		}
		out.Rows = append(out.Rows, usageRow(r, group, location))
	}
	for i := range others {
		out.Rows = append(out.Rows, otherRow(&others[i], query.By, location))
	}
	return out, nil
}

// totalsQuery is what a question asks, and the zone to tell times in.
func (c control) totalsQuery(q *admin.UsageQuery) (query usage.TotalsQuery, location *time.Location, err error) {
	if query.Interval, location, err = intervalOf(q.Interval, q.Zone); err != nil {
		return query, nil, err
	}
	if query.Range, err = rangeOf(q, location); err != nil {
		return query, nil, err
	}
	for _, name := range q.Group {
		f, err := fieldOf(name, "group")
		if err != nil {
			return query, nil, err
		}
		query.By = append(query.By, f)
	}
	if query.Where, err = conditions(q); err != nil {
		return query, nil, err
	}
	query.Within = within(q.Reach)
	if !q.Raw {
		if query.Mapping, err = c.n.mapping(); err != nil {
			return query, nil, admin.Undecided("reports cannot be mapped: " + err.Error())
		}
	}
	if q.Worth {
		query.Worth = c.n.outcomes.Load().worth
	}
	if query.Limit = q.Limit; query.Limit == 0 {
		query.Limit = min(defaultGroups, query.MostGroups())
	}
	var refused usage.QueryError
	if errors.As(query.Check(), &refused) {
		return query, nil, admin.Invalid(refused.Error())
	}
	return query, location, nil
}

// intervalOf is the window of an interval's name, and its zone.
func intervalOf(interval, zone string) (w ledger.Window, location *time.Location, err error) {
	if w.Zone, err = zoneOf(zone); err != nil {
		return w, nil, err
	}
	if location, err = time.LoadLocation(zone); err != nil { // "" is UTC
		return w, nil, fmt.Errorf("load the zone %q: %w", zone, err)
	}
	if interval == "" {
		return w, location, nil
	}
	kind, err := ledger.ParseWindowKind(interval)
	if err != nil || kind == ledger.Total {
		return w, nil, admin.Invalid(fmt.Sprintf("interval %q is none of minute, hour, day, week and month", interval))
	}
	w.Kind = kind
	return w, location, nil
}

// rangeOf is the time that a question is about: by default the last 24 hours. A date alone
// is its midnight in the zone.
func rangeOf(q *admin.UsageQuery, in *time.Location) (usage.Range, error) {
	to, err := momentOf(q.To, in, now())
	if err != nil {
		return usage.Range{}, err
	}
	from, err := momentOf(q.From, in, to-defaultSpan)
	if err != nil {
		return usage.Range{}, err
	}
	if from > to {
		return usage.Range{}, admin.Invalid(fmt.Sprintf("from %s is after to %s", timeText(from), timeText(to)))
	}
	return usage.Range{From: from, To: to}, nil
}

func momentOf(text string, in *time.Location, fallback ledger.Instant) (ledger.Instant, error) {
	if t, err := time.ParseInLocation(time.DateOnly, text, in); err == nil && in != nil {
		return ledger.Instant(t.UnixNano()), nil
	}
	return instantOf(text, fallback)
}

// fieldOf finds a field by its name.
func fieldOf(name, verb string) (usage.Field, error) {
	f, ok := usage.ParseField(name)
	if !ok {
		return f, admin.Invalid(fmt.Sprintf("cannot %s by %q: known are %s and tag:<name>", verb, name, strings.Join(usage.FieldNames(), ", ")))
	}
	return f, nil
}

// conditions are those of a question's filters. Of a dimension or tag, "unallocated" is
// the value of what has none.
func conditions(q *admin.UsageQuery) (list []usage.Condition, err error) {
	add := func(name string, values ...string) error {
		f, err := fieldOf(name, "filter")
		if err != nil {
			return err
		}
		if f.Attribution() && slices.Contains(values, admin.Unallocated) {
			values = append(slices.Clone(values), "")
		}
		list = append(list, usage.Condition{Field: f, Values: values})
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(q.Filter)) {
		if err := add(name, q.Filter[name]); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(q.AnyOf)) {
		if err := add(name, q.AnyOf[name]...); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Records implements admin.Reports.
func (c control) Records(ctx context.Context, q admin.UsageQuery, tell func([]admin.NodeAnswer), w io.Writer) error {
	_, location, err := intervalOf("", q.Zone)
	if err != nil {
		return err
	}
	span, err := rangeOf(&q, location)
	if err != nil {
		return err
	}
	query := usage.Query{Range: span, Limit: q.Limit, Within: within(q.Reach)}
	if q.Newest {
		query.Order = usage.NewestFirst
	}
	if query.Where, err = conditions(&q); err != nil {
		return err
	}
	list, nodes, err := c.n.recordsOf(ctx, query)
	if err != nil {
		return err
	}
	tell(nodes)
	e := json.NewEncoder(w)
	for r, err := range list {
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

// otherRow is what the groups beyond the limit add up to.
func otherRow(r *usage.Row, by []usage.Field, in *time.Location) admin.UsageRow {
	group := map[string]string{}
	for _, f := range by {
		group[f.String()] = "other"
	}
	out := usageRow(r, group, in)
	out.Rest = true
	return out
}

func usageRow(r *usage.Row, group map[string]string, in *time.Location) admin.UsageRow {
	out := admin.UsageRow{
		Group: group, Requests: r.Requests, Calls: r.Attempts, Retries: r.Retries,
		Cost: int64(r.Cost), List: int64(r.List), Priced: int64(r.Priced), Overrun: int64(r.Overrun), Saved: int64(r.SavedTotal()), Tokens: map[string]int64{},
		Baseline: int64(r.Baseline), Presumed: int64(r.Presumed), Adjusted: int64(r.Adjusted), Semantic: r.Semantic, Error: r.SemanticBound,
		TotalP50: r.Total.P50, TotalP90: r.Total.P90, TotalP99: r.Total.P99, FirstP50: r.FirstByte.P50, FirstP90: r.FirstByte.P90, FirstP99: r.FirstByte.P99,
	}
	if r.Start != 0 {
		out.Start = time.Unix(0, int64(r.Start)).In(in).Format(time.RFC3339)
	}
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
