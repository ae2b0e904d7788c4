package node

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"purser/api/admin"
	"purser/internal/economics"
	"purser/internal/usage"
	"purser/ledger"
)

func newUnitsPass(q admin.UnitsQuery) (*unitsPass, *time.Location, error) {
	p := &unitsPass{q: q, groups: map[string]int{}, values: [][]string{nil}, cells: map[cellKey]int32{}, paid: map[paidKey]int32{}}
	window, zone, err := intervalOf(q.Interval, q.Zone)
	if err != nil {
		return nil, nil, err
	}
	if p.span, err = rangeOf(&q.UsageQuery, zone); err != nil {
		return nil, nil, err
	}
	if p.by, err = unitFields(&q); err != nil {
		return nil, nil, err
	}
	if p.where, err = conditions(&q.UsageQuery); err != nil {
		return nil, nil, err
	}
	if q.Limit < 0 || q.Limit > maxUnitGroups {
		return nil, nil, admin.Invalid(fmt.Sprintf("limit %d is not within 1 to %d", q.Limit, maxUnitGroups))
	}
	if window.Kind == 0 {
		p.start, p.ends = []ledger.Instant{p.span.From}, []ledger.Instant{p.span.To}
		return p, zone, nil
	}
	for at := max(p.span.From, 0); at < p.span.To; {
		if len(p.start) == usage.MaxIntervals {
			return nil, nil, admin.Invalid(fmt.Sprintf("the range has more than %d intervals: shorten it, or ask for longer ones", usage.MaxIntervals))
		}
		_, end := window.Bounds(at)
		end = min(end, p.span.To)
		p.start, p.ends = append(p.start, at), append(p.ends, end)
		at = end
	}
	if len(p.start) == 0 {
		p.start, p.ends = []ledger.Instant{p.span.From}, []ledger.Instant{p.span.To}
	}
	return p, zone, nil
}

// grouped is the sums of one group, by interval and in all.
type grouped struct {
	values []string // nil: of what is in no group of its own
	all    economics.Sum
	each   map[int]*economics.Sum
}

func (g *grouped) add(interval int, s *economics.Sum) {
	g.all.Add(s)
	if g.each[interval] == nil {
		g.each[interval] = &economics.Sum{}
	}
	g.each[interval].Add(s)
}

// report closes the books and writes what they say.
func (p *unitsPass) report(out *admin.UnitsReport, zone *time.Location) {
	sums := p.books.Close(func(a, b int32) int {
		x, y := p.of[a], p.of[b]
		return cmp.Or(slices.Compare(p.values[x.group], p.values[y.group]), cmp.Compare(x.interval, y.interval))
	})
	list := make([]*grouped, len(p.values))
	for g, values := range p.values {
		list[g] = &grouped{values: values, each: map[int]*economics.Sum{}}
	}
	total := &grouped{each: map[int]*economics.Sum{}}
	used := make([]bool, len(list))
	for c := range sums {
		k := p.of[c]
		used[k.group] = true
		list[k.group].add(k.interval, &sums[c])
		total.add(k.interval, &sums[c])
	}
	rest, some := list[otherGroup], used[otherGroup]
	list = list[otherGroup+1:]
	slices.SortFunc(list, func(a, b *grouped) int {
		return cmp.Or(cmp.Compare(b.all.Cost, a.all.Cost), cmp.Compare(b.all.Revenue, a.all.Revenue), slices.Compare(a.values, b.values))
	})
	for _, g := range list[min(len(list), cmp.Or(p.q.Limit, defaultGroups)):] {
		some = true
		for interval, s := range g.each {
			rest.add(interval, s)
		}
	}
	out.Rows = []admin.UnitsRow{}
	for _, g := range list[:min(len(list), cmp.Or(p.q.Limit, defaultGroups))] {
		out.Rows = append(out.Rows, p.row(g, zone))
	}
	if some {
		row := p.row(rest, zone)
		row.Rest = true
		out.Rows = append(out.Rows, row)
	}
	out.Total = p.row(total, zone)
	out.Total.Group = nil
}

