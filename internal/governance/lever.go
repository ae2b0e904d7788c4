package governance

import (
	"cmp"
	"fmt"
	"slices"

	"purser/internal/directory"
	"purser/ledger"
	"purser/proxy/lever"
)

// Lever says what is done with requests so that they cost less.
type Lever struct{ lever.Spec }

// Refs implements Spec.
func (*Lever) Refs() []directory.Ref { return nil }

// compileLevers reads the settings of levers, in the order of their IDs.
func (r *reading) compileLevers() ([]*lever.Rule, error) {
	specs, same, err := compile[Lever](r, directory.ObjectLever, nil)
	switch {
	case err != nil:
		return nil, err
	case same:
		return r.before.levers, nil
	}
	var out []*lever.Rule
	for id, spec := range specs {
		r, err := spec.Rule(id)
		if err != nil {
			return nil, fmt.Errorf("lever %s: %w", id, err)
		}
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *lever.Rule) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// Levers is the settings of a request that asks for a name, of a route or a model.
func (s *Snapshot) Levers(asked string, d *ledger.Dimensions) lever.Set {
	return lever.Choose(s.levers, asked, d)
}
