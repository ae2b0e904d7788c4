package admin

import (
	"context"
	"net/http"
	"strconv"
)

// Credentials are the providers' keys that the cluster keeps sealed. No secret
// comes back from any of these.
type Credentials interface {
	ListCredentials(ctx context.Context, how Read) ([]Credential, Age, error)
	// PutCredential makes a credential or changes one of the version that is
	// expected. Without a secret the one that is there stays.
	PutCredential(ctx context.Context, id string, expect Expect, in NewCredential) (Credential, error)
	DeleteCredential(ctx context.Context, id string, expect Expect) error
	// MatchCredential says whether a credential's secret is this one.
	MatchCredential(ctx context.Context, id, secret string) (bool, error)
	// RotateData gives a credential another data key.
	RotateData(ctx context.Context, id string) (Credential, error)
	// RotateMaster wraps the data keys by the current master key; again: all of them.
	// It stops after a while, and says what is left.
	RotateMaster(ctx context.Context, in RotateMaster) (MasterRotation, error)
	VaultStatus(ctx context.Context, how Read) (VaultStatus, Age, error)
}

// NewCredential is what an operator says of a credential.
type NewCredential struct {
	Description string            `json:"description,omitempty"`
	Provider    string            `json:"provider"`          // as the price catalogue names it; changes with the secret alone
	Secret      string            `json:"secret,omitempty"`  // write-only
	Expires     string            `json:"expires,omitempty"` // RFC 3339
	Match       map[string]string `json:"match,omitempty"`   // dimensions that a request must have to use it
	Weight      int               `json:"weight,omitempty"`  // 1 to 1000, default 1
	Disabled    bool              `json:"disabled,omitempty"`
}

// Credential is a credential as it is shown.
type Credential struct {
	ID          string            `json:"id"`
	Version     uint64            `json:"version"`
	Description string            `json:"description,omitempty"`
	Provider    string            `json:"provider"`
	Fingerprint string            `json:"fingerprint"`
	State       string            `json:"state"`      // active, expired, disabled, or sealed: this node has not its master key
	Master      string            `json:"master"`     // id of the master key
	Generation  uint64            `json:"generation"` // of the data key
	Created     string            `json:"created"`
	Rotated     string            `json:"rotated"` // when the secret was put
	Expires     string            `json:"expires,omitempty"`
	Match       map[string]string `json:"match,omitempty"`
	Weight      int               `json:"weight"`
	Disabled    bool              `json:"disabled,omitempty"`
}

// RotateMaster says which data keys are wrapped anew.
type RotateMaster struct {
	Again bool `json:"again,omitempty"` // also those that the current master key wraps
	// After is the id that an earlier answer's Next named; "" from the start.
	After string `json:"after,omitempty"`
}

// MasterRotation is what a rotation of the master key has done.
type MasterRotation struct {
	Master    string         `json:"master"` // the current one
	Rewrapped int            `json:"rewrapped"`
	Unchanged int            `json:"unchanged"`
	Failed    []FailedRewrap `json:"failed,omitempty"`
	Next      string         `json:"next,omitempty"` // not empty: there is more, after this id
}

// FailedRewrap is a credential whose data key was not wrapped, and why.
type FailedRewrap struct {
	ID  string `json:"id"`
	Why string `json:"why"`
}

// VaultStatus is which master keys there are, and which are needed.
type VaultStatus struct {
	Node    string         `json:"node"`
	Current string         `json:"current"` // "" without a master key
	Known   []string       `json:"known"`   // to this node
	Needed  map[string]int `json:"needed"`  // credentials by the master key that wraps them
}

func (a *API) listCredentials(w http.ResponseWriter, r *http.Request) {
	how, fault := readOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	list, age, err := a.Credentials.ListCredentials(r.Context(), how)
	age.tell(w)
	a.reply(w, r, http.StatusOK, map[string]any{"credentials": list}, err)
}

func (a *API) showCredential(w http.ResponseWriter, r *http.Request) {
	how, fault := readOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	list, age, err := a.Credentials.ListCredentials(r.Context(), how)
	age.tell(w)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	for i := range list {
		if list[i].ID == r.PathValue("id") {
			a.replyCredential(w, r, list[i], nil)
			return
		}
	}
	a.fail(w, r, NotFound("no credential "+strconv.Quote(r.PathValue("id"))))
}

