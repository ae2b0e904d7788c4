package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/goccy/go-yaml"

	"purser/internal/governance"
	"purser/proxy/redaction"
	"purser/proxy/redaction/rules"
)

type redactCmd struct {
	Test redactTestCmd `cmd:"" help:"Redact a text from standard input: what is found, without the values, and the text that is left."`
	List redactListCmd `cmd:"" help:"List what can be found: entities, and rules for secrets."`
}

// maxRedactText bounds what is read: as much as a request's body may have.
const maxRedactText = 32 << 20

type redactTestCmd struct {
	File   string `short:"f" help:"File with a redaction, YAML or JSON, as purser put redaction takes it. Default: everything is masked."`
	Rules  string `help:"File with rules for secrets in gitleaks' TOML form, instead of Purser's own."`
	Output bool   `help:"As in an answer, instead of a request."`
	JSON   bool   `help:"Print JSON for programs instead of a table."`
}

// redacted is what the command prints. Offsets are bytes of the input.
type redacted struct {
	Findings []redactedValue `json:"findings"`
	Blocked  bool            `json:"blocked"`
	Text     string          `json:"text"` // "" if it is blocked
}

type redactedValue struct {
	Start  int              `json:"start"`
	End    int              `json:"end"`
	Entity string           `json:"entity"`
	Rule   string           `json:"rule,omitempty"`
	Action redaction.Action `json:"action"`
}

// Run redacts standard input. No node is needed.
func (c *redactTestCmd) Run() error {
	set, err := c.set()
	if err != nil {
		return err
	}
	text, err := io.ReadAll(io.LimitReader(os.Stdin, maxRedactText+1))
	if err != nil {
		return fmt.Errorf("reading standard input: %w", err)
	}
	if len(text) > maxRedactText {
		return fmt.Errorf("standard input has more than %d bytes", maxRedactText)
	}
	out, err := c.redact(set, text)
	if err != nil {
		return err
	}
	return (&remote{JSON: c.JSON}).print(out, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "BYTES\tENTITY\tRULE\tACTION")
		for _, f := range out.Findings {
			fmt.Fprintf(w, "%d-%d\t%s\t%s\t%s\n", f.Start, f.End, f.Entity, f.Rule, f.Action)
		}
		if out.Blocked {
			fmt.Fprintln(w, "\nblocked")
			return
		}
		fmt.Fprintf(w, "\n%s\n", out.Text)
	})
}

func (c *redactTestCmd) set() (*redaction.Set, error) {
	spec := redaction.Spec{Direction: redaction.Both}
	if c.File != "" {
		read, err := readRedaction(c.File)
		if err != nil {
			return nil, err
		}
		spec = read
	}
	spec.ID, spec.Match = "test", nil
	o := redaction.Options{HashKey: []byte("purser redact test")}
	if c.Rules != "" {
		doc, err := os.ReadFile(c.Rules)
		if err != nil {
			return nil, fmt.Errorf("reading the rules: %w", err)
		}
		read, err := rules.Load(doc)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Rules, err)
		}
		own, err := rules.Own()
		if err != nil {
			return nil, err
		}
		o.Rules = read.Extended(own.Rules)
	}
	return redaction.Compile([]redaction.Spec{spec}, o)
}

func readRedaction(file string) (redaction.Spec, error) {
	doc, err := os.ReadFile(file)
	if err != nil {
		return redaction.Spec{}, fmt.Errorf("reading the redaction: %w", err)
	}
	asJSON, err := yaml.YAMLToJSON(doc)
	if err != nil {
		return redaction.Spec{}, fmt.Errorf("%s: %w", file, err)
	}
	k, ok := governance.KindOf("redaction")
	if !ok {
		return redaction.Spec{}, errors.New("this build has no redactions")
	}
	read, err := k.Decode(json.RawMessage(asJSON))
	if err != nil {
		return redaction.Spec{}, fmt.Errorf("%s: %w", file, err)
	}
	return read.(*governance.Redaction).Spec, nil
}

func (c *redactTestCmd) redact(set *redaction.Set, text []byte) (out redacted, err error) {
	direction := redaction.Input
	if c.Output {
		direction = redaction.Output
	}
	out.Findings = []redactedValue{}
	plan := set.Plan(nil, direction)
	if plan == nil {
		out.Text = string(text)
		return out, nil
	}
	found, full := plan.NewScanner().Scan(text)
	if full {
		return out, redaction.ErrTooMany
	}
	values, hasher := redaction.NewValues(""), set.Hasher("test")
	values.Reserve(text)
	var left []byte
	at := 0
	for i := range found {
		f := &found[i]
		out.Findings = append(out.Findings, redactedValue{f.Start, f.End, f.Entity, f.Rule, f.Action})
		out.Blocked = out.Blocked || f.Action == redaction.Block
		with, changed, err := f.Replacement(text[f.Start:f.End], hasher, values)
		if err != nil {
			return out, err
		}
		if changed {
			left = append(append(left, text[at:f.Start]...), with...)
			at = f.End
		}
	}
	if !out.Blocked {
		out.Text = string(append(left, text[at:]...))
	}
	return out, nil
}

type redactListCmd struct {
	JSON bool `help:"Print JSON for programs instead of a table."`
}

// Run lists entities and rules.
func (c *redactListCmd) Run() error {
	own, err := rules.Own()
	if err != nil {
		return err
	}
	type detector struct {
		Name string `json:"name"`
		What string `json:"what"`
	}
	var list []detector
	for _, e := range redaction.Entities() {
		if e != redaction.EntitySecret {
			list = append(list, detector{e, "personal data"})
		}
	}
	for _, r := range own.Rules {
		list = append(list, detector{r.ID, r.Description})
	}
	return (&remote{JSON: c.JSON}).print(list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "DETECTOR\tWHAT")
		for _, d := range list {
			fmt.Fprintf(w, "%s\t%s\n", d.Name, d.What)
		}
	})
}
