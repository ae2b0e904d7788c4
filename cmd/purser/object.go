package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/goccy/go-yaml"

	"purser/api/admin"
	"purser/internal/governance"
)

// kindHelp names the kinds of object.
const kindHelp = "org, team, project, member, agent, route, and the other kinds of docs/governance.md; the plural will do too."

// kindNamed finds a kind by its name or plural.
func kindNamed(name string) (*governance.Kind, error) {
	if k, ok := governance.KindOf(name); ok {
		return k, nil
	}
	var names []string
	for _, k := range governance.Kinds {
		names = append(names, k.Name)
	}
	return nil, fmt.Errorf("no kind of object is called %q; there are %s", name, strings.Join(names, ", "))
}

type getCmd struct {
	remote
	Kind string `arg:"" help:"${kinds}"`
	ID   string `arg:"" optional:"" help:"The object; without it, all of the kind."`
}

// Run shows objects.
func (c *getCmd) Run(ctx context.Context) error {
	k, err := kindNamed(c.Kind)
	if err != nil {
		return err
	}
	if c.ID != "" {
		o, err := c.client().ShowObject(ctx, k.Plural, c.ID)
		if err != nil {
			return err
		}
		return c.print(o, func(w *tabwriter.Writer) {
			fmt.Fprintf(w, "%s\t%s\nversion\t%d\ncreated\t%s\nchanged\t%s\nspec\t%s\n", k.Name, o.ID, o.Version, o.Created, o.Changed, o.Spec)
		})
	}
	list, err := c.client().ListObjects(ctx, k.Plural)
	if err != nil {
		return err
	}
	return c.print(list, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "ID\tVERSION\tCHANGED\tSPEC")
		for _, o := range list {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", o.ID, o.Version, o.Changed, short(string(o.Spec)))
		}
	})
}

// short keeps a table's line on a screen.
func short(s string) string {
	const most = 100
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

type putCmd struct {
	remote
	Kind    string            `arg:"" help:"${kinds}"`
	ID      string            `arg:"" help:"The object: a-z, A-Z, 0-9, '.', '_', '-', ':', '@'."`
	File    string            `short:"f" help:"File with the spec, YAML or JSON; - for standard input." type:"path" xor:"spec"`
	Set     map[string]string `short:"s" help:"A field that is text: --set org=acme (repeat)." xor:"spec"`
	Version uint64            `help:"Change it only if it is of this version."`
	New     bool              `help:"Make it only if it is not there."`
}

// Run puts an object.
func (c *putCmd) Run(ctx context.Context) error {
	k, err := kindNamed(c.Kind)
	if err != nil {
		return err
	}
	spec, err := c.spec()
	if err != nil {
		return err
	}
	if _, err := k.Decode(spec); err != nil {
		return fmt.Errorf("%s %s: %w%s", k.Name, c.ID, err, forApply(spec))
	}
	// Without fields it makes a bare object, and never empties one that is there.
	expect, err := expectation(c.Version, c.New || c.bare())
	if err != nil {
		return err
	}
	o, err := c.client().PutObject(ctx, k.Plural, c.ID, expect, spec)
	var fault *admin.Fault
	if c.bare() && !c.New && errors.As(err, &fault) && fault.Code == "conflict" {
		return fmt.Errorf("%s %s is there: say with -f or --set what it is to be", k.Name, c.ID)
	}
	if err != nil {
		return err
	}
	return c.print(o, func(w *tabwriter.Writer) { fmt.Fprintf(w, "%s\t%s\nversion\t%d\n", k.Name, o.ID, o.Version) })
}

// bare says that no field was given.
func (c *putCmd) bare() bool { return c.File == "" && len(c.Set) == 0 && c.Version == 0 }

// forApply is a hint for a file of kinds and ids, which is not one object's spec.
func forApply(spec json.RawMessage) string {
	var top map[string]json.RawMessage
	if json.Unmarshal(spec, &top) != nil {
		return ""
	}
	for name := range top {
		if k, ok := governance.KindOf(name); ok && k.Plural == name {
			return "; a file of " + name + " by their ids is for purser apply -f"
		}
	}
	return ""
}

func (c *putCmd) spec() (json.RawMessage, error) {
	if c.File == "" {
		if c.Set == nil {
			c.Set = map[string]string{}
		}
		return json.Marshal(c.Set)
	}
	b, err := readInput(c.File)
	if err != nil {
		return nil, err
	}
	out, err := yaml.YAMLToJSON(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.File, err)
	}
	return out, nil
}

func expectation(version uint64, isNew bool) (admin.Expect, error) {
	switch {
	case isNew && version != 0:
		return nil, fmt.Errorf("--new and --version contradict each other")
	case isNew:
		return admin.Version(0), nil
	case version != 0:
		return admin.Version(version), nil
	}
	return nil, nil
}

// readInput reads a file, or standard input for "-".
func readInput(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(path)
}

type deleteCmd struct {
	remote
	Kind    string `arg:"" help:"${kinds}"`
	ID      string `arg:"" help:"The object."`
	Version uint64 `help:"Delete it only if it is of this version."`
}

// Run deletes an object.
func (c *deleteCmd) Run(ctx context.Context) error {
	k, err := kindNamed(c.Kind)
	if err != nil {
		return err
	}
	expect, err := expectation(c.Version, false)
	if err != nil {
		return err
	}
	return c.client().DeleteObject(ctx, k.Plural, c.ID, expect)
}