func (a *API) putCredential(w http.ResponseWriter, r *http.Request) {
	expect, fault := expectOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	var in NewCredential
	if !a.read(w, r, &in) {
		return
	}
	out, err := a.Credentials.PutCredential(r.Context(), r.PathValue("id"), expect, in)
	a.replyCredential(w, r, out, err)
}

func (a *API) deleteCredential(w http.ResponseWriter, r *http.Request) {
	expect, fault := expectOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	if err := a.Credentials.DeleteCredential(r.Context(), r.PathValue("id"), expect); err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *API) matchCredential(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Secret string `json:"secret"`
	}
	if !a.read(w, r, &in) {
		return
	}
	ok, err := a.Credentials.MatchCredential(r.Context(), r.PathValue("id"), in.Secret)
	a.reply(w, r, http.StatusOK, map[string]any{"match": ok}, err)
}

func (a *API) rotateData(w http.ResponseWriter, r *http.Request) {
	out, err := a.Credentials.RotateData(r.Context(), r.PathValue("id"))
	a.replyCredential(w, r, out, err)
}

func (a *API) vaultStatus(w http.ResponseWriter, r *http.Request) {
	how, fault := readOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	out, age, err := a.Credentials.VaultStatus(r.Context(), how)
	age.tell(w)
	a.reply(w, r, http.StatusOK, out, err)
}

func (a *API) rotateMaster(w http.ResponseWriter, r *http.Request) {
	var in RotateMaster
	if !a.read(w, r, &in) {
		return
	}
	out, err := a.Credentials.RotateMaster(r.Context(), in)
	a.reply(w, r, http.StatusOK, out, err)
}

func (a *API) replyCredential(w http.ResponseWriter, r *http.Request, c Credential, err error) {
	if err == nil {
		w.Header().Set("ETag", etag(c.Version))
	}
	a.reply(w, r, http.StatusOK, c, err)
}

// ListCredentials lists the sealed credentials.
func (c *Client) ListCredentials(ctx context.Context) ([]Credential, error) {
	var out struct{ Credentials []Credential }
	err := c.call(ctx, http.MethodGet, "/credentials"+c.how(), nil, &out)
	return out.Credentials, err
}

// ShowCredential shows one.
func (c *Client) ShowCredential(ctx context.Context, id string) (out Credential, err error) {
	err = c.call(ctx, http.MethodGet, objectPath("credentials", id)+c.how(), nil, &out)
	return out, err
}

// PutCredential makes or changes one.
func (c *Client) PutCredential(ctx context.Context, id string, expect Expect, in NewCredential) (out Credential, err error) {
	err = c.callIf(ctx, http.MethodPut, objectPath("credentials", id), expect, in, &out)
	return out, err
}

// DeleteCredential removes one.
func (c *Client) DeleteCredential(ctx context.Context, id string, expect Expect) error {
	return c.DeleteObject(ctx, "credentials", id, expect)
}

// MatchCredential says whether a credential's secret is this one.
func (c *Client) MatchCredential(ctx context.Context, id, secret string) (bool, error) {
	var out struct{ Match bool }
	err := c.call(ctx, http.MethodPost, objectPath("credentials", id)+"/match", map[string]string{"secret": secret}, &out)
	return out.Match, err
}

// RotateData gives a credential another data key.
func (c *Client) RotateData(ctx context.Context, id string) (out Credential, err error) {
	err = c.call(ctx, http.MethodPost, objectPath("credentials", id)+"/rotate-data", nil, &out)
	return out, err
}

// RotateMaster wraps data keys by the current master key, from the start to the
// end; from what a call that failed has done, the next goes on.
func (c *Client) RotateMaster(ctx context.Context, again bool) (all MasterRotation, err error) {
	in := RotateMaster{Again: again}
	for {
		var out MasterRotation
		if err := c.call(ctx, http.MethodPost, "/vault/rotate-master", in, &out); err != nil {
			return all, err
		}
		out.Rewrapped, out.Unchanged = out.Rewrapped+all.Rewrapped, out.Unchanged+all.Unchanged
		out.Failed = append(all.Failed, out.Failed...)
		if all = out; out.Next == "" || out.Next <= in.After {
			return all, nil
		}
		in.After = out.Next
	}
}

// VaultStatus says which master keys the node has.
func (c *Client) VaultStatus(ctx context.Context) (out VaultStatus, err error) {
	err = c.call(ctx, http.MethodGet, "/vault"+c.how(), nil, &out)
	return out, err
}
