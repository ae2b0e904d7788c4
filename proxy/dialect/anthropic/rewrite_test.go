package anthropic

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"purser/proxy/dialect"
)

// TestRewriteTouchesOnlyWhatItMust compares with encoding/json over bodies whose
// members come in any order.
func TestRewriteTouchesOnlyWhatItMust(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.Permutation([]string{
			`"model" : "claude-\u006fpus"`, ` "max_tokens":  500`, `"messages":[{"role":"user","content":"max_tokens"}]`, `"system":"\u00e9 \"model\""`, `"x":[1.50,{"max_tokens":1}]`,
		}).Draw(t, "members")
		body := fmt.Sprintf("{%s,%s,\n%s,%s , %s}", members[0], members[1], members[2], members[3], members[4])
		var c dialect.Call
		if err := Decode(&c, dialect.Target{Endpoint: dialect.Chat}, []byte(body)); err != nil {
			t.Fatal(err)
		}
		ch := dialect.Change{Model: rapid.SampledFrom([]string{"", "claude-opus", "m\"x"}).Draw(t, "model"), MaxOutput: rapid.Int64Range(0, 900).Draw(t, "cap")}
		var want, got map[string]any
		if err := json.Unmarshal([]byte(body), &want); err != nil {
			t.Fatal(err)
		}
		if ch.Model != "" {
			want["model"] = ch.Model
		}
		if ch.MaxOutput > 0 {
			want["max_tokens"] = float64(ch.MaxOutput)
		}
		sent := AppendUpstream(nil, &c, ch)
		if err := json.Unmarshal(sent, &got); err != nil {
			t.Fatalf("%v: %s", err, sent)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%s\nbecame %s", body, sent)
		}
		if (ch.Model == "" || ch.Model == c.Model) && (ch.MaxOutput == 0 || ch.MaxOutput == 500) && string(sent) != body {
			t.Fatalf("%s\nbecame %s", body, sent)
		}
	})
}

func TestCanonicalForm(t *testing.T) {
	form := func(body, features string) string {
		var c dialect.Call
		if err := Decode(&c, dialect.Target{Endpoint: dialect.Chat, Features: features}, []byte(body)); err != nil {
			t.Fatal(err)
		}
		b, err := AppendCanonical(nil, &c)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	a := form(`{"model":"m","max_tokens":10,"stream":true,"metadata":{"user_id":"u"},"messages":[{"role":"user","content":"\u0068i"}]}`, "")
	b := form(`{ "messages":[{"content":"hi","role":"user"}],"max_tokens":10, "model":"m"}`, "")
	if a != b || a != `anthropic.1 "" {"max_tokens":1e1,"messages":[{"content":"hi","role":"user"}],"model":"m"}` {
		t.Errorf("%s\n%s", a, b)
	}
	for _, other := range []string{
		form(`{"messages":[{"content":"hi","role":"user"}],"max_tokens":10,"model":"m"}`, "context-1m-2025-08-07"),
		form(`{"messages":[{"content":"hi","role":"user"}],"max_tokens":10,"model":"m","system":"x-anthropic-billing-header: a"}`, ""),
		form(`{"messages":[{"content":"hi","role":"user"}],"max_tokens":11,"model":"m"}`, ""),
		form(`{"messages":[{"content":"hi","role":"user"}],"max_tokens":10,"model":"m","speed":"fast"}`, ""),
	} {
		if other == a {
			t.Errorf("another call has the same form: %s", other)
		}
	}
}
