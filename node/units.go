package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"purser/api/admin"
	"purser/internal/economics"
	"purser/internal/outcomes"
	"purser/internal/record"
	"purser/internal/usage"
	"purser/ledger"
)

const (
	// maxUnits bounds the questions about unit economics under way on this node: one may
	// take some hundred megabytes.
	maxUnits = 2
	// maxUnitGroups bounds the groups of one; those that are met later are "other".
	maxUnitGroups = 20_000
)

// unitField is what requests are grouped by: a field of the record, or what the customer's
// payments say.
type unitField struct {
	field usage.Field
	name  string // plan or cohort, else ""
}

// The groups that payments say.
const (
	byPlan   = "plan"
	byCohort = "cohort"
)

func (f unitField) String() string {
	if f.name != "" {
		return f.name
	}
	return f.field.String()
}

// cellKey is a group in an interval.
type cellKey struct{ group, interval int }

// paidKey is a customer in an interval.
type paidKey struct {
	customer string
	interval int
}

// unitsPass is a question about unit economics under way.
type unitsPass struct {
	q     admin.UnitsQuery
	span  usage.Range
	ends  []ledger.Instant // of the intervals; one of the whole span without
	start []ledger.Instant
	by    []unitField
	where []usage.Condition
	shown mapped // what groups and filters are of

	index   *outcomes.Index
	revenue *economics.Revenue // nil: who asks may not read it
	books   *economics.Books

	groups map[string]int
	values [][]string // by group; that of otherGroup is nil
	cells  map[cellKey]int32
	of     []cellKey // by cell
	paid   map[paidKey]int32

	request string // the last one that was met
	key     []byte
	mine    []string
	joined  []int32
}

// otherGroup is that of what is in no group of its own.
const otherGroup = 0

// Units implements admin.Economics.
func (c control) Units(ctx context.Context, q admin.UnitsQuery) (out admin.UnitsReport, err error) {
	n, j := c.n, c.n.outcomes.Load()
	select {
	case j.asking <- struct{}{}:
		defer func() { <-j.asking }()
	case <-ctx.Done():
		return out, ctx.Err()
	}
	p, zone, err := newUnitsPass(q)
	if err != nil {
		return out, err
	}
	if !q.Raw {
		if p.shown.rules, err = n.mapping(); err != nil {
			return out, admin.Undecided("reports cannot be mapped: " + err.Error())
		}
	}
	gathered, nodes, err := n.gatherOutcomes(ctx, outcomesAsked{From: p.span.From, To: p.span.To, Name: q.Outcome})
	if err != nil {
		return out, err
	}
	if p.index, err = gathered.Index(); err != nil {
		return out, admin.Invalid(err.Error())
	}
	out.Conflicts = gathered.Conflicts()
	gains := make([]economics.Gain, len(p.index.Targets))
	for i := range p.index.Targets {
		gains[i].Evidence = p.index.Targets[i].Evidence
	}
	p.books = economics.NewBooks(gains)
	if q.Revenue {
		l, paying, err := n.gatherRevenue(ctx, p.span)
		if err != nil {
			return out, err
		}
		p.revenue, out.Conflicts = economics.NewRevenue(l.Payments()), out.Conflicts+l.Conflicts()
		nodes = worst(nodes, paying)
	}
	list, recording, err := n.recordsOf(ctx, usage.Query{Range: p.span})
	if err != nil {
		return out, err
	}
	nodes = worst(nodes, recording)
	for r, err := range list {
		if err == nil {
			err = p.enter(r)
		}
		if err != nil {
			return out, tooWide(err)
		}
	}
	if err := p.unused(ctx); err != nil {
		return out, tooWide(err)
	}
	out.From, out.To, out.Hidden = timeText(p.span.From), timeText(p.span.To), !q.Revenue
	out.Nodes, out.Complete = nodes, admin.Complete(nodes)
	p.report(&out, zone)
	if q.Reach.All {
		p.names(&out, gathered)
	}
	return out, nil
}

func tooWide(err error) error {
	if errors.Is(err, economics.ErrTooWide) {
		return admin.Invalid(err.Error())
	}
	return err
}

// worst is, of each node, the answer that says the least.
func worst(a, b []admin.NodeAnswer) []admin.NodeAnswer {
	for _, other := range b {
		i := slices.IndexFunc(a, func(x admin.NodeAnswer) bool { return x.Node == other.Node })
		switch {
		case i < 0:
			a = append(a, other)
		case other.Err != "":
			a[i] = other
		case a[i].Err == "":
			a[i].MayLack = a[i].MayLack || other.MayLack
			if other.By != other.Node {
				a[i].By = other.By
			}
		}
	}
	return inOrder(a)
}

// enter puts a record into the books.
func (p *unitsPass) enter(r *record.Record) error {
	at := r.At
	if id, ok := record.ParseID(r.ID); ok {
		at = id.At()
	}
	interval := p.interval(at)
	p.joined = p.index.Of(r, p.joined[:0])
	within := reaches(p.q.Reach, &r.Dims)
	r = p.shown.of(r)
	customer := r.Dims.Values[ledger.DimCustomer]
	if gain, known := p.payment(customer, interval); known {
		p.joined = append(p.joined, gain)
	}
	begins := r.Kind == record.KindRequest && r.ID != p.request
	p.request = r.ID
	cell := int32(economics.Beyond)
	if within && p.shows(r) {
		var err error
		if cell, err = p.cell(p.group(r, customer, at), interval); err != nil {
			return err
		}
	}
	return p.books.Request(cell, r.Cost, begins, p.joined)
}

