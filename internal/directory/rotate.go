package directory

import (
	"reflect"
	"slices"

	"purser/ledger"
)

// MaxOverlap is how long the secret before a rotation may go on counting.
const MaxOverlap = 90 * ledger.Day

// MaxTouched is how many keys one TouchKeys may name, so that its entry is applied
// within milliseconds.
const MaxTouched = 512

// writeKey makes a key with all its fields, or changes one from the version that was
// seen. Secrets change by rotation alone.
func (s *State) writeKey(c *WriteKey) Code {
	in := &c.Key
	old, exists := s.Key(in.ID)
	k := in.clone()
	k.OldHash, k.OldPublic, k.OldUntil, k.LastUsed = Hash{}, [32]byte{}, 0, 0
	k.Created, k.Revoked, k.Version = s.now, 0, 0
	if exists {
		k.Public, k.OldHash, k.OldPublic, k.OldUntil = old.Public, old.OldHash, old.OldPublic, old.OldUntil
		k.Created, k.Version, k.LastUsed = old.Created, old.Version, old.LastUsed
	}
	if k.Validate() != nil {
		return InvalidCommand
	}
	if code := s.mayPut(k); code != Applied {
		return code
	}
	switch {
	case exists && reflect.DeepEqual(old, k):
		return Unchanged // whatever was expected: it is as it was to become
	case c.Expect != AnyVersion && c.Expect != k.Version:
		return VersionMismatch
	}
	return s.put(k, exists)
}

// rotateKey gives a key another secret; the present one counts until the overlap
// is over. With the present secret it changes that instant alone.
func (s *State) rotateKey(c *RotateKey) Code {
	old, ok := s.Key(c.ID)
	switch {
	case !ok:
		return UnknownKey
	case old.Revoked != 0:
		return KeyRevoked
	case old.Status(s.now) == Expired:
		return KeyExpired
	case c.Hash == (Hash{}) || c.OldUntil < 0 || c.OldUntil > s.now+MaxOverlap:
		return InvalidCommand
	}
	k := *old
	if c.Hash != old.Hash {
		if _, taken := s.Find(c.Hash); taken || s.proves(c.Public) {
			return HashTaken
		}
		k.Hash, k.Public, k.OldHash, k.OldPublic = c.Hash, c.Public, old.Hash, old.Public
	}
	if k.OldUntil = c.OldUntil; k.OldUntil <= s.now || k.OldHash == (Hash{}) {
		k.OldHash, k.OldPublic, k.OldUntil = Hash{}, [32]byte{}, 0
	}
	if reflect.DeepEqual(old, &k) {
		return Unchanged
	}
	s.unlist(old)
	s.store(&k)
	return Applied
}

// touchKeys notes when keys were last used. Those it does not know are passed over:
// they were forgotten since.
func (s *State) touchKeys(c *TouchKeys) Code {
	if len(c.IDs) > MaxTouched || c.At < 0 {
		return InvalidCommand
	}
	code, at := Unchanged, min(c.At, s.now)
	for _, id := range c.IDs {
		old, ok := s.Key(id)
		if !ok || old.LastUsed >= at {
			continue
		}
		k := *old
		k.LastUsed = at
		s.insert(&k)
		code = Applied
	}
	if code == Applied {
		s.version++
	}
	return code
}

// proves says whether a public key is that of some key's children.
func (s *State) proves(public [32]byte) bool {
	_, ok := s.FindPublic(public)
	return ok && public != [32]byte{}
}

// mayPut says whether k may take the place it names.
func (s *State) mayPut(k *Key) Code {
	old, exists := s.Key(k.ID)
	switch {
	case exists && old.Hash != k.Hash:
		return IDTaken
	case exists && old.Revoked != 0:
		return KeyRevoked
	case exists:
		return Applied
	}
	if _, taken := s.Find(k.Hash); taken || s.proves(k.Public) {
		return HashTaken
	}
	if s.count >= MaxKeys {
		return LimitReached
	}
	return Applied
}

// put stores k, which [State.mayPut] has let in.
func (s *State) put(k *Key, exists bool) Code {
	if !exists {
		s.count++
	}
	s.store(k)
	return Applied
}

// unlist takes a key's secrets out of the tables that find it by them.
func (s *State) unlist(k *Key) {
	for _, h := range []Hash{k.Hash, k.OldHash} {
		if h != (Hash{}) {
			s.byHash = s.byHash.without(h)
		}
	}
	for _, p := range [][32]byte{k.Public, k.OldPublic} {
		if p != [32]byte{} {
			s.byPublic = s.byPublic.without(p)
		}
	}
}

// FindPublic returns the key whose children a public key proves. It does not allocate.
func (s *State) FindPublic(public [32]byte) (*Key, bool) {
	k := s.byPublic.get(public)
	return k, k != nil
}

