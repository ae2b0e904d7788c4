package proxy

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"purser/internal/record"
	"purser/ledger"
	"purser/proxy/lever"
	"purser/proxy/price"

	"github.com/tidwall/gjson"
)

// levered rules every request by one setting of the levers.
type levered struct {
	noRules
	set lever.Set
}

func (l levered) Rules() (Rules, error)                       { return l, nil }
func (l levered) Levers(string, *ledger.Dimensions) lever.Set { return l.set }

func cacheSet(t *testing.T, spec lever.CacheSpec) lever.Set {
	t.Helper()
	r, err := (&lever.Spec{Cache: &spec}).Rule("x")
	if err != nil {
		t.Fatal(err)
	}
	return lever.Choose([]*lever.Rule{r}, "", &ledger.Dimensions{})
}

// flown is a cache that notes what is asked of it and what lands.
type flown struct {
	fakeCache
	asks   *[]CacheAsk
	landed *[]*Fill
	led    bool // whoever joins leads
}

func (f flown) Get(key [32]byte, ask CacheAsk) (*Cached, bool) {
	*f.asks = append(*f.asks, ask)
	return f.fakeCache.Get(key, ask)
}

func (f flown) Join(_ context.Context, _ [32]byte, ask CacheAsk) (Flight, *Cached, bool) {
	*f.asks = append(*f.asks, ask)
	if !f.led {
		return nil, nil, false
	}
	return landing{f.landed}, nil, false
}

type landing struct{ landed *[]*Fill }

func (l landing) Land(f *Fill) { *l.landed = append(*l.landed, f) }

// cachedWorld is a world with a cache, and how many calls its upstream got.
func cachedWorld(t *testing.T, set lever.Set) (w *world, cache flown, calls *int) {
	calls = new(int)
	w = newWorld(t, func(rw http.ResponseWriter, r *http.Request) { *calls++; answerJSON(rw, r) }, nil)
	cache = flown{fakeCache{}, new([]CacheAsk), new([]*Fill), true}
	w.gateway.seams.Cache, w.gateway.seams.Journal = cache, filling{w.journal, cache.fakeCache}
	w.gateway.seams.Rules = levered{set: set}
	return w, cache, calls
}

func TestARequestSaysHowTheCacheIsUsed(t *testing.T) {
	for name, c := range map[string]struct {
		headers []string
		want    string // in x-purser-cache; "400" for a refusal
		filled  bool
	}{
		"nothing":                  {nil, "hit", false},
		"on":                       {[]string{"x-purser-cache", "on"}, "hit", false},
		"off":                      {[]string{"x-purser-cache", "off"}, "bypass", false},
		"refresh":                  {[]string{"x-purser-cache", "refresh"}, "miss", true},
		"no-cache":                 {[]string{"x-purser-cache", "No-Cache"}, "miss", true},
		"nonsense":                 {[]string{"x-purser-cache", "maybe"}, "400", false},
		"standard no-store":        {[]string{"Cache-Control", "no-store"}, "bypass", false},
		"standard no-cache":        {[]string{"Cache-Control", "foo, NO-CACHE"}, "miss", true},
		"standard max-age 0":       {[]string{"Cache-Control", "max-age=0"}, "miss", true},
		"standard max-age, young":  {[]string{"Cache-Control", "max-age=100"}, "hit", false},
		"standard max-age, old":    {[]string{"Cache-Control", `max-age="10"`}, "miss", true},
		"standard nonsense":        {[]string{"Cache-Control", "max-age=x, only-if-cached, ="}, "hit", false},
		"ours before the standard": {[]string{"x-purser-cache", "on", "Cache-Control", "no-store"}, "hit", false},
		"tags":                     {[]string{"x-purser-cache-tags", "a, b,a,,c,d"}, "hit", false},
		"too many tags":            {[]string{"x-purser-cache-tags", "a,b,c,d,e"}, "400", false},
		"a tag with a space":       {[]string{"x-purser-cache-tags", "a b"}, "400", false},
		"a long tag":               {[]string{"x-purser-cache-tags", strings.Repeat("x", 65)}, "400", false},
	} {
		w, cache, _ := cachedWorld(t, lever.Default())
		w.ask(question)
		for _, e := range cache.fakeCache {
			e.Created = w.gateway.seams.Now() - 60*ledger.Second
		}
		*cache.landed = nil
		a, _ := w.ask(question, c.headers...)
		got := sent(a, headerCache)
		if a.Status == 400 {
			got = "400"
		}
		if filled := len(*cache.landed) == 1 && (*cache.landed)[0] != nil; got != c.want || filled != c.filled {
			t.Errorf("%s: %q, filled %v", name, got, filled)
		}
		if got == "hit" && (sent(a, "Age") != "60" || len(sent(a, headerCacheKey)) != 64) {
			t.Errorf("%s: %v", name, a.Header)
		}
	}
}

// What is kept has the tags of the request and of its settings, and their life.
func TestWhatIsKeptIsAsTheSettingsSay(t *testing.T) {
	w, cache, _ := cachedWorld(t, cacheSet(t, lever.CacheSpec{TTL: "5m", Stale: "1m", TagBy: []string{"customer", "team", "tag:job"}}))
	if a, _ := w.ask(question, "x-purser-cache-tags", "mine", "x-purser-customer", "acme", "x-purser-tag-job", "nightly"); a.Status != 200 {
		t.Fatal(a)
	}
	f := (*cache.landed)[0]
	if f == nil || f.TTL != 5*time.Minute || f.Stale != time.Minute || f.Since != 7 || f.Asked != "gpt-4o-mini" ||
		!slices.Equal(f.Tags, []string{"mine", "customer:acme", "tag:job:nightly"}) {
		t.Errorf("%+v", f)
	}
	if ask := (*cache.asks)[0]; !ask.Stale || ask.Wait != w.gateway.cfg.CoalesceWait {
		t.Errorf("%+v", ask)
	}
}

