package login

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"purser/internal/access"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	// providerTime bounds one question to the provider.
	providerTime = 10 * time.Second
	// discoverEvery is how often a provider that did not answer is asked again.
	discoverEvery = 5 * time.Second
	// keysEvery is how often the provider's keys are fetched at most: a token that
	// names a key that nobody has would fetch them each time it is sent.
	keysEvery = 5 * time.Second
	// maxAnswer bounds an answer of the provider.
	maxAnswer = 1 << 20
)

// Provider is the provider of people's identities.
type Provider struct {
	cfg    Config
	seal   *Sealer
	client *http.Client
	now    func() time.Time

	mu    sync.Mutex
	found *discovered
	tried time.Time // when discovery failed last
	err   error     // with what
}

// discovered is what the provider says of itself.
type discovered struct {
	issuer string
	oauth  oauth2.Config
	keys   oidc.KeySet
}

// New returns a provider that has not been asked yet. secret is one that every
// node of the cluster has; sessions are sealed with a key that is derived from it.
func New(cfg Config, secret string, now func() time.Time) (*Provider, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	seal, err := NewSealer(secret)
	if err != nil {
		return nil, err
	}
	client := &http.Client{Timeout: providerTime, Transport: bounded{http.DefaultTransport}, CheckRedirect: secureRedirect}
	return &Provider{cfg: cfg, seal: seal, client: client, now: now}, nil
}

// Origin is the scheme and host of the gateway's pages.
func (p *Provider) Origin() string { return p.cfg.Origin() }

// Client implements admin.Logins.
func (p *Provider) Client() access.LoginClient {
	clients := p.cfg.clients()
	return access.LoginClient{Issuer: p.cfg.Issuer, ClientID: clients[len(clients)-1], Scopes: p.cfg.Scopes}
}

// discover asks the provider once what it is.
func (p *Provider) discover(ctx context.Context) (*discovered, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	if p.err != nil && p.now().Sub(p.tried) < discoverEvery {
		return nil, p.err
	}
	found, err := p.ask(ctx)
	if err != nil {
		p.tried, p.err = p.now(), fmt.Errorf("asking the identity provider %s: %w", p.cfg.Issuer, err)
		return nil, p.err
	}
	p.found, p.err = found, nil
	return found, nil
}

func (p *Provider) ask(ctx context.Context) (*discovered, error) {
	provider, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.cfg.Issuer)
	if err != nil {
		return nil, err
	}
	var says struct {
		Keys string `json:"jwks_uri"`
	}
	if err := provider.Claims(&says); err != nil {
		return nil, err
	}
	for _, address := range []string{says.Keys, provider.Endpoint().AuthURL, provider.Endpoint().TokenURL} {
		if err := secureURL(address); err != nil {
			return nil, fmt.Errorf("what it says of itself: %w", err)
		}
	}
	keys := &http.Client{Timeout: providerTime, CheckRedirect: secureRedirect, Transport: &seldom{next: p.client.Transport, now: p.now}}
	return &discovered{
		issuer: p.cfg.Issuer,
		keys:   oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), keys), says.Keys),
		oauth: oauth2.Config{
			ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, Endpoint: provider.Endpoint(),
			RedirectURL: p.cfg.RedirectURL, Scopes: p.cfg.Scopes,
		},
	}, nil
}

// secureRedirect follows a provider's redirects only to where its answers are its own,
// and never with a code or a secret in a body.
func secureRedirect(r *http.Request, via []*http.Request) error {
	const most = 3
	if len(via) > most || r.Method != http.MethodGet {
		return http.ErrUseLastResponse
	}
	return secureURL(r.URL.String())
}

// errUnreachable is a provider that did not answer, or not with what was asked.
var errUnreachable = errors.New("the provider did not answer")

// bounded cuts off answers that are too long.
type bounded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := b.next.RoundTrip(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(res.Body, maxAnswer), res.Body}
	return res, nil
}

// seldom fetches one address at most every keysEvery, and gives what it got last
// in between.
type seldom struct {
	next http.RoundTripper
	now  func() time.Time

	mu   sync.Mutex
	at   time.Time
	head http.Response
	body []byte
	err  error
}

// RoundTrip implements http.RoundTripper.
func (s *seldom) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() || s.now().Sub(s.at) >= keysEvery {
		s.fetchLocked(r)
		s.at = s.now()
	}
	if s.err != nil {
		return nil, s.err
	}
	res := s.head
	res.Header, res.Body = s.head.Header.Clone(), io.NopCloser(bytes.NewReader(s.body))
	return &res, nil
}

func (s *seldom) fetchLocked(r *http.Request) {
	res, err := s.next.RoundTrip(r)
	if err != nil {
		s.err = err
		return
	}
	s.body, s.err = io.ReadAll(res.Body)
	if closed := res.Body.Close(); s.err == nil {
		s.err = closed
	}
	switch {
	case s.err != nil:
		s.err = fmt.Errorf("%w: %w", errUnreachable, s.err)
	case res.StatusCode != http.StatusOK:
		s.err = fmt.Errorf("%w: its keys came with status %d", errUnreachable, res.StatusCode)
	}
	s.head = *res
}
