package template

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"purser/ledger"
)

// Types of variables.
const (
	String  = "string"
	Integer = "integer"
	Number  = "number"
	Boolean = "boolean"
	JSON    = "json" // any value, put in place as compact JSON
)

// Spec is one version of a template.
type Spec struct {
	Description string `json:"description,omitempty"`
	// Model is asked for where the request names none: a model or a route.
	Model string `json:"model,omitempty"`
	// System is the system prompt, which comes first. Its variables have to be stable.
	System string `json:"system,omitempty"`
	// Messages come after it, before those of the request.
	Messages  []Message           `json:"messages,omitempty"`
	Variables map[string]Variable `json:"variables,omitempty"`

	// What the request is sent with where it does not say so itself.
	MaxOutput   int64       `json:"max_output_tokens,omitempty"`
	Temperature json.Number `json:"temperature,omitempty"`
	TopP        json.Number `json:"top_p,omitempty"`
}

// Message is one message of a template.
type Message struct {
	Role    string `json:"role"` // user or assistant
	Content string `json:"content"`
}

// Variable is what may stand for {{name}}.
type Variable struct {
	Type        string          `json:"type,omitempty"` // string, the default, integer, number, boolean or json
	Description string          `json:"description,omitempty"`
	Stable      bool            `json:"stable,omitempty"`    // the same in most requests
	Default     json.RawMessage `json:"default,omitempty"`   // where the request has no value; none: it has to have one
	Enum        []string        `json:"enum,omitempty"`      // of strings: the values there are
	MaxBytes    int             `json:"max_bytes,omitempty"` // of the text that is put in place; default 65536, up to 1048576
}

// Limits of a template. An object of the directory bounds its size, too.
const (
	maxMessages  = 64
	maxVariables = 64
	maxEnum      = 256
	maxBytes     = 1 << 20
	usualBytes   = 64 << 10
	maxText      = 8 << 20 // of what it makes of a request's values
)

var (
	variableName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]{0,63}$`)
	templateName = regexp.MustCompile(`^[a-zA-Z0-9._:-]{1,100}$`)
	environment  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_-]{0,31}$`)
)

// Production is the environment of a request that names none.
const Production = "production"

// Validate says what is wrong with it, by the names of its fields.
func (s *Spec) Validate() error {
	_, err := s.Compile()
	return err
}

// piece is text, or the name of a variable whose value stands there.
type piece struct {
	text     string
	variable string
}

// Template is a version of a template, read. It is immutable.
type Template struct {
	spec     Spec
	system   []piece
	messages [][]piece
}

