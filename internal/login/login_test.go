package login

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"purser/internal/access"
	"purser/internal/login/logintest"

	jose "github.com/go-jose/go-jose/v4"
)

const redirect = "http://127.0.0.1:7070" + CallbackPath

var (
	eve     = logintest.User{ID: "eve-17", Email: "eve@example.com", Verified: true, Groups: []string{"search", "skiing"}}
	mallory = logintest.User{ID: "mallory-3", Email: "mallory@example.com", Verified: true, Groups: []string{"skiing"}}
	bob     = logintest.User{ID: "bob-5", Email: "bob@example.com", Groups: []string{"search"}}
)

// world is a provider, and what knows people by it. Its clock runs ahead by skew.
type world struct {
	idp  *logintest.Provider
	p    *Provider
	skew atomic.Int64
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := &world{idp: logintest.Start(t, redirect, eve, mallory, bob)}
	w.p = w.provider(t, w.idp.URL, change)
	return w
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.skew.Load())) }

func (w *world) provider(t *testing.T, issuer string, change func(*Config)) *Provider {
	t.Helper()
	cfg := Default()
	cfg.Issuer, cfg.ClientID, cfg.ClientSecret, cfg.CLIClientID = issuer, logintest.Client, logintest.ClientSecret, logintest.CLIClient
	cfg.RedirectURL, cfg.Audience = redirect, "https://purser.example.com"
	cfg.Mapping = access.Mapping{
		Domains: []string{"example.com"},
		Rules:   []access.Rule{{Group: "search", Role: access.TeamAdmin, Teams: []string{"search"}}},
	}
	if change != nil {
		change(&cfg)
	}
	p, err := New(cfg, "the secret that all nodes have", w.now)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// visit goes to a page of the provider as a browser, and gives what it is sent
// back to us with.
func visit(t *testing.T, page string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	errBack := errors.New("back")
	var back url.Values
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == CallbackPath {
			back = r.URL.Query()
			return errBack
		}
		return nil
	}}
	res, err := browser.Get(page)
	if !errors.Is(err, errBack) {
		t.Fatalf("the provider did not send the browser back: %v, %+v", err, res)
	}
	return back
}

func kind(t *testing.T, err error) access.RefusalKind {
	t.Helper()
	var r *access.Refusal
	if !errors.As(err, &r) {
		t.Fatalf("%v is no refusal", err)
	}
	if r.Reason == "" {
		t.Error("a refusal without a reason")
	}
	return r.Kind
}

func TestALoginAtARealProvider(t *testing.T) {
	w := newWorld(t, nil)
	b, err := w.p.Begin(t.Context(), "/admin/v1/keys")
	if err != nil {
		t.Fatal(err)
	}
	if page, err := url.Parse(b.Page); err != nil || page.Query().Get("code_challenge_method") != "S256" || page.Query().Get("nonce") == "" {
		t.Fatalf("the page is %s", b.Page)
	}
	for _, secret := range []string{"state", "verifier", "nonce"} {
		if raw, err := base64.RawURLEncoding.DecodeString(b.Kept); err != nil || strings.Contains(string(raw), secret) {
			t.Errorf("the cookie shows its %s", secret)
		}
	}
	back := visit(t, b.Page)
	done, err := w.p.Finish(t.Context(), back, b.Kept)
	if err != nil {
		t.Fatal(err)
	}
	if done.To != "/admin/v1/keys" || done.Subject.Name != "person:eve-17" {
		t.Errorf("finished %+v", done)
	}
	s, err := w.p.Resume(done.Cookie)
	if err != nil || s.Email != eve.Email || s.ID == "" || s.Subject.Bounded {
		t.Fatalf("resumed %+v, %v", s, err)
	}
	if d := access.Can(s.Subject, access.KeysWrite, 0); !d.Allowed || !d.Reach.Covers(access.Resource{Teams: []string{"search"}}) || d.Reach.All {
		t.Errorf("she may %+v", d)
	}
	if _, err := w.p.Finish(t.Context(), back, b.Kept); kind(t, err) != access.Over {
		t.Errorf("the code a second time, with its cookie: %v", err)
	}
	other := w.provider(t, w.idp.URL, nil)
	if s, err := other.Resume(done.Cookie); err != nil || s.Subject.Name != "person:eve-17" {
		t.Errorf("another node: %+v, %v", s, err)
	}
	w.skew.Store(int64(DefaultSession))
	if _, err := w.p.Resume(done.Cookie); kind(t, err) != access.Over {
		t.Errorf("the session after its time: %v", err)
	}
}

func TestLoginsThatAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	begin := func() access.Begun {
		t.Helper()
		b, err := w.p.Begin(t.Context(), "/")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := begin()
	back := visit(t, b.Page)
	with := func(name, value string) url.Values {
		out := url.Values{}
		for k := range back {
			out.Set(k, back.Get(k))
		}
		if out.Set(name, value); value == "" {
			out.Del(name)
		}
		return out
	}
	session, _, err := w.p.newSession(access.Person{Subject: "x"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		query url.Values
		kept  string
		want  access.RefusalKind
	}{
		"another state":                   {with("state", "x"), b.Kept, access.Forged},
		"no state":                        {with("state", ""), b.Kept, access.Forged},
		"no code":                         {with("code", ""), b.Kept, access.Forged},
		"another provider says":           {with("iss", "https://evil.test"), b.Kept, access.Forged},
		"a browser that began another":    {back, begin().Kept, access.Forged},
		"a cookie of its own making":      {back, base64.RawURLEncoding.EncodeToString([]byte(`{"state":"x"}`)), access.Forged},
		"a session's cookie":              {back, session, access.Forged},
		"no cookie":                       {back, "", access.Forged},
		"a code that nobody gave":         {with("code", "guess"), b.Kept, access.Over},
		"an error of the provider's":      {with("error", "access_denied"), b.Kept, access.Over},
		"an error with something to hide": {with("error", "<script>"), b.Kept, access.Over},
	} {
		if _, err := w.p.Finish(t.Context(), c.query, c.kept); kind(t, err) != c.want || strings.Contains(err.Error(), "<") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Somebody gives their own code to a browser that began another login: the
	// state of that login goes with it, and PKCE is what refuses it.
	mine, victims := begin(), begin()
	stolen, lured := visit(t, mine.Page), visit(t, victims.Page)
	lured.Set("code", stolen.Get("code"))
	if _, err := w.p.Finish(t.Context(), lured, victims.Kept); kind(t, err) != access.Over {
		t.Errorf("a code of another login: %v", err)
	}
	late := begin()
	back = visit(t, late.Page)
	w.skew.Store(int64(loginTime))
	if _, err := w.p.Finish(t.Context(), back, late.Kept); kind(t, err) != access.Over {
		t.Errorf("a login that took too long: %v", err)
	}
	w.skew.Store(0)
	for _, who := range []logintest.User{mallory, bob} {
		w.idp.As(who.ID)
		b := begin()
		if _, err := w.p.Finish(t.Context(), visit(t, b.Page), b.Kept); kind(t, err) != access.Stranger {
			t.Errorf("%s, who has no role or no verified address: %v", who.ID, err)
		}
	}
	w.idp.Refuse()
	b = begin()
	if _, err := w.p.Finish(t.Context(), visit(t, b.Page), b.Kept); kind(t, err) != access.Over || !strings.Contains(err.Error(), "access_denied") {
		t.Errorf("a provider that refuses: %v", err)
	}
}

func TestANonceOfAnotherLoginIsRefused(t *testing.T) {
	w := newWorld(t, nil)
	b, err := w.p.Begin(t.Context(), "/")
	if err != nil {
		t.Fatal(err)
	}
	var kept begun
	if err := w.p.seal.Take(sealedLogin, b.Kept, &kept); err != nil {
		t.Fatal(err)
	}
	kept.Nonce = "another"
	forgedCookie, err := w.p.seal.Put(sealedLogin, kept)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.p.Finish(t.Context(), visit(t, b.Page), forgedCookie); kind(t, err) != access.Forged || !strings.Contains(err.Error(), "another login") {
		t.Errorf("%v", err)
	}
}

func TestBearerTokens(t *testing.T) {
	w := newWorld(t, nil)
	now := time.Now()
	claims := func(change func(map[string]any)) string {
		c := w.idp.Claims(eve, now)
		change(c)
		return w.idp.Sign(t, c)
	}
	set := func(name string, value any) func(map[string]any) {
		return func(c map[string]any) {
			if c[name] = value; value == nil {
				delete(c, name)
			}
		}
	}
	both := func(list ...func(map[string]any)) func(map[string]any) {
		return func(c map[string]any) {
			for _, f := range list {
				f(c)
			}
		}
	}
	good := claims(func(map[string]any) {})
	for name, raw := range map[string]string{
		"an ID token":                  good,
		"for one audience, without to": claims(set("azp", nil)),
		"as a text":                    claims(both(set("aud", logintest.Client), set("azp", nil))),
		"of the program's client":      claims(both(set("aud", logintest.CLIClient), set("azp", logintest.CLIClient))),
		"an access token for us":       claims(both(set("aud", "https://purser.example.com"), set("azp", nil), set("client_id", logintest.CLIClient))),
		"among other audiences":        claims(set("aud", []string{"account", logintest.Client})),
		"verified, as a text":          claims(set("email_verified", "true")),
	} {
		s, err := w.p.Verify(t.Context(), raw)
		if err != nil || s.Name != "person:eve-17" || s.Expires == 0 || s.Bounded {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	head, rest, _ := strings.Cut(good, ".")
	payload, sig, _ := strings.Cut(rest, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	owner := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(decoded(t, payload), "skiing", "owners", 1)))
	public, err := x509.MarshalPKIXPublicKey(w.idp.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		raw  string
		want access.RefusalKind
	}{
		"another issuer":                {claims(set("iss", "https://evil.test")), access.Forged},
		"no issuer":                     {claims(set("iss", nil)), access.Forged},
		"another audience":              {claims(set("aud", "others")), access.Forged},
		"no audience":                   {claims(set("aud", nil)), access.Forged},
		"our audience, another's token": {claims(both(set("aud", "https://purser.example.com"), set("azp", "others"))), access.Forged},
		"our audience, nobody's token":  {claims(both(set("aud", "https://purser.example.com"), set("azp", nil))), access.Forged},
		"issued to another":             {claims(set("azp", "others")), access.Forged},
		"many audiences, to nobody":     {claims(both(set("aud", []string{"account", logintest.Client}), set("azp", nil))), access.Forged},
		"a logout token":                {claims(set("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}})), access.Forged},
		"expired":                       {claims(set("exp", now.Add(-time.Second).Unix())), access.Over},
		"no expiry":                     {claims(set("exp", nil)), access.Over},
		"from tomorrow on":              {claims(set("nbf", now.Add(24*time.Hour).Unix())), access.Forged},
		"nobody's":                      {claims(set("sub", "")), access.Stranger},
		"of no group":                   {claims(set("groups", nil)), access.Stranger},
		"of an address not verified":    {claims(set("email_verified", false)), access.Stranger},
		"of another domain":             {claims(set("email", "eve@evil.test")), access.Stranger},
		"not signed":                    {none + "." + payload + ".", access.Forged},
		"not signed, with a signature":  {none + "." + payload + "." + sig, access.Forged},
		"another payload":               {head + "." + owner + "." + sig, access.Forged},
		"half a signature":              {head + "." + payload + "." + sig[:len(sig)/2], access.Forged},
		"no signature":                  {head + "." + payload + ".", access.Forged},
		"nothing":                       {"..", access.Forged},
		"the public key as a secret":    {logintest.SignWith(t, jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: public, KeyID: w.idp.KeyID()}}, w.idp.Claims(eve, now)), access.Forged},
		"a key of its own":              {logintest.SignWith(t, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: own, KeyID: w.idp.KeyID()}}, w.idp.Claims(eve, now)), access.Forged},
		"a key that it brings along":    {embedded(t, own, w.idp.Claims(eve, now)), access.Forged},
		"a curve":                       {logintest.SignWith(t, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: ec, KeyID: w.idp.KeyID()}}, w.idp.Claims(eve, now)), access.Forged},
	} {
		s, err := w.p.Verify(t.Context(), c.raw)
		if err == nil || len(s.Grants) > 0 {
			t.Errorf("%s: let in as %+v", name, s)
			continue
		}
		if got := kind(t, err); got != c.want {
			t.Errorf("%s: %v (kind %d)", name, err, got)
		}
		if len(sig) > 10 && strings.Contains(err.Error(), sig[:10]) {
			t.Errorf("%s: the error has the token in it", name)
		}
	}
	if _, err := w.provider(t, w.idp.URL, func(c *Config) { c.Audience = "" }).Verify(t.Context(), claims(both(set("aud", ""), set("azp", logintest.Client)))); kind(t, err) != access.Forged {
		t.Errorf("an empty audience, where none is configured: %v", err)
	}
}

