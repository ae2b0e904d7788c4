package route

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"purser/ledger"
	"purser/proxy/policy"
)

// Route is a name that clients ask for, compiled. It is immutable and safe for
// concurrent use.
type Route struct {
	name  string
	alias bool
	spec  Spec
	when  []*policy.Expression // of each candidate; nil: always
	names []string             // of each candidate
	// params says that a condition goes by the temperature or top_p.
	params bool
	base   int // index of the baseline; -1 for none
}

// Alias is the route that is another name of one model, at one upstream or, with "",
// at any.
func Alias(name, model, upstream string) *Route {
	return &Route{name: name, alias: true, base: -1, spec: Spec{Candidates: []Candidate{{Model: model, Upstream: upstream}}}}
}

// Compile makes a route. The error has every fault, each with where it is.
func Compile(name string, s Spec) (*Route, error) {
	s.Strategy = cmp.Or(s.Strategy, Fallback)
	errs := []error{s.validate()}
	r := &Route{name: name, spec: s, base: -1}
	for i := range s.Candidates[:min(len(s.Candidates), MaxCandidates)] {
		c := &s.Candidates[i]
		r.names = append(r.names, c.name())
		if s.Baseline != "" && c.name() == s.Baseline {
			r.base = i
		}
		if c.When == "" {
			r.when = append(r.when, nil)
			continue
		}
		when, err := policy.NewExpression(c.When)
		if err != nil {
			errs = append(errs, fmt.Errorf("candidates[%d] (%s): when: %w", i, policy.Clip(c.name()), err))
			continue
		}
		r.when = append(r.when, when)
		r.params = r.params || when.ReadsSampling()
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, nil
}

// Name is what clients ask for.
func (r *Route) Name() string { return r.name }

// Alias says that the route is another name of its one candidate, which is all there
// is to choose.
func (r *Route) Alias() bool { return r.alias }

// Strategy is how the candidates are put in order.
func (r *Route) Strategy() Strategy { return r.spec.Strategy }

// Candidates are those of the spec, in its order. They are not to be written.
func (r *Route) Candidates() []Candidate { return r.spec.Candidates }

// Named is the ID of a candidate.
func (r *Route) Named(i int) string { return r.names[i] }

// Baseline is the candidate that savings are counted against, by its index.
func (r *Route) Baseline() (int, bool) { return r.base, r.base >= 0 }

// Attempts is how often each candidate is asked before the next.
func (r *Route) Attempts() int { return max(r.spec.MaxAttempts, 1) }

// Passes says whether the next candidate is tried after one ended for the cause.
func (r *Route) Passes(c Cause) bool {
	switch {
	case len(r.spec.RetryOn) > 0:
		return slices.Contains(r.spec.RetryOn, c)
	case c == Budget:
		return r.spec.Strategy == BudgetAware
	}
	return slices.Contains(usualCauses, c)
}

// PassesDenied says whether the next candidate is tried where a policy or redaction
// forbids one.
func (r *Route) PassesDenied() bool { return r.spec.OnDenied != Refuse }

// Sticky is the dimension that the route sticks to.
func (r *Route) Sticky() (ledger.Dim, bool) {
	d, ok := stickies[r.spec.Sticky]
	return d, ok
}

// usualOutput is how many tokens an answer is expected to have where the route does
// not say.
const usualOutput = 512

// ExpectedOutput is how many tokens an answer is expected to have.
func (r *Route) ExpectedOutput() int64 { return cmp.Or(r.spec.ExpectedOutput, usualOutput) }

// Learner is the artifact that scores the candidates, "" for none.
func (r *Route) Learner() string { return r.spec.Learner }

// Chance is the number that the request's draws come of: its own chance, or what it
// sticks to, which every node makes the same number of.
func (r *Route) Chance(f *Facts) uint64 { return uint64(newDraws(r.name, f.Sticky, f.Random)) }

// ReadsSampling says whether a condition goes by the temperature or top_p: else the
// facts need not have them.
func (r *Route) ReadsSampling() bool { return r.params }

// ReadsRequest says whether a candidate has a condition: else the facts need no input.
func (r *Route) ReadsRequest() bool {
	return slices.ContainsFunc(r.when, func(e *policy.Expression) bool { return e != nil })
}
