package redaction

import (
	"slices"

	"purser/ledger"
)

// compiled is a spec, ready.
type compiled struct {
	spec       *Spec
	match      []ledger.Condition
	verdicts   []verdict // by recognizer
	exceptions []exception
}

// verdict is what a spec makes of a recognizer's findings; the zero one is nothing.
type verdict struct {
	action   Action
	keepLast int
}

func (c *compiled) shadow() bool { return c.spec.Mode == Shadow }

func (c *compiled) goes(d Direction) bool {
	switch c.spec.Direction {
	case Both:
		return true
	case "":
		return d == Input
	}
	return c.spec.Direction == d
}

func (c *compiled) covers(dims *ledger.Dimensions) bool {
	for _, m := range c.match {
		if !slices.Contains(m.Values, dims.Get(m.Dim)) {
			return false
		}
	}
	return true
}

// Plan is what is looked for in one request, in one direction. It is immutable.
type Plan struct {
	set     *Set
	specs   []*compiled
	output  bool
	want    []bool // by recognizer
	always  []int  // recognizers without a prefilter
	numbers []int  // recognizers of numbers

	byContext [][]int // of numbers, by keyword: those of which it is a context word
}

// Plan is what the specs want that cover a request of these dimensions, in one
// direction; nil if there is nothing.
func (s *Set) Plan(dims *ledger.Dimensions, d Direction) *Plan {
	key := planKey{direction: d}
	for i, c := range s.specs {
		if c.goes(d) && c.covers(dims) {
			key.specs[i/64] |= 1 << (i % 64)
		}
	}
	if key.specs == (planKey{}).specs {
		return nil
	}
	return s.plans.get(key, s.plan)
}

// plan makes the plan of some specs in one direction.
func (s *Set) plan(k planKey) *Plan {
	var specs []*compiled
	for i, c := range s.specs {
		if k.specs[i/64]&(1<<(i%64)) != 0 {
			specs = append(specs, c)
		}
	}
	d := k.direction
	p := &Plan{set: s, specs: specs, output: d == Output, want: make([]bool, len(s.recs))}
	for rec, x := range s.recs {
		for _, c := range specs {
			p.want[rec] = p.want[rec] || c.verdicts[rec].action != ""
		}
		switch {
		case !p.want[rec]:
		case x.numbers != nil:
			p.numbers = append(p.numbers, rec)
		case len(x.keywords) == 0:
			p.always = append(p.always, rec)
		}
	}
	p.byContext = make([][]int, len(s.keywords.words))
	for i, rec := range p.numbers {
		for _, w := range s.context[rec] {
			p.byContext[w] = append(p.byContext[w], i)
		}
	}
	return p
}

// Changes says whether the plan can change or refuse anything.
func (p *Plan) Changes() bool {
	if p == nil {
		return false
	}
	return slices.ContainsFunc(p.specs, func(c *compiled) bool { return !c.shadow() && c.changes(p.output) })
}

// changes says whether the spec changes or refuses what it finds. Hooks are asked about
// requests alone, and what they find has names that no verdict is for.
func (c *compiled) changes(output bool) bool {
	stronger := func(a Action) bool { return strength[a] > strength[Report] }
	if slices.ContainsFunc(c.verdicts, func(v verdict) bool { return stronger(v.action) }) {
		return true
	}
	if c.spec.Hook == nil || output {
		return false
	}
	for _, o := range c.spec.Overrides {
		if stronger(o.Action) {
			return true
		}
	}
	return c.spec.Action == "" || stronger(c.spec.Action)
}

// Hooks are the recognizers outside that have to be asked, and what the specs make of
// their answers.
func (p *Plan) Hooks() []*Hook {
	if p == nil {
		return nil
	}
	var hooks []*Hook
	for _, c := range p.specs {
		if c.spec.Hook != nil {
			hooks = append(hooks, c.spec.Hook)
		}
	}
	return hooks
}

// Enforced says whether a hook's failure counts: its spec is not in shadow.
func (p *Plan) Enforced(h *Hook) bool {
	for _, c := range p.specs {
		if c.spec.Hook == h {
			return !c.shadow()
		}
	}
	return false
}

// decide gives a finding of a recognizer's its action: the strongest that a spec has
// for it. It is false if no spec wants it.
func (p *Plan) decide(f *Finding, rec int, value []byte) bool {
	wanted := false
	for _, c := range p.specs {
		v := c.verdicts[rec]
		if v.action == "" || c.excepts(f, value) {
			continue
		}
		p.weigh(f, c, v, !wanted)
		wanted = true
	}
	return wanted
}

func (c *compiled) excepts(f *Finding, value []byte) bool {
	for i := range c.exceptions {
		if c.exceptions[i].covers(f.Entity, f.Rule, value) {
			return true
		}
	}
	return false
}

// weigh puts the verdict of a spec in the place of a weaker one.
func (p *Plan) weigh(f *Finding, c *compiled, v verdict, first bool) {
	action := v.action
	if p.output && action == Tokenise {
		action = Mask // nothing is restored for the one who reads it
	}
	if c.shadow() {
		if first {
			f.Action, f.Shadow, f.Spec = Report, true, c.spec.ID
		}
		return
	}
	if first || f.Shadow || strength[action] > strength[f.Action] {
		f.Action, f.KeepLast, f.Spec, f.Shadow = action, v.keepLast, c.spec.ID, false
	}
}

// HookFindings turns what a hook said of a text into findings: spans of text in bytes,
// under the names that the spec gives them.
func (s *Scanner) HookFindings(h *Hook, text []byte, spans []Finding) []Finding {
	i := slices.IndexFunc(s.plan.specs, func(c *compiled) bool { return c.spec.Hook == h })
	if i < 0 {
		return nil
	}
	c := s.plan.specs[i]
	var out []Finding
	for _, f := range spans {
		if name, ok := h.Rename[f.Entity]; ok {
			f.Entity = name
		}
		if !entityForm.MatchString(f.Entity) {
			f.Entity = entityHook
		}
		v, ok := c.verdictOf(f.Entity, "", "")
		f.rank = rankHook
		if !ok || c.excepts(&f, text[f.Start:f.End]) {
			continue
		}
		s.plan.weigh(&f, c, v, true)
		out = append(out, f)
	}
	return out
}

// entityHook is what a hook's finding is called whose name is no entity.
const entityHook = "PERSONAL"

// Merge puts two lists of findings of one text into one.
func Merge(a, b []Finding) []Finding {
	return settle(append(slices.Clone(a), b...))
}
