package login

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"purser/internal/access"
)

// Config says who vouches for people.
type Config struct {
	// Issuer is the provider, as its tokens name it: https, but on a loopback address.
	Issuer string
	// ClientID and ClientSecret are the gateway's at the provider. A client without
	// a secret is a public one: PKCE proves who finishes a login in either case.
	ClientID, ClientSecret string
	// CLIClientID is the public client of `purser login`; default ClientID.
	CLIClientID string
	// RedirectURL is the gateway's callback, https but on a loopback address.
	RedirectURL string
	// Audience is what access tokens for the gateway are issued for; "" takes ID
	// tokens alone.
	Audience string
	// Scopes are asked for. Default openid, email, profile.
	Scopes []string
	// GroupsClaim and MemberClaim are the claims with the groups of a person, and
	// with their value of the dimension member; a dot leads into an object. Defaults
	// groups and email.
	GroupsClaim, MemberClaim string
	Mapping                  access.Mapping
	// Session is how long a browser's session lasts. Default 8 h, 5 min to 24 h.
	Session time.Duration
}

// CallbackPath is the path of every RedirectURL.
const CallbackPath = "/admin/v1/login/callback"

// Bounds of a session: a working day by default, and never longer than one.
const (
	DefaultSession = 8 * time.Hour
	minSession     = 5 * time.Minute
	maxSession     = 24 * time.Hour
)

// Default is a Config without its provider.
func Default() Config {
	return Config{Scopes: []string{"openid", "email", "profile"}, GroupsClaim: "groups", MemberClaim: "email", Session: DefaultSession}
}

// Validate reports everything that is missing or out of range.
func (c *Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := secureURL(c.Issuer); err != nil {
		bad("issuer: %w", err)
	}
	if c.ClientID == "" {
		bad("client_id: is empty")
	}
	if err := secureURL(c.RedirectURL); err != nil {
		bad("redirect_url: %w", err)
	} else if u, err := url.Parse(c.RedirectURL); err != nil || u.Path != CallbackPath || u.RawQuery != "" {
		bad("redirect_url: must be this node's address with the path %s", CallbackPath)
	}
	if !slices.Contains(c.Scopes, "openid") {
		bad("scopes: openid is missing, so there would be no ID token")
	}
	if c.GroupsClaim == "" || c.MemberClaim == "" {
		bad("groups_claim, member_claim: one is empty")
	}
	if c.Session < minSession || c.Session > maxSession {
		bad("session: %v is not within %v and %v", c.Session, minSession, maxSession)
	}
	if err := c.Mapping.Validate(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// secureURL refuses an address whose answers could be somebody else's.
func secureURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err == nil && u.User != nil:
		return errors.New("a URL with a user name or password in it")
	case err != nil || u.Host == "" || u.Fragment != "":
		return fmt.Errorf("%q is no URL such as https://login.example.com", text)
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q is not https, which only a loopback address need not be", text)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Origin is the scheme and host of the callback: where the gateway's pages are.
func (c *Config) Origin() string {
	origin, _ := strings.CutSuffix(c.RedirectURL, CallbackPath)
	return origin
}

// clients are the ids that ID tokens may be issued for.
func (c *Config) clients() []string {
	if c.CLIClientID == "" || c.CLIClientID == c.ClientID {
		return []string{c.ClientID}
	}
	return []string{c.ClientID, c.CLIClientID}
}