// Compile reads the spec.
func (s *Spec) Compile() (*Template, error) {
	t := &Template{spec: *s}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.System == "" && len(s.Messages) == 0 {
		bad("it has neither system nor messages")
	}
	if len(s.Messages) > maxMessages {
		bad("messages has %d, the most is %d", len(s.Messages), maxMessages)
	}
	if len(s.Model) > ledger.MaxDimValue {
		bad("model has %d bytes, the most is %d", len(s.Model), ledger.MaxDimValue)
	}
	if s.MaxOutput < 0 {
		bad("max_output_tokens is negative")
	}
	for name, v := range map[string]json.Number{"temperature": s.Temperature, "top_p": s.TopP} {
		if f, err := v.Float64(); v != "" && (err != nil || f < 0 || f > 2) {
			bad("%s %q is not a number from 0 to 2", name, v)
		}
	}
	errs = append(errs, checkVariables(s.Variables))
	used := map[string]bool{}
	read := func(where, text string) []piece {
		pieces, err := cut(text)
		if err != nil {
			bad("%s: %w", where, err)
		}
		for _, p := range pieces {
			v, ok := s.Variables[p.variable]
			switch {
			case p.variable == "":
			case !ok:
				bad("%s: the variable %s is not declared under variables", where, p.variable)
			case where == "system" && !v.Stable:
				bad("system: the variable %s is not stable, so the provider could not remember what follows it: move it to messages, or declare it stable if it is the same in most requests", p.variable)
			}
			used[p.variable] = true
		}
		return pieces
	}
	t.system = read("system", s.System)
	for i, m := range s.Messages {
		where := "messages[" + strconv.Itoa(i) + "]"
		if m.Role != "user" && m.Role != "assistant" {
			bad("%s: role %q is neither user nor assistant; a system prompt belongs under system", where, m.Role)
		}
		if m.Content == "" {
			bad("%s: content is empty", where)
		}
		t.messages = append(t.messages, read(where, m.Content))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Variables)) {
		if !used[name] {
			bad("the variable %s is declared and stands nowhere", name)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return t, nil
}

func checkVariables(vars map[string]Variable) error {
	if len(vars) > maxVariables {
		return fmt.Errorf("variables has %d, the most is %d", len(vars), maxVariables)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		v := vars[name]
		bad := func(format string, args ...any) {
			errs = append(errs, fmt.Errorf("variables."+name+": "+format, args...))
		}
		if !variableName.MatchString(name) {
			bad("a name has letters, digits and _, up to 64, and begins with a letter or _")
		}
		if !slices.Contains([]string{"", String, Integer, Number, Boolean, JSON}, v.Type) {
			bad("type %q is none of string, integer, number, boolean, json", v.Type)
		}
		if len(v.Enum) > 0 && v.Type != "" && v.Type != String || len(v.Enum) > maxEnum {
			bad("enum is for strings, and has up to %d values", maxEnum)
		}
		if v.MaxBytes < 0 || v.MaxBytes > maxBytes {
			bad("max_bytes is %d, not within 1 to %d", v.MaxBytes, maxBytes)
		}
		if len(v.Default) > 0 {
			if _, err := v.text(v.Default); err != nil {
				bad("default: %w", err)
			}
		}
	}
	return errors.Join(errs...)
}

// cut takes text apart at its variables.
func cut(text string) (out []piece, err error) {
	for text != "" {
		before, rest, found := strings.Cut(text, "{{")
		if before != "" {
			out = append(out, piece{text: before})
		}
		if !found {
			return out, nil
		}
		name, after, closed := strings.Cut(rest, "}}")
		name = strings.TrimSpace(name)
		switch {
		case !closed:
			return nil, errors.New("{{ is not closed by }}")
		case name == `"{{"`: // how a template says two braces
			out = append(out, piece{text: "{{"})
		case !variableName.MatchString(name):
			return nil, fmt.Errorf("{{%s}} names no variable; write {{\"{{\"}} for two braces", shortened(name))
		default:
			out = append(out, piece{variable: name})
		}
		text = after
	}
	return out, nil
}

func shortened(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// Prompt is the name that versions of a template go by.
type Prompt struct {
	Description string `json:"description,omitempty"`
	// Match is who may use it: dimension to the values it may have. None means everybody.
	Match map[string][]string `json:"match,omitempty"`
	// Environments are the versions that requests get which name one: "production"
	// where they name none.
	Environments map[string]int64 `json:"environments,omitempty"`
	// Before are the versions that environments had, the latest last, for rolling back.
	Before []Promotion `json:"before,omitempty"`
}

// Promotion is a version that an environment had.
type Promotion struct {
	Environment string `json:"environment"`
	Version     int64  `json:"version"`
}

// Limits of a prompt.
const (
	maxEnvironments = 32
	maxBefore       = 64
	maxMatch        = 16
)

// Validate says what is wrong with it, by the names of its fields.
func (p *Prompt) Validate() error {
	var errs []error
	if len(p.Environments) > maxEnvironments || len(p.Before) > maxBefore || len(p.Match) > maxMatch {
		errs = append(errs, fmt.Errorf("it takes up to %d environments, %d before and %d dimensions of match", maxEnvironments, maxBefore, maxMatch))
	}
	for name, version := range p.Environments {
		if !environment.MatchString(name) || version < 1 {
			errs = append(errs, fmt.Errorf("environments: %q: %d is not a name and a version; a name has letters, digits, - and _, and begins with a letter or _", name, version))
		}
	}
	for name, values := range p.Match {
		if _, err := ledger.ParseDimRef(name); err != nil {
			errs = append(errs, fmt.Errorf("match: %w", err))
		}
		if len(values) == 0 {
			errs = append(errs, fmt.Errorf("match: %s has no values", name))
		}
	}
	return errors.Join(errs...)
}

// Promote gives an environment a version, and remembers the one it had.
func (p *Prompt) Promote(env string, version int64) {
	environments := maps.Clone(p.Environments)
	if environments == nil {
		environments = map[string]int64{}
	}
	if was, ok := environments[env]; ok && was != version {
		p.Before = append(slices.Clone(p.Before), Promotion{env, was})
		if more := len(p.Before) - maxBefore; more > 0 {
			p.Before = p.Before[more:]
		}
	}
	environments[env] = version
	p.Environments = environments
}

// RollBack gives an environment the version it had before, and returns it; false if
// none is remembered.
func (p *Prompt) RollBack(env string) (int64, bool) {
	for i := len(p.Before) - 1; i >= 0; i-- {
		if b := p.Before[i]; b.Environment == env {
			p.Before = slices.Delete(slices.Clone(p.Before), i, i+1)
			p.Environments = maps.Clone(p.Environments)
			p.Environments[env] = b.Version
			return b.Version, true
		}
	}
	return 0, false
}

// Covers says whether requests of these dimensions may use it.
func (p *Prompt) Covers(d *ledger.Dimensions) bool {
	for name, values := range p.Match {
		ref, err := ledger.ParseDimRef(name)
		if err != nil || !slices.Contains(values, d.Get(ref)) {
			return false
		}
	}
	return true
}

// Use is a version of a template that a request gets.
type Use struct {
	Name    string
	Version int64
	Prompt  *Prompt // nil where nothing but versions is known
}

// VersionID is the id of a version of a template: "support@3".
func VersionID(name string, version int64) string {
	return name + "@" + strconv.FormatInt(version, 10)
}

// ParseID takes an id apart that a request names: name@version, name@environment, or
// a name for the environment "production". Of version and environment one is set.
func ParseID(id string) (name string, version int64, env string, err error) {
	name, rest, found := strings.Cut(id, "@")
	switch {
	case !templateName.MatchString(name):
		return "", 0, "", fmt.Errorf("%q is not name@version or name@environment", shortened(id))
	case !found:
		return name, 0, Production, nil
	}
	if n, err := strconv.ParseInt(rest, 10, 64); err == nil && n > 0 && strconv.FormatInt(n, 10) == rest {
		return name, n, "", nil
	}
	if !environment.MatchString(rest) {
		return "", 0, "", fmt.Errorf("%q is not name@version or name@environment", shortened(id))
	}
	return name, 0, rest, nil
}
