package node

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"purser/api/admin"
	"purser/childkey"
	"purser/internal/directory"
	"purser/ledger"
	"purser/proxy"
)

// A secret is "pk_" and 47 characters of base 32: 200 random bits, and a checksum
// of all before it (CRC-32, big endian) by which scanners tell a secret from what
// looks like one. Secrets without it, of earlier builds, count as they did.
const (
	secretPrefix = "pk_"
	secretBytes  = 25
	keyIDBytes   = 8
)

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// newSecret draws a key's secret, the hash that is stored of it, and what proves its
// children.
func newSecret() (secret string, hash, public [32]byte) {
	b := make([]byte, secretBytes)
	_, _ = rand.Read(b) // crypto/rand.Read never fails since Go 1.24
	secret = secretPrefix + lowerBase32.EncodeToString(b)
	secret += lowerBase32.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(secret))))
	return secret, sha256.Sum256([]byte(secret)), childkey.Public(secret)
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
		case proxy.Reserved(ref):
			return d, admin.Invalid(name + " is set by the gateway alone and cannot be bound")
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
	used     usedKeys
}

type knownKey struct {
	key       *directory.Key
	principal *proxy.Principal
	used      *usedKey
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
	return k.found(key, key.StatusOf(directory.Hash(hash), at), at)
}

// FindPublic implements children.Parents.
func (k *keyRing) FindPublic(public [32]byte, at ledger.Instant) (*proxy.Principal, proxy.KeyState) {
	key, ok := k.snapshot.Load().FindPublic(public)
	if !ok {
		return nil, proxy.KeyUnknown
	}
	return k.found(key, key.StatusOfPublic(public, at), at)
}

func (k *keyRing) found(key *directory.Key, is directory.Status, at ledger.Instant) (*proxy.Principal, proxy.KeyState) {
	known := k.know(key)
	switch is {
	case directory.Active:
		known.used.note(at)
		return known.principal, proxy.KeyActive
	case directory.Revoked:
		return known.principal, proxy.KeyRevoked
	case directory.Replaced:
		return known.principal, proxy.KeyReplaced
	case directory.Suspended:
		return known.principal, proxy.KeySuspended
	default:
		return known.principal, proxy.KeyExpired
	}
}

// know makes a principal once for each version of a key.
func (k *keyRing) know(key *directory.Key) *knownKey {
	if v, ok := k.known.Load(key.ID); ok && v.(*knownKey).key == key {
		return v.(*knownKey)
	}
	known := &knownKey{key, principalOf(key), k.used.of(key.ID)}
	k.known.Store(key.ID, known)
	return known
}

// scopes are the uses that a key may be barred from, and what of a key lets it.
var scopes = []struct {
	use   proxy.Uses
	scope directory.Scopes
}{
	{proxy.Inference, directory.ScopeInference}, {proxy.Embeddings, directory.ScopeEmbeddings}, {proxy.ListModels, directory.ScopeModels},
	{proxy.MintKeys, directory.ScopeMint}, {proxy.OwnUsage, directory.ScopeUsage},
	{proxy.TraceCache, directory.ScopeCacheTrace},
}

func principalOf(key *directory.Key) *proxy.Principal {
	p := &proxy.Principal{ID: string(key.ID), Name: key.Name, Bound: key.Bound, Required: key.Required, CacheOff: key.CacheOff, Expires: key.Expires, Created: key.Created}
	for _, limit := range []struct {
		of   *proxy.Allow
		list []string
	}{{&p.Models, key.AllowModels}, {&p.Endpoints, key.AllowEndpoints}, {&p.Providers, key.AllowProviders}, {&p.Upstreams, key.AllowUpstreams}} {
		if len(limit.list) > 0 {
			*limit.of = proxy.Allow{limit.list}
		}
	}
	for _, s := range scopes {
		if !key.Can(s.scope) {
			p.Barred |= s.use
		}
	}
	return p
}
