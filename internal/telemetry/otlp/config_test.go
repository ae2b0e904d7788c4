package otlp

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	if d := Default(); d.On() || d.Validate() != nil {
		t.Errorf("%v", d.Validate())
	}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"a receiver":                {func(c *Config) { c.Endpoint = "http://127.0.0.1:4318" }, ""},
		"plain, elsewhere":          {func(c *Config) { c.Endpoint = "http://collector:4318" }, ""},
		"headers, at home":          {func(c *Config) { c.Endpoint, c.Headers = "http://localhost:4318", map[string]string{"a": "b"} }, ""},
		"headers, plain, elsewhere": {func(c *Config) { c.Endpoint, c.Headers = "http://collector:4318", map[string]string{"a": "b"} }, "plain_headers"},
		"and that is allowed": {func(c *Config) {
			c.Endpoint, c.Headers, c.PlainHeaders = "http://collector:4318", map[string]string{"a": "b"}, true
		}, ""},
		"no url":                     {func(c *Config) { c.Endpoint = "collector:4317" }, "endpoint is not http"},
		"a query":                    {func(c *Config) { c.Endpoint = "https://a/?key=hunter2" }, "endpoint is not http"},
		"a password":                 {func(c *Config) { c.Endpoint = "https://a:hunter2@b" }, "endpoint is not http"},
		"grpc with a path":           {func(c *Config) { c.Endpoint, c.Protocol = "https://a/b", "grpc" }, "endpoint has a path"},
		"another protocol":           {func(c *Config) { c.Protocol = "http/json" }, "protocol"},
		"another preset":             {func(c *Config) { c.Preset = "datadog" }, "braintrust, langfuse, langsmith"},
		"a preset without its key":   {func(c *Config) { c.Preset = "langsmith" }, "needs an API key"},
		"half a key":                 {func(c *Config) { c.Preset, c.Key = "langfuse", "pk" }, "public key, a colon"},
		"a key without a preset":     {func(c *Config) { c.Key = "k" }, "put it into headers"},
		"a preset over grpc":         {func(c *Config) { c.Preset, c.Key, c.Protocol = "langsmith", "k", "grpc" }, "takes http alone"},
		"braintrust without project": {func(c *Config) { c.Preset, c.Key = "braintrust", "k" }, "braintrust needs a project"},
		"langfuse with a project":    {func(c *Config) { c.Preset, c.Key, c.Project = "langfuse", "a:b", "p" }, "project"},
		"a project for nobody":       {func(c *Config) { c.Project = "p" }, "without a preset"},
		"a header with a line break": {func(c *Config) { c.Headers = map[string]string{"a": "b\r\nc: d"} }, "headers"},
		"sampling":                   {func(c *Config) { c.Sampling = 1.5 }, "sampling"},
		"conventions":                {func(c *Config) { c.Conventions = "new" }, "conventions"},
		"interval":                   {func(c *Config) { c.Interval = time.Millisecond }, "interval"},
		"timeout":                    {func(c *Config) { c.Timeout = time.Hour }, "timeout"},
		"queue":                      {func(c *Config) { c.Queue = 0 }, "queue"},
	} {
		cfg := Default()
		c.change(&cfg)
		err := cfg.Validate()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: a secret is told: %v", name, err)
		}
	}
}

func TestTheEnvironmentChoosesNames(t *testing.T) {
	for _, c := range []struct {
		env, config         string
		established, latest bool
	}{
		{"", "", true, true},
		{"http", "", true, true},
		{"http, gen_ai_latest_experimental", "", false, true},
		{"gen_ai_latest_experimental", Both, true, true},
		{"gen_ai_latest_experimental", Established, true, false},
		{"", Latest, false, true},
	} {
		t.Setenv(optIn, c.env)
		cfg := Config{Conventions: c.config}
		if e, l := cfg.names(); e != c.established || l != c.latest {
			t.Errorf("%q and %q: %v %v", c.env, c.config, e, l)
		}
	}
}

func TestSignals(t *testing.T) {
	for base, want := range map[string]string{
		"http://a:4318": "http://a:4318/v1/traces", "http://a:4318/": "http://a:4318/v1/traces",
		"https://a/otel": "https://a/otel/v1/traces", "https://a/otel/v1/traces": "https://a/otel/v1/traces",
	} {
		c := Config{Endpoint: base}
		target, err := c.target()
		if err != nil || target.signal("traces") != want {
			t.Errorf("%s: %s %v", base, target.signal("traces"), err)
		}
	}
}

func TestAuthoritiesThatAreNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, file + ".none"} {
		cfg := to("https://127.0.0.1:4318")
		cfg.CAFile = path
		if s, err := Open(cfg, who, slog.New(slog.DiscardHandler)); err == nil || s != nil || !strings.Contains(err.Error(), "ca_file") {
			t.Errorf("%v", err)
		}
	}
}