// shows says whether a record, as it is mapped, is of those that are asked about.
func (p *unitsPass) shows(r *record.Record) bool {
	for i := range p.where {
		if !p.where[i].Holds(r) {
			return false
		}
	}
	return true
}

func (p *unitsPass) interval(at ledger.Instant) int {
	i, found := slices.BinarySearch(p.start, at)
	if !found {
		i--
	}
	return max(i, 0)
}

// payment is the gain of what a customer paid for an interval.
func (p *unitsPass) payment(customer string, interval int) (gain int32, known bool) {
	if p.revenue == nil || customer == "" {
		return 0, false
	}
	k := paidKey{customer, interval}
	if gain, met := p.paid[k]; met {
		return gain, gain >= 0
	}
	amount, known := p.revenue.Between(customer, p.start[interval], p.ends[interval])
	gain = -1
	if known {
		gain = p.books.Gain(economics.Gain{Revenue: amount, Paid: true})
	}
	p.paid[k] = gain
	return gain, known
}

// unused enters what was paid by customers that made no request in an interval.
func (p *unitsPass) unused(ctx context.Context) error {
	if p.revenue == nil {
		return nil
	}
	for _, customer := range p.revenue.Customers() {
		if err := ctx.Err(); err != nil {
			return err
		}
		for interval := range p.start {
			if _, met := p.paid[paidKey{customer, interval}]; met {
				continue
			}
			amount, known := p.revenue.Between(customer, p.start[interval], p.ends[interval])
			if !known {
				continue
			}
			r := &record.Record{} // of which only the customer is known
			r.Dims.Values[ledger.DimCustomer] = customer
			if !reaches(p.q.Reach, &r.Dims) || !p.shows(r) {
				continue
			}
			cell, err := p.cell(p.group(r, customer, p.start[interval]), interval)
			if err != nil {
				return err
			}
			p.books.Straight(cell, amount)
		}
	}
	return nil
}

// group is the number of a record's group.
func (p *unitsPass) group(r *record.Record, customer string, at ledger.Instant) int {
	p.mine, p.key = p.mine[:0], p.key[:0]
	for _, f := range p.by {
		v := ""
		if f.name == "" {
			v = f.field.Of(r)
		} else if plan, cohort := p.revenue.Plan(customer, at); f.name == byPlan {
			v = plan
		} else {
			v = cohort
		}
		p.mine = append(p.mine, v)
		p.key = append(append(p.key, v...), 0)
	}
	g, known := p.groups[string(p.key)]
	if !known {
		if len(p.values) > maxUnitGroups {
			return otherGroup
		}
		g = len(p.values)
		p.groups[string(p.key)] = g
		p.values = append(p.values, slices.Clone(p.mine))
	}
	return g
}

func (p *unitsPass) cell(group, interval int) (int32, error) {
	k := cellKey{group, interval}
	c, known := p.cells[k]
	if !known {
		if len(p.of) == economics.MaxCells {
			return 0, economics.ErrTooWide
		}
		c = p.books.Cell()
		p.cells[k] = c
		p.of = append(p.of, k)
	}
	return c, nil
}

// names counts the outcomes of the time by their names, and the reports that are of no
// request.
func (p *unitsPass) names(out *admin.UnitsReport, g *outcomes.Gathered) {
	var unjoined int64
	for i := range p.index.Targets {
		if !p.books.Joined(int32(i)) {
			unjoined += p.index.Targets[i].Reports
		}
	}
	out.Unjoined = &unjoined
	counts := map[string]*admin.OutcomeCount{}
	for _, r := range g.Reports() {
		c := counts[r.Name]
		if c == nil {
			c = &admin.OutcomeCount{Name: r.Name}
			counts[r.Name] = c
		}
		c.Reports++
		c.Outcomes += r.Count
	}
	for _, c := range counts {
		out.Names = append(out.Names, *c)
	}
	slices.SortFunc(out.Names, func(a, b admin.OutcomeCount) int { return strings.Compare(a.Name, b.Name) })
	if len(out.Names) > maxNames {
		out.Names = out.Names[:maxNames]
	}
}

// maxNames bounds the names of outcomes in an answer.
const maxNames = 200

// unitFields are what a question groups by.
func unitFields(q *admin.UnitsQuery) (list []unitField, err error) {
	for _, name := range q.Group {
		f := unitField{name: name}
		switch {
		case name != byPlan && name != byCohort:
			f.name = ""
			if f.field, err = fieldOf(name, "group"); err != nil {
				return nil, err
			}
		case !q.Revenue:
			return nil, admin.Forbidden(fmt.Sprintf("%s is what customers' payments say, which takes revenue:read over everything", name))
		}
		list = append(list, f)
	}
	return list, nil
}
