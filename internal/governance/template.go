package governance

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"purser/internal/directory"
	"purser/proxy/template"
)

// Template is one version of a prompt template; its id is name@version.
type Template struct{ template.Spec }

// Refs implements Spec.
func (*Template) Refs() []directory.Ref { return nil }

// Prompt says which versions of a template the environments have; its id is the name.
type Prompt struct{ template.Prompt }

// Refs implements Spec. What its environments have it names without the name that is its
// own id: see [Prompt.Named].
func (*Prompt) Refs() []directory.Ref { return nil }

// Named are the versions that a prompt of a name has in its environments: they cannot be
// deleted.
func (p *Prompt) Named(name string) []directory.Ref {
	var out []directory.Ref
	for _, env := range slices.Sorted(maps.Keys(p.Environments)) {
		out = append(out, directory.Ref{Kind: directory.ObjectTemplate, ID: template.VersionID(name, p.Environments[env])})
	}
	return out
}

// compileTemplates reads the templates and the prompts.
func (r *reading) compileTemplates() error {
	specs, same, err := compile[Template](r, directory.ObjectTemplate, nil)
	switch {
	case err != nil:
		return err
	case same:
		r.into.templates = r.before.templates
	default:
		r.into.templates = make(map[string]*template.Template, len(specs))
		for id, spec := range specs {
			if r.into.templates[id], err = spec.Compile(); err != nil {
				return fmt.Errorf("template %s: %w", id, err)
			}
		}
	}
	r.into.prompts, _, err = compile(r, directory.ObjectPrompt, r.before.prompts)
	return err
}

// Template finds what a request names: name@version, name@environment, or a name. The
// prompt is nil where there are only versions. An error is for the caller.
func (s *Snapshot) Template(id string) (*template.Template, template.Use, error) {
	name, version, env, err := template.ParseID(id)
	if err != nil {
		return nil, template.Use{}, err
	}
	u := template.Use{Name: name, Version: version}
	p, known := s.prompts[name]
	if known {
		u.Prompt = &p.Prompt
	}
	if env != "" {
		if u.Version, known = p.Environments[env]; !known {
			return nil, u, fmt.Errorf("the template %s has no version in the environment %s", strconv.Quote(name), env)
		}
	}
	t, ok := s.templates[template.VersionID(name, u.Version)]
	if !ok {
		return nil, u, fmt.Errorf("there is no template %s", template.VersionID(name, u.Version))
	}
	return t, u, nil
}
