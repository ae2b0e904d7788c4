package governance

import (
	"cmp"
	"fmt"
	"slices"

	"purser/internal/directory"
	"purser/ledger"
	"purser/proxy/loop"
)

// Loop says which repetitions of runs and sessions are loops, and what to do.
type Loop struct{ loop.Spec }

// Refs implements Spec.
func (*Loop) Refs() []directory.Ref { return nil }

// compileLoops reads the loop rules, in the order of their IDs.
func (r *reading) compileLoops() ([]*loop.Rule, error) {
	specs, same, err := compile[Loop](r, directory.ObjectLoop, nil)
	switch {
	case err != nil:
		return nil, err
	case same:
		return r.before.loops, nil
	}
	var out []*loop.Rule
	for id, spec := range specs {
		r, err := spec.Rule(id)
		if err != nil {
			return nil, fmt.Errorf("loop %s: %w", id, err)
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *loop.Rule) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// Loop is the rule that repetitions of a request are judged by: the first by its ID
// that covers it. Nil is none.
func (s *Snapshot) Loop(d *ledger.Dimensions) *loop.Rule {
	for _, r := range s.loops {
		if r.Covers(d) {
			return r
		}
	}
	return nil
}
