package proxy

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"purser/ledger"
	"purser/proxy/dialect"
)

func TestPatternsAgreeWithRegularExpressions(t *testing.T) {
	letters := rapid.StringOfN(rapid.SampledFrom([]rune("ab/*")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		pattern, name := letters.Draw(t, "pattern"), letters.Draw(t, "name")
		want := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*") + "$").MatchString(name)
		if got := fits(pattern, name); got != want {
			t.Fatalf("fits(%q, %q) = %v", pattern, name, got)
		}
	})
	if fits(strings.Repeat("*a", 100)+"b", strings.Repeat("a", 10_000)) {
		t.Error("a pattern that does not fit does")
	}
	a := Allow{{"gpt-*"}, nil, {"*-mini", "x"}}
	if !a.Allows("gpt-5-mini") || a.Allows("gpt-5") || a.Allows("x") || !Allow(nil).Allows("anything") {
		t.Error("the lists are not all asked")
	}
}

func TestAKeyIsUsedWithinItsRights(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	chat, embed := `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}`, `{"model":"text-embedding-3-small","input":"hi"}`
	for name, c := range map[string]struct {
		key                Principal
		method, path, body string
		want               string // code, "" for an answer
	}{
		"no rights are said":        {Principal{}, "POST", "/v1/chat/completions", chat, ""},
		"no inference":              {Principal{Barred: Inference}, "POST", "/v1/chat/completions", chat, "scope_missing"},
		"no inference, a lookup":    {Principal{Barred: Inference}, "GET", "/v1/responses/r1", "", "scope_missing"},
		"no embeddings":             {Principal{Barred: Embeddings}, "POST", "/v1/embeddings", embed, "scope_missing"},
		"embeddings alone":          {Principal{Barred: Inference}, "POST", "/v1/embeddings", embed, ""},
		"no lists of models":        {Principal{Barred: ListModels}, "GET", "/v1/models", "", "scope_missing"},
		"no children":               {Principal{Barred: MintKeys}, "POST", "/v1/keys/children", "", "scope_missing"},
		"no word about itself":      {Principal{Barred: OwnUsage}, "GET", "/v1/keys/self", "", "scope_missing"},
		"another route":             {Principal{Endpoints: Allow{{"/v1/responses*"}}}, "POST", "/v1/chat/completions", chat, "endpoint_not_allowed"},
		"a route by pattern":        {Principal{Endpoints: Allow{{"/v1/*"}, {"*completions"}}}, "POST", "/v1/chat/completions", chat, ""},
		"a route, a second list":    {Principal{Endpoints: Allow{{"/v1/*"}, {"/v1/responses"}}}, "POST", "/v1/chat/completions", chat, "endpoint_not_allowed"},
		"another provider":          {Principal{Providers: Allow{{"nobody"}}}, "POST", "/v1/chat/completions", chat, "provider_not_allowed"},
		"another upstream":          {Principal{Upstreams: Allow{{"eu-*"}}}, "POST", "/v1/chat/completions", chat, "provider_not_allowed"},
		"the provider and upstream": {Principal{Providers: Allow{{"open*"}}, Upstreams: Allow{{"up"}}}, "POST", "/v1/chat/completions", chat, ""},
		"another model":             {Principal{Models: Allow{{"gpt-4o"}}}, "POST", "/v1/chat/completions", chat, "model_not_allowed"},
		"a model by pattern":        {Principal{Models: Allow{{"gpt-*"}}}, "POST", "/v1/chat/completions", chat, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.key.ID = "k"
			w.keys[sha("pk_rights")] = keyed{&c.key, KeyActive}
			_, body := w.serve(&Request{Method: c.method, Path: c.path, Header: headerList{"Authorization", "Bearer pk_rights"}, Body: []byte(c.body)})
			var got struct{ Error struct{ Code string } }
			if err := json.Unmarshal([]byte(body), &got); err != nil || got.Error.Code != c.want {
				t.Errorf("%s, want %q (%v)", body, c.want, err)
			}
		})
	}
	w.keys[sha("pk_rights")] = keyed{&Principal{ID: "k", Providers: Allow{{"anthropic"}}, Models: Allow{{"claude-*"}}}, KeyActive}
	_, body := w.serve(&Request{Method: "GET", Path: "/v1/models", Header: headerList{"Authorization", "Bearer pk_rights"}})
	if !strings.Contains(body, "claude-") || strings.Contains(body, "gpt-") {
		t.Errorf("the list of models is %.200s", body)
	}
	w.keys[sha("pk_rights")] = keyed{&Principal{ID: "k"}, KeyReplaced}
	if a, body := w.send("POST", "/v1/chat/completions", chat, "Authorization", "Bearer pk_rights"); a.Status != 401 || !strings.Contains(body, "rotation") {
		t.Errorf("a secret that was replaced: %d %s", a.Status, body)
	}
}

