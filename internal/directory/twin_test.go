package directory

import (
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
)

// twin is the directory as one would write it without snapshots: two maps.
type twin struct {
	now     ledger.Instant
	version uint64
	keys    map[KeyID]Key
	born    map[KeyID]map[ChildID]Child
}

// taken says whether a secret or what proves its children is some key's.
func (w *twin) taken(h Hash, public [32]byte) bool {
	for _, o := range w.keys {
		if o.Hash == h || o.OldHash == h || public != [32]byte{} && (o.Public == public || o.OldPublic == public) {
			return true
		}
	}
	return false
}

func (w *twin) write(k Key, expect uint64) Code {
	old, exists := w.keys[k.ID]
	k.OldHash, k.OldPublic, k.OldUntil, k.LastUsed = Hash{}, [32]byte{}, 0, 0
	k.Created, k.Revoked, k.Version = w.now, 0, 0
	if exists {
		k.Public, k.OldHash, k.OldPublic, k.OldUntil, k.LastUsed = old.Public, old.OldHash, old.OldPublic, old.OldUntil, old.LastUsed
		k.Created, k.Version = old.Created, old.Version
	}
	switch {
	case k.Validate() != nil:
		return InvalidCommand
	case exists && old.Hash != k.Hash:
		return IDTaken
	case exists && old.Revoked != 0:
		return KeyRevoked
	case !exists && w.taken(k.Hash, k.Public):
		return HashTaken
	case exists && reflect.DeepEqual(k, old):
		return Unchanged
	case expect != AnyVersion && expect != old.Version:
		return VersionMismatch
	}
	w.version++
	k.Version = w.version
	w.keys[k.ID] = k
	return Applied
}

func (w *twin) rotate(c RotateKey) Code {
	k, ok := w.keys[c.ID]
	switch {
	case !ok:
		return UnknownKey
	case k.Revoked != 0:
		return KeyRevoked
	case k.Expires != 0 && w.now >= k.Expires:
		return KeyExpired
	case c.OldUntil > w.now+MaxOverlap:
		return InvalidCommand
	case c.Hash != k.Hash && w.taken(c.Hash, c.Public):
		return HashTaken
	}
	was := k
	if c.Hash != k.Hash {
		k.OldHash, k.OldPublic, k.Hash, k.Public = k.Hash, k.Public, c.Hash, c.Public
	}
	k.OldUntil = c.OldUntil
	if c.OldUntil <= w.now || k.OldHash == (Hash{}) {
		k.OldHash, k.OldPublic, k.OldUntil = Hash{}, [32]byte{}, 0
	}
	if reflect.DeepEqual(was, k) {
		return Unchanged
	}
	w.version++
	k.Version = w.version
	w.keys[c.ID] = k
	return Applied
}

func (w *twin) touch(c TouchKeys) Code {
	code := Unchanged
	for _, id := range c.IDs {
		if k, ok := w.keys[id]; ok && k.LastUsed < min(c.At, w.now) {
			k.LastUsed = min(c.At, w.now)
			w.keys[id], code = k, Applied
		}
	}
	if code == Applied {
		w.version++
	}
	return code
}

func (w *twin) admit(c AdmitChildren) Code {
	k, ok := w.keys[c.Parent]
	switch {
	case !ok:
		return UnknownKey
	case k.Revoked != 0:
		return KeyRevoked
	case k.Expires != 0 && w.now >= k.Expires:
		return KeyExpired
	case k.Suspended:
		return KeySuspended
	case k.Scopes&ScopeMint == 0 || k.Public == [32]byte{}:
		return NoChildren
	}
	alive := map[ChildID]Child{}
	for id, ch := range w.born[c.Parent] {
		if ch.Expires > w.now {
			alive[id] = ch
		}
	}
	before := len(alive)
	for _, ch := range c.Children {
		switch {
		case ch.Expires > w.now+MaxChildLife:
			return InvalidCommand
		case ch.Expires <= w.now:
			return ChildExpired
		}
		if _, ok := alive[ch.ID]; !ok {
			alive[ch.ID] = ch
		}
	}
	switch {
	case len(alive) == before:
		return Unchanged
	case len(alive) > k.MayHave():
		return TooManyChildren
	}
	w.version++
	w.born[c.Parent] = alive
	return Applied
}

