package waste

import (
	"purser/internal/economics"
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/gist"
)

// Part is what one class takes of the cost of a record.
type Part struct {
	Class  Class
	Amount ledger.Amount // more than 0
	Lever  Lever
	// Saves is what the lever would have saved of it, less what it costs; known only if
	// Saving says so.
	Saves  ledger.Amount
	Saving bool
	Of     string // the earlier request that it repeats, "" for none
	Why    string // the evidence, in words
}

// Standing is what is known of the justified rest.
type Standing uint8

// The standings.
const (
	Unjudged  Standing = iota // nothing was reported
	Confirmed                 // a success, a quality or a value was
	Fruitless                 // only failures were
)

// Verdict is what became of the cost of one record.
type Verdict struct {
	Cost      ledger.Amount
	Parts     []Part // valid until the next verdict
	Justified ledger.Amount
	Standing  Standing
}

// Wasted is the sum of the parts.
func (v *Verdict) Wasted() ledger.Amount { return v.Cost - v.Justified }

// Judge decides of each record.
type Judge struct {
	opt    Options
	prices Prices
	survey *Survey

	exact aging[seen]
	near  aging[seen] // by a third of the gist
	loops aging[again]
	alive aging[kept]

	parts []Part
	left  ledger.Amount
}

// seen is an answer that would have done for whoever asks again.
type seen struct {
	id   record.ID
	gist uint64
	at   ledger.Instant // when it was there
}

// again is the latest of the same calls of a run.
type again struct {
	at    ledger.Instant
	times int
}

// kept is a beginning that a provider could have in its cache.
type kept struct {
	ready, last ledger.Instant
	read        bool // it was, or could have been: what writing it costs is counted
}

// NewJudge begins with a survey that has seen all records.
func NewJudge(s *Survey) *Judge {
	s.close()
	n := s.opt.Limits.Calls
	return &Judge{opt: s.opt, prices: s.prices, survey: s,
		exact: newAging[seen](n), near: newAging[seen](3 * n), loops: newAging[again](n), alive: newAging[kept](n)}
}

// Decide says what became of the cost of a record, of which this was reported. Records
// come in the order of their times.
func (j *Judge) Decide(r *record.Record, e economics.Evidence) Verdict {
	v := Verdict{Cost: r.Cost, Standing: standing(&e)}
	j.parts, j.left = j.parts[:0], r.Cost
	if r.Kind == record.KindRequest && (r.Attempts > 0 || r.Cost > 0) {
		c := callOf(r, j.prices)
		j.decide(&c)
	}
	v.Parts, v.Justified = j.parts, j.left
	return v
}

func standing(e *economics.Evidence) Standing {
	good, judged := worth(e)
	switch {
	case judged && good > 0, e.Value > 0:
		return Confirmed
	case judged:
		return Fruitless
	}
	return Unjudged
}

// decide has the classes take what is theirs, in their order.
func (j *Judge) decide(c *call) {
	times := j.inRun(c)
	earlier, exact := j.before(c)
	switch why := loopOf(c.r); {
	case why != "":
		j.whole(RetryLoop, LoopBreaker, true, "", "the rule about loops found it: "+why)
	case times >= j.opt.LoopFrom:
		j.whole(RetryLoop, LoopBreaker, true, "", "the same call again and again in one run")
	case c.nobody():
		j.whole(Failed, leverOfFailure(c.r), false, "", failure(c))
	case earlier != nil && exact:
		j.whole(ExactRepeat, ExactCache, true, earlier.id.String(), "the same request was answered within the hour")
	case earlier != nil:
		j.whole(NearRepeat, SemanticHits, true, earlier.id.String(), "nearly the same question was answered within the hour")
	case c.r.Semantic.Verdict == record.SemanticWould:
		j.whole(NearRepeat, SemanticHits, true, "", "the semantic cache, in shadow mode, would have answered")
	case j.askedAgain(c):
		j.whole(UnusedOutput, OutputCap, true, "", "the answer was cut at its cap, and the question asked again")
	}
	j.byParts(c)
	if j.left > 0 && j.survey.lacking(c) {
		j.whole(NoOutcome, Outcomes, false, "", "its run has no outcome, and the runs of its kind have")
	}
	if earlier == nil {
		j.remember(c)
	}
}

// whole gives all that is left to a class.
func (j *Judge) whole(class Class, l Lever, saving bool, of, why string) {
	j.take(class, j.left, Part{Lever: l, Saves: j.left, Saving: saving, Of: of, Why: why})
}

// take gives an amount to a class, at most what is left.
func (j *Judge) take(class Class, amount ledger.Amount, p Part) {
	if amount = min(amount, j.left); amount <= 0 {
		return
	}
	p.Class, p.Amount = class, amount
	j.left -= amount
	j.parts = append(j.parts, p)
}

func (j *Judge) askedAgain(c *call) bool {
	_, is := j.survey.again[c.id]
	return is && c.cut()
}

// loopOf says which repetition a rule about loops found a request to be part of, "" for
// none. That money goes fast is none.
func loopOf(r *record.Record) string {
	for i := range r.Rulings {
		p := &r.Rulings[i]
		if len(p.Policy) > len(record.LoopPolicy) && p.Policy[:len(record.LoopPolicy)] == record.LoopPolicy && p.Rule != "burn" {
			return p.Rule
		}
	}
	return ""
}

// inRun counts the same calls of a run that follow each other.
func (j *Judge) inRun(c *call) int {
	same := c.same()
	if c.run == 0 || same == 0 {
		return 0
	}
	k := uint64(c.run.number(uint64(same)))
	x, _ := j.loops.get(k)
	if c.r.At-x.at > j.opt.LoopWindow {
		x.times = 0
	}
	if c.r.Attempt <= 1 { // else it is the same request, tried again
		x.times++
	}
	x.at = c.end()
	j.loops.put(k, x)
	return x.times
}

func leverOfFailure(r *record.Record) Lever {
	if r.Outcome == record.Disconnected || r.Outcome == record.Completed {
		return Cancellation
	}
	return Retries
}

func failure(c *call) string {
	if c.undelivered() || c.r.Outcome == record.Disconnected {
		return "the client had gone before any of the answer reached it"
	}
	return "it ended as " + c.r.Outcome.String() + " and was billed"
}

// before finds an earlier answer that would have done.
func (j *Judge) before(c *call) (earlier *seen, exact bool) {
	if c.r.Gist == 0 {
		return nil, false
	}
	if s, ok := j.exact.get(uint64(c.same())); ok && s.id != c.id && c.r.At <= s.at+j.opt.ExactWindow {
		return &s, true
	}
	for i := range thirds {
		s, ok := j.near.get(c.third(i))
		if ok && s.id != c.id && c.r.At <= s.at+j.opt.NearWindow && gist.Near(s.gist, c.r.Gist) {
			return &s, false
		}
	}
	return nil, false
}

// Two gists that differ in two bits agree in one third at least.
const thirds = 3

// third names a part of the gist, with what must agree beside it.
func (c *call) third(i int) uint64 {
	const width = 22
	part := c.r.Gist >> (i * width) & (1<<width - 1)
	return uint64(newKey.number(c.r.Prefix).number(uint64(c.model)).number(uint64(i)<<width | part))
}

// remember keeps an answer for those who ask again.
func (j *Judge) remember(c *call) {
	if c.r.Gist == 0 || !c.answered() {
		return
	}
	s := seen{id: c.id, gist: c.r.Gist, at: c.end()}
	j.exact.put(uint64(c.same()), s)
	for i := range thirds {
		j.near.put(c.third(i), s)
	}
}
