package node

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"purser/internal/idempotency"
	"purser/internal/purse"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/upstream/googletoken"
)

// Config is what a node is started with. It does not change while the node runs.
type Config struct {
	Node        NodeConfig        `yaml:"node"`
	Listen      ListenConfig      `yaml:"listen"`
	Cluster     ClusterConfig     `yaml:"cluster"`
	Admin       AdminConfig       `yaml:"admin"`
	Upstreams   []UpstreamConfig  `yaml:"upstreams"`
	Prices      PricesConfig      `yaml:"prices"`
	Cache       CacheConfig       `yaml:"cache"`
	Semcache    SemcacheConfig    `yaml:"semcache"`
	Requests    RequestsConfig    `yaml:"requests"`
	Purse       PurseConfig       `yaml:"purse"`
	Redaction   RedactionConfig   `yaml:"redaction"`
	Compression CompressionConfig `yaml:"compression"`
	Usage       UsageConfig       `yaml:"usage"`
	Telemetry   TelemetryConfig   `yaml:"telemetry"`
	Outcomes    OutcomesConfig    `yaml:"outcomes"`
	Alerts      AlertsConfig      `yaml:"alerts"`
	Anomalies   AnomaliesConfig   `yaml:"anomalies"`
	Exports     ExportsConfig     `yaml:"exports"`
	Audit       AuditConfig       `yaml:"audit"`
	Vault       VaultConfig       `yaml:"vault"`
	Log         LogConfig         `yaml:"log"`
}

// NodeConfig names the node and its directory.
type NodeConfig struct {
	ID      string `yaml:"id"`       // for all time; default "node-1"
	DataDir string `yaml:"data_dir"` // default "data"
}

// ListenConfig says where the node listens.
type ListenConfig struct {
	Client         string        `yaml:"client"`          // host:port of clients and admin, default 127.0.0.1:7070
	TLSCert        string        `yaml:"tls_cert"`        // PEM file; with tls_key, clients speak TLS
	TLSKey         string        `yaml:"tls_key"`         // PEM file
	BodyBytes      int           `yaml:"body_bytes"`      // largest request body, default 32 MiB, 1 KiB to 1 GiB
	MaxConnections int           `yaml:"max_connections"` // default 16384
	DrainTime      time.Duration `yaml:"drain_time"`      // how long a shutdown waits for requests under way, default 30s

	TrustedProxies []string `yaml:"trusted_proxies,omitempty"` // addresses and ranges of the operator's own proxies, whose X-Forwarded-For is believed; default none
}

// ClusterConfig is how the node meets others. Without a listen address it is alone.
type ClusterConfig struct {
	Listen    string        `yaml:"listen"`     // host:port of the cluster's port, TLS
	Advertise string        `yaml:"advertise"`  // where other nodes reach it; default the listen address
	Gossip    string        `yaml:"gossip"`     // host:port, UDP and TCP, or "off"; default the listen address with the next port
	JoinToken string        `yaml:"join_token"` // for a node that has joined no cluster yet; better ${PURSER_JOIN_TOKEN}
	Gateway   bool          `yaml:"gateway"`    // no member: it leases and serves, and keeps no ledger; default false
	Region    string        `yaml:"region"`
	Zone      string        `yaml:"zone"`
	Profile   string        `yaml:"profile"` // lan (default) or wan: how patient Raft is
	Stable    time.Duration `yaml:"stable"`  // how long a new node is watched before it votes; default 10s
}

// AdminConfig guards /admin/v1 and /metrics.
type AdminConfig struct {
	Token       string     `yaml:"token"`        // bearer token of root, an owner; better ${PURSER_ADMIN_TOKEN}
	OpenMetrics bool       `yaml:"open_metrics"` // /metrics without a token
	OIDC        OIDCConfig `yaml:"oidc"`         // people
}

