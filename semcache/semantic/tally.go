package semantic

import "purser/semcache/decide"

// grid is the lower bounds of being right that labels are counted by. It is narrower
// where answers are served. Its numbers are stored: append only.
var grid = [...]float64{0, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995}

func cell(lower float64) int {
	i := len(grid) - 1
	for i > 0 && lower < grid[i] {
		i--
	}
	return i
}

// marks are labels of one cell.
type marks struct{ good, bad uint32 }

// tally is the labels of a route by the lower bound that the model gave.
type tally [len(grid)]marks

// maxTally bounds the labels of a cell: all are halved there, so that what is old fades.
const maxTally = 8192

func (t *tally) add(lower float64, good bool) {
	m := &t[cell(lower)]
	if good {
		m.good++
	} else {
		m.bad++
	}
	if m.good+m.bad >= maxTally {
		for i := range t {
			t[i].good, t[i].bad = t[i].good/2, (t[i].bad+1)/2
		}
	}
}

// leastEarned is the lowest bar that can be earned. Below it not every entry is
// compared (see grey), so that labels would say more good of them than there is.
const leastEarned = 0.6

// earned is the least bound of the grid such that of all labels from it on no more were
// wrong than delta allows: with a confidence of 95 % for the whole grid together, so
// that looking at many bounds does not find one by chance (Bonferroni). Above 1: there
// is none.
//
// Many easy questions must not pay for hard ones, of which there may be more tomorrow:
// the way down is in steps of at least 1/delta labels, and ends at the first of which
// more than twice delta were wrong.
func (t *tally) earned(delta float64) float64 {
	const each = 1 - 2*(1-0.95)/float64(len(grid)) // two-sided: the upper side has half of the rest
	least := 2.0
	var all, step marks
	for i := len(grid) - 1; grid[i] >= leastEarned; i-- {
		step.good, step.bad = step.good+t[i].good, step.bad+t[i].bad
		all.good, all.bad = all.good+t[i].good, all.bad+t[i].bad
		n := step.good + step.bad
		if float64(n) < 1/delta {
			continue
		}
		if float64(step.bad) > 2*delta*float64(n) {
			break
		}
		step = marks{}
		if _, upper := decide.ClopperPearson(int(all.bad), int(all.good+all.bad), each); upper <= delta {
			least = grid[i]
		}
	}
	return least
}
