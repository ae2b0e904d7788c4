package loop

// longestPeriod is how many steps a circle may have that is noticed as one.
const longestPeriod = 4

// Why says what kind of loop was found.
type Why string

// The kinds.
const (
	None   Why = ""
	Repeat Why = "repeat" // the same step again and again
	Cycle  Why = "cycle"  // a few steps in turn, again and again
	Same   Why = "same"   // the same request again and again, as this node has seen it
	Burn   Why = "burn"   // money goes much faster than it did
)

// repetition looks for one at the end of the steps, of which those before `from` do
// not count. It returns how many times the last step, or the circle it closes, was
// made.
func repetition(steps []*step, from int, r *Rule) (why Why, times int) {
	steps = steps[min(max(from, 0), len(steps)):]
	if len(steps) == 0 {
		return None, 0
	}
	last := steps[len(steps)-1]
	most := r.Repeats
	if r.polls(last.tools) {
		most = r.PollingRepeats
	}
	for period := 1; period <= longestPeriod; period++ {
		again := 0 // steps at the end that are like the one a period before
		for i := len(steps) - 1; i-period >= 0 && steps[i].like(steps[i-period], r.Similarity); i-- {
			again++
		}
		// A circle has to close as many times as it has steps, at the least.
		if again >= most-1 && again >= period*2 {
			if period == 1 {
				return Repeat, again + 1
			}
			return Cycle, again/period + 1
		}
	}
	if last.calls == 0 {
		return None, 0
	}
	span := steps[max(0, len(steps)-2*most):]
	for i := range span {
		if span[i].like(last, r.Similarity) {
			times++
		}
	}
	if times >= most {
		return Repeat, times
	}
	return None, times
}
