package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"purser/api/admin"
	"purser/internal/desired"
	"purser/internal/directory"
	"purser/internal/governance"
	"purser/node"
)

const budgetKind = "budgets"

// desiredKinds are what a file can have: each after those it may refer to.
func desiredKinds() []desired.Kind {
	var kinds []desired.Kind
	for _, k := range governance.Kinds {
		kinds = append(kinds, desired.Kind{
			Plural: k.Plural,
			Normal: func(id string, spec json.RawMessage) (json.RawMessage, error) {
				if err := directory.ValidObjectID(id); err != nil {
					return nil, err
				}
				return normalObject(&k, spec)
			},
			After: func(spec json.RawMessage) (ids []string) {
				s, err := k.Decode(spec)
				if err != nil {
					return nil // of a later build: the node will say so
				}
				for _, r := range s.Refs() {
					if r.Kind == k.Number {
						ids = append(ids, r.ID)
					}
				}
				return ids
			},
		})
	}
	return append(kinds, desired.Kind{Plural: budgetKind, Normal: normalBudget}, keysOfFile)
}

// normalObject writes a spec as a file has it. Which runs a loop rule has forgiven is
// not what the rule says: files neither have it nor take it away.
func normalObject(k *governance.Kind, spec json.RawMessage) (json.RawMessage, error) {
	s, err := k.Decode(spec)
	if err != nil {
		return nil, err
	}
	if l, ok := s.(*governance.Loop); ok {
		l.Forgiven = nil
	}
	return governance.Encode(s)
}

func normalBudget(id string, spec json.RawMessage) (json.RawMessage, error) {
	b := admin.Budget{}
	d := json.NewDecoder(strings.NewReader(string(spec)))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil {
		return nil, err
	}
	if b.ID != "" && b.ID != id {
		return nil, fmt.Errorf("it names itself %q", b.ID)
	}
	b.ID = id
	if b.Window == "" {
		b.Window = "total"
	}
	if b.Unit == "" {
		b.Unit = "usd"
	}
	b, err := node.NormalBudget(b)
	if err != nil {
		return nil, err
	}
	return withoutID(b)
}

// withoutID writes a budget without what is its key in a file, and its version.
func withoutID(b admin.Budget) (json.RawMessage, error) {
	b.Version = 0
	return json.Marshal(struct {
		admin.Budget
		ID string `json:"id,omitempty"`
	}{Budget: b})
}

// held reads what the cluster has of the kinds that are asked for.
func held(ctx context.Context, c *admin.Client, kinds []string) (desired.Held, error) {
	out := desired.Held{}
	for _, kind := range kinds {
		var err error
		if out[kind], err = heldOf(ctx, c, kind); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func heldOf(ctx context.Context, c *admin.Client, kind string) (map[string]desired.Item, error) {
	switch kind {
	case budgetKind:
		return heldBudgets(ctx, c)
	case keyKind:
		return heldKeys(ctx, c)
	}
	list, err := c.ListObjects(ctx, kind)
	if err != nil {
		return nil, err
	}
	k, err := kindNamed(kind)
	if err != nil {
		return nil, err
	}
	items := map[string]desired.Item{}
	for _, o := range list {
		spec, err := normalObject(k, o.Spec)
		if err != nil {
			spec = o.Spec // of a later build
		}
		items[o.ID] = desired.Item{Version: o.Version, Spec: spec}
	}
	return items, nil
}

func heldBudgets(ctx context.Context, c *admin.Client) (map[string]desired.Item, error) {
	list, err := c.ListBudgets(ctx)
	if err != nil {
		return nil, err
	}
	items := map[string]desired.Item{}
	for _, b := range list {
		if node.BelongsToKey(b.Budget) {
			continue // made and deleted with the key
		}
		spec, err := withoutID(b.Budget)
		if err != nil {
			return nil, err
		}
		items[b.ID] = desired.Item{Version: b.Version, Spec: spec}
	}
	return items, nil
}

type applyCmd struct {
	remote
	File  string `short:"f" required:"" help:"File that says what there is to be (docs/governance.md); - for standard input." type:"path"`
	Plan  bool   `help:"Show what would change, and change nothing; ends with 2 if that is anything."`
	Prune bool   `help:"Delete what the kinds in the file have beyond it."`
	Yes   bool   `short:"y" help:"Do not ask before changing."`
}

// errDrift ends a plan that found something to do.
var errDrift = errors.New("the cluster is not as the file says")

// Run makes the cluster as a file says.
func (c *applyCmd) Run(ctx context.Context) error {
	file, err := readInput(c.File)
	if err != nil {
		return err
	}
	kinds := desiredKinds()
	want, err := desired.Parse(file, kinds)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	client := c.client()
	have, err := held(ctx, client, slices.Sorted(maps.Keys(want)))
	if err != nil {
		return err
	}
	steps := desired.Plan(have, want, kinds, c.Prune)
	if err := secretsKnown(steps); err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	changes := 0
	for i := range steps {
		fmt.Println(steps[i].String())
		if steps[i].Op != desired.Drift {
			changes++
		}
	}
	switch {
	case len(steps) == 0:
		fmt.Println("nothing to do: the cluster is as the file says")
		return nil
	case c.Plan:
		return errDrift
	case changes == 0:
		fmt.Println("nothing to do; --prune deletes what is not in the file")
		return nil
	}
	if err := c.confirm(changes); err != nil {
		return err
	}
	for i := range steps {
		if err := carryOut(ctx, client, &steps[i]); err != nil {
			return fmt.Errorf("%s %s (%d of %d changes are made; the same command goes on): %w", steps[i].Kind, steps[i].ID, i, changes, err)
		}
	}
	fmt.Printf("%d changed\n", changes)
	return nil
}

func (c *applyCmd) confirm(changes int) error {
	if c.Yes {
		return nil
	}
	if info, err := os.Stdin.Stat(); c.File == "-" || err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return errors.New("there is nobody to ask: --yes makes these changes, --plan only shows them")
	}
	fmt.Printf("make %d changes? [y/N] ", changes)
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); err != nil || answer != "y" && answer != "yes" {
		return errors.New("nothing was changed")
	}
	return nil
}

