package node

import (
	"fmt"
	"testing"

	"purser/internal/directory"
)

// ruledDirectory has so many policies and tokens, and members up to so many objects.
func ruledDirectory(tb testing.TB, policies, tokens, objects int) *directory.State {
	tb.Helper()
	s := directory.New()
	put := func(kind directory.ObjectKind, id, spec string) {
		if out := s.Apply(1, directory.PutObject{Ref: directory.Ref{Kind: kind, ID: id}, Spec: []byte(spec)}); out.Code != directory.Applied {
			tb.Fatal(out.Code)
		}
	}
	for i := range policies {
		put(directory.ObjectPolicy, fmt.Sprint("p", i), fmt.Sprintf(`{"match":{"team":["t%d"]},"rules":[{"id":"r","when":{"cel":"dims.team == \"t%d\" \u0026\u0026 model.startsWith(\"gpt-%d\")"},"outcome":"deny"}]}`, i, i, i))
	}
	for i := range tokens {
		put(directory.ObjectAdminToken, fmt.Sprint("tok_", i), fmt.Sprintf(`{"id":"tok_%d","name":"t","hash":"%064x","role":"owner","created":1}`, i, i+1))
	}
	for i := policies + tokens; i < objects; i++ {
		put(directory.ObjectMember, fmt.Sprint("m", i), fmt.Sprintf(`{"name":"Member %d","email":"m%d@example.com"}`, i, i))
	}
	return s
}

// BenchmarkRulesOfAFullDirectory is what a node needs to go by the objects there are: at
// its start, and when one of them has changed.
func BenchmarkRulesOfAFullDirectory(b *testing.B) {
	for _, c := range [][3]int{{1000, 0, 1000}, {0, 4096, 4096}, {0, 0, 65536}, {1000, 4096, 65536}} {
		name := fmt.Sprintf("%d_policies_%d_tokens_%d_objects", c[0], c[1], c[2])
		s := ruledDirectory(b, c[0], c[1], c[2])
		b.Run(name+"/first", func(b *testing.B) {
			for b.Loop() {
				compileAll(b, &ruleBook{}, &tokenTable{}, s)
			}
		})
		b.Run(name+"/next", func(b *testing.B) {
			var book ruleBook
			var tokens tokenTable
			compileAll(b, &book, &tokens, s)
			i := 0
			for b.Loop() {
				spec := fmt.Sprintf(`{"rules":[{"id":"r","when":{"cel":"request.model == \"m%d\""},"outcome":"deny"}]}`, i)
				s.Apply(1, directory.PutObject{Ref: directory.Ref{Kind: directory.ObjectPolicy, ID: "p0"}, Expect: directory.AnyVersion, Spec: []byte(spec)})
				compileAll(b, &book, &tokens, s)
				i++
			}
		})
	}
}

func compileAll(b *testing.B, book *ruleBook, tokens *tokenTable, s *directory.State) {
	book.compile(s, quiet)
	if _, err := book.Rules(); err != nil {
		b.Fatal(err)
	}
	tokens.compile(s, quiet)
}
