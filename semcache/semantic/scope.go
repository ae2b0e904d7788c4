package semantic

import (
	"crypto/sha256"
	"encoding/binary"
)

// Parts are what an answer depends on but the question itself. Questions whose parts
// differ in one byte never answer each other.
type Parts struct {
	Tenant string // who may see each other's answers; never empty
	Holder string // of the tenant's: a key, member or customer that shares with nobody; "" for all
	Route  string // the upstream's name
	Model  string // as the upstream names it
	// Endpoint is the operation and the dialect, as the exact cache has them.
	Endpoint string
	// Rest is the canonical form of the call with the question cut out: parameters,
	// tools, system prompt and every earlier message. A stream and a whole answer have
	// the same.
	Rest []byte
	// Rules changes with what is taken out of texts, and with the policies; Knowledge
	// when answers are not to be given any more that were made before.
	Rules, Knowledge string
}

// scopeVersion begins what is hashed. It changes whenever the same parts get another
// scope.
const scopeVersion = "purser semantic scope 1"

// scope hashes the parts, each with its length in front, so that two different tuples
// never run together. Vectors of different embedders are never compared: the
// embedder's id is a part. Parts without a tenant are a programmer's error and panic.
func (p *Parts) scope(embedder string) (s Scope) {
	if p.Tenant == "" {
		panic("semantic: a scope without a tenant")
	}
	h := sha256.New()
	b := append(make([]byte, 0, 512), scopeVersion...)
	for _, part := range [...]string{p.Tenant, p.Holder, p.Route, p.Model, p.Endpoint, p.Rules, p.Knowledge, embedder} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	h.Write(b)
	h.Write(p.Rest)
	h.Sum(s[:0])
	return s
}

// volatileRules is added to the rules of questions whose policy keeps answers about now,
// or about the asker: they are none to others.
const volatileRules = "\x00volatile"

// scope is that of the parts, under the policy.
func (q *Question) scope(embedder string) Scope {
	in := q.In
	if q.Policy.Volatile {
		in.Rules += volatileRules
	}
	return in.scope(embedder)
}

// entryID names the entry of a question by its normal form.
func entryID(s Scope, normal string) (id EntryID) {
	h := sha256.New()
	h.Write(s[:])
	h.Write([]byte(normal))
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	copy(id[:], sum[:])
	return id
}

// tenantID is how a tenant's keys begin in the store: the first eight bytes of its
// SHA-256, as the keys of the exact cache do. It only puts a tenant's entries side by
// side; that they are the tenant's is in the scope.
type tenantID [8]byte

func tenantOf(name string) tenantID {
	sum := sha256.Sum256([]byte(name))
	return tenantID(sum[:len(tenantID{})])
}

// flightKey names the flight of a question: those that have the same normal form in
// the same scope wait for one answer. It begins as the exact cache's keys of the
// tenant do.
func flightKey(t tenantID, s Scope, normal string) (k [32]byte) {
	h := sha256.New()
	h.Write([]byte("flight"))
	h.Write(s[:])
	h.Write([]byte(normal))
	h.Sum(k[:0])
	copy(k[:], t[:])
	return k
}
