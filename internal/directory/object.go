package directory

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"purser/ledger"
)

// ObjectKind is what an object is. The numbers are append-only.
type ObjectKind uint8

// The kinds of object.
const (
	ObjectOrg ObjectKind = iota + 1
	ObjectTeam
	ObjectProject
	ObjectMember
	ObjectAgent
	ObjectPolicy
	ObjectRedaction
	ObjectCredential
	ObjectRoute
	ObjectWebhook
	ObjectAdminToken
	ObjectLoop
	ObjectLever
	ObjectTemplate
	ObjectRouter
	ObjectPrompt
	ObjectMapping
	ObjectExport
)

// numObjectKinds bounds what a replica keeps; a kind beyond it is refused.
const numObjectKinds = 32

// AnyVersion is the expectation of a command that takes an object as it is.
const AnyVersion = math.MaxUint64

// Limits of objects (L9).
const (
	// MaxObjects bounds all of them, and MaxObjectBytes the sum of their specs.
	MaxObjects     = 1 << 16
	MaxObjectBytes = 64 << 20
	// MaxObjectID is the longest ID, in bytes.
	MaxObjectID = 128
	// MaxSpec is the largest spec, in bytes.
	MaxSpec = 64 << 10
	// MaxRefs is how many objects one may refer to.
	MaxRefs = 256
	// MaxAncestors bounds how many objects one may refer to, directly and through others.
	MaxAncestors = 1024
)

// Ref names an object.
type Ref struct {
	Kind ObjectKind
	ID   string // 1 to [MaxObjectID] characters of a-z, A-Z, 0-9, '.', '_', '-', ':', '@'
}

// Object is a thing that rules requests: who there is, or what is allowed. The
// directory does not read its spec; that it is well formed, and that refs are what
// it refers to, is ensured by who proposes it. Objects read from a [State] are
// shared and must not be written.
type Object struct {
	Ref
	Refs    []Ref
	Spec    []byte
	Version uint64 // the directory's version when it last changed
	Created ledger.Instant
	Changed ledger.Instant
}

// objects is the table: all of it persistent, so that a copy is a snapshot.
type objects struct {
	byKind [numObjectKinds]trie[Object] // by SHA-256 of the ID
	uses   trie[int]                    // how many objects refer to one, by its digest; not in records
	count  int
	bytes  int
}

// Object returns one object.
func (s *State) Object(r Ref) (*Object, bool) {
	o := s.objects.get(r)
	return o, o != nil
}

// Objects yields the objects of a kind, in an order that depends on their IDs
// alone (it is not alphabetical).
func (s *State) Objects(k ObjectKind) iter.Seq[*Object] {
	if k >= numObjectKinds {
		return func(func(*Object) bool) {}
	}
	return s.objects.byKind[k].all()
}

// ObjectKinds are the kinds of which there are objects, in order.
func (s *State) ObjectKinds() (kinds []ObjectKind) {
	for k := range s.objects.byKind {
		if s.objects.byKind[k].root != nil {
			kinds = append(kinds, ObjectKind(k))
		}
	}
	return kinds
}

func (t *objects) get(r Ref) *Object {
	if r.Kind >= numObjectKinds {
		return nil
	}
	return t.byKind[r.Kind].get(sha256.Sum256([]byte(r.ID)))
}

func (t *objects) put(o *Object) {
	t.byKind[o.Kind] = t.byKind[o.Kind].with(sha256.Sum256([]byte(o.ID)), o)
	t.count++
	t.bytes += len(o.Spec)
}

func (t *objects) remove(o *Object) {
	t.byKind[o.Kind] = t.byKind[o.Kind].without(sha256.Sum256([]byte(o.ID)))
	t.count--
	t.bytes -= len(o.Spec)
}

func (r Ref) digest() [32]byte {
	return sha256.Sum256(append([]byte{byte(r.Kind)}, r.ID...))
}

func (t *objects) used(r Ref) int {
	if n := t.uses.get(r.digest()); n != nil {
		return *n
	}
	return 0
}

// use counts references to each of refs, by more or less.
func (t *objects) use(refs []Ref, more int) {
	for _, r := range refs {
		if n := t.used(r) + more; n > 0 {
			t.uses = t.uses.with(r.digest(), &n)
		} else {
			t.uses = t.uses.without(r.digest())
		}
	}
}

func (s *State) putObject(in *PutObject) Code {
	if in.validate() != nil {
		return InvalidCommand
	}
	t := &s.objects
	old := t.get(in.Ref)
	if old != nil && bytes.Equal(old.Spec, in.Spec) && slices.Equal(old.Refs, in.Refs) {
		return Unchanged // whatever was expected: it is as it was to become
	}
	if !expected(old, in.Expect) {
		return VersionMismatch
	}
	if code := t.resolve(in.Ref, in.Refs); code != Applied {
		return code
	}
	o := &Object{Ref: in.Ref, Refs: compact(in.Refs), Spec: bytes.Clone(in.Spec), Created: s.now, Changed: s.now}
	count, size := t.count+1, t.bytes+len(o.Spec)
	if old != nil {
		o.Created = old.Created
		count, size = count-1, size-len(old.Spec)
	}
	if count > MaxObjects || size > MaxObjectBytes {
		return LimitReached
	}
	if old != nil {
		t.remove(old)
		t.use(old.Refs, -1)
	}
	s.version++
	o.Version = s.version
	t.put(o)
	t.use(o.Refs, 1)
	return Applied
}

