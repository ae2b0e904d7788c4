package node

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"purser/api/admin"
	"purser/internal/directory"
	"purser/internal/usage"
	"purser/ledger"
	"purser/proxy/price"
)

// control does what the admin API asks.
type control struct {
	n *Node
}

// CreateKey implements admin.Keys.
func (c control) CreateKey(ctx context.Context, in admin.NewKey) (admin.CreatedKey, error) {
	bound, err := dimensions(in.Bound)
	if err != nil {
		return admin.CreatedKey{}, err
	}
	slices.SortFunc(bound.Tags, func(a, b ledger.Tag) int { return strings.Compare(a.Name, b.Name) })
	k := directory.Key{ID: directory.KeyID(newKeyID()), Name: in.Name, Bound: bound, AllowModels: in.Models, CacheOff: in.CacheOff}
	for _, m := range in.Models {
		if strings.ContainsAny(m, "*?") {
			return admin.CreatedKey{}, admin.Invalid(fmt.Sprintf("models: %q is no model's name; patterns are not taken here, name each model", m))
		}
	}
	for _, name := range in.Required {
		ref, err := ledger.ParseDimRef(name)
		if err != nil {
			return admin.CreatedKey{}, admin.Invalid("required: " + err.Error())
		}
		k.Required = append(k.Required, ref)
	}
	if k.Expires, err = instantOf(in.Expires, 0); err != nil {
		return admin.CreatedKey{}, err
	}
	if k.Expires != 0 && k.Expires <= now() {
		return admin.CreatedKey{}, admin.Invalid("expires is in the past")
	}
	var secret string
	secret, k.Hash = newSecret()
	if err := k.Validate(); err != nil {
		return admin.CreatedKey{}, admin.Invalid(err.Error())
	}
	if err := c.changeKeys(ctx, directory.PutKey{Key: k}); err != nil {
		return admin.CreatedKey{}, err
	}
	made, ok := c.n.fsm.Directory().Key(k.ID)
	if !ok {
		return admin.CreatedKey{}, admin.Undecided("the key was made and has gone again; try again")
	}
	return admin.CreatedKey{Key: keyText(made), Secret: secret}, nil
}

// RevokeKey implements admin.Keys.
func (c control) RevokeKey(ctx context.Context, id string) (admin.Key, error) {
	if err := c.changeKeys(ctx, directory.RevokeKey{ID: directory.KeyID(id)}); err != nil {
		return admin.Key{}, err
	}
	k, ok := c.n.fsm.Directory().Key(directory.KeyID(id))
	if !ok {
		return admin.Key{}, admin.NotFound(fmt.Sprintf("no key %q", id))
	}
	return keyText(k), nil
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
	default:
		return admin.Conflict(out.Code.String())
	}
}

// ambiguous says that a change may or may not have happened.
func ambiguous(err error) error {
	return admin.Undecided("the change was not confirmed; look whether it took effect, and try again: " + err.Error())
}

// ListKeys implements admin.Keys.
func (c control) ListKeys(context.Context) ([]admin.Key, error) {
	list := []admin.Key{}
	for k := range c.n.fsm.Directory().Keys() {
		list = append(list, keyText(k))
	}
	slices.SortFunc(list, func(a, b admin.Key) int { return strings.Compare(a.Created+a.ID, b.Created+b.ID) })
	return list, nil
}

func keyText(k *directory.Key) admin.Key {
	out := admin.Key{
		ID: string(k.ID), Name: k.Name, Bound: dimensionMap(&k.Bound), Models: k.AllowModels, CacheOff: k.CacheOff,
		Created: timeText(k.Created), Expires: timeText(k.Expires), Revoked: timeText(k.Revoked), State: "expired",
	}
	switch k.Status(now()) {
	case directory.Active:
		out.State = "active"
	case directory.Revoked:
		out.State = "revoked"
	}
	for _, r := range k.Required {
		out.Required = append(out.Required, r.String())
	}
	return out
}

// PutBudget implements admin.Budgets.
func (c control) PutBudget(ctx context.Context, in admin.Budget) (admin.Budget, error) {
	b, err := ruleOf(in)
	if err != nil {
		return in, err
	}
	if was, ok := c.n.fsm.Ledger().Budget(b.ID); ok && was.Window.Zone.Name == b.Window.Zone.Name {
		// The offsets it was made with stay: this node's database may be newer.
		b.Window.Zone = was.Window.Zone
	}
	if err := c.changeBudgets(ctx, ledger.PutBudget{Budget: b}); err != nil {
		return in, err
	}
	return ruleText(&b), nil
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
	case ledger.LimitReached:
		return admin.Conflict("there are as many budgets as the ledger takes; delete some")
	default:
		return admin.Invalid("the ledger refused the budget: " + out.Code.String())
	}
}

// ShowBudgets implements admin.Budgets. A gateway lists the rules, and of none the
// accounts.
func (c control) ShowBudgets(ctx context.Context, id string, how admin.Read) ([]admin.BudgetDetail, admin.Age, error) {
	if c.n.follower != nil && id != "" {
		return nil, 0, c.elsewhere()
	}
	age, err := c.catchUp(ctx, how)
	if err != nil {
		return nil, 0, err
	}
	state := c.n.fsm.Ledger()
	list := []admin.BudgetDetail{}
	for b := range state.Budgets() {
		if id != "" && string(b.ID) != id {
			continue
		}
		d := admin.BudgetDetail{Budget: ruleText(b), Accounts: []admin.Account{}}
		for v := range state.Accounts(b.ID) {
			d.Accounts = append(d.Accounts, accountText(b, v))
		}
		list = append(list, d)
	}
	return list, age, nil
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
	for _, name := range slices.Sorted(maps.Keys(q.Filter)) {
		f, ok := usage.ParseField(name)
		if !ok {
			return admin.UsageReport{}, admin.Invalid(fmt.Sprintf("cannot filter by %q: it is no dimension, tag:<name> or field of a record", name))
		}
		query.Where = append(query.Where, usage.Condition{Field: f, Values: []string{q.Filter[name]}})
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

func usageRow(r *usage.Row, group map[string]string) admin.UsageRow {
	out := admin.UsageRow{Group: group, Requests: r.Requests, Cost: int64(r.Cost), List: int64(r.List), Priced: int64(r.Priced), Overrun: int64(r.Overrun), Saved: int64(r.SavedTotal()), Tokens: map[string]int64{}}
	for m, n := range r.Usage {
		if n != 0 {
			out.Tokens[price.Meter(m).String()] = n
		}
	}
	return out
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
