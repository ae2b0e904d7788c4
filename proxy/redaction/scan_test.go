package redaction

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
	"purser/proxy/redaction/labelled"
)

func compiled1(t testing.TB, specs ...Spec) *Set {
	t.Helper()
	for i := range specs {
		if specs[i].ID == "" {
			specs[i].ID = string(rune('a' + i))
		}
	}
	set, err := Compile(specs, Options{HashKey: []byte("key")})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// redact is a text as the specs leave it.
func redact(t testing.TB, text string, specs ...Spec) string {
	t.Helper()
	set := compiled1(t, specs...)
	found, full := set.Plan(nil, Input).NewScanner().Scan([]byte(text))
	if full {
		t.Fatal("there is too much in it")
	}
	v, at, out := NewValues(""), 0, ""
	for i := range found {
		f := &found[i]
		with, changed, err := f.Replacement([]byte(text[f.Start:f.End]), set.Hasher("t"), v)
		if err != nil {
			t.Fatal(err)
		}
		if changed {
			out += text[at:f.Start] + with
			at = f.End
		}
	}
	return out + text[at:]
}

// naive runs every expression over the whole text, without a prefilter.
func naive(p *Plan, text []byte) (spans []Finding) {
	for n, rec := range p.set.recs {
		if !p.want[n] {
			continue
		}
		for i := range rec.patterns {
			pat := &rec.patterns[i]
			for _, m := range pat.re.FindAllSubmatchIndex(text, -1) {
				start, end := pat.value(m)
				if rec.trim != nil {
					end -= rec.trim(text[start:end])
				}
				if end > start && rec.holds(text, pat, m, start, end, false) {
					spans = append(spans, Finding{Start: start, End: end, Entity: rec.entity, Rule: rec.rule})
				}
			}
		}
	}
	return spans
}

// TestThePrefilterLosesNothing compares with running everything everywhere, on labelled
// texts whose bytes are also changed at random.
func TestThePrefilterLosesNothing(t *testing.T) {
	p := compiled1(t, Spec{}).Plan(nil, Input)
	sc := p.NewScanner()
	r := rand.New(rand.NewPCG(3, 4))
	total := 0
	for i, x := range labelled.Generate(3, 400) {
		text := []byte(x.Text)
		for range i % 3 * 4 {
			text[r.IntN(len(text))] = "0123456789 -.:@/abcXYZ\n"[r.IntN(23)]
		}
		found, _ := sc.Scan(text)
		for _, want := range naive(p, text) {
			total++
			if !slices.ContainsFunc(found, func(f Finding) bool { return f.Start <= want.Start && f.End >= want.End }) {
				t.Errorf("%q: %s %q is lost", text, want.Name(), text[want.Start:want.End])
			}
		}
	}
	if total < 400 {
		t.Errorf("only %d values", total)
	}
}

// TestKeywords compares with looking for each word by itself.
func TestKeywords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.RuneFrom([]rune("abc-é")), 1, 5, -1)
		words := rapid.SliceOfNDistinct(word, 1, 8, rapid.ID).Draw(t, "words")
		text := rapid.StringOfN(rapid.RuneFrom([]rune("aAbBcC-é ")), 0, 40, -1).Draw(t, "text")
		type hit struct{ word, end int }
		var got, want []hit
		newKeywords(words).each([]byte(text), func(w, end int) { got = append(got, hit{w, end}) })
		lower := string(appendLower(nil, []byte(text)))
		for end := range len(text) + 1 {
			for w, word := range words {
				if strings.HasSuffix(lower[:end], word) {
					want = append(want, hit{w, end})
				}
			}
		}
		for _, h := range want {
			if !slices.Contains(got, h) {
				t.Fatalf("%q in %q: %v, not %v", words, text, got, want)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%q in %q: %v, not %v", words, text, got, want)
		}
	})
}

