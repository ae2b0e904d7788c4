package vault

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func key(t testing.TB, fill byte) *LocalKey {
	t.Helper()
	k, err := NewLocalKey(bytes.Repeat([]byte{fill}, keySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// with is a Vault with these master keys, the first the current one.
func with(t testing.TB, keys ...Wrapper) *Vault {
	t.Helper()
	m, err := OpenMasters(func() ([]Wrapper, error) { return keys, nil })
	if err != nil {
		t.Fatal(err)
	}
	return New(m)
}

func seal(t testing.TB, v *Vault, b Binding, secret string, was Sealed) (Sealed, string) {
	t.Helper()
	s, fp, err := v.Seal(context.Background(), b, []byte(secret), was)
	if err != nil {
		t.Fatal(err)
	}
	return s, fp
}

func open(t testing.TB, v *Vault, b Binding, s Sealed) string {
	t.Helper()
	secret, err := v.Open(context.Background(), b, s)
	if err != nil {
		t.Fatal(err)
	}
	return string(secret)
}

// TestWhatIsSealedIsOpened: any secret, through its stored forms, and nothing of it shows.
func TestWhatIsSealedIsOpened(t *testing.T) {
	v := with(t, key(t, 1))
	rapid.Check(t, func(rt *rapid.T) {
		secret := rapid.SliceOfN(rapid.Byte(), 8, 300).Draw(rt, "secret")
		b := Binding{rapid.String().Draw(rt, "id"), rapid.String().Draw(rt, "provider")}
		s, fp, err := v.Seal(context.Background(), b, secret, Sealed{})
		if err != nil {
			rt.Fatal(err)
		}
		text, err := json.Marshal(s)
		if err != nil {
			rt.Fatal(err)
		}
		var again Sealed
		if err := json.Unmarshal(text, &again); err != nil {
			rt.Fatal(err)
		}
		got, err := v.Open(context.Background(), b, again)
		if err != nil || !bytes.Equal(got, secret) {
			rt.Fatalf("%q, %v", got, err)
		}
		raw, _ := s.AppendBinary(nil)
		if bytes.Contains(raw, secret) || strings.Contains(fp, string(secret)) {
			rt.Fatal("the secret shows")
		}
	})
}

// TestEveryFlippedBitIsRefused, in the stored form of a secret.
func TestEveryFlippedBitIsRefused(t *testing.T) {
	v := with(t, key(t, 1))
	b := Binding{"a", "openai"}
	s, _ := seal(t, v, b, "sk-of-one-provider", Sealed{})
	raw, _ := s.AppendBinary(nil)
	for i := range 8 * len(raw) {
		damaged := bytes.Clone(raw)
		damaged[i/8] ^= 1 << (i % 8)
		var other Sealed
		if err := other.UnmarshalBinary(damaged); err != nil {
			continue
		}
		if got, err := v.Open(context.Background(), b, other); err == nil {
			t.Fatalf("bit %d: %q is opened", i, got)
		}
	}
	for n := range raw {
		var other Sealed
		if err := other.UnmarshalBinary(raw[:n]); err == nil {
			if _, err := v.Open(context.Background(), b, other); err == nil {
				t.Fatalf("its first %d bytes are opened", n)
			}
		}
	}
}

// TestCiphertextsCannotBeExchanged: between ids, providers, generations and data
// keys; whoever can write the replicated state gains nothing by it.
func TestCiphertextsCannotBeExchanged(t *testing.T) {
	v := with(t, key(t, 1))
	a, b := Binding{"a", "openai"}, Binding{"b", "openai"}
	first, _ := seal(t, v, a, "secret-of-a", Sealed{})
	second, _ := seal(t, v, a, "secret-of-a", first)
	other, _ := seal(t, v, b, "secret-of-b", Sealed{})
	forged := func(change func(*Sealed)) Sealed {
		s := first
		change(&s)
		return s
	}
	for name, x := range map[string]struct {
		b Binding
		s Sealed
	}{
		"another id":                 {b, first},
		"another provider":           {Binding{"a", "evil"}, first},
		"a shifted border":           {Binding{"ao", "penai"}, first},
		"another's data key":         {a, forged(func(s *Sealed) { s.wrapped = other.wrapped })},
		"another's ciphertext":       {a, forged(func(s *Sealed) { s.text, s.nonce = other.text, other.nonce })},
		"another generation":         {a, forged(func(s *Sealed) { s.Generation++ })},
		"the data key of the next":   {a, forged(func(s *Sealed) { s.wrapped, s.Generation = second.wrapped, second.Generation })},
		"a data key as a ciphertext": {a, forged(func(s *Sealed) { s.text = s.wrapped[nonceSize:] })},
	} {
		if got, err := v.Open(context.Background(), x.b, x.s); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if open(t, v, a, first) != "secret-of-a" || open(t, v, b, other) != "secret-of-b" {
		t.Error("what was not exchanged is not opened")
	}
}

// TestFingerprints: the same key of the same credential is known again, through
// rotations too, and nobody can compute it from outside.
func TestFingerprints(t *testing.T) {
	old, current := key(t, 1), key(t, 2)
	v := with(t, current, old)
	b := Binding{"a", "openai"}
	s, fp := seal(t, with(t, old), b, "sk-1", Sealed{})
	s, changed, err := v.Rewrap(context.Background(), b, s, Outdated)
	if err != nil || !changed {
		t.Fatal(changed, err)
	}
	if s, err = v.Renew(context.Background(), b, s); err != nil {
		t.Fatal(err)
	}
	same, again := seal(t, v, b, "sk-1", s)
	if again != fp {
		t.Errorf("the same secret has the fingerprints %s and %s", fp, again)
	}
	if _, next := seal(t, v, b, "sk-2", same); next == fp {
		t.Error("another secret has the same fingerprint")
	}
	if _, elsewhere := seal(t, v, Binding{"b", "openai"}, "sk-1", Sealed{}); elsewhere == fp {
		t.Error("a fingerprint is a function of the secret alone: guesses can be tried")
	}
	// With the old master key lost, a secret can still be put anew.
	if _, fp := seal(t, with(t, key(t, 9)), b, "sk-1", same); fp == again {
		t.Error("the fingerprint key of what cannot be opened was known")
	}
	for secret, want := range map[string]bool{"sk-1": true, "sk-2": false, "": false} {
		if got, err := v.Matches(context.Background(), b, same, []byte(secret)); got != want || err != nil {
			t.Errorf("%q matches: %v, %v", secret, got, err)
		}
	}
}

// TestRotation: what each kind changes, and what it leaves.
func TestRotation(t *testing.T) {
	ctx := context.Background()
	old, current := key(t, 1), key(t, 2)
	b := Binding{"a", "openai"}
	was, _ := seal(t, with(t, old), b, "sk-1", Sealed{})
	v := with(t, current, old)
	wrapped, changed, err := v.Rewrap(ctx, b, was, Outdated)
	switch {
	case err != nil || !changed:
		t.Fatal(changed, err)
	case wrapped.Master != current.KeyID() || wrapped.Generation != was.Generation || !bytes.Equal(wrapped.text, was.text):
		t.Errorf("rewrapped: %+v of %+v", wrapped, was)
	case open(t, with(t, current), b, wrapped) != "sk-1":
		t.Error("the old master key is still needed")
	}
	if _, changed, err := v.Rewrap(ctx, b, wrapped, Outdated); changed || err != nil {
		t.Errorf("what is up to date is rewrapped: %v, %v", changed, err)
	}
	if again, changed, err := v.Rewrap(ctx, b, wrapped, Again); !changed || err != nil || bytes.Equal(again.wrapped, wrapped.wrapped) {
		t.Errorf("again: %v, %v", changed, err)
	}
	renewed, err := v.Renew(ctx, b, wrapped)
	switch {
	case err != nil:
		t.Fatal(err)
	case renewed.Generation != 2 || bytes.Equal(renewed.text, wrapped.text):
		t.Errorf("renewed: %+v", renewed)
	case open(t, v, b, renewed) != "sk-1":
		t.Error("the renewed form opens to something else")
	}
	damaged := was
	damaged.text = append([]byte(nil), was.text...)
	damaged.text[3] ^= 1
	if s, changed, err := v.Rewrap(ctx, b, damaged, Outdated); changed || !errors.Is(err, ErrDamaged) || s.Master != old.KeyID() {
		t.Errorf("a damaged secret was rewrapped: %v, %v", changed, err)
	}
}

// TestWithoutTheMasterKey: every operation says what is missing.
func TestWithoutTheMasterKey(t *testing.T) {
	ctx, b := context.Background(), Binding{"a", "openai"}
	s, _ := seal(t, with(t, key(t, 1)), b, "sk-1", Sealed{})
	none, other := with(t), with(t, key(t, 2))
	_, err := none.Open(ctx, b, s)
	_, _, err2 := none.Seal(ctx, b, []byte("x"), Sealed{})
	_, _, err3 := none.Rewrap(ctx, b, s, Outdated)
	for i, err := range []error{err, err2, err3} {
		if !errors.Is(err, ErrNoMaster) {
			t.Errorf("%d: %v", i, err)
		}
	}
	var unknown *UnknownMasterError
	if _, err := other.Open(ctx, b, s); !errors.As(err, &unknown) || unknown.ID != key(t, 1).KeyID() {
		t.Errorf("%v", err)
	}
	if _, err := other.Renew(ctx, b, s); !errors.As(err, &unknown) {
		t.Errorf("%v", err)
	}
}

// TestAnyWalkOfChanges: puts and rotations of several credentials, in any order,
// with master keys coming and going, against a twin that remembers what was put.
func TestAnyWalkOfChanges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ctx := context.Background()
		keys := []Wrapper{key(t, 1)}
		m, err := OpenMasters(func() ([]Wrapper, error) { return keys, nil })
		if err != nil {
			rt.Fatal(err)
		}
		v := New(m)
		type twin struct {
			sealed Sealed
			secret string
		}
		all := map[string]twin{}
		for step := range rapid.IntRange(1, 25).Draw(rt, "steps") {
			id := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "id")
			b, c := Binding{id, "openai"}, all[id]
			switch does := rapid.SampledFrom([]string{"put", "renew", "rewrap", "master", "forget"}).Draw(rt, "does"); {
			case does == "put":
				c.secret = fmt.Sprintf("sk-%d", step)
				c.sealed, _, err = v.Seal(ctx, b, []byte(c.secret), c.sealed)
			case does == "master":
				keys = append([]Wrapper{key(t, byte(2+step))}, keys...)
				err = m.Reload()
			case does == "forget": // only what nothing needs any more
				for id, c := range all {
					if c.sealed, _, err = v.Rewrap(ctx, Binding{id, "openai"}, c.sealed, Outdated); err != nil {
						rt.Fatal(err)
					}
					all[id] = c
				}
				keys = keys[:1]
				err = m.Reload()
				c = all[id]
			case c.secret == "":
			case does == "renew":
				c.sealed, err = v.Renew(ctx, b, c.sealed)
			case does == "rewrap":
				c.sealed, _, err = v.Rewrap(ctx, b, c.sealed, Outdated)
			}
			if err != nil {
				rt.Fatal(err)
			}
			if c.secret != "" {
				all[id] = c
			}
			for id, c := range all {
				got, err := v.Open(ctx, Binding{id, "openai"}, c.sealed)
				if err != nil || string(got) != c.secret {
					rt.Fatalf("%s: %q, not %q: %v", id, got, c.secret, err)
				}
			}
		}
	})
}

