package login

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"purser/internal/access"
	"purser/ledger"
)

// What is sealed: a cookie of one use is no good for the other.
const (
	sealedSession = "session"
	sealedLogin   = "login"
)

// sealer derives the key that cookies are sealed with from a secret that every
// node has. Whoever changes that secret ends every session.
func sealer(secret string) (cipher.AEAD, error) {
	const bytes = 32
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "purser: cookies of people, version 1", bytes)
	if err != nil {
		return nil, fmt.Errorf("deriving the key of cookies: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("the cipher of cookies: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// put seals v for a use.
func (p *Provider) put(use string, v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding a cookie: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(p.seal.Seal(nil, nil, text, []byte(use))), nil
}

// take opens what put sealed.
func (p *Provider) take(use, cookie string, into any) error {
	raw, err := base64.RawURLEncoding.DecodeString(cookie)
	if err == nil {
		raw, err = p.seal.Open(nil, nil, raw, []byte(use))
	}
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		return errors.New("the cookie was not made here")
	}
	return nil
}

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
	cookie, err = p.put(sealedSession, session{ID: rand.Text(), Person: who, Expires: expires.Unix()})
	return cookie, expires, err
}

// Resume implements admin.People.
func (p *Provider) Resume(cookie string) (access.Session, error) {
	var s session
	if err := p.take(sealedSession, cookie, &s); err != nil {
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
