package node

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"purser/api/admin"
	"purser/internal/access"
	"purser/internal/economics"
	"purser/internal/economics/waste"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
)

// Limits of a report on efficiency.
const (
	// mostJudged is how many records one report reads, twice: some seconds' worth.
	mostJudged = 2_000_000
	// toldEvery is how many records there are between two lines of progress.
	toldEvery = 1 << 16
	// Requests of each finding, and of those of a class that is asked for.
	fewExamples, manyExamples = 10, 100
	// rankedRows are the rows of a rank, where nothing is said of them.
	rankedRows = 10
	// around is how much before and after a request is looked at to explain it.
	around = 24 * ledger.Hour
)

// ranked are the dimensions that every report ranks.
var ranked = []ledger.Dim{ledger.DimAgent, ledger.DimFeature, ledger.DimPrompt, ledger.DimMember, ledger.DimCustomer, ledger.DimModel}

// reported gives what was reported of the requests of a time.
func (n *Node) reported(ctx context.Context, r usage.Range, reach access.Reach) (func(*record.Record) (economics.Evidence, error), []admin.NodeAnswer, error) {
	of, nodes, err := n.evidenceOf(ctx, r, reach)
	if err != nil {
		return nil, nil, err
	}
	return func(r *record.Record) (economics.Evidence, error) { return of(r), nil }, nodes, nil
}

// efficiencyOf is one report in the making.
type efficiencyOf struct {
	n        *Node
	q        admin.EfficiencyQuery
	query    usage.Query       // of what is judged
	where    []usage.Condition // what of it is added up
	by       []waste.By
	shown    mapped // what where and by are of
	nodes    []admin.NodeAnswer
	evidence func(*record.Record) (economics.Evidence, error)
	tell     func(admin.EfficiencyProgress) error
	options  waste.Options

	verdicts []admin.EfficiencyVerdict // of the request that is asked for
}

// Efficiency implements admin.Efficiency.
func (c control) Efficiency(ctx context.Context, q admin.EfficiencyQuery, tell func(admin.EfficiencyProgress) error) (out admin.EfficiencyReport, err error) {
	e, err := c.n.efficiencyOf(q, tell)
	if err != nil {
		return out, err
	}
	select {
	case c.n.efficiency <- struct{}{}:
		defer func() { <-c.n.efficiency }()
	default:
		return out, admin.Undecided("this node is making another report on efficiency; ask again when that is done, or another node")
	}
	if e.evidence, e.nodes, err = c.n.reported(ctx, e.query.Range, q.Reach); err != nil {
		return out, err
	}
	survey, tally, err := e.run(ctx)
	if err != nil {
		return out, err
	}
	return e.report(survey, tally), nil
}

// efficiencyOf reads a query.
func (n *Node) efficiencyOf(q admin.EfficiencyQuery, tell func(admin.EfficiencyProgress) error) (*efficiencyOf, error) {
	at := now()
	e := &efficiencyOf{n: n, q: q, tell: tell, options: waste.Default(at)}
	from, to := at-defaultSpan, at
	if q.Request != "" {
		id, ok := record.ParseID(q.Request)
		if !ok {
			return nil, admin.Invalid(fmt.Sprintf("%q is not the id of a request: answers have it in the header x-purser-request-id", q.Request))
		}
		from, to = id.At()-around, min(id.At()+around, at)
	}
	if _, ok := waste.ParseClass(q.Class); q.Class != "" && !ok {
		var names []string
		for c := range waste.None {
			names = append(names, c.String())
		}
		return nil, admin.Invalid(fmt.Sprintf("%q is no class of waste; the classes are %s", q.Class, strings.Join(names, ", ")))
	}
	var err error
	if e.query.Range.To, err = instantOf(q.To, to); err != nil {
		return nil, err
	}
	if e.query.Range.From, err = instantOf(q.From, from); err != nil {
		return nil, err
	}
	if e.query.Range.From >= e.query.Range.To {
		return nil, admin.Invalid("from is not before to")
	}
	e.query.Within = within(q.Reach)
	if !q.Raw {
		if e.shown.rules, err = n.mapping(); err != nil {
			return nil, admin.Undecided("reports cannot be mapped: " + err.Error())
		}
	}
	if e.where, err = conditions(&admin.UsageQuery{Filter: q.Filter, AnyOf: q.AnyOf}); err != nil {
		return nil, err
	}
	for _, d := range ranked {
		e.by = append(e.by, waste.By{Name: d.String(), Of: usage.DimField(ledger.DimRef{Dim: d}).Of})
	}
	if len(q.Group) > 0 {
		by, err := together(q.Group, q.Raw)
		if err != nil {
			return nil, err
		}
		e.by = append(e.by, by)
	}
	return e, nil
}

// together groups by several fields at once. Of a dimension or tag, what has none is
// unallocated, unless it is to be raw.
func together(names []string, raw bool) (waste.By, error) {
	var fields []usage.Field
	for _, name := range names {
		f, err := fieldOf(name, "group")
		if err != nil {
			return waste.By{}, err
		}
		fields = append(fields, f)
	}
	return waste.By{Name: strings.Join(names, ","), Of: func(r *record.Record) string {
		values := make([]string, len(fields))
		for i, f := range fields {
			if values[i] = f.Of(r); values[i] == "" && !raw && f.Attribution() {
				values[i] = admin.Unallocated
			}
		}
		if !slices.ContainsFunc(values, func(v string) bool { return v != "" }) {
			return ""
		}
		return strings.Join(values, ",")
	}}, nil
}

// run reads the records twice.
func (e *efficiencyOf) run(ctx context.Context) (*waste.Survey, *waste.Tally, error) {
	prices := pricesOf(e.n)
	survey := waste.NewSurvey(e.options, prices)
	err := e.pass(ctx, 1, func(r *record.Record, known economics.Evidence) { survey.Add(r, known) })
	if err != nil {
		return nil, nil, err
	}
	examples := fewExamples
	if e.q.Class != "" {
		examples = manyExamples
	}
	judge, tally := waste.NewJudge(survey), waste.NewTally(e.by, e.options.Limits.Groups, examples)
	err = e.pass(ctx, 2, func(r *record.Record, known economics.Evidence) {
		v := judge.Decide(r, known)
		if shown := e.shown.of(r); e.counts(shown) {
			tally.Add(shown, &v)
		}
		if r.ID == e.q.Request || e.q.Request != "" && r.Corrects == e.q.Request {
			e.verdicts = append(e.verdicts, verdictOf(r, &v))
		}
	})
	return survey, tally, err
}

func (e *efficiencyOf) counts(r *record.Record) bool {
	for i := range e.where {
		if !e.where[i].Holds(r) {
			return false
		}
	}
	return true
}

func (e *efficiencyOf) pass(ctx context.Context, pass int, take func(*record.Record, economics.Evidence)) error {
	list, nodes, err := e.n.recordsOf(ctx, e.query)
	if err != nil {
		return err
	}
	e.nodes = worst(e.nodes, nodes)
	seen := int64(0)
	for r, err := range list {
		if err != nil {
			return err
		}
		if seen++; seen > mostJudged {
			return admin.Invalid(fmt.Sprintf("there are more than %d records from %s to %s, which is as many as one report reads: ask for a shorter time", mostJudged, timeText(e.query.Range.From), timeText(e.query.Range.To)))
		}
		if seen%toldEvery == 0 && e.tell != nil {
			if err := e.tell(admin.EfficiencyProgress{Pass: pass, Records: seen}); err != nil {
				return err
			}
		}
		known, err := e.evidence(r)
		if err != nil {
			return err
		}
		take(r, known)
	}
	return nil
}
