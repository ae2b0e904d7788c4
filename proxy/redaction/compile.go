package redaction

import (
	"errors"
	"fmt"
	"slices"

	"purser/proxy/redaction/rules"
)

// Options are what a set is compiled with besides its specs.
type Options struct {
	// Rules are rules for secrets to use instead of Purser's own; nil for these.
	Rules []rules.Rule
	// HashKey is the key of hashes; those of tenants are derived from it. Nodes with
	// the same key make the same hashes. Without one, no spec may hash.
	HashKey []byte
}

// Set is all specs of a node, compiled. It is immutable, but for the plans that it
// remembers.
type Set struct {
	specs    []*compiled
	recs     []*recognizer
	keywords *keywords
	byWord   [][]int // recognizers, by keyword
	context  [][]int // keywords that are context words, by recognizer of numbers
	hashKey  []byte
	live     *automaton // nil if no spec looks at answers
	plans    plans
}

// Compile makes a set of specs. It says everything that is wrong with any.
func Compile(specs []Spec, o Options) (*Set, error) {
	if len(specs) > MaxSpecs {
		return nil, fmt.Errorf("there are %d redactions, more than %d", len(specs), MaxSpecs)
	}
	known, err := secrets()
	if o.Rules != nil {
		known, err = secretsOf(o.Rules)
	}
	if err != nil {
		return nil, err
	}
	s := &Set{hashKey: slices.Clone(o.HashKey), recs: append(slices.Clone(known), personal()...)}
	var errs []error
	for i := range specs {
		if err := s.addOwn(&specs[i]); err != nil {
			errs = append(errs, fmt.Errorf("redaction %s: %w", specs[i].ID, err))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	seen := map[string]bool{}
	for i := range specs {
		c, err := s.compile(&specs[i])
		if err != nil || seen[specs[i].ID] {
			errs = append(errs, fmt.Errorf("redaction %s: %w", specs[i].ID, cmpErr(err, errTwice)))
			continue
		}
		seen[specs[i].ID] = true
		s.specs = append(s.specs, c)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	s.index()
	if err := s.watch(); err != nil {
		return nil, err
	}
	return s, nil
}

var errTwice = errors.New("there is another of this id")

func cmpErr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// addOwn adds the custom patterns of a spec.
func (s *Set) addOwn(spec *Spec) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	for i := range spec.Custom {
		r, err := spec.Custom[i].recognizer(spec.ID)
		if err != nil {
			return err
		}
		s.recs = append(s.recs, r)
	}
	return nil
}

// compile makes the verdicts of a spec.
func (s *Set) compile(spec *Spec) (*compiled, error) {
	match, err := spec.conditions()
	if err != nil {
		return nil, err
	}
	c := &compiled{spec: spec, match: match, verdicts: make([]verdict, len(s.recs))}
	if err := s.known(spec); err != nil {
		return nil, err
	}
	for i, r := range s.recs {
		if v, ok := c.verdictOf(r.entity, r.rule, r.spec); ok {
			c.verdicts[i] = v
		}
	}
	for i := range spec.Exceptions {
		e, err := spec.Exceptions[i].compile()
		if err != nil {
			return nil, err
		}
		c.exceptions = append(c.exceptions, e)
	}
	if len(s.hashKey) == 0 && spec.hashes() {
		return nil, errors.New("the action hash needs a key: set redaction.hash_key in the node's configuration")
	}
	return c, nil
}

func (s *Spec) hashes() bool {
	for _, o := range s.Overrides {
		if o.Action == Hash {
			return true
		}
	}
	return s.Action == Hash
}

// Groups of detectors.
const (
	groupSecrets  = "secrets"
	groupPersonal = "personal"
)

// known checks that every name of a spec is that of something.
func (s *Set) known(spec *Spec) error {
	names := map[string]bool{groupSecrets: true, groupPersonal: true, EntitySecret: true}
	for _, r := range s.recs {
		if r.spec == "" || r.spec == spec.ID {
			names[r.entity], names[r.rule] = true, true
		}
	}
	if spec.Hook != nil {
		return nil // its entities have names of its own
	}
	for _, d := range spec.Detectors {
		if !names[d] {
			return fmt.Errorf("detectors: there is no entity, rule or group %q", d)
		}
	}
	for name := range spec.Overrides {
		if !names[name] {
			return fmt.Errorf("overrides: there is no entity or rule %q", name)
		}
	}
	return nil
}

// verdictOf is what the spec makes of an entity's findings, or a rule's.
func (c *compiled) verdictOf(entity, rule, own string) (verdict, bool) {
	s := c.spec
	if own != "" && own != s.ID {
		return verdict{}, false
	}
	if own == "" && !s.looksFor(entity, rule) {
		return verdict{}, false
	}
	v := verdict{action: s.Action, keepLast: s.KeepLast}
	for _, name := range [...]string{entity, rule} { // the rule's counts
		o, ok := s.Overrides[name]
		if !ok || name == "" {
			continue
		}
		if o.Off {
			return verdict{}, false
		}
		if o.Action != "" || o.KeepLast > 0 {
			v = verdict{action: o.Action, keepLast: o.KeepLast}
			if v.action == "" {
				v.action = s.Action
			}
		}
	}
	if v.action == "" {
		v.action = Mask
	}
	return v, true
}

func (s *Spec) looksFor(entity, rule string) bool {
	if len(s.Detectors) == 0 {
		return true
	}
	group := groupPersonal
	if entity == EntitySecret {
		group = groupSecrets
	}
	for _, d := range s.Detectors {
		if d == group || d == entity || d == rule && rule != "" {
			return true
		}
	}
	return false
}

// index makes the prefilter of keywords.
func (s *Set) index() {
	words := map[string]int{}
	var list []string
	number := func(w string) int {
		n, ok := words[w]
		if !ok {
			n = len(list)
			words[w], list = n, append(list, w)
			s.byWord = append(s.byWord, nil)
		}
		return n
	}
	s.context = make([][]int, len(s.recs))
	for i, r := range s.recs {
		if r.numbers != nil {
			for _, w := range r.words {
				s.context[i] = append(s.context[i], number(w))
			}
			continue
		}
		for _, w := range r.keywords {
			if n := number(w); !slices.Contains(s.byWord[n], i) {
				s.byWord[n] = append(s.byWord[n], i)
			}
		}
	}
	s.keywords = newKeywords(list)
}

// watch makes the automaton of what is looked for in answers.
func (s *Set) watch() error {
	var exprs []string
	for i, r := range s.recs {
		looked := slices.ContainsFunc(s.specs, func(c *compiled) bool { return c.goes(Output) && c.verdicts[i].action != "" })
		if !looked {
			continue
		}
		for k := range r.patterns {
			exprs = append(exprs, r.patterns[k].re.String())
		}
	}
	if len(exprs) == 0 {
		return nil
	}
	var err error
	s.live, err = newAutomaton(exprs)
	return err
}

// Entities are the names of what the set looks for without custom patterns, for
// documents and for people, and how each is found.
func Entities() []string {
	var out []string
	for _, r := range personal() {
		if !slices.Contains(out, r.entity) {
			out = append(out, r.entity)
		}
	}
	return append(out, EntitySecret)
}

// reserved says whether a custom pattern may not have a name.
func reserved(name string) bool { return slices.Contains(Entities(), name) }
