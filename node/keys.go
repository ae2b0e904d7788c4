package node

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"purser/api/admin"
	"purser/internal/directory"
	"purser/ledger"
	"purser/proxy"
)

// A secret is "pk_" and 40 characters of base 32: 200 random bits, in a form
// that secret scanners can be taught.
const (
	secretPrefix = "pk_"
	secretBytes  = 25
	keyIDBytes   = 8
)

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newSecret draws a key's secret and the hash that is stored of it.
func newSecret() (secret string, hash [32]byte) {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // crypto/rand.Read never fails since Go 1.24
	secret = secretPrefix + lowerBase32.EncodeToString(b)
	return secret, sha256.Sum256([]byte(secret))
}

func newKeyID() string {
	b := make([]byte, keyIDBytes)
	_, _ = rand.Read(b)
	return "key_" + lowerBase32.EncodeToString(b)
}

// dimensions reads the map form of dimensions ("customer", "tag:<name>").
func dimensions(m map[string]string) (ledger.Dimensions, error) {
	var d ledger.Dimensions
	for name, value := range m {
		ref, err := ledger.ParseDimRef(name)
		if err != nil {
			return d, admin.Invalid(err.Error())
		}
		switch {
		case value == "" || len(value) > ledger.MaxDimValue || strings.ContainsFunc(value, func(r rune) bool { return r < 0x20 || r == 0x7f }):
			return d, admin.Invalid(fmt.Sprintf("the value of %s is empty, longer than %d bytes, or has control characters", name, ledger.MaxDimValue))
		case ref.Dim == ledger.DimKey || ref.Dim == ledger.DimModel || ref.Dim == ledger.DimProvider:
			return d, admin.Invalid(name + " is a fact of each request and cannot be bound")
		case ref.Dim == ledger.DimTag:
			d.Tags = append(d.Tags, ledger.Tag{Name: ref.Tag, Value: value})
		default:
			d.Values[ref.Dim] = value
		}
	}
	return d, nil
}

// dimensionMap is the inverse of dimensions.
func dimensionMap(d *ledger.Dimensions) map[string]string {
	m := map[string]string{}
	for dim, value := range d.Values {
		if value != "" {
			m[ledger.DimRef{Dim: ledger.Dim(dim)}.String()] = value
		}
	}
	for _, t := range d.Tags {
		m[ledger.DimRef{Dim: ledger.DimTag, Tag: t.Name}.String()] = t.Value
	}
	return m
}

// instantOf reads RFC 3339; "" is fallback.
func instantOf(text string, fallback ledger.Instant) (ledger.Instant, error) {
	if text == "" {
		return fallback, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, admin.Invalid(fmt.Sprintf("%q is not a time like 2026-01-31T08:00:00Z", text))
	}
	return ledger.Instant(t.UnixNano()), nil
}

// timeText writes an instant for the API; "" for 0 and for never.
func timeText(i ledger.Instant) string {
	if i == 0 || i == ledger.MaxInstant {
		return ""
	}
	return time.Unix(0, int64(i)).UTC().Format(time.RFC3339)
}

func now() ledger.Instant { return ledger.Instant(time.Now().UnixNano()) }

// keyRing is the virtual keys as the request path sees them: an immutable
// snapshot, swapped when the directory changes.
type keyRing struct {
	snapshot atomic.Pointer[directory.State]
	known    sync.Map // directory.KeyID to *knownKey; dropped when the directory changes
}

type knownKey struct {
	key       *directory.Key
	principal *proxy.Principal
}

// swap puts another snapshot in place.
func (k *keyRing) swap(s *directory.State) {
	k.snapshot.Store(s)
	k.known.Clear()
}

// Find implements proxy.Keys.
func (k *keyRing) Find(hash [32]byte, at ledger.Instant) (*proxy.Principal, proxy.KeyState) {
	key, ok := k.snapshot.Load().Find(directory.Hash(hash))
	if !ok {
		return nil, proxy.KeyUnknown
	}
	p := k.principal(key)
	switch key.Status(at) {
	case directory.Active:
		return p, proxy.KeyActive
	case directory.Revoked:
		return p, proxy.KeyRevoked
	default:
		return p, proxy.KeyExpired
	}
}

// principal is made once for each version of a key.
func (k *keyRing) principal(key *directory.Key) *proxy.Principal {
	if v, ok := k.known.Load(key.ID); ok && v.(*knownKey).key == key {
		return v.(*knownKey).principal
	}
	p := &proxy.Principal{ID: string(key.ID), Name: key.Name, Bound: key.Bound, Required: key.Required, Models: key.AllowModels, CacheOff: key.CacheOff}
	k.known.Store(key.ID, &knownKey{key, p})
	return p
}
