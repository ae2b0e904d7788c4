package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"purser/internal/record"
	"purser/internal/simprovider"
	"purser/internal/vault"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/lever"
	"purser/proxy/loop"
	"purser/proxy/policy"
	"purser/proxy/price"
	"purser/proxy/route"
	"purser/proxy/template"
	"purser/proxy/upstream"
)

// The models that are asked.
const (
	claude = "claude-sonnet-4-5"
	gpt    = "gpt-4.1"
)

// cacheDelay is how long after its begin a call's prompt is read, and can be read again.
const cacheDelay = 2 * time.Second

// rig is a provider and the gateways before it.
type rig struct {
	clock    atomic.Int64 // unix nanoseconds
	provider *simprovider.Provider
	served   chan error
	gateways []*proxy.Gateway
	clients  []*upstream.Client
	stop     context.CancelFunc
	saved    ledger.Amount // by the records, nano-dollars
	marks    int64
	failed   int
}

// newRig starts a provider with as many organisations, and gateways with those settings.
func newRig(nodes, credentials int, set lever.PromptCache) (r *rig, err error) {
	r = &rig{served: make(chan error, 1)}
	base, stop := context.WithCancel(context.Background())
	r.stop = stop
	defer func() {
		if err != nil {
			err = errors.Join(err, r.close())
		}
	}()
	prices := price.Embedded()
	cfg := simprovider.Default()
	cfg.Tokens, cfg.OutputMin, cfg.OutputMax, cfg.KeepRows, cfg.ChunksPerWrite = simprovider.Bytes4, 1, 1, 0, 0
	cfg.CacheDelay, cfg.Now = cacheDelay, func() time.Time { return time.Unix(0, r.clock.Load()) }
	cfg.Price = func(model string, u price.Usage, _ string) (ledger.Amount, bool) {
		seller := "openai"
		if model == claude {
			seller = "anthropic"
		}
		rate, ok := prices.Find(seller, model, ledger.Instant(r.clock.Load()))
		if !ok {
			return 0, false
		}
		return rate.Cost(&u, price.Standard), true
	}
	var list []*vault.Credential
	for i := range credentials {
		id := "org-" + strconv.Itoa(i)
		cfg.Keys = append(cfg.Keys, "sk-"+id)
		for _, seller := range []string{"openai", "anthropic"} {
			list = append(list, &vault.Credential{ID: id, Provider: seller})
		}
	}
	if r.provider, err = simprovider.New(cfg); err != nil {
		return r, fmt.Errorf("making the provider: %w", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return r, fmt.Errorf("listening: %w", err)
	}
	go func() { r.served <- r.provider.Serve(ln) }()
	for range nodes {
		if err := r.addGateway(base, nodes, "http://"+ln.Addr().String()+"/v1", list, set); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (r *rig) addGateway(base context.Context, nodes int, url string, list []*vault.Credential, set lever.PromptCache) error {
	up := func(name, header, prefix string) (*upstream.Client, error) {
		cfg := upstream.Default()
		cfg.Name, cfg.BaseURL, cfg.KeyHeader, cfg.KeyPrefix = name, url, header, prefix
		c, err := upstream.New(cfg)
		if err == nil {
			r.clients = append(r.clients, c)
		}
		return c, err
	}
	openai, err := up("openai", "Authorization", "Bearer ")
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	anthropic, err := up("anthropic", proxy.Anthropic.KeyHeader(), "")
	if err != nil {
		return fmt.Errorf("making a client: %w", err)
	}
	serial := 0
	g, err := proxy.New(base, proxy.DefaultConfig(), []*proxy.Upstream{
		{Name: "openai", Provider: "openai", Models: []string{"gpt-*"}, Client: openai, CapField: "max_completion_tokens", Pool: newPool(list, "openai"), Form: proxy.Form{CacheKey: true}},
		{Name: "anthropic", Provider: "anthropic", Models: []string{"claude-*"}, Client: anthropic, CapField: "max_tokens", Speaks: proxy.Anthropic, Pool: newPool(list, "anthropic"), Form: proxy.Form{CacheMarks: []string{"*"}}},
	}, price.Embedded(), proxy.Seams{
		Keys: anyKey{}, Purse: endless{}, Journal: r, Rules: rules{set: set}, Nodes: func() int { return nodes },
		NewID: func() string { serial++; return "req_" + strconv.Itoa(serial) }, Now: func() ledger.Instant { return ledger.Instant(r.clock.Load()) },
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return fmt.Errorf("making a gateway: %w", err)
	}
	r.gateways = append(r.gateways, g)
	return nil
}

// Commit implements proxy.Journal.
func (r *rig) Commit(rec *record.Record, _ *proxy.Fill) {
	if rec.Outcome != record.Completed {
		r.failed++
	}
	for _, s := range rec.Savings {
		r.saved += s.Amount
	}
	r.marks += rec.Shape.Breakpoints
}

func (r *rig) close() (err error) {
	for _, g := range r.gateways {
		g.Wait()
	}
	r.stop()
	for _, c := range r.clients {
		err = errors.Join(err, c.Close(context.Background()))
	}
	if r.provider == nil {
		return err
	}
	return errors.Join(err, r.provider.Close(context.Background()))
}

// pool is credentials in the clear, in the vault's order.
type pool struct{ *vault.Pool }

func newPool(list []*vault.Credential, seller string) pool {
	return pool{vault.NewPool(list, vault.Selection{Provider: seller, Pattern: "*"})}
}

// Open implements proxy.KeyPool.
func (pool) Open(_ context.Context, id string) (upstream.Secret, error) {
	return upstream.Secret("sk-" + id), nil
}

// anyKey takes every key for one holder's.
type anyKey struct{}

// Find implements proxy.Keys.
func (anyKey) Find([32]byte, ledger.Instant) (*proxy.Principal, proxy.KeyState) {
	return &holder, proxy.KeyActive
}

var holder = proxy.Principal{ID: "replay", CacheOff: true}

// rules give every request the same settings.
type rules struct{ set lever.PromptCache }

// Rules implements proxy.Governance.
func (r rules) Rules() (proxy.Rules, error) { return r, nil }

// The methods of proxy.Rules.
func (rules) Complete(*ledger.Dimensions) error  { return nil }
func (rules) Route(string) *route.Route          { return nil }
func (rules) Policies() *policy.Set              { return nil }
func (rules) RouteNames() []string               { return nil }
func (rules) Loop(*ledger.Dimensions) *loop.Rule { return nil }
func (rules) Template(id string) (*template.Template, template.Use, error) {
	return nil, template.Use{}, fmt.Errorf("there is no template %q", id)
}
func (r rules) Levers(string, *ledger.Dimensions) lever.Set {
	set := lever.Default()
	set.PromptCache = &r.set
	return set
}

// endless is a purse without a budget.
type endless struct{}

// The methods of proxy.Purse, proxy.Chain and proxy.Hold.
func (endless) Chain(*ledger.Dimensions) (proxy.Chain, error)               { return endless{}, nil }
func (endless) Room(proxy.Chain) (_ proxy.Room, _ bool)                     { return }
func (endless) Rate(proxy.Chain, ledger.Unit) (_ proxy.Room, _ bool)        { return }
func (endless) Try(proxy.Part, proxy.Claim) (proxy.Hold, bool)              { return endless{}, true }
func (endless) Recycle()                                                    {}
func (endless) Release()                                                    {}
func (endless) Settle(_ proxy.Claim, c []record.Charge) []record.Charge     { return c }
func (endless) Extend(context.Context, proxy.Claim) (*proxy.Refusal, error) { return nil, nil }
func (endless) Reserve(context.Context, proxy.Part, proxy.Claim) (proxy.Hold, *proxy.Refusal, error) {
	return endless{}, nil, nil
}