// TestWhereExpressionsRun shows what is read off expressions.
func TestWhereExpressionsRun(t *testing.T) {
	for expr, c := range map[string]struct {
		words []string
		where where
		reach int
	}{
		`\b(ghp_[A-Za-z0-9]{36})\b`:              {[]string{"ghp_"}, atStart, 40},
		`(AKIA|ASIA)[A-Z0-9]{16}`:                {[]string{"akia", "asia"}, atStart, 20},
		`(?i)key[_-]?id=\d{4}`:                   {[]string{"keyid", "key_id", "key-id"}, atStart, 4 * (3 + 1 + 2 + 1 + 4)},
		`[a-z]{3}\.atlasv1\.[a-z]{4}`:            {[]string{"atlasv1"}, around, 3 + 9 + 4},
		`[\w.-]{0,50}?(?:acme)(?:=|:)([a-z]{8})`: {[]string{"acme"}, around, 50 + 4 + 1 + 8},
		`[a-z]{32}`:                              {[]string{"acme"}, anywhere, 32},
		`(?:abc|def)+x`:                          {[]string{"abc"}, anywhere, unbounded},
		`eyJ[a-z]{10,}\.x`:                       {[]string{"eyj"}, atStart, unbounded},
		`g(?:lpat|ldt)-[a-z]{20}`:                {[]string{"glpat-", "gldt-"}, atStart, 26},
		`x(?:foo)?bar`:                           {[]string{"foo"}, anywhere, 7},
	} {
		if w, _ := place(expr, c.words); w != c.where || longest(expr) != c.reach {
			t.Errorf("%s: %d and %d, not %d and %d", expr, w, longest(expr), c.where, c.reach)
		}
	}
}

func TestActions(t *testing.T) {
	const text = "mail a@b.de, again a@b.de, card 4111-1111-1111-1111"
	for want, spec := range map[string]Spec{
		"mail [EMAIL], again [EMAIL], card [CREDIT_CARD]":                          {},
		"mail <EMAIL_1>, again <EMAIL_1>, card <CREDIT_CARD_1>":                    {Action: Tokenise},
		"mail [EMAIL:****.de], again [EMAIL:****.de], card [CREDIT_CARD:****1111]": {KeepLast: 4},
		text: {Action: Report},
		"mail [EMAIL], again [EMAIL], card 4111-1111-1111-1111": {Detectors: []string{"EMAIL"}},
		"mail a@b.de, again a@b.de, card [CREDIT_CARD:****11]":  {Detectors: []string{"personal"}, Overrides: map[string]Override{"EMAIL": {Off: true}, "CREDIT_CARD": {KeepLast: 2}}},
		"mail a@b.de, again a@b.de, card <CREDIT_CARD_1>":       {Exceptions: []Exception{{Value: "A@B.de"}}, Action: Tokenise},
		"mail a@b.de, again a@b.de, card [CREDIT_CARD]":         {Exceptions: []Exception{{Entity: "EMAIL", Regex: `.*@b\.de`}}},
	} {
		if got := redact(t, text, spec); got != want {
			t.Errorf("%+v:\n got %s\nwant %s", spec, got, want)
		}
	}
	hashed := redact(t, text, Spec{Action: Hash})
	var mails []string
	for f := range strings.FieldsSeq(hashed) {
		if strings.HasPrefix(f, "[EMAIL:") {
			mails = append(mails, f)
		}
	}
	if len(mails) != 2 || mails[0] != mails[1] || len(mails[0]) != len("[EMAIL:0123456789abcdef],") {
		t.Errorf("%s", hashed)
	}
	set := compiled1(t, Spec{})
	if a, b := set.Hasher("one").hash("EMAIL", []byte("a@b.de")), set.Hasher("two").hash("EMAIL", []byte("a@b.de")); a == b {
		t.Error("two tenants have one hash")
	}
}

func TestTheStrongestActionOfSeveralSpecsCounts(t *testing.T) {
	for want, specs := range map[string][]Spec{
		"[EMAIL]":                  {{Action: Report}, {Action: Mask}, {Action: Tokenise}},
		"<EMAIL_1>":                {{Action: Tokenise}, {Action: Block, Mode: Shadow}},
		"a@b.de":                   {{Action: Mask, Exceptions: []Exception{{Value: "a@b.de"}}}, {Action: Mask, Mode: Shadow}},
		"[EMAIL:" + "****" + "de]": {{Action: Report}, {Action: Mask, KeepLast: 2}},
	} {
		if got := redact(t, "a@b.de", specs...); got != want {
			t.Errorf("%+v: %s, not %s", specs, got, want)
		}
	}
}

