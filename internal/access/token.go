package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"purser/ledger"
)

// TokenPrefix begins the secret of every admin token; 40 characters of base 32
// follow. Secret scanners know them by `pka_[a-z2-7]{40}`.
const TokenPrefix = "pka_"

// Limits of a token.
const (
	// MaxTokens bounds how many tokens there are, ended ones and sessions that were
	// ended included. Each is some hundred bytes.
	MaxTokens = 4096
	// MaxTokenName is the longest name, in bytes: one line of a table.
	MaxTokenName = 128
	// MaxReach is how many teams, and how many organisations, a token may name.
	MaxReach = 64
)

// Hash is the SHA-256 of a secret, in hexadecimal.
type Hash string

// HashOf hashes a secret.
func HashOf(secret string) Hash {
	sum := sha256.Sum256([]byte(secret))
	return Hash(hex.EncodeToString(sum[:]))
}

// Token is an admin token as it is stored: never its secret, which has 200 random
// bits, so that a hash without a salt says nothing about it. Times are Unix seconds.
type Token struct {
	ID      string       `json:"id"`
	Name    string       `json:"name"`
	Hash    Hash         `json:"hash"`
	Role    Role         `json:"role"`
	Teams   []string     `json:"teams,omitempty"`
	Orgs    []string     `json:"orgs,omitempty"`
	Member  string       `json:"member,omitempty"`  // of role member: whose things it reads
	Scopes  []Permission `json:"scopes,omitempty"`  // none: all that the role has
	Expires int64        `json:"expires,omitempty"` // 0: never
	Created int64        `json:"created"`
	Revoked int64        `json:"revoked,omitempty"` // 0: not revoked
	By      string       `json:"by"`                // who made it, as the audit log names them
	// Session says that this is no token but a person's session that was ended
	// before its time: Hash is that of its id, and it grants nothing.
	Session bool `json:"session,omitempty"`
}

// Status says whether a token may be used.
type Status uint8

// The statuses.
const (
	Active Status = iota + 1
	Expired
	Revoked
)

// String is the status as the API writes it.
func (s Status) String() string {
	switch s {
	case Active:
		return "active"
	case Expired:
		return "expired"
	case Revoked:
		return "revoked"
	}
	return "unknown"
}

// Status is what the token is at an instant.
func (t *Token) Status(now ledger.Instant) Status {
	switch {
	case t.Revoked != 0 || t.Session:
		return Revoked
	case t.Expires != 0 && now >= instant(t.Expires):
		return Expired
	}
	return Active
}

func instant(unixSeconds int64) ledger.Instant { return ledger.Instant(unixSeconds) * ledger.Second }

// Reach is whose things the token reaches.
func (t *Token) Reach() Reach {
	r := Reach{Teams: t.Teams, Orgs: t.Orgs}
	if t.Member != "" {
		r.Members = []string{t.Member}
	}
	r.All = len(r.Teams)+len(r.Orgs)+len(r.Members) == 0
	return r
}

// Resource is whose the token is: of those it is limited to.
func (t *Token) Resource() Resource {
	r := t.Reach()
	return Resource{Teams: r.Teams, Orgs: r.Orgs, Members: r.Members}
}

// Subject is who asks with the token.
func (t *Token) Subject() Subject {
	s := Subject{Name: "token:" + t.ID, Bounded: true, Scopes: t.Scopes}
	if t.Expires != 0 {
		s.Expires = instant(t.Expires)
	}
	if !t.Session {
		s.Grants = []Grant{{Role: t.Role, Reach: t.Reach()}}
	}
	return s
}

// maxExpires is the latest time that an instant can hold, in Unix seconds.
const maxExpires = int64(ledger.MaxInstant / ledger.Second)

// Validate says what is wrong with a token.
func (t *Token) Validate() error {
	if !validID(t.ID) {
		return errors.New("a token's id is 1 to 64 of a-z, 0-9, '.', '_', '-'")
	}
	if raw, err := hex.DecodeString(string(t.Hash)); err != nil || len(raw) != sha256.Size || strings.ToLower(string(t.Hash)) != string(t.Hash) {
		return errors.New("a token's hash is 64 digits of lower-case hexadecimal")
	}
	if t.Name == "" {
		return errors.New("a token needs a name")
	}
	if t.Expires < 0 || t.Expires > maxExpires || t.Revoked < 0 || t.Created < 0 {
		return errors.New("a time of the token is out of range")
	}
	if t.Session {
		return nil
	}
	return t.ValidateRights()
}

// ValidateRights says what is wrong with what the token may do, and with its texts.
func (t *Token) ValidateRights() error {
	for _, text := range slices.Concat([]string{t.Name, t.Member, t.By}, t.Teams, t.Orgs) {
		if err := validText(text); err != nil {
			return err
		}
	}
	for _, list := range [][]string{t.Teams, t.Orgs} {
		if len(list) > MaxReach || slices.Contains(list, "") {
			return fmt.Errorf("a token names 1 to %d teams or organisations, none of them empty", MaxReach)
		}
	}
	for i, p := range t.Scopes {
		if !p.Known() {
			return fmt.Errorf("there is no permission %q", string(p))
		}
		if !t.Role.Has(p) {
			return fmt.Errorf("role %s does not have %s", t.Role, p)
		}
		if slices.Contains(t.Scopes[:i], p) {
			return fmt.Errorf("scope %s is there twice", p)
		}
	}
	return Grant{Role: t.Role, Reach: t.Reach()}.Validate()
}

func validID(id string) bool {
	const most = 64
	return len(id) > 0 && len(id) <= most && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

// validText accepts one line of UTF-8 that cannot break a table or a log.
func validText(s string) error {
	if len(s) > 2*MaxTokenName || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("a text of the token is longer than %d bytes, is not UTF-8 or has control characters", 2*MaxTokenName)
	}
	return nil
}

// Tokens is every token, by the hash of its secret. It is not written once made.
type Tokens struct {
	list   []*Token
	byHash map[Hash]*Token
}

// NewTokens makes the table; the tokens belong to it from then on.
func NewTokens(list []*Token) *Tokens {
	t := &Tokens{list: list, byHash: make(map[Hash]*Token, len(list))}
	slices.SortFunc(t.list, func(a, b *Token) int { return strings.Compare(a.ID, b.ID) })
	for _, token := range list {
		t.byHash[token.Hash] = token
	}
	return t
}

// Find returns the token of a secret's hash. The table is searched by the hash, of
// which a guess says nothing about the secret; what is found is compared in
// constant time all the same.
func (t *Tokens) Find(h Hash) (*Token, bool) {
	if t == nil {
		return nil, false
	}
	found, ok := t.byHash[h]
	if !ok || subtle.ConstantTimeCompare([]byte(found.Hash), []byte(h)) != 1 {
		return nil, false
	}
	return found, true
}

// All lists the tokens in order of id; the slice and the tokens must not be written.
func (t *Tokens) All() []*Token {
	if t == nil {
		return nil
	}
	return t.list
}
