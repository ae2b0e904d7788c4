package node

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"purser/api/admin"
	"purser/internal/access"
	"purser/internal/directory"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
)

// Request implements admin.Requests.
func (c control) Request(ctx context.Context, id string, reach access.Reach) (admin.RequestRecords, error) {
	out := admin.RequestRecords{ID: id, Records: []json.RawMessage{}}
	parsed, ok := record.ParseID(id)
	if !ok {
		return out, admin.Invalid(fmt.Sprintf("%q is not the id of a request: those begin with %s", id, record.IDPrefix))
	}
	// What corrects a request has an id of the same time.
	query := usage.Query{Range: usage.Range{From: parsed.At(), To: parsed.At() + 1}, Within: within(reach)}
	list, nodes, err := c.n.recordsOf(ctx, query)
	if err != nil {
		return out, err
	}
	out.Answered = admin.AnsweredBy(nodes)
	for r, err := range list {
		if err != nil {
			return out, err
		}
		if r.ID != id && r.Corrects != id {
			continue
		}
		b, err := json.Marshal(r)
		if err != nil {
			return out, err
		}
		out.Records = append(out.Records, b)
	}
	if len(out.Records) == 0 {
		return out, notFound(c.n.fsm.Directory(), nodes, "no record of the request "+id+", or none that you may see; it may have been dropped by its age")
	}
	return out, nil
}

// notFound says that something is not there, or that it cannot be said as long as nodes do
// not answer that may have it.
func notFound(in *directory.State, nodes []admin.NodeAnswer, what string) error {
	var silent []string
	for _, a := range nodes {
		d, known := in.Node(ledger.NodeID(a.Node))
		if (a.Err != "" || a.MayLack) && known && d.State != directory.NodeRemoved {
			silent = append(silent, a.Node)
		}
	}
	if len(silent) > 0 {
		return admin.Undecided(what + "; and these nodes do not answer, which may have it: " + strings.Join(silent, ", "))
	}
	return admin.NotFound(what)
}

// runMost bounds the calls of a run that is shown.
const runMost = 2000

// Run implements admin.Requests.
func (c control) Run(ctx context.Context, run string, q admin.UsageQuery) (admin.RunTree, error) {
	if q.Limit > runMost {
		return admin.RunTree{}, admin.Invalid("limit is at most " + strconv.Itoa(runMost))
	}
	_, location, err := intervalOf("", q.Zone)
	if err != nil {
		return admin.RunTree{}, err
	}
	span, err := rangeOf(&q, location)
	if err != nil {
		return admin.RunTree{}, err
	}
	query := usage.Query{Range: span, Within: within(q.Reach)}
	if query.Where, err = conditions(&q); err != nil {
		return admin.RunTree{}, err
	}
	query.Where = append(query.Where, usage.Condition{Field: usage.DimField(ledger.DimRef{Dim: ledger.DimRun}), Values: []string{run}})
	most := q.Limit
	if most == 0 {
		most = runMost
	}
	tree := usage.NewRun(most)
	list, nodes, err := c.n.recordsOf(ctx, query)
	if err != nil {
		return admin.RunTree{}, err
	}
	answered := admin.AnsweredBy(nodes)
	for r, err := range list {
		if err != nil {
			return admin.RunTree{}, err
		}
		tree.Add(r)
	}
	if len(tree.Calls) == 0 {
		return admin.RunTree{}, notFound(c.n.fsm.Directory(), nodes, fmt.Sprintf("no request of the run %q from %s to %s, or none that you may see", run, timeText(span.From), timeText(span.To)))
	}
	out := admin.RunTree{Run: run, From: timeText(span.From), To: timeText(span.To), Cost: int64(tree.Cost), Calls: len(tree.Calls), More: tree.More, Answered: answered}
	out.Roots = branches(tree)
	return out, nil
}

// branches are the calls under none, with those under them.
func branches(u *usage.Run) []admin.RunCall {
	below := map[int][]int{}
	for i := range u.Calls {
		below[u.Calls[i].Under] = append(below[u.Calls[i].Under], i)
	}
	var of func(int) []admin.RunCall
	of = func(under int) (list []admin.RunCall) {
		for _, i := range below[under] {
			c := &u.Calls[i]
			list = append(list, admin.RunCall{
				ID: c.ID, At: time.Unix(0, int64(c.At)).UTC().Format(time.RFC3339Nano), Step: c.Step, Parent: c.Parent, Agent: c.Agent, Model: c.Model,
				Outcome: c.Outcome.String(), Class: string(c.Class), Calls: c.Calls, Tokens: c.Tokens, Cost: int64(c.Cost), Total: c.Total, Children: of(i),
			})
		}
		return list
	}
	return of(-1)
}
