package node

import (
	"time"

	"purser/internal/access"
	"purser/internal/login"
)

// OIDCConfig lets people in whom an OpenID Connect provider vouches for. Without an
// issuer there are none.
type OIDCConfig struct {
	Issuer         string        `yaml:"issuer"`                    // the provider, https
	ClientID       string        `yaml:"client_id"`                 // of this gateway at the provider
	ClientSecret   string        `yaml:"client_secret"`             // better ${PURSER_OIDC_SECRET}; none for a public client
	CLIClientID    string        `yaml:"cli_client_id"`             // public client of `purser login`; default client_id
	RedirectURL    string        `yaml:"redirect_url"`              // https://<this gateway>/admin/v1/login/callback
	Audience       string        `yaml:"audience"`                  // of access tokens for this gateway; default: ID tokens alone
	Scopes         []string      `yaml:"scopes"`                    // default openid, email, profile
	GroupsClaim    string        `yaml:"groups_claim"`              // default groups; a dot leads into an object
	MemberClaim    string        `yaml:"member_claim"`              // whose value of the dimension member; default email
	AllowedDomains []string      `yaml:"allowed_domains,omitempty"` // of verified e-mail addresses; default all
	Session        time.Duration `yaml:"session"`                   // of a browser, default 8h, 5m to 24h
	Roles          []RoleConfig  `yaml:"roles,omitempty"`
}

// RoleConfig gives a role to the people of a group.
type RoleConfig struct {
	Group string   `yaml:"group"`           // "*": everyone who may log in
	Role  string   `yaml:"role"`            // owner, admin, finance, team_admin, member
	Teams []string `yaml:"teams,omitempty"` // that the role is limited to
	Orgs  []string `yaml:"orgs,omitempty"`  // the same
}

func defaultOIDC() OIDCConfig {
	d := login.Default()
	return OIDCConfig{Scopes: d.Scopes, GroupsClaim: d.GroupsClaim, MemberClaim: d.MemberClaim, Session: d.Session}
}

// login is the same for the package that lets people in.
func (c *OIDCConfig) login() login.Config {
	out := login.Config{
		Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret, CLIClientID: c.CLIClientID,
		RedirectURL: c.RedirectURL, Audience: c.Audience, Scopes: c.Scopes,
		GroupsClaim: c.GroupsClaim, MemberClaim: c.MemberClaim, Session: c.Session,
		Mapping: access.Mapping{Domains: c.AllowedDomains},
	}
	for _, r := range c.Roles {
		out.Mapping.Rules = append(out.Mapping.Rules, access.Rule{Group: r.Group, Role: access.Role(r.Role), Teams: r.Teams, Orgs: r.Orgs})
	}
	return out
}

// validate says what is wrong, unless there is no provider.
func (c *OIDCConfig) validate() error {
	if c.Issuer == "" {
		return nil
	}
	cfg := c.login()
	return cfg.Validate()
}

// openPeople makes the provider of people, or nil where none is configured. Its
// cookies are sealed with what every node of the cluster has: the admin token.
func (n *Node) openPeople() (*login.Provider, error) {
	c := &n.cfg.Admin
	if c.OIDC.Issuer == "" {
		return nil, nil
	}
	return login.New(c.OIDC.login(), c.Token, time.Now)
}
