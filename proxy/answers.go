package proxy

import (
	"bytes"
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	"purser/ledger"
	"purser/proxy/dialect"
	"purser/proxy/price"
	"purser/proxy/upstream"
)

// deny answers with an error and notes it in the record.
func (x *exchange) deny(e *dialect.Error) *Answer {
	x.rec.Outcome, x.rec.Code = outcomeOf(e.Code), string(e.Code)
	x.tellDenial(e, x.g.clientAddress(x.req))
	if e.Code == dialect.CodeQuota {
		e.Status = x.g.cfg.denyStatus(x.endpoint.path)
	}
	a := x.answer(e)
	x.rec.Status = a.Status
	return a
}

func (x *exchange) answer(e *dialect.Error) *Answer {
	e.RequestID = x.rec.ID
	status, headers, body := x.wire().ErrorAnswer(e, x.client)
	a := &Answer{Status: status, Body: body}
	h := make([]HeaderField, 0, len(headers)+maxOwn)
	for _, f := range headers {
		h = append(h, HeaderField{f.Name, f.Value})
	}
	a.Header = x.own(h, a)
	return a
}

// maxOwn is how many headers own appends at the most.
const maxOwn = 15

// passHeaders are the upstream's headers that go on to the client, and whether
// the cache was asked.
func (x *exchange) passHeaders(res *upstream.Response) []HeaderField {
	h := make([]HeaderField, 0, 16+maxOwn)
	switch {
	case x.translated():
		h = x.translatedHeaders(h)
	case x.hidesCache() && res.Status == 200 && x.call.Stream == isStream(res.Header("Content-Type")): // a hit has none of the upstream's
		h = append(h, HeaderField{"Content-Type", x.contentType()})
	default:
		res.Each(func(name, value []byte) {
			if n := string(name); returns(n) {
				h = append(h, HeaderField{n, string(value)})
			}
		})
	}
	return x.tellCache(h, nil, x.rec.Cache)
}

// contentType is that of an answer with which nothing is wrong.
func (x *exchange) contentType() string {
	if x.call.Stream {
		return cmp.Or(x.asked().StreamType, "text/event-stream")
	}
	return "application/json"
}

// hopByHop are the headers of one connection (RFC 9110 section 7.6.1), and those
// that each side writes itself.
var hopByHop = []string{
	"connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
	"transfer-encoding", "upgrade", "content-length", "content-encoding", "date",
}

// private are request headers that the provider must not see: credentials of
// this gateway, the client's network, and what the gateway sets itself.
var private = []string{
	"authorization", "host", "expect", "cookie", "accept-encoding", "content-type", "baggage", "forwarded",
	"x-real-ip", "x-client-request-id", "openai-organization", "openai-project", "api-key", "x-api-key",
	"x-goog-api-key", "x-goog-user-project",
	"x-goog-fieldmask", // would take the usage out of the answer
	// A provider that heeds it would take two tenants' keys for one, and a retry of ours for a repetition.
	"idempotency-key", "x-openrouter-idempotency-key",
}

// privatePrefixes begin further such headers. Those of Amazon's and of Vertex AI
// choose tiers at another price, or are part of a signature.
var privatePrefixes = []string{headerPrefix, "x-forwarded-", "x-amz", "x-vertex-ai-"}

// withheld are answer headers that stay here: cookies, the operator's organisation,
// what speaks of the upstream's own host, and what this gateway says itself.
var withheld = []string{
	"set-cookie", "openai-organization", "openai-project", "alt-svc", "strict-transport-security", headerLiteCost, headerLiteCall, headerLiteModel,
}

// limitPrefixes begin the headers in which a provider tells what it allows the
// operator's account, which all callers share: a client would take it for its own.
var limitPrefixes = []string{"x-ratelimit-", "anthropic-ratelimit-"}

// forwards says whether a client's header goes to the upstream.
func forwards(name string) bool {
	var buf [nameBytes]byte
	n := appendLower(buf[:0], name)
	return !contains(hopByHop, n) && !contains(private, n) && !slices.ContainsFunc(privatePrefixes, func(p string) bool {
		return bytes.HasPrefix(n, []byte(p))
	})
}

// returns says whether an upstream's header goes to the client.
func returns(name string) bool {
	var buf [nameBytes]byte
	n := appendLower(buf[:0], name)
	for _, p := range limitPrefixes {
		if bytes.HasPrefix(n, []byte(p)) {
			return false
		}
	}
	return !contains(hopByHop, n) && !contains(withheld, n) && !bytes.HasPrefix(n, []byte(headerPrefix))
}

// nameBytes is enough for the name of any header that is met often.
const nameBytes = 64

