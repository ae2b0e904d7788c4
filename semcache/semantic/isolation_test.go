package semantic

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// TestNoAnswerCrossesATenant: 100,000 pairs of tenants, holders, routes and models that
// look alike on purpose, all asking the same question in the same words. Only who an
// answer was made for gets it.
func TestNoAnswerCrossesATenant(t *testing.T) {
	const taught, others = 400, 250
	w := newWorld(t, func(w *world) { w.cfg.Inserts = 1_000_000 })
	random := rand.New(rand.NewPCG(20, 26))
	ask := func(p Parts) *Question {
		q := question("what is the capital of France?")
		q.In = p
		return q
	}
	known := map[string]bool{}
	name := func(p *Parts) string {
		return fmt.Sprintf("%q", []string{p.Tenant, p.Holder, p.Route, p.Model, p.Endpoint, p.Rules, p.Knowledge, string(p.Rest)})
	}
	var list []Parts
	keys := map[string][32]byte{}
	for len(list) < taught {
		p := Parts{Tenant: alikeName(random), Holder: alikeName(random), Route: "openai", Model: "gpt-5", Endpoint: "/v1/chat/completions", Rest: []byte("r")}
		if p.Tenant == "" || known[name(&p)] {
			continue
		}
		known[name(&p)] = true
		list = append(list, p)
		keys[name(&p)] = w.teach(ask(p), "Paris.")
	}
	pairs := 0
	for i := range list {
		for n := 0; n < others; {
			p := list[i]
			mutate(random, &p)
			if p.Tenant == "" || known[name(&p)] {
				continue
			}
			n++
			pairs++
			if f := w.tier.Ask(t.Context(), ask(p)); f.Verdict != Miss || f.Reason != reasonEmpty {
				t.Fatalf("%s gets the answer of %s: %v %q", name(&p), name(&list[i]), f.Verdict, f.Reason)
			}
		}
		if f := w.tier.Ask(t.Context(), ask(list[i])); f.Verdict != Serve || f.Answer != keys[name(&list[i])] {
			t.Fatalf("%s does not get its own: %v %q", name(&list[i]), f.Verdict, f.Reason)
		}
	}
	if pairs < 100_000 {
		t.Fatalf("only %d pairs", pairs)
	}
}

// alikeName draws names that run together with their neighbours.
func alikeName(r *rand.Rand) string {
	b := make([]byte, r.IntN(4))
	for i := range b {
		b[i] = "ab:\x00\x01"[r.IntN(5)]
	}
	return string(b)
}

// mutate changes one part, or moves a byte over the border of two.
func mutate(r *rand.Rand, p *Parts) {
	fields := []*string{&p.Tenant, &p.Holder, &p.Route, &p.Model, &p.Endpoint, &p.Rules, &p.Knowledge}
	a := r.IntN(len(fields))
	switch r.IntN(4) {
	case 0:
		*fields[a] = alikeName(r)
	case 1:
		*fields[a] += string("ab:\x00"[r.IntN(4)])
	case 2:
		p.Rest = append([]byte(alikeName(r)), p.Rest...)
	default:
		if b := (a + 1) % len(fields); *fields[a] != "" {
			s := *fields[a]
			*fields[a], *fields[b] = s[:len(s)-1], s[len(s)-1:]+*fields[b]
		}
	}
}

// TestScopesDifferWhereAPartDoes: no two tuples have the same scope, whatever runs
// together.
func TestScopesDifferWhereAPartDoes(t *testing.T) {
	parts := rapid.Custom(func(t *rapid.T) Parts {
		s := rapid.StringOfN(rapid.RuneFrom([]rune("ab\x00:")), 0, 3, -1)
		return Parts{
			Tenant: "t" + s.Draw(t, "tenant"), Holder: s.Draw(t, "holder"), Route: s.Draw(t, "route"), Model: s.Draw(t, "model"), Endpoint: s.Draw(t, "endpoint"),
			Rules: s.Draw(t, "rules"), Knowledge: s.Draw(t, "knowledge"), Rest: []byte(s.Draw(t, "rest")),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		ea, eb := rapid.StringN(0, 2, -1).Draw(t, "embedder a"), rapid.StringN(0, 2, -1).Draw(t, "embedder b")
		same := a.Tenant == b.Tenant && a.Holder == b.Holder && a.Route == b.Route && a.Model == b.Model && a.Endpoint == b.Endpoint &&
			a.Rules == b.Rules && a.Knowledge == b.Knowledge && string(a.Rest) == string(b.Rest) && ea == eb
		if (a.scope(ea) == b.scope(eb)) != same {
			t.Fatalf("%+v and %+v", a, b)
		}
	})
}

func TestAScopeWithoutATenantPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	(&Parts{}).scope("e")
}
