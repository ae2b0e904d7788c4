package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"purser/api/admin"
	"purser/internal/login/native"
)

// remote is how a command reaches a node, and how it prints.
type remote struct {
	URL   string `help:"The node's address." env:"PURSER_URL" default:"http://127.0.0.1:7070"`
	Token string `help:"An admin token (default: the login of \"purser login\")." env:"PURSER_ADMIN_TOKEN"`
	JSON  bool   `help:"Print JSON for programs instead of a table."`
	Stale bool   `help:"Show what the node knows, without asking a quorum whether it is up to date."`
}

func (r *remote) client() *admin.Client {
	c := &admin.Client{URL: r.URL, Token: r.Token}
	if r.Stale {
		c.Read = admin.Stale
	}
	if r.Token == "" {
		c.Source = func(ctx context.Context) (string, error) {
			file, err := native.Default()
			if err != nil {
				return "", nil // there is no place where a login could be
			}
			return native.Token(ctx, file, r.URL, time.Now())
		}
	}
	return c
}

// loggedIn is a client with the login that a file has.
func (r *remote) loggedIn(file string) *admin.Client {
	return &admin.Client{URL: r.URL, Source: func(ctx context.Context) (string, error) { return native.Token(ctx, file, r.URL, time.Now()) }}
}

// print writes v as JSON, or calls table.
func (r *remote) print(v any, table func(*tabwriter.Writer)) error {
	if r.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	table(w)
	return w.Flush()
}

type statusCmd struct{ remote }

// Run prints the node's status.
func (c *statusCmd) Run(ctx context.Context) error {
	s, err := c.client().Status(ctx)
	if err != nil {
		return err
	}
	return c.print(s, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "node\t%s\t%s\n", s.Node, s.State)
		fmt.Fprintf(w, "version\t%s\n", s.Version)
		fmt.Fprintf(w, "cluster\t%s\n", dash(s.Cluster))
		fmt.Fprintf(w, "leader\t%s (this node: %s, term %d)\n", dash(s.Leader), s.Role, s.Term)
		fmt.Fprintf(w, "incarnation\t%d\n", s.Incarnation)
		if s.Role == "gateway" {
			fmt.Fprintf(w, "follows\t%s\n", dash(s.Follows))
		}
		fmt.Fprintf(w, "ledger\tentry %d at %s, digest %.16s\n", s.AppliedLog, s.LedgerTime, dash(s.Digest))
		fmt.Fprintf(w, "objects\t%d budgets, %d accounts, %d keys, %d holds in flight\n", s.Budgets, s.Accounts, s.Keys, s.Holds)
		fmt.Fprintf(w, "prices\t%.16s\n", s.Catalogue)
		for _, u := range s.Upstreams {
			fmt.Fprintf(w, "upstream\t%s\t%s\t%s\n", u.Name, u.BaseURL, u.State)
		}
	})
}

func pairs(m map[string]string) string {
	if len(m) == 0 {
		return "-"
	}
	var out []string
	for k, v := range m {
		out = append(out, k+"="+v)
	}
	slices.Sort(out)
	return strings.Join(out, ",")
}

func orDash(list []string) string { return dash(strings.Join(list, ",")) }

func orAll(list []string) string {
	if len(list) == 0 {
		return "all"
	}
	return strings.Join(list, ",")
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
