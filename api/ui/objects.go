package ui

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"purser/api/admin"
)

// object is an object of the directory, and what can be changed of it.
type object struct {
	admin.Object
	Kind   string // plural, as the API has it
	Path   string
	Source string // indented
	Edit   *form
	Delete *form
}

// kind is one kind of objects that has pages.
type kind struct {
	plural, one string
	example     string // spec of a new one
	about       string
}

func (k kind) path(id string) string { return "/ui/" + k.plural + "/" + url.PathEscape(id) }

// objects are those of a kind, by id.
func (c *Call) objects(plural string) ([]admin.Object, error) {
	var list map[string][]admin.Object
	err := c.Get("/"+plural, nil, &list)
	found := list[plural]
	slices.SortFunc(found, func(a, b admin.Object) int { return strings.Compare(a.ID, b.ID) })
	return found, err
}

// object reads one, with the forms that the reader may use.
func (c *Call) object(k kind, id string, wrong *refused) (*object, error) {
	o := &object{Kind: k.plural, Path: k.path(id)}
	if err := c.Get("/"+k.plural+"/"+url.PathEscape(id), nil, &o.Object); err != nil {
		return nil, err
	}
	o.Source = indented(o.Spec)
	if c.CanAll(k.plural + ":write") {
		o.Edit = wrong.into(sourceForm("put", o.Path, "Change the "+k.one, o.Source, o.Version))
		o.Delete = wrong.into(&form{ID: "delete", Action: o.Path, Submit: "Delete the " + k.one, Fields: []field{doing("delete"), {Name: "version", Kind: "hidden", Value: strconv.FormatUint(o.Version, 10)}, confirm("Delete " + o.ID)},
			Warning: "It has no effect any more on any node, within a second."})
	}
	return o, nil
}

// indented is a spec for people, who read "<" and "&" where JSON made for HTML has an
// escape.
func indented(spec json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Indent(&b, spec, "", "  "); err != nil {
		return string(spec)
	}
	return unescaped(b.String())
}

// unescaped is JSON with the characters that Go escapes for HTML's sake as they are.
func unescaped(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		rest := text[i:]
		switch {
		case strings.HasPrefix(rest, `\u003c`):
			b.WriteByte('<')
		case strings.HasPrefix(rest, `\u003e`):
			b.WriteByte('>')
		case strings.HasPrefix(rest, `\u0026`):
			b.WriteByte('&')
		default:
			b.WriteString(rest[:2])
			i++
			continue
		}
		i += len(`\u003c`) - 1
	}
	return b.String()
}

// sourceForm asks for the spec of an object; of a version, or of one that is not there.
func sourceForm(id, action, submit, source string, version uint64) *form {
	f := &form{ID: id, Action: action, Submit: submit, Fields: []field{doing(id)}}
	if version > 0 {
		f.Fields = append(f.Fields, field{Name: "version", Kind: "hidden", Value: strconv.FormatUint(version, 10)})
	} else {
		f.Fields = append(f.Fields, field{Name: "id", Label: "Name", Required: true})
	}
	f.Fields = append(f.Fields, field{Name: "spec", Label: "Source, as JSON", Kind: "area", Wide: true, Required: true, Value: source})
	return f
}

// changeObject puts or deletes one, as a form of its page asks.
func (c *Call) changeObject(k kind, id string, v url.Values) error {
	header, err := ifMatch(v)
	if err != nil {
		return err
	}
	path := "/" + k.plural + "/" + url.PathEscape(id)
	switch v.Get("do") {
	case "put":
		spec, err := specFrom(v)
		if err != nil {
			return err
		}
		return c.DoIf(http.MethodPut, path, header, spec, nil)
	case "delete":
		if err := confirmed(v); err != nil {
			return err
		}
		return c.DoIf(http.MethodDelete, path, header, nil, nil)
	}
	return invalid("There is no such change.")
}

// specFrom reads a spec, which only has to be JSON here.
func specFrom(v url.Values) (json.RawMessage, error) {
	text := []byte(v.Get("spec"))
	var x any
	if err := json.Unmarshal(text, &x); err != nil {
		return nil, invalid("spec: it is no JSON: " + err.Error())
	}
	return text, nil
}

// makeObject makes one that is not there yet.
func (c *Call) makeObject(k kind, v url.Values) (id string, err error) {
	if id = strings.TrimSpace(v.Get("id")); id == "" {
		return "", invalid("id: it needs a name")
	}
	spec, err := specFrom(v)
	if err != nil {
		return "", err
	}
	return id, c.DoIf(http.MethodPut, "/"+k.plural+"/"+url.PathEscape(id), http.Header{"If-None-Match": {"*"}}, spec, nil)
}

// newObjectView is the page that asks for a new one.
type newObjectView struct {
	Title, About string
	Form         *form
}

func showNewObject(c *Call, k kind, wrong *refused) error {
	if !c.CanAll(k.plural + ":write") {
		return &fault{status: http.StatusForbidden, code: "forbidden", message: "You may not make one: " + k.plural + ":write is missing."}
	}
	f := wrong.into(sourceForm("new", "/ui/"+k.plural, "Create the "+k.one, k.example, 0))
	return c.RenderAs(wrong.status(), "newobject", "New "+k.one, &newObjectView{"New " + k.one, k.about, f})
}

// creating is the answer to the form of a new one.
func creating(c *Call, k kind, v url.Values) error {
	id, err := c.makeObject(k, v)
	if err != nil {
		return again(err, "new", v, func(r *refused) error { return showNewObject(c, k, r) })
	}
	return c.Redirect(k.path(id), "good", "The "+k.one+" "+id+" is in force.")
}

// changing is the answer to a form of one that is there.
func changing(c *Call, k kind, show func(*Call, *refused) error) error {
	v, err := c.posted()
	if err != nil {
		return err
	}
	id := c.R.PathValue("id")
	if err := c.changeObject(k, id, v); err != nil {
		return again(err, v.Get("do"), v, func(r *refused) error { return show(c, r) })
	}
	if v.Get("do") == "delete" {
		return c.Redirect("/ui/"+k.plural, "good", "The "+k.one+" "+id+" is deleted.")
	}
	return c.Redirect(k.path(id), "good", "The "+k.one+" is changed.")
}
