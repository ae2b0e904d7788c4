package promptcache

import (
	"math/bits"
	"time"

	"purser/ledger"
)

// Terms are what a plan keeps to: those of the upstream, the model and the settings.
type Terms struct {
	Scope     Hash  // the upstream and the model
	Marks     bool  // it takes marks
	Hour      bool  // for an hour too
	MinTokens int64 // the shortest beginning that is kept
	// Prices of a token, on any one scale: uncached, read, and written for each
	// lifetime.
	Input, Read, Write5, Write60 int64
	Nodes                        int // how many nodes share the requests; 0 is 1
}

// pays says whether there is anything to save.
func (t *Terms) pays() bool { return t.Marks && t.Input > 0 && t.Read >= 0 && t.Read < t.Input }

// Plan is what to do with a prompt.
type Plan struct {
	Marks []Mark  // in order, at most MaxMarks
	Saves float64 // expected, in uncached tokens; more than 0 where there are marks
	// Home is what the call shares with those whose cache it should meet: of one hash
	// go to one credential, under one key. Zero: it is too short to matter.
	Home Hash

	marked [MaxMarks]Hash
}

const (
	lookBack = 20 // blocks from a mark in which an earlier one is found, with its own
	// homeTokens is the shortest prompt that any provider caches by itself.
	homeTokens = 1024
	// machineRate is how many requests of one key a minute OpenAI keeps on one machine.
	machineRate = 15
	// maxCandidates bounds the choice: 4 of 6 are few enough to try them all.
	maxCandidates = 6
	// lookUp is how many ends of turns are looked up, from the last.
	lookUp = 32
	// learnEnds is how many of them are remembered that were not known: a turn before
	// the last may have gone through another node.
	learnEnds = 2
	// leastSaving is what marks must be expected to save, of the tokens up to the last:
	// chances are estimates.
	leastSaving = 0.05
	// elsewhere is how sure it is that another node has done what this one would have.
	elsewhere = 0.8
)

// candidate is a block whose end may get a mark.
type candidate struct {
	block  int
	tokens int64
	again  chances // how often it is expected to be read again
	alive  float64 // the chance that the provider has it
}

