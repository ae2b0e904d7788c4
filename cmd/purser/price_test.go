package main

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write the output of the examples in docs/prices.md anew")

// purser runs a command line in this process, and gives what it prints: standard
// output, then standard error, then its error as the program prints it.
func purser(t *testing.T, args ...string) string {
	t.Helper()
	var c cli
	var stdout, stderr bytes.Buffer
	parser := kong.Must(&c, kong.Name("purser"), kong.Writers(&stdout, &stderr), kong.Vars{"kinds": kindHelp},
		kong.Exit(func(code int) { t.Fatalf("purser %q exits with %d", args, code) }),
		kong.Vars{"kinds": kindHelp},
		kong.BindTo(context.Background(), (*context.Context)(nil)))
	k, err := parser.Parse(args)
	if err == nil {
		err = k.Run()
	}
	out := stdout.String() + stderr.String()
	if err != nil {
		out += "purser: " + explain(err) + "\n"
	}
	return out
}

// TestPricesDocument runs docs/prices.md: blocks with a file's name are written,
// and each command of a console block prints what stands under it.
func TestPricesDocument(t *testing.T) {
	document, err := filepath.Abs("../../docs/prices.md")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	const fence = "```"
	parts := strings.Split(string(text), fence)
	commands := 0
	for i := 1; i < len(parts); i += 2 {
		head, body, _ := strings.Cut(parts[i], "\n")
		kind, file, named := strings.Cut(head, " ")
		if named {
			if err := os.WriteFile(file, []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if kind != "console" {
			continue
		}
		line, want, _ := strings.Cut(body, "\n")
		args, ok := strings.CutPrefix(line, "$ purser ")
		if !ok {
			t.Fatalf("%q is no command", line)
		}
		commands++
		got := strings.ReplaceAll(trimmed(purser(t, strings.Fields(args)...)), dir+"/", "")
		if got != want && !*update {
			t.Errorf("%s prints (-update writes it)\n%s\nnot\n%s", line, got, want)
		}
		parts[i] = head + "\n" + line + "\n" + got
	}
	if commands < 5 {
		t.Errorf("only %d commands were found", commands)
	}
	if *update {
		if err := os.WriteFile(document, []byte(strings.Join(parts, fence)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// trimmed is text without blanks at the ends of lines.
func trimmed(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func written(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPriceCommandsSayWhatIsWrong(t *testing.T) {
	wrong := written(t, "wrong.yaml", "providers:\n  openai:\n    one: 1\ndiscounts:\n  - {provider: openai, percent: 5}\n")
	taken := written(t, "taken.yaml", "")
	catalogue := written(t, "c.json", `{"version":9}`)
	for _, x := range []struct {
		args []string
		want []string
	}{
		{[]string{"show", "no-such-model"}, []string{`there is no price for "no-such-model" at any provider`}},
		{[]string{"show", "gpt-4o", "--provider", "nobody"}, []string{"at nobody"}},
		{[]string{"show", "gpt-4o", "--at", "tomorrow"}, []string{`--at "tomorrow" is neither`}},
		{[]string{"show", "gpt-4o", "--prices", wrong}, []string{"openai.one"}},
		{[]string{"show", "gpt-4o", "--prices", catalogue}, []string{"catalogue format 9"}},
		{[]string{"check", wrong}, []string{":3: providers.openai.one", ":5: discounts[0].percent"}},
		{[]string{"diff", "embedded", "absent.yaml"}, []string{"absent.yaml"}},
		{[]string{"import", "--format", "litellm", wrong}, []string{"wrong.yaml: reading LiteLLM's prices: not a JSON object"}},
		{[]string{"import", "--format", "models.dev", "-o", taken, written(t, "api.json", `{"x":{"models":{"m":{"cost":{"input":1,"output":1}}}}}`)}, []string{"is there already"}},
		{[]string{"import", "--format", "models.dev", "-o", taken, written(t, "prices.json", `{"gpt-9":{"litellm_provider":"openai"}}`)}, []string{"a provider without models (1)", "no model was taken and nothing written: is its form that of models.dev"}},
		{[]string{"import", "--format", "excel", wrong}, []string{"litellm"}},
	} {
		out := purser(t, append([]string{"price"}, x.args...)...)
		for _, want := range x.want {
			if !strings.Contains(out, want) || !strings.Contains(out, "purser: ") {
				t.Errorf("price %q prints %q, not %q", x.args, out, want)
			}
		}
	}
}

// TestAnImportIsUsedAsOverrides goes from models.dev's form to a price that applies.
func TestAnImportIsUsedAsOverrides(t *testing.T) {
	api := written(t, "api.json", `{"openai":{"models":{"gpt-9":{"cost":{"input":2,"output":8},"limit":{"context":1000,"output":100}}}},
		"other":{"models":{"m":{"cost":{"input":1,"output":1}}}}}`)
	out := filepath.Join(t.TempDir(), "prices.yaml")
	if got := purser(t, "price", "import", "--format", "models.dev", "--provider", "openai", "-o", out, api); got != api+": models taken: 1\n" {
		t.Errorf("the report is %q", got)
	}
	if got := purser(t, "price", "diff", "embedded", out); got != "+ openai/gpt-9  input   2\n+ openai/gpt-9  output  8\nprices: 2 added, 0 removed, 0 changed\n" {
		t.Errorf("the difference is %q", got)
	}
	if got := purser(t, "price", "show", "gpt-9", "--provider", "openai", "--prices", out); !strings.Contains(got, "openai/gpt-9+override") || !strings.Contains(got, "source  models.dev") || !strings.Contains(got, "context window 1000, output 100") {
		t.Errorf("what applies is %q", got)
	}
	if got := purser(t, "price", "diff", out, out); got != "prices: 0 added, 0 removed, 0 changed\n" {
		t.Errorf("a file differs from itself: %q", got)
	}
}

// TestACatalogueIsShownAsItIs reads the snapshot itself as a file.
func TestACatalogueIsShownAsItIs(t *testing.T) {
	const file = "../../proxy/price/catalogue.json"
	if got := purser(t, "price", "diff", "embedded", file); got != "prices: 0 added, 0 removed, 0 changed\n" {
		t.Errorf("the catalogue differs from itself: %.300q", got)
	}
	got := purser(t, "price", "show", "gpt-5.4", "--at", "2026-11-24T00:00:00Z", "--prices", file)
	for _, want := range []string{"gpt-5.4 at azure", "rate    openai:eu/gpt-5.4\n", "rate    openai/gpt-5.4\n", "cache_write_1h*"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}
