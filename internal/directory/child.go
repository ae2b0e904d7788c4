package directory

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"purser/ledger"
)

const (
	// MaxAdmitted bounds the children that are known at a time (L9), of all keys.
	MaxAdmitted = 1 << 17
	// MaxGenerations is how many generations of children there are below a key.
	MaxGenerations = 3
	// MaxChildLife is the longest a child with a slice may live, with what clocks may
	// differ by.
	MaxChildLife = ledger.Day + 5*ledger.Minute
)

// ChildID names a child key: the SHA-256 of what its ancestors have signed of it.
type ChildID [32]byte

// Child is a child key that was given a slice of its parent's budget. What it may
// spend is the ledger's affair; here it is counted, so that nobody's children
// fill the ledger's tables.
type Child struct {
	ID         ChildID
	Generation uint8 // 1: a child of the key itself
	Slice      ledger.Amount
	Expires    ledger.Instant
}

// family is the children of one key, by ID. It is never written, it is replaced.
type family struct {
	parent   KeyID
	children []*Child
}

// Children are those of a key that were admitted and may not have expired yet, by
// ID. The slice must not be changed.
func (s *State) Children(parent KeyID) []*Child {
	if f := s.families.get(idDigest(parent)); f != nil {
		return f.children
	}
	return nil
}

// Admitted says whether a child of the key was admitted.
func (s *State) Admitted(parent KeyID, id ChildID) bool {
	_, ok := findChild(s.Children(parent), id)
	return ok
}

// Room is for how many more children with a slice a key has room.
func (s *State) Room(k *Key, now ledger.Instant) int {
	alive := 0
	for _, c := range s.Children(k.ID) {
		if c.Expires > now {
			alive++
		}
	}
	return max(0, k.MayHave()-alive)
}

func findChild(list []*Child, id ChildID) (int, bool) {
	return slices.BinarySearchFunc(list, id, func(c *Child, id ChildID) int { return bytes.Compare(c.ID[:], id[:]) })
}

// admitChildren takes down children that are about to spend for the first time: all
// of them or none.
func (s *State) admitChildren(c *AdmitChildren) Code {
	k, ok := s.Key(c.Parent)
	switch {
	case len(c.Children) == 0 || len(c.Children) > MaxGenerations:
		return InvalidCommand
	case !ok:
		return UnknownKey
	case k.Revoked != 0:
		return KeyRevoked
	case k.Status(s.now) == Expired:
		return KeyExpired
	case k.Suspended:
		return KeySuspended
	case !k.Can(ScopeMint) || k.Public == [32]byte{}:
		return NoChildren
	}
	kept := slices.DeleteFunc(slices.Clone(s.Children(c.Parent)), func(c *Child) bool { return c.Expires <= s.now })
	added := 0
	for i := range c.Children {
		in := c.Children[i]
		switch {
		case in.validate() != nil || in.Expires > s.now+MaxChildLife:
			return InvalidCommand
		case in.Expires <= s.now:
			return ChildExpired
		}
		at, known := findChild(kept, in.ID)
		if known {
			continue
		}
		kept = slices.Insert(kept, at, &in)
		added++
	}
	switch {
	case added == 0:
		return Unchanged
	case len(kept) > k.MayHave():
		return TooManyChildren
	case s.admitted+added > MaxAdmitted && !s.makeRoom(added):
		return LimitReached
	}
	s.version++
	s.adopt(c.Parent, kept)
	return Applied
}

// makeRoom forgets every child that has expired, if that leaves room for so many.
func (s *State) makeRoom(more int) bool {
	alive := 0
	kept := trie[family]{}
	for f := range s.families.all() {
		left := slices.DeleteFunc(slices.Clone(f.children), func(c *Child) bool { return c.Expires <= s.now })
		alive += len(left)
		if len(left) > 0 {
			kept = kept.with(idDigest(f.parent), &family{f.parent, left})
		}
	}
	if alive+more > MaxAdmitted {
		return false
	}
	s.families, s.admitted = kept, alive
	return true
}

// adopt replaces the children of a key.
func (s *State) adopt(parent KeyID, children []*Child) {
	s.admitted += len(children) - len(s.Children(parent))
	if len(children) == 0 {
		s.families = s.families.without(idDigest(parent))
		return
	}
	s.families = s.families.with(idDigest(parent), &family{parent, children})
}

func (c *Child) validate() error {
	switch {
	case c.ID == ChildID{}:
		return errors.New("child has no id")
	case c.Generation < 1 || c.Generation > MaxGenerations:
		return fmt.Errorf("child of generation %d, there are 1 to %d", c.Generation, MaxGenerations)
	case c.Slice < 0 || c.Slice > ledger.MaxAmount:
		return fmt.Errorf("slice of %d nano-dollars", c.Slice)
	case c.Expires <= 0:
		return errors.New("child never expires")
	}
	return nil
}

func appendChild(b []byte, c *Child) []byte {
	b = append(append(b, c.ID[:]...), c.Generation)
	return appendInt(appendInt(b, int64(c.Slice)), int64(c.Expires))
}

func (r *reader) child() Child {
	return Child{ID: ChildID(r.hash()), Generation: r.byte(), Slice: ledger.Amount(r.int()), Expires: ledger.Instant(r.int())}
}

func appendAdmit(b []byte, c *AdmitChildren) []byte {
	b = appendUint(appendString(b, string(c.Parent)), uint64(len(c.Children)))
	for i := range c.Children {
		b = appendChild(b, &c.Children[i])
	}
	return b
}

func (r *reader) admit() AdmitChildren {
	c := AdmitChildren{Parent: KeyID(r.string())}
	for range r.count() {
		c.Children = append(c.Children, r.child())
	}
	return c
}

// childRecords yields the children of every key, each after its parent's ID.
func (s *State) childRecords(b []byte, yield func([]byte) bool) bool {
	for f := range s.families.all() {
		for _, c := range f.children {
			b = appendChild(appendString(append(b[:0], codecVersion, recordChild), string(f.parent)), c)
			if !yield(b) {
				return false
			}
		}
	}
	return true
}

func (s *State) loadChild(r *reader) error {
	parent, c := KeyID(r.string()), r.child()
	if r.bad {
		return nil // the caller says so
	}
	list := s.Children(parent)
	_, known := s.Key(parent)
	if !known || c.validate() != nil || s.admitted >= MaxAdmitted || len(list) >= MaxChildren ||
		len(list) > 0 && bytes.Compare(list[len(list)-1].ID[:], c.ID[:]) >= 0 {
		return fmt.Errorf("directory record of a child of key %q is out of order or range: %w", parent, ErrMalformed)
	}
	s.admitted++
	// Appends in place: nobody else has seen the family yet.
	s.families = s.families.with(idDigest(parent), &family{parent, append(list, &c)})
	return nil
}
