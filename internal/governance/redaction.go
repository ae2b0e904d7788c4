package governance

import (
	"slices"
	"strings"

	"purser/internal/directory"
	"purser/proxy/redaction"
)

// Redaction is what is looked for in texts, and what becomes of it; its id is the
// object's.
type Redaction struct {
	redaction.Spec
}

// Refs implements Spec: whose requests it is for it says by values of dimensions,
// which need not be registered.
func (*Redaction) Refs() []directory.Ref { return nil }

// redactions reads all of them, in order.
func (r *reading) redactions() ([]redaction.Spec, error) {
	byID, same, err := compile[Redaction](r, directory.ObjectRedaction, nil)
	switch {
	case err != nil:
		return nil, err
	case same:
		return r.before.redactions, nil
	}
	var list []redaction.Spec
	for id, r := range byID {
		r.ID = id
		list = append(list, r.Spec)
	}
	slices.SortFunc(list, func(a, b redaction.Spec) int { return strings.Compare(a.ID, b.ID) })
	return list, nil
}

// Redactions are the specs of all of them, in order of their ids. A node compiles
// them, with the rules and the key that it has.
func (s *Snapshot) Redactions() []redaction.Spec { return s.redactions }
