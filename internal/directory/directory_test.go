package directory

import (
	"crypto/sha256"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"purser/ledger"
)

// testKey is a valid key with a secret of its own.
func testKey(id string) Key {
	return Key{ID: KeyID(id), Hash: sha256.Sum256([]byte("secret of " + id)), Name: "key " + id}
}

func apply(t *testing.T, s *State, now ledger.Instant, c Command, want Code) {
	t.Helper()
	before := s.Digest()
	out := s.Apply(now, c)
	if out.Code != want {
		t.Fatalf("Apply(%d, %T) = %v, want %v", now, c, out.Code, want)
	}
	if out.Version != s.Version() {
		t.Fatalf("Apply(%d, %T) answers version %d, the state has %d", now, c, out.Version, s.Version())
	}
	if changed := s.Digest() != before; now <= s.Now() && want == Applied && !changed {
		t.Fatalf("Apply(%d, %T) was applied and changed nothing", now, c)
	}
}

func TestLifeOfAKey(t *testing.T) {
	s := New()
	k := testKey("k1")
	k.Expires = 100
	apply(t, s, 10, PutKey{Key: k}, Applied)
	got, ok := s.Find(k.Hash)
	if !ok || got.ID != "k1" || got.Created != 10 || got.Version != 1 {
		t.Fatalf("Find after creation = %+v, %v", got, ok)
	}
	if got.Status(99) != Active || got.Status(100) != Expired {
		t.Errorf("status before and at expiry = %v, %v", got.Status(99), got.Status(100))
	}

	apply(t, s, 20, PutKey{Key: k}, Unchanged)
	k.Name, k.AllowModels = "renamed", []string{"gpt-5"}
	apply(t, s, 30, PutKey{Key: k}, Applied)
	if after, _ := s.Key("k1"); after.Created != 10 || after.Name != "renamed" || after.Version != 2 {
		t.Errorf("after a change = %+v", after)
	}
	if got.Name != "key k1" || got.AllowModels != nil {
		t.Errorf("a key that was handed out was written: %+v", got)
	}

	apply(t, s, 40, ForgetKey{ID: "k1"}, KeyActive)
	apply(t, s, 50, RevokeKey{ID: "k1"}, Applied)
	apply(t, s, 60, RevokeKey{ID: "k1"}, Unchanged)
	apply(t, s, 60, PutKey{Key: k}, KeyRevoked)
	after, ok := s.Find(k.Hash)
	if !ok || after.Revoked != 50 || after.Status(50) != Revoked || after.Status(500) != Revoked {
		t.Errorf("after revocation = %+v, %v", after, ok)
	}

	apply(t, s, 70, ForgetKey{ID: "k1"}, Applied)
	if _, ok := s.Find(k.Hash); ok || s.Len() != 0 {
		t.Error("a forgotten key is still found")
	}
	apply(t, s, 70, ForgetKey{ID: "k1"}, UnknownKey)
	apply(t, s, 70, RevokeKey{ID: "k1"}, UnknownKey)
	apply(t, s, 80, PutKey{Key: k}, Applied)
}

func TestAnExpiredKeyMayBeForgottenAndAnActiveOneNot(t *testing.T) {
	s := New()
	k := testKey("k1")
	k.Expires = 100
	apply(t, s, 10, PutKey{Key: k}, Applied)
	apply(t, s, 99, ForgetKey{ID: "k1"}, KeyActive)
	apply(t, s, 100, ForgetKey{ID: "k1"}, Applied)
}

func TestASecretBelongsToOneKeyAndNeverChanges(t *testing.T) {
	s := New()
	a, b := testKey("a"), testKey("b")
	apply(t, s, 1, PutKey{Key: a}, Applied)
	stolen := b
	stolen.Hash = a.Hash
	apply(t, s, 1, PutKey{Key: stolen}, HashTaken)
	rotated := a
	rotated.Hash = b.Hash
	apply(t, s, 1, PutKey{Key: rotated}, IDTaken)
	if k, ok := s.Find(a.Hash); !ok || k.ID != "a" {
		t.Errorf("the owner of the secret is %v, %v", k, ok)
	}
}

func TestARevocationAtInstantZeroIsOne(t *testing.T) {
	s := New()
	apply(t, s, 0, PutKey{Key: testKey("a")}, Applied)
	apply(t, s, 0, RevokeKey{ID: "a"}, Applied)
	if k, _ := s.Key("a"); k.Status(0) != Revoked {
		t.Error("a key revoked at instant 0 is active")
	}
}