// TestLimitsOfSecrets.
func TestLimitsOfSecrets(t *testing.T) {
	v, b := with(t, key(t, 1)), Binding{"a", "openai"}
	for n, ok := range map[int]bool{0: false, 1: true, MaxSecret: true, MaxSecret + 1: false} {
		s, _, err := v.Seal(context.Background(), b, make([]byte, n), Sealed{})
		if (err == nil) != ok {
			t.Errorf("%d bytes: %v", n, err)
		}
		if ok {
			raw, _ := s.AppendBinary(nil)
			var again Sealed
			if err := again.UnmarshalBinary(raw); err != nil {
				t.Errorf("%d bytes: %v", n, err)
			}
		}
	}
}

func FuzzDecodeSealed(f *testing.F) {
	v := with(f, key(f, 1))
	s, _ := seal(f, v, Binding{"a", "openai"}, "sk-1", Sealed{})
	raw, _ := s.AppendBinary(nil)
	f.Add(raw)
	f.Add([]byte{sealedVersion, 1, 1, 'a', 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Sealed
		if s.UnmarshalBinary(b) != nil {
			return
		}
		if again, _ := s.AppendBinary(nil); !bytes.Equal(again, b) {
			t.Errorf("%x is written again as %x", b, again)
		}
		if got, err := v.Open(context.Background(), Binding{"a", "openai"}, s); err == nil && string(got) != "sk-1" {
			t.Errorf("%x opens to %q", b, got)
		}
	})
}
