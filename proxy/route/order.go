package route

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"purser/ledger"
	"purser/proxy/policy"
)

// Order puts the candidates in order for one request. It is a function of its
// arguments; f.Input is written to.
func (r *Route) Order(f *Facts) Decision {
	var d Decision
	o := &ordering{r: r, f: f, draws: newDraws(r.name, f.Sticky, f.Random)}
	for i := range r.spec.Candidates {
		if why := r.bars(i, f); why != "" {
			d.Out = append(d.Out, Placed{At: i, Why: why})
		} else {
			o.in = append(o.in, i)
		}
	}
	if len(o.in) == 0 {
		d.Reason = "no candidate may serve this request"
		return d
	}
	d.Order, d.Reason = o.place()
	o.heal(&d)
	return d
}

// bars says why a candidate may not or cannot serve the request; "" where it may.
func (r *Route) bars(i int, f *Facts) string {
	c, of := &r.spec.Candidates[i], &f.Of[i]
	if of.Barred != "" {
		return of.Barred
	}
	for _, n := range f.Needs {
		if slices.Contains(c.Lacks, n) {
			return "it lacks " + string(n)
		}
	}
	if most := cmp.Or(c.MaxInput, of.Window); most > 0 && f.Tokens > most {
		return fmt.Sprintf("the prompt has about %d tokens, more than %d", f.Tokens, most)
	}
	if r.when[i] == nil {
		return ""
	}
	if f.Input == nil {
		return "its condition cannot be decided"
	}
	holds, err := r.when[i].Holds(of.input(f.Input))
	switch {
	case err != nil:
		return "its condition cannot be decided"
	case !holds:
		return "its condition does not hold"
	}
	return ""
}

// input is the request with what of says of the route.
func (of *Fact) input(in *policy.Input) *policy.Input {
	in.Provider, in.Upstream, in.RouteModel, in.SentModel = of.Provider, of.Upstream, of.Model, of.Sent
	in.Regions, in.Bounds = of.Regions, of.Bounds
	return in
}

// ordering is one asking of a route.
type ordering struct {
	r     *Route
	f     *Facts
	draws draws
	in    []int // candidates that may serve the request
}

func (o *ordering) name(i int) string { return o.r.names[i] }

// draw is a candidate's.
func (o *ordering) draw(i int) float64 { return o.draws.of(o.name(i)) }

// place orders the candidates by the strategy.
func (o *ordering) place() (order []Placed, reason string) {
	switch o.r.spec.Strategy {
	case Weighted:
		return o.weighted()
	case Cheapest:
		return o.cheapest()
	case Fastest:
		return o.fastest()
	case BudgetAware:
		return o.budgetAware()
	case Learned:
		return o.learned()
	case Rules:
		return o.written(), "the first whose condition holds: " + o.name(o.in[0])
	}
	return o.written(), "the first that may serve it: " + o.name(o.in[0])
}

// written is the order of the spec.
func (o *ordering) written() (list []Placed) {
	for n, i := range o.in {
		list = append(list, Placed{i, 0, fmt.Sprintf("%s of those that may serve it", ordinal(n+1))})
	}
	return list
}

func ordinal(n int) string {
	switch n {
	case 1:
		return "first"
	case 2:
		return "second"
	case 3:
		return "third"
	}
	return fmt.Sprintf("%dth", n)
}

// weighted draws by weight. The share is of those that may serve the request.
func (o *ordering) weighted() (list []Placed, reason string) {
	weights := o.r.weights()
	sum := 0
	for _, i := range o.in {
		sum += weights[i]
	}
	keys := map[int]float64{}
	for _, i := range o.in {
		p := Placed{At: i, Why: "weight 0: after all others"}
		if w := weights[i]; w > 0 {
			keys[i] = o.draws.weighted(o.name(i), w)
			p.Score, p.Why = int64(w)*millionth/int64(sum), fmt.Sprintf("weight %d of %d", w, sum)
		}
		list = append(list, p)
	}
	slices.SortStableFunc(list, func(a, b Placed) int {
		if a.Score == 0 || b.Score == 0 {
			return cmp.Compare(min(b.Score, 1), min(a.Score, 1))
		}
		return cmp.Compare(keys[a.At], keys[b.At])
	})
	return list, "drawn by weight" + o.stuck() + ": " + o.name(list[0].At)
}

// millionth is one, in millionths.
const millionth = 1_000_000

// weights are those of the spec, or one each where it has none.
func (r *Route) weights() []int {
	list := make([]int, len(r.spec.Candidates))
	some := false
	for i := range list {
		list[i] = r.spec.Candidates[i].Weight
		some = some || list[i] > 0
	}
	for i := range list {
		if !some {
			list[i] = 1
		}
	}
	return list
}

// stuck says what the draw goes by, if it is not chance.
func (o *ordering) stuck() string {
	if o.f.Sticky == "" {
		return ""
	}
	return " for its " + o.r.spec.Sticky
}

// even is how near, in percent, two costs are to be taken for one: then the draw
// decides, so that several deployments of one model share the work.
const even = 1

