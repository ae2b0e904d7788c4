package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"purser/proxy/template"
)

func showNewPrompt(c *Call, wrong *refused) error {
	if !c.CanAll("templates:write") {
		return &fault{status: http.StatusForbidden, code: "forbidden", message: "You may not make one: templates:write is missing."}
	}
	f := sourceForm("new", "/ui/prompts", "Put the first version", templateExample, 0)
	return c.RenderAs(wrong.status(), "newobject", "New prompt", &newObjectView{"New prompt", "A prompt with a name and versions. An application sends values and not the prompt.", wrong.into(f)})
}

// createPrompt puts the first version of a template.
func createPrompt(c *Call) error {
	v, err := c.posted()
	if err != nil {
		return err
	}
	name := strings.TrimSpace(v.Get("id"))
	if _, _, _, bad := template.ParseID(name); bad != nil || strings.Contains(name, "@") {
		err = invalid("id: " + inQuotes(name) + " is no name of a template: a-z, A-Z, 0-9, “.”, “_”, “-”, “:”")
	}
	if err == nil {
		err = c.putVersion(name, "1", v)
	}
	if err != nil {
		return again(err, "new", v, func(r *refused) error { return showNewPrompt(c, r) })
	}
	return c.Redirect("/ui/prompts/"+url.PathEscape(name), "good", "Version 1 of "+name+" is there. Promote it to an environment.")
}

// putVersion puts a version that is not there yet.
func (c *Call) putVersion(name, version string, v url.Values) error {
	n, err := strconv.ParseInt(version, 10, 64)
	if err != nil || n < 1 {
		return invalid("The form does not say which version it makes. Load the page again.")
	}
	spec, err := specFrom(v)
	if err != nil {
		return err
	}
	return c.DoIf(http.MethodPut, "/templates/"+url.PathEscape(template.VersionID(name, n)), http.Header{"If-None-Match": {"*"}}, spec, nil)
}

// changePrompt does what a form of the page asks for.
func changePrompt(c *Call) error {
	v, err := c.posted()
	if err != nil {
		return err
	}
	name, do, done := c.R.PathValue("name"), v.Get("do"), ""
	switch do {
	case "push":
		err, done = c.putVersion(name, v.Get("next"), v), "Version "+v.Get("next")+" is there."
	case "promote", "roll-back":
		done, err = c.setEnvironment(name, v)
	default:
		return invalid("There is no such change.")
	}
	if err != nil {
		return again(err, do, v, func(r *refused) error { return showPrompt(c, r) })
	}
	return c.Redirect("/ui/prompts/"+url.PathEscape(name), "good", done)
}

// setEnvironment promotes a version, or rolls an environment back, of the prompt as it
// was when the form was made.
func (c *Call) setEnvironment(name string, v url.Values) (done string, err error) {
	list, err := c.prompts(name)
	if err != nil {
		return "", err
	}
	if len(list) == 0 {
		return "", notFound("there is no prompt " + strconv.Quote(name))
	}
	p, env := list[0].Prompt, strings.TrimSpace(v.Get("env"))
	header := http.Header{"If-None-Match": {"*"}}
	if seen, err := strconv.ParseUint(v.Get("object"), 10, 64); err != nil {
		return "", invalid("The form does not say which version it changes. Load the page again.")
	} else if seen > 0 {
		header = http.Header{"If-Match": {`"` + strconv.FormatUint(seen, 10) + `"`}}
	}
	if v.Get("do") == "promote" {
		version, err := strconv.ParseInt(v.Get("version"), 10, 64)
		if err != nil {
			return "", invalid("version: it is no number")
		}
		p.Promote(env, version)
		done = fmt.Sprintf("%s is version %d.", env, version)
	} else {
		version, ok := p.RollBack(env)
		if !ok {
			return "", invalid("env: " + env + " had no other version")
		}
		done = fmt.Sprintf("%s is version %d again.", env, version)
	}
	spec, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return done, c.DoIf(http.MethodPut, "/prompts/"+url.PathEscape(name), header, json.RawMessage(spec), nil)
}

// diff is what differs between two texts, nothing where they are equal.
func diff(nameA, nameB, a, b string) []diffLine {
	return diffLines(udiff.Unified(nameA, nameB, a+"\n", b+"\n"))
}
