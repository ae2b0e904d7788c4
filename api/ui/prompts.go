package ui

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"purser/api/admin"
	"purser/proxy/template"
)

const templateExample = `{
  "model": "gpt-4o-mini",
  "system": "You answer questions about {{product}}. Be brief.",
  "messages": [{"role": "user", "content": "Question: {{question}}"}],
  "variables": {
    "product": {"stable": true, "default": "pens"},
    "question": {"max_bytes": 4000}
  },
  "max_output_tokens": 500
}`

// promptVersion is one version of a template, with what its requests came to.
type promptVersion struct {
	Version      int64
	ID           string
	Created      string
	Source       string
	Environments []string
	Used         *admin.UsageRow // of the last day; nil for none
	PerRequest   int64           // nano-dollars
	Failed       float64         // share of its records
}

// prompt is a name with its versions, the newest first.
type prompt struct {
	template.Prompt
	Name, Path string
	Object     uint64 // version of the object that has the environments; 0: there is none
	Versions   []promptVersion
}

// prompts reads every name, by name; or the one that is given.
func (c *Call) prompts(only string) ([]prompt, error) {
	by := map[string]*prompt{}
	list, err := c.objects("prompts")
	if err != nil {
		return nil, err
	}
	at := func(name string) *prompt {
		if by[name] == nil {
			by[name] = &prompt{Name: name, Path: "/ui/prompts/" + url.PathEscape(name)}
		}
		return by[name]
	}
	for _, o := range list {
		p := at(o.ID)
		p.Object = o.Version
		if err := json.Unmarshal(o.Spec, &p.Prompt); err != nil {
			return nil, invalid("the prompt " + o.ID + " cannot be read: " + err.Error())
		}
	}
	if list, err = c.objects("templates"); err != nil {
		return nil, err
	}
	for _, o := range list {
		name, version, _, err := template.ParseID(o.ID)
		if err != nil || version == 0 {
			continue
		}
		p := at(name)
		v := promptVersion{Version: version, ID: o.ID, Created: o.Created, Source: indented(o.Spec)}
		for _, env := range sortedKeys(p.Environments) {
			if p.Environments[env] == version {
				v.Environments = append(v.Environments, env)
			}
		}
		p.Versions = append(p.Versions, v)
	}
	var out []prompt
	for _, name := range sortedKeys(by) {
		if only == "" || only == name {
			slices.SortFunc(by[name].Versions, func(a, b promptVersion) int { return int(b.Version - a.Version) })
			out = append(out, *by[name])
		}
	}
	return out, nil
}

type promptsView struct {
	Rows     []prompt
	MayWrite bool
}

func promptsPage(c *Call) error {
	if c.Q.Has("new") {
		return showNewPrompt(c, nil)
	}
	list, err := c.prompts("")
	if err != nil {
		return err
	}
	return c.Render("prompts", "Prompts", &promptsView{list, c.CanAll("templates:write")})
}

type promptView struct {
	prompt
	Shown    promptVersion // the one whose source is seen
	A, B     string        // versions that are compared
	Diff     []diffLine
	Same     bool
	Envs     []string
	Promote  *form
	RollBack *form
	Push     *form
}

func promptPage(c *Call) error { return showPrompt(c, nil) }

func showPrompt(c *Call, wrong *refused) error {
	name := c.R.PathValue("name")
	list, err := c.prompts(name)
	if err != nil {
		return err
	}
	if len(list) == 0 || len(list[0].Versions) == 0 {
		return notFound("there is no prompt " + strconv.Quote(name))
	}
	v := promptView{prompt: list[0]}
	if err := v.addUsage(c); err != nil {
		return err
	}
	v.Shown = v.Versions[0]
	for _, x := range v.Versions {
		if strconv.FormatInt(x.Version, 10) == c.Q.Get("version") {
			v.Shown = x
		}
	}
	v.addDiff(c.Q.Get("a"), c.Q.Get("b"))
	v.Envs = sortedKeys(v.Environments)
	if c.CanAll("prompts:write") {
		v.addForms(wrong)
	}
	if c.CanAll("templates:write") {
		f := sourceForm("push", v.Path, "Put the next version", v.Versions[0].Source, 1)
		f.Fields[1] = field{Name: "next", Kind: "hidden", Value: strconv.FormatInt(v.Versions[0].Version+1, 10)}
		v.Push = wrong.into(f)
	}
	return c.RenderAs(wrong.status(), "prompt", name, &v)
}

