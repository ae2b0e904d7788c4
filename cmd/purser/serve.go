package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"purser/api/admin"
	"purser/node"
)

type configCheckCmd struct {
	File string `arg:"" help:"The configuration file." type:"existingfile"`
}

// Run says everything that is wrong with the file.
func (c *configCheckCmd) Run() error {
	cfg, err := node.Load(c.File)
	if err != nil {
		return err
	}
	if err := cfg.Check(); err != nil {
		return fmt.Errorf("%s:\n%w", c.File, err)
	}
	fmt.Println(c.File + ": valid")
	return nil
}

type serveCmd struct {
	nodeFlags
	Dev   bool   `help:"Start with a simulated provider, a key and a budget in a temporary directory, and print a ready curl line."`
	token string // of join
	anew  bool   // of join
}

// Run serves until the process is told to stop, then drains.
func (c *serveCmd) Run(ctx context.Context) error {
	if c.Dev {
		return c.dev(ctx)
	}
	cfg, err := c.load()
	if err != nil {
		return err
	}
	if c.token != "" {
		cfg.Cluster.JoinToken = c.token
	}
	if cfg.Cluster.JoinToken != "" {
		joined, err := node.Join(ctx, &cfg, version(), c.anew)
		if err != nil {
			return err
		}
		if joined {
			fmt.Printf("purser node %s has joined\n", cfg.Node.ID)
			if cfg, err = c.load(); err != nil {
				return err
			}
		}
	}
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("the configuration is not valid (see docs/configuration.md):\n%w", err)
	}
	return node.Run(ctx, cfg, version(), func(addr string) {
		fmt.Printf("purser node %s serves at %s\n", cfg.Node.ID, addr)
	})
}

// dev runs a node that needs nothing: for a first look, and for trying clients.
func (c *serveCmd) dev(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "purser-dev-")
	if err != nil {
		return fmt.Errorf("making a temporary directory: %w", err)
	}
	defer os.RemoveAll(dir)
	sim := simproviderCmd{Key: []string{"sk-sim"}, Seed: 1, Tokens: "o200k", OutputMin: 24, OutputMax: 160, ChunkTokens: 1, ChunksPerWrite: 1, RequestModes: true}
	provider, err := sim.provider()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listening for the simulated provider: %w", err)
	}
	provCtx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- serveProvider(provCtx, provider, ln) }()
	defer func() { stop(); <-served }()

	cfg := node.Default()
	cfg.Node.DataDir = filepath.Join(dir, "data")
	cfg.Admin = node.AdminConfig{Token: randomToken(), OpenMetrics: true}
	if t := os.Getenv("PURSER_ADMIN_TOKEN"); t != "" {
		cfg.Admin.Token = t
	}
	cfg.Upstreams = []node.UpstreamConfig{node.NewUpstream("sim", "http://"+ln.Addr().String()+"/v1", "sk-sim")}
	c.override(&cfg)
	if err := cfg.Validate(); err != nil {
		return fmt.Errorf("the configuration is not valid:\n%w", err)
	}
	return node.Run(ctx, cfg, version(), func(addr string) { printDev(ctx, addr, cfg.Admin.Token) })
}

// printDev makes a key and a budget and prints how to use them.
func printDev(ctx context.Context, addr, token string) {
	client := &admin.Client{URL: addr, Token: token}
	if _, err := client.PutBudget(ctx, admin.Budget{ID: "dev", Unit: "usd", Limit: json.Number("1"), Window: "day"}); err != nil {
		fmt.Fprintln(os.Stderr, "purser: making the dev budget:", err)
		return
	}
	key, err := client.CreateKey(ctx, admin.NewKey{Name: "dev"})
	if err != nil {
		fmt.Fprintln(os.Stderr, "purser: making the dev key:", err)
		return
	}
	fmt.Printf(`A node with a simulated provider serves at %[1]s; nothing is kept when it stops.

  budget dev: 1 USD a day for everything

Try it:

  curl %[1]s/v1/chat/completions -H 'Authorization: Bearer %[2]s' -H 'x-purser-customer: acme' -H 'Content-Type: application/json' -d '{"model":"gpt-4o-mini","messages":[{"role":"user","content":"Hello"}]}'

Look at it:

  export PURSER_URL=%[1]s PURSER_ADMIN_TOKEN=%[3]s
  purser budget show dev
  purser usage --by customer

or in a browser at %[1]s/ui, where the login takes that token.

Any OpenAI client works with  OPENAI_BASE_URL=%[1]s/v1  OPENAI_API_KEY=%[2]s
`, addr, key.Secret, token)
}

func randomToken() string {
	b := make([]byte, 24)
	_, _ = rand.Read(b) // crypto/rand.Read never fails since Go 1.24
	return hex.EncodeToString(b)
}
