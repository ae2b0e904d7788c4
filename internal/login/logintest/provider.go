// Package logintest is a real OpenID Connect provider for tests: zitadel's, over
// real HTTP, with its users and clients in memory. It logs people in without
// asking, signs what a test wants to have signed, changes its keys, and goes down.
package logintest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/text/language"
)

// The clients that the provider knows: the gateway's, and the public one of
// programs on people's machines.
const (
	Client       = "purser"
	ClientSecret = "a-secret-of-the-test"
	CLIClient    = "purser-cli"
)

// User is somebody who has an account at the provider.
type User struct {
	ID       string
	Email    string
	Verified bool
	Groups   []string
}

// Provider is a running provider.
type Provider struct {
	URL string
	// Fetched counts how often its keys were fetched.
	Fetched atomic.Int64

	server *httptest.Server
	store  *store

	mu      sync.Mutex
	who     string // is logged in
	refuses bool
}

// Start starts a provider whose gateway client comes back to redirect. The first
// user is the one who is logged in.
func Start(t testing.TB, redirect string, users ...User) *Provider {
	t.Helper()
	p := &Provider{who: users[0].ID}
	mux := http.NewServeMux()
	p.server = httptest.NewServer(mux)
	t.Cleanup(p.server.Close)
	p.URL = p.server.URL
	p.store = newStore(t, redirect, users)
	handler, err := op.NewProvider(&op.Config{
		CryptoKey: sha256.Sum256([]byte("test")), CryptoKeyId: "key1", CodeMethodS256: true, AuthMethodPost: true,
		GrantTypeRefreshToken: true, SupportedUILocales: []language.Tag{language.English},
	}, p.store, op.StaticIssuer(p.URL), op.WithAllowInsecure())
	if err != nil {
		t.Fatalf("starting the provider: %v", err)
	}
	issuer := op.NewIssuerInterceptor(handler.IssuerFromRequest)
	back := op.AuthCallbackURL(handler)
	mux.Handle("/login/username", issuer.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.login(w, r, back)
	}))
	mux.HandleFunc("/keys", func(w http.ResponseWriter, r *http.Request) {
		p.Fetched.Add(1)
		handler.ServeHTTP(w, r)
	})
	mux.Handle("/", handler)
	return p
}

// login takes whoever comes for the one who is logged in.
func (p *Provider) login(w http.ResponseWriter, r *http.Request, back func(context.Context, string) string) {
	p.mu.Lock()
	who, refuses := p.who, p.refuses
	p.mu.Unlock()
	id := r.FormValue("authRequestID")
	if refuses {
		req, err := p.store.AuthRequestByID(r.Context(), id)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		http.Redirect(w, r, req.GetRedirectURI()+"?error=access_denied&state="+req.GetState(), http.StatusFound)
		return
	}
	if err := p.store.CheckUsernamePassword(who, who, id); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	http.Redirect(w, r, back(r.Context(), id), http.StatusFound)
}

// As makes another user the one who is logged in.
func (p *Provider) As(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.who = id
}

// Refuse makes the provider refuse logins.
func (p *Provider) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = true
}

// Stop takes the provider down, with the connections it has.
func (p *Provider) Stop() { p.server.Close() }

// Rotate makes the provider sign with a new key; the keys before it are gone.
func (p *Provider) Rotate(t testing.TB) { p.store.rotate(t) }

// Sign signs claims with the provider's present key.
func (p *Provider) Sign(t testing.TB, claims map[string]any) string {
	t.Helper()
	k := p.store.current()
	return SignWith(t, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}}, claims)
}

// SignWith signs claims with any key.
func SignWith(t testing.TB, key jose.SigningKey, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// KeyID is the id of the key that the provider signs with.
func (p *Provider) KeyID() string { return p.store.current().id }

// PublicKey is what verifies it.
func (p *Provider) PublicKey() *rsa.PublicKey { return &p.store.current().private.PublicKey }

// store is zitadel's storage in memory, with keys that change and claims of groups.
type store struct {
	*storage.Storage
	users map[string]User

	mu  sync.Mutex
	key signingKey
	n   int
}

func newStore(t testing.TB, redirect string, users []User) *store {
	s := &store{users: map[string]User{}}
	for _, u := range users {
		s.users[u.ID] = u
	}
	s.Storage = storage.NewStorageWithClients(s, map[string]*storage.Client{
		Client:    storage.WebClient(Client, ClientSecret, redirect),
		CLIClient: storage.NativeClient(CLIClient, "http://127.0.0.1/callback"),
	})
	s.rotate(t)
	return s
}

// GetUserByID implements storage.UserStore.
func (s *store) GetUserByID(id string) *storage.User {
	u, ok := s.users[id]
	if !ok {
		return nil
	}
	return &storage.User{ID: u.ID, Username: u.ID, Password: u.ID, Email: u.Email, EmailVerified: u.Verified}
}

// GetUserByUsername implements storage.UserStore.
func (s *store) GetUserByUsername(name string) *storage.User { return s.GetUserByID(name) }

// ExampleClientID implements storage.UserStore.
func (s *store) ExampleClientID() string { return storage.ServiceUserID }

// client has the claims of its scopes in its ID tokens.
type client struct{ op.Client }

// IDTokenUserinfoClaimsAssertion implements op.Client.
func (client) IDTokenUserinfoClaimsAssertion() bool { return true }

// GetClientByClientID implements op.Storage.
func (s *store) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	c, err := s.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return client{c}, nil
}

// SetUserinfoFromRequest implements op.CanSetUserinfoFromRequest.
func (s *store) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error {
	if err := s.Storage.SetUserinfoFromRequest(ctx, info, r, scopes); err != nil {
		return err
	}
	info.AppendClaims("groups", s.users[r.GetSubject()].Groups)
	return nil
}

// keyBits is the least that RS256 takes.
const keyBits = 2048

// signingKey is one key of the provider.
type signingKey struct {
	id      string
	private *rsa.PrivateKey
}

func (s *store) rotate(t testing.TB) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	s.key = signingKey{"key-" + strconv.Itoa(s.n), private}
}

func (s *store) current() signingKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.key
}

// SigningKey implements op.Storage.
func (s *store) SigningKey(context.Context) (op.SigningKey, error) { return s.current(), nil }

// KeySet implements op.Storage.
func (s *store) KeySet(context.Context) ([]op.Key, error) { return []op.Key{public{s.current()}}, nil }

// ID implements op.SigningKey.
func (k signingKey) ID() string { return k.id }

// SignatureAlgorithm implements op.SigningKey.
func (signingKey) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }

// Key implements op.SigningKey.
func (k signingKey) Key() any { return k.private }

// public is what others see of a key.
type public struct{ signingKey }

// Algorithm implements op.Key.
func (public) Algorithm() jose.SignatureAlgorithm { return jose.RS256 }

// Use implements op.Key.
func (public) Use() string { return "sig" }

// Key implements op.Key.
func (k public) Key() any { return &k.private.PublicKey }

// Claims are those of a good ID token for the gateway, to be changed by a test.
func (p *Provider) Claims(u User, now time.Time) map[string]any {
	return map[string]any{
		"iss": p.URL, "sub": u.ID, "aud": []string{Client}, "azp": Client, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"email": u.Email, "email_verified": u.Verified, "groups": u.Groups,
	}
}
