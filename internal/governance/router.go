package governance

import (
	"iter"
	"maps"

	"purser/internal/directory"
	"purser/proxy/route/learned"
)

// Router is what was learned of the candidates of routes, by kinds of prompt.
type Router struct{ learned.Router }

// Refs implements Spec.
func (*Router) Refs() []directory.Ref { return nil }

// compileRouters reads the routers. Those that have not changed are not read again.
func (r *reading) compileRouters() (map[string]*learned.Router, error) {
	specs, same, err := compile[Router](r, directory.ObjectRouter, nil)
	if err != nil || same {
		return r.before.routers, err
	}
	out := make(map[string]*learned.Router, len(specs))
	before, now := r.before.read[directory.ObjectRouter], r.into.read[directory.ObjectRouter]
	for id, spec := range specs {
		if was, ok := r.before.routers[id]; ok && before[id].version == now[id].version {
			out[id] = was
			continue
		}
		out[id] = &spec.Router
	}
	return out, nil
}

// Router is what was learned under an ID; nil where there is none.
func (s *Snapshot) Router(id string) *learned.Router { return s.routers[id] }

// Routers are all of them, in no order.
func (s *Snapshot) Routers() iter.Seq2[string, *learned.Router] { return maps.All(s.routers) }
