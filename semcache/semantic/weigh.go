package semantic

import "purser/semcache/decide"

// opinion is what is thought of giving an entry's answer.
type opinion struct {
	guard              string // the first that forbids it; "" for none
	probability, lower float64
	// For who wants to know.
	guards, doubts []string
	features       map[string]float64
}

// weigh compares two questions.
func (t *Tier) weigh(asked, stored *decide.Text, similarity, margin float64, explain bool) (o opinion) {
	v := decide.Examine(asked, stored)
	if explain {
		for _, g := range decide.Guards() {
			switch {
			case v.Vetoes.Has(g):
				o.guards = append(o.guards, g.String()+": "+v.Reason(g))
			case v.Doubts.Has(g):
				o.doubts = append(o.doubts, g.String()+": "+v.Reason(g))
			}
		}
	}
	if g, vetoed := v.First(); vetoed {
		o.guard = g.String()
		if !explain {
			return o
		}
	}
	o.probability, o.lower = similarity, similarity // XXX
	return o
}