// UpstreamConfig is one provider endpoint with its credential.
type UpstreamConfig struct {
	Name     string `yaml:"name"`
	Provider string `yaml:"provider"` // as the price catalogue names it, default "openai"
	API      string `yaml:"api"`      // the wire format it speaks: openai, openai-chat, anthropic, gemini or converse; default that of the provider
	BaseURL  string `yaml:"base_url"` // including /v1, or /v1beta
	Key      string `yaml:"key"`      // better ${OPENAI_API_KEY}

	// Instead of a key: those that the cluster keeps sealed (docs/vault.md), or the caller's.
	Credentials     []string `yaml:"credentials,omitempty"` // ids of them; default none
	CredentialMatch string   `yaml:"credential_match"`      // a pattern of ids, such as "openai-*"; default none
	Passthrough     bool     `yaml:"passthrough"`           // the caller brings its own key, and nothing is stored; default false

	Models  []string          `yaml:"models"`  // patterns of model names, default those of deployments, else ["*"]
	Aliases map[string]string `yaml:"aliases"` // client-side name to the upstream's

	// Whether a stream may begin before its whole bound is held; what that asks of
	// the provider is in docs/operating.md.
	Hold         string   `yaml:"hold"`          // whole (default), offered or sliced
	SlicedModels []string `yaml:"sliced_models"` // patterns of the upstream's names; needed unless hold is whole
	SliceTokens  int64    `yaml:"slice_tokens"`  // of output, default 1024, 1 to 1048576
	AheadTokens  int64    `yaml:"ahead_tokens"`  // that the provider may have made and not shown, default 1024, 1 to 1048576

	CapField  string        `yaml:"cap_field"`          // name of the output cap: max_completion_tokens (default for openai and azure) or max_tokens
	Connect   time.Duration `yaml:"connect_timeout"`    // default 5s
	FirstByte time.Duration `yaml:"first_byte_timeout"` // default 5m
	Idle      time.Duration `yaml:"idle_timeout"`       // between two reads, default 2m
	MaxConns  int           `yaml:"max_connections"`    // default 1024
	Protocol  string        `yaml:"protocol"`           // http1 (default) or http2
	Cost      string        `yaml:"cost"`               // whose word on a call's cost counts: catalogue, or reported; default reported for openrouter, else catalogue

	Auth              string    `yaml:"auth"`               // how a request proves who sends it; default that of the api or provider
	GoogleCredentials string    `yaml:"google_credentials"` // file, for auth google; default application default credentials
	AWS               AWSConfig `yaml:"aws"`                // for auth aws

	Deployments     map[string]string `yaml:"deployments"`       // model, as the price catalogue knows it, to the upstream's name of it
	DeploymentPaths bool              `yaml:"deployment_paths"`  // paths begin with /deployments/{deployment}
	APIVersion      string            `yaml:"api_version"`       // sent as ?api-version=
	NoStreamOptions bool              `yaml:"no_stream_options"` // it refuses stream_options, and reports usage without
	ExtraOutput     int64             `yaml:"extra_output"`      // tokens of each answer that it may bill beyond the cap, default 0
	CacheMarks      []string          `yaml:"cache_marks"`       // patterns of the upstream's names of models whose prompts may be marked for its cache; default by api and provider
	CacheKey        *bool             `yaml:"cache_key"`         // it takes prompt_cache_key; default for provider openai
	CountTokens     bool              `yaml:"count_tokens"`      // it may count a prompt when the local bounds do not fit
}

// AWSConfig is what requests to AWS are signed with.
type AWSConfig struct {
	Region       string `yaml:"region"`
	AccessKey    string `yaml:"access_key"`    // better ${AWS_ACCESS_KEY_ID}
	SecretKey    string `yaml:"secret_key"`    // better ${AWS_SECRET_ACCESS_KEY}
	SessionToken string `yaml:"session_token"` // of credentials that expire
}

// PricesConfig adds to the embedded catalogue.
type PricesConfig struct {
	Overrides string `yaml:"overrides"` // YAML file
}

// CacheConfig is the exact cache.
type CacheConfig struct {
	Enabled     bool          `yaml:"enabled"`      // default true
	TTL         time.Duration `yaml:"ttl"`          // default 1h
	Bytes       int64         `yaml:"bytes"`        // on disk, default 1 GiB
	EntryBytes  int           `yaml:"entry_bytes"`  // default 1 MiB
	MemoryBytes int64         `yaml:"memory_bytes"` // default 64 MiB; 0 keeps nothing in memory
	TenantShare int           `yaml:"tenant_share"` // percent that others take from no tenant, default 25, 1 to 100
	Shared      bool          `yaml:"shared"`       // with the other nodes of the cluster, default true
	AskTime     time.Duration `yaml:"ask_time"`     // for another node to say what it has, default 50ms, 1ms to 10s
}

