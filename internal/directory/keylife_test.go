package directory

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"purser/ledger"
)

// goldenLife are the commands that came with the rights of keys, rotation and children.
func goldenLife() []Command {
	k := Key{ID: "bot", Hash: Hash{1, 2}, Name: "bot", Expires: 5000, Description: "nightly büro",
		Owner: Owner{OwnedByAgent, "crawler@1"}, Scopes: ScopeInference | ScopeMint, AllowModels: []string{"gpt-*"},
		AllowEndpoints: []string{"/v1/chat/*"}, AllowProviders: []string{"openai"}, AllowUpstreams: []string{"eu", "us"}, MaxChildren: 7, Public: [32]byte{9, 8}}
	return []Command{
		WriteKey{Key: k}, WriteKey{Expect: AnyVersion, Key: Key{ID: "plain", Hash: Hash{3}}},
		TouchKeys{At: 4000, IDs: []KeyID{"bot", "gone"}},
		AdmitChildren{Parent: "bot", Children: []Child{{ID: ChildID{5}, Generation: 1, Slice: 50_000_000, Expires: 9000}, {ID: ChildID{4}, Generation: 2, Slice: 1, Expires: 8000}}},
		RotateKey{ID: "bot", Hash: Hash{7}, Public: [32]byte{6}, OldUntil: 4900},
	}
}

func TestCompatKeyLife_v1(t *testing.T) {
	var commands, records [][]byte
	s := New()
	for i, c := range goldenLife() {
		commands = append(commands, AppendCommand(nil, c))
		if out := s.Apply(ledger.Instant(i+1)*500, c); out.Code != Applied {
			t.Fatalf("%T: %v", c, out.Code)
		}
	}
	for i, b := range golden(t, "keylife_v1.hex", commands) {
		if c, err := DecodeCommand(b); err != nil || !reflect.DeepEqual(c, goldenLife()[i]) {
			t.Errorf("command %d decodes to %+v, %v", i, c, err)
		}
	}
	for b := range s.Records() {
		records = append(records, bytes.Clone(b))
	}
	back, err := Load(fromRecords(slices.Values(golden(t, "keylife_records_v1.hex", records))))
	if err != nil || back.Digest() != s.Digest() || !slices.EqualFunc(back.Children("bot"), s.Children("bot"), func(a, b *Child) bool { return *a == *b }) {
		t.Errorf("the records load to another state: %v", err)
	}
}

// TestAPlainKeyIsStoredAsItAlwaysWas: an earlier build reads a directory in which
// nobody has used what it does not know.
func TestAPlainKeyIsStoredAsItAlwaysWas(t *testing.T) {
	old, whole := New(), New()
	k := testKey("a")
	apply(t, old, 1, PutKey{Key: k}, Applied)
	apply(t, whole, 1, WriteKey{Key: k}, Applied)
	if old.Digest() != whole.Digest() {
		t.Error("the same key has two stored forms")
	}
}