// An answer whose time is over is given while another request makes it anew; the one
// that does makes it on its own budget, and has the stale one if it may not.
func TestStaleAnswersAreGivenWhileOneIsMadeAnew(t *testing.T) {
	w, cache, calls := cachedWorld(t, cacheSet(t, lever.CacheSpec{Stale: "1m"}))
	w.ask(question)
	for _, e := range cache.fakeCache {
		e.Stale = true
	}
	*cache.asks = nil
	cache.led = false
	w.gateway.seams.Cache = cache
	a, _ := w.ask(question)
	if r := w.last(); sent(a, headerCache) != "stale" || r.Cache != record.CacheStale || r.Outcome != record.CacheHit || *calls != 1 {
		t.Errorf("while it is made anew: %v, %+v, %d calls", a.Header, r, *calls)
	}
	if joined := (*cache.asks)[1]; joined.Wait != 0 || !joined.Stale {
		t.Errorf("%+v", joined)
	}
	if a, _ := w.ask(question, "Cache-Control", "max-age=100"); sent(a, headerCache) != "miss" {
		t.Errorf("one that says how old it may be: %v", a.Header)
	}
	for _, e := range cache.fakeCache {
		e.Stale = true
	}
	cache.led = true
	w.gateway.seams.Cache = cache
	before := *calls
	w.purse.free = 0
	if a, _ := w.ask(question); sent(a, headerCache) != "stale" || *calls != before {
		t.Errorf("one that may not make it anew: %d %v", a.Status, a.Header)
	}
	w.purse.free = 1 << 40
	if a, _ := w.ask(question); sent(a, headerCache) != "miss" || *calls != before+1 {
		t.Errorf("the one that makes it anew: %d %v", a.Status, a.Header)
	}
	if a, _ := w.ask(question); sent(a, headerCache) != "hit" {
		t.Errorf("after that: %v", a.Header)
	}
}

// Where hits are hidden, no header of an answer depends on whether it was one.
func TestHiddenHitsDoNotShow(t *testing.T) {
	for name, x := range priced {
		w := newWorld(t, refusing(200, x.whole), nil)
		cache := fakeCache{}
		w.gateway.seams.Cache, w.gateway.seams.Journal = cache, filling{w.journal, cache}
		w.gateway.seams.Rules = levered{set: cacheSet(t, lever.CacheSpec{Headers: "hidden"})}
		names := func(a *Answer) (out []string) {
			for _, h := range a.Header {
				switch n := strings.ToLower(h.Name); {
				case n == "x-purser-request-id", n == "x-litellm-call-id":
					out = append(out, n)
				case n == "content-type" || strings.HasPrefix(n, headerPrefix) || strings.HasPrefix(n, "x-litellm"):
					out = append(out, n+"="+h.Value)
				}
			}
			for _, h := range a.Trailer {
				out = append(out, "trailer "+h.Name)
			}
			slices.Sort(out)
			return out
		}
		first, one := w.send("POST", x.path, x.ask, "x-purser-usage-cost", "true")
		again, two := w.send("POST", x.path, x.ask, "x-purser-usage-cost", "true")
		if w.last().Cache != record.CacheServed || one != two || !slices.Equal(names(first), names(again)) {
			t.Errorf("%s: %v\n%v\n%s\n%s", name, names(first), names(again), one, two)
		}
		if slices.ContainsFunc(names(again), func(h string) bool { return strings.Contains(h, "cost") || strings.Contains(h, "cache") }) {
			t.Errorf("%s: %v", name, names(again))
		}
	}
}

// A paced replay has the same text as one at once, in pieces, over the time that the
// tokens would have taken; a node that stops gives the rest at once.
func TestPacedReplayTakesItsTime(t *testing.T) {
	text := strings.Repeat("gëwöhnlicher Text ", 40)
	body := "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"},\"logprobs\":null}]}\n\n" +
		"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + text + "\"}}]}\n\ndata: [DONE]\n\n"
	synctest.Test(t, func(t *testing.T) {
		base, stop := context.WithCancel(t.Context())
		defer stop()
		x := &exchange{g: &Gateway{base: base}}
		c := &Cached{}
		c.Usage[price.OutputText] = 200
		for _, stopped := range []bool{false, true} {
			a := &Answer{Header: []HeaderField{{"Content-Type", "text/event-stream"}}, Body: []byte(body)}
			x.pace(a, c)
			var got strings.Builder
			pieces := 0
			began := time.Now()
			for {
				b, err := a.Stream.Next()
				if err == io.EOF {
					break
				}
				pieces++
				if doc, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "data: "); ok && doc != "[DONE]" {
					if !gjson.Valid(doc) {
						t.Fatalf("not JSON: %s", doc)
					}
					got.WriteString(gjson.Get(doc, "choices.0.delta.content").Str)
				}
				if stopped {
					stop()
				}
			}
			took := time.Since(began)
			if got.String() != text || pieces < 10 || !stopped && (took < time.Second || took > 2*time.Second) || stopped && took != 0 {
				t.Errorf("stopped %v: %d pieces in %v, %q", stopped, pieces, took, got.String())
			}
		}
	})
	for _, whole := range []string{
		`data: {"choices":[{"delta":{"content":"` + text + `"},"logprobs":{"content":[]}}]}` + "\n\n",
		`data: {"type":"response.output_text.delta","sequence_number":1,"delta":"` + text + `"}` + "\n\n",
		": a comment\n\n",
	} {
		if got := appendPieces(nil, []byte(whole)); len(got) != 1 || string(got[0]) != whole {
			t.Errorf("%.60s is divided", whole)
		}
	}
}