// RequestsConfig bounds the request path.
type RequestsConfig struct {
	DefaultOutput int64         `yaml:"default_output"`     // tokens, default 8192
	DefaultCalls  int64         `yaml:"default_tool_calls"` // of tools the provider runs, default 4
	Attempts      int           `yaml:"attempts"`           // default 3
	Drains        int           `yaml:"drains"`             // default 1024
	DrainTime     time.Duration `yaml:"drain_time"`         // default 2m
	CoalesceWait  time.Duration `yaml:"coalesce_wait"`      // default 30s
	CountTime     time.Duration `yaml:"count_time"`         // default 1s
	Baggage       bool          `yaml:"baggage"`            // default false

	// IdempotencyTTL is how long an Idempotency-Key is remembered: at least longer than any
	// call takes. 0 turns the header off.
	IdempotencyTTL        time.Duration `yaml:"idempotency_ttl"`         // default 24h, 1h to 24h, or 0
	IdempotencyBytes      int           `yaml:"idempotency_bytes"`       // of one answer that is kept, default 1 MiB
	IdempotencyKeys       int64         `yaml:"idempotency_keys"`        // at a time that this node is home of, default 1,000,000
	IdempotencyStoreBytes int64         `yaml:"idempotency_store_bytes"` // of their answers, default 1 GiB

	DenyStatus        int            `yaml:"deny_status"`                    // of a refusal for money: 402 (default), 412 or 429
	DenyStatusByRoute map[string]int `yaml:"deny_status_by_route,omitempty"` // by the route's path; default none
}

// PurseConfig is the node's share of the budgets.
type PurseConfig struct {
	AdmissionWait time.Duration `yaml:"admission_wait"` // default 250ms
	AuthorityTTL  time.Duration `yaml:"authority_ttl"`  // default 60s
	Idle          time.Duration `yaml:"idle"`           // default 30s
}

// UsageConfig is how long usage records are kept, and what they add up to by minute, hour
// and day: each for whole days (UTC).
type UsageConfig struct {
	// GatherWait is how long another node may be silent while it is asked what it has.
	GatherWait time.Duration `yaml:"gather_wait"` // default 2s, 100ms to 1m
	Retention  time.Duration `yaml:"retention"`   // of records, default 2160h (90 days)
	Minutes    time.Duration `yaml:"minutes"`     // default 168h (7 days)
	Hours      time.Duration `yaml:"hours"`       // default 2160h (90 days), at least minutes
	Days       time.Duration `yaml:"days"`        // default 26280h (3 years), at least hours and retention
}

// AlertsConfig is what alerts are sent with.
type AlertsConfig struct {
	Secrets      map[string]string `yaml:"secrets,omitempty"` // by name, for webhooks: whsec_ and base64, or an address
	AllowPrivate bool              `yaml:"allow_private"`     // send to this machine and to private networks too
	Unreachable  time.Duration     `yaml:"unreachable_after"` // default 5m
}

// ExportsConfig is where exports that are kept up may go, beside buckets.
type ExportsConfig struct {
	Dir     string            `yaml:"dir"`               // the folder below which files are written; default none. Nodes had better share it: whichever leads writes
	Secrets map[string]string `yaml:"secrets,omitempty"` // by name, for buckets: access keys, secret keys, session tokens
}

// AuditConfig is how long the audit trail is kept.
type AuditConfig struct {
	Retention time.Duration `yaml:"retention"` // on this node's disk, default 8784h (366 days), at least 24h
}

// VaultConfig is where the master keys are that open sealed credentials. None of
// it goes to other nodes but where the service is: each has its own.
type VaultConfig struct {
	MasterKeyFile string        `yaml:"master_key_file"` // of mode 0600: keys of 32 bytes in base64 or hex, one a line; overridden by PURSER_MASTER_KEY_FILE
	MasterKey     string        `yaml:"master_key"`      // the same as text; better ${PURSER_MASTER_KEY}, which overrides it
	Transit       TransitConfig `yaml:"transit"`         // a key in HashiCorp Vault's transit engine
	Current       string        `yaml:"current"`         // id of the key to seal with; default the first of transit, file, text
}