// appendLower appends name, which is ASCII, in lower case: without an allocation
// where strings.ToLower makes one for each header of each request.
func appendLower(b []byte, name string) []byte {
	for i := range len(name) {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	return b
}

func contains(names []string, name []byte) bool {
	for _, n := range names {
		if n == string(name) {
			return true
		}
	}
	return false
}

// models answers GET /v1/models and /v1/models/{id}: the priced models that the
// key may use and an upstream serves, in the client's format or in translation, and
// the routes to such models.
func (x *exchange) models() *Answer {
	x.rec.Endpoint, x.rec.Dialect = x.endpoint.path, x.endpoint.speaks.String()
	var list []dialect.Listed
	for _, u := range x.g.upstreams {
		_, foreign := x.foreign(u)
		if !foreign && !u.native(x.endpoint.speaks) || !x.key.permits(u) {
			continue
		}
		for _, id := range x.g.offered(u) {
			if foreign && !x.g.talks(u, id, x.rec.At) {
				continue
			}
			if x.key.Models.Allows(id) &&
				!slices.ContainsFunc(list, func(m dialect.Listed) bool { return m.ID == id }) {
				list = append(list, dialect.Listed{ID: id, Owner: u.Provider, Translated: foreign})
			}
		}
	}
	list = x.routes(list)
	one := strings.TrimPrefix(strings.TrimPrefix(x.req.Path, x.endpoint.path), "/")
	var body []byte
	if one == "" {
		slices.SortFunc(list, func(a, b dialect.Listed) int { return strings.Compare(a.ID, b.ID) })
		body = x.wire().AppendModels(nil, list)
	} else {
		i := slices.IndexFunc(list, func(m dialect.Listed) bool { return m.ID == one })
		if i < 0 {
			return x.deny(dialect.NewError(dialect.CodeModelNotFound, "model", "the model %s does not exist here or this key may not use it", quotePath(one)))
		}
		body = x.wire().AppendModel(nil, list[i])
	}
	a := &Answer{Status: 200, Body: body}
	a.Header = x.own([]HeaderField{{"Content-Type", "application/json"}}, a)
	return a
}

// routes adds the names of routes whose models are in the list, as far as the key
// may use them.
func (x *exchange) routes(list []dialect.Listed) []dialect.Listed {
	for _, name := range x.rules.RouteNames() {
		if !x.key.Models.Allows(name) {
			continue
		}
		for _, c := range x.rules.Route(name).Candidates() {
			if u, foreign := x.reaches(c.Model, c.Upstream); u != nil {
				list = slices.DeleteFunc(list, func(m dialect.Listed) bool { return m.ID == name })
				list = append(list, dialect.Listed{ID: name, Owner: u.Provider, Translated: foreign})
				break
			}
		}
	}
	return list
}

// reaches is the upstream through which a candidate of a route can be talked to, and
// whether in translation; nil for none.
func (x *exchange) reaches(model, upstream string) (u *Upstream, foreign bool) {
	for _, u := range x.g.upstreams {
		_, foreign := x.foreign(u)
		_, serves := u.serves(model)
		if serves && x.key.permits(u) && (upstream == "" || upstream == u.Name) && (foreign && x.g.talks(u, model, x.rec.At) || !foreign && u.native(x.endpoint.speaks)) {
			return u, foreign
		}
	}
	return nil, false
}

// offered lists the client-side names of an upstream's models.
func (g *Gateway) offered(u *Upstream) []string {
	var ids []string
	for alias := range u.Aliases {
		ids = append(ids, alias)
	}
	for model := range u.Deployments {
		if _, ok := u.serves(model); ok {
			ids = append(ids, model)
		}
	}
	for _, id := range g.prices.Models(u.Provider) {
		if slices.ContainsFunc(u.Models, func(p string) bool { ok, err := path.Match(p, id); return ok && err == nil }) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// talks says whether a model answers in text: calls of others, such as those of
// embeddings, are not translated.
func (g *Gateway) talks(u *Upstream, id string, at ledger.Instant) bool {
	name, _ := u.serves(id)
	rate, ok := g.prices.Find(u.Provider, name, at)
	return ok && rate.Prices(price.OutputText)
}

// amount writes an amount for a person, exactly: rounded, what is needed can look
// like what is left.
func amount(u ledger.Unit, a ledger.Amount) string {
	if u == ledger.USD {
		return string(appendUSD(nil, a)) + " USD"
	}
	return fmt.Sprintf("%d %s", a, u)
}

// accountName writes which account of a budget it is.
func accountName(k ledger.AccountKey) string {
	values := k.Split.Values()
	if len(values) == 0 {
		return string(k.Budget)
	}
	return string(k.Budget) + "[" + strings.Join(values, ",") + "]"
}
