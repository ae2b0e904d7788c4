package policy

import (
	"fmt"
	"strings"

	"purser/internal/record"
)

// answer is what a condition says.
type answer uint8

const (
	no answer = iota
	yes
	unknown
)

// run is one asking of a set.
type run struct {
	in     *Input
	params Params

	step      int   // of the bound in use
	bound     Bound // meaningful when bounded
	bounded   bool  // it was asked for, with the parameters as they are
	consulted bool  // the rule that is asked went by the bound

	why *strings.Builder // nil unless the asking is explained
}

func (r *run) begin(in *Input) {
	*r = run{in: in, params: in.Params}
	in.rulings = in.rulings[:0]
}

// known is the bound in use, false where the call has none.
func (r *run) known() (Bound, bool) {
	r.consulted = true
	if r.in.Bounds == nil {
		return Bound{}, false
	}
	for ; !r.bounded && r.step < r.in.Bounds.Steps(); r.step++ {
		if r.bound, r.bounded = r.in.Bounds.Bound(r.step, r.params); r.bounded {
			break
		}
	}
	return r.bound, r.bounded
}

// tighten takes the next bound that is tighter; false where there is none.
func (r *run) tighten() bool {
	if !r.bounded {
		return false
	}
	for step := r.step + 1; step < r.in.Bounds.Steps(); step++ {
		if b, ok := r.in.Bounds.Bound(step, r.params); ok && (b.Input < r.bound.Input || b.Cost < r.bound.Cost) {
			r.step, r.bound = step, b
			return true
		}
	}
	return false
}

// say adds to the explanation.
func (r *run) say(format string, args ...any) {
	if r.why == nil {
		return
	}
	if r.why.Len() > 0 {
		r.why.WriteString("; ")
	}
	fmt.Fprintf(r.why, format, args...)
}

func (r *run) rule(p *compiled, u *rule, e record.Effect) {
	if len(r.in.rulings) == record.MaxRulings {
		if e != record.PolicyDenied && e != record.PolicyUndecided {
			return
		}
		r.in.rulings = r.in.rulings[:record.MaxRulings-1] // a denial is always told
	}
	r.in.rulings = append(r.in.rulings, Ruling{
		Ruling:  record.Ruling{Policy: p.id, Rule: u.id, Effect: e, Shadow: p.shadow},
		Message: u.message,
	})
}

// Decide asks the policies that match the request.
func (s *Set) Decide(in *Input) Decision {
	r := &in.run
	r.begin(in)
	var room [maxUsual]int32
	for _, i := range s.matching(in.Dims, room[:0]) {
		if s.policies[i].ask(r, nil) {
			return Decision{Denied: &in.rulings[len(in.rulings)-1], Params: r.params, Rulings: in.rulings}
		}
	}
	return Decision{Params: r.params, Rulings: in.rulings}
}

// maxUsual is how many policies match a request without an allocation.
const maxUsual = 64

// ask asks the policy's rules in order, and says whether the request is denied.
func (p *compiled) ask(r *run, steps *[]Step) (denied bool) {
	if p.shadow { // also the bound that it tightened is nothing to the others
		step, bound, bounded := r.step, r.bound, r.bounded
		defer func() { r.step, r.bound, r.bounded = step, bound, bounded }()
	}
	for i := range p.rules {
		u := &p.rules[i]
		if steps != nil {
			r.why = new(strings.Builder)
		}
		a := u.applies(r)
		end, denied := p.carry(r, u, a)
		if steps != nil {
			*steps = append(*steps, p.step(u, a, r.why.String()))
			r.why = nil
		}
		if end {
			return denied
		}
	}
	return false
}

// carry does what the rule's answer asks for, and says whether that ends the policy,
// and the request.
func (p *compiled) carry(r *run, u *rule, a answer) (end, denied bool) {
	switch a {
	case no:
		return false, false
	case unknown:
		r.rule(p, u, record.PolicyUndecided)
		return true, !p.shadow
	}
	switch u.outcome {
	case Allow:
		return true, false
	case Warn:
		r.rule(p, u, record.PolicyWarned)
		return false, false
	case Rewrite:
		return p.lower(r, u)
	default:
		r.rule(p, u, record.PolicyDenied)
		return true, !p.shadow
	}
}

// lower carries a rewrite out. One that cannot be written denies: the cap that the
// operator wants would be missing.
func (p *compiled) lower(r *run, u *rule) (end, denied bool) {
	q := u.caps.lower(r.params)
	if q == r.params {
		r.say("no parameter is above its cap")
		return false, false
	}
	if r.in.Uncapped && q.MaxOutput != r.params.MaxOutput {
		r.say("%s takes no cap on its output", r.in.Endpoint)
		r.rule(p, u, record.PolicyUndecided)
		return true, !p.shadow
	}
	r.rule(p, u, record.PolicyRewrote)
	if r.why != nil {
		r.say("%s", strings.Join(q.Differences(r.params), ", "))
	}
	if !p.shadow {
		r.params, r.bounded = q, false
	}
	return false, false
}

// applies asks whether the rule applies, with a tighter bound for as long as the
// answer goes by one and is to the caller's disadvantage.
func (u *rule) applies(r *run) answer {
	for {
		r.consulted = false
		a := u.holds(r)
		favourable := no
		if u.outcome == Allow {
			favourable = yes
		}
		if !r.consulted || a == favourable || !r.tighten() {
			return a
		}
		if r.why != nil {
			r.why.Reset()
		}
	}
}

// holds says whether when holds and unless does not. A doubt counts against the
// caller: see [test].
func (u *rule) holds(r *run) answer {
	grants := u.outcome == Allow
	when := u.when.ask(r, grants)
	if when == no {
		return no
	}
	unless := no
	if u.exception {
		r.say("unless:")
		unless = u.unless.ask(r, !grants)
	}
	switch {
	case unless == yes:
		return no
	case unless == unknown:
		return unknown
	}
	return when
}
