package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"purser/api/admin"
	"purser/internal/economics"
	"purser/internal/outcomes"
	"purser/internal/outcomes/form"
	"purser/internal/usage"
	"purser/ledger"
)

// Limits of one import.
const (
	maxImported = 20_000 // lines
	maxProblems = 1000
	atOnce      = 500 // kept in one batch, and asked about in one question
)

// importing counts what becomes of the things in a body.
type importing struct {
	admin.Imported
	items int
}

func (i *importing) problem(line int, id, field, message string) {
	if len(i.Problems) < maxProblems {
		i.Problems = append(i.Problems, admin.ImportFault{Line: line, Item: i.items, ID: id, Field: field, Message: message})
	}
}

func (i *importing) invalid(line int, id string, f *form.Error) {
	i.Invalid++
	i.problem(line, id, f.Field, f.Message)
}

// became counts one thing by its state.
func (i *importing) became(line int, id string, s outcomes.State, differs string) {
	switch s {
	case outcomes.Recorded:
		i.Recorded++
	case outcomes.Known:
		i.Known++
	case outcomes.Outdated:
		i.Outdated++
	case outcomes.Conflict:
		i.Conflicts++
		i.problem(line, id, differs, "this id is kept with another "+differs+", which stays")
	}
}

// lined is something with the line that it was on.
type lined[T any] struct {
	line, item int
	what       T
}

var errTooManyLines = admin.Invalid(fmt.Sprintf("the body has more than %d things: send it in parts, as the command line does", maxImported))

// ImportOutcomes implements admin.Outcomes.
func (c control) ImportOutcomes(ctx context.Context, body []byte, csv bool) (admin.Imported, error) {
	j := c.n.outcomes.Load()
	at := now()
	t := form.Teller{Source: outcomes.ByImport, Now: at, Oldest: at - j.retention}
	var in importing
	var list []lined[outcomes.Report]
	take := func(line int, r outcomes.Report, fault *form.Error) bool {
		if fault != nil {
			in.invalid(line, r.ID, fault)
		} else {
			list = append(list, lined[outcomes.Report]{line, in.items, r})
		}
		in.items++
		return in.items <= maxImported
	}
	if csv {
		if err := form.CSV(bytes.NewReader(body), t, take); err != nil {
			return in.Imported, admin.Invalid(err.Error())
		}
	} else {
		reports, _, fault := form.JSON(body, t)
		if fault != nil {
			return in.Imported, admin.Invalid(fault.Message)
		}
		for _, r := range reports {
			take(0, r, nil)
		}
	}
	return imported(ctx, c.n, &in, "outcomes", list, j.keep, func(r *outcomes.Report) string { return r.ID },
		func(k *outcomes.Kept) (outcomes.State, string) { return k.State, k.Differs })
}

// ImportRevenue implements admin.Outcomes.
func (c control) ImportRevenue(ctx context.Context, body []byte, csv bool) (admin.Imported, error) {
	j := c.n.outcomes.Load()
	var in importing
	var list []lined[economics.Payment]
	take := func(line int, p economics.Payment, fault *form.Error) bool {
		if fault != nil {
			in.invalid(line, p.ID, fault)
		} else {
			list = append(list, lined[economics.Payment]{line, in.items, p})
		}
		in.items++
		return in.items <= maxImported
	}
	if csv {
		if err := form.RevenueCSV(bytes.NewReader(body), now(), take); err != nil {
			return in.Imported, admin.Invalid(err.Error())
		}
	} else {
		rows, err := revenueRows(body)
		if err != nil {
			return in.Imported, err
		}
		for i := range rows {
			p, fault := rows[i].Read(now())
			if !take(0, p, fault) {
				break
			}
		}
	}
	return imported(ctx, c.n, &in, "revenue", list, j.keepRevenue, func(p *economics.Payment) string { return p.ID },
		func(p *outcomes.Paid) (outcomes.State, string) { return p.State, p.Differs })
}

// revenueRows are the payments of a body: {"revenue": [...]}, or the list alone.
func revenueRows(body []byte) ([]form.Payment, error) {
	var in struct {
		Revenue []form.Payment `json:"revenue"`
	}
	var into any = &in
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("[")) {
		into = &in.Revenue
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("it is more than one JSON value")
		}
	}
	if err != nil {
		return nil, admin.Invalid(`the body is not revenue: {"revenue": [{"id": "...", "customer": "...", "period": "2026-03", "amount": "99.00"}]} (` + err.Error() + ")")
	}
	return in.Revenue, nil
}

