package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"purser/childkey"
)

type keyChildCmd struct {
	ParentEnv string            `help:"The environment variable with the parent's secret: a virtual key, or a child key." default:"PURSER_KEY"`
	Show      string            `help:"Make nothing: show what this child key says. It asks no node whether it counts."`
	USD       string            `help:"The most the child and its children may cost in all, in dollars. Its first two digits count."`
	TTL       time.Duration     `help:"How long it lives: with --usd a day at most, else 31 days." default:"1h"`
	Models    []string          `help:"Models it may use; '*' stands for any characters (default the parent's)."`
	Endpoints []string          `help:"Routes it may use (default the parent's)."`
	Providers []string          `help:"Providers it may use (default the parent's)."`
	Bind      map[string]string `help:"Fix a dimension: --bind agent=crawler."`
	Depth     int               `help:"Generations there may be below it (default as many as three in all allow)." default:"-1"`
	Sealed    bool              `help:"It can have no children."`
	JSON      bool              `help:"Print JSON."`
}

// Run makes the child, and prints it alone, so that $(purser key child) is its value.
func (c *keyChildCmd) Run() error {
	if c.Show != "" {
		return c.print(c.Show)
	}
	parent := os.Getenv(c.ParentEnv)
	if parent == "" {
		return fmt.Errorf("%s is not set: it is to hold the parent's secret", c.ParentEnv)
	}
	if !strings.HasPrefix(parent, "pk_") {
		return fmt.Errorf("%s holds no virtual key: these begin with pk_", c.ParentEnv)
	}
	if c.TTL < time.Second {
		return errors.New("--ttl is less than a second")
	}
	caveats := childkey.Caveats{Expires: time.Now().Add(c.TTL).Unix(), Models: c.Models, Endpoints: c.Endpoints, Providers: c.Providers, Bind: c.Bind}
	if c.USD != "" {
		slice, err := childkey.ParseUSD(c.USD)
		if err != nil {
			return fmt.Errorf("--usd: %w", err)
		}
		if less := slice.Enforced(); less != slice {
			fmt.Fprintf(os.Stderr, "purser: a slice counts by its first two digits: %s USD\n", less)
			slice = less
		}
		caveats.Slice = &slice
	}
	if c.Depth >= 0 {
		caveats.Depth = &c.Depth
	}
	token, err := childkey.Mint(parent, caveats)
	if err == nil && c.Sealed {
		token, err = childkey.Seal(token)
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return c.print(token)
	}
	fmt.Println(token)
	return nil
}

// shownChild is what a child key says.
type shownChild struct {
	Key         string             `json:"key,omitempty"`
	ID          string             `json:"id"` // as usage has it
	Sealed      bool               `json:"sealed"`
	Generations []childkey.Caveats `json:"generations"`
}

func (c *keyChildCmd) print(token string) error {
	t, err := childkey.Parse(token)
	if err == nil {
		err = t.Verify()
	}
	if err != nil {
		return err
	}
	out := shownChild{ID: fmt.Sprintf("%x", t.Last().ID[:16]), Sealed: t.Sealed}
	for i := range t.Blocks {
		out.Generations = append(out.Generations, t.Blocks[i].Caveats)
	}
	if c.JSON {
		if c.Show == "" {
			out.Key = token
		}
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(out)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "id\t%s\nsealed\t%v\n", out.ID, out.Sealed)
	for i, g := range out.Generations {
		slice := "-"
		if g.Slice != nil {
			slice = g.Slice.String() + " USD"
		}
		fmt.Fprintf(w, "generation %d\texpires %s, slice %s, models %s, endpoints %s, providers %s, bound %s\n", i+1,
			time.Unix(g.Expires, 0).UTC().Format(time.RFC3339), slice, orAll(g.Models), orAll(g.Endpoints), orAll(g.Providers), pairs(g.Bind))
	}
	return w.Flush()
}
