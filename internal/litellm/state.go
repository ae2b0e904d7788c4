package litellm

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Specs are what there is to be, by the kinds of a state file and by ID.
type Specs map[string]map[string]any

func (s Specs) put(kind, id string, spec map[string]any) {
	if s[kind] == nil {
		s[kind] = map[string]any{}
	}
	maps.DeleteFunc(spec, func(_ string, v any) bool {
		switch v := v.(type) {
		case string:
			return v == ""
		case bool:
			return !v
		case []string:
			return len(v) == 0
		case []int:
			return len(v) == 0
		case []map[string]any:
			return len(v) == 0
		case map[string]string:
			return len(v) == 0
		case map[string][]string:
			return len(v) == 0
		}
		return false
	})
	s[kind][id] = spec
}

// State is what becomes of a configuration and of people; either may be nil.
func State(c *Config, p *People) Specs {
	out := Specs{}
	if c != nil {
		for name, model := range c.Routes {
			out.put("routes", name, map[string]any{"model": model})
		}
		for name, list := range c.Spread {
			out.put("routes", name, spread(list))
		}
		out.budgets(c.Limits)
	}
	if p == nil {
		return out
	}
	for _, t := range p.Teams {
		out.put("teams", t.ID, map[string]any{"name": t.Name})
		out.policy("team", t.ID, t.Models)
	}
	for _, m := range p.Members {
		out.put("members", m.ID, map[string]any{"name": m.Name, "email": m.Email, "teams": m.Teams})
		out.policy("member", m.ID, m.Models)
	}
	out.budgets(p.Limits)
	for _, k := range p.Keys {
		var budgets []map[string]any
		for _, l := range k.Limits {
			budgets = append(budgets, own(&l))
		}
		out.put("keys", k.ID, map[string]any{
			"name": k.Name, "sha256": k.Hash, "bound": k.Bound, "models": k.Models, "expires": k.Expires, "suspended": k.Blocked, "budgets": budgets,
		})
	}
	return out
}

// spread is the route of a name that has several entries.
func spread(list []Deployment) map[string]any {
	var candidates []map[string]any
	for _, d := range list {
		c := map[string]any{"model": d.Model, "upstream": d.Upstream}
		if d.Weight > 0 {
			c["weight"] = d.Weight
		}
		candidates = append(candidates, c)
	}
	return map[string]any{"strategy": "weighted", "candidates": candidates}
}

func (s Specs) budgets(list []Limit) {
	for _, l := range list {
		spec := own(&l)
		spec["match"], spec["each"] = l.Match, l.Each
		s.put("budgets", l.ID, spec)
	}
}

// own is a limit as a budget of a key.
func own(l *Limit) map[string]any {
	out := map[string]any{"unit": l.Unit, "limit": l.Limit, "window": l.Window}
	if l.Soft {
		out["soft"] = true
	}
	if len(l.Alerts) > 0 {
		out["alerts"] = l.Alerts
	}
	return out
}

func (s Specs) policy(dim, id string, models []string) {
	if len(models) > 0 {
		s.put("policies", PolicyID(dim, id), ModelPolicy(dim, id, models))
	}
}

// PolicyID names the policy that says which models a team or a member may ask for.
func PolicyID(dim, id string) string { return "litellm.models." + dim + "." + id }

// ModelPolicy is that policy: of keys that are made later, too.
func ModelPolicy(dim, id string, models []string) map[string]any {
	return map[string]any{
		"description": "the models that this " + dim + " may ask for",
		"match":       map[string][]string{dim: {id}},
		"rules": []map[string]any{{
			"id": "models", "outcome": "deny", "unless": map[string]any{"models": models},
			"message": "this model is not among those of your " + dim,
		}},
	}
}

// ModelsOf are the models of such a policy; none of another.
func ModelsOf(policy json.RawMessage) []string {
	var p struct {
		Rules []struct {
			ID     string
			Unless struct{ Models []string }
		}
	}
	if json.Unmarshal(policy, &p) != nil || len(p.Rules) != 1 || p.Rules[0].ID != "models" {
		return nil
	}
	return p.Rules[0].Unless.Models
}

// Compare notes which models of keys and teams the configuration does not have.
func (p *People) Compare(c *Config) {
	have := slices.Collect(maps.Keys(c.Routes))
	have = append(have, c.Names...)
	note := func(place string, models []string) {
		for _, m := range models {
			if !strings.Contains(m, "*") && !slices.Contains(have, m) {
				p.Report.note("%s: may use %q, which model_list does not have: a group of models is not carried over, and the name allows nothing here", place, m)
			}
		}
	}
	for _, t := range p.Teams {
		note("team "+t.ID, t.Models)
	}
	for _, m := range p.Members {
		note("user "+m.ID, m.Models)
	}
	for _, k := range p.Keys {
		note("key "+k.Name, k.Models)
	}
}

// String writes a report as a person reads it.
func (r *Report) String() string {
	var b strings.Builder
	if len(r.Set) > 0 {
		b.WriteString("Environment variables that the node needs:\n")
		for _, name := range r.Set {
			fmt.Fprintf(&b, "  %s\n", name)
		}
	}
	if len(r.Notes) > 0 {
		b.WriteString("Not carried over, or otherwise than it was:\n")
		for _, n := range r.Notes {
			fmt.Fprintf(&b, "  %s\n", n)
		}
	}
	return b.String()
}
