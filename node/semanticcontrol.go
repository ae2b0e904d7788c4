package node

import (
	"context"
	"encoding/hex"
	"strconv"
	"strings"

	"purser/api/admin"
	"purser/internal/directory"
	"purser/proxy"
	"purser/semcache/semantic"
)

// theSemantic is the semantic cache, for who asks about it.
func (c control) theSemantic() (*semantic.Tier, error) {
	if c.n.semantic == nil {
		return nil, admin.Conflict("this node has no semantic cache: semcache.enabled or cache.enabled is false")
	}
	return c.n.semantic.tier, nil
}

// SemcacheStats implements admin.Semcache.
func (c control) SemcacheStats(context.Context) (out admin.SemcacheStats, err error) {
	tier, err := c.theSemantic()
	if err != nil {
		return out, err
	}
	s := tier.Stats()
	out = admin.SemcacheStats{
		Embedder: s.Embedder, Shared: s.Shared, Entries: s.Entries, Tenants: s.Tenants, Scopes: s.Scopes,
		Verdicts: s.Verdicts, Reasons: s.Reasons, Counts: s.Counts, Labels: s.Labels, Routes: []admin.SemcacheRoute{}, Curve: []admin.SemcachePoint{},
	}
	for _, r := range s.Routes {
		out.Routes = append(out.Routes, admin.SemcacheRoute{
			Route: r.Route, Bound: r.Delta, Bar: r.Bar, Level: r.Level, Off: r.Off, Labels: r.Labels, Wrong: r.Wrong, Undecided: r.Undecided, Lower: r.Lower, Upper: r.Upper,
		})
	}
	for _, p := range s.Curve {
		out.Curve = append(out.Curve, admin.SemcachePoint{From: p.From, HitRatio: p.HitRatio, Precision: p.Precision, Labels: p.Labels})
	}
	return out, nil
}

// ExplainSemcache implements admin.Semcache.
func (c control) ExplainSemcache(ctx context.Context, q admin.SemcacheQuestion) (out admin.SemcacheTrace, err error) {
	tier, err := c.theSemantic()
	if err != nil {
		return out, err
	}
	key, ok := c.n.fsm.Directory().Key(directory.KeyID(q.Call.Key))
	if !ok {
		return out, admin.NotFound("no key " + q.Call.Key)
	}
	r := &proxy.Request{Method: q.Call.Method, Header: fields(q.Call.Headers), Body: q.Call.Body}
	if r.Method == "" {
		r.Method = "POST"
	}
	r.Path, r.Query, _ = strings.Cut(q.Call.Path, "?")
	found, err := c.n.gateway.ExplainSemantic(ctx, r, principalOf(key), tracer{tier, q.Text})
	if err != nil {
		return out, admin.Invalid("call: " + err.Error())
	}
	return found.(admin.SemcacheTrace), nil
}

// tracer asks the tier on behalf of an administrator.
type tracer struct {
	tier *semantic.Tier
	text string // instead of the request's, if there is one
}

// Explain implements proxy.SemanticTrace.
func (t tracer) Explain(ctx context.Context, q *proxy.SemanticQuestion) any {
	s := questionOf(q)
	if t.text != "" {
		s.Text = t.text
	}
	f, scope, list := t.tier.Explain(ctx, s)
	out := admin.SemcacheTrace{
		Verdict: f.Verdict.String(), Reason: f.Reason, Similarity: f.Similarity, Probability: f.Probability, ErrorBound: f.Bound, Bar: t.tier.Bar(s),
		Candidates: []admin.SemcacheCandidate{},
	}
	if scope != (semantic.Scope{}) {
		out.Scope = hex.EncodeToString(scope[:])
	}
	if f.Entry != (semantic.EntryID{}) {
		out.Entry = entryName(f.Entry)
	}
	for _, c := range list {
		out.Candidates = append(out.Candidates, admin.SemcacheCandidate{
			Entry: entryName(c.Entry), Similarity: c.Similarity, Shared: c.Shared, Guards: c.Guards, Doubts: c.Doubts, Features: c.Features,
			Probability: c.Probability, Lower: c.Lower, Reason: c.Reason,
		})
	}
	return out
}

// entryName is an entry as usage records name it.
func entryName(id semantic.EntryID) string { return hex.EncodeToString(id[:8]) }

// PurgeSemcache implements admin.Semcache.
func (c control) PurgeSemcache(ctx context.Context, p admin.SemcachePurge) (out admin.SemcachePurged, err error) {
	tier, err := c.theSemantic()
	if err != nil {
		return out, err
	}
	if p.Entry != "" {
		name, err := strconv.ParseUint(p.Entry, 16, 64)
		if err != nil || len(p.Entry) != 16 || p.Tenant != "" || p.Scope != "" {
			return out, admin.Invalid("entry is 16 hexadecimal digits, and stands alone")
		}
		if err := c.n.noted(ctx, change{action: "semcache.purge", target: "semcache", after: p}); err != nil {
			return out, err
		}
		out.Removed, err = tier.PurgeEntry(ctx, name)
		return out, purged(err)
	}
	w := semantic.Which{Tenant: p.Tenant}
	if p.Scope != "" {
		b, err := hex.DecodeString(p.Scope)
		if err != nil || len(b) != len(w.Scope) {
			return out, admin.Invalid("scope is 64 hexadecimal digits")
		}
		copy(w.Scope[:], b)
	}
	if err := c.n.noted(ctx, change{action: "semcache.purge", target: "semcache", after: p}); err != nil {
		return out, err
	}
	out.Removed, err = tier.Purge(ctx, w)
	return out, purged(err)
}

// purged tells that a purge is not complete.
func purged(err error) error {
	if err != nil {
		return admin.Undecided(err.Error() + "; this node's entries are gone, try again")
	}
	return nil
}

// ResetSemcache implements admin.Semcache.
func (c control) ResetSemcache(ctx context.Context, r admin.SemcacheReset) (out admin.SemcachePurged, err error) {
	tier, err := c.theSemantic()
	if err != nil {
		return out, err
	}
	if err := c.n.noted(ctx, change{action: "semcache.reset", target: "semcache", after: r}); err != nil {
		return out, err
	}
	if out.Removed = tier.Reset(r.Route); out.Removed == 0 && r.Route != "" {
		return out, admin.NotFound("nothing was measured of a route " + r.Route)
	}
	return out, nil
}
