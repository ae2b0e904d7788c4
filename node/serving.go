package node

import (
	"context"
	"fmt"
	"strings"

	"purser/api/admin"
	"purser/api/edge"
	"purser/api/lookalike"
	"purser/internal/record"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/upstream"
)

func (n *Node) openUpstreams(ctx context.Context) error {
	var err error
	if n.prices, err = loadPrices(n.cfg.Prices.Overrides); err != nil {
		return err
	}
	for _, u := range n.cfg.Upstreams {
		cfg := upstream.Default()
		cfg.Name, cfg.BaseURL, cfg.MaxConns = u.Name, u.BaseURL, u.MaxConns
		cfg.Timeouts.Connect, cfg.Timeouts.FirstByte, cfg.Timeouts.Idle = u.Connect, u.FirstByte, u.Idle
		if cfg.Protocol, err = upstream.ParseProtocol(u.Protocol); err != nil {
			return err
		}
		speaks, chatOnly, ok := u.speaks()
		if !ok {
			return fmt.Errorf("upstream %s: api %q is not known", u.Name, u.API)
		}
		credential, err := n.authorize(&cfg, &u)
		if err != nil {
			return fmt.Errorf("upstream %s: %w", u.Name, err)
		}
		client, err := upstream.New(cfg)
		if err != nil {
			return fmt.Errorf("upstream %s: %w", u.Name, err)
		}
		provider, region, _ := strings.Cut(u.Provider, ":")
		costs := proxy.ByCatalogue
		if u.Cost == costReported {
			costs = proxy.ByProvider
		}
		var pool proxy.KeyPool
		if u.pooled() {
			pool = keyPool{n.vault, u.Name}
		}
		n.upstreams = append(n.upstreams, &proxy.Upstream{
			Name: u.Name, Provider: provider, Region: region, Costs: costs, Models: u.Models, Aliases: u.Aliases, Client: client, Credential: credential, CapField: u.CapField, Speaks: speaks, ChatOnly: chatOnly,
			Pool: pool, CallerKeys: u.Passthrough,
			Form:    u.form(),
			Slicing: u.slicing(),
		})
	}
	n.awaitTokens(ctx)
	return nil
}

func (n *Node) openGateway(base context.Context) error {
	seams := proxy.Seams{
		Keys: &n.keys, Attempts: &n.keyAttempts, Children: n.openChildren(),
		Rules: &n.objects, Redactions: n.redactor, Compressors: n.compressors,
		Purse: newAdmission(n.purse, n.current, func(id ledger.BudgetID) counted {
			return (*n.counted.Load())[id]
		}, n.breakers, n.alerts.refuse),
		Journal: &journal{usage: n.usage, copies: n.copies, cache: n.cache, metrics: n.metrics, watchers: n.watchers()},
		Denials: denials{n.recorder},
		NewID:   func() string { return record.NewID(now()) }, Now: now, Log: n.log,
	}
	seams.Loops, seams.Nodes = n.loops, n.nodesServing
	seams.Learner, seams.Outcomes = n.learner, n.outcomes.Load()
	if n.cache != nil {
		seams.Cache = n.cache
	}
	if n.semantic != nil {
		seams.Semantic = n.semantic
	}
	if o := n.once.Load(); o != nil {
		seams.Idempotency = o
	}
	if n.telemetry != nil {
		seams.Traces = n.telemetry
	}
	var err error
	n.gateway, err = proxy.New(base, n.cfg.gateway(), n.upstreams, n.prices, seams)
	return err
}

func (n *Node) openEdge() error {
	c := control{n}
	parts := admin.Parts{
		Keys: c, Budgets: c, Raises: c, Breakers: c, Loops: c, Objects: c, Policies: c, Routing: c, Learning: c, Semcache: c, Caches: c, Credentials: c, Reports: c, Requests: c, Live: c, Cluster: c, Alerts: c, Audit: c,
		Exports:     c,
		Adjustments: c,
		Outcomes:    c, Economics: c,
		Anomalies: c, Forecasts: c, Statements: c,
		Efficiency: c,
		Hierarchy:  c, Tokens: c, Attempts: &n.attempts,
	}
	people, err := n.openPeople()
	if err != nil {
		return fmt.Errorf("admin.oidc: %w", err)
	}
	if people != nil {
		parts.People, parts.Logins, parts.Origin = people, people, people.Origin()
	}
	api, err := admin.New(n.cfg.Admin.Token, parts, n.log)
	if err != nil {
		return err
	}
	operations, err := n.operations(api)
	if err != nil {
		return err
	}
	cfg := edge.Default()
	cfg.Proxy, cfg.Admin, cfg.ErrorBody, cfg.Log = n.gateway.Serve, fromClients(n.cfg.gateway().TrustedProxies, operations), proxy.ErrorBody, n.log
	cfg.AdminPrefix = append([]string{"/admin", "/ui", "/healthz", "/readyz", "/metrics"}, lookalike.Routes...)
	cfg.MaxBody, cfg.MaxConns = n.cfg.Listen.BodyBytes, n.cfg.Listen.MaxConnections
	if n.cfg.Listen.TLSCert != "" {
		if cfg.Certificates, err = edge.LoadCertificates(n.cfg.Listen.TLSCert, n.cfg.Listen.TLSKey, n.log); err != nil {
			return fmt.Errorf("listen.tls_cert: %w", err)
		}
	}
	n.edge, err = edge.New(cfg)
	return err
}
