package login

import (
	"crypto/rand"
	"time"

	"purser/internal/access"
	"purser/ledger"
)

// What is sealed: a cookie of one use is no good for the other.
const (
	sealedSession = "session"
	sealedLogin   = "login"
)

// session is a session's cookie. It has who the person is, not what they may do:
// that is looked up each time.
type session struct {
	ID      string        `json:"id"`
	Person  access.Person `json:"person"`
	Expires int64         `json:"expires"` // Unix seconds
}

// newSession seals a session of a person who has a role here.
func (p *Provider) newSession(who access.Person) (cookie string, expires time.Time, err error) {
	expires = p.now().Add(p.cfg.Session)
	cookie, err = p.seal.Put(sealedSession, session{ID: rand.Text(), Person: who, Expires: expires.Unix()})
	return cookie, expires, err
}

// Resume implements admin.People.
func (p *Provider) Resume(cookie string) (access.Session, error) {
	var s session
	if err := p.seal.Take(sealedSession, cookie, &s); err != nil {
		return access.Session{}, forged(err.Error())
	}
	expires := time.Unix(s.Expires, 0)
	if !p.now().Before(expires) {
		return access.Session{}, &access.Refusal{Kind: access.Over, Reason: "the session has ended; log in again"}
	}
	subject, err := p.subject(s.Person)
	if err != nil {
		return access.Session{}, err
	}
	subject.Expires = ledger.Instant(expires.UnixNano())
	return access.Session{ID: s.ID, Subject: subject, Email: s.Person.Email, Expires: expires}, nil
}
