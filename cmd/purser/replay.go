package main

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goccy/go-yaml"

	"purser/api/admin"
	"purser/internal/replay"
	"purser/ledger"
	"purser/node"
)

type replayCmd struct {
	remote
	Scenario string            `arg:"" optional:"" help:"YAML file with the changed settings; see docs/replay.md. Without it, traffic is replayed as it was." type:"existingfile"`
	Records  string            `help:"Usage records, JSON lines; - for standard input. Without --records and --trace the node is asked for its own." type:"path" xor:"source"`
	Trace    string            `help:"A trace of Mooncake (.jsonl) or Azure (.csv), gzipped or not." type:"existingfile" xor:"source"`
	Model    string            `help:"The model of a trace." default:"gpt-4o"`
	Provider string            `help:"The provider of a trace." default:"openai"`
	From     string            `help:"Records from when, RFC 3339 (default 24 hours ago)."`
	To       string            `help:"Records until when, RFC 3339 (default now)."`
	Filter   map[string]string `help:"Only records with this value: --filter team=search."`
	By       []string          `help:"Show groups by these dimensions."`
	Prices   string            `help:"A catalogue (JSON) or price overrides (YAML), or embedded." default:"embedded" placeholder:"FILE"`
}

// scenarioFile is the form of a scenario's file.
type scenarioFile struct {
	Name    string `yaml:"name"`
	Routing []struct {
		Match    map[string][]string `yaml:"match"`
		Models   []string            `yaml:"models"`
		MaxInput int64               `yaml:"max_input_tokens"`
		Share    float64             `yaml:"share"`
		Provider string              `yaml:"provider"`
		To       string              `yaml:"to"`
	} `yaml:"routing"`
	Cache *struct {
		Mode string        `yaml:"mode"`
		TTL  time.Duration `yaml:"ttl"`
	} `yaml:"cache"`
	PromptCache *struct {
		Mode string        `yaml:"mode"`
		TTL  time.Duration `yaml:"ttl"`
	} `yaml:"prompt_cache"`
	Compression *struct {
		Kept float64 `yaml:"kept"`
	} `yaml:"compression"`
	Budgets map[string]admin.Budget `yaml:"budgets"`
}

// Run replays and prints what came of it.
func (c *replayCmd) Run(ctx context.Context) error {
	s, err := c.scenario()
	if err != nil {
		return err
	}
	prices, err := catalogueOf(c.Prices)
	if err != nil {
		return err
	}
	var by []ledger.DimRef
	for _, name := range c.By {
		ref, err := ledger.ParseDimRef(name)
		if err != nil {
			return fmt.Errorf("--by: %w", err)
		}
		by = append(by, ref)
	}
	list, err := c.requests(ctx)
	if err != nil {
		return err
	}
	if c.Trace != "" {
		if err := replay.Price(list, prices); err != nil {
			return err
		}
	}
	if len(list) == 0 {
		return errors.New("there are no requests to replay")
	}
	report := replay.Run(list, s, prices, by)
	return c.print(report, func(w *tabwriter.Writer) { c.table(w, s, report) })
}

func (c *replayCmd) scenario() (*replay.Scenario, error) {
	s := &replay.Scenario{Name: "as recorded"}
	if c.Scenario == "" {
		return s, nil
	}
	text, err := os.ReadFile(c.Scenario)
	if err != nil {
		return nil, err
	}
	var f scenarioFile
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %s", c.Scenario, yaml.FormatError(err, false, false))
	}
	if s, err = f.read(); err == nil {
		err = s.Validate()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Scenario, err)
	}
	return s, nil
}

func (f *scenarioFile) read() (*replay.Scenario, error) {
	s := &replay.Scenario{Name: f.Name}
	for _, r := range f.Routing {
		rule := replay.Rule{Models: r.Models, MaxInput: r.MaxInput, Share: r.Share, Provider: r.Provider, Model: r.To}
		for _, name := range slices.Sorted(maps.Keys(r.Match)) {
			ref, err := ledger.ParseDimRef(name)
			if err != nil {
				return nil, fmt.Errorf("routing: match: %w", err)
			}
			rule.Match = append(rule.Match, ledger.Condition{Dim: ref, Values: r.Match[name]})
		}
		s.Routing = append(s.Routing, rule)
	}
	if f.Cache != nil {
		if !slices.Contains([]string{"", "on", "off"}, f.Cache.Mode) {
			return nil, fmt.Errorf("cache: mode %q is neither on nor off", f.Cache.Mode)
		}
		s.Cache = &replay.Cache{Off: f.Cache.Mode == "off", TTL: f.Cache.TTL}
	}
	if f.PromptCache != nil {
		if !slices.Contains([]string{"", "on", "off"}, f.PromptCache.Mode) {
			return nil, fmt.Errorf("prompt_cache: mode %q is neither on nor off", f.PromptCache.Mode)
		}
		s.Prompts = &replay.Prompts{Off: f.PromptCache.Mode == "off", TTL: f.PromptCache.TTL}
		if s.Prompts.TTL == 0 {
			s.Prompts.TTL = 5 * time.Minute
		}
	}
	if f.Compression != nil {
		s.Kept = f.Compression.Kept
	}
	for _, id := range slices.Sorted(maps.Keys(f.Budgets)) {
		b := f.Budgets[id]
		b.ID = id
		if b.Window == "" {
			b.Window = "total"
		}
		if b.Unit == "" {
			b.Unit = "usd"
		}
		rule, err := node.ReadBudget(b)
		if err != nil {
			return nil, fmt.Errorf("budgets: %w", err)
		}
		s.Budgets = append(s.Budgets, rule)
	}
	return s, nil
}

