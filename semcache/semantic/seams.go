package semantic

import (
	"context"

	"purser/ledger"
)

// Scope names what questions may answer each other: SHA-256 over everything that an
// answer depends on but the last question. See [Parts].
type Scope [32]byte

// EntryID names an entry within its scope: the first half of SHA-256 over the scope
// and the normal form of the question. Nodes that store the same question give it
// the same name.
type EntryID [16]byte

// Embedder gives texts their places in the space of vectors.
type Embedder interface {
	// ID changes with everything that vectors depend on.
	ID() string
	Dim() int
	// Embed writes the unit vector of text into dst, which has Dim values. ctx bounds a
	// remote call.
	Embed(ctx context.Context, dst []float32, text string) error
}

// Sealer keeps texts at rest unreadable without the vault's data key. It is safe for
// concurrent use.
type Sealer interface {
	// Seal appends plain, sealed, to dst. What is bound is not written, and opens it.
	Seal(dst, plain, bound []byte) []byte
	// Open appends what was sealed to dst. An error means that it is damaged, was bound
	// to something else, or that the key is gone.
	Open(dst, sealed, bound []byte) ([]byte, error)
}

// Answers is the exact cache, where the answers of entries are.
type Answers interface {
	// Answer returns the stored answer, in its JSON form, if it is valid at the instant.
	// It is for work in the background: it may wait for another node.
	Answer(ctx context.Context, key [32]byte, now ledger.Instant) ([]byte, bool)
	// Forget removes it.
	Forget(key [32]byte)
}

// Shared is a tier that nodes have in common behind their own. A fault in it is a
// miss. It is safe for concurrent use.
type Shared interface {
	// Nearest returns the valid points of a scope that are nearest to a vector. It
	// returns when ctx ends, at the latest.
	Nearest(ctx context.Context, q Query) ([]Neighbour, error)
	// Store writes a point, or replaces that of the same scope and id. It never waits:
	// what cannot be queued is dropped, and counted by whoever implements it.
	Store(Point)
	// Forget removes points, those that were stored before it for certain once it has
	// returned nil.
	Forget(ctx context.Context, w Which) error
}

// Query asks for neighbours.
type Query struct {
	Tenant string // whom the scope belongs to; it is in the scope, too
	Scope  Scope
	Vector []float32 // of unit length; valid until Nearest returns
	K      int       // most neighbours, 1 to 16
	Floor  float32   // cosine; only what is above it counts
	Now    ledger.Instant
}

// Point is an entry as the shared tier keeps it.
type Point struct {
	Tenant  string
	Scope   Scope
	ID      EntryID
	Vector  []float32 // of unit length, the point's own
	Expires ledger.Instant
	// Payload is the entry in the form of this package, sealed: opaque bytes, at most
	// [MaxPayload].
	Payload []byte
}

// MaxPayload bounds [Point].Payload: a question of 2,000 characters at four bytes,
// and what is kept with it.
const MaxPayload = 12 << 10

// Neighbour is a point that was found.
type Neighbour struct {
	ID         EntryID
	Similarity float32 // cosine
	Expires    ledger.Instant
	Payload    []byte
}

// Which says what to forget: what matches every field that is not zero. Which{Tenant: t}
// is everything of a tenant's, Which{} everything.
type Which struct {
	Tenant string
	Scope  Scope
	ID     EntryID
}