func TestWhatOverlapsIsReplacedWhole(t *testing.T) {
	for text, want := range map[string]string{
		"see https://x.de/?mail=a@b.de&k=1 now":                                         "see [EMAIL] now",
		"postgres://app:Zq8sLkd92mmQ@db.internal/x":                                     "[SECRET]",
		"https://hooks.slack.com/services/T12345678/B12345678/abcdefghijklmnopqrstuvwx": "[SECRET]",
	} {
		got := redact(t, text, Spec{})
		if text[0] == 'p' {
			got, want = got[:len("postgres://app:[SECRET]")], "postgres://app:[SECRET]"
		}
		if got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
	only := Spec{Detectors: []string{"URL", "EMAIL"}, Action: Report, Overrides: map[string]Override{"EMAIL": {Action: Mask}}}
	if got := redact(t, "https://x.de/?mail=a@b.de", only); got != "https://x.de/?mail=[EMAIL]" {
		t.Errorf("%s", got)
	}
}

func TestCustomPatterns(t *testing.T) {
	spec := Spec{Detectors: []string{"STAFF"}, Custom: []Custom{
		{Name: "STAFF", Regex: `\bE(\d{6})\b`, Context: []string{"staff", "Personalnummer"}},
		{Name: "BADGE", Regex: `\bB-\d{4}[ -]?\d{4}\b`, Checksum: "luhn", Keywords: []string{"B-"}},
	}}
	for text, want := range map[string]string{
		"staff E123456 and badge B-4111 1112": "staff E[STAFF] and badge B-4111 1112",
		"die Personalnummer E123456":          "die Personalnummer E[STAFF]",
		"order E123456":                       "order E123456",
		"badge B-4111 1113":                   "badge [BADGE]",
	} {
		if got := redact(t, text, spec); got != want {
			t.Errorf("%s: %s, not %s", text, got, want)
		}
	}
	other := Spec{Custom: []Custom{{Name: "STAFF", Regex: "x"}}}
	if err := other.Validate(); err != nil {
		t.Error(err)
	}
}

func TestBadSpecsAreRefused(t *testing.T) {
	for what, s := range map[string]Spec{
		"custom[0]: regex: ":                  {Custom: []Custom{{Name: "X", Regex: "("}}},
		"matches the empty text":              {Custom: []Custom{{Name: "X", Regex: "a*"}}},
		"longer than 1024":                    {Custom: []Custom{{Name: "X", Regex: strings.Repeat("a", 2000)}}},
		"too large":                           {Custom: []Custom{{Name: "X", Regex: strings.Repeat("[ab]{1000}", 11)}}},
		"name is not":                         {Custom: []Custom{{Name: "x y", Regex: "a"}}},
		`there is another "EMAIL"`:            {Custom: []Custom{{Name: "EMAIL", Regex: "a"}}},
		"checksum":                            {Custom: []Custom{{Name: "X", Regex: "a", Checksum: "crc"}}},
		"more than 32 custom":                 {Custom: make([]Custom, 33)},
		"direction":                           {Direction: "sideways"},
		"mode":                                {Mode: "off"},
		"action is not":                       {Action: "burn"},
		"tokenise is for input":               {Direction: Output, Action: Tokenise},
		"overrides.EMAIL: keep_last":          {Overrides: map[string]Override{"EMAIL": {KeepLast: 9}}},
		"unknown dimension":                   {Match: map[string][]string{"planet": {"x"}}},
		"match.team has none":                 {Match: map[string][]string{"team": {}}},
		"there must be a value or a regex":    {Exceptions: []Exception{{}}},
		"direction must be input":             {Direction: Both, Hook: &Hook{Name: "x"}},
		"hook.name":                           {Hook: &Hook{}},
		`no entity, rule or group "E-MAIL"`:   {Detectors: []string{"E-MAIL"}},
		`there is no entity or rule "nobody"`: {Overrides: map[string]Override{"nobody": {Off: true}}},
	} {
		s.ID = "s"
		if _, err := Compile([]Spec{s}, Options{}); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%v, want %q in it", err, what)
		}
	}
	if _, err := Compile([]Spec{{ID: "a", Action: Hash}}, Options{}); err == nil {
		t.Error("hashes are made without a key")
	}
	if _, err := Compile([]Spec{{ID: "a"}, {ID: "a"}}, Options{}); err == nil {
		t.Error("two specs have one id")
	}
}

