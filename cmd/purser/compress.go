package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"purser/ledger"
	"purser/proxy/compress"
	"purser/proxy/compress/measure"
	"purser/proxy/price"
)

type compressCmd struct {
	Level    string   `default:"near_lossless" enum:"lossless,near_lossless,aggressive" help:"lossless, near_lossless or aggressive."`
	Dialect  string   `enum:"auto,chat,responses,messages,gemini" default:"auto" help:"What the body is: chat, responses, messages or gemini."`
	Model    string   `help:"Count with the tokenizer of this model. Default o200k."`
	Only     []string `help:"Run these passes of the level alone."`
	Skip     []string `help:"Leave these passes of the level out."`
	Keep     int      `default:"8" help:"Newest turns whose results stay, aggressive."`
	Step     int      `default:"8" help:"In which steps older ones go, aggressive."`
	MaxBytes int      `default:"16384" help:"Longest text of a tool result, aggressive."`
	Body     bool     `help:"Print the body that is left, and nothing else."`
	JSON     bool     `help:"Print JSON for programs instead of a table."`
}

// Run compresses a request's body from standard input. No node is needed.
func (c *compressCmd) Run() error {
	body, err := io.ReadAll(io.LimitReader(os.Stdin, compress.MaxBody+1))
	if err != nil {
		return fmt.Errorf("reading standard input: %w", err)
	}
	if len(body) > compress.MaxBody {
		return fmt.Errorf("standard input has more than %d bytes, which nodes leave as they are", compress.MaxBody)
	}
	out, err := c.measure(body)
	if err != nil {
		return err
	}
	if c.Body {
		_, err := os.Stdout.Write(out.Body)
		return err
	}
	return (&remote{JSON: c.JSON}).print(out, func(w *tabwriter.Writer) {
		fmt.Fprintln(w, "PASS\tTEXTS\tTOKENS LESS")
		for _, p := range out.Passes {
			fmt.Fprintf(w, "%s\t%d\t%d\n", p.Pass, p.Texts, p.Tokens)
		}
		about := ""
		if out.Guessed {
			about = " (by o200k, whatever the model)"
		}
		fmt.Fprintf(w, "\n%s: %d tokens become %d%s\n", out.Level, out.Before, out.After, about)
	})
}

func (c *compressCmd) measure(body []byte) (*measure.Outcome, error) {
	s, err := c.settings()
	if err != nil {
		return nil, err
	}
	d := measure.DialectOf(body)
	for _, known := range []compress.Dialect{compress.Chat, compress.Responses, compress.Messages, compress.Gemini} {
		if known.String() == c.Dialect {
			d = known
		}
	}
	tokenizer := "o200k"
	if c.Model != "" {
		if tokenizer, err = tokenizerOf(c.Model); err != nil {
			return nil, err
		}
	}
	return measure.Of(body, d, s, measure.Model{Name: c.Model, Tokenizer: tokenizer})
}

func (c *compressCmd) settings() (s compress.Settings, err error) {
	s = compress.Settings{KeepTurns: c.Keep, StepTurns: c.Step, ResultBytes: c.MaxBytes}
	if s.Level, err = compress.ParseLevel(c.Level); err != nil {
		return s, err
	}
	for _, names := range []struct {
		list []string
		into *[]compress.Pass
	}{{c.Only, &s.Only}, {c.Skip, &s.Skip}} {
		for _, name := range names.list {
			p, err := compress.ParsePass(name)
			if err != nil {
				return s, err
			}
			*names.into = append(*names.into, p)
		}
	}
	return s, s.Validate()
}

// tokenizerOf is that of a model in the embedded price catalogue, "" if it is not known.
func tokenizerOf(model string) (string, error) {
	prices := price.Embedded()
	for _, provider := range []string{"openai", "anthropic", "google", "azure", "aws"} {
		if r, ok := prices.FindIn(provider, "", model, ledger.MaxInstant-1); ok {
			return r.Tokenizer, nil
		}
	}
	return "", errors.New("no provider of the embedded price catalogue has the model " + strings.TrimSpace(model))
}
