package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/aymanbagabas/go-udiff"
	"github.com/goccy/go-yaml"

	"purser/api/admin"
	"purser/proxy/template"
)

const (
	templateKind = "templates"
	promptKind   = "prompts"
)

type promptCmd struct {
	Push     promptPushCmd     `cmd:"" help:"Put the next version of a template, from a file."`
	List     promptListCmd     `cmd:"" help:"List templates, their versions and environments."`
	Show     promptShowCmd     `cmd:"" help:"Show one version: name@version, name@environment or name."`
	Diff     promptDiffCmd     `cmd:"" help:"Show what differs between two versions."`
	Promote  promptPromoteCmd  `cmd:"" help:"Give an environment a version."`
	RollBack promptRollBackCmd `cmd:"" name:"roll-back" help:"Give an environment the version it had before."`
	Render   promptRenderCmd   `cmd:"" help:"Render a version for a dialect, to look at; nothing is sent."`
	Compare  promptCompareCmd  `cmd:"" help:"Compare what requests of two versions cost, and how they ended."`
}

// shelf is the versions and environments of templates.
type shelf struct {
	versions map[string][]int64 // by name, in order
	specs    map[string]json.RawMessage
	prompts  map[string]promptAt
}

type promptAt struct {
	template.Prompt
	version uint64 // of the object
}

func (r *remote) shelf(ctx context.Context) (*shelf, error) {
	s := &shelf{versions: map[string][]int64{}, specs: map[string]json.RawMessage{}, prompts: map[string]promptAt{}}
	list, err := r.client().ListObjects(ctx, templateKind)
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		if name, v, _, err := template.ParseID(o.ID); err == nil && v > 0 {
			s.versions[name] = append(s.versions[name], v)
			s.specs[o.ID] = o.Spec
		}
	}
	for _, v := range s.versions {
		slices.Sort(v)
	}
	if list, err = r.client().ListObjects(ctx, promptKind); err != nil {
		return nil, err
	}
	for _, o := range list {
		p := promptAt{version: o.Version}
		if err := json.Unmarshal(o.Spec, &p.Prompt); err != nil {
			return nil, fmt.Errorf("the prompt %s: %w", o.ID, err)
		}
		s.prompts[o.ID] = p
	}
	return s, nil
}

// find is the version that an id names.
func (s *shelf) find(id string) (name string, version int64, spec json.RawMessage, err error) {
	name, version, env, err := template.ParseID(id)
	if err != nil {
		return "", 0, nil, err
	}
	if env != "" {
		var ok bool
		if version, ok = s.prompts[name].Environments[env]; !ok {
			return "", 0, nil, fmt.Errorf("%s has no version in the environment %s; purser prompt list shows what there is", name, env)
		}
	}
	spec, ok := s.specs[template.VersionID(name, version)]
	if !ok {
		return "", 0, nil, fmt.Errorf("there is no template %s; purser prompt list shows what there is", template.VersionID(name, version))
	}
	return name, version, spec, nil
}

type promptPushCmd struct {
	remote
	Name string `arg:"" help:"The template."`
	File string `short:"f" required:"" help:"File with the template, YAML or JSON; - for standard input." type:"path"`
	Env  string `help:"Promote it to this environment."`
}

