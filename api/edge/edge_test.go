package edge

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"purser/proxy"
)

// running is a server under test.
type running struct {
	*Server
	addr  string
	ended chan error
	log   *syncBuffer
	roots *x509.CertPool
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func errorBody(r *proxy.Request, status int, code, message string) (string, []byte) {
	return "application/json", fmt.Appendf(nil, `{"error":{"code":%q,"status":%d,"message":%q,"path":%q,"version":%q}}`, code, status, message, r.Path, r.Header.Peek("anthropic-version"))
}

// serve starts a server with a handler and changes to its configuration.
func serve(t testing.TB, h proxy.Handler, change func(*Config)) *running {
	t.Helper()
	cfg := Default()
	cfg.Proxy, cfg.ErrorBody = h, errorBody
	r := &running{log: &syncBuffer{}, ended: make(chan error, 1)}
	cfg.Log = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if change != nil {
		change(&cfg)
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.Server, r.addr = s, ln.Addr().String()
	go func() { r.ended <- s.Serve(ln) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = s.Shutdown(ctx)
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
	})
	return r
}

// withTLS gives the server httptest's certificate.
func withTLS(t testing.TB, r *x509.CertPool) func(*Config) {
	certFile, keyFile := certificateFiles(t, r)
	return func(c *Config) {
		certs, err := LoadCertificates(certFile, keyFile, c.Log)
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = certs
	}
}

func serveTLS(t testing.TB, h proxy.Handler) *running {
	t.Helper()
	roots := x509.NewCertPool()
	r := serve(t, h, withTLS(t, roots))
	r.roots = roots
	return r
}

// dial opens a connection that ends with the test.
func (r *running) dial(t testing.TB) *peer {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { _ = c.Close() })
	return &peer{Conn: c, t: t, br: bufio.NewReader(c)}
}

// peer is a client that speaks in bytes.
type peer struct {
	net.Conn
	t  testing.TB
	br *bufio.Reader
}

func (p *peer) say(s string) {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, s); err != nil {
		p.t.Fatal(err)
	}
}

// answer reads one answer with its whole body.
func (p *peer) answer() (*http.Response, string) {
	p.t.Helper()
	resp, err := http.ReadResponse(p.br, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp, string(body)
}

// rest reads to the end of the connection.
func (p *peer) rest() (string, error) {
	b, err := io.ReadAll(p.br)
	return string(b), err
}

// until reads up to and including a mark.
func (p *peer) until(mark string) string {
	p.t.Helper()
	var b []byte
	for !bytes.HasSuffix(b, []byte(mark)) {
		c, err := p.br.ReadByte()
		if err != nil {
			p.t.Fatalf("%v after %q", err, b)
		}
		b = append(b, c)
	}
	return string(b)
}

// client speaks one version of HTTP to the server.
func (r *running) client(t testing.TB, version int) *http.Client {
	p := new(http.Protocols)
	p.SetHTTP1(version == 1)
	p.SetHTTP2(version == 2 && r.roots != nil)
	p.SetUnencryptedHTTP2(version == 2 && r.roots == nil)
	tr := &http.Transport{Protocols: p, DisableCompression: true, TLSClientConfig: &tls.Config{RootCAs: r.roots}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

func (r *running) url(path string) string {
	if r.roots != nil {
		return "https://" + r.addr + path
	}
	return "http://" + r.addr + path
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	limit := time.After(5 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal("never happened: " + what)
		}
	}
}

// script is a stream that a test feeds; a piece "!" is an error, "panic" a panic,
// "wait" nothing for now.
type script struct {
	next   chan string
	closed atomic.Int32
	pulled atomic.Int32
	prompt bool // Ready says what is there; the others give each piece by itself
}

func newScript(pieces ...string) *script {
	s := &script{next: make(chan string, 100)}
	for _, p := range pieces {
		s.next <- p
	}
	return s
}

func (s *script) end() *script { close(s.next); return s }

func (s *script) Next() ([]byte, error) {
	s.pulled.Add(1)
	p, ok := <-s.next
	switch {
	case !ok:
		return nil, io.EOF
	case p == "!":
		return nil, fmt.Errorf("upstream broke off")
	case p == "wait":
		return nil, nil
	case p == "panic":
		panic("secret value of the panic")
	}
	return []byte(p), nil
}

func (s *script) Ready() bool { return s.prompt && len(s.next) > 0 }

func (s *script) Close() { s.closed.Add(1) }

func stream(s proxy.Stream) proxy.Handler {
	return func(*proxy.Request) *proxy.Answer {
		return &proxy.Answer{Status: 200, Header: []proxy.HeaderField{{Name: "Content-Type", Value: "text/event-stream"}}, Stream: s}
	}
}

func echo(r *proxy.Request) *proxy.Answer {
	return &proxy.Answer{Status: 200, Header: []proxy.HeaderField{{Name: "Content-Type", Value: "text/plain"}}, Body: bytes.Clone(r.Body)}
}

// certificateFiles writes httptest's certificate to disk.
func certificateFiles(t testing.TB, roots *x509.CertPool) (certFile, keyFile string) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	roots.AddCert(s.Certificate())
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writePair(t, s.TLS.Certificates[0], certFile, keyFile)
	return certFile, keyFile
}

func post(body string) string {
	return fmt.Sprintf("POST /v1/x HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func write(t testing.TB, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func code(t testing.TB, body, want string) {
	t.Helper()
	if !strings.Contains(body, `"code":"`+want+`"`) {
		t.Errorf("body %q, want code %s", body, want)
	}
}