func decoded(t *testing.T, part string) string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// embedded signs with a key that is in the token's own header.
func embedded(t *testing.T, key *rsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, &jose.SignerOptions{EmbedJWK: true})
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

func TestKeysChangeAndAreNotFetchedForEveryToken(t *testing.T) {
	w := newWorld(t, nil)
	sign := func() string { return w.idp.Sign(t, w.idp.Claims(eve, time.Now())) }
	old := sign()
	for range 3 {
		if _, err := w.p.Verify(t.Context(), old); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.idp.Fetched.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times for tokens of one key", n)
	}
	w.idp.Rotate(t)
	w.skew.Store(int64(keysEvery))
	if _, err := w.p.Verify(t.Context(), sign()); err != nil {
		t.Errorf("a token of the next key: %v", err)
	}
	before := w.idp.Fetched.Load()
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		junk := logintest.SignWith(t, jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: own, KeyID: rand.Text()}}, w.idp.Claims(eve, time.Now()))
		if _, err := w.p.Verify(t.Context(), junk); kind(t, err) != access.Forged {
			t.Errorf("a key that nobody has: %v", err)
		}
	}
	if n := w.idp.Fetched.Load() - before; n > 0 {
		t.Errorf("keys that nobody has fetched the keys %d times within %v", n, keysEvery)
	}
	w.skew.Store(int64(2 * keysEvery))
	if _, err := w.p.Verify(t.Context(), old); kind(t, err) != access.Forged {
		t.Errorf("a token of a key that is gone: %v", err)
	}
}