// Visit notes a prompt that is sent now, and says how to send it.
func (l *Learner) Visit(p *Prompt, t *Terms, at ledger.Instant) Plan {
	var plan Plan
	if len(p.Blocks) == 0 || p.Tokens() < min(t.MinTokens, homeTokens) {
		return plan
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	start := t.Scope
	if s := p.Static(); s != nil {
		start = s.Hash.within(t.Scope)
	}
	start[0] ^= p.size()
	v := visit{l: l, p: p, t: t, at: at, scope: l.scopes.get(t.Scope, maxApps, newApp), app: l.apps.get(start, maxApps, newApp)}
	var room [maxCandidates]candidate
	v.list = room[:0]
	rate := v.look()
	if p.Tokens() >= homeTokens {
		if plan.Home = p.root; v.static(homeTokens) && rate*float64(max(t.Nodes, 1)) <= machineRate {
			plan.Home = p.Static().Hash
		}
	}
	if t.pays() && !p.Marked {
		v.choose(&plan)
	}
	return plan
}

// size is which of a few sizes the first turn of a prompt has. Conversations about a
// document go on otherwise than those about a question.
func (p *Prompt) size() byte {
	for i := p.static; i < len(p.Blocks); i++ {
		if p.Blocks[i].Ends {
			return byte(bits.Len64(uint64(p.Blocks[i].Tokens)) / 2)
		}
	}
	return 0
}

func newApp() *app { return &app{} }

// Confirm notes that the provider has done what the plan asked for.
func (l *Learner) Confirm(plan *Plan, at ledger.Instant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, m := range plan.Marks {
		e := l.peek(plan.marked[i])
		if e == nil {
			continue
		}
		life := shortLife
		if e.aliveLong = e.aliveLong && e.alive > at || m.Long; e.aliveLong {
			life = longLife
		}
		e.alive = max(e.alive, at+ledger.Instant(life))
	}
}

type visit struct {
	l     *Learner
	p     *Prompt
	t     *Terms
	at    ledger.Instant
	scope *app
	app   *app
	list  []candidate
}

func (v *visit) static(least int64) bool {
	s := v.p.Static()
	return s != nil && s.Tokens >= least
}

// look notes the uses of the prompt's beginnings and lists those that may get a mark,
// in order. It returns how often its tools and system come in a minute.
func (v *visit) look() (rate float64) {
	p := v.p
	v.app.seen(p.turns)
	v.scope.seen(p.turns)
	var ends [lookUp]int // the last ends of turns, the newest at the front
	n := 0
	for i := len(p.Blocks) - 1; i >= p.static && n < lookUp; i-- {
		if p.Blocks[i].Ends {
			ends[n] = i
			n++
		}
	}
	known := n // the newest of them that was met before, of which the rest are a part
	for j := range n {
		if v.l.peek(v.hash(ends[j])) != nil {
			known = j
			break
		}
	}
	rate = v.lookStatic(known < n)
	var list [lookUp]candidate
	found := 0
	for j := n - 1; j >= 1; j-- { // the oldest first
		h := v.hash(ends[j])
		if v.l.peek(h) == nil && j > learnEnds {
			continue
		}
		e, _ := v.l.entry(h)
		since := e.met(v.at)
		if j == known {
			v.fork(e, p.Blocks[ends[j]].Turn, since)
		}
		if e.uses < 2 && j > 1 {
			continue
		}
		list[found] = v.candidate(ends[j], e, e.again(usualFork))
		found++
	}
	v.keep(list[:found])
	if n > 0 {
		e, _ := v.l.entry(v.hash(ends[0]))
		e.used(e.met(v.at))
		e.turn = int32(p.turns)
		again := tail(v.app, v.scope, p.turns)
		if own := e.again(0); e.uses > 1 { // asked word for word before
			again = chances{max(again.within5, own.within5), max(again.within60, own.within60)}
		}
		v.add(v.candidate(ends[0], e, again))
	}
	return rate
}

// lookStatic is look for the ends of tools and system. longer says that a longer
// beginning was met before.
func (v *visit) lookStatic(longer bool) (rate float64) {
	p, last := v.p, v.p.static-1
	if last < 0 {
		return 0
	}
	e, known := v.l.entry(v.hash(last))
	since := e.met(v.at)
	if !longer {
		e.used(since)
	}
	for i := range last {
		if p.Blocks[i].Part == Tools && p.Blocks[i+1].Part != Tools {
			tools, _ := v.l.entry(v.hash(i))
			if since := tools.met(v.at); !known {
				tools.used(since)
			}
			v.add(v.candidate(i, tools, tools.again(usualAgain)))
		}
	}
	v.add(v.candidate(last, e, e.again(usualAgain)))
	return float64(e.perMinute)
}

// fork notes a prompt of which the end of a turn is the newest that was met before:
// either the conversation goes on, for the first time, or another has begun alike.
func (v *visit) fork(e *entry, turn int, since time.Duration) {
	if int(e.turn) != turn || turn != v.p.turns-1 || e.wentOn {
		e.used(since)
		return
	}
	e.wentOn = true
	v.app.next[min(turn, maxTurns)].took(since)
	v.scope.next[min(turn, maxTurns)].took(since)
}

func (v *visit) hash(block int) Hash { return v.p.Blocks[block].Hash.within(v.t.Scope) }

// keep takes the newest two of the known ends of turns, which earlier requests were
// marked at, and the oldest, which several conversations may share.
func (v *visit) keep(known []candidate) {
	if len(known) > 3 {
		known[1], known[2] = known[len(known)-2], known[len(known)-1]
		known = known[:3]
	}
	for _, c := range known {
		v.add(c)
	}
}

func (v *visit) add(c candidate) {
	if v.p.Blocks[c.block].place.at >= 0 && c.tokens >= v.t.MinTokens && len(v.list) < maxCandidates {
		v.list = append(v.list, c)
	}
}

// candidate makes one. Whether the provider has it is known where this node has seen to
// it; what other nodes have done is what this one would have.
func (v *visit) candidate(block int, e *entry, again chances) candidate {
	b := &v.p.Blocks[block]
	c := candidate{block: block, tokens: b.Tokens, again: again}
	switch nodes := float64(max(v.t.Nodes, 1)); {
	case e.alive > v.at:
		c.alive = maxChance
	case nodes > 1 && b.Turn < v.p.turns && v.worth(again):
		soon := again.within5 / (1 + again.within5) // the chance that it was used of late
		if b.Part == Messages {
			soon, _ = v.app.next[min(b.Turn, maxTurns)].share(usualWithin5, usualWithin60, appWeight)
		}
		c.alive = elsewhere * soon * (nodes - 1) / nodes
	}
	return c
}

// worth says whether something is written that is expected to be read so often.
func (v *visit) worth(again chances) bool {
	off := 1 - float64(v.t.Read)/float64(v.t.Input)
	return again.within5*off > float64(v.t.Write5)/float64(v.t.Input)-1
}

// choose finds the marks with the largest expected saving, by trying them all.
func (v *visit) choose(plan *Plan) {
	n := len(v.list)
	for i := n - 2; i >= 0; i-- { // what is a part of what comes again, does
		c, next := &v.list[i].again, v.list[i+1].again
		c.within5, c.within60 = max(c.within5, next.within5), max(c.within60, next.within60)
	}
	var best choice
	for set := uint(1); set < 1<<n; set++ {
		marks := bits.OnesCount(set)
		if marks > MaxMarks {
			continue
		}
		for long := 0; long <= marks; long++ {
			if long > 0 && !v.t.Hour {
				break
			}
			c := choice{set: set, long: long}
			if c.saves = v.saves(c); c.saves > best.saves || c.saves == best.saves && best.set != 0 && marks < bits.OnesCount(best.set) {
				best = c
			}
		}
	}
	if best.set == 0 || best.saves < leastSaving*float64(v.list[bits.Len(best.set)-1].tokens) {
		return
	}
	plan.Saves = best.saves
	for i := range v.list {
		if best.set>>i&1 == 0 {
			continue
		}
		plan.marked[len(plan.Marks)] = v.hash(v.list[i].block)
		plan.Marks = append(plan.Marks, Mark{Block: v.list[i].block, Long: len(plan.Marks) < best.long})
	}
}

// choice is a set of candidates, by their bits, the first long of which are kept for an
// hour.
type choice struct {
	set   uint
	long  int
	saves float64
}

// saves is what a choice is expected to save, in uncached tokens: see the package.
func (v *visit) saves(c choice) (sum float64) {
	input := float64(v.t.Input)
	off := 1 - float64(v.t.Read)/input
	marks := bits.OnesCount(c.set)
	read := 0.0 // the chance that the provider has the segment
	next := -1  // the mark behind it
	back := -1  // the block of that mark
	order := marks
	for i := bits.Len(c.set) - 1; i >= 0; i-- {
		if c.set>>i&1 == 1 {
			next, back = i, v.list[i].block
			order--
		}
		if back-v.list[i].block < lookBack {
			read = max(read, v.list[i].alive)
		}
		premium, again := float64(v.t.Write5)/input-1, v.list[next].again.within5
		if order < c.long {
			premium, again = float64(v.t.Write60)/input-1, v.list[next].again.within60
		}
		tokens := v.list[i].tokens
		if i > 0 {
			tokens -= v.list[i-1].tokens
		}
		sum += float64(tokens) * (read*off - (1-read)*premium + again*off)
	}
	return sum
}