// kin is a register of one child key.
type kin struct {
	p    *Principal
	e    *dialect.Error
	made any
}

const childToken = "pk_c_token"

func (k *kin) Find(token string, _ ledger.Instant) (*Principal, *dialect.Error) {
	if token != childToken {
		return nil, dialect.NewError(dialect.CodeChildKey, "", "forged")
	}
	return k.p, k.e
}

func (k *kin) Mint(parent *Principal, secret string, body []byte, _ ledger.Instant) (any, *dialect.Error) {
	k.made = []string{parent.ID, secret, string(body)}
	return map[string]string{"key": "pk_c_new"}, k.e
}

func TestRequestsOfChildren(t *testing.T) {
	w := newWorld(t, answerJSON, nil)
	chat := `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}`
	send := func(token string) (*Answer, string) {
		return w.send("POST", "/v1/chat/completions", chat, "Authorization", "Bearer "+token)
	}
	if a, body := send(childToken); a.Status != 401 || !strings.Contains(body, "takes no child keys") {
		t.Errorf("without a register: %d %s", a.Status, body)
	}
	capped := 0
	var refusal *dialect.Error
	k := &kin{p: &Principal{ID: "parent", Child: "c1", Bound: ledger.Dimensions{Tags: []ledger.Tag{{Name: "purser.child.1", Value: "c1"}}},
		Capped: func(context.Context) *dialect.Error { capped++; return refusal }}}
	w.gateway.seams.Children = k
	if a, body := send(childToken); a.Status != 200 || capped != 1 {
		t.Errorf("a child: %d %s, capped %d times", a.Status, body, capped)
	}
	if r := w.last(); r.Dims.Values[ledger.DimKey] != "parent" || r.Dims.Get(ledger.DimRef{Dim: ledger.DimTag, Tag: "purser.child.1"}) != "c1" {
		t.Errorf("recorded as %+v", r.Dims)
	}
	spent := w.purse.spent
	refusal = dialect.NewError(dialect.CodeUndecided, "", "not capped")
	if a, body := send(childToken); a.Status != 503 || w.purse.spent != spent {
		t.Errorf("a child whose slice is not capped: %d %s", a.Status, body)
	}
	if a, body := send("pk_c_other"); a.Status != 401 || !strings.Contains(body, "child_key_invalid") {
		t.Errorf("a forged one: %d %s", a.Status, body)
	}
	refusal = nil
	if a, body := w.send("POST", "/v1/chat/completions", chat, "Authorization", "Bearer "+childToken, "x-purser-tag-purser.child.1", "other"); a.Status != 400 || !strings.Contains(body, "gateway alone") {
		t.Errorf("a child that names another: %d %s", a.Status, body)
	}
	if a, _ := w.send("POST", "/v1/chat/completions", chat, "x-purser-tag-purser.slice.1", "5.1"); a.Status != 400 {
		t.Errorf("a client that names a slice: %d", a.Status)
	}
	if a, body := w.send("GET", "/v1/keys/self", "", "Authorization", "Bearer "+childToken); a.Status != 200 || !strings.Contains(body, `"child":"c1"`) || !strings.Contains(body, `"tag:purser.child.1":"c1"`) {
		t.Errorf("what it may do: %d %s", a.Status, body)
	}
	a, body := w.send("POST", "/v1/keys/children", `{"usd":1}`, "Authorization", "Bearer "+childToken)
	if a.Status != 201 || body != `{"key":"pk_c_new"}` || k.made.([]string)[1] != childToken || k.made.([]string)[2] != `{"usd":1}` {
		t.Errorf("a child of it: %d %s, made of %v", a.Status, body, k.made)
	}
	k.e = dialect.NewError(dialect.CodeExpiredKey, "", "over")
	if a, _ := send(childToken); a.Status != 401 {
		t.Errorf("an expired one: %d", a.Status)
	}
}

func TestBaggageNamesNoSlice(t *testing.T) {
	w := newWorld(t, answerJSON, func(c *Config) { c.Baggage = true })
	a, _ := w.ask(`{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hi"}]}`, "baggage", "purser.tag.purser.slice.1=5.1,purser.customer=acme")
	if r := w.last(); a.Status != 200 || len(r.Dims.Tags) != 0 || r.Dims.Values[ledger.DimCustomer] != "acme" {
		t.Errorf("%d, dimensions %+v", a.Status, r.Dims)
	}
}