// imported has things kept, and counts what became of them.
func imported[T, K any](ctx context.Context, n *Node, in *importing, what string, list []lined[T], keep func(context.Context, []T) ([]K, error), id func(*T) string, became func(*K) (outcomes.State, string)) (admin.Imported, error) {
	switch {
	case in.items > maxImported:
		return in.Imported, errTooManyLines
	case len(list) == 0:
		return in.Imported, nil
	}
	if err := n.noted(ctx, change{action: what + ".import", target: what, after: map[string]int{"items": len(list)}}); err != nil {
		return in.Imported, err
	}
	for part := range slices.Chunk(list, atOnce) {
		things := make([]T, len(part))
		for i := range part {
			things[i] = part[i].what
		}
		kept, err := keep(ctx, things)
		if err != nil {
			n.log.Warn("an import was broken off", "of", what, "error", err)
			return in.Imported, admin.Undecided("whether all of it is kept is not certain; send it again: each counts once")
		}
		for i := range kept {
			state, differs := became(&kept[i])
			in.items = part[i].item
			in.became(part[i].line, id(&part[i].what), state, differs)
		}
	}
	return in.Imported, nil
}

const defaultListed = 100

// ListOutcomes implements admin.Outcomes.
func (c control) ListOutcomes(ctx context.Context, q admin.OutcomeQuery) (out admin.OutcomeList, err error) {
	span, err := rangeOf(&admin.UsageQuery{From: q.From, To: q.To}, nil)
	if q.ID != "" && q.From == "" && q.To == "" {
		span = usage.Range{From: 0, To: ledger.MaxInstant}
	}
	if err != nil {
		return out, err
	}
	g, nodes, err := c.n.gatherOutcomes(ctx, outcomesAsked{span.From, span.To, q.Name, q.ID})
	if err != nil {
		return out, err
	}
	list := g.Reports()
	slices.Reverse(list)
	out = admin.OutcomeList{Outcomes: []admin.OutcomeItem{}, Total: len(list), Conflicts: g.Conflicts(), Nodes: nodes, Complete: admin.Complete(nodes)}
	if q.Limit == 0 {
		q.Limit = defaultListed
	}
	for i := range list[:min(len(list), q.Limit)] {
		out.Outcomes = append(out.Outcomes, outcomeItem(&list[i]))
	}
	return out, nil
}

func outcomeItem(r *outcomes.Report) admin.OutcomeItem {
	k := keptText(&outcomes.Kept{State: outcomes.Recorded, Report: *r})
	item := admin.OutcomeItem{
		ID: r.ID, Name: r.Name, At: k.At, Taken: timeText(r.Taken), Source: r.Source.String(), Key: r.Key, Org: r.Org,
		Count: r.Count, Success: k.Success, Quality: k.Quality, Value: k.Value, Of: r.Join.Kind.String(), OfName: r.Join.Name,
		From: timeText(r.Join.From), To: timeText(r.Join.To),
	}
	for _, m := range r.Join.Where {
		if item.Where == nil {
			item.Where = map[string]string{}
		}
		item.Where[m.Dim.String()] = m.Value
	}
	return item
}

// ListRevenue implements admin.Outcomes.
func (c control) ListRevenue(ctx context.Context, q admin.RevenueQuery) (out admin.RevenueList, err error) {
	span, err := rangeOf(&admin.UsageQuery{From: q.From, To: q.To}, nil)
	if err != nil {
		return out, err
	}
	l, nodes, err := c.n.gatherRevenue(ctx, span)
	if err != nil {
		return out, err
	}
	out = admin.RevenueList{Revenue: []admin.RevenueItem{}, Conflicts: l.Conflicts(), Nodes: nodes, Complete: admin.Complete(nodes)}
	if q.Limit == 0 {
		q.Limit = defaultListed
	}
	for _, p := range l.Payments() {
		if q.Customer != "" && p.Customer != q.Customer {
			continue
		}
		out.Total++
		out.Sum += int64(p.Until(span.To) - p.Until(span.From))
		if len(out.Revenue) < q.Limit {
			out.Revenue = append(out.Revenue, admin.RevenueItem{
				ID: p.ID, Revision: p.Revision, Customer: p.Customer, Plan: p.Plan, Cohort: p.Cohort,
				From: timeText(p.From), To: timeText(p.To), Amount: int64(p.Amount), Taken: timeText(p.Taken),
			})
		}
	}
	return out, nil
}
