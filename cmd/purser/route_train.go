package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"purser/api/admin"
	"purser/internal/governance"
	"purser/ledger"
	"purser/proxy/price"
	"purser/proxy/route/learned"
	"purser/semcache/embed"
)

const routerKind = "routers"

type routeTrainCmd struct {
	remote
	Name     string            `arg:"" help:"The router: what routes name as their learner."`
	From     string            `help:"File of prompts with the quality of each candidate's answer: JSON lines (.jsonl) or CSV (.csv), or - for JSON lines from standard input." xor:"what" placeholder:"FILE"`
	Outcomes bool              `help:"Instead: have the node's router learn from the outcomes that were reported since it last did." xor:"what"`
	Alpha    *float64          `help:"What quality counts beside cost, 0 to 1 (default: tuned with --keep)."`
	Keep     float64           `help:"Share of the best candidate's quality that tuning keeps." default:"0.99"`
	Clusters int               `help:"How many kinds of prompt are told apart (default: one for each 40 examples, 2 to 60)."`
	Seed     uint64            `help:"Of everything that is drawn." default:"1"`
	Output   int64             `help:"Tokens of an answer, where the file has no costs." default:"512"`
	Prices   string            `help:"Where the file has no costs: a catalogue (JSON) or price overrides (YAML), or embedded." default:"embedded" placeholder:"FILE"`
	Model    map[string]string `help:"The model that a candidate is of: --model fast=openai/gpt-4.1-nano (repeat). Without it, the candidate's id up to an @ is one."`
	Push     bool              `help:"Put the router; without it, it is written to standard output as JSON."`
}

// Run trains.
func (c *routeTrainCmd) Run(ctx context.Context) error {
	switch {
	case c.Outcomes:
		return c.update(ctx)
	case c.From == "":
		return errors.New("say --from or --outcomes")
	case c.Alpha == nil && !(c.Keep > 0 && c.Keep <= 1):
		return errors.New("--keep is not within 0 to 1")
	}
	list, err := c.examples(ctx)
	if err != nil {
		return err
	}
	r, err := c.train(list)
	if err != nil {
		return err
	}
	return c.put(ctx, r, nil)
}

// judgedBy is which of the examples are held out to be judged by: each of so many.
const judgedBy = 5

// train says what is learned comes to on examples that were held out, and then learns
// from all.
func (c *routeTrainCmd) train(list []learned.Example) (*learned.Router, error) {
	o := learned.Options{Embedder: embed.StaticID(), Clusters: c.Clusters, Seed: c.Seed}
	// Files have an order, such as by kind: what is held out is to be of all of it.
	rand.New(rand.NewPCG(c.Seed, 0)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	var in, out []learned.Example
	for i := range list {
		if i%judgedBy == judgedBy-1 {
			out = append(out, list[i])
		} else {
			in = append(in, list[i])
		}
	}
	if c.Alpha != nil {
		o.Alpha = *c.Alpha
	} else {
		alpha, err := learned.Tune(in, o, c.Keep)
		if err != nil {
			return nil, fmt.Errorf("tuning: %w; or give --alpha", err)
		}
		o.Alpha = alpha
	}
	r, err := learned.Train(in, o)
	if err != nil {
		return nil, err
	}
	sums, err := r.Evaluate(out, c.Seed)
	if err != nil {
		fmt.Fprintln(os.Stderr, "nothing can be said of examples that were held out:", err)
	} else {
		printTrained(os.Stderr, r, len(in), sums)
	}
	if r, err = learned.Train(list, o); err != nil {
		return nil, err
	}
	r.Trained = time.Now().Unix()
	return r, nil
}

func printTrained(to *os.File, r *learned.Router, trained int, sums []learned.Sums) {
	fmt.Fprintf(to, "%d examples to learn from, %d others to be judged by; %d clusters, alpha %.2f\n\n", trained, sums[0].N, len(r.Clusters), r.Alpha)
	w := tabwriter.NewWriter(to, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\tQUALITY\t± ERROR\tREGRET\tCOST")
	for _, s := range sums {
		fmt.Fprintf(w, "%s\t%.4f\t%.4f\t%.4f\t%s\n", s.Name, s.Quality, s.Error, s.Regret, units("usd", int64(s.Cost)))
	}
	_ = w.Flush() // to a terminal; what is trained does not depend on it
}

// update has the node's router learn from outcomes.
func (c *routeTrainCmd) update(ctx context.Context) error {
	o, r, err := c.router(ctx, c.Name)
	if err != nil {
		return err
	}
	heard, err := c.client().RouterOutcomes(ctx, c.Name)
	if err != nil {
		return err
	}
	count := int64(0)
	for _, h := range heard.Heard {
		count += h.Count
	}
	if err := r.Update(heard.Heard, heard.Until); err != nil {
		return err
	}
	if c.Alpha != nil {
		r.Alpha = *c.Alpha
	}
	w := tabwriter.NewWriter(os.Stderr, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "%d outcomes\n\nCLUSTER\tCANDIDATE\tOUTCOMES\tQUALITY\n", count)
	for _, h := range heard.Heard {
		fmt.Fprintf(w, "%d\t%s\t%d\t%.3f\n", h.Cluster, h.Candidate, h.Count, h.Mean())
	}
	_ = w.Flush() // to a terminal
	if count == 0 {
		return nil
	}
	return c.put(ctx, r, admin.Version(o.Version))
}

// put puts a router, or writes it. What a router that is there says of a canary stays.
func (c *routeTrainCmd) put(ctx context.Context, r *learned.Router, expect admin.Expect) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if !c.Push {
		e := json.NewEncoder(os.Stdout)
		return e.Encode(r)
	}
	if expect == nil {
		o, was, err := c.router(ctx, c.Name)
		switch {
		case err == nil:
			r.Canary, expect = was.Canary, admin.Version(o.Version)
		case !notFound(err):
			return err
		default:
			expect = admin.Version(0)
		}
	}
	return c.putRouter(ctx, c.Name, r, expect)
}

// router is the node's.
func (r *remote) router(ctx context.Context, name string) (admin.Object, *learned.Router, error) {
	o, err := r.client().ShowObject(ctx, routerKind, name)
	if err != nil {
		return o, nil, err
	}
	k, err := kindNamed(routerKind)
	if err != nil {
		return o, nil, err
	}
	spec, err := k.Decode(o.Spec)
	if err != nil {
		return o, nil, fmt.Errorf("the router %s: %w", name, err)
	}
	return o, &spec.(*governance.Router).Router, nil
}

func (r *remote) putRouter(ctx context.Context, name string, router *learned.Router, expect admin.Expect) error {
	spec, err := json.Marshal(router)
	if err != nil {
		return err
	}
	o, err := r.client().PutObject(ctx, routerKind, name, expect, spec)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "put router %s, version %d\n", name, o.Version)
	return nil
}

