package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"purser/api/admin"
	"purser/internal/access"
	"purser/internal/economics"
	"purser/internal/outcomes"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
)

// evidenceOf gathers what was reported of the requests of a time, on all nodes, and gives
// what is known of one of them: of the request, its run and whatever else it is part of.
// Of a request beyond the reach nothing is known. What it gives is not to be added up over
// requests: the outcome of a run is known of each of its requests. It is safe for
// concurrent use, and costs about a microsecond. The nodes are those that were asked.
func (n *Node) evidenceOf(ctx context.Context, r usage.Range, reach access.Reach) (func(*record.Record) economics.Evidence, []admin.NodeAnswer, error) {
	gathered, nodes, err := n.gatherOutcomes(ctx, outcomesAsked{From: r.From, To: r.To})
	if err != nil {
		return nil, nodes, err
	}
	index, err := gathered.Index()
	if err != nil {
		return nil, nodes, admin.Invalid(err.Error() + ": ask about a shorter time")
	}
	return func(r *record.Record) (e economics.Evidence) {
		if !reaches(reach, &r.Dims) {
			return e
		}
		return index.Evidence(r)
	}, nodes, nil
}

// reaches says that a request is of those whose requests a reach counts.
func reaches(reach access.Reach, d *ledger.Dimensions) bool {
	is := func(list []string, dim ledger.Dim) bool {
		return d.Values[dim] != "" && slices.Contains(list, d.Values[dim])
	}
	return reach.All || is(reach.Teams, ledger.DimTeam) || is(reach.Orgs, ledger.DimOrg) || is(reach.Members, ledger.DimMember)
}

// topicOutcomes asks a node for the outcomes that it keeps.
const topicOutcomes = "outcomes.list"

// outcomesAsked is the body of that question, as JSON.
type outcomesAsked struct {
	From, To ledger.Instant
	Name, ID string // "": any
}

func (a *outcomesAsked) gathered() *outcomes.Gathered {
	g := outcomes.NewGathered(a.From, a.To, a.Name)
	g.ID = a.ID
	return g
}

// gatherOutcomes gathers the outcomes that are asked for, from all nodes.
func (n *Node) gatherOutcomes(ctx context.Context, asked outcomesAsked) (*outcomes.Gathered, []admin.NodeAnswer, error) {
	g := asked.gathered()
	body, err := json.Marshal(asked)
	if err != nil {
		return nil, nil, err
	}
	if err = n.listOutcomes(ctx, asked, g.Add); err == nil {
		var nodes []admin.NodeAnswer
		if nodes, err = n.gatherItems(ctx, asked.From, topicOutcomes, body, func(piece []byte) error { return outcomes.Frames(piece, g.Add) }); err == nil {
			return g, nodes, nil
		}
	}
	if errors.Is(err, outcomes.ErrTooMany) {
		err = admin.Invalid(err.Error() + ": ask about a shorter time, or name one outcome")
	}
	return nil, nil, err
}

// listOutcomes visits the outcomes that this node keeps and that are asked for.
func (n *Node) listOutcomes(ctx context.Context, asked outcomesAsked, each func(outcomes.Report) error) error {
	concerned := asked.gathered()
	j := n.outcomes.Load()
	if j == nil {
		return errNoOutcomes
	}
	kits, err := j.kits()
	for _, k := range kits {
		if err == nil {
			err = listKit(ctx, k, asked, concerned, each)
		}
	}
	return err
}

func listKit(ctx context.Context, k outcomes.Kit, asked outcomesAsked, concerned *outcomes.Gathered, each func(outcomes.Report) error) error {
	err := k.Reports.From(ctx, asked.From, func(r *outcomes.Report) (bool, error) {
		if !concerned.Concerns(r) {
			return true, nil
		}
		return true, each(*r)
	})
	if err != nil {
		return err
	}
	for o, err := range k.Qualities.Since(ctx, asked.From) {
		if err != nil {
			return err
		}
		if o.Request.At() >= asked.To {
			return nil
		}
		if r := o.Report(); concerned.Concerns(&r) {
			if err := each(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// sayOutcomes answers topicOutcomes.
func (n *Node) sayOutcomes(ctx context.Context, _ string, body []byte, say func([]byte) error) error {
	var asked outcomesAsked
	if err := json.Unmarshal(body, &asked); err != nil {
		return fmt.Errorf("read a question: %w", err)
	}
	return n.tellItems(ctx, say, func(each func(func([]byte) []byte) error) error {
		return n.listOutcomes(ctx, asked, func(r outcomes.Report) error {
			return each(func(b []byte) []byte { return outcomes.AppendFrame(b, &r) })
		})
	})
}

// The scales agree.
var _ = [1]struct{}{}[economics.Whole-outcomes.Whole]