// carryOut makes one step's change, if the thing is as it was when the plan was made.
func carryOut(ctx context.Context, c *admin.Client, s *desired.Step) error {
	switch {
	case s.Op == desired.Drift:
		return nil
	case s.Kind == keyKind:
		return carryOutKey(ctx, c, s)
	case s.Kind == budgetKind && s.Op == desired.Delete:
		return c.DeleteBudget(ctx, s.ID)
	case s.Kind == budgetKind:
		b := admin.Budget{}
		if err := json.Unmarshal(s.After, &b); err != nil {
			return err
		}
		b.ID = s.ID
		_, err := c.PutBudgetIf(ctx, b, admin.Version(s.Version))
		return err
	case s.Op == desired.Delete:
		return c.DeleteObject(ctx, s.Kind, s.ID, admin.Version(s.Version))
	}
	_, err := c.PutObject(ctx, s.Kind, s.ID, admin.Version(s.Version), s.After)
	return err
}

type exportCmd struct {
	State    exportStateCmd     `cmd:"" default:"withargs" help:"Write what rules the cluster as a file for apply."`
	Focus    exportFOCUSCmd     `cmd:"" help:"Write what usage cost as FOCUS, CSV or Parquet: a row for each token meter."`
	Cbf      exportCBFCmd       `cmd:"" help:"Write it in CloudZero's Common Bill Format."`
	Vantage  exportVantageCmd   `cmd:"" help:"Write it as Vantage's custom providers take it."`
	Usage    exportUsageCmd     `cmd:"" aliases:"usage-parquet" help:"Write a row for each usage record, Parquet or CSV."`
	Validate exportValidateCmd  `cmd:"" help:"Check FOCUS files against the rules of the specification; needs no node."`
	Status   exportStateListCmd `cmd:"" help:"How the exports that are kept up are getting on."`
}

type exportStateCmd struct {
	remote
	Kind []string `help:"Only these kinds, by their plurals (default all)."`
}

// Run writes what the cluster has. A kind that the caller's role may not read is left
// out, so that the file changes nothing of it when it is applied; the file says so.
func (c *exportStateCmd) Run(ctx context.Context) error {
	kinds := desiredKinds()
	var known []string
	for _, k := range kinds {
		known = append(known, k.Plural)
	}
	for _, k := range c.Kind {
		if !slices.Contains(known, k) {
			return fmt.Errorf("%q is no kind that a file can have; there are %s", k, strings.Join(known, ", "))
		}
	}
	wanted := c.Kind
	if len(wanted) == 0 {
		wanted = known
	}
	client, set := c.client(), desired.Set{}
	var hidden []string
	var fault *admin.Fault
	for _, kind := range wanted {
		items, err := heldOf(ctx, client, kind)
		if errors.As(err, &fault) && fault.Code == "forbidden" && len(c.Kind) == 0 {
			hidden = append(hidden, kind)
			continue
		}
		if err != nil {
			return err
		}
		set[kind] = map[string]json.RawMessage{}
		for id, item := range items {
			set[kind][id] = item.Spec
		}
	}
	if len(set) == 0 {
		return fault
	}
	b, err := set.YAML(kinds)
	if err != nil {
		return err
	}
	if len(hidden) > 0 {
		b = append([]byte("# Left out, because the role of who asked does not read them: "+strings.Join(hidden, ", ")+".\n"), b...)
	}
	_, err = os.Stdout.Write(b)
	return err
}