func (w *twin) apply(now ledger.Instant, c Command) Code {
	w.now = max(w.now, now)
	switch c := c.(type) {
	case PutKey:
		if c.Key.Validate() != nil {
			return InvalidCommand
		}
		old := w.keys[c.Key.ID] // what the command does not carry stays
		k := Key{
			ID: c.Key.ID, Hash: c.Key.Hash, Name: c.Key.Name, Bound: c.Key.Bound, Required: c.Key.Required,
			AllowModels: c.Key.AllowModels, CacheOff: c.Key.CacheOff, Expires: c.Key.Expires,
			Description: old.Description, Owner: old.Owner, Scopes: old.Scopes, AllowEndpoints: old.AllowEndpoints,
			AllowProviders: old.AllowProviders, AllowUpstreams: old.AllowUpstreams, MaxChildren: old.MaxChildren, Public: old.Public, Suspended: old.Suspended,
		}
		return w.write(k, AnyVersion)
	case WriteKey:
		return w.write(c.Key, c.Expect)
	case RotateKey:
		return w.rotate(c)
	case TouchKeys:
		return w.touch(c)
	case AdmitChildren:
		return w.admit(c)
	case RevokeKey:
		k, ok := w.keys[c.ID]
		if !ok {
			return UnknownKey
		}
		if k.Revoked != 0 {
			return Unchanged
		}
		w.version++
		k.Revoked, k.Version = max(1, w.now), w.version
		w.keys[c.ID] = k
		delete(w.born, c.ID)
	case ForgetKey:
		k, ok := w.keys[c.ID]
		if !ok {
			return UnknownKey
		}
		if k.Revoked == 0 && (k.Expires == 0 || w.now < k.Expires) {
			return KeyActive
		}
		w.version++
		delete(w.keys, c.ID)
		delete(w.born, c.ID)
	}
	return Applied
}

// drawNodeCommand draws among few nodes and tokens.
func drawNodeCommand(t *rapid.T) Command {
	id := ledger.NodeID(rapid.SampledFrom([]string{"n1", "n2", "n3", ""}).Draw(t, "node"))
	token := Hash{rapid.Byte().Draw(t, "token") % 4}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		return PutToken{Hash: token, Expires: ledger.Instant(rapid.IntRange(0, 60).Draw(t, "expires"))}
	case 1:
		return SetNode{ID: id, State: NodeState(rapid.IntRange(0, 4).Draw(t, "state"))}
	default:
		n := Node{
			ID: id, Store: ledger.StoreID{rapid.Byte().Draw(t, "store") % 2},
			Address: rapid.SampledFrom([]string{"a:1", "b:1", ""}).Draw(t, "address"),
		}
		if rapid.Bool().Draw(t, "gateway") {
			return AdmitGateway{Token: token, Node: n}
		}
		return AdmitNode{Token: token, Node: n}
	}
}

