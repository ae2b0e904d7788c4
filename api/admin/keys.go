package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"purser/internal/access"
)

// KeyLife is what can be done to a key that exists.
type KeyLife interface {
	// ShowKey shows a key with its own budgets and its children.
	ShowKey(ctx context.Context, id string, how Read) (KeyDetail, Age, error)
	// UpdateKey changes a key, if it is of the version that is expected.
	UpdateKey(ctx context.Context, id string, expect Expect, change KeyChange) (Key, error)
	// RotateKey gives a key another secret.
	RotateKey(ctx context.Context, id string, how Rotation) (CreatedKey, error)
	// ForgetKey removes a revoked or expired key, and its own budgets.
	ForgetKey(ctx context.Context, id string) error
}

// KeyRights are what a key may be used for, and whose it is.
type KeyRights struct {
	Description string   `json:"description,omitempty"`
	Owner       string   `json:"owner,omitempty"`        // member:<id>, agent:<id> or team:<id>
	Scopes      []string `json:"scopes,omitempty"`       // none: inference, embeddings, models:list, usage:self
	Endpoints   []string `json:"endpoints,omitempty"`    // patterns of routes, such as /v1/chat/*; none means all
	Providers   []string `json:"providers,omitempty"`    // patterns of providers; none means all
	Upstreams   []string `json:"upstreams,omitempty"`    // patterns of upstreams; none means all
	MaxChildren int      `json:"max_children,omitempty"` // with a slice of its budgets, at a time; 0: 1000
}

// KeyBudget is a budget of one key. A key has one at most of each unit and window.
type KeyBudget struct {
	Unit   string      `json:"unit,omitempty"`   // usd, tokens, requests, slots; default usd
	Limit  json.Number `json:"limit"`            // as of a Budget
	Window string      `json:"window,omitempty"` // default total
	Zone   string      `json:"zone,omitempty"`
	Soft   bool        `json:"soft,omitempty"`
	Alerts []int       `json:"alerts,omitempty"`
}

// KeyDetail is a key with what it may spend.
type KeyDetail struct {
	Key
	Budgets  []BudgetDetail `json:"budgets"`
	Children []ChildKey     `json:"children"` // those with a slice that have been used and not expired
}

// ChildKey is a child that was given a slice of its parent's budgets.
type ChildKey struct {
	ID         string `json:"id"` // as usage has it, in the tag purser.child.<generation>
	Generation int    `json:"generation"`
	Slice      Money  `json:"slice_nanousd"`
	Spent      Money  `json:"spent_nanousd"` // what nodes have reported
	Expires    string `json:"expires"`
}

// KeyChange says what is to be otherwise; what is nil stays. An empty list or text
// takes the limit away.
type KeyChange struct {
	Name        *string            `json:"name,omitempty"`
	Bound       *map[string]string `json:"bound,omitempty"`
	Required    *[]string          `json:"required,omitempty"`
	Models      *[]string          `json:"models,omitempty"`
	Expires     *string            `json:"expires,omitempty"`
	CacheOff    *bool              `json:"cache_off,omitempty"`
	Description *string            `json:"description,omitempty"`
	Owner       *string            `json:"owner,omitempty"`
	Scopes      *[]string          `json:"scopes,omitempty"`
	Endpoints   *[]string          `json:"endpoints,omitempty"`
	Providers   *[]string          `json:"providers,omitempty"`
	Upstreams   *[]string          `json:"upstreams,omitempty"`
	MaxChildren *int               `json:"max_children,omitempty"`
	Suspended   *bool              `json:"suspended,omitempty"`
	Budgets     *[]KeyBudget       `json:"budgets,omitempty"` // all that the key is to have of its own
}

