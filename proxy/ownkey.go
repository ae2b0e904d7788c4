package proxy

import (
	"encoding/json"

	"purser/childkey"
	"purser/ledger"
	"purser/proxy/dialect"
)

// ownRoute is what the holder of a key may ask or say about the key itself, and its
// requests.
type ownRoute uint8

const (
	ownNothing  ownRoute = iota // no such route
	ownSelf                     // GET: what it may do, and what is left
	ownChildren                 // POST: a child key
	ownOutcome                  // POST: what an answer to it was worth, and what else was had
	ownStripe                   // POST: the same, as Stripe's meter events
	ownLangfuse                 // POST: the same, as Langfuse's scores
)

// isChild says whether a secret is a child key.
func isChild(secret []byte) bool {
	return len(secret) > len(childkey.Prefix) && string(secret[:len(childkey.Prefix)]) == childkey.Prefix
}

// findChild finds the holder of a child key.
func (x *exchange) findChild(token []byte) (*Principal, *dialect.Error) {
	if x.g.seams.Children == nil {
		return nil, dialect.NewError(dialect.CodeInvalidKey, "", "this node takes no child keys")
	}
	return x.g.seams.Children.Find(string(token), x.rec.At)
}

// ownKey answers what the holder asks about the key. It costs nothing, and leaves no
// record of usage.
func (x *exchange) ownKey() *Answer {
	x.rec.Endpoint, x.rec.Dialect = x.endpoint.path, x.endpoint.speaks.String()
	switch x.endpoint.own {
	case ownSelf:
		return x.ownAnswer(200, x.self())
	case ownOutcome, ownStripe, ownLangfuse:
		return x.outcome()
	}
	if x.g.seams.Children == nil {
		return x.deny(dialect.NewError(dialect.CodeInvalidKey, "", "this node makes no child keys"))
	}
	made, e := x.g.seams.Children.Mint(x.key, string(x.secret), x.req.Body, x.rec.At)
	if e != nil {
		return x.deny(e)
	}
	return x.ownAnswer(201, made)
}

func (x *exchange) ownAnswer(status int, v any) *Answer {
	body, err := json.Marshal(v)
	if err != nil {
		return x.deny(dialect.NewError(dialect.CodeInternal, "", "the answer could not be written"))
	}
	a := &Answer{Status: status, Body: body}
	a.Header = x.own([]HeaderField{{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}}, a)
	return a
}

// selfAnswer is what a key may do, as its holder reads it.
type selfAnswer struct {
	Object    string            `json:"object"` // "key"
	ID        string            `json:"id"`
	Child     string            `json:"child,omitempty"`
	ExpiresAt int64             `json:"expires_at,omitempty"` // Unix seconds
	Scopes    []string          `json:"scopes"`
	Models    [][]string        `json:"models,omitempty"` // of each list one has to fit
	Endpoints [][]string        `json:"endpoints,omitempty"`
	Providers [][]string        `json:"providers,omitempty"`
	Upstreams [][]string        `json:"upstreams,omitempty"`
	Bound     map[string]string `json:"bound,omitempty"`
	Budget    *selfBudget       `json:"budget"` // the one with the least left, of those that a request without further dimensions meets
}

type selfBudget struct {
	ID       string `json:"id"`
	Limit    int64  `json:"limit_nanousd"`
	Left     int64  `json:"left_nanousd"`
	ResetsAt int64  `json:"resets_at,omitempty"` // Unix seconds
}

func (x *exchange) self() selfAnswer {
	k := x.key
	out := selfAnswer{
		Object: "key", ID: k.ID, Child: k.Child, ExpiresAt: int64(k.Expires / ledger.Second), Scopes: []string{},
		Models: k.Models, Endpoints: k.Endpoints, Providers: k.Providers, Upstreams: k.Upstreams,
	}
	for i, name := range useNames {
		if k.Barred&(1<<i) == 0 {
			out.Scopes = append(out.Scopes, name)
		}
	}
	d := &x.rec.Dims
	d.Values = k.Bound.Values
	d.Values[ledger.DimKey] = k.ID
	d.Tags = append(d.Tags[:0], k.Bound.Tags...)
	out.Bound = map[string]string{}
	for dim, value := range d.Values {
		if value != "" {
			out.Bound[ledger.Dim(dim).String()] = value
		}
	}
	for _, t := range d.Tags {
		out.Bound[ledger.DimRef{Dim: ledger.DimTag, Tag: t.Name}.String()] = t.Value
	}
	if k.Capped != nil && k.Capped(x.g.base) != nil {
		return out // what is left cannot be said
	}
	chain, err := x.g.seams.Purse.Chain(d)
	if err != nil {
		return out
	}
	x.chain = chain
	if room, ok := x.g.seams.Purse.Room(chain); ok {
		out.Budget = &selfBudget{ID: string(room.Account.Budget), Limit: int64(room.Limit), Left: int64(room.Left)}
		if room.ResetsAt < ledger.MaxInstant {
			out.Budget.ResetsAt = int64(room.ResetsAt / ledger.Second)
		}
	}
	return out
}