// drawCommand draws among few IDs and secrets, so that they meet.
func drawCommand(t *rapid.T) Command {
	id := KeyID(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "!"}).Draw(t, "id"))
	switch rapid.IntRange(0, 13).Draw(t, "kind") {
	case 0:
		return RevokeKey{ID: id}
	case 1:
		return ForgetKey{ID: id}
	case 2, 3:
		return RotateKey{ID: id, Hash: drawHash(t), Public: drawPublic(t), OldUntil: ledger.Instant(rapid.IntRange(0, 90).Draw(t, "until"))}
	case 4:
		return TouchKeys{At: ledger.Instant(rapid.IntRange(0, 70).Draw(t, "at")), IDs: []KeyID{id, "b"}}
	case 5, 6:
		c := AdmitChildren{Parent: id}
		for i := range rapid.IntRange(1, 2).Draw(t, "children") {
			c.Children = append(c.Children, Child{ID: ChildID{1 + rapid.Byte().Draw(t, "child")%8}, Generation: uint8(i + 1),
				Slice: 5, Expires: ledger.Instant(rapid.IntRange(1, 90).Draw(t, "ends"))})
		}
		return c
	case 7, 8, 9, 10:
		k := testKey("x")
		k.ID, k.Hash, k.Public = id, drawHash(t), drawPublic(t)
		k.Expires = ledger.Instant(rapid.IntRange(0, 90).Draw(t, "expires"))
		if rapid.Bool().Draw(t, "mint") {
			k.Scopes, k.MaxChildren = ScopeMint|ScopeInference, 2
		}
		k.Suspended = rapid.IntRange(0, 3).Draw(t, "suspended") == 0
		if rapid.Bool().Draw(t, "more") {
			k.Description, k.Owner, k.AllowEndpoints = "text", Owner{OwnedByAgent, "a1"}, []string{"/v1/*"}
		}
		return WriteKey{Expect: rapid.SampledFrom([]uint64{0, 1, 2, 3, AnyVersion, AnyVersion}).Draw(t, "expect"), Key: k}
	default:
		k := testKey(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(t, "secret"))
		k.ID = id
		k.Name = rapid.SampledFrom([]string{"", "one", "two"}).Draw(t, "name")
		k.Expires = ledger.Instant(rapid.IntRange(0, 60).Draw(t, "expires"))
		k.CacheOff = rapid.Bool().Draw(t, "cacheOff")
		if rapid.Bool().Draw(t, "more") {
			k.AllowModels = []string{"m1", "m2"}
			k.Bound.Values[ledger.DimTeam] = "blue"
			k.Bound.Tags = []ledger.Tag{{Name: "x", Value: "y"}}
			k.Required = []ledger.DimRef{{Dim: ledger.DimTag, Tag: "job"}}
		}
		return PutKey{Key: k}
	}
}

func drawHash(t *rapid.T) Hash {
	return testKey(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g"}).Draw(t, "secret")).Hash
}

func drawPublic(t *rapid.T) [32]byte { return [32]byte{rapid.Byte().Draw(t, "public") % 6} }

func TestTwinAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, w := New(), &twin{keys: map[KeyID]Key{}, born: map[KeyID]map[ChildID]Child{}}
		var snaps []*State
		var digests [][32]byte
		for i := range rapid.IntRange(1, 60).Draw(t, "commands") {
			c := drawCommand(t)
			now := ledger.Instant(rapid.IntRange(0, 60).Draw(t, "now"))
			got, want := s.Apply(now, c).Code, w.apply(now, c)
			if got != want {
				t.Fatalf("command %d, %+v: %v, the twin says %v", i, c, got, want)
			}
			if rapid.IntRange(0, 9).Draw(t, "snapshot") == 0 {
				snaps, digests = append(snaps, s.Clone()), append(digests, s.Digest())
			}
		}
		sameAsTwin(t, s, w)
		for i, c := range snaps {
			if c.Digest() != digests[i] {
				t.Fatalf("clone %d changed after it was taken", i)
			}
		}
		back, err := Load(fromRecords(s.Records()))
		if err != nil {
			t.Fatalf("load: %v", err)
		}
		if back.Digest() != s.Digest() {
			t.Fatal("the state that was loaded has another digest")
		}
		sameAsTwin(t, back, w)
	})
}

