package promptcache

import (
	"math"
	"sync"
	"time"

	"purser/ledger"
)

// Limits of what is remembered: some 5 MB.
const (
	maxEntries = 1 << 15 // beginnings of a generation; there are two
	maxApps    = 1 << 10 // applications of a generation
)

// Lifetimes of what a breakpoint keeps, each from its last use.
const (
	shortLife = 5 * time.Minute
	longLife  = time.Hour
)

// Learner remembers what came again, and after how long. Safe for concurrent use. The
// zero value is ready.
type Learner struct {
	mu       sync.Mutex
	now, old map[Hash]*entry // by beginning; old is dropped when now is full
	apps     generation[*app]
	scopes   generation[*app]
}

// entry is what is known of one beginning of prompts. A use of it is one that no longer
// beginning explains: that a conversation goes on is no sign that others begin alike.
type entry struct {
	at        ledger.Instant // when it was last met
	uses      uint32
	within5   uint32 // uses at most five minutes after it was last met
	within60  uint32 // an hour
	perMinute float32
	turn      int32          // it was the end of a prompt of so many turns; 0: it never was
	wentOn    bool           // and that one went on
	alive     ledger.Instant // until then the provider has it, as far as this node has seen to it
	aliveLong bool           // it was written for an hour
}

// maxTurns is how many turns are told apart.
const maxTurns = 16

// app is what is known of the conversations that begin with the same tools and system,
// or of all those of a scope.
type app struct {
	ends [maxTurns + 1]float64 // prompts by their turns; the last has all longer ones
	next [maxTurns + 1]gaps    // the time to the prompt of one turn more, by turns
}

// gaps counts how long it took until a conversation went on.
type gaps struct{ all, within5, within60 float64 }

// generation is a bounded map: when it is full it becomes the old one, which is dropped.
type generation[V any] struct{ now, old map[Hash]V }

func (g *generation[V]) get(h Hash, limit int, make_ func() V) V {
	if v, ok := g.now[h]; ok {
		return v
	}
	v, ok := g.old[h]
	if !ok {
		v = make_()
	}
	if g.now == nil || len(g.now) >= limit {
		g.now, g.old = map[Hash]V{}, g.now
	}
	g.now[h] = v
	return v
}

// forget is how many prompts of an application are remembered before they count half:
// applications change.
const forget = 4096

// seen notes a prompt of so many turns.
func (a *app) seen(turns int) {
	a.ends[min(turns, maxTurns)]++
	if a.ends[1]+a.ends[min(turns, maxTurns)] < forget {
		return
	}
	for i := range a.ends {
		a.ends[i] /= 2
		a.next[i] = gaps{a.next[i].all / 2, a.next[i].within5 / 2, a.next[i].within60 / 2}
	}
}

func (g *gaps) took(d time.Duration) {
	g.all++
	if d <= shortLife {
		g.within5++
	}
	if d <= longLife {
		g.within60++
	}
}

// goesOn is how many of the conversations of so many turns have one turn more, as of
// what is expected where there is little to go by.
func (a *app) goesOn(turns int, expected, weight float64) float64 {
	t := min(turns, maxTurns-1)
	this, more := a.ends[t], a.ends[t+1]
	if t == maxTurns-1 { // the last counts all longer ones, itself among what goes on
		this += more
	}
	return min((more+weight*expected)/(this+weight), maxChance)
}

// share is how many of those that went on did so within each lifetime.
func (g *gaps) share(five, sixty, weight float64) (within5, within60 float64) {
	return (g.within5 + weight*five) / (g.all + weight), (g.within60 + weight*sixty) / (g.all + weight)
}

// maxChance is the most that is expected of anything.
const maxChance = 0.95

// What is expected of conversations before any was seen: a single question mostly
// stays one, and what has gone on goes on. Of those that do, most do soon.
func usualGoesOn(turns int) float64 {
	switch {
	case turns <= 1:
		return 0.15
	case turns == 2:
		return 0.3
	}
	return 0.5
}

