package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"purser/api/admin"
)

type keyCmd struct {
	Create keyCreateCmd `cmd:"" help:"Make a virtual key; its secret is shown this once."`
	List   keyListCmd   `cmd:"" help:"List the virtual keys."`
	Show   keyShowCmd   `cmd:"" help:"Show a virtual key, its own budgets and its children."`
	Update keyUpdateCmd `cmd:"" help:"Change what a virtual key may do; what is not named stays."`
	Rotate keyRotateCmd `cmd:"" help:"Give a virtual key another secret; the present one goes on for a time."`
	Revoke keyRevokeCmd `cmd:"" help:"Revoke a virtual key."`
	Forget keyForgetCmd `cmd:"" help:"Remove a revoked or expired key, and its own budgets."`
	Child  keyChildCmd  `cmd:"" help:"Make a child key of a virtual key, without asking a node."`
}

// keyRights are the flags of create and update.
type keyRights struct {
	Bind        map[string]string `help:"Fix a dimension: --bind customer=acme. Requests cannot override it."`
	Require     []string          `help:"Dimensions each request must carry."`
	Model       []string          `help:"Models the key may use, as clients write them; '*' stands for any characters (default all)."`
	Endpoint    []string          `help:"Routes the key may use, such as /v1/chat/* (default all)."`
	Provider    []string          `help:"Providers the key may use (default all)."`
	Upstream    []string          `help:"Upstreams the key may use (default all)."`
	Scope       []string          `help:"What it may be used for: inference, embeddings, models:list, children:mint, usage:self, cache:trace (default all but children:mint and cache:trace)."`
	Owner       string            `help:"Whose it is: member:<id>, agent:<id> or team:<id>."`
	Description string            `help:"What it is for, at more length."`
	MaxChildren int               `help:"Children with a slice of its budgets at a time (default 1000)."`
	Expires     string            `help:"When it ends, RFC 3339."`
	Budget      []string          `help:"A budget of its own: --budget 5/day, --budget 100000tokens/minute, --budget 60requests/minute, --budget 4slots; usd and total are the defaults."`
}

// ownBudgets reads the forms of --budget.
func ownBudgets(list []string) (out []admin.KeyBudget, err error) {
	for _, text := range list {
		amount, window, _ := strings.Cut(text, "/")
		unit := strings.TrimLeft(amount, "0123456789.")
		limit := strings.TrimSuffix(amount, unit)
		if limit == "" {
			return nil, fmt.Errorf("--budget %q is not <amount>[<unit>][/<window>]", text)
		}
		out = append(out, admin.KeyBudget{Unit: unit, Limit: json.Number(limit), Window: window})
	}
	return out, nil
}

type keyCreateCmd struct {
	remote
	keyRights
	Name     string `arg:"" help:"What the key is for."`
	ID       string `help:"Its id (default one that the node makes up)."`
	CacheOff bool   `help:"Never answer this key from a cache."`
	Hash     string `help:"Make a key of a secret that exists elsewhere: its SHA-256, in hexadecimal."`
}

// Run makes the key.
func (c *keyCreateCmd) Run(ctx context.Context) error {
	budgets, err := ownBudgets(c.Budget)
	if err != nil {
		return err
	}
	k, err := c.client().CreateKey(ctx, admin.NewKey{
		ID: c.ID, Name: c.Name, Bound: c.Bind, Required: c.Require, Models: c.Model, Expires: c.Expires, CacheOff: c.CacheOff, Budgets: budgets, Hash: c.Hash,
		KeyRights: admin.KeyRights{
			Description: c.Description, Owner: c.Owner, Scopes: c.Scope, Endpoints: c.Endpoint, Providers: c.Provider, Upstreams: c.Upstream, MaxChildren: c.MaxChildren,
		},
	})
	if err != nil {
		return err
	}
	return c.print(k, func(w *tabwriter.Writer) { printSecret(w, k) })
}