// requests reads what is to be replayed.
func (c *replayCmd) requests(ctx context.Context) (list []replay.Request, err error) {
	switch {
	case c.Trace != "":
		return c.trace()
	case c.Records != "":
		b, err := readInput(c.Records)
		if err != nil {
			return nil, err
		}
		return replay.ReadRecords(strings.NewReader(string(b)))
	}
	err = c.client().Records(ctx, admin.UsageQuery{From: c.From, To: c.To, Filter: c.Filter}, func(r io.Reader) (err error) {
		list, err = replay.ReadRecords(r)
		return err
	})
	return list, err
}

func (c *replayCmd) trace() ([]replay.Request, error) {
	file, err := os.Open(c.Trace)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var in io.Reader = file
	name := c.Trace
	if plain, ok := strings.CutSuffix(name, ".gz"); ok {
		name = plain
		if in, err = gzip.NewReader(file); err != nil {
			return nil, fmt.Errorf("%s: %w", c.Trace, err)
		}
	}
	of := replay.Trace{Provider: c.Provider, Model: c.Model, Start: ledger.Instant(time.Now().Truncate(24 * time.Hour).UnixNano())}
	read := replay.ReadMooncake
	if strings.HasSuffix(name, ".csv") {
		read = replay.ReadAzure
	}
	list, err := read(in, of)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Trace, err)
	}
	return list, nil
}

func (c *replayCmd) table(w *tabwriter.Writer, s *replay.Scenario, r *replay.Report) {
	fmt.Fprintf(w, "\tREQUESTS\tCALLS\tHITS\tREFUSED\tINPUT\tREAD\tWITHOUT LEVERS\tCOST\n")
	for _, row := range [...]struct {
		name string
		sum  *replay.Sum
	}{{"recorded", &r.Recorded}, {dash(s.Name), &r.Replayed}} {
		t := row.sum
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t%s\n", row.name, t.Requests, t.Calls, t.Hits, t.Refused, t.Input, t.Read, units("usd", int64(t.Baseline)), units("usd", int64(t.Cost)))
	}
	t := &r.Replayed
	fmt.Fprintf(w, "\nspent\t%s\n", change(r.Recorded.Cost, t.Cost))
	if t.Refused > 0 {
		fmt.Fprintf(w, "refused\t%d requests of %s\n", t.Refused, units("usd", int64(t.Denied)))
	}
	for _, l := range slices.Sorted(maps.Keys(t.Saved)) {
		fmt.Fprintf(w, "saved by %s\t%s\n", l, units("usd", int64(t.Saved[l])))
	}
	if t.Estimated > 0 {
		fmt.Fprintf(w, "estimated\t%d requests, whose usage is not in the records\n", t.Estimated)
	}
	if t.Unpriced > 0 {
		fmt.Fprintf(w, "unpriced\t%d calls, left at what was recorded: the catalogue has no price for their model\n", t.Unpriced)
	}
	if len(c.By) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\tREQUESTS\tREFUSED\tRECORDED\tREPLAYED\n", strings.ToUpper(strings.Join(c.By, "\t")))
	for _, key := range slices.Sorted(maps.Keys(r.Groups)) {
		g := r.Groups[key]
		values := strings.Split(key, "\t")
		for i := range values {
			values[i] = dash(values[i])
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\t%s\n", strings.Join(values, "\t"), g.Replayed.Requests, g.Replayed.Refused, units("usd", int64(g.Recorded.Cost)), units("usd", int64(g.Replayed.Cost)))
	}
}

// change says what became of an amount.
func change(before, after ledger.Amount) string {
	text := units("usd", int64(after)) + " instead of " + units("usd", int64(before))
	if before > 0 {
		text += fmt.Sprintf(" (%+.1f%%)", 100*float64(after-before)/float64(before))
	}
	return text
}
