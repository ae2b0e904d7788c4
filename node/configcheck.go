package node

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"slices"
	"time"

	"purser/api/admin"
	"purser/cluster/pki"
	"purser/internal/idempotency"
	"purser/proxy/policy"
)

var nodeID = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`)

// Validate reports everything that is wrong, each with the key it is under.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf(key+": "+format, args...))
	}
	under := func(key string, err error) {
		for _, e := range policy.Apart(err) {
			bad(key, "%w", e)
		}
	}
	if !nodeID.MatchString(c.Node.ID) {
		bad("node.id", "%q is not 1 to 63 of a-z, 0-9, '.', '_', '-', beginning with a letter or digit", c.Node.ID)
	}
	if c.Node.DataDir == "" {
		bad("node.data_dir", "is empty")
	}
	if _, _, err := net.SplitHostPort(c.Listen.Client); err != nil {
		bad("listen.client", "%q is not host:port", c.Listen.Client)
	}
	if (c.Listen.TLSCert == "") != (c.Listen.TLSKey == "") {
		bad("listen", "tls_cert and tls_key go together")
	}
	if c.Listen.BodyBytes < 1<<10 || c.Listen.BodyBytes > 1<<30 {
		bad("listen.body_bytes", "%d is not within 1024 to 1073741824", c.Listen.BodyBytes)
	}
	if c.Listen.MaxConnections < 1 {
		bad("listen.max_connections", "%d is not positive", c.Listen.MaxConnections)
	}
	if len(c.Admin.Token) < 16 {
		bad("admin.token", "has fewer than 16 characters; make one with `openssl rand -hex 32` and set PURSER_ADMIN_TOKEN")
	}
	if c.Admin.OIDC.Issuer != "" && len(c.Admin.Token) < admin.StrongToken {
		// Cookies are sealed with it, and anybody gets one, to try guesses against.
		bad("admin.token", "has fewer than %d characters, which admin.oidc needs; make one with `openssl rand -hex 32` and set PURSER_ADMIN_TOKEN", admin.StrongToken)
	}
	under("admin.oidc", c.Admin.OIDC.validate())
	if len(c.Upstreams) == 0 {
		bad("upstreams", "there is none: without a provider there is nothing to serve (try `purser serve --dev`)")
	}
	names := map[string]bool{}
	for i := range c.Upstreams {
		u := &c.Upstreams[i]
		if names[u.Name] {
			bad(fmt.Sprintf("upstreams[%d].name", i), "%q is there twice", u.Name)
		}
		names[u.Name] = true
		under(fmt.Sprintf("upstreams[%d] (%s)", i, u.Name), u.validate())
	}
	if c.Cache.TTL < time.Second {
		bad("cache.ttl", "%v is shorter than 1s; set cache.enabled: false to turn the cache off", c.Cache.TTL)
	}
	if c.Cache.Bytes < 1<<20 {
		bad("cache.bytes", "%d is less than 1 MiB", c.Cache.Bytes)
	}
	if c.Cache.EntryBytes < 1 || c.Cache.EntryBytes > 3<<20 {
		bad("cache.entry_bytes", "%d is not within 1 to 3145728", c.Cache.EntryBytes)
	}
	under("semcache", c.Semcache.validate())
	under("semcache.qdrant", c.Semcache.Qdrant.validate())
	if c.Cache.MemoryBytes < 0 || c.Cache.MemoryBytes > 1<<40 {
		bad("cache.memory_bytes", "%d is not within 0 to 1 TiB", c.Cache.MemoryBytes)
	}
	if c.Cache.TenantShare < 1 || c.Cache.TenantShare > 100 {
		bad("cache.tenant_share", "%d is not within 1 to 100", c.Cache.TenantShare)
	}
	if c.Cache.AskTime < time.Millisecond || c.Cache.AskTime > 10*time.Second {
		bad("cache.ask_time", "%v is not within 1ms to 10s", c.Cache.AskTime)
	}
	if c.Audit.Retention < 24*time.Hour {
		bad("audit.retention", "%v is shorter than 24h", c.Audit.Retention)
	}
	if c.Usage.Retention < time.Hour {
		bad("usage.retention", "%v is shorter than 1h", c.Usage.Retention)
	}
	if c.Usage.GatherWait < 100*time.Millisecond || c.Usage.GatherWait > time.Minute {
		bad("usage.gather_wait", "%v is not within 100ms to 1m", c.Usage.GatherWait)
	}
	if c.Usage.Minutes < time.Hour {
		bad("usage.minutes", "%v is shorter than 1h", c.Usage.Minutes)
	}
	if c.Usage.Hours < c.Usage.Minutes {
		bad("usage.hours", "%v is shorter than usage.minutes, %v", c.Usage.Hours, c.Usage.Minutes)
	}
	if least := max(c.Usage.Hours, c.Usage.Retention); c.Usage.Days < least {
		bad("usage.days", "%v is shorter than usage.hours or usage.retention, %v", c.Usage.Days, least)
	}
	if c.Listen.DrainTime <= 0 {
		bad("listen.drain_time", "%v is not positive", c.Listen.DrainTime)
	}
	if _, err := c.Listen.trusted(); err != nil {
		under("listen.trusted_proxies", err)
	}
	gateway, wallet := c.gateway(), c.purse()
	under("cluster", c.Cluster.validate(c.Node.ID))
	under("requests", gateway.Validate())
	under("requests", c.Requests.validate())
	under("purse", wallet.Validate())
	under("alerts", c.Alerts.validate())
	under("anomalies", c.Anomalies.validate())
	telemetry := c.Telemetry.sink()
	under("telemetry", telemetry.Validate())
	under("outcomes", c.Outcomes.validate())
	under("exports", c.Exports.validate(c.Node.DataDir))
	under("vault", c.Vault.validate())
	under("redaction", c.Redaction.validate())
	under("compression", c.Compression.validate())
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		bad("log.level", "%q is not debug, info, warn or error", c.Log.Level)
	}
	return errors.Join(errs...)
}

func (c *ClusterConfig) validate(node string) error {
	var errs []error
	if c.Profile != "lan" && c.Profile != "wan" {
		errs = append(errs, fmt.Errorf("profile %q is not lan or wan", c.Profile))
	}
	if c.Stable < 0 || c.Stable > time.Hour {
		errs = append(errs, fmt.Errorf("stable: %v is not within 0 and 1h", c.Stable))
	}
	if c.Listen == "" {
		if c.Advertise != "" || c.JoinToken != "" || c.Gateway || c.Gossip != "" && c.Gossip != gossipOff {
			errs = append(errs, errors.New("advertise, gossip, gateway and join_token need a listen address"))
		}
		return errors.Join(errs...)
	}
	if err := pki.CheckName("node.id", node); err != nil {
		errs = append(errs, err)
	}
	for name, address := range map[string]string{"listen": c.Listen, "advertise": c.Advertise} {
		if _, _, err := net.SplitHostPort(address); address != "" && err != nil {
			errs = append(errs, fmt.Errorf("%s: %q is not host:port", name, address))
		}
	}
	if c.Gateway && c.Gossip != "" && c.Gossip != gossipOff {
		errs = append(errs, errors.New("gossip: a gateway does not gossip; leave it out"))
	}
	if _, _, err := c.gossip(); err != nil && len(errs) == 0 {
		errs = append(errs, fmt.Errorf("gossip: %w", err))
	}
	if host, _, _ := net.SplitHostPort(c.Listen); c.Advertise == "" && (host == "" || net.ParseIP(host).IsUnspecified()) {
		errs = append(errs, errors.New("advertise: other nodes cannot reach the address that listens on every interface; say where they find this node"))
	}
	return errors.Join(errs...)
}

// validate checks what the request path itself does not: how idempotency keys are kept.
func (c *RequestsConfig) validate() error {
	var errs []error
	if c.IdempotencyTTL != 0 && (c.IdempotencyTTL < time.Hour || c.IdempotencyTTL > idempotency.LongestTTL) {
		errs = append(errs, fmt.Errorf("idempotency_ttl is %v, neither 0 nor within 1h to %v", c.IdempotencyTTL, idempotency.LongestTTL))
	}
	if c.IdempotencyKeys < 1 || c.IdempotencyKeys > 1<<28 {
		errs = append(errs, fmt.Errorf("idempotency_keys is %d, not within 1 to %d", c.IdempotencyKeys, 1<<28))
	}
	if c.IdempotencyStoreBytes < 1<<20 || c.IdempotencyStoreBytes > 1<<40 {
		errs = append(errs, fmt.Errorf("idempotency_store_bytes is %d, not within 1 MiB to 1 TiB", c.IdempotencyStoreBytes))
	}
	return errors.Join(errs...)
}
