package vault

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"purser/ledger"
)

func TestWhatIsNoCredential(t *testing.T) {
	sealed, fp := seal(t, with(t, key(t, 1)), Binding{"a", "openai"}, "sk-1", Sealed{})
	good := func() Credential {
		return Credential{ID: "a", Provider: "openai", Sealed: sealed, Fingerprint: fp, Match: map[string]string{"customer": "acme", "tag:env": "prod"}, Weight: 3}
	}
	c := good()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	for says, change := range map[string]func(*Credential){
		"id: \"\"":                     func(c *Credential) { c.ID = "" },
		"id: \"-a\"":                   func(c *Credential) { c.ID = "-a" },
		"id: \"A\"":                    func(c *Credential) { c.ID = "A" },
		"description: is not one line": func(c *Credential) { c.Description = "a\nb" },
		"provider: is empty":           func(c *Credential) { c.Provider = "" },
		"sealed: there is no secret":   func(c *Credential) { c.Sealed = Sealed{} },
		"fingerprint: is empty":        func(c *Credential) { c.Fingerprint = "" },
		"an instant is before 1970":    func(c *Credential) { c.Expires = -1 },
		"weight: 1001":                 func(c *Credential) { c.Weight = MaxWeight + 1 },
		"weight: -1":                   func(c *Credential) { c.Weight = -1 },
		"the value of customer":        func(c *Credential) { c.Match["customer"] = "" },
		"match: ":                      func(c *Credential) { c.Match["colour"] = "red" },
	} {
		c := good()
		change(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

func TestCheckSecretQuotesNothing(t *testing.T) {
	for secret, ok := range map[string]bool{"sk-proj-abc_DEF-123": true, "": false, "two words": false, "line\nbreak": false, "schlüssel": false, strings.Repeat("a", MaxSecret+1): false} {
		err := CheckSecret([]byte(secret))
		if (err == nil) != ok {
			t.Errorf("%.20q: %v", secret, err)
		}
		if err != nil && secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("%v quotes the secret", err)
		}
	}
}

func dims(pairs ...string) *ledger.Dimensions {
	d := &ledger.Dimensions{}
	for i := 0; i < len(pairs); i += 2 {
		ref, err := ledger.ParseDimRef(pairs[i])
		if err != nil {
			panic(err)
		}
		if ref.Dim == ledger.DimTag {
			d.Tags = append(d.Tags, ledger.Tag{Name: ref.Tag, Value: pairs[i+1]})
		} else {
			d.Values[ref.Dim] = pairs[i+1]
		}
	}
	return d
}

// TestWhoGetsWhichCredential: the most exact match, alone.
func TestWhoGetsWhichCredential(t *testing.T) {
	list := []*Credential{
		{ID: "shared-1", Provider: "openai"},
		{ID: "shared-2", Provider: "openai"},
		{ID: "shared-off", Provider: "openai", Disabled: true},
		{ID: "shared-claude", Provider: "anthropic"},
		{ID: "acme", Provider: "openai", Match: map[string]string{"customer": "acme"}},
		{ID: "acme-prod", Provider: "openai", Match: map[string]string{"customer": "acme", "tag:env": "prod"}},
		{ID: "team", Provider: "openai", Match: map[string]string{"team": "red"}},
		{ID: "late", Provider: "openai", Match: map[string]string{"customer": "late"}, Expires: 100},
		{ID: "off", Provider: "openai", Match: map[string]string{"customer": "off"}, Disabled: true},
	}
	all := Selection{Provider: "openai", Pattern: "*"}
	for _, x := range []struct {
		name string
		s    Selection
		d    *ledger.Dimensions
		want string
	}{
		{"nobody in particular", all, dims(), "shared-1 shared-2"},
		{"a customer without a key", all, dims("customer", "globex"), "shared-1 shared-2"},
		{"a customer with one", all, dims("customer", "acme"), "acme"},
		{"the same, more exactly", all, dims("customer", "acme", "tag:env", "prod"), "acme-prod"},
		{"another value of the second", all, dims("customer", "acme", "tag:env", "test"), "acme"},
		{"two matches of one dimension", all, dims("customer", "acme", "team", "red"), "acme team"},
		{"an expired one stands before the others", all, dims("customer", "late"), ""},
		{"one that is off does not", all, dims("customer", "off"), "shared-1 shared-2"},
		{"another provider", Selection{Provider: "anthropic", Pattern: "*"}, dims("customer", "acme"), "shared-claude"},
		{"by pattern", Selection{Provider: "openai", Pattern: "shared-*"}, dims("customer", "acme"), "shared-1 shared-2"},
		{"by id", Selection{Provider: "openai", IDs: []string{"shared-2", "none"}}, dims(), "shared-2"},
		{"none", Selection{Provider: "openai", IDs: []string{"none"}}, dims(), ""},
	} {
		got := NewPool(list, x.s).Order(x.d, 100, 7)
		slices.Sort(got)
		if strings.Join(got, " ") != x.want {
			t.Errorf("%s: %v, not %s", x.name, got, x.want)
		}
	}
	// A value must not run over into the next.
	odd := NewPool([]*Credential{{ID: "a", Provider: "p", Match: map[string]string{"customer": "x", "team": "yz"}}}, Selection{Provider: "p", Pattern: "*"})
	if got := odd.Order(dims("customer", "xy", "team", "z"), 0, 0); len(got) != 0 {
		t.Errorf("xy, z was taken for x, yz: %v", got)
	}
}

// TestWeights: each place is drawn in proportion to the weights.
func TestWeights(t *testing.T) {
	p := NewPool([]*Credential{{ID: "a", Provider: "p", Weight: 6}, {ID: "b", Provider: "p", Weight: 3}, {ID: "c", Provider: "p"}}, Selection{Provider: "p", Pattern: "*"})
	const draws = 20_000
	first, second := map[string]int{}, map[string]int{}
	for i := range uint64(draws) {
		ids := p.Order(dims(), 0, i)
		if len(ids) != 3 || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != 3 {
			t.Fatalf("drawn: %v", ids)
		}
		first[ids[0]]++
		second[ids[1]]++
	}
	for id, want := range map[string]float64{"a": 0.6, "b": 0.3, "c": 0.1} {
		if got := float64(first[id]) / draws; math.Abs(got-want) > 0.015 {
			t.Errorf("%s is first in %.3f of the draws, not %.1f", id, got, want)
		}
	}
	// b is second after a (0.6·3/4) or after c (0.1·3/9).
	if got, want := float64(second["b"])/draws, 0.6*0.75+0.1/3; math.Abs(got-want) > 0.015 {
		t.Errorf("b is second in %.3f, not %.3f", got, want)
	}
}

// TestALotHasOneOrder: the same on every node, whatever order the list has, and what
// comes or goes moves no other.
func TestALotHasOneOrder(t *testing.T) {
	var list []*Credential
	for i := range 8 {
		list = append(list, &Credential{ID: fmt.Sprintf("key-%d", i), Provider: "p", Weight: 1 + i%3})
	}
	all := Selection{Provider: "p", Pattern: "*"}
	reversed := slices.Clone(list)
	slices.Reverse(reversed)
	a, b, without := NewPool(list, all), NewPool(reversed, all), NewPool(list[1:], all)
	for lot := range uint64(200) {
		order := a.Order(dims(), 0, lot)
		if got := b.Order(dims(), 0, lot); !slices.Equal(got, order) {
			t.Fatalf("lot %d: %v and %v", lot, order, got)
		}
		rest := slices.DeleteFunc(slices.Clone(order), func(id string) bool { return id == "key-0" })
		if got := without.Order(dims(), 0, lot); !slices.Equal(got, rest) {
			t.Fatalf("lot %d: %v without key-0, which was in %v", lot, got, order)
		}
	}
}
