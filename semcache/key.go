package semcache

import (
	"crypto/sha256"
	"encoding/binary"
)

// Key names one entry.
type Key [sha256.Size]byte

// tenantPrefix is how many bytes of a key depend on the tenant alone. The other
// 24 depend on everything, and keep keys apart by themselves.
const tenantPrefix = 8

// tenant is what the keys of a tenant begin with.
type tenant [tenantPrefix]byte

func (k *Key) tenant() tenant { return tenant(k[:tenantPrefix]) }

// Scope is what an answer belongs to. Requests of different scopes never share
// one.
type Scope struct {
	Tenant   string // whoever may see each other's answers; never empty
	Route    string // where the call goes: the upstream's name
	Model    string // as the upstream names it
	Endpoint string
	Epoch    uint64 // changes when older answers must not be given any more
}

// MakeKey hashes the scope and the canonical bytes of a request: what the answer
// depends on, and nothing else. A scope without a tenant is a programmer's error
// and panics.
func MakeKey(s Scope, canonical []byte) Key {
	if s.Tenant == "" {
		panic("semcache: a scope without a tenant")
	}
	h := sha256.New()
	b := make([]byte, 0, 256)
	b = binary.BigEndian.AppendUint64(b, s.Epoch)
	for _, part := range [...]string{s.Tenant, s.Route, s.Model, s.Endpoint} {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	h.Write(b)
	h.Write(canonical)
	var k Key
	h.Sum(k[:0])
	prefix := prefixOf(s.Tenant)
	copy(k[:], prefix[:])
	return k
}

func prefixOf(name string) tenant {
	sum := sha256.Sum256([]byte(name))
	return tenant(sum[:tenantPrefix])
}
