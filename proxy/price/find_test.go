package price

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"purser/ledger"
)

func flat(n int64) []Row { return []Row{{Prices: prices{"input": n}}} }

func TestExactNamesWinOverPatternsAndEarlierOverLater(t *testing.T) {
	c := one(t,
		Model{ID: "family", Match: Match{Prefix: []string{"GPT-"}}, Rates: flat(1)},
		Model{ID: "gpt-5", Match: Match{Equals: []string{"gpt-5", "gpt-5-alias"}}, Rates: flat(2)},
		Model{ID: "thief", Match: Match{Equals: []string{"gpt-5-alias", "own"}}, Rates: flat(3)},
		Model{ID: "mini", Match: Match{Contains: []string{"-mini"}, Suffix: []string{":free"}}, Rates: flat(4)},
		Model{ID: "dated", Match: Match{Regex: []string{`^dated-\d{4}$`}}, Rates: flat(5)},
		Model{ID: "picky", Match: Match{Equals: []string{"picky-tts"}, Prefix: []string{"picky"}, Except: []string{"-tts(?:$|-)"}}, Rates: flat(6)},
		Model{ID: "Named By Its ID", Rates: flat(7)},
	)
	for name, want := range map[string]string{
		"gpt-5":           "gpt-5",
		"GPT-5":           "gpt-5",
		" gpt-5 ":         "gpt-5",
		"gpt-5-alias":     "gpt-5",
		"gpt-5-mini":      "family",
		"o5-mini-x":       "mini",
		"any:free":        "mini",
		"own":             "thief",
		"dated-0123":      "dated",
		"dated-01234":     "",
		"picky-2":         "picky",
		"picky-2-tts":     "",
		"picky-tts":       "picky",
		"named by its id": "Named By Its ID",
		"gp":              "",
		"":                "",
	} {
		for range 2 { // the second time from memory
			r, ok := c.Find("acme", name, 0)
			if got := nameOf(r); ok != (want != "") || got != want {
				t.Errorf("%q is %q, want %q", name, got, want)
			}
		}
	}
	if _, ok := c.Find("other", "gpt-5", 0); ok {
		t.Error("a provider that is not there has a price")
	}
}

func nameOf(r *Rate) string {
	if r == nil {
		return ""
	}
	return r.Model
}

func TestSnapshotDatesAreReadBothWays(t *testing.T) {
	c := one(t, Model{ID: "m", Match: Match{Equals: []string{"m-2025-08-07"}}, Rates: flat(1)})
	for name, want := range map[string]bool{"m-20250807": true, "m-2025-08-07": true, "m-20250832": false, "m-202508071": false} {
		if _, ok := c.Find("acme", name, 0); ok != want {
			t.Errorf("%q found: %t", name, ok)
		}
	}
}

func TestResellersFallBackToTheProvidersTheySellFor(t *testing.T) {
	r := found(t, Embedded(), "azure", "gpt-5.6-sol", "2026-11-24")
	if r.ID != "openai/gpt-5.6-sol@2026-08-21" {
		t.Errorf("azure's price is %s", r.ID)
	}
	with, err := Embedded().With([]Model{{Provider: "openai", ID: "gpt-5.6-sol", Rates: flat(1)}})
	if err != nil {
		t.Fatal(err)
	}
	if r := found(t, with, "azure", "gpt-5.6-sol", "2026-11-24"); r.ID != "openai/gpt-5.6-sol@2026-08-21" {
		t.Errorf("an override of openai's price is azure's: %s", r.ID)
	}
}

func TestRegionsHaveTheirOwnPricesOrThoseOfAny(t *testing.T) {
	at := day(t, "2026-11-24")
	for _, c := range []struct{ region, model, id string }{
		{"eu", "gpt-5.4", "openai:eu/gpt-5.4"},
		{"", "gpt-5.4", "openai/gpt-5.4"},
		{"eu", "gpt-4o", "openai/gpt-4o"},
		{"mars", "gpt-5.4", "openai/gpt-5.4"},
	} {
		r, ok := Embedded().FindIn("openai", c.region, c.model, at)
		if !ok || r.ID != c.id {
			t.Errorf("%s in %q is %v, want %s", c.model, c.region, r, c.id)
		}
	}
	eu, _ := Embedded().FindIn("openai", "eu", "gpt-5.4", at)
	if got := eu.Price(InputText, Priority, 0); got != 5_500_000 {
		t.Errorf("gpt-5.4 priority in the EU is %d, want 5 USD and a tenth", got)
	}
}

