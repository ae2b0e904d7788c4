package upstream

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
)

func TestValidate(t *testing.T) {
	good := quick("https://api.example.com/v1")
	good.Keys = []Key{{"a", "sk-a"}, {"b", "sk-b"}}
	good.ExtraHeaders = []Header{{"x-org", "1"}}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"name is empty":         func(c *Config) { c.Name = "" },
		"cannot be parsed":      func(c *Config) { c.BaseURL = "http://[::1" },
		"must start with":       func(c *Config) { c.BaseURL = "ftp://x" },
		"has no host":           func(c *Config) { c.BaseURL = "http:///v1" },
		"user or password":      func(c *Config) { c.BaseURL = "https://me:pass-word@x/v1" },
		"query or a fragment":   func(c *Config) { c.BaseURL = "https://x/v1?key=pass-word" },
		"not a header name":     func(c *Config) { c.KeyHeader = "a b" },
		"has no id":             func(c *Config) { c.Keys[0].ID = "" },
		"is there twice":        func(c *Config) { c.Keys[1].ID = "a" },
		"no header may hold":    func(c *Config) { c.Keys[0].Secret = "pass-word\n" },
		"is empty or holds":     func(c *Config) { c.Keys[0].Secret = "" },
		"is not a token":        func(c *Config) { c.ExtraHeaders[0].Name = "x:y" },
		"written by the client": func(c *Config) { c.ExtraHeaders[0].Name = "Transfer-Encoding" },
		"control byte":          func(c *Config) { c.ExtraHeaders[0].Value = "pass-word\r\n" },
		"connect timeout":       func(c *Config) { c.Timeouts.Connect = 0 },
		"first byte timeout":    func(c *Config) { c.Timeouts.FirstByte = -1 },
		"idle timeout":          func(c *Config) { c.Timeouts.Idle = 0 },
		"total timeout":         func(c *Config) { c.Timeouts.Total = 0 },
		"max conns":             func(c *Config) { c.MaxConns = 0 },
		"max conns 65537":       func(c *Config) { c.MaxConns = maxMaxConns + 1 },
		"protocol":              func(c *Config) { c.Protocol = 7 },
		"max decoded":           func(c *Config) { c.MaxDecoded = 0 },
	} {
		c := good
		c.Keys = append([]Key(nil), good.Keys...)
		c.ExtraHeaders = append([]Header(nil), good.ExtraHeaders...)
		change(&c)
		_, err := New(c)
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		} else if strings.Contains(err.Error(), "pass-word") {
			t.Errorf("%s: leaks: %v", name, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for in, want := range map[string]base{
		"http://h":                  {false, "h", "h", "h:80", ""},
		"https://h/":                {true, "h", "h", "h:443", ""},
		"https://h:8443/v1/":        {true, "h:8443", "h", "h:8443", "/v1"},
		"http://[::1]:80/a%2Fb":     {false, "[::1]:80", "::1", "[::1]:80", "/a%2Fb"},
		"https://[2001:db8::1]/v1/": {true, "[2001:db8::1]", "2001:db8::1", "[2001:db8::1]:443", "/v1"},
	} {
		if got, err := parseBase(in); err != nil || got != want {
			t.Errorf("%s: %+v %v", in, got, err)
		}
	}
}

func TestProtocolNames(t *testing.T) {
	for _, p := range []Protocol{HTTP1, HTTP2} {
		if got, err := ParseProtocol(p.String()); got != p || err != nil {
			t.Error(p)
		}
	}
	if _, err := ParseProtocol("http3"); err == nil {
		t.Error("http3")
	}
	if PhaseBody.String() != "body" || Phase(99).String() != "phase 99" {
		t.Error("phases")
	}
}

func TestSecretsHideFromEncoders(t *testing.T) {
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", Key{"id", "sk-hidden"}, "secret", Secret("sk-hidden"))
	js, err := json.Marshal(Key{"id", "sk-hidden"})
	if err != nil || strings.Contains(string(js)+log.String(), "hidden") {
		t.Error(string(js), log.String(), err)
	}
}

func FuzzHeaderRules(f *testing.F) {
	f.Add("x-a", "b", "/v1?q=1")
	f.Add("x\r\n", "b\x00", "/ HTTP/1.1\r\n")
	f.Fuzz(func(t *testing.T, name, value, path string) {
		r := &Request{Method: "POST", Path: path, Header: []Header{{name, value}}, Body: []byte("{}")}
		if r.check(0) != nil {
			return
		}
		// Whatever passes must leave the head's shape as it is.
		head := string(r.appendHead(nil, "", "", []byte("host: h\r\n")))
		lines := strings.Split(head, "\r\n")
		want := 6
		if framing(name) {
			want--
		}
		if len(lines) != want || strings.Count(head, "\n") != want-1 || strings.ContainsRune(head, 0) || strings.Count(lines[0], " ") != 2 {
			t.Fatalf("%q", head)
		}
	})
}
