package node

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"regexp"
	"strings"
	"testing"

	"purser/childkey"
	"purser/internal/directory"
	"purser/ledger"
	"purser/proxy"
)

func ringOf(t *testing.T, commands ...directory.Command) (*keyRing, *directory.State) {
	t.Helper()
	s := directory.New()
	for i, c := range commands {
		if out := s.Apply(ledger.Instant(i+1)*ledger.Minute, c); out.Code != directory.Applied {
			t.Fatalf("%T: %v", c, out.Code)
		}
	}
	ring := &keyRing{}
	ring.swap(s)
	return ring, s
}

func TestAKeyIsWhatTheDirectorySaysNow(t *testing.T) {
	secret, hash, public := newSecret()
	_, second, third := newSecret()
	if public != childkey.Public(secret) {
		t.Error("another key pair")
	}
	k := directory.Key{ID: "k", Hash: hash, Public: public, AllowModels: []string{"a*"}, AllowProviders: []string{"p"}, Scopes: directory.ScopeMint}
	ring, s := ringOf(t, directory.WriteKey{Key: k}, directory.RotateKey{ID: "k", Hash: second, Public: third, OldUntil: 10 * ledger.Minute})
	p, state := ring.Find(hash, 9*ledger.Minute)
	if state != proxy.KeyActive || p.ID != "k" || p.Models.Allows("b") || !p.Endpoints.Allows("/x") || p.Providers.Allows("q") || p.Barred != proxy.Inference|proxy.Embeddings|proxy.ListModels|proxy.OwnUsage|proxy.TraceCache {
		t.Errorf("found %+v, %v", p, state)
	}
	for _, c := range []struct {
		find func() (*proxy.Principal, proxy.KeyState)
		want proxy.KeyState
	}{
		{func() (*proxy.Principal, proxy.KeyState) { return ring.Find(hash, 10*ledger.Minute) }, proxy.KeyReplaced},
		{func() (*proxy.Principal, proxy.KeyState) { return ring.Find(second, 10*ledger.Minute) }, proxy.KeyActive},
		{func() (*proxy.Principal, proxy.KeyState) { return ring.FindPublic(public, 9*ledger.Minute) }, proxy.KeyActive},
		{func() (*proxy.Principal, proxy.KeyState) { return ring.FindPublic(public, 10*ledger.Minute) }, proxy.KeyReplaced},
		{func() (*proxy.Principal, proxy.KeyState) { return ring.FindPublic([32]byte{9}, 0) }, proxy.KeyUnknown},
	} {
		if got, state := c.find(); state != c.want || state == proxy.KeyActive && got != p {
			t.Errorf("%+v, %v, want %v", got, state, c.want)
		}
	}
	s.Apply(20*ledger.Minute, directory.RevokeKey{ID: "k"})
	ring.swap(s)
	if _, state := ring.FindPublic(public, 9*ledger.Minute); state != proxy.KeyRevoked {
		t.Errorf("of a revoked key: %v", state)
	}
	if n := testing.AllocsPerRun(100, func() { ring.Find(second, 10*ledger.Minute) }); n != 0 {
		t.Errorf("finding a key allocates %v times", n)
	}
}

func TestWhatWasUsedIsSaidOnceAMinute(t *testing.T) {
	a, b := directory.Key{ID: "a", Hash: directory.Hash{1}}, directory.Key{ID: "b", Hash: directory.Hash{2}}
	ring, s := ringOf(t, directory.PutKey{Key: a}, directory.PutKey{Key: b})
	if due := ring.used.due(s); len(due) != 0 {
		t.Errorf("nothing was used: %v", due)
	}
	at := 100*ledger.Minute + 7*ledger.Second
	ring.Find(a.Hash, at)
	ring.swap(s) // what was used is known after a change of the directory
	ring.Find(a.Hash, at-ledger.Minute)
	ring.Find(b.Hash, at-ledger.Minute)
	due := ring.used.due(s)
	if fmt.Sprint(due) != fmt.Sprint([]directory.TouchKeys{{At: 99 * ledger.Minute, IDs: []directory.KeyID{"b"}}, {At: 100 * ledger.Minute, IDs: []directory.KeyID{"a"}}}) {
		t.Errorf("due is %v", due)
	}
	ring.used.said(due[1])
	if left := ring.used.due(s); len(left) != 1 || left[0].IDs[0] != "b" {
		t.Errorf("after one was said: %v", left)
	}
	s.Apply(200*ledger.Minute, due[0]) // another node said it
	if left := ring.used.due(s); len(left) != 0 {
		t.Errorf("what is known is said again: %v", left)
	}
	s.Apply(201*ledger.Minute, directory.RevokeKey{ID: "a"})
	s.Apply(202*ledger.Minute, directory.ForgetKey{ID: "a"})
	ring.used.due(s)
	if _, kept := ring.used.all.Load(directory.KeyID("a")); kept {
		t.Error("a key that is gone is remembered")
	}
	many := make([]directory.KeyID, 0, maxTouches*directory.MaxTouched+1)
	for i := range cap(many) {
		id := directory.KeyID(fmt.Sprint("k", i))
		s.Apply(203*ledger.Minute, directory.PutKey{Key: directory.Key{ID: id, Hash: directory.Hash{3, byte(i), byte(i >> 8), byte(i >> 16)}}})
		ring.used.of(id).note(at)
		many = append(many, id)
	}
	if due := ring.used.due(s); len(due) != maxTouches || len(due[0].IDs) != directory.MaxTouched {
		t.Errorf("%d commands for %d keys", len(due), len(many))
	}
}