// TransitConfig is a key of a transit engine.
type TransitConfig struct {
	Address   string        `yaml:"address"`    // such as https://vault.internal:8200; default none
	Mount     string        `yaml:"mount"`      // of the engine, default transit
	Key       string        `yaml:"key"`        // its name, default purser
	Namespace string        `yaml:"namespace"`  // default none
	TokenFile string        `yaml:"token_file"` // read before each call, so that an agent may renew it
	Token     string        `yaml:"token"`      // or the token itself; better ${VAULT_TOKEN}, which overrides it
	Timeout   time.Duration `yaml:"timeout"`    // of one call, default 2s, up to 1m
}

// LogConfig is the node's own log.
type LogConfig struct {
	Level string `yaml:"level"` // debug, info (default), warn, error
	JSON  bool   `yaml:"json"`  // default false
}

// Default returns what a configuration file is laid over.
func Default() Config {
	return Config{
		Node:    NodeConfig{ID: "node-1", DataDir: "data"},
		Listen:  ListenConfig{Client: "127.0.0.1:7070", BodyBytes: 32 << 20, MaxConnections: 16384, DrainTime: 30 * time.Second},
		Cluster: ClusterConfig{Profile: "lan", Stable: 10 * time.Second},
		Admin:   AdminConfig{OIDC: defaultOIDC()},
		Cache: CacheConfig{
			Enabled: true, TTL: time.Hour, Bytes: 1 << 30, EntryBytes: 1 << 20, MemoryBytes: 64 << 20, TenantShare: 25,
			Shared: true, AskTime: 50 * time.Millisecond,
		},
		Semcache: defaultSemcache(),
		Requests: RequestsConfig{DefaultOutput: 8192, DefaultCalls: 4, Attempts: 3, Drains: 1024, DrainTime: 2 * time.Minute, CoalesceWait: 30 * time.Second, CountTime: time.Second, DenyStatus: http.StatusPaymentRequired,
			IdempotencyTTL: idempotency.LongestTTL, IdempotencyBytes: 1 << 20, IdempotencyKeys: 1_000_000, IdempotencyStoreBytes: 1 << 30},
		Purse: PurseConfig{AdmissionWait: 250 * time.Millisecond, AuthorityTTL: time.Minute, Idle: 30 * time.Second},
		Usage: UsageConfig{Retention: 90 * 24 * time.Hour, Minutes: 7 * 24 * time.Hour, Hours: 90 * 24 * time.Hour, Days: 3 * 365 * 24 * time.Hour, GatherWait: 2 * time.Second},

		Telemetry: defaultTelemetry(),
		Alerts:    AlertsConfig{Unreachable: 5 * time.Minute},

		Anomalies: defaultAnomalies(),
		Audit:     AuditConfig{Retention: 366 * 24 * time.Hour},
		Vault:     VaultConfig{Transit: TransitConfig{Mount: "transit", Key: "purser", Timeout: 2 * time.Second}},
		Log:       LogConfig{Level: "info"},
		Outcomes:  defaultOutcomes(),
	}
}

// Load reads a YAML file over the defaults; "" is the defaults alone. Unknown
// keys are errors, ${NAME} and ${NAME:-default} take environment variables, and
// PURSER_ADMIN_TOKEN, PURSER_LISTEN, PURSER_DATA_DIR and PURSER_NODE_ID
// override what the file says.
func Load(file string) (Config, error) {
	if file == "" {
		return parse("", "")
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return Default(), fmt.Errorf("reading the configuration: %w", err)
	}
	text, err := expand(string(raw), os.LookupEnv)
	if err != nil {
		return Default(), fmt.Errorf("%s: %w", file, err)
	}
	return parse(file, text)
}

// LoadGiven is [Load] for the configuration that a node was given when it
// joined, or for none. Its variables were expanded where it came from.
func LoadGiven(dataDir string) (Config, error) {
	text, err := readGiven(dataDir)
	if err != nil {
		return Default(), fmt.Errorf("reading the configuration: %w", err)
	}
	return parse("the configuration of the cluster", string(text))
}