func sameAsTwin(t *rapid.T, s *State, w *twin) {
	if s.Now() != w.now || s.Version() != w.version || s.Len() != len(w.keys) {
		t.Fatalf("now %d, version %d, len %d; the twin has %d, %d, %d", s.Now(), s.Version(), s.Len(), w.now, w.version, len(w.keys))
	}
	got := map[KeyID]Key{}
	for k := range s.Keys() {
		got[k.ID] = *k
		if f, ok := s.Find(k.Hash); !ok || f != k {
			t.Fatalf("key %s is not found by its hash", k.ID)
		}
		if f, ok := s.Key(k.ID); !ok || f != k {
			t.Fatalf("key %s is not found by its id", k.ID)
		}
		if f, ok := s.Find(k.OldHash); (!ok || f != k) && k.OldHash != (Hash{}) {
			t.Fatalf("key %s is not found by the hash before", k.ID)
		}
		for _, p := range [][32]byte{k.Public, k.OldPublic} {
			if f, ok := s.FindPublic(p); (!ok || f != k) && p != [32]byte{} {
				t.Fatalf("key %s is not found by what proves its children", k.ID)
			}
		}
	}
	if !maps.EqualFunc(got, w.keys, func(a, b Key) bool { return reflect.DeepEqual(a, b) }) {
		t.Fatalf("keys\n%+v\nthe twin has\n%+v", got, w.keys)
	}
	secrets := 0
	for _, k := range w.keys {
		if secrets++; k.OldHash != (Hash{}) {
			secrets++
		}
	}
	if n := len(slices.Collect(s.byHash.all())); n != secrets {
		t.Fatalf("%d secrets lead to keys, there are %d", n, secrets)
	}
	admitted := 0
	for id := range got {
		admitted += len(s.Children(id))
		if len(s.Children(id)) != len(w.born[id]) {
			t.Fatalf("key %s has %d children, the twin says %d", id, len(s.Children(id)), len(w.born[id]))
		}
		for _, c := range s.Children(id) {
			if w.born[id][c.ID] != *c {
				t.Fatalf("child %+v of %s, the twin has %+v", *c, id, w.born[id][c.ID])
			}
		}
	}
	if admitted != s.admitted {
		t.Fatalf("%d children are counted, there are %d", s.admitted, admitted)
	}
}

// TestL8DigestForgetsHistory: two ways to the same content have one digest, and
// tries of one shape.
func TestL8DigestForgetsHistory(t *testing.T) {
	ids := make([]string, 300)
	for i := range ids {
		ids[i] = fmt.Sprint("k", i)
	}
	build := func(order []string) *State {
		s := New()
		for _, id := range order {
			k := testKey(id)
			s.insert(&k)
			s.count++
		}
		return s
	}
	a := build(ids)
	back := slices.Clone(ids)
	slices.Reverse(back)
	b := build(append(back, "extra1", "extra2"))
	for _, id := range []string{"extra1", "extra2"} {
		k, _ := b.Key(KeyID(id))
		b.byID, b.byHash, b.count = b.byID.without(idDigest(k.ID)), b.byHash.without(k.Hash), b.count-1
	}
	if a.Digest() != b.Digest() {
		t.Error("digests differ")
	}
	if !reflect.DeepEqual(a.byID, b.byID) || !reflect.DeepEqual(a.byHash, b.byHash) {
		t.Error("tries differ in shape")
	}
	if _, ok := b.Key("extra1"); ok {
		t.Error("a key that was removed is found")
	}
}

func TestTrieKeysWithALongCommonPrefix(t *testing.T) {
	var a, b [32]byte
	a[31], b[31] = 1, 2
	ka, kb := &Key{ID: "a"}, &Key{ID: "b"}
	tr := trie[Key]{}.with(a, ka).with(b, kb)
	if tr.get(a) != ka || tr.get(b) != kb || tr.get([32]byte{}) != nil {
		t.Error("keys that differ in the last digit are confused")
	}
	if got := slices.Collect(tr.all()); !slices.Equal(got, []*Key{ka, kb}) {
		t.Errorf("all = %v", got)
	}
	if tr = tr.without(b); tr.root.child != nil || tr.get(a) != ka {
		t.Error("what is left of a trie with one key is not a leaf")
	}
	if tr = tr.without(b).without(a); tr.root != nil {
		t.Error("an empty trie has a root")
	}
	for range tr.with(a, ka).with(b, kb).all() {
		break // an iteration may be left
	}
}

func fromRecords(records iter.Seq[[]byte]) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for b := range records {
			if !yield(b, nil) {
				return
			}
		}
	}
}
