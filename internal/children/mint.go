package children

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"purser/childkey"
	"purser/ledger"
	"purser/proxy"
	"purser/proxy/dialect"
)

const (
	// usualLife is how long a child lives whose request does not say.
	usualLife = time.Hour
	// maxMints is how many children one key may be given by one node in a minute. Who
	// wants more makes them without asking.
	maxMints = 600
)

// Wanted is what the holder of a key asks a child to be. What is left out is as the
// parent has it.
type Wanted struct {
	TTL       int64             `json:"ttl_seconds"` // default an hour
	ExpiresAt int64             `json:"expires_at"`  // Unix seconds, instead
	USD       *childkey.USD     `json:"usd"`
	Models    []string          `json:"models"`
	Endpoints []string          `json:"endpoints"`
	Providers []string          `json:"providers"`
	Bind      map[string]string `json:"bind"`
	Depth     *int              `json:"depth"`
	Sealed    bool              `json:"sealed"` // it can have no children
}

// Minted is a child that was made.
type Minted struct {
	Object    string `json:"object"` // "key.child"
	Key       string `json:"key"`    // shown this once
	ID        string `json:"id"`     // as usage has it, in the tag purser.child.<generation>
	Parent    string `json:"parent"`
	ExpiresAt int64  `json:"expires_at"`
	USD       string `json:"usd,omitempty"` // the slice as it is enforced
}

// Mint implements proxy.Children.
func (r *Registry) Mint(parent *proxy.Principal, secret string, body []byte, at ledger.Instant) (any, *dialect.Error) {
	if !r.mints.allow(parent.ID, at) {
		e := dialect.NewError(dialect.CodeRateLimit, "", "this key was given %d child keys in this minute; make them without asking, as docs/keys.md shows", maxMints)
		e.RetryAfterMillis = int64((ledger.Minute - at%ledger.Minute) / 1_000_000)
		return nil, e
	}
	in, err := readWanted(body)
	if err != nil {
		return nil, dialect.NewError(dialect.CodeInvalidValue, "", "the body is not what a child key is asked for with: %s", err)
	}
	token, err := childkey.Mint(secret, in.caveats(at))
	if err == nil && in.Sealed {
		token, err = childkey.Seal(token)
	}
	if err != nil {
		return nil, dialect.NewError(dialect.CodeInvalidValue, "", "the child key cannot be made: %s", err)
	}
	child, e := r.Find(token, at)
	if e != nil {
		return nil, e
	}
	out := Minted{Object: "key.child", Key: token, ID: child.Child, Parent: parent.ID, ExpiresAt: int64(child.Expires / ledger.Second)}
	if in.USD != nil {
		out.USD = in.USD.Enforced().String()
	}
	return out, nil
}

func readWanted(body []byte) (in Wanted, err error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return in, nil
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return in, errors.New("more than one JSON value")
	}
	if in.TTL < 0 || in.TTL > int64(MaxLife/ledger.Second) {
		return in, errors.New("ttl_seconds is out of range")
	}
	if in.TTL != 0 && in.ExpiresAt != 0 {
		return in, errors.New("ttl_seconds and expires_at are two ways to say one thing")
	}
	return in, nil
}

func (in *Wanted) caveats(at ledger.Instant) childkey.Caveats {
	c := childkey.Caveats{
		Expires: in.ExpiresAt, Slice: in.USD, Models: in.Models, Endpoints: in.Endpoints, Providers: in.Providers, Bind: in.Bind, Depth: in.Depth,
	}
	if c.Expires == 0 {
		life := in.TTL
		if life == 0 {
			life = int64(usualLife / time.Second)
		}
		c.Expires = int64(at/ledger.Second) + life
	}
	return c
}

// rates counts by key within a minute, of as many keys as ask in it.
type rates struct {
	mu     sync.Mutex
	minute ledger.Instant
	count  map[string]int
}

func (r *rates) allow(key string, at ledger.Instant) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if minute := at / ledger.Minute; minute != r.minute || r.count == nil {
		r.minute, r.count = minute, map[string]int{}
	}
	if r.count[key] >= maxMints {
		return false
	}
	r.count[key]++
	return true
}
