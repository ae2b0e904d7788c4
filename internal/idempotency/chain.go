package idempotency

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"purser/ledger"
)

// How long a home has to have been there to decide alone.
const (
	// LongestTTL bounds for how long a key is remembered.
	LongestTTL = 24 * time.Hour
	// ClockMargin is by how much the clocks of nodes, and the ledger's time, may be apart.
	ClockMargin = time.Hour
	// Season is how long it takes until nothing counts any more that was claimed before
	// a member came or went.
	Season = LongestTTL + ClockMargin
)

// Key names a client's key in its scope.
type Key [32]byte

// MakeKey names a key; scope says whose it is, and is never empty.
func MakeKey(scope, key string) Key {
	b := append([]byte("purser idempotency key\x00"), byte(len(scope)>>8), byte(len(scope)))
	return sha256.Sum256(append(append(b, scope...), key...))
}

// Member is a member of the cluster, or one that was.
type Member struct {
	ID      string
	Joined  ledger.Instant
	Removed bool
	// Forgotten says that nothing it granted counts: it was removed a [Season] ago, or
	// before the scope began.
	Forgotten bool
}

// Homes are those of a key, as one of its homes sees it.
type Homes struct {
	IDs []string // all that have to grant a claim, but for those that were removed

	gone string // was removed, and its claims may still count
	end  string // has seen every claim that still counts; "" where nobody has
}

// Chain gives the homes of a key as of now, all of which have to grant a claim. They
// are the members in the key's own order of preference (rendezvous hashing: Thaler and
// Ravishankar, 1998) down to the first that has seen every claim which still counts: it
// has been there for a [Season], or since before its scope began, which is since.
func Chain(members []Member, k Key, since, now ledger.Instant) (h Homes) {
	type rank struct {
		weight uint64
		*Member
	}
	ranks := make([]rank, 0, len(members))
	for i := range members {
		if m := &members[i]; !m.Forgotten {
			ranks = append(ranks, rank{weight(m.ID, k), m})
		}
	}
	slices.SortFunc(ranks, func(a, b rank) int { return cmp.Or(cmp.Compare(b.weight, a.weight), cmp.Compare(a.ID, b.ID)) })
	for _, r := range ranks {
		if r.Removed {
			h.gone = r.ID
			continue
		}
		h.IDs = append(h.IDs, r.ID)
		if r.Joined < since || now-r.Joined >= ledger.Instant(Season) {
			h.end = r.ID
			break
		}
	}
	return h
}

// Barred is a home that was removed and whose claims may still count: as long as there
// is one, self grants nothing. A home above the end leaves that to the end, which has to
// grant as well: it was there before, and knows better how long ago the removal was.
func (h *Homes) Barred(self string) (gone string) {
	if h.end == "" || h.end == self {
		return h.gone
	}
	return ""
}

func weight(node string, k Key) uint64 {
	b := append([]byte("purser idempotency home\x00"), node...)
	sum := sha256.Sum256(append(append(b, 0), k[:]...))
	return binary.BigEndian.Uint64(sum[:])
}
