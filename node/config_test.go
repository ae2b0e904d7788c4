package node

import (
	"os"
	"path"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

const (
	sampleFile    = "../docs/purser.example.yaml"
	referenceFile = "../docs/configuration.md"
)

// set gives the variables for the time of the test.
func set(t *testing.T, vars map[string]string) {
	t.Helper()
	for name, value := range vars {
		t.Setenv(name, value)
	}
}

// unset takes away what the machine that runs the test may have set.
func unset(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if old, ok := os.LookupEnv(name); ok {
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Setenv(name, old) })
		}
	}
}

var ours = []string{"PURSER_ADMIN_TOKEN", "PURSER_LISTEN", "PURSER_DATA_DIR", "PURSER_NODE_ID"}

func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "purser.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const token = "0123456789abcdef"

// valid is the least that Validate accepts.
func valid() Config {
	c := Default()
	c.Admin.Token = token
	c.Upstreams = []UpstreamConfig{NewUpstream("openai", "https://api.openai.com/v1", "sk-x")}
	return c
}

func TestSampleConfigurationIsValidAndHasTheDefaults(t *testing.T) {
	unset(t, ours...)
	set(t, map[string]string{"PURSER_ADMIN_TOKEN": token, "OPENAI_API_KEY": "sk-x"})
	c, err := Load(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	want := valid()
	want.Upstreams[0].Aliases = map[string]string{"fast": "gpt-4o-mini"}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("the sample says it shows the defaults:\n got %+v\nwant %+v", c, want)
	}
}

// keysOf lists the YAML paths of a struct's leaves; a list of structs adds "[]".
func keysOf(t *testing.T, typ reflect.Type, prefix string) []string {
	t.Helper()
	var keys []string
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "" {
			t.Fatalf("field %s of %s has no yaml name", f.Name, typ)
		}
		switch {
		case f.Type.Kind() == reflect.Struct:
			keys = append(keys, keysOf(t, f.Type, prefix+name+".")...)
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct:
			keys = append(keys, keysOf(t, f.Type.Elem(), prefix+name+"[].")...)
		default:
			keys = append(keys, prefix+name)
		}
	}
	return keys
}

func TestEveryKeyIsDocumented(t *testing.T) {
	reference, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	sample, err := os.ReadFile(sampleFile)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, key := range keysOf(t, reflect.TypeFor[Config](), "") {
		known[key] = true
		if !strings.Contains(string(reference), "\n| `"+key+"` |") {
			t.Errorf("%s has no row for %s", referenceFile, key)
		}
		if name := key[strings.LastIndex(key, ".")+1:]; !strings.Contains(string(sample), name+":") {
			t.Errorf("%s does not show %s", sampleFile, key)
		}
	}
	for _, line := range strings.Split(string(reference), "\n") {
		key, ok := strings.CutPrefix(line, "| `")
		key, _, _ = strings.Cut(key, "`")
		if ok && strings.Contains(key, ".") && !known[key] {
			t.Errorf("%s has a row for %s, which does not exist", referenceFile, key)
		}
	}
}

