package audit

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"purser/ledger"
)

// Limits of an entry.
const (
	// MaxText bounds actor, address, action, target and node, in bytes.
	MaxText = 512
	// MaxDetail bounds before and after, in bytes each. [View] puts a digest in the
	// place of what is larger.
	MaxDetail = 16 << 10
)

// Facts are what a node says of a change that it was asked for. They hold no secret.
type Facts struct {
	Node    ledger.NodeID // that was asked
	Actor   string        // as admin.Actor names it; "" where nobody was named
	Address string        // of the actor, without the port; "" for a node's own change
	Action  string        // "budget.put"
	Target  string        // "budget/team-a"
	// Before and After are canonical JSON ([View]), nil for nothing. Before is what the
	// node held when it was asked.
	Before, After []byte
}

// Result says how an event ended.
type Result uint8

// The results. They are stored: append only.
const (
	Applied Result = 1 // the entry of the log that changed the state made this one too
	Denied  Result = 2 // a policy refused requests
	Late    Result = 3 // carried out earlier, when not every replica could read such entries
	Noted   Result = 4 // happens outside of the replicated state
)

var resultNames = [...]string{Applied: "applied", Denied: "denied", Late: "late", Noted: "noted"}

// String returns the result in one word.
func (r Result) String() string {
	if r >= Applied && int(r) < len(resultNames) {
		return resultNames[r]
	}
	return "result-" + strconv.Itoa(int(r))
}

// ParseResult is the inverse of String.
func ParseResult(s string) (Result, error) {
	for r := Applied; int(r) < len(resultNames); r++ {
		if resultNames[r] == s {
			return r, nil
		}
	}
	return 0, fmt.Errorf("%q is no result", s)
}

// Event is facts and how they ended.
type Event struct {
	Facts
	Result Result
	Count  uint64 // of equal events; 1 for a change
	// First is when the node saw the first of them, by its own clock; 0 where the
	// entry's own time says it.
	First ledger.Instant
}

// Entry is an event in its place.
type Entry struct {
	Seq uint64         // from 1, without gaps
	At  ledger.Instant // ledger time
	Event
}

// Clean makes facts storable: text that is not UTF-8 is mended, what is too long is
// cut. Details that are too long, or not UTF-8, are left out: they do not come from [View].
func (f Facts) Clean() Facts {
	f.Node = ledger.NodeID(text(string(f.Node)))
	f.Actor, f.Address, f.Action, f.Target = text(f.Actor), text(f.Address), text(f.Action), text(f.Target)
	f.Before, f.After = detail(f.Before), detail(f.After)
	return f
}

func text(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= MaxText {
		return s
	}
	s = s[:MaxText-len("…")]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

func detail(b []byte) []byte {
	if len(b) == 0 || len(b) > MaxDetail || !utf8.Valid(b) {
		return nil
	}
	return b
}

// Hash is the hash of a chain up to an entry.
type Hash [32]byte

// Head is the chain up to an entry. The zero Head is that of no entry.
type Head struct {
	Seq  uint64
	Hash Hash
}

// String is the head as operators note it: the entry's number, a colon, its hash.
func (h Head) String() string {
	return strconv.FormatUint(h.Seq, 10) + ":" + hex.EncodeToString(h.Hash[:])
}

// ParseHead reads what String writes.
func ParseHead(s string) (Head, error) {
	seq, hash, ok := strings.Cut(s, ":")
	n, err := strconv.ParseUint(seq, 10, 64)
	if !ok || err != nil {
		return Head{}, fmt.Errorf("%q is not <entry>:<hash>", s)
	}
	b, err := hex.DecodeString(hash)
	if err != nil || len(b) != len(Hash{}) {
		return Head{}, fmt.Errorf("%q has no hash of %d hexadecimal digits", s, 2*len(Hash{}))
	}
	return Head{Seq: n, Hash: Hash(b)}, nil
}
