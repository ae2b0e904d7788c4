package rules

import (
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Limits of a file: several times those of the largest set in use.
const (
	MaxFile  = 1 << 20 // bytes
	MaxRules = 1000
	maxRegex = 4 << 10 // bytes of one expression
)

//go:embed purser.toml
var own []byte

// Rule finds one kind of secret.
type Rule struct {
	ID, Description string
	Regex           *regexp.Regexp
	Keywords        []string // in lower case; one must be in the text. None: always
	Group           int      // of the expression, that is the secret; 0: the first that is not empty, else the match
	Entropy         float64  // bits for each byte that the secret must have at least; 0: any
	Allow           []Allow
}

// Target is what an allow-list looks at.
type Target uint8

// The targets.
const (
	Secret Target = iota
	Match
	Line
)

// Allow is a list of what is no secret after all.
type Allow struct {
	Target    Target
	Regexes   []*regexp.Regexp
	StopWords []string // in lower case, looked for in the secret
	All       bool     // both kinds must agree, where there are both
}

// Allows says whether the list covers a finding, by its secret and what it targets.
func (a *Allow) Allows(secret, target []byte) bool {
	byRegex, byWord := false, false
	for _, re := range a.Regexes {
		if re.Match(target) {
			byRegex = true
			break
		}
	}
	if len(a.StopWords) > 0 {
		lower := strings.ToLower(string(secret))
		for _, w := range a.StopWords {
			if strings.Contains(lower, w) {
				byWord = true
				break
			}
		}
	}
	if a.All && len(a.Regexes) > 0 && len(a.StopWords) > 0 {
		return byRegex && byWord
	}
	return byRegex || byWord
}

// Set is what a file says.
type Set struct {
	Rules   []Rule
	Left    []string // ids of rules that no text alone can decide
	Default bool     // the file extends the default set
	Without []string // ids of rules of the set extended that do not count
}

// Own is the set that is compiled in.
func Own() (Set, error) { return Load(own) }

// Extended gives the rules of s after those it extends, if it does.
func (s *Set) Extended(base []Rule) []Rule {
	if !s.Default {
		return s.Rules
	}
	replaced := map[string]bool{}
	for _, id := range s.Without {
		replaced[id] = true
	}
	for _, r := range s.Rules {
		replaced[r.ID] = true
	}
	var all []Rule
	for _, r := range base {
		if !replaced[r.ID] {
			all = append(all, r)
		}
	}
	return append(all, s.Rules...)
}

// file is the form on disk. Members that are not here are read over.
type file struct {
	Extend struct {
		UseDefault    bool     `toml:"useDefault"`
		Path          string   `toml:"path"`
		DisabledRules []string `toml:"disabledRules"`
	} `toml:"extend"`
	Allowlist  *allowlist  `toml:"allowlist"`
	Allowlists []allowlist `toml:"allowlists"`
	Rules      []rule      `toml:"rules"`
}

type rule struct {
	ID          string      `toml:"id"`
	Description string      `toml:"description"`
	Regex       string      `toml:"regex"`
	Path        string      `toml:"path"`
	Keywords    []string    `toml:"keywords"`
	SecretGroup int         `toml:"secretGroup"`
	Entropy     float64     `toml:"entropy"`
	Allowlist   *allowlist  `toml:"allowlist"`
	Allowlists  []allowlist `toml:"allowlists"`
	Required    []any       `toml:"required"`
}

type allowlist struct {
	Condition   string   `toml:"condition"`
	RegexTarget string   `toml:"regexTarget"`
	Regexes     []string `toml:"regexes"`
	StopWords   []string `toml:"stopwords"`
	Paths       []string `toml:"paths"`
	Commits     []string `toml:"commits"`
	TargetRules []string `toml:"targetRules"`
}

// Load reads a file.
func Load(doc []byte) (Set, error) {
	if len(doc) > MaxFile {
		return Set{}, fmt.Errorf("the rules have %d bytes, more than %d", len(doc), MaxFile)
	}
	var f file
	if err := toml.Unmarshal(doc, &f); err != nil {
		if at, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, column := at.Position()
			return Set{}, fmt.Errorf("reading the rules: line %d, column %d: %w", line, column, err)
		}
		return Set{}, fmt.Errorf("reading the rules: %w", err)
	}
	if f.Extend.Path != "" {
		return Set{}, errors.New("the rules extend another file: put its rules into one")
	}
	if len(f.Rules) > MaxRules {
		return Set{}, fmt.Errorf("there are %d rules, more than %d", len(f.Rules), MaxRules)
	}
	s := Set{Default: f.Extend.UseDefault, Without: f.Extend.DisabledRules}
	general, err := readGeneral(&f)
	if err != nil {
		return Set{}, err
	}
	seen := map[string]bool{}
	for _, r := range f.Rules {
		if r.ID == "" || seen[r.ID] {
			return Set{}, fmt.Errorf("the rule %q has no id, or that of another", r.ID)
		}
		seen[r.ID] = true
		if r.Regex == "" || r.Path != "" || len(r.Required) > 0 {
			s.Left = append(s.Left, r.ID)
			continue
		}
		read, err := readRule(r)
		if err != nil {
			return Set{}, fmt.Errorf("the rule %s: %w", r.ID, err)
		}
		for _, g := range general {
			if g.covers(r.ID) {
				read.Allow = append(read.Allow, g.Allow)
			}
		}
		s.Rules = append(s.Rules, read)
	}
	return s, nil
}