// parse reads YAML over the defaults; name is what messages call it.
func parse(name, text string) (Config, error) {
	c := Default()
	if text != "" {
		if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.Strict()); err != nil {
			return c, fmt.Errorf("%s: %s", name, misread(err))
		}
	}
	for name, field := range map[string]*string{
		"PURSER_ADMIN_TOKEN": &c.Admin.Token, "PURSER_LISTEN": &c.Listen.Client,
		"PURSER_DATA_DIR": &c.Node.DataDir, "PURSER_NODE_ID": &c.Node.ID, "PURSER_JOIN_TOKEN": &c.Cluster.JoinToken,
		"PURSER_MASTER_KEY": &c.Vault.MasterKey, "PURSER_MASTER_KEY_FILE": &c.Vault.MasterKeyFile,
	} {
		if v, ok := os.LookupEnv(name); ok {
			*field = v
		}
	}
	if v, ok := os.LookupEnv("VAULT_TOKEN"); ok && c.Vault.Transit.Address != "" {
		c.Vault.Transit.Token = v
	}
	for i := range c.Upstreams {
		c.Upstreams[i].setDefaults()
	}
	c.Redaction.setDefaults()
	c.Compression.setDefaults()
	return c, nil
}

// misread says where the file, [line:column], is not what a configuration is.
func misread(err error) string {
	text := yaml.FormatError(err, false, false)
	if wrong := (*yaml.TypeError)(nil); errors.As(err, &wrong) && wrong.DstType == reflect.TypeFor[time.Duration]() {
		return text + "; write a duration with its unit, such as 250ms, 30s, 5m or 2h"
	}
	return text
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)(:-([^}]*))?\}`)

// expand replaces ${NAME} and ${NAME:-default}; a variable that is not set and
// has no default is an error, because an empty key would fail much later.
// Comment lines are left alone.
func expand(text string, lookup func(string) (string, bool)) (string, error) {
	var missing []string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		lines[i] = variable.ReplaceAllStringFunc(line, func(m string) string {
			parts := variable.FindStringSubmatch(m)
			if v, ok := lookup(parts[1]); ok {
				return v
			}
			if parts[2] == "" {
				missing = append(missing, parts[1])
			}
			return parts[3]
		})
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("these environment variables are not set: %s", strings.Join(missing, ", "))
	}
	return strings.Join(lines, "\n"), nil
}

// gateway is the request path's part of the configuration.
func (c *Config) gateway() proxy.Config {
	out, r := proxy.DefaultConfig(), &c.Requests
	out.DefaultOutput, out.DefaultCalls, out.Attempts, out.Drains, out.DrainTime = r.DefaultOutput, r.DefaultCalls, r.Attempts, r.Drains, r.DrainTime
	out.CoalesceWait, out.CountTime, out.Baggage, out.CacheEntry = r.CoalesceWait, r.CountTime, r.Baggage, c.Cache.EntryBytes
	out.DenyStatus, out.DenyStatusByRoute, out.OnceBytes = r.DenyStatus, r.DenyStatusByRoute, r.IdempotencyBytes
	out.TrustedProxies, _ = c.Listen.trusted() // Validate has reported what is wrong
	return out
}

// purse is the purse's part of the configuration, but for the store's identity.
func (c *Config) purse() purse.Config {
	out := purse.Default()
	out.Node = ledger.NodeID(c.Node.ID)
	out.AdmissionWait, out.AuthorityTTL, out.Idle = c.Purse.AdmissionWait, c.Purse.AuthorityTTL, c.Purse.Idle
	return out
}

// Check is Validate, and that the files it names can be read.
func (c *Config) Check() error {
	err := c.Validate()
	if _, e := loadPrices(c.Prices.Overrides); e != nil {
		err = errors.Join(err, e)
	}
	if _, e := c.Vault.load(); e != nil && (err == nil || !strings.Contains(err.Error(), e.Error())) { // else it is told already
		err = errors.Join(err, fmt.Errorf("vault: %w", e))
	}
	if _, e := c.Redaction.rules(); e != nil {
		err = errors.Join(err, e)
	}
	for i := range c.Upstreams {
		if u := &c.Upstreams[i]; u.GoogleCredentials != "" {
			if _, e := googletoken.File(u.GoogleCredentials); e != nil {
				err = errors.Join(err, fmt.Errorf("upstreams[%d].google_credentials: %w", i, e))
			}
		}
	}
	return err
}
