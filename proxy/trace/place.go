package trace

import (
	"crypto/sha256"
	"encoding/binary"

	"purser/internal/record"
	"purser/ledger"
)

// Root says what a trace that no caller began is made of.
type Root uint8

// The roots.
const (
	RootCaller  Root = iota // the caller's span; no span is made for it
	RootRun                 // an agent's run
	RootSession             // a session, of requests that name no run
	RootRequest             // the request itself
)

// Scope is a span that stands for something of a run which has no request of its own.
type Scope struct {
	Kind ScopeKind
	Name string // as the client names it
	Span [8]byte
	Over [8]byte // the span it is part of; zero for the root
}

// ScopeKind is what a scope stands for.
type ScopeKind uint8

// The kinds of scope.
const (
	ScopeRun ScopeKind = iota
	ScopeSession
	ScopeAgent
	ScopeStep
	ScopeNamed // what a parent was called, and is not otherwise known
)

// maxScopes is the most scopes above a request: run, parent, agent and step.
const maxScopes = 4

// Place is where a request is in its trace.
type Place struct {
	Trace  [16]byte
	Span   [8]byte // of the request
	Parent [8]byte // of the request; zero where it is the root
	Root   Root

	scopes [maxScopes]Scope
	n      int
}

// Scopes are those above the request, each behind the one it is part of: the same
// for equal requests on every node. They are valid as long as p is.
func (p *Place) Scopes() []Scope { return p.scopes[:p.n] }

// Of says where a request is. It looks at the id, the dimensions, Step, Parent, Trace
// and Caller of its record.
//
// With a caller's context the caller's span is the parent, and nothing stands between:
// the caller knows its own steps. Without, the request is part of its step, that of its
// agent, that of its run. What the client gives as the parent stands for whatever the
// step is part of, or else the agent, or else the request; a parent that is the id of a
// request is that request's span.
func Of(r *record.Record) (p Place) {
	p.Span = RequestSpan(r.ID)
	if r.Trace != [16]byte{} && r.Caller != [8]byte{} {
		p.Trace, p.Parent, p.Root = r.Trace, r.Caller, RootCaller
		return p
	}
	org := r.Dims.Values[ledger.DimOrg]
	run, session := r.Dims.Values[ledger.DimRun], r.Dims.Values[ledger.DimSession]
	switch {
	case run != "":
		p.Root = RootRun
		p.begin(ScopeRun, org, run)
	case session != "":
		p.Root = RootSession
		p.begin(ScopeSession, org, session)
	default:
		p.Trace, p.Root = ownTrace(r.ID), RootRequest
		return p
	}
	agent := r.Dims.Values[ledger.DimAgent]
	switch {
	case r.Parent == "":
		p.under(ScopeAgent, agent)
		p.under(ScopeStep, r.Step)
	case r.Step != "" && r.Parent == agent:
		p.under(ScopeAgent, agent)
		p.under(ScopeStep, r.Step)
	case r.Step != "":
		p.below(r.Parent)
		p.under(ScopeStep, r.Step)
	default:
		p.below(r.Parent)
		p.under(ScopeAgent, agent)
	}
	return p
}

// begin makes the trace of a run or session, and its root.
func (p *Place) begin(kind ScopeKind, org, name string) {
	sum := digest(domainTrace, []byte{byte(kind)}, []byte(org), []byte(name))
	p.Trace = [16]byte(sum[:16])
	p.push(Scope{Kind: kind, Name: name, Span: p.scopeSpan("")})
}

// below makes what the client calls the parent the one that the next scope is part of.
func (p *Place) below(parent string) {
	if _, ok := record.ParseID(parent); ok {
		if span := RequestSpan(parent); span != p.Span {
			p.Parent = span
		}
		return
	}
	p.under(ScopeNamed, parent)
}

// under puts a scope below what there is. Names are one space: the agent and the step
// of one name are one span, and nothing is part of itself.
func (p *Place) under(kind ScopeKind, name string) {
	if name == "" {
		return
	}
	span := p.scopeSpan(name)
	for i := range p.n {
		if p.scopes[i].Span == span {
			return
		}
	}
	p.push(Scope{Kind: kind, Name: name, Span: span, Over: p.Parent})
}

func (p *Place) push(s Scope) {
	p.scopes[p.n] = s
	p.n++
	p.Parent = s.Span
}

func (p *Place) scopeSpan(name string) [8]byte {
	return spanOf(digest(domainScope, p.Trace[:], []byte(name)))
}

// RequestSpan is the id of a request's span.
func RequestSpan(id string) [8]byte { return spanOf(digest(domainRequest, []byte(id))) }

// CallSpan is the id of the span of a request's n-th upstream call, from 1.
func CallSpan(id string, n int) [8]byte {
	return spanOf(digest(domainCall, []byte(id), binary.AppendUvarint(nil, uint64(n))))
}

// ownTrace is the trace of a request that belongs to nothing else: the bytes of its id,
// half of them random, so that either can be found from the other.
func ownTrace(id string) [16]byte {
	if b, ok := record.ParseID(id); ok && b != (record.ID{}) {
		return [16]byte(b)
	}
	sum := digest(domainRequest, []byte(id))
	return [16]byte(sum[16:])
}

// What ids are made of; changing one gives every span another.
const (
	domainTrace   = "purser trace 1"
	domainScope   = "purser scope 1"
	domainRequest = "purser request 1"
	domainCall    = "purser call 1"
)

// digest hashes parts so that no two lists of them have one form.
func digest(domain string, parts ...[]byte) [sha256.Size]byte {
	b := make([]byte, 0, 256)
	b = append(b, domain...)
	for _, part := range parts {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	return sha256.Sum256(b)
}

// spanOf takes an id from a hash. Zero would be no id.
func spanOf(sum [sha256.Size]byte) (id [8]byte) {
	copy(id[:], sum[:])
	if id == [8]byte{} {
		id[7] = 1
	}
	return id
}