func TestRatesAreValidFromTheirFirstInstantToTheirLast(t *testing.T) {
	c := one(t, Model{ID: "m", Rates: []Row{
		{From: "2026-03-01", Until: "2026-04-01", Prices: prices{"input": 2}},
		{From: "2026-01-01", Prices: prices{"input": 1}},
		{From: "2026-06-01", Prices: prices{"input": 3}},
	}})
	begin := day(t, "2026-01-01")
	for _, s := range []struct {
		at   ledger.Instant
		want string
	}{
		{begin - 1, ""},
		{begin, "acme/m@2026-01-01"},
		{day(t, "2026-03-01") - 1, "acme/m@2026-01-01"},
		{day(t, "2026-03-01"), "acme/m@2026-03-01"},
		{day(t, "2026-04-01") - 1, "acme/m@2026-03-01"},
		{day(t, "2026-04-01"), ""}, // it ended, and nothing took its place
		{day(t, "2026-06-01"), "acme/m@2026-06-01"},
		{ledger.MaxInstant - 1, "acme/m@2026-06-01"},
	} {
		r, ok := c.Find("acme", "m", s.at)
		if ok != (s.want != "") || ok && r.ID != s.want {
			t.Errorf("at %d: %v, want %q", s.at, r, s.want)
		}
		if ok && (s.at < r.From || s.at >= r.Until) {
			t.Errorf("at %d the rate says it is valid from %d until %d", s.at, r.From, r.Until)
		}
	}
}

func TestHoursOfTheDay(t *testing.T) {
	at := day(t, "2025-06-01")
	for _, s := range []struct {
		clock ledger.Instant
		id    string
		price int64
	}{
		{0, "deepseek/deepseek-chat", 135_000},
		{30*ledger.Minute - 1, "deepseek/deepseek-chat", 135_000},
		{30 * ledger.Minute, "deepseek/deepseek-chat~00:30-16:30", 270_000},
		{16*ledger.Hour + 30*ledger.Minute - 1, "deepseek/deepseek-chat~00:30-16:30", 270_000},
		{16*ledger.Hour + 30*ledger.Minute, "deepseek/deepseek-chat", 135_000},
	} {
		r, ok := Embedded().Find("deepseek", "deepseek-chat", at+s.clock)
		if !ok || r.ID != s.id || r.Price(InputText, Standard, 0) != s.price {
			t.Errorf("at %d: %v, want %s", s.clock, r, s.id)
		}
		if ok && r.Bound(1000, 0, Standard) != 270_000 {
			t.Errorf("%s is bounded at %d, though it may run into the dear hours", r.ID, r.Bound(1000, 0, Standard))
		}
	}
	// The hours began with the prices they belong to, not before.
	before, _ := Embedded().Find("deepseek", "deepseek-v4-pro", day(t, "2026-08-16")+2*ledger.Hour)
	after, _ := Embedded().Find("deepseek", "deepseek-v4-pro", day(t, "2026-08-17")+2*ledger.Hour)
	if before.ID != "deepseek/deepseek-v4-pro" || after.ID != "deepseek/deepseek-v4-pro@2026-08-17~01:00-04:00" {
		t.Errorf("rates are %s and %s", before.ID, after.ID)
	}
}

