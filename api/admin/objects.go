package admin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"purser/internal/access"
)

// Objects are what the directory holds beside keys: orgs, teams, policies and the
// rest. Kinds are named by their plurals.
type Objects interface {
	// ObjectKinds lists the plurals, each after those its objects may refer to.
	ObjectKinds() []string
	ListObjects(ctx context.Context, kind string, how Read) ([]Object, Age, error)
	ShowObject(ctx context.Context, kind, id string, how Read) (Object, Age, error)
	// PutObject makes an object or gives it another spec, if it is of the version that
	// is expected.
	PutObject(ctx context.Context, kind, id string, expect Expect, spec json.RawMessage) (Object, error)
	DeleteObject(ctx context.Context, kind, id string, expect Expect) error
}

// Hierarchy is who belongs to whom.
type Hierarchy interface {
	// Complete adds to dimensions what follows from them, so that no request which has
	// them can say otherwise: of an agent its team. false: they contradict each other.
	Complete(map[string]string) (map[string]string, bool)
	// TeamsOf lists the teams of an organisation.
	TeamsOf(org string) []string
}

// Object is one object.
type Object struct {
	ID      string          `json:"id"`
	Version uint64          `json:"version"` // grows with each change
	Created string          `json:"created"` // RFC 3339
	Changed string          `json:"changed"`
	Spec    json.RawMessage `json:"spec"` // a JSON object: the fields of its kind
}

// Expect is the version that an object is to have for a change: nil for any, 0 for
// an object that is not there.
type Expect *uint64

// Version is the expectation of one version.
func Version(v uint64) Expect { return &v }

// objectRoutes are the routes of every kind. The permissions of one are named by
// its plural.
func (a *API) objectRoutes() (list []route) {
	for _, kind := range a.Objects.ObjectKinds() {
		path := "/admin/v1/" + kind
		read, write := access.Permission(kind+":read"), access.Permission(kind+":write")
		list = append(list,
			route{"GET", path, read, ofKind(read, kind, a.listObjects)},
			route{"GET", path + "/{id}", read, ofKind(read, kind, a.showObject)},
			route{"PUT", path + "/{id}", write, ofKind(write, kind, a.putObject)},
			route{"DELETE", path + "/{id}", write, ofKind(write, kind, a.deleteObject)},
		)
	}
	return list
}

// ofKind serves the objects of a kind within the caller's reach, or, of a kind that
// belongs to nobody, to those who reach everything.
func ofKind(needs access.Permission, kind string, h func(http.ResponseWriter, *http.Request, access.Reach, string)) served {
	if !needs.Owned() {
		return whole(func(w http.ResponseWriter, r *http.Request) { h(w, r, access.Everything, kind) })
	}
	return own(func(w http.ResponseWriter, r *http.Request, reach access.Reach) { h(w, r, reach, kind) })
}

func (a *API) listObjects(w http.ResponseWriter, r *http.Request, reach access.Reach, kind string) {
	how, fault := readOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	list, age, err := a.Objects.ListObjects(r.Context(), kind, how)
	age.tell(w)
	list = slices.DeleteFunc(list, func(o Object) bool { return !a.covers(reach, kind, o.ID, o.Spec) })
	a.reply(w, r, http.StatusOK, map[string]any{kind: list}, err)
}

func (a *API) showObject(w http.ResponseWriter, r *http.Request, reach access.Reach, kind string) {
	how, fault := readOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	o, age, err := a.Objects.ShowObject(r.Context(), kind, r.PathValue("id"), how)
	age.tell(w)
	if err == nil && !a.covers(reach, kind, o.ID, o.Spec) {
		err = noObject(kind, o.ID)
	}
	a.replyObject(w, r, o, err)
}

func noObject(kind, id string) *Fault {
	return NotFound("no " + strconv.Quote(id) + " among the " + kind)
}

func (a *API) putObject(w http.ResponseWriter, r *http.Request, reach access.Reach, kind string) {
	expect, fault := expectOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	var spec json.RawMessage
	if !a.read(w, r, &spec) {
		return
	}
	id := r.PathValue("id")
	if !a.covers(reach, kind, id, spec) {
		a.fail(w, r, outside("what "+strconv.Quote(id)+" is to be"))
		return
	}
	expect, err := a.expectWithin(r.Context(), reach, kind, id, expect)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	o, err := a.Objects.PutObject(r.Context(), kind, id, expect, spec)
	a.replyObject(w, r, o, err)
}