// TestInputMadeToBeSlowEnds searches texts that make expressions run again and again.
func TestInputMadeToBeSlowEnds(t *testing.T) {
	p := compiled1(t, Spec{Custom: []Custom{{Name: "X", Regex: `(?:a+)+b`}}}).Plan(nil, Input)
	for _, piece := range []string{
		"0123456789", "1234 ", "1234-5678-", "@", "a@", "a@b.", "://", "http://", "www.", "eyJ-", "-----BEGIN PRIVATE KEY-----", "xoxb-", "sk-", "sk-proj-",
		"secret=", "password: password: ", "AKIA", "::", "1:2:", "a1", "GB82", "\xff\xfe", "é", "\x00", "<EMAIL_1>", "api_key=secret=", "aaaa", "+1 ", "(415) ",
	} {
		text := bytes.Repeat([]byte(piece), 1<<15/len(piece))
		sc := p.NewScanner()
		found, full := sc.Scan(text)
		if sc.work < -len(text) || len(found) > maxFindings {
			t.Errorf("%q: %d findings, %v, %d of work too much", piece, len(found), full, -sc.work)
		}
	}
}

func FuzzScan(f *testing.F) {
	for _, x := range labelled.Generate(1, 30) {
		f.Add([]byte(x.Text))
	}
	f.Add([]byte("\xff4111111111111111\xff a@b.de\xc3"))
	p := compiled1(f, Spec{Direction: Both}).Plan(nil, Output)
	f.Fuzz(func(t *testing.T, text []byte) {
		found, _ := p.NewScanner().Scan(text)
		at := 0
		for _, g := range found {
			if g.Start < at || g.End <= g.Start || g.End > len(text) {
				t.Fatalf("%q: %+v", text, found)
			}
			at = g.End
		}
		if n := p.Undecided(text, 0); n < 0 || n > len(text) {
			t.Fatalf("%q is decided up to %d", text, n)
		}
	})
}

// TestPlansAreOfTheSpecsThatCover: a plan that is remembered is given to those requests
// alone that it was made for.
func TestPlansAreOfTheSpecsThatCover(t *testing.T) {
	var specs []Spec
	for i := range MaxSpecs {
		specs = append(specs, Spec{ID: fmt.Sprint("s", i), Match: map[string][]string{"team": {fmt.Sprint("t", i), "all"}}, Direction: Both})
	}
	set, err := Compile(specs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	of := func(team string, d Direction) *Plan {
		dims := &ledger.Dimensions{}
		dims.Values[ledger.DimTeam] = team
		return set.Plan(dims, d)
	}
	for range 2 { // the second time they are remembered, as far as there is room
		for i := range MaxSpecs {
			for _, d := range []Direction{Input, Output} {
				p := of(fmt.Sprint("t", i), d)
				if len(p.specs) != 1 || p.specs[0].spec.ID != specs[i].ID || p.output != (d == Output) {
					t.Fatalf("team t%d has the plan of %d specs, output %v", i, len(p.specs), p.output)
				}
			}
		}
	}
	if p := of("all", Input); len(p.specs) != MaxSpecs {
		t.Errorf("a request that all cover has %d", len(p.specs))
	}
	if p := of("none", Input); p != nil {
		t.Errorf("a request that none covers has %d", len(p.specs))
	}
	if n := len(set.plans.made); n != maxPlans {
		t.Errorf("%d plans are remembered, not %d", n, maxPlans)
	}
	if a, b := of("t0", Input), of("t0", Input); a != b {
		t.Error("a plan is made twice")
	}
}
