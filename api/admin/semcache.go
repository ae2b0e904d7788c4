package admin

import (
	"context"
	"encoding/json"
	"net/http"
)

// Semcache is the semantic cache of the node that is asked.
type Semcache interface {
	SemcacheStats(context.Context) (SemcacheStats, error)
	// ExplainSemcache says what a request would find, and why.
	ExplainSemcache(context.Context, SemcacheQuestion) (SemcacheTrace, error)
	// PurgeSemcache removes entries, and their answers from the exact cache.
	PurgeSemcache(context.Context, SemcachePurge) (SemcachePurged, error)
	// ResetSemcache begins anew what was measured of a route, or of all.
	ResetSemcache(context.Context, SemcacheReset) (SemcachePurged, error)
}

// SemcacheStats are counts since the node started, and what there is.
type SemcacheStats struct {
	Embedder string            `json:"embedder"` // its id
	Shared   bool              `json:"shared"`   // there is a tier that nodes share
	Entries  int64             `json:"entries"`
	Tenants  int               `json:"tenants"`
	Scopes   int               `json:"scopes"`
	Verdicts map[string]uint64 `json:"verdicts"` // of lookups
	Reasons  map[string]uint64 `json:"reasons"`  // of the verdicts
	Counts   map[string]uint64 `json:"counts"`
	Labels   map[string]uint64 `json:"labels"` // answers made anew and compared: agrees, disagrees, undecided
	Routes   []SemcacheRoute   `json:"routes"`
	Curve    []SemcachePoint   `json:"curve"`
}

// SemcacheRoute is the error that was measured on a route, for one bound of error.
type SemcacheRoute struct {
	Route     string  `json:"route"`
	Bound     float64 `json:"error_bound"` // how often an answer may be wrong
	Bar       float64 `json:"bar"`         // lower bound of being right that entries have to reach at present
	Level     int     `json:"level"`       // each higher one halves the error that is allowed for
	Off       bool    `json:"off"`         // nothing similar is served, until a reset
	Labels    uint64  `json:"labels"`      // answers made anew and compared, since the level changed
	Wrong     uint64  `json:"wrong"`
	Undecided uint64  `json:"undecided"`   // comparisons that could not tell, since the start
	Lower     float64 `json:"error_lower"` // one-sided bounds of the error, 95 % each
	Upper     float64 `json:"error_upper"`
}

// SemcachePoint is what would be served if everything from a lower bound on were.
type SemcachePoint struct {
	From      float64 `json:"from"`
	HitRatio  float64 `json:"hit_ratio"` // of eligible lookups
	Precision float64 `json:"precision"` // of those that were compared; 0 without any
	Labels    uint64  `json:"labels"`
}

// SemcacheQuestion is a request that a key would send now. Text, if there is one, takes
// the place of its question.
type SemcacheQuestion struct {
	Call PolicyCall `json:"call"`
	Text string     `json:"text,omitempty"`
}

// SemcacheTrace is what the request would find.
type SemcacheTrace struct {
	Verdict     string              `json:"verdict"`
	Reason      string              `json:"reason"`
	Scope       string              `json:"scope,omitempty"` // hexadecimal
	Entry       string              `json:"entry,omitempty"` // of the best
	Similarity  float64             `json:"similarity"`
	Probability float64             `json:"probability"` // lower bound of being right
	Bar         float64             `json:"bar"`         // what that has to reach
	ErrorBound  float64             `json:"error_bound"` // upper bound of the route's error; 1 while unknown
	Candidates  []SemcacheCandidate `json:"candidates"`
}

// SemcacheCandidate is one entry that was looked at.
type SemcacheCandidate struct {
	Entry       string             `json:"entry"`
	Similarity  float64            `json:"similarity"`
	Shared      bool               `json:"shared,omitempty"`
	Guards      []string           `json:"guards,omitempty"` // that forbid it
	Doubts      []string           `json:"doubts,omitempty"`
	Features    map[string]float64 `json:"features,omitempty"`
	Probability float64            `json:"probability"`
	Lower       float64            `json:"lower"`
	Reason      string             `json:"reason"`
}

// SemcachePurge says what goes: everything of a tenant's, a scope, one entry; or all.
type SemcachePurge struct {
	Tenant string `json:"tenant,omitempty"` // "org:<id>" or "key:<id>"
	Scope  string `json:"scope,omitempty"`  // hexadecimal, as explain shows it
	Entry  string `json:"entry,omitempty"`  // hexadecimal, as usage records have it
	All    bool   `json:"all,omitempty"`
}

// SemcacheReset names the route, by its upstream; "" is all.
type SemcacheReset struct {
	Route string `json:"route,omitempty"`
}

// SemcachePurged is how many entries went, of this node's, or how many controls began
// anew.
type SemcachePurged struct {
	Removed int `json:"removed"`
}

// SemcacheStats asks what the semantic cache has done.
func (c *Client) SemcacheStats(ctx context.Context) (out SemcacheStats, err error) {
	err = c.call(ctx, http.MethodGet, "/semcache", nil, &out)
	return out, err
}

// ExplainSemcache asks what a request would find.
func (c *Client) ExplainSemcache(ctx context.Context, q SemcacheQuestion) (out SemcacheTrace, err error) {
	err = c.call(ctx, http.MethodPost, "/semcache/explain", q, &out)
	return out, err
}

// PurgeSemcache removes entries.
func (c *Client) PurgeSemcache(ctx context.Context, p SemcachePurge) (out SemcachePurged, err error) {
	err = c.call(ctx, http.MethodPost, "/semcache/purge", p, &out)
	return out, err
}

func (a *API) semcacheStats(w http.ResponseWriter, r *http.Request) {
	out, err := a.Semcache.SemcacheStats(r.Context())
	a.reply(w, r, http.StatusOK, out, err)
}

func (a *API) explainSemcache(w http.ResponseWriter, r *http.Request) {
	var in SemcacheQuestion
	if !a.read(w, r, &in) {
		return
	}
	if in.Call.Key == "" || in.Call.Path == "" || !json.Valid(in.Call.Body) {
		a.fail(w, r, Invalid("call: give a key, a path and a body"))
		return
	}
	out, err := a.Semcache.ExplainSemcache(r.Context(), in)
	a.reply(w, r, http.StatusOK, out, err)
}

func (a *API) purgeSemcache(w http.ResponseWriter, r *http.Request) {
	var in SemcachePurge
	if !a.read(w, r, &in) {
		return
	}
	if (in == SemcachePurge{All: in.All}) != in.All {
		a.fail(w, r, Invalid("give all, or any of tenant, scope and entry"))
		return
	}
	out, err := a.Semcache.PurgeSemcache(r.Context(), in)
	a.reply(w, r, http.StatusOK, out, err)
}

// ResetSemcache begins anew what was measured of a route.
func (c *Client) ResetSemcache(ctx context.Context, r SemcacheReset) (out SemcachePurged, err error) {
	err = c.call(ctx, http.MethodPost, "/semcache/reset", r, &out)
	return out, err
}

func (a *API) resetSemcache(w http.ResponseWriter, r *http.Request) {
	var in SemcacheReset
	if !a.read(w, r, &in) {
		return
	}
	out, err := a.Semcache.ResetSemcache(r.Context(), in)
	a.reply(w, r, http.StatusOK, out, err)
}
