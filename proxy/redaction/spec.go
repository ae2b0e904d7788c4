package redaction

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"purser/ledger"
)

// Limits of specs.
const (
	MaxSpecs      = 256
	maxCustom     = 32   // patterns of a spec's own
	maxExceptions = 256  // of a spec
	maxPattern    = 1024 // bytes of an expression
	maxWords      = 32   // context words of a pattern
	maxWord       = 64   // bytes of one
	maxMatch      = 16   // dimensions
	maxMatchValue = 256  // values of one
	maxDetectors  = 512
)

// Mode says whether a spec changes anything.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce" // also ""
	Shadow  Mode = "shadow"  // what it finds is counted, and nothing is changed
)

// Direction says which way the text goes.
type Direction string

// The directions of a spec. A [Plan] is for Input or Output.
const (
	Input  Direction = "input" // what the client sends; also ""
	Output Direction = "output"
	Both   Direction = "both"
)

// Action says what becomes of a value.
type Action string

// The actions, from the weakest. Of several specs that find a value, the strongest
// action counts.
const (
	Report   Action = "report"   // it is counted
	Tokenise Action = "tokenise" // a placeholder, which becomes the value again in the answer
	Hash     Action = "hash"     // a keyed hash: equal values of a tenant stay equal
	Mask     Action = "mask"     // the entity's name; also "" for a spec
	Block    Action = "block"    // the request, or the answer, is refused
)

var strength = map[Action]int{Report: 1, Tokenise: 2, Hash: 3, Mask: 4, Block: 5}

// Spec is a redaction: what is looked for in which requests, and what is done.
type Spec struct {
	ID          string              `json:"-"` // of the object that it is the spec of
	Description string              `json:"description,omitempty"`
	Match       map[string][]string `json:"match,omitempty"` // dimension to the values it may have; none means every request
	Mode        Mode                `json:"mode,omitempty"`
	Direction   Direction           `json:"direction,omitempty"`

	// Detectors are entities (EMAIL), rules for secrets (github-token), or the groups
	// secrets and personal. None means both groups.
	Detectors []string `json:"detectors,omitempty"`
	Action    Action   `json:"action,omitempty"`
	KeepLast  int      `json:"keep_last,omitempty"` // characters that a mask shows, 0 to 8

	Overrides  map[string]Override `json:"overrides,omitempty"` // by entity or rule
	Custom     []Custom            `json:"custom,omitempty"`
	Exceptions []Exception         `json:"exceptions,omitempty"`
	Hook       *Hook               `json:"hook,omitempty"`
}

// Override is another action for one entity or rule.
type Override struct {
	Action   Action `json:"action,omitempty"` // "" is that of the spec
	KeepLast int    `json:"keep_last,omitempty"`
	Off      bool   `json:"off,omitempty"` // it is not looked for
}

// Custom is a pattern of the operator's.
type Custom struct {
	Name     string   `json:"name"`               // its entity: letters in upper case, digits and underscores
	Regex    string   `json:"regex"`              // RE2; its first group is the value, if it has one
	Keywords []string `json:"keywords,omitempty"` // one must be in the text; they make the search fast
	Checksum string   `json:"checksum,omitempty"` // luhn, mod97, verhoeff or mod11
	Context  []string `json:"context,omitempty"`  // words of which one must be near
}

// Exception is a value that is not to be found.
type Exception struct {
	Entity string `json:"entity,omitempty"` // "" is any
	Value  string `json:"value,omitempty"`  // the whole value, in any case
	Regex  string `json:"regex,omitempty"`  // that the whole value fits
}

// Hook asks a recognizer outside, in the form of Presidio's analyzer.
type Hook struct {
	Name     string            `json:"name"`               // as the node's configuration names it
	Language string            `json:"language,omitempty"` // default en
	Entities []string          `json:"entities,omitempty"` // of its own names; none means all
	MinScore float64           `json:"min_score,omitempty"`
	FailOpen bool              `json:"fail_open,omitempty"` // a hook that does not answer is passed over; else the request is refused
	Rename   map[string]string `json:"rename,omitempty"`    // its names to ours
}

