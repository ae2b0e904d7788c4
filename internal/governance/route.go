package governance

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"purser/internal/directory"
	"purser/ledger"
	"purser/proxy/route"
)

// Route is a name under which clients ask for a model: its ID is what they send. It
// has a model, or candidates of which one is chosen for each request.
type Route struct {
	Model       string `json:"model,omitempty"`    // as upstreams name it
	Upstream    string `json:"upstream,omitempty"` // "" for any that serves the model
	Description string `json:"description,omitempty"`
	route.Spec
}

// Validate implements Spec.
func (r *Route) Validate() error {
	_, err := r.Compile("")
	return errors.Join(err, texts("model", r.Model, "upstream", r.Upstream, "description", r.Description))
}

// Refs implements Spec: what scores its candidates cannot be deleted.
func (r *Route) Refs() []directory.Ref {
	if r.Learner == "" {
		return nil
	}
	return []directory.Ref{{Kind: directory.ObjectRouter, ID: r.Learner}}
}

// Compile makes of it what requests for that name go by.
func (r *Route) Compile(name string) (*route.Route, error) {
	candidates := !reflect.DeepEqual(r.Spec, route.Spec{})
	switch {
	case r.Model == "" && !candidates:
		return nil, errors.New("model is missing, or candidates")
	case candidates && (r.Model != "" || r.Upstream != ""):
		return nil, errors.New("model and upstream are those of a route without candidates; leave them out, or the fields of one with candidates")
	case candidates:
		return route.Compile(name, r.Spec)
	case len(r.Model) > ledger.MaxDimValue:
		return nil, fmt.Errorf("model has %d bytes, the most is %d", len(r.Model), ledger.MaxDimValue)
	}
	return route.Alias(name, r.Model, r.Upstream), nil
}

// compileRoutes reads the routes. Those that have not changed are not compiled again.
func (r *reading) compileRoutes() (map[string]*route.Route, error) {
	specs, same, err := compile[Route](r, directory.ObjectRoute, nil)
	if err != nil || same {
		return r.before.routes, err
	}
	out := make(map[string]*route.Route, len(specs))
	before, now := r.before.read[directory.ObjectRoute], r.into.read[directory.ObjectRoute]
	for id, spec := range specs {
		if was, ok := r.before.routes[id]; ok && before[id].version == now[id].version {
			out[id] = was
			continue
		}
		if out[id], err = spec.Compile(id); err != nil {
			return nil, fmt.Errorf("route %s is not readable by this build: %w", id, err)
		}
	}
	return out, nil
}

// Route is what a name that clients ask for stands for; nil where it is none.
func (s *Snapshot) Route(name string) *route.Route { return s.routes[name] }

// RouteNames lists those names, in order.
func (s *Snapshot) RouteNames() []string { return slices.Sorted(maps.Keys(s.routes)) }
