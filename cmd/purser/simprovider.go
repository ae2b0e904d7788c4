package main

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"purser/internal/simprovider"
	"purser/ledger"
	"purser/proxy/price"
)

type simproviderCmd struct {
	Listen         string        `help:"Where to listen." default:"127.0.0.1:7099"`
	Key            []string      `help:"Accepted bearer keys." default:"sk-sim"`
	Bill           string        `help:"File of the bill, JSON lines; empty keeps it in memory."`
	SyncBill       bool          `help:"fsync the bill after each row."`
	Seed           uint64        `help:"Changes every answer and every mix." default:"1"`
	Tokens         string        `help:"How prompts are counted: o200k, or bytes4 (nearly free)." default:"o200k" enum:"o200k,bytes4"`
	OutputMin      int           `help:"Shortest natural answer, tokens." default:"24"`
	OutputMax      int           `help:"Longest natural answer, tokens." default:"160"`
	FirstByte      time.Duration `help:"Wait before an answer begins." default:"0s"`
	ChunkGap       time.Duration `help:"Wait between the chunks of a stream." default:"0s"`
	ChunkTokens    int           `help:"Tokens in a chunk." default:"1"`
	ChunksPerWrite int           `help:"Chunks in one write; 0 writes a whole stream at once." default:"1"`
	BillToCut      bool          `help:"Bill a broken answer only up to the cut (default: in full)."`
	Mix            string        `help:"Misbehaviours by share, such as '429=1s:0.05,no-usage:0.01' (all in internal/simprovider/modes.go)."`
	RequestModes   bool          `help:"Let requests choose a misbehaviour by the header x-sim-mode or a model suffix."`
	ReportCost     bool          `help:"Report what each call is billed in its usage, as OpenRouter does."`
	Prices         string        `help:"Price overrides to bill by, contract discounts included (default list prices)." type:"existingfile" placeholder:"FILE"`
	Control        bool          `help:"Serve /_sim/ (bill, rows, modes, reset) without authentication." default:"true" negatable:""`
}

// Run serves until the process is told to stop.
func (c *simproviderCmd) Run(ctx context.Context) error {
	p, err := c.provider()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	fmt.Printf("simulated provider at http://%s/v1\n", ln.Addr())
	return serveProvider(ctx, p, ln)
}

func (c *simproviderCmd) provider() (*simprovider.Provider, error) {
	cfg := simprovider.Default()
	cfg.Keys, cfg.Bill, cfg.SyncBill, cfg.Seed = c.Key, c.Bill, c.SyncBill, c.Seed
	cfg.Tokens = simprovider.TokenCount(c.Tokens)
	cfg.OutputMin, cfg.OutputMax = c.OutputMin, c.OutputMax
	cfg.FirstByte, cfg.ChunkGap, cfg.ChunkTokens, cfg.ChunksPerWrite = c.FirstByte, c.ChunkGap, c.ChunkTokens, c.ChunksPerWrite
	if c.BillToCut {
		cfg.HangUp = simprovider.BillToCut
	}
	mix, err := simprovider.ParseMix(c.Mix)
	if err != nil {
		return nil, fmt.Errorf("--mix: %w", err)
	}
	cfg.Mix = mix
	cfg.RequestModes, cfg.Control = c.RequestModes, c.Control
	prices, err := catalogueOf(c.Prices)
	if err != nil {
		return nil, fmt.Errorf("--prices: %w", err)
	}
	cfg.Price, cfg.ReportCost = cataloguePricer(prices), c.ReportCost
	return simprovider.New(cfg)
}

// cataloguePricer prices the bill as a provider would that charges by the catalogue.
func cataloguePricer(c *price.Catalogue) simprovider.Pricer {
	return func(model string, u price.Usage, tier string) (ledger.Amount, bool) {
		rate, ok := c.Find(providerOf(model), model, ledger.Instant(time.Now().UnixNano()))
		if !ok {
			return 0, false
		}
		t, _ := price.ParseTier(tier)
		if t == price.Auto {
			t = price.Standard
		}
		return rate.Cost(&u, t), true
	}
}

// providerOf names whose prices a simulated model has.
func providerOf(model string) string {
	switch {
	case strings.HasPrefix(model, "claude-"):
		return "anthropic"
	case strings.HasPrefix(model, "gemini-"):
		return "google"
	case strings.HasPrefix(model, "global.anthropic."), strings.HasPrefix(model, "amazon."):
		return "aws"
	default:
		return "openai"
	}
}

// serveProvider serves until ctx ends, then closes within a few seconds.
func serveProvider(ctx context.Context, p *simprovider.Provider, ln net.Listener) error {
	done := make(chan error, 1)
	go func() { done <- p.Serve(ln) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.Background(), providerCloseTime)
	defer cancel()
	err := p.Close(closing)
	<-done
	return err
}

// providerCloseTime is how long the simulated provider lets calls end.
const providerCloseTime = 5 * time.Second
