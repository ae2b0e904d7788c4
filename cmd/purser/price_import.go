package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/alecthomas/kong"

	"purser/proxy/price"
	"purser/proxy/price/imports"
	"purser/proxy/price/overrides"
)

type priceImportCmd struct {
	File     string   `arg:"" help:"The other catalogue's file." type:"existingfile"`
	Format   string   `help:"litellm (model_prices_and_context_window.json) or models.dev (api.json)." required:"" enum:"litellm,models.dev"`
	Provider []string `help:"Only these providers, as the catalogue names them (default all)."`
	Out      string   `help:"File to write; it must not be there (default standard output)." short:"o" placeholder:"FILE"`
}

// Run writes overrides, and what was left out to standard error.
func (c *priceImportCmd) Run(k *kong.Kong) error { return c.write(k.Stdout, k.Stderr) }

func (c *priceImportCmd) write(stdout, report io.Writer) error {
	raw, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	read := imports.LiteLLM
	if c.Format == "models.dev" {
		read = imports.ModelsDev
	}
	result, err := read(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	models := result.Models
	if len(c.Provider) > 0 {
		models = slices.DeleteFunc(models, func(m price.Model) bool { return !slices.Contains(c.Provider, m.Provider) })
	}
	if len(models) > 0 {
		text := overrides.Write(models)
		if _, err := overrides.Apply(price.Embedded(), "what was made of "+c.File, text); err != nil {
			return err
		}
		if err := c.save(stdout, text); err != nil {
			return err
		}
	}
	for _, l := range result.Left {
		fmt.Fprintf(report, "%s (%d)\n", l.Why, len(l.What))
		for _, what := range l.What {
			fmt.Fprintf(report, "  %s\n", what)
		}
	}
	if len(models) == 0 {
		return fmt.Errorf("%s: no model was taken and nothing written: is its form that of %s, and has it models of --provider?", c.File, c.Format)
	}
	fmt.Fprintf(report, "%s: models taken: %d\n", c.File, len(models))
	return nil
}

func (c *priceImportCmd) save(stdout io.Writer, text []byte) error {
	if c.Out == "" {
		_, err := stdout.Write(text)
		return err
	}
	f, err := os.OpenFile(c.Out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already; prices are not replaced", c.Out)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
