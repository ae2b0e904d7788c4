package main

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"

	"purser/api/admin"
	"purser/internal/login/native"
)

type loginCmd struct {
	remote
	Port      int  `help:"Port of 127.0.0.1 that the browser comes back to, for providers that take no other (default any)." default:"0"`
	NoBrowser bool `help:"Print the page instead of opening it."`
}

// Run logs the person in and keeps what they get.
func (c *loginCmd) Run(ctx context.Context) error {
	who, err := (&admin.Client{URL: c.URL}).LoginClient(ctx)
	if err != nil {
		return err
	}
	kept, err := native.Login(ctx, who, c.Port, func(page string) {
		fmt.Printf("Log in with your browser at\n\n  %s\n\n", page)
		if !c.NoBrowser {
			browse(ctx, page)
		}
	})
	if err != nil {
		return err
	}
	file, err := native.Default()
	if err != nil {
		return err
	}
	if err := native.Change(file, func(all map[string]native.Kept) { all[c.URL] = kept }); err != nil {
		return err
	}
	me, err := c.loggedIn(file).Whoami(ctx)
	if err != nil {
		return fmt.Errorf("the provider let you in, and the node did not: %w", err)
	}
	return c.print(me, func(w *tabwriter.Writer) {
		fmt.Fprintf(w, "logged in as %s (%s) until %s\n", me.Name, orDash(me.Roles), kept.Expires.Format(time.RFC3339))
	})
}

type logoutCmd struct{ remote }

// Run forgets the login of this machine.
func (c *logoutCmd) Run() error {
	file, err := native.Default()
	if err != nil {
		return err
	}
	return native.Change(file, func(all map[string]native.Kept) { delete(all, c.URL) })
}

// browse opens a page where the machine has a browser; the page is printed, too.
func browse(ctx context.Context, page string) {
	name := "xdg-open"
	if runtime.GOOS == "darwin" {
		name = "open"
	}
	if cmd := exec.CommandContext(ctx, name, page); cmd.Start() == nil {
		_ = cmd.Process.Release() // how it ends says nothing
	}
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