func TestL7DirectoryTimeNeverRunsBack(t *testing.T) {
	s := New()
	apply(t, s, 100, PutKey{Key: testKey("a")}, Applied)
	apply(t, s, 50, PutKey{Key: testKey("b")}, Applied)
	if k, _ := s.Key("b"); k.Created != 100 || s.Now() != 100 {
		t.Errorf("created at %d, now %d, want 100", k.Created, s.Now())
	}
}

func TestPutKeyCopiesItsInput(t *testing.T) {
	s := New()
	k := testKey("a")
	k.AllowModels = []string{"m"}
	k.Required = []ledger.DimRef{{Dim: ledger.DimTeam}}
	k.Bound.Tags = []ledger.Tag{{Name: "n", Value: "v"}}
	apply(t, s, 1, PutKey{Key: k}, Applied)
	k.AllowModels[0], k.Required[0].Dim, k.Bound.Tags[0].Value = "x", ledger.DimOrg, "x"
	got, _ := s.Key("a")
	if got.AllowModels[0] != "m" || got.Required[0].Dim != ledger.DimTeam || got.Bound.Tags[0].Value != "v" {
		t.Errorf("the stored key follows its input: %+v", got)
	}
}

func TestL9EveryFieldHasALimit(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	tags := func(n int) (out []ledger.Tag) {
		for i := range n {
			out = append(out, ledger.Tag{Name: fmt.Sprintf("t%02d", i), Value: "v"})
		}
		return out
	}
	cases := map[string]func(*Key){
		"no id":                   func(k *Key) { k.ID = "" },
		"id too long":             func(k *Key) { k.ID = KeyID(long(MaxKeyID + 1)) },
		"id with a slash":         func(k *Key) { k.ID = "a/b" },
		"id in capitals":          func(k *Key) { k.ID = "A" },
		"no hash":                 func(k *Key) { k.Hash = Hash{} },
		"name too long":           func(k *Key) { k.Name = long(MaxKeyName + 1) },
		"name of two lines":       func(k *Key) { k.Name = "a\nb" },
		"name not UTF-8":          func(k *Key) { k.Name = "\xff" },
		"expired before 1970":     func(k *Key) { k.Expires = -1 },
		"dimension too long":      func(k *Key) { k.Bound.Values[ledger.DimTeam] = long(ledger.MaxDimValue + 1) },
		"dimension with CR":       func(k *Key) { k.Bound.Values[ledger.DimTeam] = "a\rb" },
		"another key's dimension": func(k *Key) { k.Bound.Values[ledger.DimKey] = "other" },
		"too many tags":           func(k *Key) { k.Bound.Tags = tags(ledger.MaxTags + 1) },
		"tag twice":               func(k *Key) { k.Bound.Tags = []ledger.Tag{{Name: "a", Value: "1"}, {Name: "a", Value: "2"}} },
		"tags out of order":       func(k *Key) { k.Bound.Tags = []ledger.Tag{{Name: "b", Value: "1"}, {Name: "a", Value: "2"}} },
		"tag without name":        func(k *Key) { k.Bound.Tags = []ledger.Tag{{Value: "1"}} },
		"tag without value":       func(k *Key) { k.Bound.Tags = []ledger.Tag{{Name: "a"}} },
		"tag name too long":       func(k *Key) { k.Bound.Tags = []ledger.Tag{{Name: long(ledger.MaxTagName + 1), Value: "v"}} },
		"tag value too long":      func(k *Key) { k.Bound.Tags = []ledger.Tag{{Name: "a", Value: long(ledger.MaxDimValue + 1)}} },
		"unknown dimension":       func(k *Key) { k.Required = []ledger.DimRef{{Dim: ledger.DimTag + 1}} },
		"dimension with a tag":    func(k *Key) { k.Required = []ledger.DimRef{{Dim: ledger.DimOrg, Tag: "t"}} },
		"required tag, no name":   func(k *Key) { k.Required = []ledger.DimRef{{Dim: ledger.DimTag}} },
		"required twice":          func(k *Key) { k.Required = []ledger.DimRef{{Dim: ledger.DimOrg}, {Dim: ledger.DimOrg}} },
		"too many required":       func(k *Key) { k.Required = make([]ledger.DimRef, MaxRequired+1) },
		"too many models":         func(k *Key) { k.AllowModels = slices.Repeat([]string{"m"}, MaxModels+1) },
		"empty model":             func(k *Key) { k.AllowModels = []string{""} },
		"model name too long":     func(k *Key) { k.AllowModels = []string{long(MaxModelName + 1)} },
	}
	for name, spoil := range cases {
		k := testKey("a")
		if err := k.Validate(); err != nil {
			t.Fatalf("a valid key: %v", err)
		}
		spoil(&k)
		if k.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
		if out := New().Apply(1, PutKey{Key: k}); out.Code != InvalidCommand {
			t.Errorf("%s: Apply = %v", name, out.Code)
		}
	}
}