func (s *State) deleteObject(in *DeleteObject) Code {
	if in.Ref.validate() != nil {
		return InvalidCommand
	}
	t := &s.objects
	old := t.get(in.Ref)
	switch {
	case old == nil:
		return Unchanged
	case !expected(old, in.Expect):
		return VersionMismatch
	case t.used(in.Ref) > 0:
		return Referenced
	}
	t.remove(old)
	t.use(old.Refs, -1)
	s.version++
	return Applied
}

func expected(old *Object, version uint64) bool {
	switch {
	case version == AnyVersion:
		return true
	case old == nil:
		return version == 0
	}
	return old.Version == version
}

// resolve checks that refs exist and do not lead back to self.
func (t *objects) resolve(self Ref, refs []Ref) Code {
	seen := map[Ref]bool{} // asked, never iterated
	next := slices.Clone(refs)
	for len(next) > 0 {
		r := next[len(next)-1]
		next = next[:len(next)-1]
		if r == self {
			return CyclicReference
		}
		if seen[r] {
			continue
		}
		if seen[r] = true; len(seen) > MaxAncestors {
			return LimitReached
		}
		o := t.get(r)
		if o == nil {
			return MissingReference
		}
		next = append(next, o.Refs...)
	}
	return Applied
}

func (c *PutObject) validate() error {
	if err := c.Ref.validate(); err != nil {
		return err
	}
	if len(c.Spec) == 0 || len(c.Spec) > MaxSpec {
		return fmt.Errorf("spec has %d bytes, allowed are 1 to %d", len(c.Spec), MaxSpec)
	}
	if len(c.Refs) > MaxRefs {
		return fmt.Errorf("%d references, the most is %d", len(c.Refs), MaxRefs)
	}
	for i, r := range c.Refs {
		if err := r.validate(); err != nil {
			return fmt.Errorf("reference %d: %w", i, err)
		}
		if i > 0 && c.Refs[i-1].Compare(r) >= 0 {
			return errors.New("references are not in order of kind and id, each once")
		}
	}
	return nil
}

func (r Ref) validate() error {
	if r.Kind == 0 || r.Kind >= numObjectKinds {
		return fmt.Errorf("no object is of kind %d", r.Kind)
	}
	return ValidObjectID(r.ID)
}

// ValidObjectID says what is wrong with an ID.
func ValidObjectID(id string) error {
	if len(id) == 0 || len(id) > MaxObjectID {
		return fmt.Errorf("id has %d bytes, allowed are 1 to %d", len(id), MaxObjectID)
	}
	for _, c := range []byte(id) {
		if !nameByte(c) && (c < 'A' || c > 'Z') && c != ':' && c != '@' {
			return fmt.Errorf("id %q has a character other than a-z, A-Z, 0-9, '.', '_', '-', ':', '@'", id)
		}
	}
	return nil
}

// Compare orders references by kind, then ID.
func (r Ref) Compare(o Ref) int {
	if r.Kind != o.Kind {
		return int(r.Kind) - int(o.Kind)
	}
	return strings.Compare(r.ID, o.ID)
}

func appendRef(b []byte, r Ref) []byte { return appendString(append(b, byte(r.Kind)), r.ID) }

func appendObject(b []byte, r Ref, version uint64, refs []Ref, spec []byte) []byte {
	b = appendUint(appendRef(b, r), version)
	b = appendUint(b, uint64(len(refs)))
	for _, r := range refs {
		b = appendRef(b, r)
	}
	return append(appendUint(b, uint64(len(spec))), spec...)
}

func (r *reader) ref() Ref { return Ref{Kind: ObjectKind(r.byte()), ID: r.string()} }

func (r *reader) refs() (out []Ref) {
	for range r.count() {
		out = append(out, r.ref())
	}
	return out
}

func (r *reader) bytes() []byte {
	n := r.uint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	return bytes.Clone(r.take(int(n)))
}

// objectRecords yields the records of objects.
func (s *State) objectRecords(b []byte, yield func([]byte) bool) bool {
	for k := range s.objects.byKind {
		for o := range s.Objects(ObjectKind(k)) {
			b = appendObject(append(b[:0], codecVersion, recordObject), o.Ref, o.Version, o.Refs, o.Spec)
			b = appendInt(appendInt(b, int64(o.Created)), int64(o.Changed))
			if !yield(b) {
				return false
			}
		}
	}
	return true
}

func (s *State) loadObject(r *reader) error {
	in := PutObject{Ref: r.ref(), Expect: r.uint()}
	in.Refs, in.Spec = r.refs(), r.bytes()
	o := &Object{Ref: in.Ref, Refs: in.Refs, Spec: in.Spec, Version: in.Expect, Created: ledger.Instant(r.int()), Changed: ledger.Instant(r.int())}
	if r.bad {
		return nil // the caller says so
	}
	if err := in.validate(); err != nil {
		return fmt.Errorf("directory record: %w: %w", ErrMalformed, err)
	}
	t := &s.objects
	if t.get(o.Ref) != nil || o.Version == 0 || o.Version > s.version || t.count >= MaxObjects || t.bytes+len(o.Spec) > MaxObjectBytes {
		return fmt.Errorf("directory record of object %d/%s contradicts the others: %w", o.Kind, o.ID, ErrMalformed)
	}
	t.put(o)
	return nil
}

// link counts the references of loaded objects, and refuses those that lead nowhere.
func (t *objects) link() error {
	for k := range t.byKind {
		for o := range t.byKind[k].all() {
			for _, r := range o.Refs {
				if t.get(r) == nil {
					return fmt.Errorf("directory record of object %d/%s refers to %d/%s, which is not there: %w", o.Kind, o.ID, r.Kind, r.ID, ErrMalformed)
				}
			}
			t.use(o.Refs, 1)
		}
	}
	return nil
}
