package suite

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"purser/proxy/policy"
)

// Document is the policies of a file, by their ids, and its cases. Other parts of a
// file, such as those of other kinds of objects, are left alone.
type Document struct {
	Policies []policy.Spec
	Cases    []Case
}

// Case is one request, and what is to come of it.
type Case struct {
	Name    string       `json:"name"`
	Request policy.Facts `json:"request"`
	Expect  Expectation  `json:"expect"`
}

// Expectation is what a case compares. What it does not have is not compared.
type Expectation struct {
	Decision string    `json:"decision"` // allow or deny
	Policy   string    `json:"policy,omitempty"`
	Rule     string    `json:"rule,omitempty"`
	Warnings *[]string `json:"warnings,omitempty"` // "<policy>/<rule>"
	Rewrites *[]string `json:"rewrites,omitempty"` // such as "n=1"
	Shadow   *[]string `json:"shadow,omitempty"`   // "<policy>/<rule> denied"
}

// maxFile bounds a file: policies of the largest size are smaller.
const maxFile = 16 << 20

// Parse reads a document. Unknown fields are errors, with their line.
func Parse(b []byte) (*Document, error) {
	file, err := parseFile(b)
	if err != nil {
		return nil, err
	}
	d := &Document{}
	policies := map[string]policy.Spec{}
	if err := decode(file, "$.policies", &policies); err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(policies)) {
		s := policies[id]
		s.ID = id
		d.Policies = append(d.Policies, s)
	}
	return d, decode(file, "$.cases", &d.Cases)
}

// ParseFacts reads one request.
func ParseFacts(b []byte) (*policy.Facts, error) {
	file, err := parseFile(b)
	if err != nil {
		return nil, err
	}
	f := &policy.Facts{}
	return f, decode(file, "$", f)
}

func parseFile(b []byte) (*ast.File, error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("the file is larger than %d bytes", maxFile)
	}
	file, err := parser.ParseBytes(b, 0)
	if err != nil {
		return nil, errors.New(yaml.FormatError(err, false, false))
	}
	return file, nil
}

// decode reads one part of a file, which may be missing.
func decode(file *ast.File, path string, into any) error {
	at, err := yaml.PathString(path)
	if err != nil {
		return err
	}
	node, err := at.FilterFile(file)
	switch {
	case yaml.IsNotFoundNodeError(err):
		return nil
	case err == nil:
		err = yaml.NewDecoder(strings.NewReader(""), yaml.Strict()).DecodeFromNode(node, into)
	}
	if err != nil {
		return errors.New(yaml.FormatError(err, false, false))
	}
	return nil
}

// Result is how one case went.
type Result struct {
	Case   *Case         `json:"case"`
	Answer policy.Answer `json:"answer"`
	Wrong  []string      `json:"wrong,omitempty"` // nothing: it went as expected
}

// Run asks the set about each case. An error means that a case cannot be asked.
func Run(set *policy.Set, cases []Case) ([]Result, error) {
	var out []Result
	for i := range cases {
		c := &cases[i]
		in, err := c.Request.Input()
		if err != nil {
			return nil, fmt.Errorf("case %d (%s): %w", i, c.Name, err)
		}
		if c.Expect.Decision != string(policy.Allow) && c.Expect.Decision != string(policy.Deny) {
			return nil, fmt.Errorf("case %d (%s): expect.decision: %q is not allow or deny", i, c.Name, c.Expect.Decision)
		}
		d, steps := set.Explain(in)
		a := policy.NewAnswer(in, &d)
		a.Steps = steps
		out = append(out, Result{Case: c, Answer: a, Wrong: c.Expect.differs(&a)})
	}
	return out, nil
}

func (e *Expectation) differs(a *policy.Answer) (wrong []string) {
	text := func(what, want, got string) {
		if want != "" && want != got {
			wrong = append(wrong, fmt.Sprintf("%s is %q, not %q", what, got, want))
		}
	}
	list := func(what string, want *[]string, got []string) {
		if want != nil && !slices.Equal(*want, got) {
			wrong = append(wrong, fmt.Sprintf("%s are %s, not %s", what, listText(got), listText(*want)))
		}
	}
	text("decision", e.Decision, a.Decision)
	text("policy", e.Policy, a.Policy)
	text("rule", e.Rule, a.Rule)
	list("warnings", e.Warnings, a.Warnings)
	list("rewrites", e.Rewrites, a.Rewrites)
	list("shadow", e.Shadow, a.Shadow)
	return wrong
}

func listText(list []string) string {
	b, err := json.Marshal(append([]string{}, list...))
	if err != nil {
		return err.Error()
	}
	return string(b)
}
