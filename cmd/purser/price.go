package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"purser/ledger"
	"purser/node"
	"purser/proxy/price"
	"purser/proxy/price/overrides"
)

type priceCmd struct {
	Show   priceShowCmd   `cmd:"" help:"Show what a model costs: every meter, tier and band, with its source."`
	Diff   priceDiffCmd   `cmd:"" help:"Show which prices two catalogues have differently."`
	Import priceImportCmd `cmd:"" help:"Make price overrides of another catalogue's file, and say what was left out."`
	Check  priceCheckCmd  `cmd:"" help:"Say everything that is wrong with price overrides, and which served models have no price."`
}

// embedded stands for the catalogue that is compiled in.
const embedded = "embedded"

// catalogueOf is the catalogue that an argument stands for: the one compiled in,
// a snapshot as JSON, or overrides laid over the one compiled in.
func catalogueOf(file string) (*price.Catalogue, error) {
	if file == "" || file == embedded {
		return price.Embedded(), nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) {
		c, err := price.Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		return c, nil
	}
	return overrides.Apply(price.Embedded(), file, raw)
}

type priceShowCmd struct {
	Model    string `arg:"" help:"The model, as the upstream names it."`
	Provider string `help:"Only at this provider, such as openai, or openai:eu for a region (default every provider that has a price)."`
	At       string `help:"At this instant, RFC 3339, or day (default now)."`
	Prices   string `help:"A catalogue (JSON) or price overrides (YAML), or embedded." default:"embedded" placeholder:"FILE"`
}

// Run shows the rates.
func (c *priceShowCmd) Run(k *kong.Kong) error { return c.write(k.Stdout, time.Now()) }

func (c *priceShowCmd) write(out io.Writer, now time.Time) error {
	catalogue, err := catalogueOf(c.Prices)
	if err != nil {
		return err
	}
	at := ledger.Instant(now.UnixNano())
	if c.At != "" {
		t, err := time.Parse(time.RFC3339, c.At)
		if err != nil {
			if t, err = time.Parse(time.DateOnly, c.At); err != nil {
				return fmt.Errorf("--at %q is neither 2006-01-02T15:04:05Z nor 2006-01-02", c.At)
			}
		}
		at = ledger.Instant(t.UnixNano())
	}
	found := 0
	for _, place := range c.places(catalogue) {
		r, ok := catalogue.FindIn(place.provider, place.region, c.Model, at)
		if !ok || place.region != "" && c.Provider == "" && r.Region != place.region {
			continue // a region without a price of its own is the same again
		}
		if found++; found > 1 {
			fmt.Fprintln(out)
		}
		if err := writeRate(out, place.String(), c.Model, r); err != nil {
			return err
		}
	}
	if found == 0 {
		return fmt.Errorf("there is no price for %q at %s: requests for it are refused; add one, or a ceiling, to the price overrides", c.Model, cmp.Or(c.Provider, "any provider"))
	}
	return nil
}

type placeOfSale struct{ provider, region string }

func (p placeOfSale) String() string {
	if p.region == "" {
		return p.provider
	}
	return p.provider + ":" + p.region
}

func (c *priceShowCmd) places(catalogue *price.Catalogue) (list []placeOfSale) {
	if provider, region, _ := strings.Cut(c.Provider, ":"); provider != "" {
		return []placeOfSale{{provider, region}}
	}
	for _, provider := range catalogue.Providers() {
		list = append(list, placeOfSale{provider, ""})
		for _, region := range catalogue.Regions(provider) {
			list = append(list, placeOfSale{provider, region})
		}
	}
	return list
}

// writeRate writes one rate: what it is, and its prices by tier and band.
func writeRate(out io.Writer, provider, asked string, r *price.Rate) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s at %s\n", asked, provider)
	fmt.Fprintf(w, "rate\t%s\n", r.ID)
	fmt.Fprintf(w, "valid\t%s\n", validity(r))
	fmt.Fprintf(w, "source\t%s\n", cmp.Or(r.Source, "the snapshot's own"))
	fmt.Fprintf(w, "limits\tcontext window %s, output %s, tokenizer %s\n", known(r.ContextWindow), known(r.MaxOutput), cmp.Or(r.Tokenizer, "unknown"))
	if err := w.Flush(); err != nil {
		return err
	}
	if r.List() == r {
		return writePrices(out, r, "USD for a million tokens, or for one call")
	}
	return errors.Join(
		writePrices(out, r, "by contract, USD for a million tokens, or for one call"),
		writePrices(out, r.List(), "at list prices"))
}

func validity(r *price.Rate) string {
	text := ""
	if r.From > 0 {
		text = "from " + dayOf(r.From) + " "
	}
	if r.Until < ledger.MaxInstant {
		text += "until " + dayOf(r.Until)
	}
	return cmp.Or(strings.TrimSpace(text), "always")
}

func dayOf(at ledger.Instant) string { return time.Unix(0, int64(at)).UTC().Format(time.DateOnly) }

func known(n int64) string {
	if n == 0 {
		return "unknown"
	}
	return fmt.Sprint(n)
}

