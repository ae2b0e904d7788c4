package node

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"purser/api/admin"
	"purser/internal/access"
	"purser/internal/directory"
	"purser/internal/outcomes"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
	"purser/proxy/price"
)

// control does what the admin API asks.
type control struct {
	n *Node
}

// changeKeys proposes a command and returns once this node's request path has
// seen its effect.
func (c control) changeKeys(ctx context.Context, cmd directory.Command) error {
	out, err := c.changeDirectory(ctx, cmd)
	if err != nil {
		return err
	}
	switch out.Code {
	case directory.Applied, directory.Unchanged:
		return nil
	case directory.UnknownKey:
		return admin.NotFound("no such key")
	case directory.InvalidCommand:
		return admin.Invalid("the key is not valid")
	case directory.VersionMismatch:
		return admin.Conflict("somebody changed the key; read it again")
	case directory.KeyActive:
		return admin.Conflict("the key is in use: revoke it first")
	case directory.KeyRevoked:
		return admin.Conflict("the key is revoked or expired")
	default:
		return admin.Conflict(out.Code.String())
	}
}

// ambiguous says that a change may or may not have happened.
func ambiguous(err error) error {
	return admin.Undecided("the change was not confirmed; look whether it took effect, and try again: " + err.Error())
}

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
	if err := c.n.usage.Flush(ctx); err != nil {
		return admin.UsageReport{}, err
	}
	report, err := c.n.usage.Totals(ctx, query)
	if err != nil {
		return admin.UsageReport{}, err
	}
	out := admin.UsageReport{From: timeText(from), To: timeText(to), Rows: []admin.UsageRow{}, Total: usageRow(&report.Total, nil)}
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
	if err := c.n.usage.Flush(ctx); err != nil {
		return err
	}
	e := json.NewEncoder(w)
	for r, err := range c.n.usage.Records(ctx, query) {
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

// Status implements admin.Reports.
func (c control) Status(ctx context.Context, how admin.Read) (admin.Status, admin.Age, error) {
	n := c.n
	age, err := c.catchUp(ctx, how)
	if err != nil {
		return admin.Status{}, 0, err
	}
	state, dir := n.fsm.Ledger(), n.fsm.Directory()
	stats := n.raft.Stats()
	out := admin.Status{
		Node: n.cfg.Node.ID, Version: n.version, State: n.State(), Incarnation: n.purse.Incarnation(),
		LedgerTime: timeText(state.Now()), Generation: state.Generation(), AppliedLog: stats.Applied,
		Keys: dir.Len(), Catalogue: n.prices.Hash(), Holds: n.purse.Outstanding(), Uptime: time.Since(n.began).Seconds(),
	}
	out.Leader, _ = n.raft.LeaderNode()
	out.Role, out.Term = strings.ToLower(stats.State), stats.Term
	if n.peers != nil {
		out.Cluster = n.peers.standing.Cluster
	}
	if n.follower != nil {
		out.Follows = n.follower.following.member()
	} else {
		out.Digest = fmt.Sprintf("%x", state.Digest()) // of accounts, which a gateway has not
	}
	for b := range state.Budgets() {
		out.Budgets++
		for range state.Accounts(b.ID) {
			out.Accounts++
		}
	}
	out.Upstreams = n.upstreamStatus()
	return out, age, nil
}
