package transit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"purser/internal/vault"
)

// double answers as the transit engine does: encrypt and decrypt with associated
// data, versions of the key in the ciphertext, 400 for what does not decrypt, 403
// for a wrong token, 503 while it is sealed.
type double struct {
	t       *testing.T
	keys    []*vault.LocalKey // by version, from 1
	sealed  atomic.Bool
	version atomic.Int64
	token   string
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(status int, text string) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"errors":[%q]}`, text)
	}
	var in struct {
		Plaintext, Ciphertext string
		Associated            string `json:"associated_data"`
	}
	operation, ok := strings.CutPrefix(r.URL.Path, "/v1/kms/eu/")
	operation, named := strings.CutSuffix(operation, "/purser")
	switch {
	case d.sealed.Load():
		fail(503, "Vault is sealed")
		return
	case r.Header.Get("X-Vault-Token") != d.token || r.Header.Get("X-Vault-Namespace") != "ns":
		fail(403, "permission denied")
		return
	case !ok || !named || r.Method != http.MethodPost || json.NewDecoder(r.Body).Decode(&in) != nil:
		fail(404, "no handler for route")
		return
	}
	bound, err := base64.StdEncoding.DecodeString(in.Associated)
	if err != nil {
		d.t.Errorf("associated_data is %q", in.Associated)
	}
	switch operation {
	case "encrypt":
		plain, err := base64.StdEncoding.DecodeString(in.Plaintext)
		if err != nil {
			d.t.Errorf("plaintext is %q", in.Plaintext)
		}
		version := d.version.Load()
		sealed, err := d.keys[version-1].Wrap(r.Context(), plain, bound)
		if err != nil {
			d.t.Error(err)
		}
		fmt.Fprintf(w, `{"data":{"ciphertext":"vault:v%d:%s","key_version":%d}}`, version, base64.StdEncoding.EncodeToString(sealed), version)
	case "decrypt":
		var version int
		parts := strings.SplitN(in.Ciphertext, ":", 3)
		if len(parts) != 3 {
			fail(400, "invalid ciphertext: no prefix")
			return
		}
		fmt.Sscanf(parts[1], "v%d", &version)
		sealed, err := base64.StdEncoding.DecodeString(parts[2])
		if err != nil || version < 1 || version > len(d.keys) {
			fail(400, "invalid ciphertext: could not decode base64")
			return
		}
		plain, err := d.keys[version-1].Unwrap(r.Context(), sealed, bound)
		if err != nil {
			fail(400, "cipher: message authentication failed: "+in.Ciphertext)
			return
		}
		fmt.Fprintf(w, `{"data":{"plaintext":%q}}`, base64.StdEncoding.EncodeToString(plain))
	default:
		fail(404, "unsupported operation")
	}
}

func newDouble(t *testing.T) (*double, *Key) {
	t.Helper()
	d := &double{t: t, token: "hvs.of-the-test"}
	for i := range 2 {
		k, err := vault.NewLocalKey(bytes.Repeat([]byte{byte(i + 1)}, 32))
		if err != nil {
			t.Fatal(err)
		}
		d.keys = append(d.keys, k)
	}
	d.version.Store(1)
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	k, err := New(Config{Address: server.URL, Mount: "/kms/eu/", Key: "purser", Namespace: "ns", Timeout: 10 * time.Second, Token: func() (string, error) { return "hvs.of-the-test", nil }})
	if err != nil {
		t.Fatal(err)
	}
	return d, k
}

// TestACredentialBehindTheService: sealed, opened, and wrapped anew when the
// service has rotated the key under its name.
func TestACredentialBehindTheService(t *testing.T) {
	ctx := context.Background()
	d, k := newDouble(t)
	m, err := vault.OpenMasters(func() ([]vault.Wrapper, error) { return []vault.Wrapper{k}, nil })
	if err != nil {
		t.Fatal(err)
	}
	v, b := vault.New(m), vault.Binding{ID: "a", Provider: "openai"}
	s, _, err := v.Seal(ctx, b, []byte("sk-1"), vault.Sealed{})
	if err != nil || s.Master != "transit:kms/eu/purser" {
		t.Fatalf("%q, %v", s.Master, err)
	}
	opens := func(s vault.Sealed) error {
		secret, err := v.Open(ctx, b, s)
		if err == nil && string(secret) != "sk-1" {
			err = fmt.Errorf("it opens to %q", secret)
		}
		return err
	}
	if err := opens(s); err != nil {
		t.Error(err)
	}
	if _, err := v.Open(ctx, vault.Binding{ID: "b", Provider: "openai"}, s); !errors.Is(err, vault.ErrDamaged) {
		t.Errorf("bound to another credential: %v", err)
	}
	d.version.Store(2)
	if err := opens(s); err != nil {
		t.Errorf("wrapped by the version before: %v", err)
	}
	again, changed, err := v.Rewrap(ctx, b, s, vault.Again)
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	d.keys[0] = d.keys[1] // the first version is gone
	if err := opens(s); !errors.Is(err, vault.ErrDamaged) {
		t.Errorf("what the first version wrapped: %v", err)
	}
	if err := opens(again); err != nil {
		t.Errorf("what was wrapped anew: %v", err)
	}
}

// TestTroubleIsToldWithoutSecrets: of each fault something that helps, and neither
// the token nor what was sent.
func TestTroubleIsToldWithoutSecrets(t *testing.T) {
	ctx := context.Background()
	d, k := newDouble(t)
	wrapped, err := k.Wrap(ctx, bytes.Repeat([]byte{7}, 32), []byte("bound"))
	if err != nil {
		t.Fatal(err)
	}
	server := func(h http.HandlerFunc) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	with := func(change func(*Config)) *Key {
		cfg := k.cfg
		change(&cfg)
		out, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	elsewhere := server(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed, with the token") })
	for name, x := range map[string]struct {
		key     *Key
		wrapped []byte
		says    string
	}{
		"a wrong token": {with(func(c *Config) { c.Token = func() (string, error) { return "hvs.wrong", nil } }), wrapped, "answered 403"},
		"no token":      {with(func(c *Config) { c.Token = func() (string, error) { return "", errors.New("no such file") } }), wrapped, "the token: no such file"},
		"not its form":  {k, []byte("x"), "refused as invalid"},
		"changed":       {k, append(bytes.Clone(wrapped), 'A'), "refused as invalid"},
		"nobody there":  {with(func(c *Config) { c.Address = "http://127.0.0.1:1" }), wrapped, "refused"},
		"another key":   {with(func(c *Config) { c.Key = "other" }), wrapped, "answered 404"},
		"no JSON": {with(func(c *Config) {
			c.Address = server(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") })
		}), wrapped, "no JSON"},
		"nothing in it": {with(func(c *Config) {
			c.Address = server(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") })
		}), wrapped, "without a plaintext"},
		"a redirect": {with(func(c *Config) {
			c.Address = server(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere, http.StatusTemporaryRedirect)
			})
		}), wrapped, "answered 307"},
		"silence": {with(func(c *Config) {
			c.Timeout = 20 * time.Millisecond
			c.Address = server(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // without it nobody sees that the client has gone
				<-r.Context().Done()
			})
		}), wrapped, "deadline"},
	} {
		_, err := x.key.Unwrap(ctx, x.wrapped, []byte("bound"))
		if err == nil || !strings.Contains(err.Error(), x.says) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (strings.Contains(err.Error(), "hvs.") || strings.Contains(err.Error(), string(wrapped[10:]))) {
			t.Errorf("%s: the error quotes a secret: %v", name, err)
		}
	}
	d.sealed.Store(true)
	if _, err := k.Wrap(ctx, make([]byte, 32), nil); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("a sealed service: %v", err)
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	good := Config{Address: "https://vault:8200", Mount: "transit", Key: "purser", Timeout: time.Second, Token: func() (string, error) { return "", nil }}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Config){
		"no scheme": func(c *Config) { c.Address = "vault:8200" }, "a user": func(c *Config) { c.Address = "https://u:p@vault" },
		"not secret": func(c *Config) { c.Address = "http://vault:8200" },
		"a query":    func(c *Config) { c.Address = "https://vault?x=1" }, "no mount": func(c *Config) { c.Mount = "" },
		"a path for a key": func(c *Config) { c.Key = "../sys/seal" }, "no limit": func(c *Config) { c.Timeout = 0 }, "no token": func(c *Config) { c.Token = nil },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); err == nil || strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