// writePrices writes a line for each meter, and a column for each tier and band.
func writePrices(out io.Writer, r *price.Rate, title string) error {
	type column struct {
		tier price.Tier
		from int64
	}
	var columns []column
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\n%s\n", title)
	for _, t := range []price.Tier{price.Standard, price.Flex, price.Priority, price.Batch} {
		if !r.Lists(t) {
			continue
		}
		for _, from := range r.Thresholds(t) {
			columns = append(columns, column{t, from})
			fmt.Fprintf(w, "\t%s", t)
			if from > 0 {
				fmt.Fprintf(w, " from %d in", from)
			}
		}
	}
	assumed := false
	for m := range price.Meter(price.NumMeters) {
		if m.PerCall() && !r.Prices(m) {
			continue
		}
		mark := ""
		if !r.Prices(m) {
			mark, assumed = "*", true
		}
		fmt.Fprintf(w, "\n%s%s", m, mark)
		for _, c := range columns {
			fmt.Fprintf(w, "\t%s", price.Dollars(m, r.Price(m, c.tier, c.from)))
		}
	}
	fmt.Fprintln(w)
	if assumed {
		fmt.Fprintln(w, "* has no price of its own: costs as the tokens it is a kind of")
	}
	return w.Flush()
}

type priceDiffCmd struct {
	Before string `arg:"" help:"A catalogue (JSON), price overrides (YAML), or embedded."`
	After  string `arg:"" help:"The same; embedded where it is left out." optional:"" default:"embedded"`
}

// Run compares.
func (c *priceDiffCmd) Run(k *kong.Kong) error { return c.write(k.Stdout) }

func (c *priceDiffCmd) write(out io.Writer) error {
	before, err := catalogueOf(c.Before)
	if err != nil {
		return err
	}
	after, err := catalogueOf(c.After)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var added, removed, changed int
	for _, ch := range price.Diff(before, after) {
		m, _ := price.ParseMeter(ch.Meter)
		sign, prices := "~", ""
		switch {
		case ch.Old == price.NoPrice:
			added++
			sign, prices = "+", price.Dollars(m, ch.New)
		case ch.New == price.NoPrice:
			removed++
			sign, prices = "-", price.Dollars(m, ch.Old)
		default:
			changed++
			prices = price.Dollars(m, ch.Old) + " -> " + price.Dollars(m, ch.New)
		}
		fmt.Fprintf(w, "%s %s\t%s\t%s\n", sign, rowName(&ch), ch.Meter, prices)
	}
	terms := [2][]price.Discount{before.Discounts(), after.Discounts()}
	for i, sign := range []string{"-", "+"} {
		for _, d := range terms[i] {
			if !slices.ContainsFunc(terms[1-i], func(o price.Discount) bool { return fmt.Sprint(o) == fmt.Sprint(d) }) {
				fmt.Fprintf(w, "%s discount at %s\t%s %%\t%s\n", sign, d.Provider, d.Percent, strings.Join(d.Meters, ","))
			}
		}
	}
	fmt.Fprintf(w, "prices: %d added, %d removed, %d changed\n", added, removed, changed)
	return w.Flush()
}

// rowName names a row: "openai:eu/gpt-5.4 priority from 272001 in, since 2026-08-21".
func rowName(c *price.Change) string {
	name := c.Provider
	if c.Region != "" {
		name += ":" + c.Region
	}
	name += "/" + c.Model
	if c.Tier != "" {
		name += " " + c.Tier
	}
	if c.ContextFrom > 0 {
		name += fmt.Sprintf(" from %d in", c.ContextFrom)
	}
	for _, part := range [][2]string{{", since ", c.From}, {", until ", c.Until}, {", ", c.Daily}} {
		if part[1] != "" {
			name += part[0] + part[1]
		}
	}
	return name
}

type priceCheckCmd struct {
	File   string `arg:"" help:"The price overrides." type:"existingfile"`
	Config string `help:"A node's configuration: say which models its upstreams serve without a price." type:"existingfile" placeholder:"FILE"`
}

// Run says everything that is wrong.
func (c *priceCheckCmd) Run(k *kong.Kong) error { return c.write(k.Stdout, time.Now()) }

func (c *priceCheckCmd) write(out io.Writer, now time.Time) error {
	raw, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	catalogue, err := overrides.Apply(price.Embedded(), c.File, raw)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: valid\n", c.File)
	if c.Config == "" {
		return nil
	}
	cfg, err := node.Load(c.Config)
	if err != nil {
		return err
	}
	var missing []error
	for i := range cfg.Upstreams {
		for _, what := range unpriced(catalogue, &cfg.Upstreams[i], ledger.Instant(now.UnixNano())) {
			missing = append(missing, fmt.Errorf("upstream %s: %s", cfg.Upstreams[i].Name, what))
		}
	}
	if len(missing) == 0 {
		fmt.Fprintf(out, "%s: every model that it names has a price\n", c.Config)
	}
	return errors.Join(missing...)
}

// unpriced says which of the models that an upstream names have no price, and
// which of its patterns fit none that has one.
func unpriced(c *price.Catalogue, u *node.UpstreamConfig, at ledger.Instant) (wrong []string) {
	provider, region, _ := strings.Cut(u.Provider, ":")
	var names []string
	for _, name := range u.Aliases {
		names = append(names, name)
	}
	for _, pattern := range u.Models {
		if !strings.ContainsAny(pattern, `*?[\`) {
			names = append(names, pattern)
			continue
		}
		if !slices.ContainsFunc(c.Models(provider), func(id string) bool { ok, err := path.Match(pattern, id); return ok && err == nil }) {
			wrong = append(wrong, fmt.Sprintf("no model of %s that fits %q has a price", provider, pattern))
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if _, ok := c.FindIn(provider, region, name, at); !ok {
			wrong = append(wrong, fmt.Sprintf("%s has no price for %q", provider, name))
		}
	}
	return wrong
}
