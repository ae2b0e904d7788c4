package policy

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/cel"

	"purser/ledger"
)

// Set is compiled policies, in the order in which they are asked. It is immutable.
type Set struct {
	policies []compiled
	index    index
	sampling bool
}

// Len is how many policies there are. A nil set has none.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return len(s.policies)
}

// ReadsSampling says whether a rule goes by the temperature or top_p, or changes
// them: else Params need not have them.
func (s *Set) ReadsSampling() bool { return s.sampling }

// compiled is one policy.
type compiled struct {
	id       string
	priority int
	shadow   bool
	match    []dimValues
	rules    []rule
	sampling bool // a rule goes by the temperature or top_p, or changes them
	from     Spec // as it was given; not written
}

// dimValues holds where the dimension has one of the values.
type dimValues struct {
	dim    ledger.DimRef
	values []string
}

type rule struct {
	id        string
	when      condition
	unless    condition
	exception bool // there is an unless
	outcome   Outcome
	message   string
	caps      *caps
}

// Compile makes a set of policies. The error has every fault, each with where it is.
func Compile(specs []Spec) (*Set, error) { return (*Set)(nil).Next(specs) }

// Next is [Compile] after a set, nil for none: what both have is not compiled again.
// The specs must not be written any more.
func (s *Set) Next(specs []Spec) (*Set, error) {
	c, err := newCompiler()
	if err != nil {
		return nil, err
	}
	had := map[string]*compiled{}
	if s != nil {
		for i := range s.policies {
			had[s.policies[i].id] = &s.policies[i]
		}
	}
	next := &Set{}
	var errs []error
	known := map[string]bool{}
	for i := range specs {
		id := specs[i].ID
		bad := func(err error) { errs = append(errs, fmt.Errorf("policy %s: %w", Clip(id), err)) }
		p, err := c.unless(had[id], &specs[i])
		for _, e := range Apart(err) {
			bad(e)
		}
		if err := checkID(id); err != nil {
			bad(err)
		}
		if known[id] {
			bad(errors.New("is there twice"))
		}
		known[id] = true
		next.policies = append(next.policies, p)
		next.sampling = next.sampling || p.sampling
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	slices.SortFunc(next.policies, func(a, b compiled) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), strings.Compare(a.id, b.id))
	})
	next.index = newIndex(next.policies)
	return next, nil
}

// unless compiles a policy, unless it is what was compiled before.
func (c *compiler) unless(was *compiled, s *Spec) (compiled, error) {
	if was != nil && reflect.DeepEqual(was.from, *s) {
		return *was, nil
	}
	return c.policy(s)
}

// Validate says everything that is wrong with the policy but for its id.
func (s *Spec) Validate() error {
	c, err := newCompiler()
	if err != nil {
		return err
	}
	_, err = c.policy(s)
	return err
}

type compiler struct {
	env      *cel.Env
	sampling bool // of the policy that is compiled
}

func newCompiler() (*compiler, error) {
	env, err := language()
	if err != nil {
		return nil, fmt.Errorf("the language of expressions: %w", err)
	}
	return &compiler{env: env}, nil
}

func (c *compiler) policy(s *Spec) (compiled, error) {
	p := compiled{id: s.ID, priority: s.Priority, shadow: s.Mode == Shadow, from: *s}
	c.sampling = false
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := checkText(s.Description); err != nil {
		bad("description: %w", err)
	}
	if s.Priority < -MaxPriority || s.Priority > MaxPriority {
		bad("priority: %d is not within %d to %d", s.Priority, -MaxPriority, MaxPriority)
	}
	if s.Mode != "" && s.Mode != Enforce && s.Mode != Shadow {
		bad("mode: %q is not %s or %s", Clip(string(s.Mode)), Enforce, Shadow)
	}
	match, err := newMatch(s.Match)
	if err != nil {
		bad("match: %w", err)
	}
	p.match = match
	if len(s.Rules) == 0 || len(s.Rules) > MaxRules {
		bad("rules: there are %d, not 1 to %d", len(s.Rules), MaxRules)
	}
	known := map[string]bool{}
	for i := range s.Rules[:min(len(s.Rules), MaxRules)] {
		r := &s.Rules[i]
		u, err := c.rule(r)
		for _, e := range Apart(err) {
			bad("rules[%d] (%s): %w", i, Clip(r.ID), e)
		}
		if known[r.ID] {
			bad("rules[%d]: the id %s is there twice", i, Clip(r.ID))
		}
		known[r.ID] = true
		p.rules = append(p.rules, u)
	}
	p.sampling = c.sampling
	return p, errors.Join(errs...)
}

func (c *compiler) rule(s *RuleSpec) (u rule, err error) {
	u = rule{id: s.ID, outcome: s.Outcome, message: s.Message}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := checkID(s.ID); err != nil {
		bad("%w", err)
	}
	if err := checkText(s.Message); err != nil {
		bad("message: %w", err)
	}
	switch s.Outcome {
	case Allow, Deny, Warn:
		if s.Set != nil {
			bad("set: is for the outcome %s", Rewrite)
		}
	case Rewrite:
		if u.caps, err = newCaps(s.Set); err != nil {
			bad("set: %w", err)
		}
		c.sampling = c.sampling || s.Set != nil && (s.Set.Temperature != nil || s.Set.TopP != nil)
	default:
		bad("outcome: %q is not %s, %s, %s or %s", Clip(string(s.Outcome)), Allow, Deny, Warn, Rewrite)
	}
	if s.When != nil {
		u.when, err = c.condition(s.When)
		for _, e := range Apart(err) {
			bad("when.%w", e)
		}
	}
	if s.Unless != nil {
		u.exception = true
		u.unless, err = c.condition(s.Unless)
		for _, e := range Apart(err) {
			bad("unless.%w", e)
		}
	}
	return u, errors.Join(errs...)
}

// checkID takes what the ids of a directory's objects may have.
func checkID(s string) error {
	ok := s != "" && len(s) <= maxIDLength
	for i := 0; ok && i < len(s); i++ {
		c := s[i]
		ok = 'a' <= lower(c) && lower(c) <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("._-:@", c) >= 0
	}
	if !ok {
		return fmt.Errorf("id %q is not 1 to %d of a-z, A-Z, 0-9, '.', '_', '-', ':', '@'", Clip(s), maxIDLength)
	}
	return nil
}

func checkText(s string) error {
	if len(s) > MaxText || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("is longer than %d bytes, not UTF-8, or has control characters", MaxText)
	}
	return nil
}

// Clip bounds what is repeated of an input in an error.
func Clip(s string) string {
	const most = 80
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// Apart gives the errors that were joined into one.
func Apart(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var list []error
		for _, e := range joined.Unwrap() {
			list = append(list, Apart(e)...)
		}
		return list
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

func timeOf(at ledger.Instant) time.Time { return time.Unix(0, int64(at)).UTC() }