func (a *API) deleteObject(w http.ResponseWriter, r *http.Request, reach access.Reach, kind string) {
	expect, fault := expectOf(r)
	if fault != nil {
		a.fail(w, r, fault)
		return
	}
	id := r.PathValue("id")
	expect, err := a.expectWithin(r.Context(), reach, kind, id, expect)
	if err == nil {
		err = a.Objects.DeleteObject(r.Context(), kind, id, expect)
	}
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// expectWithin looks at an object before its change. To a limited reach it must be
// within it, if it is there; and it must still be what it was when it changes.
func (a *API) expectWithin(ctx context.Context, reach access.Reach, kind, id string, expect Expect) (Expect, error) {
	if reach.All {
		return expect, nil
	}
	o, _, err := a.Objects.ShowObject(ctx, kind, id, Linearizable)
	var fault *Fault
	seen := o.Version
	switch {
	case errors.As(err, &fault) && fault.Status == http.StatusNotFound:
		if seen, err = 0, a.unclaimed(ctx, reach, kind, id); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	case !a.covers(reach, kind, id, o.Spec):
		return nil, outside("the present " + strconv.Quote(id))
	}
	return agreed(expect, Version(seen))
}

// dimensionOf are the kinds whose ids are values of a dimension from which it follows
// whose a key is.
var dimensionOf = map[string]string{"agents": "agent", "projects": "project", "members": "member"}

// unclaimed refuses to register what keys beyond the reach are bound to: they would
// be within it from then on.
func (a *API) unclaimed(ctx context.Context, reach access.Reach, kind, id string) error {
	dim := dimensionOf[kind]
	if dim == "" {
		return nil
	}
	keys, err := a.Keys.ListKeys(ctx, "")
	if err != nil {
		return err
	}
	if slices.ContainsFunc(keys, func(k Key) bool { return k.Bound[dim] == id && !a.owns(reach, k.Bound) }) {
		return outside("a key that is bound to " + strconv.Quote(id))
	}
	return nil
}

func (a *API) replyObject(w http.ResponseWriter, r *http.Request, o Object, err error) {
	if err == nil {
		w.Header().Set("ETag", etag(o.Version))
	}
	a.reply(w, r, http.StatusOK, o, err)
}

func etag(version uint64) string { return `"` + strconv.FormatUint(version, 10) + `"` }

// expectOf reads If-Match and If-None-Match (RFC 9110, 13.1): of the first a
// version as an answer's ETag has it, of the second "*", for an object that is not
// to be there.
func expectOf(r *http.Request) (Expect, *Fault) {
	match, none := r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	switch {
	case match != "" && none != "":
		return nil, Invalid("send If-Match or If-None-Match, not both")
	case none == "*":
		return Version(0), nil
	case none != "":
		return nil, Invalid("If-None-Match takes * alone here: the object is not to be there")
	case match == "" || match == "*":
		return nil, nil
	}
	quoted := strings.Trim(match, `"`)
	v, err := strconv.ParseUint(quoted, 10, 64)
	if err != nil || v == 0 || etag(v) != match {
		return nil, Invalid("If-Match takes the ETag of one version, such as \"12\" with its quotes")
	}
	return Version(v), nil
}

// ListObjects lists the objects of a kind, by ID.
func (c *Client) ListObjects(ctx context.Context, kind string) ([]Object, error) {
	var out map[string][]Object
	err := c.call(ctx, http.MethodGet, "/"+url.PathEscape(kind)+c.how(), nil, &out)
	return out[kind], err
}

// ShowObject shows one object.
func (c *Client) ShowObject(ctx context.Context, kind, id string) (out Object, err error) {
	err = c.call(ctx, http.MethodGet, objectPath(kind, id)+c.how(), nil, &out)
	return out, err
}

// PutObject makes an object, or gives it another spec.
func (c *Client) PutObject(ctx context.Context, kind, id string, expect Expect, spec json.RawMessage) (out Object, err error) {
	err = c.callIf(ctx, http.MethodPut, objectPath(kind, id), expect, spec, &out)
	return out, err
}

// DeleteObject removes an object that nothing refers to.
func (c *Client) DeleteObject(ctx context.Context, kind, id string, expect Expect) error {
	return c.callIf(ctx, http.MethodDelete, objectPath(kind, id), expect, nil, nil)
}

func objectPath(kind, id string) string { return "/" + url.PathEscape(kind) + "/" + url.PathEscape(id) }

// conditions are the headers of an expectation.
func conditions(expect Expect) http.Header {
	switch {
	case expect == nil:
		return nil
	case *expect == 0:
		return http.Header{"If-None-Match": {"*"}}
	}
	return http.Header{"If-Match": {etag(*expect)}}
}
