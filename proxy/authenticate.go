package proxy

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"

	"purser/ledger"
	"purser/proxy/dialect"
)

// authenticate finds the holder of the virtual key. Where a dialect has a place
// of its own for keys, clients may send several, of which one is ours: the one
// that is known here counts.
func (x *exchange) authenticate() *dialect.Error {
	var key *Principal
	state, sent := KeyUnknown, false
	for _, secret := range x.secrets() {
		if len(secret) == 0 || state != KeyUnknown {
			continue
		}
		sent, x.secret = true, secret
		if isChild(secret) {
			var e *dialect.Error
			if key, e = x.findChild(secret); e != nil {
				return x.slowed(e)
			}
			state = KeyActive
			continue
		}
		key, state = x.g.seams.Keys.Find(sha256.Sum256(secret), x.rec.At)
	}
	if key != nil {
		x.rec.Dims.Values[ledger.DimKey] = key.ID
	}
	switch {
	case !sent:
		return dialect.NewError(dialect.CodeInvalidKey, "", "no API key: send a Purser virtual key as `Authorization: Bearer pk_…`%s", x.orKeyHeader()+x.orBringKey())
	case state == KeyActive:
		x.key = key
		if e := x.permit(); e != nil {
			return e
		}
		return x.fixRules()
	case state == KeyRevoked:
		return dialect.NewError(dialect.CodeRevokedKey, "", "this virtual key was revoked; ask whoever runs this gateway for another")
	case state == KeyReplaced:
		return dialect.NewError(dialect.CodeRevokedKey, "", "this secret of the virtual key was replaced by a rotation, and its overlap is over; use the one that replaced it")
	case state == KeyExpired:
		return dialect.NewError(dialect.CodeExpiredKey, "", "this virtual key has expired; ask whoever runs this gateway for another")
	case state == KeySuspended:
		return dialect.NewError(dialect.CodeSuspendedKey, "", "this virtual key is suspended; ask whoever runs this gateway to resume it")
	}
	return x.unknownKey()
}

// fixRules takes the rules that this request goes by.
func (x *exchange) fixRules() *dialect.Error {
	var err error
	if x.rules, err = x.g.seams.Rules.Rules(); err != nil {
		return undecided(err)
	}
	return nil
}

// unknownKey refuses a key that nobody has.
func (x *exchange) unknownKey() *dialect.Error {
	return x.slowed(dialect.NewError(dialect.CodeInvalidKey, "", "this is not a virtual key of this gateway (a provider's own key does not work here)%s", x.orBringKey()))
}

// slowed is the refusal of a key, or, if that may be a guess, of too many such ones
// from one address. Who holds a good one is never kept waiting for others behind the
// same address: keys cannot be guessed, so that only failures have to be slowed down.
func (x *exchange) slowed(refusal *dialect.Error) *dialect.Error {
	counts := x.g.seams.Attempts
	if counts == nil || refusal.Code != dialect.CodeInvalidKey && refusal.Code != dialect.CodeChildKey {
		return refusal
	}
	if wait := counts.Failed(x.g.clientAddress(x.req), x.began); wait > 0 {
		e := dialect.NewError(dialect.CodeTooManyFailures, "", "too many requests with unknown keys from this address; check the key")
		e.RetryAfterMillis = wait.Milliseconds()
		return e
	}
	return refusal
}

func (x *exchange) orKeyHeader() string {
	if h := x.speaks().KeyHeader(); h != "" {
		return ", or as `" + h + "`"
	}
	return ""
}

// secrets are what may be the virtual key: the header that is for it alone, if it
// is there, else what the request carries for its provider.
func (x *exchange) secrets() (found [3][]byte) {
	if own := x.req.Header.Peek(headerKey); len(own) > 0 {
		return [3][]byte{own}
	}
	return x.providerKeys()
}

// providerKeys are the keys that the request carries: in the header and the
// parameter that its dialect has for them, and as a bearer token.
func (x *exchange) providerKeys() (found [3][]byte) {
	w := x.speaks()
	if h := w.KeyHeader(); h != "" {
		found[0] = x.req.Header.Peek(h)
	}
	if name := keyParameters[w]; name != "" && x.req.Query != "" {
		if query, err := url.ParseQuery(x.req.Query); err == nil {
			found[1] = []byte(query.Get(name))
		}
	}
	auth := x.req.Header.Peek("Authorization")
	const bearer = "bearer "
	if len(auth) > len(bearer) && strings.EqualFold(string(auth[:len(bearer)]), bearer) {
		found[2] = auth[len(bearer):]
	}
	if x.endpoint.own == ownStripe || x.endpoint.own == ownLangfuse {
		found[0], found[1] = basic(auth)
	}
	return found
}

// basic is the password and the user of an Authorization header: clients of Langfuse send
// their key as the one, those of Stripe as the other.
func basic(auth []byte) (password, user []byte) {
	const scheme = "basic "
	if len(auth) <= len(scheme) || !strings.EqualFold(string(auth[:len(scheme)]), scheme) {
		return nil, nil
	}
	pair, err := base64.StdEncoding.DecodeString(string(auth[len(scheme):]))
	if err != nil {
		return nil, nil
	}
	user, password, _ = bytes.Cut(pair, []byte(":"))
	return password, user
}