// Plain says whether a key has nothing but what the first stored form of keys has.
func (k *Key) Plain() bool {
	return !k.Suspended && k.Description == "" && k.Owner == Owner{} && k.Scopes == 0 && k.MaxChildren == 0 && k.Public == [32]byte{} &&
		len(k.AllowEndpoints)+len(k.AllowProviders)+len(k.AllowUpstreams) == 0 &&
		k.OldHash == Hash{} && k.OldPublic == [32]byte{} && k.OldUntil == 0 && k.LastUsed == 0
}

// keep takes over from old what a PutKey does not carry.
func (k *Key) keep(old *Key) {
	was := *old
	was.ID, was.Hash, was.Name, was.Bound, was.Required, was.AllowModels, was.CacheOff, was.Expires = k.ID, k.Hash, k.Name, k.Bound, k.Required, k.AllowModels, k.CacheOff, k.Expires
	*k = was
}

func appendStrings(b []byte, list []string) []byte {
	b = appendUint(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

func (r *reader) strings() (list []string) {
	for range r.count() {
		list = append(list, r.string())
	}
	return list
}

// appendWhole appends a key with what it has beside the first stored form.
func appendWhole(b []byte, k *Key) []byte {
	b = appendKey(b, k)
	b = appendString(b, k.Description)
	b = appendString(append(b, byte(k.Owner.Kind)), k.Owner.ID)
	b = appendUint(b, uint64(k.Scopes))
	for _, list := range [][]string{k.AllowEndpoints, k.AllowProviders, k.AllowUpstreams} {
		b = appendStrings(b, list)
	}
	b = appendUint(b, uint64(k.MaxChildren))
	return append(b, k.Public[:]...)
}

func (r *reader) whole() Key {
	k := r.key()
	k.Description = r.string()
	k.Owner = Owner{Kind: OwnerKind(r.byte()), ID: r.string()}
	scopes := r.uint()
	for _, list := range []*[]string{&k.AllowEndpoints, &k.AllowProviders, &k.AllowUpstreams} {
		*list = r.strings()
	}
	most := r.uint()
	k.Public = [32]byte(r.hash())
	if scopes >= uint64(endOfScopes) || most > MaxChildren {
		r.bad = true
	}
	k.Scopes, k.MaxChildren = Scopes(scopes), uint16(most)
	return k
}

// keyRecord appends the record of a key: a plain one in the first form, so that a
// state without any other is stored as it always was.
func keyRecord(b []byte, k *Key) []byte {
	if k.Plain() {
		b = appendKey(append(b, codecVersion, recordKey), k)
	} else {
		kind := byte(recordWholeKey)
		if k.Suspended {
			kind = recordSuspendedKey
		}
		b = appendWhole(append(b, codecVersion, kind), k)
		b = append(append(b, k.OldHash[:]...), k.OldPublic[:]...)
		b = appendInt(appendInt(b, int64(k.OldUntil)), int64(k.LastUsed))
	}
	b = appendInt(b, int64(k.Created))
	b = appendInt(b, int64(k.Revoked))
	return appendUint(b, k.Version)
}

func (s *State) loadWholeKey(kind byte, r *reader) error {
	k := r.whole()
	k.Suspended = kind == recordSuspendedKey
	k.OldHash, k.OldPublic = r.hash(), [32]byte(r.hash())
	k.OldUntil, k.LastUsed = ledger.Instant(r.int()), ledger.Instant(r.int())
	if !r.bad && (k.Plain() || k.OldUntil < 0 || k.LastUsed < 0 || k.OldHash == Hash{} && (k.OldUntil != 0 || k.OldPublic != [32]byte{}) || s.finds(&k)) {
		r.bad = true // the first form is for such a key, or its parts contradict each other
	}
	return s.loadRest(r, &k)
}

// finds says whether another key has one of k's secrets.
func (s *State) finds(k *Key) bool {
	_, old := s.Find(k.OldHash)
	return k.OldHash != Hash{} && (old || k.OldHash == k.Hash) || s.proves(k.Public) || s.proves(k.OldPublic) ||
		k.OldPublic == k.Public && k.Public != [32]byte{}
}

func appendTouch(b []byte, c *TouchKeys) []byte {
	b = appendUint(appendInt(b, int64(c.At)), uint64(len(c.IDs)))
	for _, id := range c.IDs {
		b = appendString(b, string(id))
	}
	return b
}

func (r *reader) touch() TouchKeys {
	c := TouchKeys{At: ledger.Instant(r.int())}
	for range r.count() {
		c.IDs = append(c.IDs, KeyID(r.string()))
	}
	c.IDs = slices.Clip(c.IDs)
	return c
}