var (
	idForm     = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	entityForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]{0,47}$`)
)

// Validate says everything that is wrong with a spec, but for names that no rule has:
// which rules there are is known to [Compile].
func (s *Spec) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(s.Description) > 1024 {
		bad("description is longer than 1024 bytes")
	}
	if _, err := s.conditions(); err != nil {
		errs = append(errs, err)
	}
	if s.Mode != "" && s.Mode != Enforce && s.Mode != Shadow {
		bad("mode is not enforce or shadow")
	}
	if s.Direction != "" && s.Direction != Input && s.Direction != Output && s.Direction != Both {
		bad("direction is not input, output or both")
	}
	checkAction := func(where string, a Action, keep int) {
		if a != "" && strength[a] == 0 {
			bad("%s: action is not report, tokenise, hash, mask or block", where)
		}
		if a == Tokenise && s.Direction == Output {
			bad("%s: an answer's values have nothing to be restored in: tokenise is for input", where)
		}
		if keep < 0 || keep > 8 || keep > 0 && a != "" && a != Mask {
			bad("%s: keep_last is 0 to 8, and for mask", where)
		}
	}
	checkAction("action", s.Action, s.KeepLast)
	for name, o := range s.Overrides {
		checkAction("overrides."+name, o.Action, o.KeepLast)
	}
	if len(s.Detectors) > maxDetectors || len(s.Overrides) > maxDetectors {
		bad("more than %d detectors or overrides", maxDetectors)
	}
	errs = append(errs, s.validateOwn()...)
	errs = append(errs, s.Hook.validate(s.Direction)...)
	return errors.Join(errs...)
}

func (s *Spec) validateOwn() (errs []error) {
	if len(s.Custom) > maxCustom || len(s.Exceptions) > maxExceptions {
		errs = append(errs, fmt.Errorf("more than %d custom patterns or %d exceptions", maxCustom, maxExceptions))
		return errs
	}
	seen := map[string]bool{}
	for i := range s.Custom {
		c := &s.Custom[i]
		if seen[c.Name] || reserved(c.Name) {
			errs = append(errs, fmt.Errorf("custom[%d]: there is another %q", i, c.Name))
		}
		seen[c.Name] = true
		if _, err := c.recognizer(s.ID); err != nil {
			errs = append(errs, fmt.Errorf("custom[%d]: %w", i, err))
		}
	}
	for i := range s.Exceptions {
		if _, err := s.Exceptions[i].compile(); err != nil {
			errs = append(errs, fmt.Errorf("exceptions[%d]: %w", i, err))
		}
	}
	return errs
}

func (h *Hook) validate(d Direction) (errs []error) {
	if h == nil {
		return nil
	}
	if !idForm.MatchString(h.Name) {
		errs = append(errs, errors.New("hook.name is not 1 to 64 of a-z, 0-9, '.', '_', '-'"))
	}
	if d == Output || d == Both {
		errs = append(errs, errors.New("a hook is asked about what clients send: direction must be input"))
	}
	if len(h.Language) > 16 || len(h.Entities) > 64 || len(h.Rename) > 64 || h.MinScore < 0 || h.MinScore > 1 {
		errs = append(errs, errors.New("hook: language has up to 16 bytes, entities and rename up to 64 names, min_score is 0 to 1"))
	}
	for _, to := range h.Rename {
		if !entityForm.MatchString(to) {
			errs = append(errs, errors.New("hook.rename: an entity is 1 to 48 of A-Z, 0-9 and '_'"))
		}
	}
	return errs
}

func (s *Spec) conditions() ([]ledger.Condition, error) {
	if len(s.Match) > maxMatch {
		return nil, fmt.Errorf("match has more than %d dimensions", maxMatch)
	}
	var out []ledger.Condition
	for name, values := range s.Match {
		ref, err := ledger.ParseDimRef(name)
		if err != nil {
			return nil, fmt.Errorf("match: %w", err)
		}
		if len(values) == 0 || len(values) > maxMatchValue {
			return nil, fmt.Errorf("match.%s has none or more than %d values", name, maxMatchValue)
		}
		out = append(out, ledger.Condition{Dim: ref, Values: values})
	}
	slices.SortFunc(out, func(a, b ledger.Condition) int { return strings.Compare(a.Dim.String(), b.Dim.String()) })
	return out, nil
}

func (c *Custom) recognizer(spec string) (*recognizer, error) {
	if !entityForm.MatchString(c.Name) {
		return nil, errors.New("name is not 1 to 48 of A-Z, 0-9 and '_', beginning with a letter")
	}
	if len(c.Regex) > maxPattern {
		return nil, fmt.Errorf("regex is longer than %d bytes", maxPattern)
	}
	re, err := regexp.Compile(c.Regex)
	if err != nil {
		return nil, fmt.Errorf("regex: %w", err)
	}
	if re.MatchString("") {
		return nil, errors.New("regex matches the empty text")
	}
	if size := programSize(c.Regex); size > maxProgram {
		return nil, fmt.Errorf("regex is too large: %d steps, more than %d", size, maxProgram)
	}
	if err := checkWords(c.Context, "context"); err != nil {
		return nil, err
	}
	if err := checkWords(c.Keywords, "keywords"); err != nil {
		return nil, err
	}
	r := &recognizer{entity: c.Name, spec: spec, patterns: []pattern{{re: re}}, rank: rankCustom}
	for _, k := range c.Keywords {
		r.keywords = append(r.keywords, strings.ToLower(k))
	}
	if len(c.Context) > 0 {
		r.patterns[0].context = true
		r.words = lowered(c.Context)
	}
	if c.Checksum != "" {
		check, ok := checksums[c.Checksum]
		if !ok {
			return nil, errors.New("checksum is not luhn, mod97, verhoeff or mod11")
		}
		r.patterns[0].valid = check
	}
	return r, r.ready()
}

func checkWords(words []string, name string) error {
	if len(words) > maxWords {
		return fmt.Errorf("more than %d %s", maxWords, name)
	}
	for _, w := range words {
		if w == "" || len(w) > maxWord {
			return fmt.Errorf("one of the %s is empty or longer than %d bytes", name, maxWord)
		}
	}
	return nil
}

// exception is a compiled one.
type exception struct {
	entity string
	value  []byte // in lower case
	re     *regexp.Regexp
}

func (e *Exception) compile() (exception, error) {
	if (e.Value == "") == (e.Regex == "") {
		return exception{}, errors.New("there must be a value or a regex")
	}
	if len(e.Value) > maxPattern || len(e.Regex) > maxPattern {
		return exception{}, fmt.Errorf("longer than %d bytes", maxPattern)
	}
	out := exception{entity: e.Entity}
	if e.Value != "" {
		out.value = []byte(strings.ToLower(e.Value))
		return out, nil
	}
	re, err := regexp.Compile(`\A(?:` + e.Regex + `)\z`)
	if err != nil {
		return exception{}, fmt.Errorf("regex: %w", err)
	}
	out.re = re
	return out, nil
}
