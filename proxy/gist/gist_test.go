package gist_test

import (
	"fmt"
	"math/bits"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/proxy/gist"
)

var chat = gist.Shape{Before: []string{"tools", "functions"}, List: "messages", Content: "content", Roles: []string{"system", "developer"}}

func read(body []byte, tenant string) (asked, prefix uint64) {
	g := gist.Read(&chat, body, tenant)
	return g.Asked, g.Prefix
}

func ask(question string) (uint64, uint64) {
	return read(fmt.Appendf(nil, `{"model":"m","messages":[{"role":"system","content":"Answer in one line."},{"role":"user","content":%q}]}`, question), "org:acme")
}

func TestNearQuestionsAskTheSame(t *testing.T) {
	for _, tt := range [][2]string{
		{"How do I reset my password?", "how do i reset my password"},
		{"How do I reset my password?", "Hi, please: how do I reset my password? Thanks!"},
		{"What is the refund policy for annual plans?", "what is refund policy for annual plans"},
		{"Wie setze ich mein Passwort zurück?", "Hallo, wie setze ich mein Passwort zurück"},
		{"退款政策是什么?", "退款政策是什么"},
	} {
		a, _ := ask(tt[0])
		b, _ := ask(tt[1])
		if !gist.Near(a, b) {
			t.Errorf("%q and %q differ in %d bits", tt[0], tt[1], bits.OnesCount64(a^b))
		}
	}
}

func TestWhatMustAgreeSetsQuestionsApart(t *testing.T) {
	long := "classify the mood of this review and say in one word whether whoever wrote it would buy the thing again, be strict with irony and with complaints about delivery: "
	for _, tt := range [][2]string{
		{"What is the status of order 1234?", "What is the status of order 1235?"},
		{"When does the train from Paris to Lyon leave?", "When does the train from Lyon to Paris leave?"},
		{"What is the capital of France?", "What is the capital of Norway?"},
		{"Should I take it with food?", "Should I not take it with food?"},
		{"describe user_name", "describe user_id"},
		{"turn the lights on", "turn the lights off"},
		{long + "i loved it", long + "i hated it"},
		{"yes", "no"},
	} {
		a, _ := ask(tt[0])
		b, _ := ask(tt[1])
		if gist.Near(a, b) {
			t.Errorf("%q and %q are near: %d bits", tt[0], tt[1], bits.OnesCount64(a^b))
		}
	}
}

func TestOneWordOfManySeldomMakesQuestionsNear(t *testing.T) {
	near, all := 0, 0
	words := strings.Fields("alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu amber birch cedar dune ember flint grove heath inlet knoll larch maple north ochre")
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 30).Draw(t, "words")
		q := make([]string, n)
		for i := range q {
			q[i] = rapid.SampledFrom(words).Draw(t, "word")
		}
		a, _ := ask(strings.Join(q, " "))
		i := rapid.IntRange(0, n-1).Draw(t, "at")
		q[i] = "other" + strings.Repeat("x", rapid.IntRange(1, 9).Draw(t, "by"))
		b, _ := ask(strings.Join(q, " "))
		if all++; gist.Near(a, b) {
			near++
		}
	})
	if all == 0 || near*20 > all {
		t.Errorf("%d of %d are near", near, all)
	}
}

func TestTenantsAndHistoriesAreApart(t *testing.T) {
	body := func(first, question string) []byte {
		return fmt.Appendf(nil, `{"messages":[{"role":"user","content":%q},{"role":"assistant","content":"ok"},{"role":"user","content":%q}]}`, first, question)
	}
	a, p := read(body("a cat", "and its weight?"), "org:acme")
	again, _ := read(body("a cat", "And its weight"), "org:acme")
	other, _ := read(body("a dog", "and its weight?"), "org:acme")
	b, q := read(body("a cat", "and its weight?"), "org:umbrella")
	if !gist.Near(a, again) || gist.Near(a, other) || gist.Near(a, b) || p == q {
		t.Errorf("again %v, another history %v, another tenant %v, prefixes alike %v", gist.Near(a, again), gist.Near(a, other), gist.Near(a, b), p == q)
	}
}

func TestPrefixIsOfInstructionsAndToolsAndKnowsTheirSize(t *testing.T) {
	body := func(system string, tools, question string) []byte {
		return fmt.Appendf(nil, `{"messages":[{"role":"system","content":%q},{"role":"user","content":%q}],"tools":[%s]}`, system, question, tools)
	}
	long := strings.Repeat("rules and more rules. ", 500)
	_, a := read(body(long, `{"x":1}`, "one"), "t")
	_, same := read(body(long, `{"x":1}`, "two"), "t")
	_, tools := read(body(long, `{"x":2}`, "one"), "t")
	_, none := read([]byte(`{"messages":[{"role":"user","content":"x"}]}`), "t")
	if a != same || a == tools {
		t.Errorf("%x %x %x", a, same, tools)
	}
	want := int64(len(long) + len(`{"role":"system","content":""}`) + len(`[{"x":1}]`))
	if got := gist.PrefixBytes(a); got > want || got < want*99/100 {
		t.Errorf("%d bytes, want %d", got, want)
	}
	if none == 0 || gist.PrefixBytes(none) != 0 {
		t.Errorf("no instructions: %x of %d bytes", none, gist.PrefixBytes(none))
	}
}

// The hashes are in stored records: they may not change.
func TestCompatHashes(t *testing.T) {
	g, p := ask("How do I reset my password?")
	if e := gist.Exact("t", "u", "m", []byte("body")); g != 0x5824c06372585b0a || p != 0x3fe2ebf4ebc2a2c4 || e != 0xed819ed82eed15ac {
		t.Errorf("gist %#x, prefix %#x, exact %#x", g, p, e)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"caf\u00e9 \"x\""},{"type":"image_url"}]}],"tools":[1]}`))
	f.Add([]byte(`{"messages":"\\"}`))
	f.Add([]byte(`{"messages":[]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		a, p := read(body, "t")
		if b, q := read(body, "t"); a != b || p != q {
			t.Error("not the same twice")
		}
		if (a == 0) != (p == 0) {
			t.Errorf("gist %x, prefix %x", a, p)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	for _, size := range []int{200, 4 << 10, 64 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			body := fmt.Appendf(nil, `{"messages":[{"role":"system","content":%q},{"role":"user","content":"How do I reset my password, and who can see it then?"}]}`, strings.Repeat("Answer briefly and cite the page. ", size/34))
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				gist.Read(&chat, body, "org:acme")
			}
		})
	}
}