func TestARotatedSecretCountsUntilItsOverlapIsOver(t *testing.T) {
	s := New()
	k := testKey("a")
	k.Public = [32]byte{1}
	first, second, third := k.Hash, Hash{2}, Hash{3}
	apply(t, s, 10, WriteKey{Key: k}, Applied)
	turn := RotateKey{ID: "a", Hash: second, Public: [32]byte{2}, OldUntil: 100}
	apply(t, s, 20, RotateKey{ID: "b", Hash: second}, UnknownKey)
	apply(t, s, 20, RotateKey{ID: "a"}, InvalidCommand)
	apply(t, s, 20, RotateKey{ID: "a", Hash: second, OldUntil: 21 + MaxOverlap}, InvalidCommand)
	apply(t, s, 20, turn, Applied)
	apply(t, s, 21, turn, Unchanged) // it did not hear the answer
	for _, c := range []struct {
		h    Hash
		at   ledger.Instant
		want Status
	}{{first, 99, Active}, {first, 100, Replaced}, {second, 100, Active}} {
		if got, ok := s.Find(c.h); !ok || got.StatusOf(c.h, c.at) != c.want {
			t.Errorf("secret %x at %d: %v", c.h[0], c.at, got.StatusOf(c.h, c.at))
		}
	}
	if got, ok := s.FindPublic([32]byte{1}); !ok || got.StatusOfPublic([32]byte{1}, 99) != Active || got.StatusOfPublic([32]byte{1}, 100) != Replaced {
		t.Error("children of the secret before do not follow it")
	}
	other := testKey("b")
	other.Hash = first
	apply(t, s, 30, WriteKey{Key: other}, HashTaken)
	other = testKey("b")
	other.Public = [32]byte{1}
	apply(t, s, 30, WriteKey{Key: other}, HashTaken)
	apply(t, s, 30, RotateKey{ID: "a", Hash: first}, HashTaken) // it would come back
	apply(t, s, 30, RotateKey{ID: "a", Hash: second, OldUntil: 50}, Applied)
	if got, _ := s.Find(first); got.StatusOf(first, 50) != Replaced {
		t.Error("the overlap was not shortened")
	}
	apply(t, s, 40, RotateKey{ID: "a", Hash: third}, Applied)
	if _, ok := s.Find(first); ok {
		t.Error("a secret from before the last rotation is found")
	}
	if _, ok := s.Find(second); ok {
		t.Error("a secret without an overlap is found")
	}
	if _, ok := s.FindPublic([32]byte{2}); ok {
		t.Error("what proved its children is found")
	}
	apply(t, s, 50, RevokeKey{ID: "a"}, Applied)
	apply(t, s, 50, RotateKey{ID: "a", Hash: first}, KeyRevoked)
	if got, _ := s.Find(third); got.StatusOf(first, 50) != Revoked {
		t.Error("a revoked key says something else of its secrets")
	}
	apply(t, s, 60, ForgetKey{ID: "a"}, Applied)
	apply(t, s, 60, WriteKey{Key: other}, Applied) // all is free again
	ends := testKey("c")
	ends.Expires = 70
	apply(t, s, 60, WriteKey{Key: ends}, Applied)
	apply(t, s, 70, RotateKey{ID: "c", Hash: first}, KeyExpired)
}

func TestAKeyIsChangedFromTheVersionThatWasSeen(t *testing.T) {
	s := New()
	k := testKey("a")
	k.Public = [32]byte{1}
	apply(t, s, 1, WriteKey{Expect: 3, Key: k}, VersionMismatch)
	apply(t, s, 1, WriteKey{Key: k}, Applied)
	apply(t, s, 2, TouchKeys{At: 2, IDs: []KeyID{"a"}}, Applied) // is no change of the key
	k.Description, k.Public = "text", [32]byte{2}
	apply(t, s, 3, WriteKey{Key: k}, VersionMismatch)
	apply(t, s, 3, WriteKey{Expect: 1, Key: k}, Applied)
	apply(t, s, 3, WriteKey{Expect: 1, Key: k}, Unchanged)
	got, _ := s.Key("a")
	if got.Public != [32]byte{1} || got.LastUsed != 2 || got.Created != 1 || got.Version != 3 {
		t.Errorf("after the change: %+v", got)
	}
	plain := testKey("a")
	plain.Name = "renamed"
	apply(t, s, 4, PutKey{Key: plain}, Applied)
	if got, _ := s.Key("a"); got.Description != "text" || got.Public != [32]byte{1} || got.Name != "renamed" {
		t.Errorf("PutKey lost what it does not carry: %+v", got)
	}
}

func TestLastUsedNeverRunsBackOrAhead(t *testing.T) {
	s := New()
	apply(t, s, 100, PutKey{Key: testKey("a")}, Applied)
	for _, c := range []struct {
		at   ledger.Instant
		want Code
		is   ledger.Instant
	}{{60, Applied, 60}, {50, Unchanged, 60}, {60, Unchanged, 60}, {500, Applied, 100}, {-1, InvalidCommand, 100}} {
		apply(t, s, 100, TouchKeys{At: c.at, IDs: []KeyID{"a", "none"}}, c.want)
		if k, _ := s.Key("a"); k.LastUsed != c.is {
			t.Errorf("after %d: last used %d, want %d", c.at, k.LastUsed, c.is)
		}
	}
	apply(t, s, 100, TouchKeys{At: 1, IDs: make([]KeyID, MaxTouched+1)}, InvalidCommand)
}

func parent(id string, most uint16) Key {
	k := testKey(id)
	k.Public, k.Scopes, k.MaxChildren = [32]byte(testKey(id+" public").Hash), ScopeInference|ScopeMint, most
	return k
}

func admitting(id string, children ...Child) AdmitChildren {
	return AdmitChildren{Parent: KeyID(id), Children: children}
}

func child(n byte, expires ledger.Instant) Child {
	return Child{ID: ChildID{n}, Generation: 1, Slice: 5, Expires: expires}
}

