package decide_test

import (
	"strings"
	"testing"

	"purser/semcache/decide"
	"purser/semcache/labelled"
)

// TestGuardsAnswerTemplates asks 9,500 generated pairs, each in both directions.
func TestGuardsAnswerTemplates(t *testing.T) {
	ids := map[string]decide.Guard{}
	for _, g := range decide.Guards() {
		ids[g.String()] = g
	}
	wrong, all := map[string]int{}, map[string]int{}
	for _, p := range labelled.Generated(7, 500) {
		a, b := decide.Prepare(p.A), decide.Prepare(p.B)
		v, w := decide.Examine(a, b), decide.Examine(b, a)
		if v.Vetoed() != w.Vetoed() {
			t.Errorf("%s: the order decides: %q, %q", p.Category, p.A, p.B)
		}
		all[p.Category]++
		if g, ok := ids[p.Category]; p.Same == v.Vetoed() || ok && !v.Vetoes.Has(g) && g != decide.GuardCode && g != decide.GuardSubstitution && g != decide.GuardEntity {
			wrong[p.Category]++
		}
	}
	if len(all) < 15 {
		t.Fatalf("only %d categories", len(all))
	}
	for c, n := range all {
		allowed := 0
		if c == "substitution" { // words that are frequent are left to the model
			allowed = n / 4
		}
		if wrong[c] > allowed {
			t.Errorf("%s: %d of %d pairs were judged wrongly", c, wrong[c], n)
		}
	}
}

func TestGuardsByExample(t *testing.T) {
	for _, c := range []struct {
		a, b  string
		vetos string // ids that must be among the vetoes; "" is no veto at all
	}{
		{"Convert 1 km to miles", "Convert 1000 m to miles", ""},
		{"Give me ten tips", "Give me 10 tips", ""},
		{"List 2,000 names", "List 2000 names", ""},
		{"Convert 3,5 kg to pounds", "Convert 35 kg to pounds", "number"},
		{"How many feet are in a mile?", "How many meters are in a mile?", "number"},
		{"Is it safe?", "Is it unsafe?", "opposite"},
		{"How do I turn on format on save?", "How do I turn off format on save?", "opposite"},
		{"Which foods should I eat before a run?", "Which foods should I not eat before a run?", "negation"},
		{"Isn't Python interpreted?", "Is Python interpreted?", ""},
		{"Should I stay or not?", "Should I stay?", ""},
		{"Is Rust faster than Go?", "Is Go faster than Rust?", "direction"},
		{"What is the difference between TCP and UDP?", "What is the difference between UDP and TCP?", ""},
		{"In Kotlin, how do I sort a list?", "How do I sort a list in Kotlin?", ""},
		{"who leads the World Health Organization", "who leads the WHO", ""},
		{"Is there an IT job in Norway?", "Is there a job in Norway?", "entity"},
		{"What is new in version 1.2.3?", "What is new in version 1.2.4?", "code"},
		{"What does fooBar() return?", "What does fooBaz() return?", "code"},
		{"how do i instal numpy wiht pip", "How do I install numpy with pip?", ""},
		{"Who invented the telephone?", "When was the telephone invented?", "question"},
		{"What was the weather in Oslo yesterday?", "What was the weather in Oslo?", "time"},
		{"how do I undo my last commit", "how do I undo my commit", ""},
		{"What is the tallest mountain?", "¿Cuál es la montaña más alta?", "language"},
		{"Quelle est la capitale de la France ?", "Quelle est la capitale de la France ?", "language"},
	} {
		v := decide.Examine(decide.Prepare(c.a), decide.Prepare(c.b))
		if c.vetos == "" && v.Vetoed() {
			t.Errorf("%q and %q: vetoed by %s", c.a, c.b, v.Vetoes)
		}
		if c.vetos != "" && !strings.Contains(v.Vetoes.String(), c.vetos) {
			t.Errorf("%q and %q: vetoed by %q, want %s", c.a, c.b, v.Vetoes, c.vetos)
		}
	}
}

// TestReasonsQuoteNothing: what explain shows may be read by those who may not read prompts.
func TestReasonsQuoteNothing(t *testing.T) {
	said := 0
	for _, p := range labelled.Generated(3, 40) {
		v := decide.Examine(decide.Prepare(p.A), decide.Prepare(p.B))
		for _, g := range decide.Guards() {
			reason := strings.ToLower(v.Reason(g))
			if reason != "" {
				said++
			}
			for _, secret := range []string{"norway", "terraform", "einstein", "quinoa", "user_id", "sourdough", "marathon"} {
				if strings.Contains(reason, secret) {
					t.Fatalf("the reason of %s has %q in it", g, secret)
				}
			}
			if (reason != "") != (v.Vetoes.Has(g) || v.Doubts.Has(g)) {
				t.Fatalf("%s: reason %q", g, reason)
			}
		}
	}
	if said < 100 {
		t.Fatalf("only %d reasons were given", said)
	}
}

func TestGuardNumbersAreStored(t *testing.T) {
	want := "number,time,negation,opposite,direction,entity,code,quote,question,scope,substitution,length,language,form"
	var got []string
	for _, g := range decide.Guards() {
		got = append(got, g.String())
	}
	if strings.Join(got, ",") != want {
		t.Errorf("guards are %v: they are in usage records, append only", got)
	}
}
