package admin

import (
	"context"
	"encoding/hex"
	"net/http"
)

// Caches are the response caches of the nodes.
type Caches interface {
	// CacheStats asks every node.
	CacheStats(context.Context) ([]CacheNode, error)
	// PurgeCache deletes on every node.
	PurgeCache(context.Context, CachePurge) ([]CachePurged, error)
}

// CacheNode is the cache of one node.
type CacheNode struct {
	Node   string           `json:"node"`
	Counts map[string]int64 `json:"counts,omitempty"` // see docs/cache.md
	Error  string           `json:"error,omitempty"`  // it did not answer, or has no cache
}

// CachePurge says which answers are deleted: those that match everything that is set.
type CachePurge struct {
	All    bool   `json:"all,omitempty"`    // with nothing else
	Tenant string `json:"tenant,omitempty"` // org:<org>, or key:<id> of a virtual key without an org
	Model  string `json:"model,omitempty"`  // as the upstream was asked for it, or as the provider named it
	Tag    string `json:"tag,omitempty"`
	Key    string `json:"key,omitempty"` // as the header x-purser-cache-key of a hit has it
}

// CachePurged is what a purge did on a node.
type CachePurged struct {
	Node    string `json:"node"`
	Deleted int    `json:"deleted"` // about so many answers
	// Error is set for a node that did not answer: what it has may be given until it
	// hears of the purge from another.
	Error string `json:"error,omitempty"`
}

// maxSelector bounds each text of a purge, in bytes.
const maxSelector = 512

// Validate says what is wrong with it.
func (p *CachePurge) Validate() *Fault {
	some := p.Tenant != "" || p.Model != "" || p.Tag != "" || p.Key != ""
	switch {
	case p.All == some:
		return Invalid("say all, or one or more of tenant, model, tag and key")
	case len(p.Tenant) > maxSelector || len(p.Model) > maxSelector || len(p.Tag) > maxSelector:
		return Invalid("tenant, model and tag have at most 512 bytes")
	}
	if b, err := hex.DecodeString(p.Key); p.Key != "" && (err != nil || len(b) != 32) {
		return Invalid("key is 64 hexadecimal digits, as the header x-purser-cache-key of a hit has them")
	}
	return nil
}

func (a *API) cacheStats(w http.ResponseWriter, r *http.Request) {
	list, err := a.Caches.CacheStats(r.Context())
	a.reply(w, r, http.StatusOK, map[string]any{"nodes": list}, err)
}

func (a *API) purgeCache(w http.ResponseWriter, r *http.Request) {
	var in CachePurge
	if !a.read(w, r, &in) {
		return
	}
	if fault := in.Validate(); fault != nil {
		a.fail(w, r, fault)
		return
	}
	list, err := a.Caches.PurgeCache(r.Context(), in)
	a.reply(w, r, http.StatusOK, map[string]any{"nodes": list}, err)
}

// CacheStats asks what the caches have and did.
func (c *Client) CacheStats(ctx context.Context) ([]CacheNode, error) {
	var out struct{ Nodes []CacheNode }
	err := c.call(ctx, http.MethodGet, "/cache", nil, &out)
	return out.Nodes, err
}

// PurgeCache deletes answers on every node.
func (c *Client) PurgeCache(ctx context.Context, in CachePurge) ([]CachePurged, error) {
	var out struct{ Nodes []CachePurged }
	err := c.call(ctx, http.MethodPost, "/cache/purge", in, &out)
	return out.Nodes, err
}