func TestChildrenAreCountedUntilTheyExpire(t *testing.T) {
	s := New()
	apply(t, s, 1, WriteKey{Key: parent("a", 2)}, Applied)
	without := parent("b", 0)
	without.Scopes = 0
	apply(t, s, 1, WriteKey{Key: without}, Applied)
	old := testKey("c")
	old.Scopes = ScopeMint
	apply(t, s, 1, WriteKey{Key: old}, Applied)
	for _, step := range []struct {
		at   ledger.Instant
		c    AdmitChildren
		want Code
	}{
		{2, admitting("a"), InvalidCommand},
		{2, admitting("none", child(1, 50)), UnknownKey},
		{2, admitting("b", child(1, 50)), NoChildren},
		{2, admitting("c", child(1, 50)), NoChildren}, // its secret proves none
		{2, admitting("a", child(1, 2)), ChildExpired},
		{2, admitting("a", child(1, 3+MaxChildLife)), InvalidCommand},
		{2, admitting("a", child(0, 50)), InvalidCommand},
		{2, admitting("a", Child{ID: ChildID{1}, Generation: 4, Expires: 50}), InvalidCommand},
		{2, admitting("a", Child{ID: ChildID{1}, Generation: 1, Slice: -1, Expires: 50}), InvalidCommand},
		{2, admitting("a", child(1, 50), child(2, 60), child(3, 60)), TooManyChildren}, // all or none
		{2, admitting("a", child(1, 50), child(2, 60)), Applied},
		{3, admitting("a", child(2, 60)), Unchanged},
		{3, admitting("a", child(3, 60)), TooManyChildren},
		{50, admitting("a", child(3, 60)), Applied}, // the first is gone
		{51, admitting("a", child(1, 60)), TooManyChildren},
	} {
		apply(t, s, step.at, step.c, step.want)
	}
	if k, _ := s.Key("a"); s.Room(k, 51) != 0 || s.Room(k, 60) != 2 || !s.Admitted("a", ChildID{3}) || s.Admitted("a", ChildID{1}) {
		t.Errorf("room for %d, later %d; children %v", s.Room(k, 51), s.Room(k, 60), s.Children("a"))
	}
	before := s.Clone()
	apply(t, s, 52, RevokeKey{ID: "a"}, Applied)
	apply(t, s, 53, admitting("a", child(4, 60)), KeyRevoked)
	if len(s.Children("a")) != 0 || s.admitted != 0 || len(before.Children("a")) != 2 {
		t.Error("the children of a revoked key are kept, or those of a clone are not")
	}
}

func TestL9ChildrenAreBounded(t *testing.T) {
	s := New()
	for i := range 3 {
		apply1(s, WriteKey{Key: parent(fmt.Sprint("k", i), MaxChildren)})
	}
	apply(t, s, 1, admitting("k0", child(1, 10)), Applied)
	s.admitted = MaxAdmitted // as if there were that many
	apply(t, s, 20, admitting("k1", child(2, 50)), Applied)
	if s.admitted != 1 || len(s.Children("k0")) != 0 {
		t.Errorf("%d are counted after the expired ones went", s.admitted)
	}
	s = New()
	apply1(s, WriteKey{Key: parent("p", MaxChildren)})
	list := make([]*Child, MaxAdmitted)
	for i := range list {
		list[i] = &Child{ID: ChildID{1, byte(i), byte(i >> 8), byte(i >> 16)}, Expires: 100}
	}
	s.adopt("other", list)
	apply(t, s, 20, admitting("p", child(9, 50)), LimitReached)
}

func TestL9TheRightsOfAKeyAreBounded(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, spoil := range map[string]func(*Key){
		"description too long":  func(k *Key) { k.Description = long(MaxDescription + 1) },
		"description of lines":  func(k *Key) { k.Description = "a\nb" },
		"owner of no kind":      func(k *Key) { k.Owner = Owner{ID: "x"} },
		"owner of another kind": func(k *Key) { k.Owner = Owner{endOfOwners, "x"} },
		"owner without id":      func(k *Key) { k.Owner = Owner{OwnedByTeam, ""} },
		"owner with a slash":    func(k *Key) { k.Owner = Owner{OwnedByTeam, "a/b"} },
		"empty endpoint":        func(k *Key) { k.AllowEndpoints = []string{""} },
		"long provider":         func(k *Key) { k.AllowProviders = []string{long(MaxPattern + 1)} },
		"too many upstreams":    func(k *Key) { k.AllowUpstreams = slices.Repeat([]string{"u"}, MaxPatterns+1) },
		"unknown scope":         func(k *Key) { k.Scopes = endOfScopes },
		"too many children":     func(k *Key) { k.MaxChildren = MaxChildren + 1 },
	} {
		k := testKey("a")
		spoil(&k)
		if k.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
		if out := New().Apply(1, WriteKey{Key: k}); out.Code != InvalidCommand {
			t.Errorf("%s: Apply = %v", name, out.Code)
		}
	}
}