// TestScannersFindSecrets: the published rules find every kind of secret, and not
// what merely looks like one.
func TestScannersFindSecrets(t *testing.T) {
	text, err := os.ReadFile("../docs/secret-scanning/purser.toml")
	if err != nil {
		t.Fatal(err)
	}
	var rules []*regexp.Regexp
	for _, m := range regexp.MustCompile(`(?m)^regex = '''(.*)'''$`).FindAllStringSubmatch(string(text), -1) {
		rules = append(rules, regexp.MustCompile(m[1]))
	}
	if len(rules) != 2 {
		t.Fatalf("%d rules", len(rules))
	}
	find := func(s string) (found []string) {
		for _, r := range rules {
			for _, m := range r.FindAllStringSubmatch(s, -1) {
				found = append(found, m[1])
			}
		}
		return found
	}
	for i := range 200 {
		secret, _, _ := newSecret()
		child, err := childkey.Mint(secret, childkey.Caveats{Expires: 1_900_000_000})
		if err != nil {
			t.Fatal(err)
		}
		grand, _ := childkey.Mint(child, childkey.Caveats{Expires: 1_900_000_000, Models: []string{"gpt-*"}})
		sealed, _ := childkey.Seal(grand)
		for _, s := range []string{secret, secret[:43], child, grand, sealed} {
			for _, around := range []string{"%s", "OPENAI_API_KEY=%s\n", `{"key":"%s"}`, "Authorization: Bearer %s, next", "url?key=%s&x=1", "(%s)"} {
				if got := find(fmt.Sprintf(around, s)); len(got) != 1 || got[0] != s {
					t.Fatalf("%d: in %q of a secret of %d characters: found %q", i, around, len(s), got)
				}
			}
		}
	}
	for _, s := range []string{
		"pk_live_51Hh8q2eZvKYlo2C0a1b2c3d4e5f6g7h8i9j0k1l2m3n", "pk_test_abcdefghijklmnopqrstuvwxyz234567abcdefgh",
		"pk_abcdefghijklmnopqrstuvwxyz234567abcdefg", "pk_abcdefghijklmnopqrstuvwxyz234567abcdefghijklm",
		"pk_ABCDEFGHIJKLMNOPQRSTUVWXYZ234567ABCDEFGH", "apk_abcdefghijklmnopqrstuvwxyz234567abcdefgh", "pk_0123456789012345678901234567890123456789",
		"pk_user_id integer primary key", "pk_c_", "pk_c_short.a.b.c", strings.Repeat("pk_", 20), "tpk_c_" + strings.Repeat("A", 43) + "." + strings.Repeat("e.", 3),
		"pk_" + strings.Repeat("a", 60), "mypk_" + strings.Repeat("b", 47),
	} {
		if got := find(s); len(got) != 0 {
			t.Errorf("%q is taken for %q", s, got)
		}
	}
}

func TestASecretCarriesItsChecksum(t *testing.T) {
	secret, _, _ := newSecret()
	body, sum := secret[:43], secret[43:]
	if want := lowerBase32.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(body)))); sum != want || len(secret) != 50 {
		t.Errorf("secret of %d characters ends with %s, want %s", len(secret), sum, want)
	}
}
