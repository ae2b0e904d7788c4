package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"purser/ledger"
	"purser/proxy"
	"purser/proxy/lever"
	"purser/proxy/price"
)

// start is when the trace begins: after the newest prices of its models.
const start = 1_790_000_000 * ledger.Second

type options struct {
	trace              string
	sample             int64
	nodes, credentials int
}

func main() {
	var o options
	flag.StringVar(&o.trace, "trace", "", "the trace, JSON lines, gzipped or not")
	flag.Int64Var(&o.sample, "sample", 1, "keep one of so many conversations")
	flag.IntVar(&o.nodes, "nodes", 3, "gateways, which take the requests in turn")
	flag.IntVar(&o.credentials, "credentials", 4, "credentials of each upstream's pool")
	flag.Parse()
	if err := o.run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "mooncake:", err)
		os.Exit(1)
	}
}

// scenario is one way to send the trace.
type scenario struct {
	name, path string
	body       func(*prompt, []byte, bool) []byte
	marked     bool // the client marks the end of every prompt
	mode       string
}

var scenarios = []scenario{
	{"Anthropic, nobody marks", "/v1/messages", (*prompt).appendAnthropic, false, lever.PromptCacheOff},
	{"Anthropic, the client marks every end", "/v1/messages", (*prompt).appendAnthropic, true, lever.PromptCacheOff},
	{"Anthropic, the same, with affinity", "/v1/messages", (*prompt).appendAnthropic, true, lever.PromptCacheCoordinate},
	{"Anthropic, coordinated", "/v1/messages", (*prompt).appendAnthropic, false, lever.PromptCacheCoordinate},
	{"OpenAI, by itself", "/v1/chat/completions", (*prompt).appendOpenAI, false, lever.PromptCacheOff},
	{"OpenAI, coordinated", "/v1/chat/completions", (*prompt).appendOpenAI, false, lever.PromptCacheCoordinate},
}

// outcome is what the provider's bill says of a scenario.
type outcome struct {
	usage price.Usage
	cost  ledger.Amount // nano-dollars
	saved ledger.Amount // by the gateways' records
	marks int64
}

func (o *options) run(out io.Writer) error {
	if o.trace == "" {
		return errors.New("there is no trace: give one with -trace FILE. Mooncake's is conversation_trace.jsonl of github.com/kvcache-ai/Mooncake")
	}
	if o.sample < 1 || o.nodes < 1 || o.credentials < 1 {
		return errors.New("-sample, -nodes and -credentials are at least 1")
	}
	list, err := readTrace(o.trace, o.sample)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("the trace is empty, or -sample leaves nothing of it")
	}
	prompts := convert(list)
	span := time.Duration(list[len(list)-1].Timestamp-list[0].Timestamp) * time.Millisecond
	fmt.Fprintf(out, "%d requests in %v, over %d nodes in turn, %d credentials in each pool\n\n", len(list), span.Round(time.Second), o.nodes, o.credentials)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tprompt tokens\tread\twritten\tbreakpoints\tbill\tsaved\tsaved by the records\t")
	without := map[string]ledger.Amount{}
	for i := range scenarios {
		s := &scenarios[i]
		got, err := o.replay(s, prompts)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if s.mode == lever.PromptCacheOff && !s.marked {
			without[s.path] = got.cost
		}
		input := got.usage.TotalInput()
		read := got.usage[price.CacheRead]
		fmt.Fprintf(w, "%s\t%d\t%.1f %%\t%.1f %%\t%d\t$%.2f\t$%.2f\t$%.2f\t\n", s.name, input,
			percent(read, input), percent(input-read-got.usage[price.InputText], input), got.marks, dollars(got.cost), dollars(without[s.path]-got.cost), dollars(got.saved))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, life := range []time.Duration{5 * time.Minute, time.Hour} {
		fmt.Fprintf(out, "\nIn whole blocks, %.1f %% of the tokens began a prompt of the last %v.", percent(repeated(list, life)), life)
	}
	fmt.Fprintln(out)
	return nil
}

func percent(part, of int64) float64 { return 100 * float64(part) / float64(of) }

func dollars(a ledger.Amount) float64 { return float64(a) / float64(ledger.NanoPerUSD) }

// repeated counts the tokens of whole blocks that were part of the same beginning within
// the time before, of all.
func repeated(list []entry, life time.Duration) (again, all int64) {
	last := map[int64]int64{}
	for _, e := range list {
		all += e.Input
		for i, b := range e.Blocks {
			at, ok := last[b]
			if !ok || e.Timestamp-at > life.Milliseconds() || int64(i+1)*blockTokens > e.Input {
				break
			}
			again += blockTokens
		}
		for _, b := range e.Blocks {
			last[b] = e.Timestamp
		}
	}
	return again, all
}

// replay sends the prompts, one after another at their times.
func (o *options) replay(s *scenario, prompts []prompt) (got outcome, err error) {
	set := *lever.Default().PromptCache
	set.Mode = s.mode
	r, err := newRig(o.nodes, o.credentials, set)
	if err != nil {
		return got, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	var body []byte
	for i := range prompts {
		p := &prompts[i]
		r.clock.Store(int64(start) + p.Timestamp*int64(time.Millisecond))
		body = s.body(p, body[:0], s.marked)
		a := r.gateways[i%len(r.gateways)].Serve(&proxy.Request{Method: "POST", Path: s.path, Body: body, Header: headers{}})
		if a.Status != 200 {
			return got, fmt.Errorf("request %d was answered with %d: %.300s", i, a.Status, a.Body)
		}
	}
	if r.failed > 0 {
		return got, fmt.Errorf("%d requests did not complete", r.failed)
	}
	t := r.provider.Bill().Totals()
	if t.Unpriced > 0 || t.Rows != int64(len(prompts)) {
		return got, fmt.Errorf("the bill has %d rows, %d of them without a price, for %d requests", t.Rows, t.Unpriced, len(prompts))
	}
	return outcome{usage: t.Usage, cost: t.Cost, saved: r.saved, marks: r.marks}, nil
}

// headers are those of every request.
type headers struct{}

var authorization = []byte("Bearer pk_replay")

// Peek implements proxy.Header.
func (headers) Peek(name string) []byte {
	if strings.EqualFold(name, "Authorization") {
		return authorization
	}
	return nil
}

// Each implements proxy.Header.
func (headers) Each(f func(name, value []byte)) { f([]byte("Authorization"), authorization) }
