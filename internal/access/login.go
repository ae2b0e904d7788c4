package access

import "time"

// Session is a person who is logged in with a browser.
type Session struct {
	ID      string // a secret of the session's own
	Subject Subject
	Email   string
	Expires time.Time
}

// Begun is a login that waits for the provider.
type Begun struct {
	Page string // of the provider
	Kept string // by the browser, in a cookie
	For  time.Duration
}

// Finished is a login that the provider has confirmed.
type Finished struct {
	Cookie  string // of the session
	Expires time.Time
	To      string // where the person wanted to get to
	Subject Subject
}

// LoginClient is what a program on a person's machine has to know to log them in.
type LoginClient struct {
	Issuer   string   `json:"issuer"`
	ClientID string   `json:"client_id"`
	Scopes   []string `json:"scopes"`
}
