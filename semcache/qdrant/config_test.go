package qdrant

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"purser/semcache/qdrant/double"
)

func TestValidate(t *testing.T) {
	ok := Default()
	ok.Address = "qdrant.internal:6334"
	if err := ok.Validate(); err != nil {
		t.Fatal(err)
	}
	for key, change := range map[string]func(*Config){
		"address:":    func(c *Config) { c.Address = "" },
		"address: ":   func(c *Config) { c.Address = "host:port" },
		"address:  ":  func(c *Config) { c.Address = "http://host:6334" },
		"address:   ": func(c *Config) { c.Address = ":6334" },
		"api_key:":    func(c *Config) { c.APIKey = "k" },
		"ca_file:":    func(c *Config) { c.CAFile = "ca.pem" },
		"timeout:":    func(c *Config) { c.Timeout = time.Millisecond },
		"timeout: ":   func(c *Config) { c.Timeout = time.Minute },
		"prefix:":     func(c *Config) { c.Prefix = "a/b" },
		"replicas:":   func(c *Config) { c.Replicas = 0 },
	} {
		c := ok
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), strings.TrimRight(key, " ")) {
			t.Errorf("%s %v", key, err)
		}
	}
	for _, change := range []func(*Config){
		func(c *Config) { c.APIKey, c.TLS = "k", true },
		func(c *Config) { c.APIKey, c.PlainAPIKey = "k", true },
		func(c *Config) { c.Address = "qdrant.internal" },
		func(c *Config) { c.Address = "[::1]:6334" },
	} {
		c := ok
		change(&c)
		if err := c.Validate(); err != nil {
			t.Error(err)
		}
	}
	for address, want := range map[string]string{"qdrant.internal": "qdrant.internal", "[::1]:6334": "[::1]", "10.0.0.1:6334": "10.0.0.1"} {
		c := ok
		c.Address = address
		if host, port, err := c.hostPort(); host != want || port != defaultPort || err != nil {
			t.Errorf("%s is %s, %d, %v", address, host, port, err)
		}
	}
}

func TestOpenRefusesWhatIsMissing(t *testing.T) {
	w := bare(t, "127.0.0.1:1")
	for name, change := range map[string]func(*Options){
		"embedder": func(o *Options) { o.Embedder = "" },
		"dim":      func(o *Options) { o.Dim = 0 },
		"leads":    func(o *Options) { o.Leads = nil },
		"now":      func(o *Options) { o.Now = nil },
		"log":      func(o *Options) { o.Log = nil },
		"config":   func(o *Options) { o.Config.Address = "" },
		"ca":       func(o *Options) { o.Config.TLS, o.Config.CAFile = true, "/does/not/exist" },
		"pem":      func(o *Options) { o.Config.TLS, o.Config.CAFile = true, "config_test.go" },
	} {
		o := w.options()
		change(&o)
		if tier, err := Open(o); err == nil {
			t.Errorf("%s: it was opened", name)
			_ = tier.Close(t.Context())
		}
	}
}

func TestTLS(t *testing.T) {
	server, ca := certificate(t)
	w := newWorld(t, double.Options{APIKey: "key", TLS: server})
	secure := w.node(func(o *Options) { o.Config.APIKey, o.Config.TLS, o.Config.CAFile = "key", true, ca })
	w.until("ready", secure.ready)
	w.store(secure, point("acme", "s", "one", 0))
	w.finds(secure, query("acme", "s", 0), "one")
	distrustful := w.node(func(o *Options) { o.Config.APIKey, o.Config.TLS = "key", true })
	plain := w.node(nil)
	for _, tier := range []*Tier{distrustful, plain} {
		w.until("it cannot be reached", func() bool { return tier.Status().Reason == ReasonUnreachable })
		if s := tier.Status(); s.State != Connecting || !strings.Contains(s.Detail, "semcache.qdrant.tls") {
			t.Errorf("status %+v", s)
		}
	}
}

// certificate makes one for the loopback address, and the file of its authority.
func certificate(t *testing.T) (server *tls.Config, ca string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "qdrant"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, ca
}
