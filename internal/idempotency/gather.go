package idempotency

import "slices"

// maxAsked bounds the homes that one claim asks: members that come and go every hour
// make no more than that.
const maxAsked = 16

// Gathering is an asker's way to a claim: it asks homes one after the other, until all
// have granted it that have to, or one says why not.
type Gathering struct {
	asks   []string // homes, in the order in which they are asked
	at     int      // of the next
	denied *Reply

	// Taken are the homes that have granted the claim, or may have: they are to hear how
	// it ends. Doubtful are those among them of which no answer came.
	Taken, Doubtful []string
}

// disagree is why nothing is decided while members come and go.
const disagree = "members do not agree which of them the key is homed at"

// Gather begins with a member, which may be any: who has to grant is what homes say.
func Gather(first string) *Gathering { return &Gathering{asks: []string{first}} }

// Next is the home to ask next; false when the way is over.
func (g *Gathering) Next() (home string, ok bool) {
	if g.denied != nil || g.at == len(g.asks) {
		return "", false
	}
	return g.asks[g.at], true
}

// Hear takes the answer of that home; nil with why there is none.
func (g *Gathering) Hear(r *Reply, why string) {
	home := g.asks[g.at]
	g.at++
	switch {
	case r == nil:
		g.Taken, g.Doubtful = append(g.Taken, home), append(g.Doubtful, home)
		g.deny("its home " + home + ": " + why)
	case r.Verdict == Elsewhere && g.at == 1: // which has granted nothing, and need not
		g.add(r.Homes)
	case r.Verdict == Elsewhere:
		g.deny(disagree)
	case r.Verdict != Granted:
		g.denied = r
	default:
		g.Taken = append(g.Taken, home)
		g.add(r.Homes)
	}
}

// add has homes asked that were not yet. One that has said it is none cannot be needed.
func (g *Gathering) add(homes []string) {
	for _, h := range homes {
		switch {
		case slices.Contains(g.asks[:g.at], h) && !slices.Contains(g.Taken, h):
			g.deny(disagree)
			return
		case slices.Contains(g.asks, h):
		case len(g.asks) == maxAsked:
			g.deny("too many members came and went of late")
			return
		default:
			g.asks = append(g.asks, h)
		}
	}
}

func (g *Gathering) deny(why string) { g.denied = &Reply{Verdict: Unavailable, Why: why} }

// Outcome is what it came to, when it is over.
func (g *Gathering) Outcome() *Reply {
	switch {
	case g.denied != nil:
		return g.denied
	case len(g.Taken) == 0:
		return &Reply{Verdict: Unavailable, Why: "no member says that the key is homed there"}
	default:
		return &Reply{Verdict: Granted}
	}
}