func (p *unitsPass) row(g *grouped, zone *time.Location) admin.UnitsRow {
	row := admin.UnitsRow{Group: map[string]string{}, Units: unitsText(&g.all, p.revenue != nil)}
	for i, f := range p.by {
		v := "other"
		if g.values != nil {
			if v = g.values[i]; v == "" && !p.q.Raw && (f.name != "" || f.field.Attribution()) {
				v = admin.Unallocated
			}
		}
		row.Group[f.String()] = v
	}
	if p.q.Interval == "" {
		return row
	}
	series := map[string]economics.Series{}
	for _, m := range trendMeasures {
		series[m.name] = make(economics.Series, len(p.start))
	}
	for interval := range p.start {
		s := g.each[interval]
		if s == nil {
			continue
		}
		u := unitsText(s, p.revenue != nil)
		row.Intervals = append(row.Intervals, admin.UnitsInterval{Start: time.Unix(0, int64(p.start[interval])).In(zone).Format(time.RFC3339), Units: u})
		for _, m := range trendMeasures {
			series[m.name][interval] = m.of(&u)
		}
	}
	for _, m := range trendMeasures {
		if t, ok := p.trend(m, series[m.name], zone); ok {
			row.Trends = append(row.Trends, t)
		}
	}
	return row
}

// trendMeasure is what a trend is said of.
type trendMeasure struct {
	name   string
	of     func(*admin.Units) *float64
	margin bool // it is worth saying when it is 0
}

func inUSD(v *admin.Money) *float64 { return economics.Dollars((*ledger.Amount)(v)) }

var trendMeasures = []trendMeasure{
	{"cost_per_outcome", func(u *admin.Units) *float64 { return inUSD(u.PerOutcome) }, false},
	{"cost_per_success", func(u *admin.Units) *float64 { return inUSD(u.PerSuccess) }, false},
	{"value_margin", func(u *admin.Units) *float64 { return u.ValueMargin }, true},
	{"gross_margin", func(u *admin.Units) *float64 { return u.Margin }, true},
}

func (p *unitsPass) trend(m trendMeasure, s economics.Series, zone *time.Location) (t admin.UnitsTrend, ok bool) {
	points := s.Points()
	line, ok := economics.Trend(points)
	if !ok {
		return t, false
	}
	t = admin.UnitsTrend{Measure: m.name, Intervals: line.Points, Slope: line.Slope, Low: line.Low, High: line.High}
	if !m.margin {
		return t, true
	}
	at, soonest, latest, leads := line.Crosses(points[0].X, points[len(points)-1].X)
	if !leads {
		return t, true
	}
	// A point stands for the middle of its interval.
	length := float64(p.ends[len(p.ends)-1]-p.start[0]) / float64(len(p.start))
	when := func(x float64) string {
		if math.IsInf(x, 0) {
			return ""
		}
		return time.Unix(0, int64(p.start[0])+int64((x+0.5)*length)).In(zone).Format(time.RFC3339)
	}
	t.BreakEven = &admin.BreakEven{At: when(at), Soonest: when(soonest), Latest: when(latest)}
	return t, true
}

// unitsText is what follows from a sum, as the API has it.
func unitsText(s *economics.Sum, revenue bool) admin.Units {
	u := s.Unit()
	money := func(a *ledger.Amount) *admin.Money { return (*admin.Money)(a) }
	out := admin.Units{
		Requests: s.Requests, Cost: int64(s.Cost), Quality: u.MeanWorth,
		PerOutcome: money(u.PerOutcome), PerLoaded: money(u.PerLoaded), PerSuccess: money(u.PerSuccess), PerQuality: money(u.PerQuality),
		PerDollar: u.PerDollar, Price: money(u.Price), ValueMargin: u.ValueMargin, ValueProfit: money(u.ValueProfit),
		BreakEvenPrice: money(u.BreakEvenPrice),
		Coverage: admin.Coverage{
			Outcomes: u.Coverage[economics.Counted], Success: u.Coverage[economics.Told], Quality: u.Coverage[economics.Judged], Value: u.Coverage[economics.Valued],
		},
	}
	count := func(known bool, parts int64) *float64 {
		if !known {
			return nil
		}
		v := float64(parts) / economics.Whole
		return &v
	}
	out.Outcomes = count(s.Knows[economics.Counted], s.Had.Outcomes)
	out.Successes, out.Failures = count(s.Knows[economics.Told], s.Had.Successes), count(s.Knows[economics.Told], s.Had.Failures)
	out.Shared = float64(s.Shared) / economics.Whole
	if s.Knows[economics.Valued] {
		out.Value = money(&s.Had.Value)
	}
	if revenue {
		out.Coverage.Revenue, out.Margin, out.Profit, out.BreakEvenOutcomes = u.Coverage[economics.Paid], u.Margin, money(u.Profit), u.BreakEvenOutcomes
		if s.Knows[economics.Paid] {
			out.Revenue = money(&s.Revenue)
		}
	}
	return out
}