const (
	usualWithin5  = 0.5
	usualWithin60 = 0.95
	// usualAgain is how many tools and systems, seen once, are seen again in time.
	usualAgain = 0.15
	// usualFork is how many ends of turns are, in another conversation.
	usualFork = 0.05
)

// How much what is expected counts, in prompts: of a scope against what is usual, and
// of an application against its scope.
const (
	scopeWeight = 4
	appWeight   = 4
)

// chances are those that something comes again within each lifetime, or how often it is
// expected to.
type chances struct{ within5, within60 float64 }

// tail is how often a conversation of so many turns is expected to be read again: it
// goes on or not with each turn, and the longer it is the likelier it does.
func tail(a, scope *app, turns int) (reads chances) {
	for t := maxTurns; t >= min(turns, maxTurns); t-- {
		c := a.once(scope, t)
		if t == maxTurns {
			reads = chances{later(c.within5), later(c.within60)}
			continue
		}
		reads = chances{c.within5 * (1 + reads.within5), c.within60 * (1 + reads.within60)}
	}
	return chances{min(reads.within5, maxLater), min(reads.within60, maxLater)}
}

// once is the chance that a conversation of so many turns has one more in time.
func (a *app) once(scope *app, turns int) chances {
	on := a.goesOn(turns, scope.goesOn(turns, usualGoesOn(turns), scopeWeight), appWeight)
	five, sixty := scope.next[turns].share(usualWithin5, usualWithin60, scopeWeight)
	five, sixty = a.next[turns].share(five, sixty, appWeight)
	return chances{on * five, on * sixty}
}

// later is how often something that comes again with a chance is expected to be read
// before it is lost: once with the chance, twice with the chance of that, and so on.
func later(chance float64) float64 { return min(chance/(1-min(chance, maxChance)), maxLater) }

// maxLater bounds how often anything is expected to be read again.
const maxLater = 8

// again is how often a beginning is expected to be read, by its own uses and by the
// chance that is usual of its kind.
func (e *entry) again(usual float64) chances {
	const weight = 1 // of what is usual, in uses
	n := float64(max(e.uses, 1)) - 1 + weight
	return chances{later((float64(e.within5) + weight*usual) / n), later((float64(e.within60) + weight*usual) / n)}
}

// entry finds what is known of the beginning h, or begins to know it, and whether it
// was known.
func (l *Learner) entry(h Hash) (e *entry, known bool) {
	e, known = l.now[h]
	if known {
		return e, true
	}
	if e, known = l.old[h]; !known {
		e = &entry{}
	}
	if l.now == nil || len(l.now) >= maxEntries {
		l.now, l.old = map[Hash]*entry{}, l.now
	}
	l.now[h] = e
	return e, known
}

// met notes that a prompt has this beginning, and returns how long ago the last one
// had; less than nothing where none is known of.
func (e *entry) met(at ledger.Instant) (since time.Duration) {
	since = -1
	if e.perMinute > 0 {
		since = max(time.Duration(at-e.at), 0)
		e.perMinute *= float32(math.Exp(-since.Minutes()))
	}
	e.perMinute++
	e.at = max(e.at, at)
	return since
}

// used counts a use, so long after it was last met.
func (e *entry) used(since time.Duration) {
	e.uses++
	if since < 0 {
		return
	}
	if since <= shortLife {
		e.within5++
	}
	if since <= longLife {
		e.within60++
	}
}

// peek is what is known of h, nil for nothing. It notes no use.
func (l *Learner) peek(h Hash) *entry {
	if e, ok := l.now[h]; ok {
		return e
	}
	return l.old[h]
}

// within is the hash of h in a scope: what an upstream has of a model says nothing of
// another's.
func (h Hash) within(scope Hash) Hash {
	for i := range h {
		h[i] ^= scope[i]
	}
	return h
}
