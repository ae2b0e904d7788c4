package desired

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Held is what a cluster has: by kind and ID.
type Held map[string]map[string]Item

// Item is one thing with the version it was read at.
type Item struct {
	Version uint64
	Spec    json.RawMessage // normal
}

// Op is what is to happen.
type Op uint8

// The operations.
const (
	Create Op = iota + 1
	Change
	Delete
	// Drift is a thing that the file does not have and that stays.
	Drift
)

var marks = [...]string{Create: "+", Change: "~", Delete: "-", Drift: "?"}

// Step is one change of a plan.
type Step struct {
	Op       Op
	Kind, ID string
	Version  uint64 // that the thing is to have when it is changed or deleted
	Before   json.RawMessage
	After    json.RawMessage
	Shown    json.RawMessage // After, as a cluster shows it
}

// Plan is what makes a cluster as a set says: first what is made and changed, each
// kind after those it may refer to, then what is deleted, the other way round.
// Without prune nothing is deleted; what would be is Drift, at the end.
func Plan(have Held, want Set, kinds []Kind, prune bool) []Step {
	var steps, gone []Step
	for _, k := range kinds {
		items, there := want[k.Plural]
		if !there {
			continue
		}
		for _, id := range inOrder(items, k.After) {
			spec := items[id]
			shown := spec
			if k.Shown != nil {
				shown = k.Shown(spec)
			}
			was, exists := have[k.Plural][id]
			switch {
			case !exists:
				steps = append(steps, Step{Op: Create, Kind: k.Plural, ID: id, After: spec, Shown: shown})
			case !bytes.Equal(was.Spec, shown):
				steps = append(steps, Step{Op: Change, Kind: k.Plural, ID: id, Version: was.Version, Before: was.Spec, After: spec, Shown: shown})
			}
		}
		held := map[string]json.RawMessage{}
		for id, item := range have[k.Plural] {
			held[id] = item.Spec
		}
		for _, id := range inOrder(held, k.After) {
			if _, wanted := items[id]; !wanted {
				step := Step{Op: Drift, Kind: k.Plural, ID: id, Version: have[k.Plural][id].Version, Before: held[id]}
				if prune {
					step.Op = Delete
				}
				gone = append(gone, step)
			}
		}
	}
	slices.Reverse(gone)
	return append(steps, gone...)
}

// inOrder lists IDs alphabetically, but each after those that have to be there
// before it. What is left of a circle comes last: a node will refuse it.
func inOrder(items map[string]json.RawMessage, after func(json.RawMessage) []string) []string {
	rest := slices.Sorted(maps.Keys(items))
	if after == nil {
		return rest
	}
	var out []string
	placed := map[string]bool{}
	for len(rest) > 0 {
		var later []string
		for _, id := range rest {
			if slices.ContainsFunc(after(items[id]), func(other string) bool { _, here := items[other]; return here && !placed[other] }) {
				later = append(later, id)
				continue
			}
			placed[id] = true
			out = append(out, id)
		}
		if len(later) == len(rest) {
			return append(out, later...)
		}
		rest = later
	}
	return out
}

// String writes a step as a person reads it: a line, and for a change a line for
// each field.
func (s *Step) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", marks[s.Op], s.Kind, s.ID)
	switch s.Op {
	case Create:
		fmt.Fprintf(&b, " %s", s.Shown)
	case Drift:
		b.WriteString(" is not in the file")
	case Change:
		for _, d := range differences("", s.Before, s.Shown) {
			fmt.Fprintf(&b, "\n    %s: %s → %s", d.path, d.before, d.after)
		}
	case Delete:
	}
	return b.String()
}

type difference struct{ path, before, after string }

// differences lists the fields that differ; objects are looked into, lists are not.
func differences(path string, before, after json.RawMessage) []difference {
	var x, y map[string]json.RawMessage
	if json.Unmarshal(before, &x) != nil || json.Unmarshal(after, &y) != nil || x == nil || y == nil {
		if bytes.Equal(before, after) {
			return nil
		}
		return []difference{{path, textOf(before), textOf(after)}}
	}
	all := map[string]bool{}
	for name := range x {
		all[name] = true
	}
	for name := range y {
		all[name] = true
	}
	var out []difference
	for _, name := range slices.Sorted(maps.Keys(all)) {
		at := name
		if path != "" {
			at = path + "." + name
		}
		out = append(out, differences(at, x[name], y[name])...)
	}
	return out
}

func textOf(b json.RawMessage) string {
	if len(b) == 0 {
		return "(none)"
	}
	return string(b)
}