func readRule(r rule) (Rule, error) {
	re, err := compile(r.Regex)
	if err != nil {
		return Rule{}, err
	}
	if r.SecretGroup < 0 || r.SecretGroup > re.NumSubexp() {
		return Rule{}, fmt.Errorf("secretGroup is %d, and the expression has %d", r.SecretGroup, re.NumSubexp())
	}
	out := Rule{ID: r.ID, Description: r.Description, Regex: re, Group: r.SecretGroup, Entropy: r.Entropy}
	for _, k := range r.Keywords {
		if k != "" {
			out.Keywords = append(out.Keywords, strings.ToLower(k))
		}
	}
	lists := r.Allowlists
	if r.Allowlist != nil {
		lists = append(lists, *r.Allowlist)
	}
	for _, l := range lists {
		a, some, err := readAllow(l)
		if err != nil {
			return Rule{}, err
		}
		if some {
			out.Allow = append(out.Allow, a)
		}
	}
	return out, nil
}

// general is an allow-list of the whole file.
type general struct {
	Allow
	only []string
}

func (g *general) covers(id string) bool {
	for _, o := range g.only {
		if o == id {
			return true
		}
	}
	return len(g.only) == 0
}

func readGeneral(f *file) (out []general, err error) {
	lists := f.Allowlists
	if f.Allowlist != nil {
		lists = append(lists, *f.Allowlist)
	}
	for _, l := range lists {
		a, some, err := readAllow(l)
		if err != nil {
			return nil, fmt.Errorf("an allow-list of the file: %w", err)
		}
		if some {
			out = append(out, general{a, l.TargetRules})
		}
	}
	return out, nil
}

// readAllow reads a list. One that also asks for a path or a commit can never be
// fulfilled by a text, where all its conditions must hold.
func readAllow(l allowlist) (a Allow, some bool, err error) {
	switch strings.ToUpper(l.Condition) {
	case "", "OR", "||":
	case "AND", "&&":
		a.All = true
	default:
		return a, false, fmt.Errorf("the condition %q is neither AND nor OR", l.Condition)
	}
	switch strings.ToLower(l.RegexTarget) {
	case "", "secret":
	case "match":
		a.Target = Match
	case "line":
		a.Target = Line
	default:
		return a, false, fmt.Errorf("the regexTarget %q is not secret, match or line", l.RegexTarget)
	}
	for _, r := range l.Regexes {
		re, err := compile(r)
		if err != nil {
			return a, false, err
		}
		a.Regexes = append(a.Regexes, re)
	}
	for _, w := range l.StopWords {
		if w != "" {
			a.StopWords = append(a.StopWords, strings.ToLower(w))
		}
	}
	if a.All && len(l.Paths)+len(l.Commits) > 0 {
		return a, false, nil
	}
	return a, len(a.Regexes)+len(a.StopWords) > 0, nil
}

func compile(expr string) (*regexp.Regexp, error) {
	if len(expr) > maxRegex {
		return nil, fmt.Errorf("an expression has %d bytes, more than %d", len(expr), maxRegex)
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return nil, fmt.Errorf("reading an expression: %w", err)
	}
	if re.MatchString("") {
		return nil, errors.New("an expression matches the empty text")
	}
	return re, nil
}
