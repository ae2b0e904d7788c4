package suite

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml"

	"purser/proxy/policy"
)

// Document is a file of policies, of cases, or of both.
type Document struct {
	Policies []policy.Spec `json:"policies"`
	Cases    []Case        `json:"cases"`
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
	d := &Document{}
	return d, parse(b, d)
}

// ParseFacts reads one request.
func ParseFacts(b []byte) (*policy.Facts, error) {
	f := &policy.Facts{}
	return f, parse(b, f)
}

func parse(b []byte, into any) error {
	if len(b) > maxFile {
		return fmt.Errorf("the file is larger than %d bytes", maxFile)
	}
	if err := yaml.UnmarshalWithOptions(b, into, yaml.Strict()); err != nil {
		return errors.New(yaml.FormatError(err, false, false))
	}
	return nil
}

// Result is how one case went.
type Result struct {
	Case   *Case
	Answer policy.Answer
	Wrong  []string // nothing: it went as expected
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
	b, err := json.Marshal(slices.Concat([]string{}, list))
	if err != nil {
		return err.Error()
	}
	return string(b)
}
