package proxy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"purser/proxy/dialect"
	"purser/proxy/upstream"
)

// attemptKey is the credential of one call upstream, past its breaker.
type attemptKey struct {
	id     string          // as breakers know it
	secret upstream.Secret // "": the client proves itself
	pass   upstream.Pass
}

// callerCredential is the id that the keys of all callers have in breakers: which
// of them fails says nothing of the upstream, and there may be any number.
const callerCredential = "(caller's key)"

// chooseKey takes the credential of a call: the client's own, the caller's, or of a
// pool the first that neither rests nor is kept shut by its breaker. Those that this
// request has been refused with come after the others; of those that rest, the one
// that has rested longest may still be asked, rather than none.
func (x *exchange) chooseKey(model string) (attemptKey, *dialect.Error) {
	up, now := x.route_.up, time.Now()
	if up.Pool == nil {
		key := attemptKey{id: up.Credential}
		if up.CallerKeys {
			key.id, key.secret = callerCredential, x.brought()
		}
		var wait time.Duration
		var ok bool
		if key.pass, wait, ok = x.g.breakers.Allow(now, upstream.BreakerKey{Upstream: up.Name, Credential: key.id, Model: model}); !ok {
			return key, x.breakerOpen(wait)
		}
		return key, nil
	}
	ids := up.Pool.Order(&x.rec.Dims, x.rec.At, x.lot())
	if x.homeKey != "" {
		ids = slices.DeleteFunc(ids, func(id string) bool { return id != x.homeKey })
	}
	x.prefer(ids, model, now)
	var shut time.Duration
	var fault error
	for _, id := range ids {
		secret, err := up.Pool.Open(x.g.base, id)
		if err != nil {
			fault = cmp.Or(fault, err)
			continue
		}
		pass, wait, ok := x.g.breakers.Allow(now, upstream.BreakerKey{Upstream: up.Name, Credential: id, Model: model})
		if ok {
			return attemptKey{id, secret, pass}, nil
		}
		if shut == 0 || wait < shut {
			shut = wait
		}
	}
	if shut > 0 {
		return attemptKey{}, x.breakerOpen(shut)
	}
	return attemptKey{}, x.noKey(fault)
}

// prefer puts those first that are not known to be of no use at present: those that
// rest go to the end, the longest last, and before them those that were tried.
func (x *exchange) prefer(ids []string, model string, now time.Time) {
	last := make(map[string]time.Duration) // how far back, of those that are not in front
	for _, id := range ids {
		if rest := x.resting(id, model, now); rest > 0 {
			last[id] = rest
		} else if slices.Contains(x.tried, id) {
			last[id] = 1
		}
	}
	if len(last) > 0 {
		slices.SortStableFunc(ids, func(a, b string) int { return cmp.Compare(last[a], last[b]) })
	}
}

func (x *exchange) resting(id, model string, now time.Time) time.Duration {
	return x.g.cooldowns.Resting(now, upstream.BreakerKey{Upstream: x.route_.up.Name, Credential: id, Model: model})
}

// noKey is the answer when an upstream's pool has nothing for the request.
func (x *exchange) noKey(fault error) *dialect.Error {
	name := x.route_.up.Name
	switch {
	case fault != nil:
		x.g.log.Error("no credential of an upstream can be opened; nothing was sent", "request", x.rec.ID, "upstream", name, "error", fault)
		return dialect.NewError(dialect.CodeCredential, "", "this gateway cannot open its credentials for the upstream %s at present, and sent nothing; its operator has to mend that", name)
	case x.homeKey != "":
		return dialect.NewError(dialect.CodeCredential, "", "the credential that the answer was given to, which this request refers to, may not be used any more for the upstream %s; send the conversation itself", name)
	}
	x.g.log.Error("an upstream has no credential that this request may use; nothing was sent", "request", x.rec.ID, "upstream", name)
	return dialect.NewError(dialect.CodeCredential, "", "this gateway has no credential for the upstream %s that this request may use, and sent nothing; its operator has to put one", name)
}

// How long a credential of a pool is passed over. A refused one is asked again after
// a while, since it may have been mended at the provider.
const (
	restRefused = 30 * time.Second // for every model
	restLimited = 2 * time.Second  // for the model, where the provider does not say how long
	restLongest = time.Minute
)

// googleKeyInvalid is how Google says that a key is not valid, with status 400: as
// the reason of a detail. Elsewhere in an error it may be what the caller has sent.
const googleKeyInvalid = "API_KEY_INVALID"