// cheapest orders by expected cost. Its scores are shares of the dearest's.
func (o *ordering) cheapest() (list []Placed, reason string) {
	var dearest ledger.Amount = 1
	for _, i := range o.in {
		dearest = max(dearest, o.f.Of[i].Cost)
	}
	for _, i := range o.in {
		cost := o.f.Of[i].Cost
		list = append(list, Placed{i, share(cost, dearest), expected(cost)})
	}
	slices.SortStableFunc(list, func(a, b Placed) int { return cmp.Compare(o.f.Of[a.At].Cost, o.f.Of[b.At].Cost) })
	least := o.f.Of[list[0].At].Cost
	o.drawAmong(list, func(p Placed) bool { return o.f.Of[p.At].Cost <= least+least/100*even })
	return list, "expected to cost the least: " + o.name(list[0].At)
}

// drawAmong orders by draw those at the front of list that are even with the first.
func (o *ordering) drawAmong(list []Placed, even func(Placed) bool) {
	n := 1
	for n < len(list) && even(list[n]) {
		n++
	}
	slices.SortStableFunc(list[:n], func(a, b Placed) int { return cmp.Compare(o.draw(a.At), o.draw(b.At)) })
}

// share is a part of a whole that is above zero, millionths, without overflow.
func share(part, whole ledger.Amount) int64 {
	return int64(float64(part) / float64(whole) * millionth)
}

func expected(cost ledger.Amount) string {
	return fmt.Sprintf("expected to cost %d nano-dollars", cost)
}

// Of a route by latency.
const (
	// near is how much longer, in percent, a candidate may take to be drawn among the
	// fastest, and nearSticky the same of a route that sticks: a prompt that the
	// provider remembers is worth more than that.
	near, nearSticky = 10, 50
	// explored is one of how many requests goes to another than the fastest, so that
	// what has become fast is found: nothing else measures it.
	explored = 20
)

// fastest orders by latency, those that were not measured last. Its scores are
// microseconds.
func (o *ordering) fastest() (list []Placed, reason string) {
	for _, i := range o.in {
		f := &o.f.Of[i]
		why := "not measured lately"
		if f.P50 > 0 {
			why = fmt.Sprintf("began within %s, and %s of nine in ten", short(f.P50), short(f.P90))
		}
		list = append(list, Placed{i, f.P50 / int64(time.Microsecond), why})
	}
	slices.SortStableFunc(list, func(a, b Placed) int {
		x, y := o.f.Of[a.At].P50, o.f.Of[b.At].P50
		if x == 0 || y == 0 {
			return cmp.Compare(min(y, 1), min(x, 1))
		}
		return cmp.Compare(x, y)
	})
	best := o.f.Of[list[0].At].P50
	band := best + best/100*near
	if o.f.Sticky != "" {
		band = best + best/100*nearSticky
	}
	o.drawAmong(list, func(p Placed) bool { t := o.f.Of[p.At].P50; return best == 0 || t > 0 && t <= band })
	if o.explores(list) {
		return list, "to measure it: " + o.name(list[0].At)
	}
	if best == 0 {
		return list, "drawn, for none was measured lately" + o.stuck() + ": " + o.name(list[0].At)
	}
	return list, "began to answer the soonest lately" + o.stuck() + ": " + o.name(list[0].At)
}

func short(nanos int64) string {
	return time.Duration(nanos).Round(time.Duration(max(nanos/100, 1))).String()
}

// explores moves another candidate to the front for one request in [explored], first
// of those that were not measured.
func (o *ordering) explores(list []Placed) bool {
	if len(list) < 2 || o.f.Of[list[0].At].P50 == 0 || o.draws.of("\x00explore")*explored >= 1 {
		return false
	}
	other := -1
	for n := 1; n < len(list); n++ {
		a := &o.f.Of[list[n].At]
		if a.Ailing != "" {
			continue
		}
		if other < 0 {
			other = n
			continue
		}
		b := &o.f.Of[list[other].At]
		if (a.P50 == 0) != (b.P50 == 0) {
			if a.P50 == 0 {
				other = n
			}
		} else if o.draw(list[n].At) < o.draw(list[other].At) {
			other = n
		}
	}
	if other < 0 {
		return false
	}
	p := list[other]
	copy(list[1:other+1], list[:other])
	list[0] = p
	return true
}

// learned orders by a learner's scores.
func (o *ordering) learned() (list []Placed, reason string) {
	if o.f.Unranked != "" {
		return o.written(), "the first that may serve it, for nothing was learned (" + o.f.Unranked + "): " + o.name(o.in[0])
	}
	for _, i := range o.in {
		list = append(list, Placed{i, o.f.Of[i].Score, expected(o.f.Of[i].Cost)})
	}
	slices.SortStableFunc(list, func(a, b Placed) int { return cmp.Compare(b.Score, a.Score) })
	return list, "scored highest (" + o.f.Ranked + "): " + o.name(list[0].At)
}

// heal puts those that ail after all others.
func (o *ordering) heal(d *Decision) {
	ails := func(p Placed) bool { return o.f.Of[p.At].Ailing != "" }
	if !slices.ContainsFunc(d.Order, ails) {
		return
	}
	was := d.Order[0].At
	for n := range d.Order {
		if ails(d.Order[n]) {
			d.Order[n].Why += "; " + o.f.Of[d.Order[n].At].Ailing
		}
	}
	slices.SortStableFunc(d.Order, func(a, b Placed) int {
		switch x, y := ails(a), ails(b); {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	})
	if is := d.Order[0].At; is != was {
		d.Reason += ", which ails; then " + o.name(is)
	}
}
