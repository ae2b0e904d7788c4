package main

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"purser/internal/desired"
	"purser/internal/governance"
	"purser/ledger"
	"purser/node"
	"purser/proxy/price"
	"purser/proxy/route"
)

type routeSimulateCmd struct {
	remote
	Route    string            `arg:"" help:"The route."`
	File     string            `short:"f" help:"File with routes by their ids, as purser apply takes them; without it the node's route. - for standard input."`
	Trace    string            `required:"" help:"Requests of the past, one as JSON on each line, perhaps with gzip: usage records, or lines with input_tokens and output_tokens, or input_length and output_length."`
	Budget   string            `help:"What the requests may cost together, in dollars: for routes of the strategy budget_aware." placeholder:"USD"`
	Prices   string            `help:"A catalogue (JSON) or price overrides (YAML), or embedded." default:"embedded" placeholder:"FILE"`
	Provider map[string]string `help:"The provider that an upstream is of: --provider openai-eu=openai (repeat). Without it, the upstream's name, or the first that has a price for the model."`
}

// Run simulates.
func (c *routeSimulateCmd) Run(ctx context.Context) error {
	r, err := c.route(ctx)
	if err != nil {
		return err
	}
	catalogue, err := catalogueOf(c.Prices)
	if err != nil {
		return err
	}
	budget, err := c.budget()
	if err != nil {
		return err
	}
	in, err := openTrace(c.Trace)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // it was read
	report, err := c.simulate(r, catalogue, budget, in)
	if err != nil {
		return err
	}
	return c.print(report, func(w *tabwriter.Writer) { printSimulated(w, report) })
}

// route is the one of the file, or of the node.
func (c *routeSimulateCmd) route(ctx context.Context) (*route.Route, error) {
	kind, _ := governance.KindOf("route")
	var raw json.RawMessage
	if c.File == "" {
		o, err := c.client().ShowObject(ctx, kind.Plural, c.Route)
		if err != nil {
			return nil, err
		}
		raw = o.Spec
	} else {
		b, err := readInput(c.File)
		if err != nil {
			return nil, err
		}
		set, err := desired.Parse(b, desiredKinds())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.File, err)
		}
		var ok bool
		if raw, ok = set[kind.Plural][c.Route]; !ok {
			return nil, fmt.Errorf("%s has no route %q", c.File, c.Route)
		}
	}
	spec, err := kind.Decode(raw)
	if err != nil {
		return nil, err
	}
	return spec.(*governance.Route).Compile(c.Route)
}

func (c *routeSimulateCmd) budget() (ledger.Amount, error) {
	if c.Budget == "" {
		return 0, nil
	}
	a, err := node.ParseLimit(c.Budget, ledger.USD)
	if err != nil {
		return 0, fmt.Errorf("--budget: %w", err)
	}
	return a, nil
}

// openTrace opens a file of requests, which may be compressed.
func openTrace(name string) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	r := bufio.NewReader(f)
	var in io.Reader = r
	if magic, err := r.Peek(2); err == nil && bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if in, err = gzip.NewReader(r); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return struct {
		io.Reader
		io.Closer
	}{in, f}, nil
}

// maxTraceLine is far more than any record has.
const maxTraceLine = 1 << 20

func (c *routeSimulateCmd) simulate(r *route.Route, catalogue *price.Catalogue, budget ledger.Amount, in io.Reader) (route.Simulated, error) {
	var s *route.Simulation
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxTraceLine)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		a, err := route.ReadAsked(lines.Bytes())
		if err != nil {
			return route.Simulated{}, fmt.Errorf("%s, line %d: %w", c.Trace, n, err)
		}
		if s == nil { // by the prices of the first request's time, or of the newest where it has none
			if s, err = route.NewSimulation(r, c.rates(r, catalogue, a.At), budget); err != nil {
				return route.Simulated{}, err
			}
		}
		s.Add(a)
	}
	if err := lines.Err(); err != nil {
		return route.Simulated{}, fmt.Errorf("%s: %w", c.Trace, err)
	}
	if s == nil {
		return route.Simulated{}, fmt.Errorf("%s has no requests", c.Trace)
	}
	return s.Report(), nil
}

// longAgo is before any price: an instant before it is no date, but the time since a
// trace began.
const longAgo = ledger.Instant(1_600_000_000) * ledger.Second

// rates are those of the candidates at an instant.
func (c *routeSimulateCmd) rates(r *route.Route, catalogue *price.Catalogue, at ledger.Instant) []*price.Rate {
	if at < longAgo {
		at = ledger.Instant(time.Now().UnixNano())
	}
	var list []*price.Rate
	for _, k := range r.Candidates() {
		providers := []string{cmp.Or(c.Provider[k.Upstream], k.Upstream)}
		if known := catalogue.Providers(); !slices.Contains(known, providers[0]) {
			providers = append([]string{"openai", "anthropic", "google"}, known...)
		}
		var found *price.Rate
		for _, p := range providers {
			if rate, ok := catalogue.Find(p, k.Model, at); ok {
				found = rate
				break
			}
		}
		list = append(list, found)
	}
	return list
}

func printSimulated(w *tabwriter.Writer, s route.Simulated) {
	fmt.Fprintf(w, "requests\t%d\nwithout a candidate\t%d\ncost\t%s\n\n", s.Requests, s.Unserved, units("usd", int64(s.Cost)))
	fmt.Fprintln(w, "CANDIDATE\tREQUESTS\tCOST\tALL OF IT ALONE")
	for _, c := range s.Of {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", c.Name, c.Led, units("usd", int64(c.Cost)), units("usd", int64(c.Alone)))
	}
}
