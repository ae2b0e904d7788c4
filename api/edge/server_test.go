package edge

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"purser/proxy"
)

func writePair(t testing.TB, pair tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}))
	write(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}

func TestOnePortForBothVersions(t *testing.T) {
	h := func(q *proxy.Request) *proxy.Answer {
		a := echo(q)
		a.Header = append(a.Header, proxy.HeaderField{Name: "x-tls", Value: map[bool]string{true: "yes", false: "no"}[q.TLS]},
			proxy.HeaderField{Name: "x-host", Value: string(q.Header.Peek("host"))})
		return a
	}
	for _, r := range []*running{serve(t, h, nil), serveTLS(t, h)} {
		for _, version := range []int{1, 2} {
			c := r.client(t, version)
			for range 3 {
				resp, err := c.Post(r.url("/a"), "text/plain", strings.NewReader("hello"))
				if err != nil {
					t.Fatal(version, err)
				}
				body, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				want := map[bool]string{true: "yes", false: "no"}[r.roots != nil]
				if string(body) != "hello" || resp.ProtoMajor != version || resp.Header.Get("X-Tls") != want || resp.Header.Get("X-Host") != r.addr {
					t.Errorf("%d: %q %s %v", version, body, resp.Proto, resp.Header)
				}
			}
		}
		if n := r.Connections(); n != 2 {
			t.Errorf("%d connections", n)
		}
	}
}

func TestPlainHTTPToTLSPort(t *testing.T) {
	r := serveTLS(t, echo)
	p := r.dial(t)
	p.say(post("x"))
	resp, body := p.answer()
	if resp.StatusCode != 400 {
		t.Error(resp.StatusCode)
	}
	code(t, body, "tls_required")
	p = r.dial(t)
	p.say("SSH-2.0-x\r\n")
	if out, _ := p.rest(); strings.Contains(out, "HTTP") {
		t.Errorf("%q", out)
	}
}

func TestE6ConnectionsAreCounted(t *testing.T) {
	for _, secure := range []bool{false, true} {
		roots := x509.NewCertPool()
		tlsOn := withTLS(t, roots)
		r := serve(t, echo, func(c *Config) {
			c.MaxConns = 2
			if secure {
				tlsOn(c)
			}
		})
		if secure {
			r.roots = roots
		}
		var held []net.Conn
		for range 2 {
			held = append(held, r.dial(t))
		}
		eventually(t, "both counted", func() bool { return r.Connections() == 2 })
		resp, err := r.client(t, 1).Post(r.url("/"), "text/plain", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
			t.Error(resp.StatusCode, resp.Header)
		}
		code(t, string(body), "too_many_connections")
		for _, c := range held {
			_ = c.Close()
		}
		eventually(t, "room again", func() bool { return r.Connections() == 0 })
		resp, err = r.client(t, 1).Post(r.url("/"), "text/plain", strings.NewReader("x"))
		if err != nil || resp.StatusCode != 200 {
			t.Error(resp, err)
		}
		_ = resp.Body.Close()
	}
}

func admin(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/admin/panic":
		panic("secret of the admin")
	case "/admin/late":
		_, _ = io.WriteString(w, "begun")
		w.(http.Flusher).Flush()
		panic("too late")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	w.Header().Set("X-Admin", r.URL.Path)
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write(body)
}

