package children

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/childkey"
	"purser/ledger"
	"purser/proxy"
)

// The naive twin of a child's rights: a request is allowed when the parent allows it
// and each block does by itself.

// asked is what a request asks for.
type asked struct {
	model, endpoint, provider string
	dims                      map[string]string // as it would set them, by name
	at                        int64             // Unix seconds
}

func naive(patterns []string, name string) bool {
	if patterns == nil {
		return true
	}
	for _, p := range patterns {
		parts := strings.Split(p, "*")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		if regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$").MatchString(name) {
			return true
		}
	}
	return false
}

func (a *asked) within(c *childkey.Caveats) bool {
	for name, value := range c.Bind {
		if set, ok := a.dims[name]; ok && set != value {
			return false
		}
	}
	return a.at < c.Expires && naive(c.Models, a.model) && naive(c.Endpoints, a.endpoint) && naive(c.Providers, a.provider)
}

// allows is what a node makes of a principal.
func allows(p *proxy.Principal, a *asked) bool {
	for name, value := range a.dims {
		ref, err := ledger.ParseDimRef(name)
		if err != nil {
			panic(err)
		}
		if bound := p.Bound.Get(ref); bound != "" && bound != value {
			return false
		}
	}
	return (p.Expires == 0 || ledger.Instant(a.at)*ledger.Second < p.Expires) &&
		p.Models.Allows(a.model) && p.Endpoints.Allows(a.endpoint) && p.Providers.Allows(a.provider)
}

func drawPatterns(t *rapid.T, what string) []string {
	all := []string{"*", "gpt-*", "*-mini", "g*5*", "gpt-5", "claude", "/v1/*", "/v1/chat/*", "openai", "*a*"}
	// Mostly none: four blocks that limit everything grant next to nothing.
	n := rapid.SampledFrom([]int{0, 0, 0, 0, 1, 2}).Draw(t, "patterns of "+what)
	if n == 0 {
		return nil
	}
	return rapid.SliceOfN(rapid.SampledFrom(all), n, n).Draw(t, what)
}

func drawCaveats(t *rapid.T) childkey.Caveats {
	c := childkey.Caveats{
		Expires: int64(rapid.IntRange(1, 10).Draw(t, "expires")),
		Models:  drawPatterns(t, "models"), Endpoints: drawPatterns(t, "endpoints"), Providers: drawPatterns(t, "providers"),
	}
	for range rapid.IntRange(0, 2).Draw(t, "binds") {
		if c.Bind == nil {
			c.Bind = map[string]string{}
		}
		c.Bind[rapid.SampledFrom([]string{"agent", "team", "tag:job"}).Draw(t, "dimension")] = rapid.SampledFrom([]string{"x", "y"}).Draw(t, "value")
	}
	if rapid.Bool().Draw(t, "slice") {
		c.Slice = usd("0.05")
	}
	return c
}

// TestNoChainGrantsWhatTheParentLacks: of random parents, chains and requests, a
// child may do exactly what its parent and each block of its token allow, and
// carries the slices of all its ancestors.
func TestNoChainGrantsWhatTheParentLacks(t *testing.T) {
	granted, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		parent := &proxy.Principal{ID: "parent", Barred: proxy.Embeddings, Required: []ledger.DimRef{{Dim: ledger.DimEnv}}, CacheOff: true}
		limits := drawCaveats(t)
		for a, list := range map[*proxy.Allow][]string{&parent.Models: limits.Models, &parent.Endpoints: limits.Endpoints, &parent.Providers: limits.Providers} {
			if list != nil {
				*a = proxy.Allow{list}
			}
		}
		parent.Expires = ledger.Instant(limits.Expires) * ledger.Second
		for name, value := range limits.Bind {
			ref, _ := ledger.ParseDimRef(name)
			if ref.Dim == ledger.DimTag {
				parent.Bound.Tags = append(parent.Bound.Tags, ledger.Tag{Name: ref.Tag, Value: value})
			} else {
				parent.Bound.Values[ref.Dim] = value
			}
		}
		chain := []childkey.Caveats{limits}
		token, cut := secret, 0
		var tokens []string
		for range rapid.IntRange(1, childkey.MaxGenerations).Draw(t, "generations") {
			c := drawCaveats(t)
			chain = append(chain, c)
			token = mint(t, token, c)
			tokens = append(tokens, token)
			if c.Slice != nil {
				cut++
			}
		}
		read, err := childkey.Parse(token)
		if err != nil {
			t.Fatal(err)
		}
		child, err := Compose(parent, read)
		if err != nil {
			refused++
			contradiction := false
			bound := map[string]string{}
			for i := range chain {
				for name, value := range chain[i].Bind {
					contradiction = contradiction || bound[name] != "" && bound[name] != value
					bound[name] = value
				}
			}
			if !contradiction {
				t.Fatalf("refused though no block contradicts another: %v", err)
			}
			return
		}
		if child.Barred != parent.Barred || !child.CacheOff || !slices.Equal(child.Required, parent.Required) || child.ID != parent.ID {
			t.Fatalf("the child lost what its parent must: %+v", child)
		}
		found := 0
		for _, tag := range child.Bound.Tags {
			if strings.HasPrefix(tag.Name, sliceTag) {
				found++
			}
		}
		if found != cut || !slices.IsSortedFunc(child.Bound.Tags, func(a, b ledger.Tag) int { return strings.Compare(a.Name, b.Name) }) {
			t.Fatalf("%d slices were cut, the child carries %v", cut, child.Bound.Tags)
		}
		for range 20 {
			a := &asked{
				model:    rapid.SampledFrom([]string{"gpt-5", "gpt-5-mini", "claude", "o3"}).Draw(t, "model"),
				endpoint: rapid.SampledFrom([]string{"/v1/chat/completions", "/v1/responses", "/v1beta/models"}).Draw(t, "endpoint"),
				provider: rapid.SampledFrom([]string{"openai", "anthropic"}).Draw(t, "provider"),
				dims:     map[string]string{}, at: int64(rapid.IntRange(0, 11).Draw(t, "at")),
			}
			if rapid.Bool().Draw(t, "sets") {
				a.dims[rapid.SampledFrom([]string{"agent", "team", "tag:job"}).Draw(t, "set")] = rapid.SampledFrom([]string{"x", "y"}).Draw(t, "to")
			}
			want := true
			for i := range chain {
				want = want && a.within(&chain[i])
			}
			got := allows(child, a)
			if got != want {
				t.Fatalf("%+v: allowed %v, block by block %v\nchain %+v\nchild %+v", a, got, want, chain, child)
			}
			if got && !allows(parent, a) {
				t.Fatalf("%+v is allowed to the child and not to its parent", a)
			}
			if got {
				granted++
			}
		}
		// The parent, and the child's own parent, are as they were: nothing is shared.
		for i, text := range tokens {
			read, _ := childkey.Parse(text)
			if again, err := Compose(parent, read); err == nil && len(again.Models) > len(parent.Models)+i+1 {
				t.Fatal("composing one child changed another")
			}
		}
	})
	if granted == 0 || refused == 0 {
		t.Errorf("%d requests were granted, %d chains refused: the test shows nothing", granted, refused)
	}
}
