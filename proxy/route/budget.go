package route

import (
	"cmp"
	"fmt"
	"slices"
)

// budgetAware keeps the order of the spec while there is enough left, and from there
// on moves to those that are cheaper than the first, from one to the next as more was
// spent: at the limit, to the cheapest. Between two of them the draw decides, so that
// the change is smooth over many requests; a value that the route sticks to moves
// once and, within a window of the budget, not back.
//
// What is tried after the one chosen is cheaper first, so that failing over never
// undoes the saving while anything cheaper is left. Its scores are shares of the
// first candidate's expected cost.
func (o *ordering) budgetAware() (list []Placed, reason string) {
	first := o.in[0]
	ladder := []int{first} // the first, and below it those that are cheaper, dearest first
	var others []int       // those that are not
	for _, i := range o.in[1:] {
		if o.f.Of[i].Cost < o.f.Of[first].Cost {
			ladder = append(ladder, i)
		} else {
			others = append(others, i)
		}
	}
	slices.SortStableFunc(ladder[1:], func(a, b int) int { return cmp.Compare(o.f.Of[b].Cost, o.f.Of[a].Cost) })
	step := o.step(len(ladder) - 1)
	order := slices.Clone(ladder[step:])
	for n := step - 1; n >= 0; n-- { // the nearest in cost first
		order = append(order, ladder[n])
	}
	if step == 0 {
		order = slices.Clone(o.in)
	} else {
		order = append(order, others...)
	}
	for _, i := range order {
		list = append(list, Placed{i, share(o.f.Of[i].Cost, max(o.f.Of[first].Cost, 1)), expected(o.f.Of[i].Cost)})
	}
	switch {
	case o.f.Spent < 0:
		reason = "no budget of money covers it"
	case step == 0:
		reason = fmt.Sprintf("%d %% of the tightest budget is spent", o.f.Spent/(millionth/100))
	default:
		reason = fmt.Sprintf("%d %% of the tightest budget is spent, so a cheaper one is taken%s", o.f.Spent/(millionth/100), o.stuck())
	}
	return list, reason + ": " + o.name(order[0])
}

// step is how far down a ladder of so many steps the request goes.
func (o *ordering) step(steps int) int {
	from, until := o.r.spec.shift()
	low, high := float64(from)/100*millionth, float64(until)/100*millionth
	pressed := min(max((float64(o.f.Spent)-low)/(high-low), 0), 1) * float64(steps)
	step := int(pressed)
	if pressed-float64(step) > o.draws.of("\x00budget") {
		step++
	}
	return min(step, steps)
}