func TestOverridesComeFirst(t *testing.T) {
	base := one(t,
		Model{ID: "a", Match: Match{Equals: []string{"a", "a-alias"}}, ContextWindow: 100, MaxOutput: 10, Tokenizer: "o200k", Rates: flat(1)},
		Model{ID: "b", Rates: flat(2)})
	with := func(c *Catalogue, ms ...Model) *Catalogue {
		t.Helper()
		for i := range ms {
			ms[i].Provider = "acme"
		}
		c, err := c.With(ms)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := with(base, Model{ID: "a", MaxOutput: 20, Rates: flat(10)}, Model{ID: "new", Match: Match{Prefix: []string{"b", "n"}}, Rates: flat(30)})
	for name, want := range map[string]int64{"a": 10, "a-alias": 10, "b": 30, "new": 30} {
		if got := found(t, c, "acme", name, "2026-01-01").Price(InputText, Standard, 0); got != want {
			t.Errorf("%s costs %d, want %d", name, got, want)
		}
	}
	a := found(t, c, "acme", "a-alias", "2026-01-01")
	if a.ID != "acme/a+override" || a.ContextWindow != 100 || a.MaxOutput != 20 || a.Tokenizer != "o200k" {
		t.Errorf("the override is %+v", a)
	}
	if got := c.Models("acme"); !slices.Equal(got, []string{"a", "b", "new"}) {
		t.Errorf("models are %q", got)
	}

	again := with(c, Model{ID: "a", Rates: flat(11)})
	if got := found(t, again, "acme", "a", "2026-01-01").Price(InputText, Standard, 0); got != 11 {
		t.Errorf("the later override costs %d, want 11", got)
	}
	if got := found(t, again, "acme", "b", "2026-01-01").Price(InputText, Standard, 0); got != 30 {
		t.Errorf("the earlier override is gone: %d", got)
	}
	if got := found(t, base, "acme", "a", "2026-01-01").Price(InputText, Standard, 0); got != 1 {
		t.Errorf("the base has changed: %d", got)
	}
}

func TestCeilingPricesWhatHasNoPrice(t *testing.T) {
	base := one(t, Model{ID: "old", Rates: []Row{{Until: "2020-01-01", Prices: prices{"input": 1}}}})
	c, err := base.With([]Model{{Provider: "acme", ID: "unpriced", Ceiling: true, Rates: []Row{{Prices: prices{"input": 100, "output": 200}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"anything", "unpriced", "old", strings.Repeat("x", 1000)} {
		r := found(t, c, "acme", name, "2026-01-01")
		if !r.Ceiling || r.ID != "acme/unpriced+override" || r.Price(CacheWrite1h, Priority, 1<<40) != 100 || r.Price(AudioOut, Auto, 0) != 200 {
			t.Errorf("%q costs as %+v", name, r)
		}
	}
	if r := found(t, c, "acme", "old", "2019-01-01"); r.Ceiling {
		t.Error("a model with a price costs as the ceiling")
	}
	if _, ok := c.Find("other", "anything", 0); ok {
		t.Error("the ceiling is another provider's too")
	}
}

func TestP4EqualRowsHaveEqualHashes(t *testing.T) {
	rows := func(n int64) []Model { return []Model{{Provider: "openai", ID: "x", Rates: flat(n)}} }
	hash := func(c *Catalogue, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c.Hash()
	}
	e := Embedded()
	a, b := hash(e.With(rows(1))), hash(e.With(rows(1)))
	if a != b || len(a) != 64 {
		t.Errorf("equal overrides have hashes %s and %s", a, b)
	}
	if other := hash(e.With(rows(2))); other == a || a == e.Hash() {
		t.Error("different rows have one hash")
	}
	if none := hash(e.With(nil)); none != e.Hash() {
		t.Error("no override changes the hash")
	}
	respaced := hash(Parse([]byte(strings.ReplaceAll(string(snapshot), "\n", "\n\n "))))
	if respaced != e.Hash() {
		t.Error("white space changes the hash")
	}
}

func TestRateIDsAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Embedded().base {
		for _, id := range s.ids {
			for _, v := range s.byID[id].versions {
				for _, r := range append([]*Rate{v.allDay}, v.daily...) {
					if seen[r.ID] {
						t.Errorf("two rates are called %s", r.ID)
					}
					seen[r.ID] = true
				}
			}
		}
	}
	t.Logf("%d rates", len(seen))
}

func TestModelsThatAreListedCanBeFound(t *testing.T) {
	c := Embedded()
	for _, p := range c.Providers() {
		for _, m := range c.Models(p) {
			if r, ok := c.Find(p, m, day(t, "2026-11-24")); ok && r.Model != m {
				t.Errorf("%s lists %q, which is %q", p, m, r.Model)
			}
		}
	}
	for _, want := range []string{"gpt-5.6-sol", "gpt-4o-mini", "text-embedding-3-small"} {
		if !slices.Contains(c.Models("openai"), want) {
			t.Errorf("openai does not list %s", want)
		}
	}
}

func TestMemoryForNamesIsBounded(t *testing.T) {
	c := one(t, Model{ID: "m", Match: Match{Prefix: []string{"m"}}, Rates: flat(1)})
	for i := range maxMemo + 100 {
		if _, ok := c.Find("acme", fmt.Sprintf("m%d", i), 0); !ok {
			t.Fatalf("name %d is not found", i)
		}
	}
	if n := len(*c.memo.Load()); n != maxMemo {
		t.Errorf("%d names are remembered, want %d", n, maxMemo)
	}
	if _, ok := c.Find("acme", "m"+strings.Repeat("x", maxName), 0); ok {
		t.Error("a name over the limit is found")
	}
}

func TestMemoryDoesNotHoldTheCallersBuffer(t *testing.T) {
	c := one(t, Model{ID: "m", Match: Match{Prefix: []string{"m"}}, Rates: flat(1)})
	buffer := []byte("acme m-first")
	name := string(buffer[5:])
	c.Find("acme", name, 0)
	for q := range *c.memo.Load() {
		if q.model != "m-first" {
			t.Errorf("remembered %q", q.model)
		}
	}
}

func TestFindIsSafeForConcurrentUse(t *testing.T) {
	c := one(t, Model{ID: "m", Match: Match{Prefix: []string{"m"}}, Rates: flat(1)})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				if _, ok := c.Find("acme", fmt.Sprintf("m%d", (g*7+i)%250), 0); !ok {
					t.Error("not found")
				}
			}
		})
	}
	wg.Wait()
}