func TestOwnersAndScopesHaveNames(t *testing.T) {
	for _, text := range []string{"", "member:a@b.c", "agent:x", "team:blue:sub"} {
		if o, err := ParseOwner(text); err != nil || o.String() != text {
			t.Errorf("ParseOwner(%q) = %+v, %v", text, o, err)
		}
	}
	for _, text := range []string{"x", "team", "team:", "org:a", "team:a b"} {
		if _, err := ParseOwner(text); err == nil {
			t.Errorf("ParseOwner(%q) accepted", text)
		}
	}
	for _, name := range (endOfScopes - 1).Names() {
		if s, err := ParseScope(name); err != nil || !slices.Equal(s.Names(), []string{name}) {
			t.Errorf("ParseScope(%q) = %v, %v", name, s, err)
		}
	}
	if _, err := ParseScope("all"); err == nil || len((endOfScopes-1).Names()) != len(scopeNames) {
		t.Error("a scope has no name, or a name no scope")
	}
	k := Key{}
	if !k.Can(ScopeInference|ScopeModels) || k.Can(ScopeMint) {
		t.Error("a key that names no scopes has not the usual ones")
	}
}

func TestLoadRefusesKeysAndChildrenThatContradictEachOther(t *testing.T) {
	s := New()
	for i, c := range goldenLife() {
		s.Apply(ledger.Instant(i+1)*500, c)
	}
	var good [][]byte
	for b := range s.Records() {
		good = append(good, bytes.Clone(b))
	}
	header := func(keys byte) []byte { return []byte{1, recordHeader, 0, 9, keys} }
	whole := func(change func(*Key)) []byte {
		k := parent("a", 1)
		k.Version = 1
		change(&k)
		return appendRest(&k)
	}
	ok, one := whole(func(*Key) {}), child(1, 50)
	record := func(parent string, c *Child) []byte {
		return appendChild(appendString([]byte{codecVersion, recordChild}, parent), c)
	}
	for name, records := range map[string][][]byte{
		"a plain key in the second form": {header(1), whole(func(k *Key) { *k = Key{ID: "a", Hash: Hash{1}, Version: 1} })},
		"an overlap of nothing":          {header(1), whole(func(k *Key) { k.OldUntil = 5 })},
		"one secret twice":               {header(1), whole(func(k *Key) { k.OldHash, k.OldUntil = k.Hash, 5 })},
		"one proof twice":                {header(1), whole(func(k *Key) { k.OldHash, k.OldPublic = Hash{1}, k.Public })},
		"used before 1970":               {header(1), whole(func(k *Key) { k.LastUsed = -1 })},
		"a proof of two keys":            {header(2), ok, whole(func(k *Key) { k.ID, k.Hash = "b", Hash{1} })},
		"a secret of two keys":           {header(2), ok, whole(func(k *Key) { k.ID, k.Hash, k.Public, k.OldHash = "b", Hash{1}, [32]byte{1}, parent("a", 1).Hash })},
		"a child of nobody":              {header(1), ok, record("b", &one)},
		"a child twice":                  {header(1), ok, record("a", &one), record("a", &one)},
		"a child without an end":         {header(1), ok, record("a", &Child{ID: ChildID{1}, Generation: 1})},
		"a child that is cut":            {header(1), ok, record("a", &one)[:20]},
	} {
		if _, err := Load(seq(records...)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load(seq(header(1), ok, record("a", &one))); err != nil {
		t.Errorf("what is right is refused: %v", err)
	}
	if _, err := Load(seq(good...)); err != nil {
		t.Errorf("what was written is refused: %v", err)
	}
}

// appendRest is the second form of a key's record, whatever the key has.
func appendRest(k *Key) []byte {
	b := appendWhole([]byte{codecVersion, recordWholeKey}, k)
	b = append(append(b, k.OldHash[:]...), k.OldPublic[:]...)
	b = appendInt(appendInt(b, int64(k.OldUntil)), int64(k.LastUsed))
	return appendUint(appendInt(appendInt(b, 0), 0), k.Version)
}
