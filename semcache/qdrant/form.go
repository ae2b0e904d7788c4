package qdrant

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"regexp"

	api "github.com/qdrant/go-client/qdrant"

	"purser/ledger"
	"purser/semcache/semantic"
)

// formVersion is of a point's payload.
const formVersion = 1

// Fields of a payload.
const (
	fieldVersion = "v"
	fieldTenant  = "tenant"
	fieldScope   = "scope"
	fieldExpires = "exp"
	fieldID      = "id"
	fieldEntry   = "entry"
)

// tenantDomain keeps a tenant's hash apart from hashes of the same name elsewhere.
const tenantDomain = "purser/semcache/qdrant/tenant\x00"

func tenantHash(tenant string) string {
	sum := sha256.Sum256([]byte(tenantDomain + tenant))
	return hex.EncodeToString(sum[:])
}

func scopeHash(s semantic.Scope) string { return hex.EncodeToString(s[:]) }

// namespace is that of point ids: UUID version 5 of "purser semcache point" in the
// namespace of OIDs (RFC 9562, 6.6). It must stay as it is.
var namespace = [16]byte{0xf1, 0x3e, 0xbb, 0x60, 0xa0, 0x66, 0x58, 0x17, 0x94, 0xe1, 0xe5, 0x9d, 0x52, 0xe9, 0xfa, 0x6d}

// pointID is UUID version 5 over scope and id (RFC 9562, 5.5).
func pointID(s semantic.Scope, id semantic.EntryID) string {
	h := sha1.New()
	h.Write(namespace[:])
	h.Write(s[:])
	h.Write(id[:])
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

// seconds rounds down: an entry is never valid for longer here than where it came from.
func seconds(t ledger.Instant) int64 { return int64(t / ledger.Second) }

// pointOf writes a point.
func pointOf(p *semantic.Point) *api.PointStruct {
	return &api.PointStruct{
		Id:      api.NewIDUUID(pointID(p.Scope, p.ID)),
		Vectors: api.NewVectorsDense(p.Vector),
		Payload: map[string]*api.Value{
			fieldVersion: api.NewValueInt(formVersion),
			fieldTenant:  api.NewValueString(tenantHash(p.Tenant)),
			fieldScope:   api.NewValueString(scopeHash(p.Scope)),
			fieldExpires: api.NewValueInt(seconds(p.Expires)),
			fieldID:      api.NewValueString(hex.EncodeToString(p.ID[:])),
			fieldEntry:   api.NewValueString(base64.StdEncoding.EncodeToString(p.Payload)),
		},
	}
}

// neighbourOf reads a point that was found, and says whether it is one that was asked
// for: of that tenant and scope, valid, and whole. A replica that lags behind, another
// program, or a fault may send others.
func neighbourOf(p *api.ScoredPoint, q *semantic.Query) (semantic.Neighbour, bool) {
	f := p.GetPayload()
	n := semantic.Neighbour{Similarity: min(p.GetScore(), 1), Expires: ledger.Instant(f[fieldExpires].GetIntegerValue()) * ledger.Second}
	if f[fieldVersion].GetIntegerValue() != formVersion || f[fieldTenant].GetStringValue() != tenantHash(q.Tenant) || f[fieldScope].GetStringValue() != scopeHash(q.Scope) {
		return n, false
	}
	if seconds(q.Now) >= f[fieldExpires].GetIntegerValue() || !(p.GetScore() > q.Floor) {
		return n, false
	}
	id, err := hex.DecodeString(f[fieldID].GetStringValue())
	if err != nil || len(id) != len(n.ID) {
		return n, false
	}
	n.ID = semantic.EntryID(id)
	if p.GetId().GetUuid() != pointID(q.Scope, n.ID) {
		return n, false
	}
	n.Payload, err = base64.StdEncoding.DecodeString(f[fieldEntry].GetStringValue())
	return n, err == nil && len(n.Payload) <= semantic.MaxPayload
}

var (
	plainID  = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
	notPlain = regexp.MustCompile(`[^A-Za-z0-9_.-]`)
)

// readableID is how much of an embedder's id is in a name that has its hash, too.
const readableID = 40

// Collection is the name of an embedder's collection: the prefix and the embedder's id.
// An id with other characters than names may have, or a long one, stands there as far as
// it can, with its hash.
func Collection(prefix, embedder string) string {
	if plainID.MatchString(embedder) {
		return prefix + embedder
	}
	readable := notPlain.ReplaceAllString(embedder, "-")
	sum := sha256.Sum256([]byte(embedder))
	return prefix + readable[:min(len(readable), readableID)] + "-" + hex.EncodeToString(sum[:8])
}
