package otlp

import (
	"purser/ledger"
	"purser/proxy/trace"
)

// scopeNames are the names of the spans of scopes, and their operations.
var scopeNames = [...]struct{ name, operation string }{
	trace.ScopeRun:     {"run", "invoke_workflow"},
	trace.ScopeSession: {"session", "invoke_workflow"},
	trace.ScopeAgent:   {"invoke_agent", "invoke_agent"},
	trace.ScopeStep:    {"step", ""},
	trace.ScopeNamed:   {"step", ""},
}

// scope are the attributes of a scope's span, and its name.
func scope(a attributes, e *scopeEvent) (name string) {
	s, of := e.scope, &e.of.rec.Dims
	n := scopeNames[s.Kind]
	a.text("gen_ai.operation.name", n.operation)
	a.text("gen_ai.conversation.id", of.Values[ledger.DimSession])
	switch s.Kind {
	case trace.ScopeAgent:
		name = n.name + " " + s.Name
		a.text("gen_ai.agent.id", s.Name)
		a.text("gen_ai.agent.name", s.Name)
	case trace.ScopeStep, trace.ScopeNamed:
		name = n.name + " " + s.Name
		a.text("purser.step", s.Name)
	default:
		name = n.name
		if s.Kind == trace.ScopeRun {
			a.text("gen_ai.workflow.name", of.Values[ledger.DimAgent])
		}
	}
	for _, d := range [...]ledger.Dim{ledger.DimOrg, ledger.DimRun, ledger.DimSession} {
		a.text("purser."+ledger.DimRef{Dim: d}.String(), of.Values[d])
	}
	a.text("purser.scope.first_request", e.of.rec.ID)
	return name
}

// told remembers which scopes have had their span. It holds so many at most, the newest
// for longer.
type told struct {
	most           int
	newer, earlier map[[24]byte]bool
}

func newTold(most int) *told { return &told{most: most, newer: map[[24]byte]bool{}} }

// first says whether a scope is met for the first time, as far as is remembered.
func (t *told) first(id [16]byte, span [8]byte) bool {
	key := [24]byte(append(id[:], span[:]...))
	if t.newer[key] {
		return false
	}
	known := t.earlier[key]
	if len(t.newer) >= t.most/2 {
		t.earlier, t.newer = t.newer, make(map[[24]byte]bool, t.most/2)
	}
	t.newer[key] = true
	return !known
}