// Change is what makes a key that exists as a new one would be.
func (k *NewKey) Change() KeyChange {
	bound, budgets := k.Bound, append([]KeyBudget{}, k.Budgets...)
	if bound == nil {
		bound = map[string]string{}
	}
	return KeyChange{
		Name: &k.Name, Bound: &bound, Required: inFull(k.Required), Models: inFull(k.Models), Expires: &k.Expires, CacheOff: &k.CacheOff,
		Description: &k.Description, Owner: &k.Owner, Scopes: inFull(k.Scopes), Endpoints: inFull(k.Endpoints), Providers: inFull(k.Providers),
		Upstreams: inFull(k.Upstreams), MaxChildren: &k.MaxChildren, Suspended: &k.Suspended, Budgets: &budgets,
	}
}

// inFull is a list that says all there is to be, also where that is nothing: in JSON
// it is not null, which would leave the list as it is.
func inFull(list []string) *[]string {
	out := append([]string{}, list...)
	return &out
}

// Rotation says how a key gets another secret.
type Rotation struct {
	// Overlap is how long the present secret goes on counting, as "24h", the default,
	// or "0s"; at most 2160h.
	Overlap string `json:"overlap,omitempty"`
	// Hash makes the other secret one that exists elsewhere: its SHA-256, in hexadecimal.
	Hash string `json:"hash,omitempty"`
	// EndOverlap makes no other secret, and ends the one before the last rotation
	// after Overlap, by default at once.
	EndOverlap bool `json:"end_overlap,omitempty"`
}

func (a *API) showKey(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	how, fault := readOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	if _, err := a.keyWithin(r.Context(), reach, r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	key, age, err := a.Keys.ShowKey(r.Context(), r.PathValue("id"), how)
	age.tell(w)
	if err == nil {
		w.Header().Set("ETag", etag(key.Version))
	}
	a.reply(w, r, http.StatusOK, key, err)
}

func (a *API) updateKey(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	expect, fault := expectOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	var in KeyChange
	if !a.read(w, r, &in) {
		return
	}
	seen, err := a.keyWithin(r.Context(), reach, r.PathValue("id"))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if expect == nil {
		expect = seen // so that it is not another's by now
	}
	if in.Bound != nil && !a.owns(reach, *in.Bound) {
		a.fail(w, r, outside("a key that is not bound to a team"))
		return
	}
	key, err := a.Keys.UpdateKey(r.Context(), r.PathValue("id"), expect, in)
	if err == nil {
		w.Header().Set("ETag", etag(key.Version))
	}
	a.reply(w, r, http.StatusOK, key, err)
}

func (a *API) rotateKey(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	var in Rotation
	if !a.read(w, r, &in) {
		return
	}
	if _, err := a.keyWithin(r.Context(), reach, r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	key, err := a.Keys.RotateKey(r.Context(), r.PathValue("id"), in)
	a.reply(w, r, http.StatusOK, key, err)
}

func (a *API) forgetKey(w http.ResponseWriter, r *http.Request, reach access.Reach) {
	if _, err := a.keyWithin(r.Context(), reach, r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	if err := a.Keys.ForgetKey(r.Context(), r.PathValue("id")); err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// ShowKey shows a key with its own budgets and its children.
func (c *Client) ShowKey(ctx context.Context, id string) (out KeyDetail, err error) {
	err = c.call(ctx, http.MethodGet, "/keys/"+url.PathEscape(id)+c.how(), nil, &out)
	return out, err
}

// UpdateKey changes a key; nil expects any version.
func (c *Client) UpdateKey(ctx context.Context, id string, expect Expect, change KeyChange) (out Key, err error) {
	err = c.callIf(ctx, http.MethodPatch, "/keys/"+url.PathEscape(id), expect, change, &out)
	return out, err
}

// RotateKey gives a key another secret.
func (c *Client) RotateKey(ctx context.Context, id string, how Rotation) (out CreatedKey, err error) {
	err = c.call(ctx, http.MethodPost, "/keys/"+url.PathEscape(id)+"/rotate", how, &out)
	return out, err
}

// ForgetKey removes a revoked or expired key, and its own budgets.
func (c *Client) ForgetKey(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, "/keys/"+url.PathEscape(id), nil, nil)
}
