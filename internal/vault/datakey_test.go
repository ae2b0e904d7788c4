package vault

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
)

// The vectors of https://c2sp.org/XAES-256-GCM: one for each value of the bit that
// is carried when the mask is made.
func TestDataKeyIsXAES(t *testing.T) {
	for _, c := range []struct {
		key                      byte
		bound, plain, ciphertext string
	}{
		{1, "", "XAES-256-GCM", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		k, err := NewDataKey(bytes.Repeat([]byte{c.key}, keySize))
		if err != nil {
			t.Fatal(err)
		}
		nonce := []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
		got := k.seal(nil, nonce, []byte(c.plain), []byte(c.bound))
		if hex.EncodeToString(got[dataHeader:]) != c.ciphertext {
			t.Errorf("key %d: %x", c.key, got[dataHeader:])
		}
		if back, err := k.Open([]byte(">"), got, []byte(c.bound)); err != nil || string(back) != ">"+c.plain {
			t.Errorf("key %d: %q, %v", c.key, back, err)
		}
	}
}

func TestDataKeyNoticesEveryFlippedBit(t *testing.T) {
	k, _, err := MakeDataKey(t.Context(), masterOf(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	sealed := k.Seal(nil, []byte("an answer"), []byte("its key"))
	if len(sealed) != len("an answer")+DataOverhead {
		t.Errorf("%d bytes", len(sealed))
	}
	for i := range sealed {
		for bit := range 8 {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1 << bit
			_, err := k.Open(nil, bad, []byte("its key"))
			if want := map[bool]error{true: ErrOtherKey, false: ErrDamaged}[i < dataKeyID]; !errors.Is(err, want) {
				t.Fatalf("byte %d, bit %d: %v", i, bit, err)
			}
		}
		if _, err := k.Open(nil, sealed[:i], []byte("its key")); err == nil {
			t.Fatalf("%d bytes of it are opened", i)
		}
	}
	if _, err := k.Open(nil, sealed, []byte("another")); !errors.Is(err, ErrDamaged) {
		t.Errorf("bound to another: %v", err)
	}
	if bytes.Contains(sealed, []byte("answer")) || bytes.Equal(sealed, k.Seal(nil, []byte("an answer"), []byte("its key"))) {
		t.Error("the plain text shows, or the same text is sealed alike")
	}
}

func TestDataKeyIsKeptWrapped(t *testing.T) {
	old, next := masterOf(t, 1), masterOf(t, 2)
	find := func(id string) (Wrapper, error) {
		for _, w := range []Wrapper{old, next} {
			if w.KeyID() == id {
				return w, nil
			}
		}
		return nil, &UnknownMasterError{id}
	}
	k, kept, err := MakeDataKey(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	sealed := k.Seal(nil, []byte("text"), nil)
	for _, should := range []Wrapper{old, next, next} {
		k, again, err := OpenDataKey(t.Context(), kept, find, should)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Open(nil, sealed, nil); err != nil || string(got) != "text" {
			t.Fatalf("%q, %v", got, err)
		}
		if moved := !strings.Contains(string(kept), should.KeyID()); (again != nil) != moved {
			t.Errorf("wrapped again: %v", again != nil)
		}
		if again != nil {
			kept = again
		}
	}
	var unknown *UnknownMasterError
	if _, _, err := OpenDataKey(t.Context(), kept, func(id string) (Wrapper, error) { return nil, &UnknownMasterError{id} }, old); !errors.As(err, &unknown) {
		t.Errorf("without its master key: %v", err)
	}
	for i := range kept {
		bad := bytes.Clone(kept)
		bad[i] ^= 1
		if _, _, err := OpenDataKey(t.Context(), bad, find, next); err == nil {
			t.Fatalf("byte %d changed, and it is opened", i)
		}
		if _, _, err := OpenDataKey(t.Context(), kept[:i], find, next); err == nil {
			t.Fatalf("%d bytes of it are opened", i)
		}
	}
}

// What a build has kept, every later one opens.
func TestCompatDataKey(t *testing.T) {
	kept, err := hex.DecodeString(goldenDataKey)
	if err != nil {
		t.Fatal(err)
	}
	master := masterOf(t, 7)
	k, again, err := OpenDataKey(t.Context(), kept, func(string) (Wrapper, error) { return master, nil }, master)
	if err != nil || again != nil {
		t.Fatalf("%v", err)
	}
	sealed, err := hex.DecodeString(goldenSealed)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.Open(nil, sealed, []byte("golden")); err != nil || string(got) != "a sealed answer" {
		t.Errorf("%q, %v", got, err)
	}
}

const (
	goldenDataKey = "01166c6f63616c3a3065613735623935613139386339323862978e2597b70f9f18fcf6d223facfc9fc05de6ad951ffe50aaf0e9296e682ffa6e62596889fc69f682e47e4e5aec2491158f7aae8e77cd43da4f4df"
	goldenSealed  = "7738d1bff6c6709bac803daa442a41fa7db2880908b8e18258e036523c3eb3e9baa99776198e4c3b5393d219da72f625f9682b34a8d6884c6c8f4e"
)

func masterOf(t *testing.T, b byte) *LocalKey {
	t.Helper()
	k, err := NewLocalKey(bytes.Repeat([]byte{b}, keySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func BenchmarkDataKeySeal(b *testing.B) {
	k, err := NewDataKey(make([]byte, keySize))
	if err != nil {
		b.Fatal(err)
	}
	plain, out := make([]byte, 4<<10), []byte(nil)
	b.SetBytes(int64(len(plain)))
	b.ReportAllocs()
	for b.Loop() {
		out = k.Seal(out[:0], plain, nil)
	}
}