func printSecret(w *tabwriter.Writer, k admin.CreatedKey) {
	fmt.Fprintf(w, "id\t%s\nname\t%s\n", k.ID, k.Name)
	if k.OldUntil != "" {
		fmt.Fprintf(w, "the secret before\tcounts until %s\n", k.OldUntil)
	}
	if k.Secret != "" {
		fmt.Fprintf(w, "secret\t%s\n", k.Secret)
		fmt.Fprintln(w, "\nThe secret is not stored and cannot be shown again.")
	}
}

type keyListCmd struct{ remote }

// Run lists the keys.
func (c *keyListCmd) Run(ctx context.Context) error {
	keys, err := c.client().ListKeys(ctx)
	if err != nil {
		return err
	}
	return c.print(keys, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "ID\tNAME\tSTATE\tOWNER\tBOUND\tREQUIRED\tMODELS\tCREATED\tLAST USED\tEXPIRES")
		for _, k := range keys {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Name, k.State, dash(k.Owner), pairs(k.Bound), orDash(k.Required), orAll(k.Models), k.Created, dash(k.LastUsed), dash(k.Expires))
		}
	})
}

type keyShowCmd struct {
	remote
	ID string `arg:"" help:"The key's id."`
}

// Run shows the key.
func (c *keyShowCmd) Run(ctx context.Context) error {
	k, err := c.client().ShowKey(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.print(k, func(w *tabwriter.Writer) {
		for _, row := range [][2]string{
			{"id", k.ID}, {"name", k.Name}, {"state", k.State}, {"description", dash(k.Description)}, {"owner", dash(k.Owner)},
			{"scopes", cmpOr(strings.Join(k.Scopes, ","), "all but children:mint")}, {"bound", pairs(k.Bound)}, {"required", orDash(k.Required)}, {"models", orAll(k.Models)},
			{"endpoints", orAll(k.Endpoints)}, {"providers", orAll(k.Providers)}, {"upstreams", orAll(k.Upstreams)},
			{"created", k.Created}, {"expires", dash(k.Expires)}, {"revoked", dash(k.Revoked)}, {"last used", dash(k.LastUsed)},
			{"secret before counts until", dash(k.OldUntil)}, {"version", fmt.Sprint(k.Version)},
		} {
			fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
		}
		for _, b := range k.Budgets {
			spent := "-"
			for _, a := range b.Accounts {
				spent = units(a.Unit, a.Spent)
			}
			fmt.Fprintf(w, "budget\t%s %s per %s, spent %s\n", b.Limit, b.Unit, b.Window, spent)
		}
		if len(k.Children) > 0 {
			fmt.Fprintln(w, "\nCHILD\tGENERATION\tSLICE\tSPENT\tEXPIRES")
		}
		for _, ch := range k.Children {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", ch.ID, ch.Generation, units("usd", ch.Slice), units("usd", ch.Spent), ch.Expires)
		}
	})
}

func cmpOr(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}

type keyUpdateCmd struct {
	remote
	keyRights
	ID       string   `arg:"" help:"The key's id."`
	Name     string   `help:"What the key is for."`
	CacheOff string   `help:"Never answer this key from a cache: true or false." enum:"true,false," default:""`
	Clear    []string `help:"Take these away: bind, require, model, endpoint, provider, upstream, scope, owner, description, expires, max-children, budget."`
	Suspend  bool     `help:"Refuse its requests until it is resumed." xor:"state"`
	Resume   bool     `help:"Take its requests again." xor:"state"`
	Version  uint64   `help:"Only if the key is still at this version."`
}

// Run changes the key.
func (c *keyUpdateCmd) Run(ctx context.Context) error {
	change, err := c.change()
	if err != nil {
		return err
	}
	var expect admin.Expect
	if c.Version > 0 {
		expect = admin.Version(c.Version)
	}
	k, err := c.client().UpdateKey(ctx, c.ID, expect, change)
	if err != nil {
		return err
	}
	return c.print(k, func(w *tabwriter.Writer) { fmt.Fprintf(w, "%s\t%s\tversion %d\n", k.ID, k.Name, k.Version) })
}

func (c *keyUpdateCmd) change() (ch admin.KeyChange, err error) {
	lists := []struct {
		name string
		has  []string
		to   **[]string
	}{
		{"require", c.Require, &ch.Required}, {"model", c.Model, &ch.Models}, {"endpoint", c.Endpoint, &ch.Endpoints},
		{"provider", c.Provider, &ch.Providers}, {"upstream", c.Upstream, &ch.Upstreams}, {"scope", c.Scope, &ch.Scopes},
	}
	for i, l := range lists {
		if len(l.has) > 0 {
			*l.to = &lists[i].has
		}
	}
	texts := []struct {
		name, has string
		to        **string
	}{{"name", c.Name, &ch.Name}, {"owner", c.Owner, &ch.Owner}, {"description", c.Description, &ch.Description}, {"expires", c.Expires, &ch.Expires}}
	for i, t := range texts {
		if t.has != "" {
			*t.to = &texts[i].has
		}
	}
	if len(c.Bind) > 0 {
		ch.Bound = &c.Bind
	}
	if c.MaxChildren > 0 {
		ch.MaxChildren = &c.MaxChildren
	}
	if c.CacheOff != "" {
		off := c.CacheOff == "true"
		ch.CacheOff = &off
	}
	if c.Suspend || c.Resume {
		ch.Suspended = &c.Suspend
	}
	if len(c.Budget) > 0 {
		budgets, err := ownBudgets(c.Budget)
		if err != nil {
			return ch, err
		}
		ch.Budgets = &budgets
	}
	for _, name := range c.Clear {
		found := false
		for _, l := range lists {
			if l.name == name {
				*l.to, found = &[]string{}, true
			}
		}
		for _, t := range texts[1:] {
			if t.name == name {
				*t.to, found = new(string), true
			}
		}
		switch name {
		case "bind":
			ch.Bound, found = &map[string]string{}, true
		case "max-children":
			ch.MaxChildren, found = new(int), true
		case "budget":
			ch.Budgets, found = &[]admin.KeyBudget{}, true
		}
		if !found {
			return ch, fmt.Errorf("--clear %q is nothing that a key has", name)
		}
	}
	return ch, nil
}

type keyRotateCmd struct {
	remote
	ID         string `arg:"" help:"The key's id."`
	Overlap    string `help:"How long the present secret goes on counting, such as 24h (the default) or 0s."`
	Hash       string `help:"Take a secret that exists elsewhere: its SHA-256, in hexadecimal."`
	EndOverlap bool   `help:"Make no other secret: end the one before the last rotation, after --overlap or at once."`
}

// Run rotates the key.
func (c *keyRotateCmd) Run(ctx context.Context) error {
	k, err := c.client().RotateKey(ctx, c.ID, admin.Rotation{Overlap: c.Overlap, Hash: c.Hash, EndOverlap: c.EndOverlap})
	if err != nil {
		return err
	}
	return c.print(k, func(w *tabwriter.Writer) { printSecret(w, k) })
}

type keyRevokeCmd struct {
	remote
	ID string `arg:"" help:"The key's id."`
}

// Run revokes the key.
func (c *keyRevokeCmd) Run(ctx context.Context) error {
	k, err := c.client().RevokeKey(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.print(k, func(w *tabwriter.Writer) { fmt.Fprintf(w, "%s\t%s\trevoked %s\n", k.ID, k.Name, k.Revoked) })
}

type keyForgetCmd struct {
	remote
	ID string `arg:"" help:"The key's id."`
}

// Run forgets the key.
func (c *keyForgetCmd) Run(ctx context.Context) error {
	if err := c.client().ForgetKey(ctx, c.ID); err != nil {
		return err
	}
	fmt.Println("forgot " + c.ID)
	return nil
}