// refusesKey says whether an answer is about the key, and not about what was asked:
// a 403 may be either.
func refusesKey(status int, body []byte) bool {
	if status != 400 || !bytes.Contains(body, []byte(googleKeyInvalid)) {
		return status == 401
	}
	var said struct {
		Error struct {
			Details []struct {
				Reason string `json:"reason"`
			} `json:"details"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &said) != nil {
		return false
	}
	for _, d := range said.Error.Details {
		if d.Reason == googleKeyInvalid {
			return true
		}
	}
	return false
}

// passOver notes what an upstream's error says of a credential of its pool, and
// whether another should be tried in its place, at once.
func (x *exchange) passOver(status int, body []byte, after time.Duration) bool {
	up, now := x.route_.up, time.Now()
	if up.Pool == nil {
		if status == 429 && x.routing.route != nil { // others go to the next candidate at once
			x.g.cooldowns.Rest(now, upstream.BreakerKey{Upstream: up.Name, Credential: x.attempt.key.id, Model: x.route_.model}, min(max(after, restLimited), restLongest))
		}
		return false
	}
	key := upstream.BreakerKey{Upstream: up.Name, Credential: x.attempt.key.id, Model: x.route_.model}
	switch {
	case refusesKey(status, body):
		key.Model = ""
		x.g.cooldowns.Rest(now, key, restRefused)
		x.g.log.Error("the upstream refuses a credential, which is passed over for a while", "upstream", up.Name, "credential", key.Credential, "status", status, "request", x.rec.ID)
	case status == 429:
		x.g.cooldowns.Rest(now, key, min(max(after, restLimited), restLongest))
	default:
		return false
	}
	return x.tries() < x.g.policy.Attempts && x.rec.Attempts < maxCalls && x.homeKey == "" && slices.ContainsFunc(up.Pool.Order(&x.rec.Dims, x.rec.At, 0), func(id string) bool {
		return !slices.Contains(x.tried, id) && x.resting(id, x.route_.model, now) == 0
	})
}

// brought is the provider's key that the caller sent beside its virtual key; "" if
// it sent none, or its virtual key in that place.
func (x *exchange) brought() upstream.Secret {
	if len(x.req.Header.Peek(headerKey)) == 0 {
		return ""
	}
	for _, key := range x.providerKeys() {
		if len(key) > 0 {
			return upstream.Secret(key)
		}
	}
	return ""
}

// keyOwners tells by how a key begins whose it is. The first that fits counts.
var keyOwners = []struct{ prefix, provider string }{
	{"pk_", "this gateway"}, {"pka_", "this gateway"}, {"sk-ant-", "anthropic"}, {"sk-or-", "openrouter"}, {"sk-proj-", "openai"}, {"gsk_", "groq"}, {"xai-", "x-ai"}, {"AIza", "google"},
}

// bringsKey refuses a request that lacks the key which its upstream is to be asked
// with, or has one that is another provider's: a caller that has mistaken the model
// must not give its key away.
func (x *exchange) bringsKey() *dialect.Error {
	up := x.route_.up
	if !up.CallerKeys {
		return nil
	}
	key := string(x.brought())
	if key == "" {
		return dialect.NewError(dialect.CodeInvalidKey, "", "the upstream %s is asked with the caller's own key: send the virtual key as `%s: pk_…`, and the key of %s as `Authorization: Bearer …`%s", up.Name, headerKey, up.Provider, x.orKeyHeader())
	}
	if key == string(x.secret) {
		return dialect.NewError(dialect.CodeInvalidKey, "", "the upstream %s is asked with a key of %s, and the one that was sent is the virtual key; nothing was sent", up.Name, up.Provider)
	}
	for _, o := range keyOwners {
		if !strings.HasPrefix(key, o.prefix) {
			continue
		}
		if o.provider != up.Provider {
			return dialect.NewError(dialect.CodeInvalidKey, "", "the upstream %s is asked with a key of %s, and the one that was sent looks like one of %s; nothing was sent", up.Name, up.Provider, o.provider)
		}
		break
	}
	return nil
}

// orBringKey says how callers bring a key, where there is an upstream for that.
func (x *exchange) orBringKey() string {
	if !slices.ContainsFunc(x.g.upstreams, func(u *Upstream) bool { return u.CallerKeys }) {
		return ""
	}
	return "; to bring a provider's key, send the virtual key as `" + headerKey + ": pk_…` and the provider's where its own API has it"
}
