package ui

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"purser/api/admin"
)

type keyView struct {
	admin.KeyDetail
	Path     string
	Own      []budgetRow
	Usage    *admin.UsageRow // of the last day; nil: it could not be read
	Gone     bool            // revoked or expired
	MayWrite bool

	Edit, Rotate, EndOverlap, Suspend, Revoke, Forget *form
}

func keyPage(c *Call) error { return showKey(c, nil) }

func showKey(c *Call, wrong *refused) error {
	var k admin.KeyDetail
	if err := c.Get("/keys/"+url.PathEscape(c.R.PathValue("id")), nil, &k); err != nil {
		return err
	}
	v := keyView{KeyDetail: k, Path: keyPath(k.ID), MayWrite: c.Can("keys:write"), Gone: k.State == "revoked" || k.State == "expired"}
	for i := range k.Budgets {
		v.Own = append(v.Own, rowOfBudget(&k.Budgets[i]))
	}
	var used admin.UsageReport
	switch err := c.Get("/usage", url.Values{"filter": {"key:" + k.ID}}, &used); {
	case err == nil:
		v.Usage = &used.Total
	case !absent(err):
		return err
	}
	if v.MayWrite {
		v.addForms(&k.Key, wrong)
	}
	return c.RenderAs(wrong.status(), "key", k.Name, &v)
}

func (v *keyView) addForms(k *admin.Key, wrong *refused) {
	simple := func(id, submit, warning string, more ...field) *form {
		return wrong.into(&form{ID: id, Action: v.Path, Submit: submit, Warning: warning, Quiet: true, Fields: append([]field{doing(id)}, more...)})
	}
	if v.Gone {
		v.Forget = simple("forget", "Forget the key", "It and its own budgets are removed. Its usage stays.", confirm("Forget "+k.ID))
		return
	}
	fields := keyFields(k)
	v.Edit = wrong.into(&form{ID: "edit", Action: v.Path, Submit: "Change the key", Fields: append([]field{doing("edit"), {Name: "version", Kind: "hidden", Value: strconv.FormatUint(k.Version, 10)}}, fields[:usualKeyFields]...), More: fields[usualKeyFields:]})
	v.Rotate = simple("rotate", "Make another secret", "", field{Name: "overlap", Label: "The present secret counts for", Value: "24h", Hint: "Such as 24h, the default, or 0s; at most 2160h"})
	if k.OldUntil != "" {
		v.EndOverlap = simple("end-overlap", "End the old secret", "Whoever still sends the secret before the last rotation is refused.", confirm("End it at once"))
	}
	v.Suspend = simple("suspend", "Suspend the key", "Its requests are refused until it is resumed.", field{Name: "suspended", Kind: "hidden", Value: "yes"})
	if k.Suspended {
		v.Suspend = simple("suspend", "Resume the key", "", field{Name: "suspended", Kind: "hidden", Value: "no"})
	}
	v.Revoke = simple("revoke", "Revoke the key", "Its requests are refused on every node within a second, and for good.", confirm("Revoke "+k.ID))
}

// changeKey does what a form of the page asks for.
func changeKey(c *Call) error {
	v, err := c.posted()
	if err != nil {
		return err
	}
	id, do := c.R.PathValue("id"), v.Get("do")
	path, done, to := "/keys/"+url.PathEscape(id), "", keyPath(id)
	var made admin.CreatedKey
	switch do {
	case "edit":
		err, done = editKey(c, path, v), "The key is changed."
	case "rotate":
		if err = c.Do(http.MethodPost, path+"/rotate", admin.Rotation{Overlap: strings.TrimSpace(v.Get("overlap"))}, &made); err == nil {
			return c.showSecret("The key has another secret", made)
		}
	case "end-overlap":
		if err = confirmed(v); err == nil {
			err = c.Do(http.MethodPost, path+"/rotate", admin.Rotation{EndOverlap: true, Overlap: "0s"}, nil)
		}
		done = "The old secret has ended."
	case "suspend":
		on := checked(v, "suspended")
		err, done = c.Do(http.MethodPatch, path, admin.KeyChange{Suspended: &on}, nil), "The key is resumed."
		if on {
			done = "The key is suspended."
		}
	case "revoke":
		if err = confirmed(v); err == nil {
			err = c.Do(http.MethodPost, path+"/revoke", nil, nil)
		}
		done = "The key is revoked."
	case "forget":
		if err = confirmed(v); err == nil {
			err = c.Do(http.MethodDelete, path, nil, nil)
		}
		done, to = "The key is forgotten.", "/ui/keys"
	default:
		return invalid("There is no such change.")
	}
	if err != nil {
		return again(err, do, v, func(r *refused) error { return showKey(c, r) })
	}
	return c.Redirect(to, "good", done)
}

// editKey changes what the form shows, of the key as it was when the form was made.
func editKey(c *Call, path string, v url.Values) error {
	k, err := keyFrom(v, c.Now)
	if err != nil {
		return err
	}
	all := k.Change()
	change := admin.KeyChange{
		Name: all.Name, Bound: all.Bound, Required: all.Required, Models: all.Models, Expires: all.Expires, CacheOff: all.CacheOff, Description: all.Description,
		Owner: all.Owner, Scopes: all.Scopes, Endpoints: all.Endpoints, Providers: all.Providers, Upstreams: all.Upstreams,
	}
	header, err := ifMatch(v)
	if err != nil {
		return err
	}
	return c.DoIf(http.MethodPatch, path, header, change, nil)
}

// ifMatch is the version that a form changes, as the API wants it.
func ifMatch(v url.Values) (http.Header, error) {
	version, err := strconv.ParseUint(v.Get("version"), 10, 64)
	if err != nil || version == 0 {
		return nil, invalid("The form does not say which version it changes. Load the page again.")
	}
	return http.Header{"If-Match": {`"` + strconv.FormatUint(version, 10) + `"`}}, nil
}
