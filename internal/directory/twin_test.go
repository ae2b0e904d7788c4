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
}

func (w *twin) apply(now ledger.Instant, c Command) Code {
	w.now = max(w.now, now)
	switch c := c.(type) {
	case PutKey:
		k := c.Key
		if k.Validate() != nil {
			return InvalidCommand
		}
		old, exists := w.keys[k.ID]
		if exists && old.Hash != k.Hash {
			return IDTaken
		}
		if exists && old.Revoked != 0 {
			return KeyRevoked
		}
		for _, o := range w.keys {
			if !exists && o.Hash == k.Hash {
				return HashTaken
			}
		}
		k.Created, k.Revoked, k.Version = w.now, 0, 0
		if exists {
			k.Created, k.Version = old.Created, old.Version
			if reflect.DeepEqual(k, old) {
				return Unchanged
			}
		}
		w.version++
		k.Version = w.version
		w.keys[k.ID] = k
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
	switch rapid.IntRange(0, 4).Draw(t, "kind") {
	case 0:
		return RevokeKey{ID: id}
	case 1:
		return ForgetKey{ID: id}
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

func TestTwinAgrees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, w := New(), &twin{keys: map[KeyID]Key{}}
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
	}
	if !maps.EqualFunc(got, w.keys, func(a, b Key) bool { return reflect.DeepEqual(a, b) }) {
		t.Fatalf("keys\n%+v\nthe twin has\n%+v", got, w.keys)
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
