package proxy

import (
	"fmt"
	"strings"
	"testing"

	"purser/ledger"
)

func TestAttribution(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	w.keys[sha("pk_bound")] = keyed{&Principal{ID: "k2",
		Bound:    ledger.Dimensions{Values: [ledger.NumDims]string{ledger.DimTeam: "search"}, Tags: []ledger.Tag{{Name: "tier", Value: "gold"}}},
		Required: []ledger.DimRef{{Dim: ledger.DimCustomer}},
	}, KeyActive}
	bound := []string{"Authorization", "Bearer pk_bound"}
	for name, c := range map[string]struct {
		headers []string
		status  int
		want    map[string]string
	}{
		"headers":                     {[]string{"x-purser-customer", "acme", "X-Purser-Agent", "bot", "x-purser-tag-plan", "pro"}, 200, map[string]string{"customer": "acme", "agent": "bot", "tag:plan": "pro", "key": "k1", "model": "gpt-4o-mini", "provider": "openai"}},
		"empty is not set":            {[]string{"x-purser-customer", ""}, 200, map[string]string{"customer": ""}},
		"bound values":                {append([]string{"x-purser-customer", "acme"}, bound...), 200, map[string]string{"team": "search", "tag:tier": "gold"}},
		"the bound value again":       {append([]string{"x-purser-customer", "acme", "x-purser-team", "search"}, bound...), 200, nil},
		"required missing":            {bound, 400, nil},
		"bound overridden":            {append([]string{"x-purser-customer", "acme", "x-purser-tag-tier", "free"}, bound...), 403, nil},
		"the model as a header":       {[]string{"x-purser-model", "other"}, 400, nil},
		"twice, different":            {[]string{"x-purser-customer", "a", "x-purser-customer", "b"}, 400, nil},
		"control characters":          {[]string{"x-purser-customer", "a\x01"}, 400, nil},
		"not UTF-8":                   {[]string{"x-purser-customer", "\xff"}, 400, nil},
		"a long tag name":             {[]string{"x-purser-tag-" + strings.Repeat("n", ledger.MaxTagName+1), "v"}, 400, nil},
		"a step's control characters": {[]string{"x-purser-step", "a\x01"}, 400, nil},
		"a long parent":               {[]string{"x-purser-parent", strings.Repeat("p", ledger.MaxDimValue+1)}, 400, nil},
		"baggage is ignored":          {[]string{"baggage", "purser.customer=acme"}, 200, map[string]string{"customer": ""}},
	} {
		t.Run(name, func(t *testing.T) {
			headers := c.headers
			a, body := w.askAs(headers)
			if a.Status != c.status {
				t.Fatalf("status %d, want %d: %s", a.Status, c.status, body)
			}
			r := w.last()
			for dim, want := range c.want {
				ref, err := ledger.ParseDimRef(dim)
				if err != nil {
					t.Fatal(err)
				}
				if got := r.Dims.Get(ref); got != want {
					t.Errorf("%s is %q, want %q", dim, got, want)
				}
			}
		})
	}
}

// TestWhereInARunARequestIs: what the client says of it is kept, and which program and
// which of the provider's keys it was.
func TestWhereInARunARequestIs(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	w.ask(question, "x-purser-step", "plan", "x-purser-parent", "boss", "x-claude-code-parent-agent-id", "other", "User-Agent", "tool/1.2 (linux; secret words)")
	if r := w.last(); r.Step != "plan" || r.Parent != "boss" || r.Client != "tool/1.2" || r.OutputCap == 0 {
		t.Errorf("step %q, parent %q, client %q, output cap %d", r.Step, r.Parent, r.Client, r.OutputCap)
	}
	w.ask(question, "x-claude-code-parent-agent-id", "main", "User-Agent", strings.Repeat("u", 65))
	if r := w.last(); r.Parent != "main" || r.Client != "" || r.Step != "" {
		t.Errorf("step %q, parent %q, client %q", r.Step, r.Parent, r.Client)
	}
}

// askAs asks with the headers' own key, or the good one.
func (w *world) askAs(headers []string) (*Answer, string) {
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Authorization" {
			a := w.gateway.Serve(&Request{Method: "POST", Path: "/v1/chat/completions", Body: []byte(question), Header: headerList(headers)})
			return a, string(a.Body)
		}
	}
	return w.ask(question, headers...)
}

func TestBaggageIsALastResort(t *testing.T) {
	w := newWorld(t, answerJSON, func(c *Config) { c.Baggage = true })
	w.ask(question, "x-purser-customer", "acme", "baggage", "purser.customer=other, purser.agent=bot;p=1,purser.tag.plan=a%20b, purser.key=x, other=y, purser.run=%zz")
	d := w.last().Dims
	want := "acme bot a b k1 "
	got := fmt.Sprint(d.Values[ledger.DimCustomer], " ", d.Values[ledger.DimAgent], " ", d.Get(ledger.DimRef{Dim: ledger.DimTag, Tag: "plan"}), " ", d.Values[ledger.DimKey], " ", d.Values[ledger.DimRun])
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestTagsOfManyRequestsDoNotMix: exchanges are used again.
func TestTagsOfManyRequestsDoNotMix(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	for i := range 50 {
		n := fmt.Sprint(i)
		w.ask(question, "x-purser-tag-n"+n, n)
		if d := w.last().Dims; len(d.Tags) != 1 || d.Tags[0].Value != n {
			t.Fatalf("request %d has the tags %v", i, d.Tags)
		}
		w.ask(question)
		if d := w.last().Dims; len(d.Tags) != 0 {
			t.Fatalf("a request without tags has %v", d.Tags)
		}
	}
}

func FuzzAttributeHeaders(f *testing.F) {
	f.Add("customer", "acme")
	f.Add("tag-plan", "a b")
	f.Add("tag-", "")
	f.Fuzz(func(t *testing.T, name, value string) {
		x := &exchange{g: &Gateway{}, key: &Principal{}, rules: noRules{}, req: &Request{Header: headerList{headerPrefix + name, value}}}
		if x.attribute() != nil {
			return
		}
		for _, v := range x.rec.Dims.Values {
			if len(v) > ledger.MaxDimValue || strings.ContainsAny(v, "\r\n\x00") {
				t.Errorf("the value %q got through", v)
			}
		}
		if len(x.rec.Dims.Tags) > ledger.MaxTags {
			t.Errorf("%d tags got through", len(x.rec.Dims.Tags))
		}
	})
}

// TestTagNamesAreText: they are names of attributes of spans, and stand in exports.
func TestTagNamesAreText(t *testing.T) {
	w := newWorld(t, answerJSON, func(c *Config) { c.Baggage = true })
	if a, _ := w.ask(question, "baggage", "purser.tag.n\xff=v,purser.tag.ok=v"); a.Status != 200 {
		t.Fatal(a.Status)
	}
	if tags := w.last().Dims.Tags; len(tags) != 1 || tags[0].Name != "ok" {
		t.Errorf("%q", tags)
	}
	if a, _ := w.ask(question, "x-purser-tag-a\x01", "v"); a.Status != 400 {
		t.Errorf("a control character in a tag's name: %d", a.Status)
	}
}
