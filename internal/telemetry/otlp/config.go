package otlp

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// Config is where spans and metrics go, and of what they are made.
type Config struct {
	Preset   string            // "", langfuse, langsmith or braintrust
	Endpoint string            // base URL; "" is the preset's, or off where there is no preset
	Protocol string            // http (protobuf) or grpc
	Headers  map[string]string // sent with each export
	Key      string            // of a preset: the API key; of langfuse "public:secret"
	Project  string            // of a preset, where it has them
	CAFile   string            // PEM file of authorities; "" is the system's

	// PlainHeaders lets headers and key go over http to another machine.
	PlainHeaders bool

	Sampling    float64       // share of the traces whose callers have not decided, 0 to 1
	Conventions string        // established, latest or both; "" is what the environment says, else both
	Metrics     bool          // sent too; not by presets, which take spans alone
	Interval    time.Duration // between two exports of metrics
	Timeout     time.Duration // of one export
	Queue       int           // requests that wait to be made spans of
}

// Default is what is not configured.
func Default() Config {
	return Config{Protocol: "http", Sampling: 1, Metrics: true, Interval: time.Minute, Timeout: 10 * time.Second, Queue: 4096}
}

// Protocols of an export.
const (
	protoHTTP = "http"
	protoGRPC = "grpc"
)

// Conventions of names.
const (
	Established = "established" // up to version 1.41 of the conventions, gen_ai.system among them
	Latest      = "latest"      // of the conventions' own repository
	Both        = "both"
)

// optIn is the environment variable by which instrumentations are told which names to
// use, and latestOptIn its value for the newest of these.
const (
	optIn       = "OTEL_SEMCONV_STABILITY_OPT_IN"
	latestOptIn = "gen_ai_latest_experimental"
)

// On says whether anything is sent.
func (c *Config) On() bool { return c.Endpoint != "" || c.Preset != "" }

// names says which names are used.
func (c *Config) names() (established, latest bool) {
	how := c.Conventions
	if how == "" {
		how = Both
		for value := range strings.SplitSeq(os.Getenv(optIn), ",") {
			if strings.TrimSpace(value) == latestOptIn {
				how = Latest
			}
		}
	}
	return how != Latest, how != Established
}

// Validate reports every field that is wrong.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	p, known := presets[c.Preset]
	if !known {
		bad("preset %q is not one of %s", c.Preset, strings.Join(slices.Sorted(maps.Keys(presets)), ", ")[2:])
	}
	if c.Protocol != protoHTTP && c.Protocol != protoGRPC {
		bad("protocol %q is not http or grpc", c.Protocol)
	} else if known && c.Preset != "" && c.Protocol != protoHTTP {
		bad("protocol: %s takes http alone", c.Preset)
	}
	switch {
	case c.Preset != "" && c.Key == "":
		bad("key is empty; %s needs %s", c.Preset, p.needs)
	case c.Preset == "" && c.Key != "":
		bad("key is of a preset; without one, put it into headers as the receiver wants it")
	case c.Preset == "langfuse" && !strings.Contains(c.Key, ":"):
		bad("key is not %s", p.needs)
	}
	switch {
	case c.Project != "" && c.Preset == "":
		bad("project: there are none without a preset")
	case c.Project != "" && known && p.project == nil:
		bad("project: %s has none", c.Preset)
	}
	if c.Preset == "braintrust" && c.Project == "" {
		bad("project is empty; braintrust needs a project's name, or project_id: and its id")
	}
	if c.On() && known {
		if _, err := c.target(); err != nil {
			errs = append(errs, err)
		}
	}
	for name, value := range c.Headers {
		if strings.ContainsFunc(name+value, func(r rune) bool { return r < ' ' || r > '~' }) || name == "" || strings.ContainsAny(name, " :") {
			bad("headers: %q is no header, or its value has bytes that no header has", name)
		}
	}
	if !(c.Sampling >= 0 && c.Sampling <= 1) {
		bad("sampling: %v is not within 0 to 1", c.Sampling)
	}
	if !slices.Contains([]string{"", Established, Latest, Both}, c.Conventions) {
		bad("conventions %q is not established, latest or both", c.Conventions)
	}
	for _, d := range []struct {
		name        string
		is, min, to time.Duration
	}{{"interval", c.Interval, time.Second, time.Hour}, {"timeout", c.Timeout, 100 * time.Millisecond, time.Minute}} {
		if d.is < d.min || d.is > d.to {
			bad("%s: %v is not within %v to %v", d.name, d.is, d.min, d.to)
		}
	}
	if c.Queue < 1 || c.Queue > maxQueue {
		bad("queue: %d is not within 1 to %d", c.Queue, maxQueue)
	}
	return errors.Join(errs...)
}

// maxQueue bounds the queue: a request takes about 3 KiB of it.
const maxQueue = 1 << 20

// target is where exports go, with headers that prove who sends them.
type target struct {
	url     url.URL // base, of which the signals' paths are made
	headers map[string]string
}

func (c *Config) target() (target, error) {
	p := presets[c.Preset]
	u, err := url.Parse(cmp.Or(c.Endpoint, p.endpoint))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
		return target{}, errors.New("endpoint is not http:// or https:// with a host, and perhaps a path")
	}
	if c.Protocol == protoGRPC && strings.Trim(u.Path, "/") != "" {
		return target{}, errors.New("endpoint has a path, which grpc has none of")
	}
	t := target{url: *u, headers: map[string]string{}}
	if p.headers != nil {
		p.headers(c, t.headers)
	}
	maps.Copy(t.headers, c.Headers)
	if u.Scheme == "http" && len(t.headers) > 0 && !c.PlainHeaders && !loopback(u.Hostname()) {
		return target{}, errors.New("endpoint: headers would go over http to another machine; use https, or set plain_headers: true")
	}
	return t, nil
}

// far says that exports leave this machine, and are worth compressing: spans are much
// alike, and shrink to a tenth, at more processor time than all else about them takes.
func (t *target) far() bool { return !loopback(t.url.Hostname()) }

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// signal is the URL of a signal: traces or metrics.
func (t *target) signal(name string) string {
	u := t.url
	u.Path = strings.TrimSuffix(u.Path, "/")
	if path := "/v1/" + name; !strings.HasSuffix(u.Path, path) {
		u.Path += path
	}
	return u.String()
}

// trust is the TLS configuration; nil is the usual one.
func (c *Config) trust() (*tls.Config, error) {
	if c.CAFile == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("reading ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("ca_file has no certificate in PEM form")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

func basic(key string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(key)) }

// address is the host and port of a URL; port 0 where it has none that can be read.
func address(base string) (host string, port int) {
	u, err := url.Parse(base)
	if err != nil {
		return "", 0
	}
	if port, err = net.LookupPort("tcp", cmp.Or(u.Port(), u.Scheme)); err != nil {
		port = 0
	}
	return u.Hostname(), port
}