func TestLoadWithoutAFileIsTheDefaults(t *testing.T) {
	unset(t, ours...)
	c, err := Load("")
	if err != nil || !reflect.DeepEqual(c, Default()) {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestLoadLaysTheFileOverTheDefaults(t *testing.T) {
	unset(t, ours...)
	c, err := Load(written(t, "cache: {ttl: 5m}\nupstreams:\n  - base_url: http://localhost:1/v1\n    idle_timeout: 7s\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Cache.TTL != 5*time.Minute || !c.Cache.Enabled || c.Cache.Bytes != 1<<30 {
		t.Errorf("cache: %+v", c.Cache)
	}
	u := c.Upstreams[0]
	if u.Provider != "openai" || u.Name != "openai" || u.Protocol != "http1" || u.Idle != 7*time.Second ||
		u.Connect != 5*time.Second || u.FirstByte != 5*time.Minute || u.MaxConns != 1024 || !reflect.DeepEqual(u.Models, []string{"*"}) {
		t.Errorf("upstream: %+v", u)
	}
}

func TestEnvironmentOverridesTheFile(t *testing.T) {
	set(t, map[string]string{
		"PURSER_ADMIN_TOKEN": "from-the-environment", "PURSER_LISTEN": "127.0.0.1:9", "PURSER_DATA_DIR": "there", "PURSER_NODE_ID": "node-9",
	})
	c, err := Load(written(t, "node: {id: here, data_dir: here}\nlisten: {client: 127.0.0.1:1}\nadmin: {token: of-the-file}\n"))
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.Admin.Token, c.Listen.Client, c.Node.DataDir, c.Node.ID}
	if want := []string{"from-the-environment", "127.0.0.1:9", "there", "node-9"}; !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLoadRefuses(t *testing.T) {
	unset(t, ours...)
	unset(t, "PURSER_TEST_A", "PURSER_TEST_B")
	for name, c := range map[string]struct{ text, says string }{
		"an unknown key":              {"cache: {tll: 5m}\n", "tll"},
		"an unknown section":          {"cash: {}\n", "cash"},
		"a key twice":                 {"log: {level: info}\nlog: {level: warn}\n", "log"},
		"a word for a number":         {"requests: {attempts: many}\n", "1:22"},
		"a duration without its unit": {"\nlisten: {drain_time: 30}\n", "[2:22] cannot unmarshal uint64 into Go struct field Config.Listen of type time.Duration; write a duration with its unit"},
		"a duration without one":      {"cache: {ttl: soon}\n", "soon"},
		"what is not YAML":            {"cache: [\n", "purser.yaml"},
		"unset variables, all":        {"node: {id: '${PURSER_TEST_A}', data_dir: '${PURSER_TEST_B}'}\n", "PURSER_TEST_A, PURSER_TEST_B"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Load(written(t, c.text))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v does not name %q", err, c.says)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "absent.yaml")); err == nil || !strings.Contains(err.Error(), "absent.yaml") {
		t.Errorf("an absent file: %v", err)
	}
}

func TestExpand(t *testing.T) {
	vars := map[string]string{"A": "one", "EMPTY": "", "ODD": "${A}"}
	lookup := func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
	for _, c := range []struct{ in, want, missing string }{
		{in: "x: ${A}", want: "x: one"},
		{in: "x: ${A}${A}", want: "x: oneone"},
		{in: "x: ${B:-two}", want: "x: two"},
		{in: "x: ${B:-}", want: "x: "},
		{in: "x: ${A:-two}", want: "x: one"},
		{in: "x: ${EMPTY:-two}", want: "x: "},
		{in: "x: ${ODD}", want: "x: ${A}"},
		{in: "  # ${B}\nx: ${A}", want: "  # ${B}\nx: one"},
		{in: "x: $A $ {A} ${1}", want: "x: $A $ {A} ${1}"},
		{in: "x: ${B}\ny: ${C}", missing: "B, C"},
	} {
		got, err := expand(c.in, lookup)
		switch {
		case c.missing != "" && (err == nil || !strings.Contains(err.Error(), c.missing)):
			t.Errorf("%q: %v does not name %s", c.in, err, c.missing)
		case c.missing == "" && (err != nil || got != c.want):
			t.Errorf("%q: got %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

func TestValidate(t *testing.T) {
	if c := valid(); c.Validate() != nil {
		t.Fatal(c.Validate())
	}
	for key, change := range map[string]func(*Config){
		"node.id":              func(c *Config) { c.Node.ID = "Node 1" },
		"node.data_dir":        func(c *Config) { c.Node.DataDir = "" },
		"listen.client":        func(c *Config) { c.Listen.Client = "7070" },
		"requests":             func(c *Config) { c.Requests.Attempts = 11 },
		"count_time":           func(c *Config) { c.Requests.CountTime = 0 },
		"extra_output":         func(c *Config) { c.Upstreams[0].ExtraOutput = -1 },
		"count_tokens: Vertex": func(c *Config) { u := &c.Upstreams[0]; u.Auth, u.Key, u.CountTokens = "google", "", true },
		"default_tool_calls":   func(c *Config) { c.Requests.DefaultCalls = 1001 },
		"idempotency_ttl":      func(c *Config) { c.Requests.IdempotencyTTL = time.Minute },
		"idempotency_bytes":    func(c *Config) { c.Requests.IdempotencyBytes = -1 },
		"idempotency_keys":     func(c *Config) { c.Requests.IdempotencyKeys = 0 },
		"idempotency_store":    func(c *Config) { c.Requests.IdempotencyStoreBytes = 1 },
		"deny_status":          func(c *Config) { c.Requests.DenyStatus = 403 },
		"deny_status_by_route": func(c *Config) {
			c.Requests.DenyStatusByRoute = map[string]int{"/v1/chat/completions": 500}
		},
		"no route that is charged": func(c *Config) {
			c.Requests.DenyStatusByRoute = map[string]int{"/v1/messages/count_tokens": 429}
		},
		"purse":                     func(c *Config) { c.Purse.Idle = time.Millisecond },
		"unreachable_after":         func(c *Config) { c.Alerts.Unreachable = 0 },
		"exports: dir":              func(c *Config) { c.Node.DataDir, c.Exports.Dir = "data", "data/exports" },
		"exports: secrets":          func(c *Config) { c.Exports.Secrets = map[string]string{"s3": ""} },
		"alerts: secrets":           func(c *Config) { c.Alerts.Secrets = map[string]string{"ops": "hunter2"} },
		"semcache.qdrant: seal_key": func(c *Config) { c.Semcache.Qdrant.Address = "qdrant:6334" },
		"semcache.qdrant: api_key": func(c *Config) {
			q := &c.Semcache.Qdrant
			q.Address, q.SealKey, q.APIKey = "qdrant:6334", strings.Repeat("k", leastSealKey), "key"
		},
		"semcache.qdrant: timeout": func(c *Config) {
			q := &c.Semcache.Qdrant
			q.Address, q.SealKey, q.Timeout = "qdrant:6334", strings.Repeat("k", leastSealKey), 0
		},
		"cache.entry_bytes":              func(c *Config) { c.Cache.EntryBytes = 4 << 20 },
		"tls_cert and tls_key":           func(c *Config) { c.Listen.TLSCert = "cert.pem" },
		"listen.body_bytes":              func(c *Config) { c.Listen.BodyBytes = 1 << 31 },
		"trusted_proxies: [1]":           func(c *Config) { c.Listen.TrustedProxies = []string{"10.0.0.0/8", "10.0.0.1/8"} },
		"trusted_proxies: there":         func(c *Config) { c.Listen.TrustedProxies = make([]string, 257) },
		"listen.max_connections":         func(c *Config) { c.Listen.MaxConnections = 0 },
		"admin.token":                    func(c *Config) { c.Admin.Token = token[1:] },
		"admin.token: has fewer than 32": func(c *Config) { c.Admin.OIDC.Issuer = "https://login.example.com" },
		"admin.oidc: client_id":          func(c *Config) { c.Admin.OIDC.Issuer = "https://login.example.com" },
		"admin.oidc: roles[0]": func(c *Config) {
			c.Admin.OIDC.Issuer, c.Admin.OIDC.Roles = "https://login.example.com", []RoleConfig{{Group: "a", Role: "king"}}
		},
		"upstreams":              func(c *Config) { c.Upstreams = nil },
		"upstreams[1].name":      func(c *Config) { c.Upstreams = append(c.Upstreams, c.Upstreams[0]) },
		"base_url is not":        func(c *Config) { c.Upstreams[0].BaseURL = "https://user:secret@api.openai.com/v1" },
		"without user, query":    func(c *Config) { c.Upstreams[0].BaseURL = "https://api.openai.com/v1?key=secret" },
		"base_url":               func(c *Config) { c.Upstreams[0].BaseURL = "api.openai.com/v1" },
		"key":                    func(c *Config) { c.Upstreams[0].Key = "sk-x\r\nx-evil: 1" },
		"models":                 func(c *Config) { c.Upstreams[0].Models = []string{"gpt-["} },
		"api":                    func(c *Config) { c.Upstreams[0].API = "cohere" },
		"cost \"cheap\"":         func(c *Config) { c.Upstreams[0].Cost = "cheap" },
		"cost: answers":          func(c *Config) { c.Upstreams[0].Cost, c.Upstreams[0].API = "reported", "anthropic" },
		"hold":                   func(c *Config) { c.Upstreams[0].Hold = "sliced" },
		"sliced_models":          func(c *Config) { c.Upstreams[0].SlicedModels = []string{"gpt-4o*"} },
		"slice_tokens":           func(c *Config) { c.Upstreams[0].SliceTokens = -1 },
		"ahead_tokens":           func(c *Config) { c.Upstreams[0].AheadTokens = 1 << 21 },
		"protocol":               func(c *Config) { c.Upstreams[0].Protocol = "http3" },
		"auth \"token\"":         func(c *Config) { c.Upstreams[0].Auth = "token" },
		"auth google takes none": func(c *Config) { c.Upstreams[0].Auth = "google" },
		"auth aws takes none":    func(c *Config) { c.Upstreams[0].Auth = "aws" },
		"auth aws needs region":  func(c *Config) { c.Upstreams[0].Auth, c.Upstreams[0].Key = "aws", "" },
		"aws: is for":            func(c *Config) { c.Upstreams[0].AWS.Region = "us-east-1" },
		"google_credentials: is": func(c *Config) { c.Upstreams[0].GoogleCredentials = "key.json" },
		"deployments: a name":    func(c *Config) { c.Upstreams[0].Deployments = map[string]string{"m": ""} },
		"a and b are both":       func(c *Config) { c.Upstreams[0].Deployments = map[string]string{"a": "d", "b": "d"} },
		"are for api openai":     func(c *Config) { c.Upstreams[0].API, c.Upstreams[0].NoStreamOptions = "gemini", true },
		"api_version: is needed": func(c *Config) { c.Upstreams[0].DeploymentPaths = true },
		"cache.ttl":              func(c *Config) { c.Cache.TTL = 0 },
		"cache.bytes":            func(c *Config) { c.Cache.Bytes = 1 },
		"cache.memory_bytes":     func(c *Config) { c.Cache.MemoryBytes = -1 },
		"cache.tenant_share":     func(c *Config) { c.Cache.TenantShare = 0 },
		"cache.ask_time":         func(c *Config) { c.Cache.AskTime = 0 },
		"usage.retention":        func(c *Config) { c.Usage.Retention = time.Minute },
		"usage.minutes":          func(c *Config) { c.Usage.Minutes = time.Minute },
		"usage.hours":            func(c *Config) { c.Usage.Hours = 24 * time.Hour },
		"usage.days":             func(c *Config) { c.Usage.Days = 100 * 24 * time.Hour; c.Usage.Retention = 101 * 24 * time.Hour },
		"audit.retention":        func(c *Config) { c.Audit.Retention = time.Hour },
		"log.level":              func(c *Config) { c.Log.Level = "loud" },
		"hold: Bedrock": func(c *Config) {
			c.Upstreams[0].API, c.Upstreams[0].Hold, c.Upstreams[0].SlicedModels = "converse", "sliced", []string{"*"}
		},
	} {
		t.Run(key, func(t *testing.T) {
			c := valid()
			change(&c)
			if err := c.Validate(); err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("%v does not name %s", err, key)
			}
		})
	}
}

// TestProviderAndAPI: each says the other where only one is given.
func TestProviderAndAPI(t *testing.T) {
	for _, x := range [][4]string{ // as given, as it becomes
		{"", "", "openai", "openai"},
		{"anthropic", "", "anthropic", "anthropic"},
		{"anthropic:us", "", "anthropic:us", "anthropic"},
		{"google", "", "google", "gemini"},
		{"groq", "", "groq", "openai"},
		{"", "anthropic", "anthropic", "anthropic"},
		{"", "gemini", "google", "gemini"},
		{"", "converse", "aws", "converse"},
		{"google", "openai", "google", "openai"},
	} {
		u := UpstreamConfig{Provider: x[0], API: x[1]}
		if u.setDefaults(); u.Provider != x[2] || u.API != x[3] {
			t.Errorf("provider %q, api %q: %q, %q", x[0], x[1], u.Provider, u.API)
		}
	}
}

// TestOpenRoutersOwnCostIsTaken: where it has a place in the answer.
func TestOpenRoutersOwnCostIsTaken(t *testing.T) {
	for _, x := range [][4]string{ // provider, api, cost as given, as it becomes
		{"openrouter", "", "", "reported"},
		{"openrouter:eu", "openai", "", "reported"},
		{"openrouter", "openai-chat", "", "reported"},
		{"openrouter", "anthropic", "", "catalogue"},
		{"openrouter", "", "catalogue", "catalogue"},
		{"openai", "", "", "catalogue"},
		{"openai", "", "reported", "reported"},
		{"", "", "", "catalogue"},
	} {
		u := UpstreamConfig{Provider: x[0], API: x[1], Cost: x[2]}
		if u.setDefaults(); u.Cost != x[3] {
			t.Errorf("provider %q, api %q, cost %q: %q, not %q", x[0], x[1], x[2], u.Cost, x[3])
		}
	}
}

func TestValidateReportsEverythingAtOnce(t *testing.T) {
	c := Default()
	c.Node.ID, c.Log.Level = "", "loud"
	err := c.Validate()
	for _, key := range []string{"node.id", "log.level", "admin.token", "upstreams"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v does not name %s", err, key)
		}
	}
}

// TestEveryLineOfAReportHasItsKey: also where one part of the configuration has
// several things wrong.
func TestEveryLineOfAReportHasItsKey(t *testing.T) {
	c := valid()
	u := &c.Upstreams[0]
	u.Name, u.BaseURL, u.Protocol, u.Auth, u.ExtraOutput = "main", "ftp://host", "smoke", "none", -1
	c.Cluster.Profile, c.Cluster.Stable = "home", -1
	c.Requests.DrainTime, c.Requests.CoalesceWait, c.Requests.CountTime = 0, -1, 0
	c.Purse.Idle, c.Purse.AuthorityTTL = 0, 0
	lines := strings.Split(c.Validate().Error(), "\n")
	if len(lines) != 11 {
		t.Errorf("%d lines, not 11", len(lines))
	}
	keyed := regexp.MustCompile(`^(upstreams\[0\] \(main\): (base_url|protocol|auth|extra_output)|cluster: (profile|stable)|requests: (drain_time|coalesce_wait|count_time)|purse: (idle|authority_ttl)):? `)
	for _, line := range lines {
		if !keyed.MatchString(line) {
			t.Errorf("%q does not begin with its key", line)
		}
	}
}

func TestErrorsQuoteNoSecret(t *testing.T) {
	c := valid()
	c.Admin.Token, c.Upstreams[0].Key = "short-secret", "sk-secret\n"
	if err := c.Validate(); err == nil || strings.Contains(err.Error(), "secret\"") || strings.Contains(err.Error(), "short-secret") || strings.Contains(err.Error(), "sk-secret") {
		t.Errorf("%v quotes a secret or is no error", err)
	}
}

func TestCheckReadsTheFilesItNames(t *testing.T) {
	c := valid()
	c.Prices.Overrides = filepath.Join(t.TempDir(), "absent.yaml")
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "prices.overrides") {
		t.Errorf("an absent file: %v", err)
	}
	c.Prices.Overrides, c.Upstreams[0].GoogleCredentials = "", filepath.Join(t.TempDir(), "absent.json")
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "upstreams[0].google_credentials") {
		t.Errorf("an absent key file: %v", err)
	}
	c.Prices.Overrides = written(t, "providers: {openai: {modles: {}}}\n")
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "modles") {
		t.Errorf("an unknown key: %v", err)
	}
}

// TestAuthIsThatOfTheAPIOrTheProvider, where the configuration does not say.
func TestAuthIsThatOfTheAPIOrTheProvider(t *testing.T) {
	for _, x := range []struct {
		provider, api, key, want string
	}{
		{"", "", "k", "bearer"}, {"groq", "", "", "bearer"}, {"anthropic:us", "", "k", "x-api-key"}, {"google", "", "k", "x-goog-api-key"},
		{"azure", "", "k", "api-key"}, {"azure:eu", "openai", "k", "api-key"}, {"azure", "anthropic", "k", "x-api-key"},
		{"aws", "", "", "aws"}, {"aws", "", "bedrock-api-key", "bearer"},
	} {
		u := UpstreamConfig{Provider: x.provider, API: x.api, Key: x.key}
		if u.setDefaults(); u.Auth != x.want {
			t.Errorf("%+v: %s", x, u.Auth)
		}
	}
}

// TestDeploymentsAreTheModelsServed, each by its own name, whatever is in it.
func TestDeploymentsAreTheModelsServed(t *testing.T) {
	u := UpstreamConfig{Deployments: map[string]string{"gpt-5.4": "a", `odd[*?\]`: "b"}}
	u.setDefaults()
	if !reflect.DeepEqual(u.Models, []string{"gpt-5.4", `odd\[\*\?\\]`}) {
		t.Errorf("%q", u.Models)
	}
	if ok, err := path.Match(u.Models[1], `odd[*?\]`); !ok || err != nil {
		t.Error(ok, err)
	}
}