// unavailable says that it could not be decided, which is no refusal.
func unavailable(t *testing.T, what string, err error) {
	t.Helper()
	var r *access.Refusal
	if err == nil || errors.As(err, &r) {
		t.Errorf("%s: %v", what, err)
	}
}

func TestAProviderThatIsDown(t *testing.T) {
	w := newWorld(t, nil)
	good := w.idp.Sign(t, w.idp.Claims(eve, time.Now()))
	if _, err := w.p.Verify(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	b, err := w.p.Begin(t.Context(), "/")
	if err != nil {
		t.Fatal(err)
	}
	back := visit(t, b.Page)
	cookie, _, err := w.p.newSession(access.Person{Subject: eve.ID, Email: eve.Email, Verified: true, Groups: []string{"search"}})
	if err != nil {
		t.Fatal(err)
	}
	w.idp.Rotate(t)
	next := w.idp.Sign(t, w.idp.Claims(eve, time.Now()))
	w.idp.Stop()
	w.skew.Store(int64(keysEvery))
	if _, err := w.p.Verify(t.Context(), good); err != nil {
		t.Errorf("a token of a key that is known: %v", err)
	}
	if _, err := w.p.Resume(cookie); err != nil {
		t.Errorf("a session: %v", err)
	}
	_, err = w.p.Verify(t.Context(), next)
	unavailable(t, "a token of a key that is not known", err)
	_, err = w.p.Finish(t.Context(), back, b.Kept)
	unavailable(t, "a login that has to redeem its code", err)
	fresh := w.provider(t, w.idp.URL, nil)
	_, err = fresh.Verify(t.Context(), good)
	unavailable(t, "a node that has not asked the provider before", err)
	_, err = fresh.Begin(t.Context(), "/")
	unavailable(t, "a login there", err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = w.p.Verify(ctx, next)
	unavailable(t, "a caller that has gone", err)
}

func TestAProviderIsAskedAgain(t *testing.T) {
	w := newWorld(t, nil)
	good := w.idp.Sign(t, w.idp.Claims(eve, time.Now()))
	var up atomic.Bool
	p := w.provider(t, w.idp.URL, nil)
	p.client = &http.Client{Transport: bounded{roundTrip(func(r *http.Request) (*http.Response, error) {
		if !up.Load() {
			return nil, errors.New("no route")
		}
		return http.DefaultTransport.RoundTrip(r)
	})}}
	_, err := p.Verify(t.Context(), good)
	unavailable(t, "at first", err)
	up.Store(true)
	_, err = p.Verify(t.Context(), good)
	unavailable(t, "at once again", err)
	w.skew.Store(int64(discoverEvery))
	if _, err := p.Verify(t.Context(), good); err != nil {
		t.Errorf("after %v: %v", discoverEvery, err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestSecretsDoNotFollowRedirects: a code, and the client's secret, go to the token
// endpoint alone, and nothing is asked where it could be read on the way.
func TestSecretsDoNotFollowRedirects(t *testing.T) {
	p, err := New(newWorld(t, nil).provider(t, "https://login.example.com", nil).cfg, "secret", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		method, to string
		via        int
		refused    bool
	}{
		"to another page": {"GET", "https://login.example.com/x", 1, false}, "with a body": {"POST", "https://login.example.com/x", 1, true},
		"in the clear": {"GET", "http://login.example.com/x", 1, true}, "for ever": {"GET", "https://login.example.com/x", 4, true},
	} {
		r, err := http.NewRequest(c.method, c.to, nil)
		if err != nil {
			t.Fatal(err)
		}
		if p.client.CheckRedirect == nil {
			t.Fatal("every redirect is followed")
		}
		if err := p.client.CheckRedirect(r, make([]*http.Request, c.via)); (err != nil) != c.refused {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCookiesAreSealed(t *testing.T) {
	w := newWorld(t, nil)
	cookie, _, err := w.p.newSession(access.Person{Subject: eve.ID, Email: eve.Email, Verified: true, Groups: []string{"search"}})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		broken := append([]byte(nil), raw...)
		broken[i] ^= 1
		if _, err := w.p.Resume(base64.RawURLEncoding.EncodeToString(broken)); kind(t, err) != access.Forged {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	for _, text := range []string{"", "x", "====", cookie[:len(cookie)/2], cookie + cookie} {
		if _, err := w.p.Resume(text); kind(t, err) != access.Forged {
			t.Errorf("%.10q: %v", text, err)
		}
	}
	other, err := New(w.p.cfg, "another secret", w.now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Resume(cookie); kind(t, err) != access.Forged {
		t.Errorf("after the secret changed: %v", err)
	}
	fired := w.provider(t, w.idp.URL, func(c *Config) { c.Mapping.Rules[0].Group = "chat" })
	if _, err := fired.Resume(cookie); kind(t, err) != access.Stranger {
		t.Errorf("after the group lost its role: %v", err)
	}
}

func TestConfig(t *testing.T) {
	w := newWorld(t, nil)
	good := w.p.cfg
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	if good.Origin() != "http://127.0.0.1:7070" {
		t.Errorf("origin %s", good.Origin())
	}
	for want, change := range map[string]func(*Config){
		"issuer":       func(c *Config) { c.Issuer = "http://login.example.com" },
		"client_id":    func(c *Config) { c.ClientID = "" },
		"redirect_url": func(c *Config) { c.RedirectURL = "https://purser.example.com/callback" },
		"https":        func(c *Config) { c.RedirectURL = "http://purser.example.com" + CallbackPath },
		"scopes":       func(c *Config) { c.Scopes = []string{"email"} },
		"groups_claim": func(c *Config) { c.GroupsClaim = "" },
		"session":      func(c *Config) { c.Session = 25 * time.Hour },
		"no group":     func(c *Config) { c.Mapping.Rules = nil },
		"user name":    func(c *Config) { c.Issuer = "https://user:secret@login.example.com" },
	} {
		c := good
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestClaimsMayBeNested(t *testing.T) {
	claims := map[string]any{"realm_access": map[string]any{"roles": []any{"a"}}, "x.y": "whole", "x": "text"}
	if v, ok := claimAt(claims, "realm_access.roles").([]any); !ok || len(v) != 1 {
		t.Error("a path does not lead into an object")
	}
	if claimAt(claims, "x.y") != "whole" || claimAt(claims, "x.z") != nil || claimAt(claims, "none.x") != nil {
		t.Error("names with dots")
	}
}