func TestAdminPaths(t *testing.T) {
	r := serve(t, echo, func(c *Config) {
		c.Admin, c.AdminPrefix, c.MaxBody = http.HandlerFunc(admin), []string{"/admin", "/healthz"}, 1000
	})
	for _, version := range []int{1, 2} {
		c := r.client(t, version)
		for path, isAdmin := range map[string]bool{
			"/admin": true, "/admin/v1/keys?x=1": true, "/healthz": true, "/admin/": true,
			"/adminx": false, "/": false, "/v1/admin": false, "//admin": false, "/%61dmin": false, "/healthzz": false, "/v1/../admin": false,
		} {
			req, err := http.NewRequest("POST", r.url("/"), strings.NewReader("b"))
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Opaque = "//" + r.addr + path
			if i := strings.IndexByte(path, '?'); i > 0 {
				req.URL.Opaque, req.URL.RawQuery = "//"+r.addr+path[:i], path[i+1:]
			}
			resp, err := c.Do(req)
			if err != nil {
				t.Fatal(path, err)
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if got := resp.StatusCode == http.StatusAccepted; got != isAdmin || string(body) != "b" {
				t.Errorf("h%d %s: %d %q", version, path, resp.StatusCode, body)
			}
		}
		resp, err := c.Post(r.url("/admin/panic"), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != 500 {
			t.Error(resp.StatusCode)
		}
		code(t, string(body), "internal_error")
		resp, err = c.Get(r.url("/admin/late"))
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		if err == nil {
			t.Errorf("h%d: truncation does not show", version)
		}
	}
	if strings.Contains(r.log.String(), "secret of") || r.Running() != 0 {
		t.Error(r.log)
	}
}

func TestShutdownWaitsForRunningStreams(t *testing.T) {
	for _, version := range []int{1, 2} {
		s := newScript("data: 1\n\n")
		r := serve(t, stream(s), nil)
		idleOne := r.dial(t)
		idleOne.say("GET /x HTTP/1.1\r\n") // half a request: it is refused when the rest comes
		resp, err := r.client(t, version).Post(r.url("/"), "", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 9)
		if _, err := io.ReadFull(resp.Body, buf); err != nil {
			t.Fatal(err)
		}
		fresh := r.dial(t)
		eventually(t, "all accepted", func() bool { return r.Connections() == 3 })
		done := make(chan error, 1)
		go func() { done <- r.Shutdown(context.Background()) }()
		eventually(t, "draining", func() bool { return r.draining.Load() })
		if rest, err := fresh.rest(); rest != "" || err != nil {
			t.Error("an idle connection was not just closed", rest, err)
		}
		if c, err := net.Dial("tcp", r.addr); err == nil {
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
			if n, err := c.Read(buf); err == nil {
				t.Error("accepted while draining", n)
			}
			_ = c.Close()
		}
		idleOne.say("Host: h\r\n\r\n")
		refused, body := idleOne.answer()
		if refused.StatusCode != 503 || !refused.Close || refused.Header.Get("Retry-After") == "" {
			t.Error(refused.StatusCode, refused.Header)
		}
		code(t, body, "shutting_down")
		s.next <- "data: 2\n\n"
		s.end()
		rest, err := io.ReadAll(resp.Body)
		if string(rest) != "data: 2\n\n" || err != nil {
			t.Errorf("h%d: %q %v", version, rest, err)
		}
		_ = resp.Body.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if r.Connections() != 0 || r.Running() != 0 || s.closed.Load() != 1 {
			t.Error("something is left")
		}
	}
}

func TestShutdownClosesKeptConnections(t *testing.T) {
	r := serve(t, echo, nil)
	p := r.dial(t)
	p.say(post("x"))
	p.answer()
	start := time.Now()
	if err := r.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if rest, err := p.rest(); rest != "" || err != nil {
		t.Error(rest, err)
	}
	if time.Since(start) > 2*time.Second {
		t.Error("an idle connection held it up")
	}
}

func TestShutdownBreaksOffWhenItsTimeIsUp(t *testing.T) {
	for _, version := range []int{1, 2} {
		s := newScript("data: 1\n\n")
		r := serve(t, stream(endlessly{s}), nil)
		resp, err := r.client(t, version).Post(r.url("/"), "", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		if err := r.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("h%d: %v", version, err)
		}
		cancel()
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Error("truncation does not show")
		}
		_ = resp.Body.Close()
		eventually(t, "closed", func() bool { return s.closed.Load() == 1 && r.Connections() == 0 && r.Running() == 0 })
	}
}

// endlessly gives a small piece every millisecond.
type endlessly struct{ *script }

func (e endlessly) Next() ([]byte, error) {
	<-time.After(time.Millisecond)
	return []byte("data: x\n\n"), nil
}

func TestShutdownBeforeServe(t *testing.T) {
	cfg := Default()
	cfg.Proxy, cfg.ErrorBody = echo, errorBody
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if s.Serve(ln) == nil {
		t.Error("serves after shutdown")
	}
}

func TestNoGoroutineIsLeft(t *testing.T) {
	r := serve(t, echo, nil)
	for _, version := range []int{1, 2} {
		c := r.client(t, version)
		resp, err := c.Post(r.url("/"), "", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		c.CloseIdleConnections()
	}
	r.dial(t)
	if err := r.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	eventually(t, "goroutines end", func() bool {
		buf := make([]byte, 1<<20)
		stacks := string(buf[:runtime.Stack(buf, true)])
		return !strings.Contains(stacks, "edge.(*Server)") && !strings.Contains(stacks, "fasthttp.(*Server)") && !strings.Contains(stacks, "http2serverConn")
	})
}

// pairFor makes a certificate of its own, so that a reload can be told.
func pairFor(t *testing.T, serial int64) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "edge"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestCertificatesAreReloaded(t *testing.T) {
	certFile, keyFile := certificateFiles(t, x509.NewCertPool())
	writePair(t, pairFor(t, 1), certFile, keyFile)
	certs, err := LoadCertificates(certFile, keyFile, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := serve(t, echo, func(c *Config) { c.Certificates = certs })
	serial := func() int64 {
		t.Helper()
		c, err := tls.Dial("tcp", r.addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if serial() != 1 {
		t.Fatal("first")
	}
	writePair(t, pairFor(t, 2), certFile, keyFile)
	if serial() != 1 {
		t.Error("looked at too often")
	}
	certs.looked.Store(0)
	if serial() != 2 {
		t.Error("not reloaded")
	}
	write(t, keyFile, []byte("half written"))
	certs.looked.Store(0)
	if serial() != 2 || certs.Reload() == nil {
		t.Error("a broken pair is taken")
	}
	if os.Remove(certFile) != nil || certs.Reload() == nil || serial() != 2 {
		t.Error("a missing file is taken")
	}
	if _, err := LoadCertificates(certFile, keyFile, nil); err == nil {
		t.Error("loads nothing")
	}
}

func TestConfigValidate(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"proxy handler":     func(c *Config) { c.Proxy = nil },
		"error body":        func(c *Config) { c.ErrorBody = nil },
		"go together":       func(c *Config) { c.AdminPrefix = []string{"/admin"} },
		"begin with a":      func(c *Config) { c.Admin, c.AdminPrefix = http.NotFoundHandler(), []string{"admin"} },
		"not end in one":    func(c *Config) { c.Admin, c.AdminPrefix = http.NotFoundHandler(), []string{"/admin/"} },
		"max body 0":        func(c *Config) { c.MaxBody = 0 },
		"max header 1":      func(c *Config) { c.MaxHeader = 1 },
		"max conns 0":       func(c *Config) { c.MaxConns = 0 },
		"max streams 0":     func(c *Config) { c.MaxStreams = 0 },
		"a timeout is not ": func(c *Config) { c.WriteStall = 0 },
	} {
		c := Default()
		c.Proxy, c.ErrorBody = echo, errorBody
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
