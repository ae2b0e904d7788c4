package governance

import (
	"slices"
	"strings"

	"purser/internal/directory"
	"purser/proxy/policy"
)

// Policy is a rule on what may be asked; its id is the object's.
type Policy struct {
	policy.Spec
}

// Refs implements Spec: whose requests it is for it says by values of dimensions,
// which need not be registered.
func (*Policy) Refs() []directory.Ref { return nil }

// compilePolicies makes the set of all of them.
func (r *reading) compilePolicies() (*policy.Set, error) {
	byID, same, err := compile[Policy](r, directory.ObjectPolicy, nil)
	switch {
	case same:
		return r.before.policies, nil
	case err != nil || len(byID) == 0:
		return nil, err
	}
	list := make([]policy.Spec, 0, len(byID))
	for id, p := range byID {
		p.ID = id
		list = append(list, p.Spec)
	}
	slices.SortFunc(list, func(a, b policy.Spec) int { return strings.Compare(a.ID, b.ID) })
	return r.before.policies.Next(list)
}

// Policies say which requests may run; nil where there are none.
func (s *Snapshot) Policies() *policy.Set { return s.policies }