func notFound(err error) bool {
	var fault *admin.Fault
	return errors.As(err, &fault) && fault.Status == 404
}

// examples reads the file, and embeds and prices its prompts.
func (c *routeTrainCmd) examples(ctx context.Context) ([]learned.Example, error) {
	list, err := readLabelled(c.From)
	if err != nil {
		return nil, err
	}
	table, err := embed.NewStatic()
	if err != nil {
		return nil, err
	}
	catalogue, err := catalogueOf(c.Prices)
	if err != nil {
		return nil, err
	}
	rates := map[string]*price.Rate{}
	out, wordless := make([]learned.Example, 0, len(list)), 0
	for _, l := range list {
		e := learned.Example{Vector: make([]float32, table.Dim()), Quality: l.Quality, Cost: l.costs}
		switch err := table.Embed(ctx, e.Vector, l.Text); {
		case errors.Is(err, embed.ErrNoWords):
			wordless++
			continue
		case err != nil:
			return nil, err
		}
		for name := range l.Quality {
			if _, ok := e.Cost[name]; ok {
				continue
			}
			if _, ok := rates[name]; !ok {
				if rates[name], err = c.rate(catalogue, name); err != nil {
					return nil, err
				}
			}
			e.Cost[name] = rates[name].Cost(&price.Usage{price.InputText: int64(len(l.Text)+3) / 4, price.OutputText: c.Output}, price.Standard)
		}
		out = append(out, e)
	}
	if wordless > 0 {
		fmt.Fprintf(os.Stderr, "%d prompts have no words that the embedder knows, and are left out\n", wordless)
	}
	return out, nil
}

// rate is the price of a candidate's model.
func (c *routeTrainCmd) rate(catalogue *price.Catalogue, candidate string) (*price.Rate, error) {
	providers, model := slices.Concat([]string{"openai", "anthropic", "google"}, catalogue.Providers()), candidate
	if i := slices.Index([]byte(candidate), '@'); i > 0 {
		model = candidate[:i]
	}
	if of, ok := c.Model[candidate]; ok {
		i := slices.Index([]byte(of), '/')
		if i <= 0 {
			return nil, fmt.Errorf("--model %s=%s is not provider/model", candidate, of)
		}
		providers, model = []string{of[:i]}, of[i+1:]
	}
	for _, p := range providers {
		if rate, ok := catalogue.Find(p, model, ledger.Instant(time.Now().UnixNano())); ok {
			return rate, nil
		}
	}
	return nil, fmt.Errorf("the catalogue has no price of %s: give costs in the file, or --model %s=provider/model", model, candidate)
}