// Run pushes the next version, unless the latest is the same.
func (c *promptPushCmd) Run(ctx context.Context) error {
	if name, _, env, err := template.ParseID(c.Name); err != nil || name != c.Name || env != template.Production {
		return fmt.Errorf("%q is no name of a template: a-z, A-Z, 0-9, '.', '_', '-', ':'; versions are counted", c.Name)
	}
	text, err := readInput(c.File)
	if err != nil {
		return err
	}
	raw, err := yaml.YAMLToJSON(text)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	k, err := kindNamed(templateKind)
	if err != nil {
		return err
	}
	spec, err := normalObject(k, raw)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	const tries = 5 // others push too
	for range tries {
		s, err := c.shelf(ctx)
		if err != nil {
			return err
		}
		version := int64(1)
		if have := s.versions[c.Name]; len(have) > 0 {
			latest := have[len(have)-1]
			if was, err := normalObject(k, s.specs[template.VersionID(c.Name, latest)]); err == nil && string(was) == string(spec) {
				fmt.Printf("%s is the same; nothing pushed\n", template.VersionID(c.Name, latest))
				return c.promote(ctx, latest)
			}
			version = latest + 1
		}
		_, err = c.client().PutObject(ctx, templateKind, template.VersionID(c.Name, version), admin.Version(0), spec)
		if fault := (*admin.Fault)(nil); errors.As(err, &fault) && fault.Code == "conflict" {
			continue
		}
		if err != nil {
			return err
		}
		fmt.Printf("pushed %s\n", template.VersionID(c.Name, version))
		return c.promote(ctx, version)
	}
	return errors.New("others are pushing versions of this template; try again")
}

func (c *promptPushCmd) promote(ctx context.Context, version int64) error {
	if c.Env == "" {
		return nil
	}
	return c.setEnvironment(ctx, c.Name, func(p *template.Prompt) (string, error) {
		p.Promote(c.Env, version)
		return fmt.Sprintf("%s is %s", c.Env, template.VersionID(c.Name, version)), nil
	})
}

// setEnvironment changes a prompt, unless somebody else does at the same time.
func (r *remote) setEnvironment(ctx context.Context, name string, change func(*template.Prompt) (string, error)) error {
	s, err := r.shelf(ctx)
	if err != nil {
		return err
	}
	p := s.prompts[name]
	done, err := change(&p.Prompt)
	if err != nil {
		return err
	}
	spec, err := json.Marshal(p.Prompt)
	if err != nil {
		return err
	}
	if _, err := r.client().PutObject(ctx, promptKind, name, admin.Version(p.version), spec); err != nil {
		return err
	}
	fmt.Println(done)
	return nil
}

type promptListCmd struct{ remote }

// Run lists the templates.
func (c *promptListCmd) Run(ctx context.Context) error {
	s, err := c.shelf(ctx)
	if err != nil {
		return err
	}
	type row struct {
		Name         string           `json:"name"`
		Versions     []int64          `json:"versions"`
		Environments map[string]int64 `json:"environments,omitempty"`
		Description  string           `json:"description,omitempty"`
	}
	list := []row{}
	for _, name := range slices.Sorted(maps.Keys(s.versions)) {
		p := s.prompts[name]
		list = append(list, row{name, s.versions[name], p.Environments, p.Description})
	}
	return c.print(list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "NAME\tLATEST\tVERSIONS\tENVIRONMENTS\tDESCRIPTION")
		for _, r := range list {
			var envs []string
			for _, e := range slices.Sorted(maps.Keys(r.Environments)) {
				envs = append(envs, e+"="+strconv.FormatInt(r.Environments[e], 10))
			}
			fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\n", r.Name, r.Versions[len(r.Versions)-1], len(r.Versions), dash(strings.Join(envs, " ")), dash(short(r.Description)))
		}
	})
}

type promptShowCmd struct {
	remote
	ID string `arg:"" help:"name@version, name@environment or name."`
}

// Run shows a version.
func (c *promptShowCmd) Run(ctx context.Context) error {
	s, err := c.shelf(ctx)
	if err != nil {
		return err
	}
	name, version, spec, err := s.find(c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return c.print(spec, nil)
	}
	text, err := yaml.JSONToYAML(spec)
	if err != nil {
		return err
	}
	fmt.Printf("# %s\n%s", template.VersionID(name, version), text)
	return nil
}

type promptDiffCmd struct {
	remote
	A string `arg:"" help:"name@version, name@environment or name."`
	B string `arg:"" help:"The same; a version alone is of the same template."`
}