func TestL9FullestKeyIsAccepted(t *testing.T) {
	if err := fullKey().Validate(); err != nil {
		t.Error(err)
	}
}

// fullKey is a key with every field at its limit.
func fullKey() *Key {
	k := testKey(strings.Repeat("k", MaxKeyID))
	k.Name = strings.Repeat("n", MaxKeyName)
	k.CacheOff, k.Expires = true, ledger.MaxInstant
	for i := range k.Bound.Values {
		k.Bound.Values[i] = strings.Repeat("d", ledger.MaxDimValue)
		k.Required = append(k.Required, ledger.DimRef{Dim: ledger.Dim(i)})
	}
	k.Bound.Values[ledger.DimKey] = string(k.ID)
	for i := range ledger.MaxTags {
		name := fmt.Sprintf("%02d", i) + strings.Repeat("t", ledger.MaxTagName-2)
		k.Bound.Tags = append(k.Bound.Tags, ledger.Tag{Name: name, Value: strings.Repeat("v", ledger.MaxDimValue)})
		k.Required = append(k.Required, ledger.DimRef{Dim: ledger.DimTag, Tag: name})
	}
	for range MaxModels {
		k.AllowModels = append(k.AllowModels, strings.Repeat("m", MaxModelName))
	}
	return &k
}

func TestL9TableIsFull(t *testing.T) {
	s := New()
	apply(t, s, 1, PutKey{Key: testKey("a")}, Applied)
	s.count = MaxKeys // as if it were full
	out := s.Apply(1, PutKey{Key: testKey("b")})
	if out.Code != LimitReached {
		t.Errorf("a key beyond the limit = %v", out.Code)
	}
	changed := testKey("a")
	changed.Name = "still allowed"
	if out := s.Apply(1, PutKey{Key: changed}); out.Code != Applied {
		t.Errorf("a change in a full table = %v", out.Code)
	}
}

func TestErrorsHoldNoSecret(t *testing.T) {
	k := testKey("a")
	k.Name, k.AllowModels = "private\n", []string{"private\n"}
	if err := k.Validate(); err == nil || strings.Contains(err.Error(), "private") || strings.Contains(err.Error(), string(k.Hash[:])) {
		t.Errorf("Validate = %v", err)
	}
}

func TestFindDoesNotAllocate(t *testing.T) {
	s := New()
	for i := range 1000 {
		apply1(s, PutKey{Key: testKey(fmt.Sprint("k", i))})
	}
	h := testKey("k500").Hash
	if n := testing.AllocsPerRun(100, func() { _, _ = s.Find(h) }); n != 0 {
		t.Errorf("Find allocates %v times", n)
	}
}

func apply1(s *State, c Command) { s.Apply(1, c) }

func BenchmarkFind(b *testing.B) {
	s := New()
	hashes := make([]Hash, 100_000)
	for i := range hashes {
		k := testKey(fmt.Sprint("k", i))
		hashes[i] = k.Hash
		apply1(s, PutKey{Key: k})
	}
	r := rand.New(rand.NewSource(1))
	r.Shuffle(len(hashes), func(i, j int) { hashes[i], hashes[j] = hashes[j], hashes[i] })
	b.ResetTimer()
	for i := 0; b.Loop(); i++ {
		if _, ok := s.Find(hashes[i%len(hashes)]); !ok {
			b.Fatal("not found")
		}
	}
}

func ExampleState_Apply() {
	s := New()
	hash := Hash(sha256.Sum256([]byte("sk-purser-example")))
	out := s.Apply(1_000, PutKey{Key: Key{ID: "ci", Hash: hash, Expires: 2_000}})
	key, _ := s.Find(hash)
	fmt.Println(out.Code, key.ID, key.Status(1_500) == Active, key.Status(2_000) == Active)
	// Output: applied ci true false
}
