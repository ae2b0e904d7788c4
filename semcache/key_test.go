package semcache

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// Tenants whose names, routes, models and requests look alike on purpose, and
// run into each other when joined, never share an answer.
func TestScopesNeverMix(t *testing.T) {
	part := rapid.SampledFrom([]string{"a", "aa", "aaa", "b", "ab", "ba", "\x00", "\x00\x00\x00\x00\x00\x00\x00\x01a", "a\x00", "o", "k", "acme"})
	loose := rapid.OneOf(rapid.Just(""), part)
	type asked struct {
		scope   Scope
		request string
	}
	draw := rapid.Custom(func(t *rapid.T) asked {
		return asked{Scope{
			Tenant: part.Draw(t, "tenant"), Route: loose.Draw(t, "route"), Model: loose.Draw(t, "model"),
			Endpoint: loose.Draw(t, "endpoint"), Epoch: rapid.Uint64Range(0, 2).Draw(t, "epoch"),
		}, loose.Draw(t, "request")}
	})
	w := inMemory(t, DefaultConfig())
	seen := map[asked]string{}
	round := 0
	rapid.Check(t, func(rt *rapid.T) {
		for range rapid.IntRange(1, 40).Draw(rt, "requests") {
			a := draw.Draw(rt, "asked")
			k := MakeKey(a.scope, []byte(a.request))
			e, hit := w.get(k)
			want, known := seen[a]
			if hit != known || hit && string(e.Body) != want {
				rt.Fatalf("%+v got %v, %q; its answer is %v, %q", a, hit, bodyOf(e), known, want)
			}
			if !hit {
				round++
				seen[a] = fmt.Sprintf("answer %d for %+v", round, a)
				w.fill(t, k, answer(seen[a], w.now()))
			}
			if rapid.IntRange(0, 3).Draw(rt, "from disk") == 0 {
				w.forget()
			}
		}
	})
	t.Logf("%d different requests", len(seen))
}

func bodyOf(e *Entry) string {
	if e == nil {
		return ""
	}
	return string(e.Body)
}

func TestKeyDependsOnEveryPart(t *testing.T) {
	base := Scope{Tenant: "t", Route: "r", Model: "m", Endpoint: "e", Epoch: 1}
	keys := map[Key]string{MakeKey(base, []byte("x")): "base"}
	for name, k := range map[string]Key{
		"tenant":   MakeKey(Scope{"T", "r", "m", "e", 1}, []byte("x")),
		"route":    MakeKey(Scope{"t", "R", "m", "e", 1}, []byte("x")),
		"model":    MakeKey(Scope{"t", "r", "M", "e", 1}, []byte("x")),
		"endpoint": MakeKey(Scope{"t", "r", "m", "E", 1}, []byte("x")),
		"epoch":    MakeKey(Scope{"t", "r", "m", "e", 2}, []byte("x")),
		"request":  MakeKey(base, []byte("y")),
	} {
		if other, ok := keys[k]; ok {
			t.Errorf("another %s has the key of %s", name, other)
		}
		keys[k] = name
	}
}

// The first bytes are the tenant's; what tells its requests apart must not need them.
func TestKeysOfOneTenantDifferBehindThePrefix(t *testing.T) {
	seen := map[[24]byte]bool{}
	for i := range 1000 {
		k := keyOf(fmt.Sprint(i))
		tail := [24]byte(k[tenantPrefix:])
		if seen[tail] {
			t.Fatal("two requests share the bytes behind the prefix")
		}
		seen[tail] = true
		if [tenantPrefix]byte(k[:]) != prefixOf("acme") {
			t.Fatal("the key does not begin with its tenant")
		}
	}
}

func TestScopeWithoutATenantPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	MakeKey(Scope{Route: "r"}, nil)
}

func BenchmarkMakeKey(b *testing.B) {
	body := make([]byte, 4<<10)
	s := Scope{Tenant: "acme", Route: "openai", Model: "gpt-5", Endpoint: "/v1/chat/completions"}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		MakeKey(s, body)
	}
}
