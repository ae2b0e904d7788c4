package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"purser/api/admin"
	"purser/internal/statement"
	"purser/internal/usage"
	"purser/ledger"
	"purser/proxy/price"
)

// maxLineFields bounds what the lines of a statement are divided by.
const maxLineFields = 3

// Statements implements admin.Statements.
func (c control) Statements(ctx context.Context, q admin.StatementQuery) (out admin.StatementReport, err error) {
	h := &out.Heading
	h.Zone, h.Issuer = q.Zone, c.issuer()
	h.Terms.Sharing = statement.Sharing(q.Shared)
	if q.Shared == "" {
		h.Terms.Sharing = statement.NotShared
	}
	if !slices.Contains(statement.Sharings, h.Terms.Sharing) {
		return out, admin.Invalid(fmt.Sprintf("shared %q is none of %v", q.Shared, statement.Sharings))
	}
	var fault *admin.Fault
	if h.Terms.Markup, fault = admin.ParseMarkup(q.Markup); fault != nil {
		return out, fault
	}
	query := usage.TotalsQuery{Within: within(q.Reach), Limit: usage.MaxGroups}
	if query.Mapping, err = c.n.mapping(); err != nil {
		return out, admin.Undecided("whose usage it is cannot be said: " + err.Error())
	}
	if h.Period, query.Range, err = periodOf(&q); err != nil {
		return out, err
	}
	h.From, h.To = timeText(query.Range.From), timeText(query.Range.To)
	if h.Dimension = q.By; h.Dimension == "" {
		h.Dimension = "customer"
	}
	if h.By = q.Lines; len(h.By) == 0 {
		h.By = []string{"model"}
	}
	if len(h.By) > maxLineFields {
		return out, admin.Invalid(fmt.Sprintf("lines are divided by %d fields, and may be by %d", len(h.By), maxLineFields))
	}
	for _, name := range append([]string{h.Dimension}, h.By...) {
		f, err := fieldOf(name, "group")
		if err != nil {
			return out, err
		}
		query.By = append(query.By, f)
	}
	report, nodes, err := c.n.totals(ctx, query)
	var refused usage.QueryError
	switch {
	case errors.As(err, &refused):
		return out, admin.Invalid(refused.Error())
	case err != nil:
		return out, err
	case len(report.Others) > 0:
		return out, admin.Invalid(fmt.Sprintf("there would be more than %d lines: divide them by less, or ask for a shorter time", usage.MaxGroups))
	}
	out.Complete = admin.Complete(nodes)
	for _, a := range nodes {
		if a.Err != "" {
			h.Missing = append(h.Missing, a.Node)
		}
	}
	for _, f := range query.By {
		if report.Given[f] {
			h.Collapsed = append(h.Collapsed, f.String())
		}
	}
	all := statement.Make(used(report.Rows), h.Terms)
	out.All, out.Unshared, out.Cost = all.All, int64(all.Unshared), int64(all.Cost)
	if q.Value != "" {
		out.All = slices.DeleteFunc(out.All, func(s statement.Statement) bool { return s.Owner != q.Value })
		if len(out.All) == 0 {
			return out, admin.NotFound(fmt.Sprintf("%s %q used nothing in %s", h.Dimension, q.Value, h.Period))
		}
	}
	return out, nil
}

func (c control) issuer() string {
	if p := c.n.peers; p != nil {
		return p.standing.Cluster
	}
	return c.n.cfg.Node.ID
}

// used are rows by owner and what lines are divided by.
func used(rows []usage.Row) []statement.Used {
	list := make([]statement.Used, 0, len(rows))
	for i := range rows {
		r := &rows[i]
		list = append(list, statement.Used{
			Owner: r.Values[0], Of: r.Values[1:], Requests: r.Requests,
			Input: r.Usage.TotalInput(), Cached: r.Usage[price.CacheRead], Output: r.Usage.TotalOutput(),
			List: r.List, Cost: r.Cost, Saved: r.SavedTotal(), Adjusted: r.Adjusted,
		})
	}
	return list
}

// periodOf is the month of a query, or the time from its beginning to its end.
func periodOf(q *admin.StatementQuery) (name string, r usage.Range, err error) {
	zone, err := zoneOf(q.Zone)
	if err != nil {
		return "", r, err
	}
	switch {
	case q.From == "" && q.To == "":
		at := now()
		if q.Month != "" {
			month, err := time.Parse("2006-01", q.Month)
			if err != nil {
				return "", r, admin.Invalid(fmt.Sprintf("month %q is not written as 2026-11 is", q.Month))
			}
			// The middle of it is in the same month in every zone.
			at = ledger.Instant(month.AddDate(0, 0, 14).UnixNano())
		}
		r.From, r.To = ledger.Window{Kind: ledger.PerMonth, Zone: zone}.Bounds(at)
		location, err := time.LoadLocation(q.Zone)
		if err != nil {
			return "", r, fmt.Errorf("load the zone %q: %w", q.Zone, err)
		}
		return time.Unix(0, int64(r.From)).In(location).Format("2006-01"), r, nil
	case q.Month != "" || q.From == "" || q.To == "":
		return "", r, admin.Invalid("a period is a month, or has both from and to")
	}
	if r.From, err = instantOf(q.From, 0); err != nil {
		return "", r, err
	}
	if r.To, err = instantOf(q.To, 0); err != nil {
		return "", r, err
	}
	if r.To <= r.From {
		return "", r, admin.Invalid("the period ends before it begins")
	}
	return q.From + " to " + q.To, r, nil
}