// Run shows what differs.
func (c *promptDiffCmd) Run(ctx context.Context) error {
	s, err := c.shelf(ctx)
	if err != nil {
		return err
	}
	name, v1, one, err := s.find(c.A)
	if err != nil {
		return err
	}
	_, v2, two, err := s.find(sibling(name, c.B))
	if err != nil {
		return err
	}
	a, err := yaml.JSONToYAML(one)
	if err != nil {
		return err
	}
	b, err := yaml.JSONToYAML(two)
	if err != nil {
		return err
	}
	fmt.Print(udiff.Unified(template.VersionID(name, v1), template.VersionID(name, v2), string(a), string(b)))
	return nil
}

// sibling reads "4" as a version of a template.
func sibling(name, id string) string {
	if _, err := strconv.ParseInt(id, 10, 64); err == nil {
		return name + "@" + id
	}
	return id
}

type promptPromoteCmd struct {
	remote
	ID  string `arg:"" help:"name@version, or name@environment for what another environment has."`
	Env string `help:"The environment." default:"production"`
}

// Run promotes a version.
func (c *promptPromoteCmd) Run(ctx context.Context) error {
	s, err := c.shelf(ctx)
	if err != nil {
		return err
	}
	name, version, _, err := s.find(c.ID)
	if err != nil {
		return err
	}
	return c.setEnvironment(ctx, name, func(p *template.Prompt) (string, error) {
		p.Promote(c.Env, version)
		return fmt.Sprintf("%s is %s", c.Env, template.VersionID(name, version)), nil
	})
}

type promptRollBackCmd struct {
	remote
	Name string `arg:"" help:"The template."`
	Env  string `help:"The environment." default:"production"`
}

// Run rolls an environment back.
func (c *promptRollBackCmd) Run(ctx context.Context) error {
	return c.setEnvironment(ctx, c.Name, func(p *template.Prompt) (string, error) {
		version, ok := p.RollBack(c.Env)
		if !ok {
			return "", fmt.Errorf("%s had no other version in the environment %s", c.Name, c.Env)
		}
		return fmt.Sprintf("%s is %s again", c.Env, template.VersionID(c.Name, version)), nil
	})
}

var dialectForms = map[string]template.Form{"openai": template.Chat, "responses": template.Responses, "anthropic": template.Messages, "gemini": template.Contents}

type promptRenderCmd struct {
	remote
	ID      string            `arg:"" optional:"" help:"name@version, name@environment or name; without it, --file."`
	File    string            `short:"f" help:"A template that is not pushed yet." type:"path"`
	Value   map[string]string `short:"v" help:"A variable's value: --value question=why (repeat). JSON for types other than string."`
	Dialect string            `help:"The dialect: ${enum}." enum:"openai,responses,anthropic,gemini" default:"openai"`
}

// Run renders a version.
func (c *promptRenderCmd) Run(ctx context.Context) error {
	var spec template.Spec
	raw, err := c.spec(ctx)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, &spec); err != nil {
		return err
	}
	t, err := spec.Compile()
	if err != nil {
		return err
	}
	values := template.Values{}
	for name, v := range c.Value {
		values[name] = json.RawMessage(v)
		if kind := cmp.Or(spec.Variables[name].Type, template.String); kind == template.String {
			if values[name], err = json.Marshal(v); err != nil {
				return err
			}
		}
	}
	r, err := t.Render(dialectForms[c.Dialect], []byte("{}"), values)
	if err != nil {
		return err
	}
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(json.RawMessage(r.Body))
}

func (c *promptRenderCmd) spec(ctx context.Context) (json.RawMessage, error) {
	if (c.ID == "") == (c.File == "") {
		return nil, errors.New("name a template, or give --file")
	}
	if c.File != "" {
		b, err := readInput(c.File)
		if err != nil {
			return nil, err
		}
		return yaml.YAMLToJSON(b)
	}
	s, err := c.shelf(ctx)
	if err != nil {
		return nil, err
	}
	_, _, spec, err := s.find(c.ID)
	return spec, err
}