// addUsage says what the requests of each version came to in the last day.
func (v *promptView) addUsage(c *Call) error {
	var used admin.UsageReport
	err := c.Get("/usage", url.Values{"filter": {"prompt:" + v.Name}, "group": {"prompt_version"}, "worth": {"true"}}, &used)
	if absent(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for i := range v.Versions {
		x := &v.Versions[i]
		for j := range used.Rows {
			r := &used.Rows[j]
			if r.Group["prompt_version"] != strconv.FormatInt(x.Version, 10) {
				continue
			}
			x.Used = r
			if r.Requests > 0 {
				x.PerRequest = r.Cost / r.Requests
			}
			x.Failed = failedShare(r)
		}
	}
	return nil
}

// failedShare is the part of a row's records that gave no answer.
func failedShare(r *admin.UsageRow) float64 {
	var all, failed int64
	for outcome, n := range r.Outcomes {
		all += n
		if slices.Contains([]string{"upstream_error", "truncated", "undecided", "refused", "denied"}, outcome) {
			failed += n
		}
	}
	return share(failed, all)
}

// addDiff compares two versions: those that are asked for, else the last two.
func (v *promptView) addDiff(a, b string) {
	if len(v.Versions) < 2 {
		return
	}
	at := func(text string, usual int) promptVersion {
		for _, x := range v.Versions {
			if strconv.FormatInt(x.Version, 10) == text {
				return x
			}
		}
		return v.Versions[usual]
	}
	x, y := at(a, 1), at(b, 0)
	v.A, v.B = strconv.FormatInt(x.Version, 10), strconv.FormatInt(y.Version, 10)
	v.Diff = diff(x.ID, y.ID, x.Source, y.Source)
	v.Same = len(v.Diff) == 0
}

func (v *promptView) addForms(wrong *refused) {
	var versions, before []option
	for _, x := range v.Versions {
		text := strconv.FormatInt(x.Version, 10)
		versions = append(versions, option{text, text})
	}
	for _, env := range sortedKeys(v.Environments) {
		p := v.Prompt
		if was, ok := p.RollBack(env); ok {
			before = append(before, option{env, env + ", to version " + strconv.FormatInt(was, 10)})
		}
	}
	object := field{Name: "object", Kind: "hidden", Value: strconv.FormatUint(v.Object, 10)}
	v.Promote = wrong.into(&form{ID: "promote", Action: v.Path, Submit: "Promote", Fields: []field{doing("promote"), object,
		{Name: "version", Label: "Version", Kind: "select", Required: true, Options: versions},
		{Name: "env", Label: "Environment", Required: true, Value: template.Production, Words: []string{"environments"}, Suggest: append([]string{"staging", "dev"}, sortedKeys(v.Environments)...), Hint: "Requests that name none get production"}}})
	if len(before) > 0 {
		v.RollBack = wrong.into(&form{ID: "roll-back", Action: v.Path, Submit: "Roll back", Quiet: true, Fields: []field{doing("roll-back"), object, {Name: "env", Label: "Environment", Kind: "select", Required: true, Options: before}}})
	}
}

// diffLine is a line of a difference, with what it is.
type diffLine struct{ Class, Text string }

// lines of a difference, as a page shows them.
func diffLines(unified string) (list []diffLine) {
	for line := range strings.Lines(unified) {
		class := ""
		switch {
		case strings.HasPrefix(line, "+++"), strings.HasPrefix(line, "---"), strings.HasPrefix(line, "@@"):
			class = "at"
		case strings.HasPrefix(line, "+"):
			class = "plus"
		case strings.HasPrefix(line, "-"):
			class = "minus"
		}
		list = append(list, diffLine{class, strings.TrimRight(line, "\n")})
	}
	return list
}
