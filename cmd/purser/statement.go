package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"purser/api/admin"
)

type statementCmd struct {
	remote
	By     string   `help:"The dimension whose values are charged." default:"customer"`
	Value  string   `help:"One owner's statement alone."`
	Month  string   `help:"The month, such as 2026-11 (default this one)."`
	From   string   `help:"Another period: from when, RFC 3339."`
	To     string   `help:"Until when."`
	Zone   string   `help:"The zone whose month it is, such as Europe/Berlin (default UTC)."`
	Lines  []string `help:"What lines are divided by, at most three." default:"model"`
	Shared string   `help:"What becomes of spending that nobody owns: none, proportional or even." default:"none" enum:"none,proportional,even"`
	Markup string   `help:"Percent that are added to the cost, such as 12.5."`
	Form   string   `help:"csv, html or json." default:"csv" enum:"csv,html,json"`
	Out    string   `help:"The file to write (default standard output)." type:"path"`
}

// Help says what a statement is.
func (statementCmd) Help() string {
	return "A statement is what one customer, team or other owner used in a period, and what is charged for it: " +
		"a showback without markup, a chargeback with one. All of them, with what nobody owns, add up to what was spent. " +
		"--form html prints one sheet for each."
}

// Run writes statements.
func (c *statementCmd) Run(ctx context.Context) (err error) {
	out := io.Writer(os.Stdout)
	if c.Out != "" {
		f, err := os.CreateTemp(filepath.Dir(c.Out), ".statement-*")
		if err != nil {
			return fmt.Errorf("write the statements: %w", err)
		}
		defer func() {
			if err == nil {
				err = errors.Join(f.Sync(), f.Close(), os.Chmod(f.Name(), 0o644), os.Rename(f.Name(), c.Out))
			}
			if err != nil {
				_ = os.Remove(f.Name()) // only half of them
			}
		}()
		out = f
	}
	q := admin.StatementQuery{By: c.By, Value: c.Value, Lines: c.Lines, Month: c.Month, From: c.From, To: c.To, Zone: c.Zone, Shared: c.Shared, Markup: c.Markup}
	return c.client().Statements(ctx, q, c.Form, func(in io.Reader) error {
		_, err := io.Copy(out, in)
		return err
	})
}
